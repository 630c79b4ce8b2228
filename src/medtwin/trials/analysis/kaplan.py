"""Kaplan-Meier survival (1958) with Greenwood's variance (1926); what is read off it: survival at a time, restricted mean.

At the event times t_k with d_k events among Y_k at risk,

    S(t) = prod_{t_k <= t} (1 - d_k/Y_k),        Var S(t) = S(t)^2 sum_{t_k <= t} d_k / (Y_k (Y_k - d_k))
    RMST(tau) = integral_0^tau S,                Var = sum_{t_k <= tau} (integral_{t_k}^tau S)^2 d_k / (Y_k (Y_k - d_k))

(Irwin 1949; Royston & Parmar 2013). Neither needs proportional hazards. Times in the unit of the data.

Greenwood's variance is the sum of squares of the patients' influence values about zero, with no degree of freedom taken off for
their mean: differences tested by it with the normal law are too bold below some 30 patients an arm. ``HC2``, the default,
multiplies each arm's by n_a/(n_a-1) and takes t with Satterthwaite's degrees of freedom from n_a-1 an arm, as Welch's test does
of means (docs/evidence/trials-type-one.md, "Time to an event"). An arm's own survival and mean keep Greenwood's error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis.risk import risk_table
from medtwin.trials.estimate import Estimate

SMALL = 30  #: patients an arm below which Greenwood's variance with a normal law is too bold


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A Kaplan-Meier curve, a step at each event time."""

    times: np.ndarray  #: (time,)
    survival: np.ndarray  #: (time,) just after it
    greenwood: np.ndarray  #: (time,) sum d / (Y (Y - d)); inf once everyone at risk has had the event
    events: np.ndarray  #: (time,)
    at_risk: np.ndarray  #: (time,) just before it
    followed_until: float  #: the last time of anyone
    ends_in_event: bool  #: nobody was left at risk after the last event

    def at(self, time: float) -> tuple[float, float]:
        """(survival, standard error). Raises beyond the last follow-up, unless nobody was left."""
        self._reaches(time, "survival")
        step = int(np.searchsorted(self.times, time, side="right"))
        if not step:
            return 1.0, 0.0
        survival = float(self.survival[step - 1])
        return survival, survival * math.sqrt(self.greenwood[step - 1]) if survival > 0.0 else 0.0

    def interval(self, time: float, confidence: float = 0.95) -> tuple[float, float]:
        """Pointwise, on the scale log(-log S), on which it stays within 0 and 1 (Kalbfleisch & Prentice 1980)."""
        survival, error = self.at(time)
        if not 0.0 < survival < 1.0:
            return survival, survival
        reach = float(stats.norm.ppf(0.5 + confidence / 2.0)) * error / (survival * abs(math.log(survival)))
        return survival ** math.exp(reach), survival ** math.exp(-reach)

    def restricted_mean(self, tau: float) -> tuple[float, float]:
        """(mean time lived up to tau, standard error)."""
        self._reaches(tau, "RMST")
        if not tau > 0.0:
            raise AnalysisError(f"tau {tau:g}", expected="above 0", where="RMST")
        inside = self.times <= tau
        edges = np.concatenate([[0.0], self.times[inside], [tau]])
        pieces = np.diff(edges) * np.concatenate([[1.0], self.survival[inside]])
        later = np.cumsum(pieces[::-1])[::-1][1:]  # area after each event time
        left = self.at_risk[inside] - self.events[inside]
        some = left > 1e-12 * self.at_risk[inside]
        each = np.where(some, self.events[inside] / (self.at_risk[inside] * np.where(some, left, 1.0)), 0.0)
        return float(pieces.sum()), math.sqrt(float(later**2 @ each))

    def quantile(self, share: float = 0.5, confidence: float = 0.95) -> tuple[float, float, float]:
        """(time by which ``share`` have had the event, its interval); inf: not reached. 0.5 is the median.

        The interval holds the times at which that of the survival holds 1 - share (Brookmeyer & Crowley 1982, with the
        log(-log S) interval). Where S stays at exactly 1 - share for a while, the middle of that while is taken, as R does.
        """
        if not 0.0 < share < 1.0:
            raise AnalysisError(f"a share of {share:g}", expected="between 0 and 1", where="quantile of survival")
        reach = [self.interval(time, confidence) for time in self.times]
        three = (self.survival, np.array([low for low, _ in reach]), np.array([high for _, high in reach]))
        return tuple(_first(self.times, values, 1.0 - share) for values in three)  # type: ignore[return-value]

    def _reaches(self, time: float, what: str) -> None:
        if time > self.followed_until and not self.ends_in_event:
            raise AnalysisError(
                f"time {time:g} after the last follow-up {self.followed_until:g}", expected="a time that patients have reached",
                where=what, remedy="choose an earlier time; it must be fixed before the data are seen",
            )  # fmt: skip


def kaplan_meier(time: np.ndarray, event: np.ndarray) -> Curve:
    """The curve of ``time`` and ``event``, both (patient,)."""
    event = np.asarray(event, dtype=bool)
    table = risk_table(np.asarray(time, dtype=float), event, np.zeros(len(time), dtype=int), 1)
    events, at_risk = table.events[0], table.at_risk[0]
    with np.errstate(divide="ignore"):
        greenwood = np.cumsum(events / (at_risk * (at_risk - events)))
    done = bool(len(events)) and bool(events[-1] == at_risk[-1])
    return Curve(
        table.times, np.cumprod((at_risk - events) / at_risk), greenwood, events, at_risk, float(np.max(time)), done
    )


