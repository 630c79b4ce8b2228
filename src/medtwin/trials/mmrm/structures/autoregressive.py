"""First-order autoregressive: ``C_ab = ρ^|a - b|``, visits counted in their order; ``ρ = x / sqrt(1 + x²)``.

One parameter and the scale(s). Source: Jennrich and Schluchter, "Unbalanced repeated-measures models with structured
covariance matrices", Biometrics 42 (1986): 805, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.mmrm.structures.curve import Array, Jet, correlation, from_correlation, variables


@dataclass(frozen=True)
class Autoregressive:
    """See the file's docstring."""

    name: str = "AR(1)"
    free: bool = False
    spatial: bool = False

    def size(self, visits: int) -> int:
        """One; none where there is one visit."""
        return min(visits - 1, 1)

    def start(self, correlation: Array, distance: Array | None) -> Array:
        """The mean correlation of neighbours."""
        return from_correlation(np.diag(correlation, 1).mean(keepdims=True)) if len(correlation) > 1 else np.zeros(0)

    def curve(self, parameters: Array, visits: int, distance: Array | None) -> Jet:
        """``ρ^lag``."""
        lag = np.abs(np.subtract.outer(np.arange(visits), np.arange(visits)))
        if not len(parameters):
            return Jet(np.ones((1, 1)), np.zeros((0, 1, 1)), np.zeros((0, 0, 1, 1)))

        def power(rho: Array) -> tuple[Array, Array, Array]:
            once, twice = np.maximum(lag - 1, 0), np.maximum(lag - 2, 0)
            return rho**lag, lag * rho**once, lag * (lag - 1) * rho**twice

        return variables(parameters).through(correlation)[0].through(power)
