"""What a plan is made from: a YAML file (``dialect: medtwin-trial-plan/1``), or the same names from the command line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import yaml

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import arms, correlation, level, positive, share, target
from medtwin.trials.yaml_file import read_yaml

DIALECT = "medtwin-trial-plan/1"


class PlanInput(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Everything that a plan may say. What an endpoint does not use must not be given."""

    endpoint: str  #: continuous | binary | count | survival | repeated
    dialect: str = DIALECT
    title: str = ""
    unit: str = "1"  #: of the effect
    alpha: float = 0.05  #: of the whole test
    sides: int = 2
    power: float = 0.9
    allocation: float = 1.0  #: treated patients per control
    n_control: int | None = None  #: given: the power of these numbers instead of numbers for a power
    n_treated: int | None = None
    margin: float | None = None  #: null value: a difference (default 0) or a ratio (default 1)
    correlation: float = 0.0  #: of all that is adjusted for with the outcome, within an arm (control)
    covariates: int | None = None  #: how many are adjusted for; default 1, without correlation 0
    baseline_correlation: float = 0.0  #: of what would be adjusted for without the score
    inflation: float = 1.0
    deflation: float = 1.0
    convention: str = "variance"  #: what these multiply: variance | standard-deviation
    dropout: float = 0.0  #: share without an outcome, for whom more are enrolled
    cost_ratio: float = 1.0  #: cost of a treated patient over that of a control, for the optimal allocation
    historical: int | None = None  #: patients that the correlation was estimated from: assurance
    correlation_se: float | None = None  #: or its standard error
    effect_sd: float = 0.0  #: uncertainty of the effect: its unit, log for ratios, risk difference for risks
    looks: list[float] | None = None  #: share of the information at each analysis
    boundary: str = "spending"
    spending: str = "obrien-fleming"
    parameter: float | None = None
    futility: str | None = None
    futility_parameter: float | None = None
    futility_z: list[float] | None = None
    binding: bool = False
    # continuous, repeated
    effect: float | None = None
    sd: float | None = None
    sd_treated: float | None = None
    correlation_treated: float | None = None  #: also binary, count
    heterogeneity: float | None = None  #: variance of the effect over the score; also binary, count
    # binary
    risk_control: float | None = None
    risk_treated: float | None = None
    scale: str = "risk-difference"
    # count
    rate_control: float | None = None
    rate_ratio: float | None = None
    exposure: float = 1.0
    dispersion: float = 0.0
    # count, survival
    dropout_hazard: float = 0.0
    # survival
    hazard_ratio: float | None = None
    hazard_control: float | None = None
    median_control: float | None = None
    accrual: float | None = None
    followup: float | None = None
    # repeated
    sds: list[float] | None = None  #: of the outcome at each visit
    visit_correlation: float | None = None
    covariance_kind: str = "ar1"
    covariance: list[list[float]] | None = None  #: instead of the three above
    retention: list[float] | None = None  #: share still observed at each visit, control
    retention_treated: list[float] | None = None
    correlations: list[float] | None = None  #: of the score with the outcome at each visit; default: the same at each


_ARM = {"correlation_treated", "heterogeneity"}
USES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "continuous": (frozenset({"effect", "sd"}), frozenset({"sd_treated", "dropout", *_ARM})),
    "binary": (frozenset({"risk_control", "risk_treated"}), frozenset({"scale", "dropout", *_ARM})),
    "count": (frozenset({"rate_control", "rate_ratio"}), frozenset({"exposure", "dispersion", "dropout_hazard", *_ARM})),
    "survival": (frozenset({"hazard_ratio", "accrual", "followup"}),
                 frozenset({"hazard_control", "median_control", "dropout_hazard"})),
    "repeated": (frozenset({"effect", "retention"}),
                 frozenset({"sds", "visit_correlation", "covariance_kind", "covariance", "retention_treated", "correlations"})),
}  # fmt: skip
#: endpoint: (what it needs, what it may have); everything named nowhere here is for all
_DEFAULTS = {f.name: f.default for f in msgspec.structs.fields(PlanInput) if f.default is not msgspec.NODEFAULT}
_OWN = frozenset().union(*(needs | may for needs, may in USES.values()))


