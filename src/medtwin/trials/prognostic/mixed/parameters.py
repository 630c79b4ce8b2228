"""The two covariance matrices as one free vector θ.

G = LL' with L's lower triangle as it is: where a variance is zero the likelihood is an even function of L's diagonal, with
a curvature of its own, while its logarithm would run to minus infinity without an end. R = MM' with the logarithm of M's
diagonal: measurement error is never zero. Off-diagonals of M as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.prognostic.mixed.likelihood import Layout, Solved, solve

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Packing:
    """``effects`` = a q random effects of a patient, ``outcomes`` = q."""

    effects: int
    outcomes: int

    @property
    def size(self) -> int:
        """Of θ."""
        return (self.effects * (self.effects + 1) + self.outcomes * (self.outcomes + 1)) // 2

    def unpack(self, theta: Array) -> tuple[Array, Array]:
        """L and M."""
        held = self.effects * (self.effects + 1) // 2
        lower, residual = np.zeros((self.effects, self.effects)), np.zeros((self.outcomes, self.outcomes))
        lower[np.tril_indices(self.effects)] = theta[:held]
        residual[np.tril_indices(self.outcomes)] = theta[held:]
        np.fill_diagonal(residual, np.exp(np.clip(np.diag(residual), -30.0, 30.0)))
        return lower, residual

    def pack(self, g: Array, r: Array) -> Array:
        """θ of G, which may be singular, and of R."""
        lower = np.linalg.cholesky(r)
        np.fill_diagonal(lower, np.log(np.diag(lower)))
        return np.concatenate([root(g)[np.tril_indices(self.effects)], lower[np.tril_indices(self.outcomes)]])

    def minus(self, layout: Layout, theta: Array, reml: bool) -> tuple[float, Array]:
        """Minus the log likelihood and its gradient in θ; infinite where a matrix is not positive definite."""
        lower, residual = self.unpack(theta)
        try:
            at = solve(layout, lower, residual @ residual.T, reml=reml)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros(self.size)
        return -at.log_likelihood, self._chain(at, lower, residual)

    def _chain(self, at: Solved, lower: Array, residual: Array) -> Array:
        assert at.gradient is not None
        of_l = 2.0 * at.gradient[0] @ lower
        of_m = 2.0 * at.gradient[1] @ residual
        np.fill_diagonal(of_m, np.diag(of_m) * np.diag(residual))
        return -np.concatenate([of_l[np.tril_indices(self.effects)], of_m[np.tril_indices(self.outcomes)]])


def root(matrix: Array) -> Array:
    """Lower triangle L with LL' = ``matrix``, positive semidefinite."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    upper = np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T, mode="r")
    sign = np.where(np.diag(upper) < 0.0, -1.0, 1.0)
    return np.asarray((sign[:, None] * upper).T * scale[:, None])
