"""What a score is made from: a YAML file, or the same names from Python.

::

    dialect: medtwin-score-specification/1
    name: CD4 at 20 weeks
    version: "1"
    kind: linear                    # boosting, mixed_model, physiology, ensemble
    endpoint: continuous            # binary, count (with exposure), survival (with event)
    outcome: cd420
    covariates: [age, wtkg, karnof, cd40, cd80]
    baseline: cd40                  # what an analysis would adjust for without a score
    subject: pidnum
    outcome_date: visit_date        # leaks are looked for by date
    not_after: 2024-03-01           # the trial's first randomisation
    context:
      population: HIV-1, CD4 200 to 500 cells/mm3
      endpoint: CD4 count
      time: 20 weeks after randomisation
      unit: cells/mm3
      intended_use: baseline covariate of the primary analysis
      not_for: decisions on a patient; other populations
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.yaml_file import read_yaml

DIALECT = "medtwin-score-specification/1"
KINDS = ("linear", "boosting", "mixed_model", "physiology", "ensemble")
ENDPOINTS = ("continuous", "binary", "count", "survival")
CORRECTIONS = ("none", "linear", "boosting")
#: scales of a prediction, in words
SCALES = {
    "outcome": "the outcome's unit",
    "log odds": "log odds of the event",
    "log rate": "log of the rate per unit of exposure",
    "rate": "rate per unit of exposure",
    "log hazard ratio": "log hazard ratio against the average historical patient",
    "martingale residual": "events above what the time at risk explains (martingale residual of the null model)",
}


class Context(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Context of use: what the score may be used for, in words that a report prints."""

    population: str  #: "HIV-1, CD4 200 to 500 cells/mm3"
    endpoint: str  #: "CD4 count"
    time: str  #: "20 weeks after randomisation"
    unit: str  #: of the endpoint: "cells/mm3"
    intended_use: str  #: "baseline covariate of the primary analysis"
    not_for: str  #: "decisions on a patient; other populations"


