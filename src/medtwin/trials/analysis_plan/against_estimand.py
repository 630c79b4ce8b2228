"""The primary analysis held against the estimand: arms, kind of variable, summary, what happens to missing outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.asked import arm_word
from medtwin.trials.estimand import Estimand, Kind, Summary

if TYPE_CHECKING:
    from medtwin.trials.analysis_plan.plan import AnalysisPlan, PlannedAnalysis

KINDS = {"continuous": Kind.CONTINUOUS, "repeated": Kind.CONTINUOUS, "binary": Kind.BINARY, "count": Kind.COUNT,
         "survival": Kind.TIME_TO_EVENT}  # fmt: skip
RATIOS = ("log-rank", "cox", "weighted", "maic", "imputed-survival")


def against_estimand(plan: AnalysisPlan, estimand: Estimand, where: str) -> None:
    """Raises :class:`AnalysisError` where the primary analysis cannot be of this estimand."""
    one = next(one for one in plan.analyses if one.role == "primary")
    where = f"{where}, {one.name} against the estimand"
    control = arm_word(plan.control if one.control is None else one.control, plan.labels)
    wanted = arm_word(estimand.treatment.control, plan.labels)
    if control != wanted:
        raise AnalysisError(f"control {control!r}", where=where, expected=wanted)
    chosen = one.treated if one.treated is not None else plan.treated
    named = {arm_word(arm, plan.labels) for arm in estimand.treatment.treated}
    if chosen is not None and {arm_word(arm, plan.labels) for arm in chosen} != named:
        raise AnalysisError(f"treated {chosen}", where=where, expected=f"{sorted(named)}")
    if KINDS[one.endpoint] is not estimand.variable.kind:
        raise AnalysisError(f"endpoint {one.endpoint}", where=where, expected=f"a {estimand.variable.kind.value} one")
    given = summaries(one)
    if estimand.summary not in given:
        raise AnalysisError(
            f"a {' or '.join(sorted(one.value for one in given)) or 'summary of another kind'}", where=where,
            expected=estimand.summary.value, remedy="name another method or measure, or mend the estimand",
        )  # fmt: skip
    kind = str(type(one.method).__struct_config__.tag)
    asked = {event.imputation for event in estimand.events if event.imputation} | {estimand.otherwise}
    if asked - {"MAR"} and not kind.startswith("imputed"):
        raise AnalysisError(f"method {kind}, which imputes nothing", where=where,
                            expected=f"one that imputes by {', '.join(sorted(asked - {'MAR'}))}")  # fmt: skip


def summaries(one: PlannedAnalysis) -> set[Summary]:
    """What the first estimate of an analysis is, as far as its words tell."""
    kind, method = str(type(one.method).__struct_config__.tag), one.method
    if one.endpoint in ("continuous", "repeated"):
        return {Summary.MEAN_DIFFERENCE}
    if one.endpoint == "survival":
        times, tau = getattr(method, "times", None), getattr(method, "tau", None)
        if kind in RATIOS and not times and tau is None:
            return {Summary.HAZARD_RATIO}
        return {Summary.SURVIVAL_DIFFERENCE} if times else {Summary.RESTRICTED_MEAN_DIFFERENCE}
    first = (getattr(method, "measures", None) or (getattr(method, "measure", None) or _usual(one.endpoint),))[0]
    if one.endpoint == "count":
        return {Summary.RATE_RATIO} if first == "ratio" else set()
    return {
        {"difference": Summary.RISK_DIFFERENCE, "ratio": Summary.RISK_RATIO, "odds ratio": Summary.ODDS_RATIO}[first]
    }


def _usual(endpoint: str) -> str:
    return "ratio" if endpoint == "count" else "difference"
