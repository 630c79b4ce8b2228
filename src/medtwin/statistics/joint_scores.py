"""Scores of joint forecasts that are stated as draws: of several numbers at once, lower is better.

Energy score (Gneiting and Raftery, JASA 2007;102:359), the CRPS of vectors, of draws X, X' and outcome y, all (d)::

    E|X - y| - E|X - X'|/2        | | Euclidean; fair: pairs of different draws only (as for CRPS, Ferro 2014)

Variogram score of order p (Scheuerer and Hamill, Monthly Weather Review 2015;143:1321), which sees a wrong dependence
better::

    Σ_jk w_jk ( |y_j - y_k|^p - E|X_j - X_k|^p )²      over all ordered pairs

Numbers of different units must be put on one scale first. What was not measured (NaN) is left out of both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist, pdist


def energy_score(draws: ArrayLike, outcome: ArrayLike, *, fair: bool = True) -> float:
    """Of draws ``(n, d)`` and an outcome ``(d)``; NaN where nothing was measured."""
    x, y = _seen(draws, outcome)
    if not y.size:
        return float("nan")
    n = len(x)
    away = float(cdist(x, y[None]).mean())
    between = 2.0 * float(pdist(x).sum()) / (n * (n - 1) if fair and n > 1 else n * n)
    return away - between / 2.0


def variogram_score(
    draws: ArrayLike, outcome: ArrayLike, *, order: float = 0.5, weight: ArrayLike | None = None
) -> float:
    """Of draws ``(n, d)`` and an outcome ``(d)``, with weights ``(d, d)`` (none: 1); NaN of fewer than two numbers."""
    seen = np.isfinite(np.asarray(outcome, float))
    x, y = _seen(draws, outcome)
    if y.size < 2:
        return float("nan")
    w = np.ones((y.size, y.size)) if weight is None else np.asarray(weight, float)[np.ix_(seen, seen)]
    expected = (np.abs(x[:, :, None] - x[:, None, :]) ** order).mean(0)
    return float((w * (np.abs(y[:, None] - y[None]) ** order - expected) ** 2).sum())


def _seen(draws: ArrayLike, outcome: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(draws, float), np.asarray(outcome, float)
    seen = np.isfinite(y)
    return x[:, seen], y[seen]
