"""Whether intervals hold what they promise, and whether ranks are uniform (PIT), with patients as the sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medtwin.errors import AnalysisError
from medtwin.statistics.clustered import ClusteredShare, clustered_share, clustered_uniformity
from medtwin.statistics.ranks import Uniformity, among, uniformity

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Ranks of outcomes among draws."""

    ranks: Array  #: (n,) in (0, 1)
    histogram: Uniformity  #: its p values take the outcomes as independent: right where each patient has one
    p_value: float  #: of uniformity, patients clustered


def interval_coverage(
    low: ArrayLike, high: ArrayLike, truth: ArrayLike, subject: ArrayLike, confidence: float = 0.95
) -> ClusteredShare:
    """Share of measured outcomes within their intervals (bounds included); an exact binomial interval at the effective size."""
    y = np.asarray(truth, float)
    seen = np.isfinite(y)
    who = np.asarray(subject)[seen]
    if len(np.unique(who)) < 2:
        raise AnalysisError(f"outcomes of {len(np.unique(who))} patients", expected="two or more", where="coverage")
    inside = (y >= np.asarray(low, float)) & (y <= np.asarray(high, float))
    return clustered_share(inside[seen], who, confidence)


def rank_test(draws: Array, truth: ArrayLike, subject: ArrayLike, *, bins: int = 5, seed: int = 0) -> Ranks:
    """Of draws (D, n) and outcomes (n)."""
    y = np.asarray(truth, float)
    seen = np.isfinite(y)
    who = np.asarray(subject)[seen]
    if len(np.unique(who)) <= bins:
        raise AnalysisError(
            f"outcomes of {len(np.unique(who))} patients", expected=f"more than {bins}", where="rank test"
        )
    rank = among(np.asarray(draws)[:, seen], y[seen], np.random.default_rng([seed, 5]))
    return Ranks(ranks=rank, histogram=uniformity(rank, bins), p_value=clustered_uniformity(rank, who, bins))
