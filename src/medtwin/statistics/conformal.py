"""Conformal intervals: coverage from past residuals, whatever the model behind the forecast.

Split conformal (Vovk et al. 2005; Lei et al., JASA 2018;113:1094). With scores r_i of n past forecasts and a new one
exchangeable with them, the interval {y : r(y) <= q}, q the k-th smallest score, k = ceil((n + 1)(1 - alpha)), holds the
outcome with probability at least 1 - alpha and less than 1 - alpha + 1/(n + 1) when scores have no ties. Signed scores
with alpha/2 on each side make the interval asymmetric. Scores here are residuals over the forecast's own sd.

Adaptive (Gibbs & Candes, NeurIPS 2021): when people drift, alpha itself moves after each outcome,
alpha' = alpha + rate (target - missed): the long-run share of misses tends to the target in any sequence at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray


def quantile(scores: ArrayLike, probability: float) -> float:
    """The conformal quantile: infinite where there are too few scores to promise this probability."""
    ordered = np.sort(np.asarray(scores, float).ravel())
    ordered = ordered[np.isfinite(ordered)]
    k = int(np.ceil((ordered.size + 1) * probability - 1e-9))
    return float("inf") if k > ordered.size else float(ordered[max(k, 1) - 1])


@dataclass(frozen=True, slots=True)
class Band:
    """An interval in units of the forecast's sd, below and above its mean."""

    below: float
    above: float

    def interval(self, mean: ArrayLike, sd: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        mean, sd = np.asarray(mean, float), np.asarray(sd, float)
        return mean - self.below * sd, mean + self.above * sd


def band(residuals: ArrayLike, probability: float = 0.9) -> Band:
    """Two-sided band from past residuals in units of the forecast's sd, half of the misses allowed on each side."""
    residuals = np.asarray(residuals, float)
    side = 1.0 - (1.0 - probability) / 2.0
    return Band(below=quantile(-residuals, side), above=quantile(residuals, side))


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Running state of adaptive conformal inference: the probability to ask for so that the target is met."""

    target: float = 0.9
    asked: float = 0.9
    rate: float = 0.01

    def after(self, covered: bool) -> Adaptive:
        """The state after one outcome: ask for more when it was missed, for a little less when it was covered."""
        moved = self.asked + self.rate * (self.target - (1.0 if covered else 0.0))
        return replace(self, asked=float(np.clip(moved, 0.0, 1.0)))

    def band(self, residuals: ArrayLike) -> Band:
        """The band to use now; infinite when everything must be covered."""
        return band(residuals, self.asked)
