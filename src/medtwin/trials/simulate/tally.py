"""Sums over trials, and the operating characteristics that they make, each with its Monte Carlo standard error.

With T trials, estimates e of mean m and SD s, standard errors w, and a share p:

    share  sqrt(p (1-p) / T)         bias  s / sqrt(T)        empirical SE  s / sqrt(2 (T-1))
    mean SE  W = sqrt(mean w^2),  sqrt(var(w^2) / (4 T W^2))

(Morris, White & Crowther 2019, Stat Med 38:2074, table 6; the empirical SE's takes the estimates as nearly normal.) Failed
trials count among T as not rejected and, of coverage, are left out and said; bias and SE are of those that did not fail.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums of a chunk; several add up exactly (``math.fsum``), in whatever order they come."""

    trials: int
    failed: int
    rejected: int
    against: int  #: of those on the side that is no benefit
    covered: int
    away: float  #: sum of value - truth (value where there is none)
    away2: float
    variance: float  #: sum of w^2
    variance2: float
    patients: float  #: sum of patients (survival: the same), at the end of the trial
    events: float
    stopped: tuple[int, ...] = ()  #: by look
    stopped_rejected: tuple[int, ...] = ()
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A number and its Monte Carlo standard error; nan where it has none."""

    value: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristics:
    """What an analysis does in a scenario."""

    analysis: str
    trials: int
    failed: int
    rejection: Measured  #: share rejected: power, or type I error; failed trials among those not rejected
    wrong_side: Measured  #: rejected against the benefit's side
    truth: float | None
    bias: Measured | None
    empirical_se: Measured
    mean_se: Measured
    coverage: Measured | None
    expected_patients: float
    expected_events: float | None
    stopping: tuple[float, ...] = ()  #: share that ends at each look
    stopping_rejected: tuple[float, ...] = ()  #: of all trials, rejected at each look
    reasons: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, nan as none."""
        made: dict[str, Any] = _plain(asdict(self))
        return made


def merged(parts: Iterable[Tally]) -> Tally:
    """One tally of all."""
    held = list(parts)
    reasons: Counter[str] = Counter()
    for part in held:
        reasons.update(part.reasons)
    return Tally(
        trials=sum(one.trials for one in held), failed=sum(one.failed for one in held),
        rejected=sum(one.rejected for one in held), against=sum(one.against for one in held),
        covered=sum(one.covered for one in held), away=math.fsum(one.away for one in held),
        away2=math.fsum(one.away2 for one in held), variance=math.fsum(one.variance for one in held),
        variance2=math.fsum(one.variance2 for one in held), patients=math.fsum(one.patients for one in held),
        events=math.fsum(one.events for one in held), reasons=dict(reasons),
        stopped=tuple(map(sum, zip(*(one.stopped for one in held), strict=True))),
        stopped_rejected=tuple(map(sum, zip(*(one.stopped_rejected for one in held), strict=True))),
    )  # fmt: skip


def share_of(count: int, trials: int) -> Measured:
    """A share with its error; of none or all, in which nothing varies, that of one more of either kind."""
    if not trials:
        return Measured(value=math.nan, error=math.nan)
    p = (count + 1.0) / (trials + 2.0) if count in (0, trials) else count / trials
    return Measured(value=count / trials, error=math.sqrt(p * (1.0 - p) / trials))


def characteristics(tally: Tally, analysis: str, truth: float | None, *, events: bool) -> Characteristics:
    """The numbers of a tally."""
    t, good = tally.trials, tally.trials - tally.failed
    mean = tally.away / good if good else math.nan
    spread = math.sqrt(max(tally.away2 - good * mean * mean, 0.0) / (good - 1)) if good > 1 else math.nan
    square = tally.variance / good if good else math.nan
    root = math.sqrt(square) if good else math.nan
    noise = max(tally.variance2 / good - square * square, 0.0) if good else math.nan
    return Characteristics(
        analysis=analysis, trials=t, failed=tally.failed, rejection=share_of(tally.rejected, t),
        wrong_side=share_of(tally.against, t), truth=truth,
        bias=None if truth is None else Measured(value=mean, error=spread / math.sqrt(good) if good else math.nan),
        empirical_se=Measured(value=spread, error=spread / math.sqrt(2.0 * (good - 1)) if good > 1 else math.nan),
        mean_se=Measured(value=root, error=math.sqrt(noise / (4.0 * good)) / root if good and root else math.nan),
        coverage=None if truth is None else share_of(tally.covered, good),
        expected_patients=tally.patients / t, expected_events=tally.events / t if events else None,
        stopping=tuple(count / t for count in tally.stopped),
        stopping_rejected=tuple(count / t for count in tally.stopped_rejected), reasons=tally.reasons,
    )  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, (float, np.floating)):
        return None if not math.isfinite(value) else float(value)
    return value
