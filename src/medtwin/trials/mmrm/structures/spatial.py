"""Spatial: ``C_ab = ρ^(d_ab^e)``, e = 1 exponential, e = 2 Gaussian (smooth in time).

``d`` is the Euclidean distance of the two measurements' coordinates (such as days), ``ρ = logistic(x)`` in (0, 1) the
correlation at distance one. Visits need not be the same for all. One parameter and one scale. Source: Jennrich and Schluchter,
Biometrics 42 (1986): 805; Diggle, Heagerty, Liang and Zeger, Analysis of Longitudinal Data, 2nd ed. (2002), section 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.mmrm.structures.curve import Array, Jet, logistic, variables


@dataclass(frozen=True)
class SpatialExponential:
    """See the file's docstring."""

    name: str = "spatial exponential"
    free: bool = False
    spatial: bool = True
    exponent: float = 1.0  #: e

    def size(self, visits: int) -> int:
        """One."""
        return 1

    def start(self, correlation: Array, distance: Array | None) -> Array:
        """The mean correlation of a subject's neighbouring measurements, at their median distance."""
        assert distance is not None
        apart = np.diagonal(distance, 1, 1, 2)
        typical = float(np.median(apart[apart > 0.0])) if (apart > 0.0).any() else 1.0
        seen = float(np.clip(np.diag(correlation, 1).mean(), 0.05, 0.95)) if len(correlation) > 1 else 0.5
        log_rho = np.log(seen) / typical**self.exponent
        return np.array([log_rho - np.log(-np.expm1(log_rho))])

    def curve(self, parameters: Array, visits: int, distance: Array | None) -> Jet:
        """``exp(d^e log ρ)``, one matrix for each pattern of coordinates."""
        assert distance is not None
        distance = distance**self.exponent

        def log_logistic(x: Array) -> tuple[Array, Array, Array]:
            p = logistic(x)[0]
            return -np.logaddexp(0.0, -x), 1.0 - p, -p * (1.0 - p)

        def power(log_rho: Array) -> tuple[Array, Array, Array]:
            value = np.exp(distance * log_rho)
            return value, distance * value, distance**2 * value

        return variables(parameters).through(log_logistic)[0].through(power)
