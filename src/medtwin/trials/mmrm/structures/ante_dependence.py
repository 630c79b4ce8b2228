"""Ante-dependence of order one: ``C_ab = Π_{a <= t < b} ρ_t``, one correlation between each visit and the next.

For visits that are not equally far apart. m - 1 parameters, ``ρ_t = x_t / sqrt(1 + x_t²)``, and the scale(s). Source:
Gabriel, "Ante-dependence analysis of an ordered set of variables", Annals of Mathematical Statistics 33 (1962): 201.
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
class AnteDependence:
    """See the file's docstring."""

    name: str = "ante-dependence"
    free: bool = False
    spatial: bool = False

    def size(self, visits: int) -> int:
        """m - 1."""
        return visits - 1

    def start(self, correlation: Array, distance: Array | None) -> Array:
        """The correlations of neighbours."""
        return from_correlation(np.diag(correlation, 1))

    def curve(self, parameters: Array, visits: int, distance: Array | None) -> Jet:
        """Each diagonal is the one before it times the next ρ."""
        rho = variables(parameters).through(correlation)
        diagonals = [constant(np.ones(visits), len(parameters))]
        for lag in range(1, visits):
            diagonals.append(diagonals[-1][:-1] * rho[lag - 1 :])
        begins = np.concatenate([[0], np.cumsum([len(d.value) for d in diagonals])])
        a, b = np.indices((visits, visits))
        return join(diagonals)[begins[np.abs(a - b)] + np.minimum(a, b)]
