"""Exact (Clopper-Pearson) intervals of a proportion.

Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26
(1934): the lower limit is the p at which P(X >= k) = (1 - level) / 2, the upper the p at which P(X <= k) = (1 - level) / 2.
Solved by bisection on the binomial tails; NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable
from math import lgamma

import numpy as np


def _at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) of a binomial."""
    if p <= 0.0:
        return 1.0
    if p >= 1.0:
        return 1.0 if k >= n else 0.0
    i = np.arange(k + 1)
    ways = np.array([lgamma(n + 1) - lgamma(j + 1) - lgamma(n - j + 1) for j in i])
    return float(min(np.exp(ways + i * np.log(p) + (n - i) * np.log1p(-p)).sum(), 1.0))


def exact_interval(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of the chance of success after ``k`` successes in ``n`` independent trials.

    Trials that depend on each other (overlapping forecasts) know less than their number says: then it is too narrow.
    """
    if not 0 <= k <= n or n < 1:
        raise ValueError(f"{k} successes in {n} trials; expected 0 <= k <= n and n >= 1")
    tail = (1.0 - level) / 2.0
    lower = 0.0 if k == 0 else _solve(lambda p: 1.0 - _at_most(k - 1, n, p) - tail)
    upper = 1.0 if k == n else _solve(lambda p: tail - _at_most(k, n, p))
    return lower, upper


def _solve(increasing: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (low, middle) if increasing(middle) > 0.0 else (middle, high)
    return (low + high) / 2.0
