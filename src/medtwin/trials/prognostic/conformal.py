"""Intervals and bands that hold at least as often as they say, whatever the model, from patients that it did not see.

Scores are s = |y - mean| / sd of each measured outcome of K calibration patients, with N_k scores each. If the new patient is
exchangeable with them (their visits together with them, not visit by visit):

**Each visit.** For an outcome drawn at random from those of the new patient, P(s ≤ q) ≥ p with (Lee, Barber and Willett,
"Distribution-free inference with hierarchical data", arXiv:2306.06342; derivation: the K + 1 patients are exchangeable, each
with mass 1/(K + 1) spread over its scores)::

    q = the least value with Σ_k #{j: s_kj ≤ q} / N_k ≥ p (K + 1)

**All visits at once.** S_k = max_j s_kj; q = the ⌈p (K + 1)⌉-th smallest S_k. The band mean ± q sd holds *all* outcomes of the
new patient with probability at least p, and, without ties, less than p + 1/(K + 1) (Vovk et al. 2005).

Infinite where K is too small to promise p. Both are marginal over patients: they do not promise p in each subgroup.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medtwin.errors import AnalysisError
from medtwin.statistics.conformal import quantile

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """Multiples of a forecast's sd."""

    each: Array  #: (q,) for an outcome at one visit
    all: float  #: for all outcomes and visits of a patient together
    probability: float
    patients: int  #: that calibrated it

    def interval(self, mean: ArrayLike, sd: ArrayLike) -> tuple[Array, Array]:
        """Of each visit (V, q)."""
        m, reach = np.asarray(mean, float), np.asarray(sd, float) * self.each
        return m - reach, m + reach

    def band(self, mean: ArrayLike, sd: ArrayLike) -> tuple[Array, Array]:
        """Simultaneous over visits and outcomes (V, q)."""
        m, reach = np.asarray(mean, float), np.asarray(sd, float) * self.all
        return m - reach, m + reach


def conformal(
    mean: ArrayLike, sd: ArrayLike, truth: ArrayLike, subject: ArrayLike, probability: float = 0.9
) -> Conformal:
    """From forecasts (n, q) and outcomes (n, q) of calibration patients (n). Raises :class:`AnalysisError`."""
    m, s, y = (np.asarray(one, float) for one in (mean, sd, truth))
    if m.shape != y.shape or s.shape != y.shape or y.ndim != 2 or not (s > 0.0).all() or not np.isfinite(m).all():
        raise AnalysisError(f"means {m.shape}, sd {s.shape}, outcomes {y.shape}", where="conformal",
                            expected="(visits, outcomes) of each, finite means, positive sd")  # fmt: skip
    if not 0.0 < probability < 1.0:
        raise AnalysisError(f"probability {probability:g}", expected="between 0 and 1", where="conformal")
    score = np.abs(y - m) / s
    who = np.asarray(subject)
    each = np.array([weighted_quantile(score[:, k], who, probability) for k in range(y.shape[1])])
    largest = [np.nanmax(score[who == one]) for one in np.unique(who) if np.isfinite(score[who == one]).any()]
    return Conformal(each=each, all=quantile(largest, probability), probability=probability, patients=len(largest))


def weighted_quantile(score: Array, subject: Array, probability: float) -> float:
    """q of each visit: patients have the same weight, however many scores they have; infinite where they are too few."""
    seen = np.isfinite(score)
    people, place, count = np.unique(subject[seen], return_inverse=True, return_counts=True)
    order = np.argsort(score[seen], kind="stable")
    mass = np.cumsum((1.0 / count)[place[order]])
    reached = np.flatnonzero(mass >= probability * (len(people) + 1) - 1e-9)
    return float(score[seen][order][reached[0]]) if len(reached) else float("inf")
