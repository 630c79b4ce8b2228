"""Toeplitz: one correlation for each distance between visits, ``C_ab = ρ_|a-b|``.

The m - 1 parameters are the partial autocorrelations ``π_k = x_k / sqrt(1 + x_k²)``: any values in (-1, 1) give a
positive definite matrix (Barndorff-Nielsen and Schou, "On the parametrization of autoregressive models by partial
autocorrelations", J. Multivariate Analysis 3 (1973): 408). The correlations follow by the Durbin-Levinson recursion::

    ρ_k = π_k Π_{j<k} (1 - π_j²) + Σ_{j<k} φ_{k-1,j} ρ_{k-j}        φ_kk = π_k,  φ_kj = φ_{k-1,j} - π_k φ_{k-1,k-j}
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.mmrm.structures.curve import (
    Array,
    Jet,
    constant,
    correlation,
    from_correlation,
    join,
    variables,
)


@dataclass(frozen=True)
class Toeplitz:
    """See the file's docstring."""

    name: str = "Toeplitz"
    free: bool = False
    spatial: bool = False

    def size(self, visits: int) -> int:
        """m - 1."""
        return visits - 1

    def start(self, correlation: Array, distance: Array | None) -> Array:
        """The partial autocorrelations of the mean correlation at each lag."""
        m = len(correlation)
        rho = np.array([np.diag(correlation, lag).mean() for lag in range(m)])
        phi, left, partial = np.zeros(0), 1.0, np.zeros(m - 1)
        for k in range(1, m):
            now = float(np.clip((rho[k] - phi @ rho[k - 1 : 0 : -1]) / left, -0.9, 0.9))
            partial[k - 1] = now
            phi = np.append(phi - now * phi[::-1], now)
            left *= 1.0 - now * now
        return from_correlation(partial)

    def curve(self, parameters: Array, visits: int, distance: Array | None) -> Jet:
        """The recursion above, in numbers that carry their derivatives."""
        partial = variables(parameters).through(correlation)
        one = constant(np.ones(1), len(parameters))
        rho, phi, left = one, one[:0], one  # rho[k] is the correlation at distance k
        for k in range(1, visits):
            now = partial[k - 1 : k]
            next_ = now * left
            if k > 1:
                next_ = next_ + (phi * rho[np.arange(k - 1, 0, -1)]).sum()
                phi = join([phi + -(now * phi[::-1]), now])
            else:
                phi = now
            rho = join([rho, next_])
            left = left * (-(now * now) + 1.0)
        return rho[np.abs(np.subtract.outer(np.arange(visits), np.arange(visits)))]
