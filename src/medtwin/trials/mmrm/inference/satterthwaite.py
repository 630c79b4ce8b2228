"""Satterthwaite: the degrees of freedom of a chi-squared with the same variance as the estimated variance has.

``v = c'Φ(θ)c``, ``df = 2 v² / (g' W g)``, ``g_h = ∂v/∂θ_h = c'Φ A_h Φ c``, ``W`` the inverse of the observed information of
θ (REML or ML as fitted). Sources: Satterthwaite, Biometrics Bulletin 2 (1946): 110; Giesbrecht and Burns, Biometrics 41
(1985): 477; for F tests Fai and Cornelius (1996).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.mmrm.inference.method import Ground, by_directions, positive
from medtwin.trials.mmrm.structures.curve import Array


@dataclass(frozen=True)
class Satterthwaite:
    """See the file's docstring."""

    ground: Ground
    name: str = "Satterthwaite"

    @property
    def covariance(self) -> Array:
        """``Φ``."""
        return self.ground.covariance

    def df(self, contrast: Array) -> float:
        """``2 v² / (g' W g)``."""
        own = self.ground.root.T @ contrast  # in the basis in which Φ is the identity
        slope = np.einsum("hab,a,b->h", self.ground.optimum.slopes.moved, own, own)
        spread = float(slope @ self.ground.optimum.theta_covariance @ slope)
        return positive(2.0 * float(own @ own) ** 2 / spread if spread > 0.0 else np.inf, self.name)

    def denominator(self, contrasts: Array) -> tuple[float, float]:
        """By independent directions."""
        return by_directions(self, contrasts)