def _first(times: np.ndarray, survival: np.ndarray, level: float) -> float:
    """The first time at or below ``level``; the middle of the stretch where a curve stays at it."""
    below = np.flatnonzero(survival <= level + 1e-12)
    if not len(below):
        return math.inf
    first = int(below[0])
    if survival[first] < level - 1e-12:
        return float(times[first])
    after = np.flatnonzero(survival < level - 1e-12)
    return float((times[first] + times[after[0]]) / 2.0) if len(after) else float(times[first])


def survival_effects(
    trial: TrialData,
    *,
    times: Sequence[float] = (),
    tau: float | None = None,
    variance: str = "HC2",
    df: str = "satterthwaite",
    confidence: float = 0.95,
    unit: str = "time",
) -> Analysis:
    """Differences at ``times``, and of the restricted mean up to ``tau`` with its ratio, of each treated arm against control.

    ``variance`` of differences and ratios: ``HC2`` or ``greenwood``; ``df``: ``satterthwaite`` or ``normal``.
    Names: "survival at 365 treated - control", "RMST to 1000 treated - control", "RMST ratio to 1000 treated / control",
    and of each arm "survival at 365, treated", "RMST to 1000, treated".
    """
    if trial.event is None:
        raise AnalysisError("no event indicators", expected="1 event, 0 censored", where="Kaplan-Meier")
    if not times and tau is None:
        raise AnalysisError("neither times nor tau", expected="one of them", where="survival effects")
    if variance not in ("HC2", "greenwood") or df not in ("satterthwaite", "normal"):
        raise AnalysisError(
            f"{variance!r}, {df!r}", expected="HC2, greenwood; satterthwaite, normal", where="survival effects"
        )
    each = [trial.arm == code for code in range(len(trial.arm_names))]
    curves = [kaplan_meier(trial.outcome[mine], trial.event[mine]) for mine in each]
    law = "normal" if df == "normal" else "Satterthwaite df"
    method, estimates = f"Kaplan-Meier, {'Greenwood' if variance == 'greenwood' else variance}, {law}", []
    spare = np.array([float(mine.sum()) - 1.0 for mine in each])
    if variance == "HC2" and spare.min() < 1.0:
        raise AnalysisError(
            "an arm of one patient", expected="two or more", where="survival effects", remedy="variance: greenwood"
        )
    control = trial.arm_names[0]
    notes = trial.notes
    if trial.covariates.shape[1]:
        notes += ("Kaplan-Meier does not adjust: the covariates were not used",)

    if (variance == "greenwood" or df == "normal") and min(trial.patients.values()) < SMALL:
        notes += (f"fewer than {SMALL} patients in an arm: Greenwood's variance and the normal law are too bold there",)
    latest = max([*times, tau or 0.0])
    for curve, name in zip(curves, trial.arm_names, strict=True):
        if not (curve.times <= latest).any():
            notes += (
                f"no event in arm {name} by {latest:g}: its standard error is 0, and says nothing of what may yet come",
            )

    def add(name: str, value: float, error: float, of: str = "1") -> None:
        estimates.append(
            Estimate(
                name=name,
                value=value,
                standard_error=error,
                method="Kaplan-Meier, Greenwood, normal",
                unit=of,
                confidence=confidence,
            )
        )

    def compare(
        name: str, value: float, code: int, errors: Sequence[float], scale: str = "identity", of: str = "1"
    ) -> None:
        own = np.array([errors[0], errors[code]]) ** 2
        left = spare[[0, code]]
        if variance == "HC2":
            own = own * (left + 1.0) / left
        total = float(own.sum())
        known = df == "satterthwaite" and total > 0.0
        estimates.append(
            Estimate(
                name=name,
                value=value,
                standard_error=math.sqrt(total),
                method=method,
                scale=scale,
                unit=of,
                df=total**2 / float((own**2 / left).sum()) if known else math.inf,
                confidence=confidence,
            )
        )

    for time in times:
        found = [curve.at(time) for curve in curves]
        errors = [error for _, error in found]
        for code, name in enumerate(trial.arm_names[1:], start=1):
            compare(f"survival at {time:g} {name} - {control}", found[code][0] - found[0][0], code, errors)
        for (survival, error), name in zip(found, trial.arm_names, strict=True):
            add(f"survival at {time:g}, {name}", survival, error)
    if tau is not None:
        found = [curve.restricted_mean(tau) for curve in curves]
        errors, relative = [error for _, error in found], [error / mean for mean, error in found]
        first = found[0][0]
        for code, name in enumerate(trial.arm_names[1:], start=1):
            mean = found[code][0]
            compare(f"RMST to {tau:g} {name} - {control}", mean - first, code, errors, of=unit)
            compare(f"RMST ratio to {tau:g} {name} / {control}", math.log(mean / first), code, relative, scale="log")
        for (mean, error), name in zip(found, trial.arm_names, strict=True):
            add(f"RMST to {tau:g}, {name}", mean, error, of=unit)
    return Analysis(method=method, estimates=tuple(estimates), patients=trial.patients, notes=notes)
