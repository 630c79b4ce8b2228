"""An analysis plan as a file: YAML of ``dialect: medtwin-analysis-plan/1``, read into types, refused where it contradicts itself.

Everything that decides the numbers stands in it: columns, arms, endpoint, covariates, strata, method with its options, what
happens to missing values. A name that is not known is an error, never ignored. ``docs/reference/analysis-plan.md`` lists
every word (generated from here and from ``methods/``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from pathlib import Path
from typing import Any

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.against_estimand import against_estimand
from medtwin.trials.analysis_plan.asked import word
from medtwin.trials.analysis_plan.methods import ENDPOINTS, IMPUTING, Method
from medtwin.trials.estimand import Estimand
from medtwin.trials.yaml_file import read_yaml

DIALECT = "medtwin-analysis-plan/1"
ROLES = ("primary", "secondary", "sensitivity")
Label = str | int | float | bool


class ScorePlan(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The prognostic score: a frozen score file, or a column that is in the table already."""

    column: str = "prognostic_score"  #: name under which covariates refer to it
    file: str | None = None  #: of a frozen score, beside the plan; none: the table has the column
    sha256: str | None = None  #: of the frozen score's content: another one is refused
    baseline: str | None = None  #: covariate beyond which its worth is counted (partial R2)
    measured: dict[str, str] = {}  #: column of the score -> column with the date on which it was measured


