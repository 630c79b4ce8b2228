"""Conformal intervals and sets by group: one width for all (split), or one for each group (Mondrian).

With scores s of n calibration patients and q the k-th smallest, k = ceil((n + 1) coverage), a new patient exchangeable with
them has score <= q with probability k/(n + 1) (no ties), hence at least ``coverage`` (Vovk, Gammerman & Shafer, Algorithmic
Learning in a Random World, 2005, chapter 4 for the Mondrian form; from memory). Scores:

    measured outcome    |y - p|            interval p -+ q
    event               1 - P(y)           set of the outcomes whose score is <= q: {0}, {1}, both or none

Split takes n over everybody: it holds on average, and may hold for one group at the cost of another. Mondrian takes n
within the group: it holds in each, exactly, in finite samples.

Given the calibration patients, coverage itself is Beta(k, n + 1 - k) (continuous scores; Ramos et al., arXiv 2605.19024),
so that of m new patients a beta-binomial number is covered: that is the test whether too few were, one-sided. The interval
of an observed coverage is Clopper and Pearson's: of the chance that *this* calibration gives.

Where no patients were set apart for calibration, each is held to the width that all others give (the score is frozen, so
that nothing is fitted to him): patient i is covered if his score is among the k smallest of all n, k = ceil(n coverage).
Over everybody that is k by construction; how many of them fall into a group of m is hypergeometric where groups are alike,
which is the exact one-sided test. No lots are drawn. A width of the group's own then has no coverage to be seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.statistics.conformal import quantile
from medtwin.trials.fair.number import Number
from medtwin.trials.fair.proportion import clopper_pearson


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """Of one group: the reach of its intervals and how often they held."""

    quantile: float  #: of the score: half the width of an interval, in the outcome's unit; of events a probability
    calibration_patients: int
    coverage: Number
    #: outcomes in the mean set of an event (0 to 2); of a measured outcome the width of the interval
    size: float


def scores(outcome: np.ndarray, predicted: np.ndarray, *, binary: bool) -> np.ndarray:
    """(patient,) how badly each prediction did."""
    return np.where(outcome == 1.0, 1.0 - predicted, predicted) if binary else np.abs(outcome - predicted)


def conformal(
    calibration: np.ndarray, test: np.ndarray, *, name: str, target: float = 0.9, confidence: float = 0.95,
    predicted: np.ndarray | None = None, unit: str = "1",
) -> Conformal:  # fmt: skip
    """Coverage of patients with scores ``test`` by the quantile of scores ``calibration``; ``predicted``: risks of ``test``."""
    q = quantile(calibration, target)
    n, m = len(calibration), len(test)
    if not math.isfinite(q):
        raise AnalysisError(f"{n} calibration patients, too few to promise {target:.0%}", where=name,
                            expected=f"at least {math.ceil(target / (1.0 - target) - 1e-9)}")  # fmt: skip
    if not m:
        raise AnalysisError("nobody to test the coverage on", expected="one or more", where=name)
    covered = int((test <= q).sum())
    low, high = clopper_pearson(covered, m, confidence)
    k = math.ceil((n + 1) * target - 1e-9)
    too_few = float(stats.betabinom.cdf(covered, m, k, n + 1 - k))
    hit, missed = covered + 0.5, m - covered + 0.5
    number = Number(
        name=name, value=covered / m, low=low, high=high, method="Clopper-Pearson", ideal=target, p_value=too_few,
        scaled=math.log(hit / missed), scaled_error=math.sqrt(1.0 / hit + 1.0 / missed),
    )  # fmt: skip
    return Conformal(quantile=q, calibration_patients=n, coverage=number, size=mean_size(q, predicted))


def leave_one_out(
    everybody: np.ndarray, own: np.ndarray, *, name: str, target: float = 0.9, confidence: float = 0.95,
    predicted: np.ndarray | None = None,
) -> Conformal:  # fmt: skip
    """Coverage of a group with scores ``own`` by one width, each patient by that of ``everybody`` else (the group included)."""
    n, m = len(everybody), len(own)
    q = quantile(everybody, target)
    k = math.ceil(n * target - 1e-9)
    if not math.isfinite(q) or k >= n:
        raise AnalysisError(f"{n} patients, too few to promise {target:.0%}", where=name,
                            expected=f"at least {math.ceil(target / (1.0 - target) - 1e-9) + 1}")  # fmt: skip
    limit = float(np.sort(everybody)[k - 1])
    covered, of_all = int((own <= limit).sum()), int((everybody <= limit).sum())
    low, high = clopper_pearson(covered, m, confidence)
    hit, missed = covered + 0.5, m - covered + 0.5
    whole = m == n  # then it is k/n, by construction: there is nothing to test
    number = Number(
        name=name, value=covered / m, low=low, high=high, method="Clopper-Pearson, leave one out",
        ideal=None if whole else target, scaled=math.log(hit / missed), scaled_error=math.sqrt(1.0 / hit + 1.0 / missed),
        p_value=None if whole else float(stats.hypergeom.cdf(covered, n, of_all, m)),
        note="by construction" if whole else "",
    )  # fmt: skip
    return Conformal(quantile=q, calibration_patients=n, coverage=number, size=mean_size(q, predicted))


def mean_size(q: float, predicted: np.ndarray | None) -> float:
    """Width of an interval, or with the risks ``predicted`` the mean number of outcomes in a set."""
    return 2.0 * q if predicted is None else float(((1.0 - predicted <= q).astype(float) + (predicted <= q)).mean())
