"""Uncertainty of the covariance parameters θ: a normal around the maximum, its sides mended along each axis.

Laplace: θ ~ N(θ̂, K⁻¹), K the curvature. Along each eigenvector v of K the two sides get scales of their own, so that the
exact log likelihood falls by ½ where the normal's does: ℓ(θ̂) - ℓ(θ̂ ± s v) = ½ (the split normal of Martins, Simpson,
Lindgren and Rue, CSDA 67 (2013): 68, from memory). That matters where G is nearly singular: a step along a nearly flat
direction, which is a rotation to first order, would blow variances up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.prognostic.mixed.likelihood import Layout, solve
from medtwin.trials.prognostic.mixed.optimise import Optimum
from medtwin.trials.prognostic.mixed.parameters import Packing

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class SplitNormal:
    """θ̂ + Σ_k s_k(sign) |z_k| sign v_k with z standard normal; each side with chance in proportion to its scale."""

    centre: Array  #: (size,)
    axes: Array  #: (size, size), a column each
    below: Array  #: (size,)
    above: Array  #: (size,)

    def draw(self, draws: int, rng: np.random.Generator) -> Array:
        """(draws, size)."""
        away = np.abs(rng.standard_normal((draws, len(self.centre))))
        total = np.maximum(self.below + self.above, 1e-300)
        up = rng.random(away.shape) < self.above / total
        return np.asarray(self.centre + np.where(up, away * self.above, -away * self.below) @ self.axes.T)


def split_normal(layout: Layout, optimum: Optimum, effects: int, outcomes: int, *, reml: bool) -> SplitNormal:
    """Around the optimum; a side along which nothing falls within one unit of the outcomes' scale gets none."""
    packing = Packing(effects, outcomes)
    values, vectors = np.linalg.eigh(optimum.curvature)
    scales = np.zeros((2, packing.size))
    for k, curvature in enumerate(values):
        start = min(curvature**-0.5 if curvature > 0.0 else 1.0, 1.0)
        for side, sign in enumerate((-1.0, 1.0)):
            low, high, trial = 0.0, np.inf, start
            for _ in range(8):
                lower, residual = packing.unpack(optimum.theta + sign * trial * vectors[:, k])
                try:
                    at = solve(layout, lower, residual @ residual.T, reml=reml, gradient=False).log_likelihood
                    fall = optimum.log_likelihood - at
                except np.linalg.LinAlgError:
                    fall = np.inf
                if 0.45 < fall < 0.55:
                    break
                low, high = (trial, high) if fall < 0.5 else (low, trial)
                if np.isfinite(high):  # the fall is nearly quadratic
                    guess = trial * np.sqrt(0.5 / fall) if 0.0 < fall < np.inf else 0.0
                    trial = guess if low < guess < high else (low + high) / 2.0
                elif low >= 1.0:
                    trial = 0.0
                    break
                else:
                    guess = trial * np.sqrt(0.5 / fall) if fall > 0.0 else 1.0
                    trial = min(max(guess, 1.1 * trial), 3.0 * trial, 1.0)
            scales[side, k] = trial
    return SplitNormal(optimum.theta, vectors, scales[0], scales[1])
