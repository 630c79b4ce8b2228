"""How often an interval held the truth, with the exact uncertainty of that share (see :mod:`binomial`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medtwin.statistics.binomial import exact_interval


@dataclass(frozen=True, slots=True)
class Share:
    """``successes`` of ``trials``, with an exact interval of the probability behind them."""

    successes: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.successes / self.trials


def share(successes: int, trials: int, confidence: float = 0.95) -> Share:
    """Observed share with its exact (Clopper-Pearson) interval."""
    low, high = exact_interval(successes, trials, confidence)
    return Share(successes, trials, low, high)


def coverage(truth: ArrayLike, low: ArrayLike, high: ArrayLike, confidence: float = 0.95) -> Share:
    """Share of truths within their intervals, bounds included; entries that are not finite are left out."""
    truth, low, high = (np.asarray(x, float).ravel() for x in np.broadcast_arrays(truth, low, high))
    known = np.isfinite(truth) & np.isfinite(low) & np.isfinite(high)
    inside = (truth >= low) & (truth <= high) & known
    return share(int(inside.sum()), int(known.sum()), confidence)


def central(rank: ArrayLike, probability: float = 0.9, confidence: float = 0.95) -> Share:
    """Coverage of the central interval of that probability, from ranks (predictive probabilities of less than truth)."""
    tail = (1.0 - probability) / 2.0
    return coverage(rank, tail, 1.0 - tail, confidence)