def read(path: Path) -> dict[str, Any]:
    """The keys of a plan file. Raises AnalysisError where it is no plan."""
    return read_yaml(path, DIALECT, "a plan")


def written(plan: PlanInput) -> str:
    """The plan as a file that :func:`read` takes: what differs from the defaults, ``dialect`` and ``endpoint`` first."""
    said = {name: value for name, value in msgspec.structs.asdict(plan).items() if value != _DEFAULTS.get(name)}
    first = {"dialect": DIALECT, "endpoint": plan.endpoint}
    return str(yaml.safe_dump(first | said, sort_keys=False, allow_unicode=True, width=100))


def plan_input(given: dict[str, Any], where: str = "the plan") -> PlanInput:
    """Typed and checked. Raises AnalysisError for a name that is unknown, missing, or of another endpoint."""
    try:
        made = msgspec.convert(given, PlanInput, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise AnalysisError(
            f"a plan that cannot be read ({error})", where=where, remedy="see docs/reference/cli.md for the names"
        ) from error
    if made.endpoint not in USES:
        raise AnalysisError(f"endpoint {made.endpoint!r}", expected=", ".join(USES), where=where)
    needs, may = USES[made.endpoint]
    if missing := sorted(name for name in needs if getattr(made, name) is None):
        raise AnalysisError(f"no {', '.join(missing)}", expected=f"each of them for {made.endpoint}", where=where)
    if strange := sorted((set(given) & _OWN) - needs - may):
        raise AnalysisError(
            f"{', '.join(strange)} with endpoint {made.endpoint}", expected="only what this endpoint uses", where=where,
            remedy="remove it, or name another endpoint",
        )  # fmt: skip
    if made.correlations and not made.correlation:
        made = msgspec.structs.replace(made, correlation=made.correlations[-1])
    _check(made)
    return made


def _check(made: PlanInput) -> None:
    level(made.alpha, made.sides)
    target(made.power, made.alpha)
    positive("allocation", made.allocation)
    positive("cost ratio", made.cost_ratio)
    correlation("correlation", made.correlation)
    correlation("baseline correlation", made.baseline_correlation)
    if made.dropout:
        share("dropout", made.dropout)
    for name in ("alpha", "power", "effect_sd", "inflation", "deflation"):
        if not math.isfinite(getattr(made, name)):
            raise AnalysisError(f"{name} {getattr(made, name)}", expected="a finite number")
    if abs(made.baseline_correlation) > abs(made.correlation):
        raise AnalysisError(
            f"baseline correlation {made.baseline_correlation:g} above the correlation {made.correlation:g}",
            expected="a correlation of everything together, which is at least that of the baseline alone",
            remedy="give the multiple correlation of baseline and score with the outcome",
        )  # fmt: skip
    if made.covariates is not None and made.covariates < 0:
        raise AnalysisError(f"{made.covariates} covariates", expected="0 or more")
    if made.covariates == 0 and made.correlation:
        raise AnalysisError("a correlation without covariates", expected="covariates 1 or more")
    for name in ("correlation_treated", "heterogeneity", "baseline_correlation"):
        if getattr(made, name) and not made.correlation:
            raise AnalysisError(f"{name} without a correlation", expected="the correlation among controls, too")
    if (made.n_control is None) != (made.n_treated is None):
        raise AnalysisError("the size of one arm", expected="n_control and n_treated, or neither")
    if made.n_control is not None and made.n_treated is not None:
        arms(made.n_control, made.n_treated)
    if made.endpoint in ("binary", "count", "survival") and made.inflation != 1.0:
        raise AnalysisError(
            f"inflation with endpoint {made.endpoint}", expected="1: the spread follows from the risk, rate or hazard",
            remedy="plan for another risk, rate, dispersion or hazard",
        )  # fmt: skip
