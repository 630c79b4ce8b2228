"""How near the middle of a forecast comes to the outcome, and what it knows beyond the baseline value.

    squared partial correlation    r²(y, s | b) = (r_ys - r_yb r_sb)² / ((1 - r_yb²)(1 - r_sb²))

of outcome y and score s given the baseline value b: the share of the variance that a baseline covariate leaves which the
score takes away. This, not r², is what a score adds to a trial that adjusts for baseline anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medtwin.errors import AnalysisError
from medtwin.statistics.clustered import ClusteredMean, clustered_mean
from medtwin.statistics.scores import crps_members, rmse

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """In the unit of the scale on which it was judged."""

    visits: int
    patients: int
    rmse: float
    correlation: float
    bias: ClusteredMean  #: mean of forecast less outcome
    crps: ClusteredMean | None  #: none for a forecast without draws
    partial: float | None  #: squared partial correlation given the baseline value; none without one


def accuracy(
    mean: ArrayLike,
    truth: ArrayLike,
    subject: ArrayLike,
    *,
    draws: Array | None = None,
    baseline: ArrayLike | None = None,
) -> Accuracy:
    """Of forecasts' means (n) and outcomes (n); draws (D, n) for the CRPS, baseline values (n) for what is beyond them."""
    m, y, who = np.asarray(mean, float), np.asarray(truth, float), np.asarray(subject)
    seen = np.isfinite(y)
    if seen.sum() < 3 or len(np.unique(who[seen])) < 2:
        raise AnalysisError(f"{int(seen.sum())} outcomes", expected="three or more, of two patients", where="accuracy")
    m, y, who = m[seen], y[seen], who[seen]
    return Accuracy(
        visits=len(y), patients=len(np.unique(who)), rmse=rmse(m - y), correlation=correlation(m, y),
        bias=clustered_mean(m - y, who),
        crps=None if draws is None else clustered_mean(crps_members(draws[:, seen], y), who),
        partial=None if baseline is None else squared_partial(y, m, np.asarray(baseline, float)[seen]),
    )  # fmt: skip


def correlation(first: Array, second: Array) -> float:
    """Pearson's; 0 where one of them does not vary."""
    if np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def squared_partial(outcome: Array, score: Array, baseline: Array) -> float:
    """Squared partial correlation; 0 where the score is a linear function of the baseline value."""
    ys, yb, sb = correlation(outcome, score), correlation(outcome, baseline), correlation(score, baseline)
    left = (1.0 - yb**2) * (1.0 - sb**2)
    return float((ys - yb * sb) ** 2 / left) if left > 1e-12 else 0.0


def better(score: ArrayLike, other: ArrayLike, subject: ArrayLike) -> ClusteredMean:
    """Mean of score less other over the same outcomes (lower is better: negative favours the first), patients clustered."""
    away = np.asarray(score, float) - np.asarray(other, float)
    seen = np.isfinite(away)
    return clustered_mean(away[seen], np.asarray(subject)[seen])
