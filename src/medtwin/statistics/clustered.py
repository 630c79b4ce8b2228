"""Shares, means and ranks of people who were seen more than once: people are the sample, not their visits.

Share: the exact binomial limits at an effective size (Korn and Graubard, Survey Methodology 24 (1998): 193; formula checked
against the derivation below, not the paper)::

    n* = p (1 - p) / v        v = m/(m-1) Σ_i (Σ_j (x_ij - p))² / N²      m people, N of their outcomes in all
    n* ← min(n*, N) (t_(N-1) / t_(m-1))²                                  t quantiles at the confidence
    limits: Beta quantiles of (n* p, n* (1 - p) + 1) and (n* p + 1, n* (1 - p))

Where all succeed or all fail v says nothing: n* = m. Uniformity of ranks: Wald's test that the shares in B equal bins are
1/B, with the same covariance, as F(B - 1, m - B + 1) (Thomas and Rao, JASA 82 (1987): 630, from memory; its level is tested).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats


@dataclass(frozen=True, slots=True)
class ClusteredShare:
    """A share with its interval; ``effective``: the independent outcomes that would know as much."""

    value: float
    low: float
    high: float
    outcomes: int
    people: int
    effective: float


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean over outcomes, its standard error and t interval with people - 1 degrees of freedom."""

    value: float
    standard_error: float
    low: float
    high: float
    people: int

    @property
    def p_value(self) -> float:
        """Two-sided, of a mean of zero; 1 where nothing varies around zero."""
        if not self.standard_error > 0.0:
            return 1.0 if self.value == 0.0 else 0.0
        return float(2.0 * stats.t.sf(abs(self.value) / self.standard_error, self.people - 1))


def clustered_share(success: ArrayLike, person: ArrayLike, confidence: float = 0.95) -> ClusteredShare:
    """Of outcomes ``(N,)`` true or false, of the people ``(N,)``. Two people at least."""
    x = np.asarray(success, float).ravel()
    sums, count = _sums(x[:, None] - x.mean(), person)
    n, m = len(x), len(count)
    p, tail = float(x.mean()), (1.0 - confidence) / 2.0
    variance = m / (m - 1) * float((sums**2).sum()) / n**2
    if p in (0.0, 1.0):
        size = float(m)
    else:
        size = min(p * (1.0 - p) / variance, n) if variance > 0.0 else float(n)
    size *= (stats.t.ppf(1.0 - tail, n - 1) / stats.t.ppf(1.0 - tail, m - 1)) ** 2
    k = size * p
    low = 0.0 if p == 0.0 else float(special.betaincinv(k, size - k + 1.0, tail))
    high = 1.0 if p == 1.0 else float(special.betaincinv(k + 1.0, size - k, 1.0 - tail))
    return ClusteredShare(value=p, low=low, high=high, outcomes=n, people=m, effective=float(size))


def clustered_mean(values: ArrayLike, person: ArrayLike, confidence: float = 0.95) -> ClusteredMean:
    """Of values ``(N,)`` of the people ``(N,)``, each value with the same weight. Two people at least."""
    x = np.asarray(values, float).ravel()
    centre = float(x.mean())
    sums, count = _sums(x[:, None] - centre, person)
    m = len(count)
    error = float(np.sqrt(m / (m - 1) * (sums**2).sum()) / len(x))
    reach = float(stats.t.ppf(0.5 + confidence / 2.0, m - 1)) * error
    return ClusteredMean(value=centre, standard_error=error, low=centre - reach, high=centre + reach, people=m)


def clustered_uniformity(rank: ArrayLike, person: ArrayLike, bins: int = 5) -> float:
    """P value that ranks ``(N,)`` in (0, 1) are uniform. More people than bins."""
    u = np.asarray(rank, float).ravel()
    place = np.clip((u * bins).astype(int), 0, bins - 1)
    away = np.eye(bins)[place] - 1.0 / bins
    sums, count = _sums(away, person)
    m = len(count)
    if m <= bins:
        raise ValueError(f"{m} people for {bins} bins; expected more people")
    total = sums.sum(0)
    centred = sums - total / m
    covariance = m / (m - 1) * centred.T @ centred
    wald = float(total @ np.linalg.pinv(covariance, rcond=1e-10, hermitian=True) @ total)
    return float(stats.f.sf((m - bins + 1) / ((bins - 1) * (m - 1)) * wald, bins - 1, m - bins + 1))


def _sums(values: np.ndarray, person: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Of each person over his outcomes, (m, k), and how many he has."""
    _, place, count = np.unique(np.asarray(person).ravel(), return_inverse=True, return_counts=True)
    if len(count) < 2:
        raise ValueError(f"{len(count)} people; expected two or more")
    sums = np.zeros((len(count), values.shape[1]))
    np.add.at(sums, place, values)
    return sums, count
