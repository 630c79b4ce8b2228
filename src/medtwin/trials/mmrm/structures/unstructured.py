"""Unstructured: any covariance matrix.

``Σ = D L L' D`` with ``D = diag(exp τ)`` and ``L`` lower triangular with ones on its diagonal; the parameters are its
entries below, row by row (Pinheiro and Bates, "Unconstrained parametrizations for variance-covariance matrices",
Statistics and Computing 6 (1996): 289, the Cholesky form). ``exp(τ_1)`` is the first visit's standard deviation, the
others are those given the visits before. Number of parameters with the scales: m (m + 1) / 2.

The adjusted covariance of Kenward and Roger depends on this choice (their linear form does not).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.mmrm.structures.curve import Array


@dataclass(frozen=True)
class Unstructured:
    """See the file's docstring."""

    name: str = "unstructured"
    free: bool = True
    spatial: bool = False

    def size(self, visits: int) -> int:
        """m (m - 1) / 2."""
        return visits * (visits - 1) // 2

    def start(self, correlation: Array, distance: Array | None) -> Array:
        """Exactly the given matrix."""
        root = np.linalg.cholesky(correlation)
        return np.asarray((root / np.diag(root)[:, None])[np.tril_indices(len(root), -1)])

    def curve(self, parameters: Array, visits: int, distance: Array | None) -> CholeskyCurve:
        """``L L'``."""
        rows, columns = np.tril_indices(visits, -1)
        lower = np.eye(visits)
        lower[rows, columns] = parameters
        first = np.zeros((len(parameters), visits, visits))
        at = np.arange(len(parameters))
        first[at, rows, :] = lower[:, columns].T
        return CholeskyCurve(lower @ lower.T, first + np.swapaxes(first, 1, 2), rows, columns)


@dataclass(frozen=True)
class CholeskyCurve:
    """``∂LL'/∂L_ij = e_i l_j' + l_j e_i'``; ``∂²LL'/∂L_ij∂L_kl = δ_jl (e_i e_k' + e_k e_i')``, ``l_j`` a column of L."""

    value: Array
    first: Array
    rows: np.ndarray
    columns: np.ndarray

    def against(self, weight: Array) -> Array:
        """``2 δ_jl weight_ik``."""
        same = self.columns[:, None] == self.columns[None]
        return 2.0 * same * weight[np.ix_(self.rows, self.rows)]

    def along(self, weight: Array) -> Array:
        """``2 Σ_j weight_(ij)(kj)`` at ``(i, k)``."""
        same = self.columns[:, None] == self.columns[None]
        out = np.zeros_like(self.value)
        np.add.at(out, np.ix_(self.rows, self.rows), 2.0 * same * weight)
        return out
