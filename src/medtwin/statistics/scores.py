"""Scores of probabilistic forecasts that are stated as quantiles, as members, or as a normal distribution.

The continuous ranked probability score (Matheson and Winkler 1976; Gneiting and Raftery, JASA 2007;102:359) of a
forecast F and an outcome y, lower is better::

    CRPS = integral (F(x) - 1{x >= y})^2 dx = E|X - y| - E|X - X'|/2         X, X' independent draws of F
    of N(m, s^2), with a = (y - m)/s:   s [a (2 Phi(a) - 1) + 2 phi(a) - 1/sqrt(pi)]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

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


def crps_members(members: ArrayLike, outcome: ArrayLike, *, fair: bool = True) -> Array:
    """CRPS of equal-weight members ``(n, ...)`` against outcomes ``(...)``.

    ``fair``: divide the spread by n (n - 1) rather than n^2, so that the score does not depend on the number of members
    (Ferro 2014). Order n log n, by sorting: sum_ij |x_i - x_j| = 2 sum_i (2 i - n + 1) x_(i), i from 0.
    """
    x = np.sort(np.asarray(members, float), axis=0)
    n = x.shape[0]
    away = np.abs(x - np.asarray(outcome, float)).mean(0)
    order = (2.0 * np.arange(n) - n + 1.0).reshape((n,) + (1,) * (x.ndim - 1))
    between = 2.0 * (order * x).sum(0) / (n * (n - 1) if fair and n > 1 else n * n)
    return np.asarray(away - between / 2.0)


def crps_normal(mean: ArrayLike, sd: ArrayLike, outcome: ArrayLike) -> Array:
    """CRPS of a normal forecast."""
    mean, sd = np.asarray(mean, float), np.asarray(sd, float)
    a = (np.asarray(outcome, float) - mean) / sd
    return sd * (a * (2.0 * ndtr(a) - 1.0) + 2.0 * np.exp(-0.5 * a * a) / np.sqrt(2.0 * np.pi) - 1.0 / np.sqrt(np.pi))


def log_score_normal(mean: ArrayLike, sd: ArrayLike, outcome: ArrayLike) -> Array:
    """Log predictive density of a normal forecast (natural logarithm; higher is better)."""
    mean, sd = np.asarray(mean, float), np.asarray(sd, float)
    a = (np.asarray(outcome, float) - mean) / sd
    return np.asarray(-0.5 * a * a - np.log(sd) - 0.5 * np.log(2.0 * np.pi))


def rmse(errors: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(errors))))
