"""``kind: mmrm``: mixed model for repeated measures; see :mod:`medtwin.trials.mmrm`. One row for each patient and visit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.mmrm import fit_table

if TYPE_CHECKING:
    import polars as pl


class Repeated(msgspec.Struct, tag_field="kind", tag="mmrm", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Arm by visit with covariates (words are factors), the visits of a patient correlated."""

    visit: str  #: column
    visits: list[str | int | float] | None = None  #: in their order; none: natural order
    at: str | int | float | None = None  #: the visit that the analysis is for; none: the last
    by_visit: list[str] | None = None  #: covariates with a slope at each visit; none: all
    structure: str = "unstructured"
    grouped: bool = False  #: each arm a covariance of its own
    degrees: str = "kenward-roger linear"  #: kenward-roger | satterthwaite | between-within | residual
    covariance: str = "model"  #: or a sandwich: CR0 | CR2 | CR3
    reml: bool = True
    weights: str | None = None  #: column
    coordinates: list[str] = []  #: columns, of a spatial structure
    fallbacks: list[str] = []  #: structures to take, in order, where the one before has no maximum; said in a note
    average: bool = False  #: also the mean difference over visits


def run(method: Repeated, asked: Asked) -> Done:
    """Differences at ``at``, at the other visits, their mean if asked for, then each arm's means; tests over all visits."""
    one = asked.analysis
    words = list(dict.fromkeys((*one.covariates, *(asked.plan.strata if one.strata is None else one.strata))))
    frame, notes = _complete(asked, words)
    numbers = [name for name in words if frame.schema[name].is_numeric()]
    factors = [name for name in words if name not in numbers]
    fitted = fit_table(
        frame, outcome=one.outcome, subject=asked.plan.subject, visit=method.visit, arm=asked.plan.arm, covariates=numbers,
        factors=factors, by_visit=words if method.by_visit is None else method.by_visit,
        arms=(asked.control, *asked.treated), visits=method.visits, structure=method.structure, grouped=method.grouped,
        weights=method.weights, coordinates=method.coordinates, reml=method.reml, degrees=method.degrees,
        covariance=method.covariance, fallbacks=method.fallbacks, unit=one.unit,
    )  # fmt: skip
    at = fitted.visits[-1] if method.at is None else str(method.at)
    if at not in fitted.visits:
        raise AnalysisError(f"no visit {at!r}", where=one.name, expected=f"one of {list(fitted.visits)}")
    sure = asked.plan.confidence
    differences = fitted.differences(asked.control, confidence=sure)
    estimates = [made for (_, visit), made in differences.items() if visit == at]
    estimates += [made for (_, visit), made in differences.items() if visit != at]
    if method.average:
        estimates += fitted.average_differences(asked.control, confidence=sure).values()
    estimates += fitted.means(confidence=sure).values()
    tests = (fitted.any_difference(), *((fitted.interaction(),) if len(fitted.visits) > 1 else ()))
    used = [one.outcome, *words, *((method.weights,) if method.weights else ()), *method.coordinates]
    people = frame.drop_nulls(used).select(asked.plan.subject, asked.plan.arm).unique()
    patients = dict(people[asked.plan.arm].value_counts().iter_rows())
    return Done(
        analysis=Analysis(
            method=fitted.fit.method, estimates=tuple(estimates), notes=(*asked.notes, *notes, *fitted.fit.notes),
            patients={name: patients.get(name, 0) for name in (asked.control, *asked.treated)},
        ),
        tests=tests,
        further={"structure": fitted.fit.structure, "log likelihood": fitted.fit.log_likelihood, "AIC": fitted.fit.aic,
                 "BIC": fitted.fit.bic, "observations": fitted.fit.observations, "subjects used": fitted.fit.subjects},
    )  # fmt: skip


def _complete(asked: Asked, covariates: list[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The rows by the plan's rules for what is missing: dropped by the fit, which counts them; refused; or the mean put in."""
    import polars as pl

    one, frame, notes = asked.analysis, asked.frame, []
    if one.missing_outcome == "refuse" and (gone := frame[one.outcome].null_count()):
        raise AnalysisError(f"{gone} rows without {one.outcome}", where=one.name, expected="none missing")
    for name in covariates:
        lost = frame[name].null_count()
        if lost and one.missing_covariate == "refuse":
            raise AnalysisError(f"{lost} rows without {name}", where=one.name, expected="none missing")
        if lost and one.missing_covariate == "mean":
            if not frame.schema[name].is_numeric():
                notes.append(f"{lost} rows without {name}: a level of their own")
                frame = frame.with_columns(pl.col(name).cast(pl.String).fill_null("(missing)"))
                continue
            people = frame.unique(subset=[asked.plan.subject], keep="first", maintain_order=True)
            notes.append(f"{lost} rows without {name}: the mean over the patients of all arms was put in")
            frame = frame.with_columns(pl.col(name).fill_null(people[name].mean()))
    return frame, tuple(notes)
