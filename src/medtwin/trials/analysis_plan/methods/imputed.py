"""``kind: imputed``: a continuous outcome at visits, the missing ones imputed; see :mod:`medtwin.trials.missing`."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.numbers import Positive, Seed, Several
from medtwin.trials.missing import (
    Assumption,
    Delta,
    RepeatedTrial,
    Samples,
    Specification,
    TippingPoint,
    bootstrap,
    complete,
    conditional_mean,
    conditionally,
    jackknife,
    multiple_imputation,
    multiply,
    read_repeated,
    tipping_point,
)


class Imputed(msgspec.Struct, tag_field="kind", tag="imputed", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Missing at random or by reference, with a delta and its tipping point. One row for each patient and visit."""

    visit: str  #: column
    visits: list[str | int | float] | None = None
    at: str | int | float | None = None  #: the visit that the analysis is for; none: the last
    day: str | None = None  #: column, with which the order of visits must agree
    event_visit: str | None = None  #: column: first visit that the intercurrent event touches; none: dropping out
    reason: str | None = None  #: column: of the event
    strategy: str | dict[str, str] | None = None  #: MAR | JR | CR | CIR | LMCF, or one by reason; none: the estimand's
    reference: str | None = None  #: arm; none: control
    way: str = "conditional-mean"  #: conditional-mean | multiple
    sampling: str | None = (
        None  #: jackknife (the first) | bootstrap; of multiple imputation posterior (the first) | bootstrap
    )
    sets: Several = 100  #: bootstrap samples, or imputed sets
    seed: Seed = 0
    structure: str = "unstructured"
    by_visit: bool = True
    by_arm: bool = False
    fallbacks: list[str] = []
    adjusted: bool = True
    variance: str = "HC2"  #: of ANCOVA in each set of multiple imputation
    delta: dict[str, float] = {}  #: by arm, in the outcome's unit, added to imputed outcomes
    delta_per_visit: bool = False
    delta_gaps: bool = False
    tipping: dict[str, float] = {}  #: by arm, the direction; multiplied until the p value crosses its level
    tipping_to: Positive = 10.0


def run(method: Imputed, asked: Asked) -> Done:
    """The difference at ``at``, then all others; the tipping point if asked for."""
    trial = read(method, asked)
    strategy = _strategy(method, asked)
    chosen = Specification(
        structure=method.structure, by_visit=method.by_visit, by_arm=method.by_arm, fallbacks=tuple(method.fallbacks)
    )
    delta = _delta(method, method.delta) if method.delta else None
    sure, unit = asked.plan.confidence, asked.analysis.unit
    if method.way == "conditional-mean":
        samples = _samples(method, trial, Assumption.of(trial, strategy, method.reference), chosen)
        made = conditional_mean(
            trial, strategy=strategy, reference=method.reference, samples=samples, delta=delta, adjusted=method.adjusted,
            confidence=sure, unit=unit,
        )  # fmt: skip
        analyse = conditionally(
            trial, strategy=strategy, reference=method.reference, samples=samples, adjusted=method.adjusted
        )
    elif method.way == "multiple":
        completed = complete(
            trial, strategy=strategy, reference=method.reference, sets=method.sets, seed=method.seed,
            parameters=method.sampling or "posterior",
            specification=chosen,
        )  # fmt: skip
        made = multiple_imputation(
            completed, delta=delta, variance=method.variance, adjusted=method.adjusted, confidence=sure, unit=unit
        )
        analyse = multiply(completed, variance=method.variance, adjusted=method.adjusted)
    else:
        raise AnalysisError(f"way {method.way!r}", where=asked.analysis.name, expected="conditional-mean or multiple")
    at = trial.visits[-1] if method.at is None else str(method.at)
    made = _first(made, trial, at, asked)
    tipped: TippingPoint | None = None
    if method.tipping:
        tipped = tipping_point(
            analyse, _delta(method, method.tipping), estimate=made.estimates[0].name, high=method.tipping_to,
            level=1.0 - sure,
        )  # fmt: skip
    return Done(analysis=made, tipping=tipped)


def read(method: Imputed, asked: Asked) -> RepeatedTrial:
    """The table of the analysis."""
    one = asked.analysis
    strata = asked.plan.strata if one.strata is None else one.strata
    made = read_repeated(
        asked.frame, outcome=one.outcome, subject=asked.plan.subject, visit=method.visit, arm=asked.plan.arm,
        control=asked.control, covariates=list(dict.fromkeys((*one.covariates, *strata))), visits=method.visits,
        day=method.day, event=method.event_visit, reason=method.reason,
        missing_covariate="mean" if one.missing_covariate == "mean" else "refuse",
    )  # fmt: skip
    return replace(made, notes=(*asked.notes, *made.notes))


def _strategy(method: Imputed, asked: Asked) -> str | dict[str, str]:
    if method.strategy is not None:
        return method.strategy
    if asked.plan.estimand is None:
        raise AnalysisError("no strategy and no estimand", where=asked.analysis.name, expected="one of them",
                            remedy="name strategy: MAR, JR, CR, CIR or LMCF")  # fmt: skip
    return asked.plan.estimand.imputation()


def _samples(method: Imputed, trial: RepeatedTrial, assumption: Assumption, chosen: Specification) -> Samples:
    if method.sampling == "bootstrap":
        return bootstrap(trial, assumption, chosen, samples=method.sets, seed=method.seed)
    if method.sampling not in (None, "jackknife"):
        raise AnalysisError(f"sampling {method.sampling!r} of conditional means", expected="jackknife or bootstrap")
    return jackknife(trial, assumption, chosen)


def _delta(method: Imputed, by_arm: dict[str, float]) -> Delta:
    return Delta(by_arm=by_arm, per_visit=method.delta_per_visit, gaps=method.delta_gaps)


def _first(made: Analysis, trial: RepeatedTrial, at: str, asked: Asked) -> Analysis:
    if at not in trial.visits:
        raise AnalysisError(f"no visit {at!r}", where=asked.analysis.name, expected=f"one of {list(trial.visits)}")
    order = sorted(made.estimates, key=lambda e: (e.name.startswith("mean "), not e.name.endswith(f" at {at}")))
    return replace(made, estimates=tuple(order))
