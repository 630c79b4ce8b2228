"""Compound symmetry: all correlations are ``ρ``, between ``-1/(m - 1)`` and 1: ``ρ = a + (1 - a) logistic(x)``, ``a = -1/(m-1)``.

One parameter and the scale(s). With equal scales it is the model of a subject's random level, allowing a negative
correlation. Source: Jennrich and Schluchter, Biometrics 42 (1986): 805, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.mmrm.structures.curve import Array, Jet, logistic, variables


@dataclass(frozen=True)
class CompoundSymmetry:
    """See the file's docstring."""

    name: str = "compound symmetry"
    free: bool = False
    spatial: bool = False

    def size(self, visits: int) -> int:
        """One; none where there is one visit."""
        return min(visits - 1, 1)

    def start(self, correlation: Array, distance: Array | None) -> Array:
        """The mean correlation."""
        m = len(correlation)
        if m == 1:
            return np.zeros(0)
        low = -1.0 / (m - 1)
        share = (correlation[np.triu_indices(m, 1)].mean(keepdims=True) - low) / (1.0 - low)
        held = np.clip(share, 0.05, 0.95)
        return np.asarray(np.log(held / (1.0 - held)))

    def curve(self, parameters: Array, visits: int, distance: Array | None) -> Jet:
        """``ρ`` off the diagonal."""
        if not len(parameters):
            return Jet(np.ones((1, 1)), np.zeros((0, 1, 1)), np.zeros((0, 0, 1, 1)))
        low = -1.0 / (visits - 1)
        rho = variables(parameters).through(logistic) * (1.0 - low) + low
        other = 1.0 - np.eye(visits)
        spread = rho[np.zeros((visits, visits), int)] * other
        return Jet(spread.value + np.eye(visits), spread.first, spread.second)
