"""``kind: imputed-binary``, ``imputed-count``, ``imputed-survival``: one outcome a patient, missing ones drawn.

See :mod:`medtwin.trials.missing.binary`, ``count`` and ``survival``. Multiple imputation with Rubin's rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.curves import censored, curves
from medtwin.trials.analysis_plan.methods.numbers import Positive, Seed, Several
from medtwin.trials.missing import Delta, binary, count, survival, tipping_point


class ImputedBinary(
    msgspec.Struct, tag_field="kind", tag="imputed-binary", forbid_unknown_fields=True, frozen=True, kw_only=True
):
    """Empty cells of a binary outcome drawn from a logistic model of the own (MAR) or the reference arm (JR)."""

    strategy: str = "MAR"
    reference: str | None = None
    delta: dict[str, float] = {}  #: by arm, log odds ratio
    tipping: dict[str, float] = {}  #: by arm, the direction; multiplied until the p value crosses its level
    tipping_to: Positive = 3.0
    measures: tuple[str, ...] = ("difference", "ratio", "odds ratio")
    variance: str = "HC2"
    sets: Several = 50
    seed: Seed = 0


class ImputedCount(
    msgspec.Struct, tag_field="kind", tag="imputed-count", forbid_unknown_fields=True, frozen=True, kw_only=True
):
    """Events after a patient left, until the planned end; ``exposure`` is how long he was observed."""

    planned: str  #: column: planned time at risk, in the unit of ``exposure``
    strategy: str = "MAR"  #: MAR | JR | CR
    reference: str | None = None
    delta: dict[str, float] = {}  #: by arm, log rate ratio
    tipping: dict[str, float] = {}  #: by arm, the direction; multiplied until the p value crosses its level
    tipping_to: Positive = 3.0
    variance: str = "HC2"
    sets: Several = 50
    seed: Seed = 0


class ImputedSurvival(
    msgspec.Struct, tag_field="kind", tag="imputed-survival", forbid_unknown_fields=True, frozen=True, kw_only=True
):
    """Event times after censoring that may tell, until the planned end."""

    planned: str  #: column: when the patient would have been censored anyway, in the time's unit
    strategy: str = "MAR"  #: MAR | JR
    reference: str | None = None
    delta: dict[str, float] = {}  #: by arm, log hazard ratio
    tipping: dict[str, float] = {}  #: by arm, the direction; multiplied until the p value crosses its level
    tipping_to: Positive = 3.0
    pieces: int = 5
    sets: Several = 50
    seed: Seed = 0


def run_binary(method: ImputedBinary, asked: Asked) -> Done:
    """Effects over all patients; those without an outcome are counted."""
    outcome = asked.analysis.outcome
    gone = asked.frame[outcome].is_null().to_numpy()
    trial = asked.trial(asked.frame.with_columns(asked.frame[outcome].fill_null(0)))
    _nobody_lost(asked, len(trial.arm))

    def analyse(delta: Mapping[str, float] | None) -> Analysis:
        return binary(
            trial, gone, strategy=method.strategy, reference=method.reference, delta=delta, measures=method.measures,
            variance=method.variance, sets=method.sets, seed=method.seed, confidence=asked.plan.confidence,
        )  # fmt: skip

    return _done(method, asked, analyse)


def run_count(method: ImputedCount, asked: Asked) -> Done:
    """The rate ratio over the planned time."""
    trial = asked.trial()
    _nobody_lost(asked, len(trial.arm))
    planned = _planned(asked, method.planned)

    def analyse(delta: Mapping[str, float] | None) -> Analysis:
        return count(
            trial, planned, strategy=method.strategy, reference=method.reference, delta=delta, variance=method.variance,
            sets=method.sets, seed=method.seed, confidence=asked.plan.confidence,
        )  # fmt: skip

    return _done(method, asked, analyse)


def run_survival(method: ImputedSurvival, asked: Asked) -> Done:
    """The hazard ratio."""
    trial = asked.trial()
    _nobody_lost(asked, len(trial.arm))
    planned = _planned(asked, method.planned)

    def analyse(delta: Mapping[str, float] | None) -> Analysis:
        return survival(
            trial, planned, strategy=method.strategy, reference=method.reference, delta=delta, pieces=method.pieces,
            sets=method.sets, seed=method.seed, confidence=asked.plan.confidence,
        )  # fmt: skip

    done = _done(method, asked, analyse)
    return replace(done, curves=curves(trial), further=censored(trial, asked.analysis.unit))


def _done(
    method: ImputedBinary | ImputedCount | ImputedSurvival, asked: Asked,
    analyse: Callable[[Mapping[str, float] | None], Analysis],
) -> Done:  # fmt: skip
    """The analysis with the plan's delta, and where it tips."""
    made = analyse(method.delta or None)
    if not method.tipping:
        return Done(analysis=made)
    tipped = tipping_point(
        lambda delta: analyse(delta.by_arm), Delta(by_arm=method.tipping), estimate=made.estimates[0].name,
        high=method.tipping_to, level=1.0 - asked.plan.confidence, points=11,
    )  # fmt: skip
    return Done(analysis=made, tipping=tipped)


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
