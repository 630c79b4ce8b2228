"""Spatial exponential: ``C_ab = ρ^d_ab``, ``d`` the Euclidean distance of the two measurements' coordinates (such as days).

``ρ = logistic(x)`` in (0, 1) is the correlation at distance one. Visits need not be the same for all. One parameter and
one scale. Source: Jennrich and Schluchter, Biometrics 42 (1986): 805; Diggle, Heagerty, Liang and Zeger, Analysis of
Longitudinal Data, 2nd ed. (2002), section 5.2.
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

    def size(self, visits: int) -> int:
        """One."""
        return 1

    def start(self, correlation: Array, distance: Array | None) -> Array:
        """A correlation of one half at the median distance."""
        apart = np.zeros(0) if distance is None else distance[distance > 0.0]
        rho = 0.5 ** (1.0 / float(np.median(apart))) if len(apart) else 0.5
        held = min(max(rho, 1e-6), 1.0 - 1e-9)
        return np.array([np.log(held / (1.0 - held))])

    def curve(self, parameters: Array, visits: int, distance: Array | None) -> Jet:
        """``exp(d log ρ)``, one matrix for each pattern of coordinates."""
        assert distance is not None

        def power(rho: Array) -> tuple[Array, Array, Array]:
            value = rho**distance
            return value, distance * value / rho, distance * (distance - 1.0) * value / rho**2

        return variables(parameters).through(logistic)[0].through(power)