class ScoreSpecification(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Everything that a specification may say. ``covariates`` are known before treatment: no other column is ever looked at."""

    name: str
    kind: str  #: linear | boosting | mixed_model | physiology | ensemble
    endpoint: str  #: continuous | binary | count | survival
    outcome: str  #: its column; of survival the time
    context: Context
    covariates: list[str] = []
    words: list[str] = []  #: those of the covariates whose numbers are codes, not amounts
    dialect: str = DIALECT
    version: str = "1"
    baseline: str | None = None  #: the covariate that an analysis would adjust for without a score
    event: str | None = None  #: survival: 1 event, 0 censored
    exposure: str | None = None  #: count: time at risk
    subject: str | None = None
    arm: str | None = None  #: only rows whose ``arm`` is ``control`` are learnt from
    control: str | int | None = None
    outcome_date: str | None = None  #: column with the date of each outcome
    cut: str | None = None  #: date of the data cut, ISO 8601
    not_after: str | None = None  #: first randomisation of the trial, where known: no outcome of that day or later
    visit: str | None = None  #: mixed_model: the table has one row for each patient and visit
    at: str | int | None = None  #: mixed_model: the visit of the endpoint
    earlier: dict[str, str] = {}  #: mixed_model: visit -> column of a trial's table with its value before randomisation
    structure: str = "unstructured"  #: mixed_model: of the covariance
    forecast: str | None = None  #: physiology: column with the forecast of the endpoint
    forecast_made_by: str = ""  #: physiology: which model or twin made it, and as of when
    correction: str = "linear"  #: physiology: of the recalibrated forecast: none | linear | boosting
    candidates: list[str] = []  #: ensemble: kinds to choose from
    ridge: bool = False  #: linear: penalised, the penalty by cross-validation
    unseen: str = "refuse"  #: a level that the training data do not have: refuse | usual (their most frequent level)
    folds: int = 10
    seed: int = 0
    keep_prints: bool = True  #: salted hashes of the rows, for the leak check


def read_specification(path: Path) -> ScoreSpecification:
    """Of a YAML file. Raises AnalysisError where it is none."""
    return specification(read_yaml(path, DIALECT, "a specification of a score"), str(path))


def specification(given: dict[str, Any], where: str = "the specification") -> ScoreSpecification:
    """Typed and checked."""
    plain = {name: value.isoformat() if isinstance(value, date) else value for name, value in given.items()}
    try:
        made = msgspec.convert(plain, ScoreSpecification)
    except (msgspec.ValidationError, RecursionError) as error:
        raise AnalysisError(f"a specification that cannot be read ({error})", where=where) from error
    return checked(made)


def checked(made: ScoreSpecification) -> ScoreSpecification:
    """Itself, where it does not contradict itself."""

    def refuse(found: str, expected: str, remedy: str = "") -> None:
        raise AnalysisError(found, expected=expected, where="specification of the score", remedy=remedy)

    for name, value, known in (
        ("kind", made.kind, KINDS), ("endpoint", made.endpoint, ENDPOINTS), ("correction", made.correction, CORRECTIONS),
        ("unseen", made.unseen, ("refuse", "usual")), ("dialect", made.dialect, (DIALECT,)),
    ):  # fmt: skip
        if value not in known:
            refuse(f"{name} {value!r}", f"one of {known}")
    if not made.name or not made.version or not all(msgspec.structs.astuple(made.context)):
        refuse("a name, a version or a part of the context of use without words", "words for each")
    own = [
        name for name in (made.outcome, made.event, made.exposure, made.outcome_date, made.arm, made.subject) if name
    ]
    if strange := sorted(set(own) & {*made.covariates, *([made.forecast] if made.forecast else [])}):
        refuse(
            f"{strange} among the covariates",
            "what is known before treatment",
            "leave it out: it is the outcome, or of it",
        )
    if len(set(made.covariates)) < len(made.covariates) or set(made.words) - set(made.covariates):
        refuse(f"covariates {made.covariates}, words {made.words}", "each covariate once, words among them")
    if not made.covariates and not (made.kind == "physiology" and made.correction == "none"):
        refuse("no covariates", "at least one column that is known before treatment")
    if (made.endpoint == "survival") != (made.event is not None):
        refuse(f"endpoint {made.endpoint}, event {made.event!r}", "the column of events for survival, and only then")
    if made.exposure is not None and made.endpoint != "count":
        refuse(f"exposure of a {made.endpoint} endpoint", "none")
    if (made.arm is None) != (made.control is None):
        refuse("an arm without its control, or a control without its arm", "both, or neither")
    kinds = made.candidates if made.kind == "ensemble" else [made.kind]
    if made.kind == "ensemble" and (len(set(kinds)) < 2 or set(kinds) - (set(KINDS) - {"ensemble"})):
        refuse(f"candidates {made.candidates}", f"at least two of {KINDS[:-1]}")
    if "mixed_model" in kinds and (
        made.endpoint != "continuous" or not (made.subject and made.visit and made.at is not None)
    ):
        refuse(f"a mixed model of a {made.endpoint} endpoint, subject {made.subject!r}, visit {made.visit!r}, at {made.at!r}",
               "a continuous one, with the columns of subject and visit, and the visit of the endpoint")  # fmt: skip
    if (made.visit is not None or made.earlier) and "mixed_model" not in kinds:
        refuse("visits without a mixed model", "one row a patient, or a mixed model")
    if ("physiology" in kinds) != (made.forecast is not None):
        refuse(
            f"kind {made.kind}, forecast {made.forecast!r}", "the column of the forecast for physiology, and only then"
        )
    if made.forecast is not None and not made.forecast_made_by:
        refuse("a forecast without words for who made it", "forecast_made_by")
    if not 2 <= made.folds <= 50:
        refuse(f"{made.folds} folds", "2 to 50")
    for text in (made.cut, made.not_after):
        if text is not None:
            try:
                date.fromisoformat(text)
            except ValueError:
                refuse(f"the date {text!r}", "ISO 8601, such as 2024-05-31")
    return made