class PlannedAnalysis(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One analysis. What is not said is taken from the plan."""

    name: str
    endpoint: str  #: continuous | binary | count | survival | repeated
    outcome: str  #: column; of survival the time from randomisation
    method: Method
    role: str = "secondary"  #: primary | secondary | sensitivity
    event: str | None = None  #: column, 1: the event was seen
    censored: str | None = None  #: instead of ``event``, column, 1: censored (CDISC's CNSR)
    exposure: str | None = None  #: column: time at risk of a count, in the unit in which rates are wanted
    covariates: list[str] = []
    strata: list[str] | None = None  #: columns; none: the plan's
    control: Label | None = None  #: another control arm than the plan's, such as external patients
    treated: list[Label] | None = None  #: the treated arms that are compared; none: the plan's, or all
    where: dict[str, Label | list[Label]] = {}  #: rows with these values only
    subgroups: list[str] = []  #: columns: the same analysis in each of their levels too
    missing_outcome: str = "drop"  #: drop | refuse
    missing_covariate: str = "mean"  #: mean, over all arms (of words a level of their own) | drop | refuse
    margin: float | None = None  #: value under the null hypothesis, as reported (of a ratio: the ratio)
    unit: str = "1"  #: of the outcome


class AnalysisPlan(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The whole plan."""

    title: str
    subject: str  #: column that tells patients apart
    arm: str  #: column of the randomised arm
    control: Label  #: its label of the control arm
    analyses: list[PlannedAnalysis]
    dialect: str = DIALECT
    synthetic: bool = False  #: the data are synthetic: said wherever they are shown
    labels: dict[str, str] = {}  #: arm label in the table -> in the report
    treated: list[Label] | None = None
    strata: list[str] = []  #: columns by which randomisation was stratified
    estimand: Estimand | None = None  #: of the primary analysis
    score: ScorePlan | None = None
    where: dict[str, Label | list[Label]] = {}  #: the analysis set: rows with these values only
    randomised: str | None = None  #: column of the date of randomisation
    data_cut: dt.date | None = None  #: no row may be later
    dated: str | None = None  #: the column that ``data_cut`` is held against
    confidence: float = 0.95


def read_plan(path: Path) -> AnalysisPlan:
    """The plan in a file. Raises :class:`AnalysisError` where it is none, or contradicts itself."""
    written = read_yaml(path, DIALECT, "an analysis plan")
    return plan_of(written, path.name)


def plan_of(written: dict[str, Any], where: str = "the plan") -> AnalysisPlan:
    """Typed and checked. ``method: ancova`` stands for ``method: {kind: ancova}``."""
    analyses = written.get("analyses")
    if isinstance(analyses, list):
        written = {**written, "analyses": [_long(one) for one in analyses]}
    if isinstance(written.get("labels"), dict):  # YAML reads 0: and yes: as a number and a truth
        written = {**written, "labels": {word(key): value for key, value in written["labels"].items()}}
    try:
        plan = msgspec.convert(written, AnalysisPlan, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise AnalysisError(f"a plan that cannot be read ({error})", where=where,
                            remedy="docs/reference/analysis-plan.md lists every name") from error  # fmt: skip
    _check(plan, where)
    return plan


def plain(plan: AnalysisPlan) -> dict[str, Any]:
    """The plan in plain values, defaults included: what is locked, hashed and printed."""
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(plan, order="sorted"))
    return made


def plan_hash(plan: AnalysisPlan) -> str:
    """sha256 of the plan's content; comments, order of keys and spelled-out defaults do not change it."""
    return hashlib.sha256(msgspec.json.encode(plan, order="sorted")).hexdigest()


def _long(one: Any) -> Any:
    if isinstance(one, dict) and isinstance(one.get("method"), str):
        return {**one, "method": {"kind": one["method"]}}
    return one


def _check(plan: AnalysisPlan, where: str) -> None:
    if plan.dialect != DIALECT:
        raise AnalysisError(f"dialect {plan.dialect!r}", where=where, expected=DIALECT)
    if not plan.analyses:
        raise AnalysisError("a plan without analyses", where=where, expected="one or more, one of them primary")
    names = [one.name for one in plan.analyses]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise AnalysisError(f"analyses named twice {twice}", where=where, expected="each by a name of its own")
    if strange := [one.role for one in plan.analyses if one.role not in ROLES]:
        raise AnalysisError(f"role {strange[0]!r}", where=where, expected=", ".join(ROLES))
    primary = [one.name for one in plan.analyses if one.role == "primary"]
    if len(primary) != 1:
        raise AnalysisError(f"{len(primary)} primary analyses {primary}", where=where, expected="role: primary, once")
    if not 0.5 <= plan.confidence < 1.0:
        raise AnalysisError(f"confidence {plan.confidence:g}", where=where, expected="0.5 to below 1, such as 0.95")
    if plan.data_cut is not None and plan.dated is None:
        raise AnalysisError("a data cut without the column of dates", where=where, expected="dated: COLUMN")
    if strange := sorted(_not_finite(msgspec.to_builtins(plan), "")):
        raise AnalysisError(f"{strange[0]} that is not a finite number", where=where, expected="a finite number")
    for one in plan.analyses:
        _check_one(plan, one, f"{where}, {one.name}")
    if plan.estimand is not None:
        against_estimand(plan, plan.estimand, where)


def _not_finite(value: Any, path: str) -> list[str]:
    """Where a number stands that is none."""
    if isinstance(value, dict):
        return [
            found for key, inner in value.items() for found in _not_finite(inner, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list | tuple):
        return [found for inner in value for found in _not_finite(inner, path)]
    return [path] if isinstance(value, float) and not math.isfinite(value) else []


def _check_one(plan: AnalysisPlan, one: PlannedAnalysis, where: str) -> None:
    takes = ENDPOINTS[type(one.method)]
    if one.endpoint not in takes:
        raise AnalysisError(f"endpoint {one.endpoint!r} with this method", where=where, expected=" or ".join(takes),
                            remedy="name another method, or the endpoint that the outcome is")  # fmt: skip
    named = [name for name in (one.event, one.censored) if name is not None]
    if len(named) != (one.endpoint == "survival"):
        raise AnalysisError(f"columns of events {named} with endpoint {one.endpoint}", where=where,
                            expected="event or censored of a survival endpoint, and of no other")  # fmt: skip
    if one.exposure is not None and one.endpoint != "count":
        raise AnalysisError(f"exposure with endpoint {one.endpoint}", where=where, expected="with a count")
    if one.outcome in one.covariates or plan.arm in one.covariates or plan.subject in one.covariates:
        raise AnalysisError(
            "the outcome, arm or subject among the covariates", where=where, expected="baseline columns"
        )
    if one.missing_outcome == "refuse" and type(one.method) in IMPUTING:
        raise AnalysisError(
            "missing_outcome: refuse", where=where, expected="nothing: this method imputes missing outcomes"
        )
