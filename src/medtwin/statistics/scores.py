"""Scores of probabilistic forecasts that are stated as quantiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def crps(quantiles: Array, levels: Array, outcomes: Array) -> Array:
    """Continuous ranked probability score of each forecast ``quantiles (n, levels)``, in the outcome's unit.

    ``CRPS = integral over p of 2 (1{y < q(p)} - p) (q(p) - y)`` (Gneiting and Ranjan, "Comparing density forecasts using
    threshold- and quantile-weighted scoring rules", JBES 29 (2011), eq. 12), by the trapezoid rule between the levels;
    below the first and above the last level the quantile is held.
    """
    apart = quantiles - outcomes[:, None]
    pinball = 2.0 * ((apart > 0.0) - levels[None]) * apart
    inner = np.sum((pinball[:, 1:] + pinball[:, :-1]) / 2.0 * np.diff(levels)[None], axis=1)
    # ends: q held constant, so the integrand is linear in p and its mean over the end is its value half-way
    first, last = apart[:, 0], apart[:, -1]
    low, high = levels[0], 1.0 - levels[-1]
    below = 2.0 * ((first > 0.0) - low / 2.0) * first * low
    above = 2.0 * ((last > 0.0) - (1.0 - high / 2.0)) * last * high
    score: Array = inner + below + above
    return score


def rmse(errors: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(errors))))
