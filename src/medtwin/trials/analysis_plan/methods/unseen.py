"""``kind: imputed-binary``, ``imputed-count``, ``imputed-survival``: one outcome a patient, missing ones drawn.

See :mod:`medtwin.trials.missing.binary`, ``count`` and ``survival``. Multiple imputation with Rubin's rules.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.curves import censored, curves
from medtwin.trials.missing import binary, count, survival


class ImputedBinary(
    msgspec.Struct, tag_field="kind", tag="imputed-binary", forbid_unknown_fields=True, frozen=True, kw_only=True
):
    """Empty cells of a binary outcome drawn from a logistic model of the own (MAR) or the reference arm (JR)."""

    strategy: str = "MAR"
    reference: str | None = None
    delta: dict[str, float] = {}  #: by arm, log odds ratio
    measures: tuple[str, ...] = ("difference", "ratio", "odds ratio")
    variance: str = "HC2"
    sets: int = 50
    seed: int = 0


class ImputedCount(
    msgspec.Struct, tag_field="kind", tag="imputed-count", forbid_unknown_fields=True, frozen=True, kw_only=True
):
    """Events after a patient left, until the planned end; ``exposure`` is how long he was observed."""

    planned: str  #: column: planned time at risk, in the unit of ``exposure``
    strategy: str = "MAR"  #: MAR | JR | CR
    reference: str | None = None
    delta: dict[str, float] = {}  #: by arm, log rate ratio
    variance: str = "HC2"
    sets: int = 50
    seed: int = 0


class ImputedSurvival(
    msgspec.Struct, tag_field="kind", tag="imputed-survival", forbid_unknown_fields=True, frozen=True, kw_only=True
):
    """Event times after censoring that may tell, until the planned end."""

    planned: str  #: column: when the patient would have been censored anyway, in the time's unit
    strategy: str = "MAR"  #: MAR | JR
    reference: str | None = None
    delta: dict[str, float] = {}  #: by arm, log hazard ratio
    pieces: int = 5
    sets: int = 50
    seed: int = 0


def run_binary(method: ImputedBinary, asked: Asked) -> Done:
    """Effects over all patients; those without an outcome are counted."""
    outcome = asked.analysis.outcome
    gone = asked.frame[outcome].is_null()
    trial = asked.trial(asked.frame.with_columns(asked.frame[outcome].fill_null(0)))
    _nobody_lost(asked, len(trial.arm))
    made = binary(
        trial, gone.to_numpy(), strategy=method.strategy, reference=method.reference, delta=method.delta or None,
        measures=method.measures, variance=method.variance, sets=method.sets, seed=method.seed,
        confidence=asked.plan.confidence,
    )  # fmt: skip
    return Done(analysis=made)


def run_count(method: ImputedCount, asked: Asked) -> Done:
    """The rate ratio over the planned time."""
    trial = asked.trial()
    _nobody_lost(asked, len(trial.arm))
    made = count(
        trial, _planned(asked, method.planned), strategy=method.strategy, reference=method.reference,
        delta=method.delta or None, variance=method.variance, sets=method.sets, seed=method.seed,
        confidence=asked.plan.confidence,
    )  # fmt: skip
    return Done(analysis=made)


def run_survival(method: ImputedSurvival, asked: Asked) -> Done:
    """The hazard ratio."""
    trial = asked.trial()
    _nobody_lost(asked, len(trial.arm))
    made = survival(
        trial, _planned(asked, method.planned), strategy=method.strategy, reference=method.reference,
        delta=method.delta or None, pieces=method.pieces, sets=method.sets, seed=method.seed,
        confidence=asked.plan.confidence,
    )  # fmt: skip
    return Done(analysis=replace(made), curves=curves(trial), further=censored(trial, asked.analysis.unit))


def _planned(asked: Asked, column: str) -> np.ndarray:
    if column not in asked.frame.columns:
        raise AnalysisError(
            f"no column {column!r}", where=asked.analysis.name, expected="the planned time of each patient"
        )
    values = asked.frame[column]
    if values.null_count() or not values.dtype.is_numeric():
        raise AnalysisError(f"{values.null_count()} patients without {column}, or no numbers", where=asked.analysis.name,
                            expected="the planned time of each patient")  # fmt: skip
    return np.asarray(values.cast(float).to_numpy())


def _nobody_lost(asked: Asked, kept: int) -> None:
    """Arrays beside the trial must stand row by row: a covariate that is missing needs a rule that keeps the patient."""
    if kept != asked.frame.height:
        raise AnalysisError(
            f"{asked.frame.height - kept} patients left out for a missing value", where=asked.analysis.name,
            expected="every patient in an analysis that imputes", remedy="missing_covariate: mean, or complete the column",
        )  # fmt: skip
