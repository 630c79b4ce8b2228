"""What a method gets: the rows that the analysis is of, the plan, and the trial made from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData, read_trial
from medtwin.trials.analysis.kaplan import Curve
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.external.balance import Balance
from medtwin.trials.missing.tipping import TippingPoint
from medtwin.trials.mmrm import FTest

if TYPE_CHECKING:
    import polars as pl

    from medtwin.trials.analysis_plan.plan import AnalysisPlan, PlannedAnalysis


#: Within arms nothing that is known at baseline correlates so with an outcome.
TOO_CLOSE = 0.999


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a method hands back; the first estimate is the one that the analysis is for."""

    analysis: Analysis
    tests: tuple[FTest, ...] = ()
    balance: Balance | None = None
    curves: dict[str, Curve] = field(default_factory=dict)
    tipping: TippingPoint | None = None
    further: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Made by :func:`ask`. The arm's column holds words: the labels as they are reported."""

    frame: pl.DataFrame
    everybody: pl.DataFrame = field(repr=False)  #: rows of other arms too, such as historical controls
    plan: AnalysisPlan
    analysis: PlannedAnalysis
    control: str
    treated: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def trial(self, frame: pl.DataFrame | None = None) -> TrialData:
        """One row a patient, by the plan's words. Raises :class:`AnalysisError`."""
        one = self.analysis
        made = read_trial(
            self.frame if frame is None else frame, outcome=one.outcome, arm=self.plan.arm, control=self.control,
            covariates=one.covariates, event=one.event or one.censored, exposure=one.exposure, subject=self.plan.subject,
            strata=self.plan.strata if one.strata is None else one.strata, missing_outcome=one.missing_outcome,
            missing_covariate=one.missing_covariate,
        )  # fmt: skip
        if one.censored is not None and made.event is not None:
            made = replace(made, event=~made.event)
        _tells_something(made, one.name)
        return replace(made, notes=(*self.notes, *made.notes))


def _tells_something(trial: TrialData, where: str) -> None:
    """Refuses an outcome that is the same for everybody, and a covariate that is the outcome."""
    if trial.event is not None:
        return
    within = trial.outcome.astype(float).copy()
    covariates = trial.covariates.astype(float).copy()
    for code in range(len(trial.arm_names)):
        mine = trial.arm == code
        within[mine] -= within[mine].mean()
        covariates[mine] -= covariates[mine].mean(axis=0)
    size = float(np.linalg.norm(within))
    if size <= 1e-10 * max(float(np.linalg.norm(trial.outcome)), 1e-300):
        raise AnalysisError(
            "an outcome that is the same for every patient of an arm", where=where, expected="one that varies"
        )
    lengths = np.linalg.norm(covariates, axis=0)
    close = np.abs(within @ covariates) / np.maximum(lengths * size, 1e-300)
    if (close > TOO_CLOSE).any():
        name = trial.covariate_names[int(np.argmax(close))]
        raise AnalysisError(
            f"covariate {name}, which correlates {close.max():.6f} with the outcome within arms", where=where,
            expected="what is known at baseline", remedy="it is the outcome, or made from it: leave it out",
        )  # fmt: skip


def ask(frame: pl.DataFrame, plan: AnalysisPlan, analysis: PlannedAnalysis) -> Asked:
    """The rows of the analysis: those of its ``where`` and of its arms; how many others there are is said."""
    import polars as pl

    named = [
        plan.subject, plan.arm, analysis.outcome, *analysis.covariates, *(analysis.strata or plan.strata), *analysis.where,
        *(name for name in (analysis.event, analysis.censored, analysis.exposure) if name),
    ]  # fmt: skip
    if absent := [name for name in dict.fromkeys(named) if name not in frame.columns]:
        raise AnalysisError(f"no column {absent}", where=analysis.name, expected=f"some of {frame.columns[:40]}")
    held, notes = frame, []
    for name, values in analysis.where.items():
        held = held.filter(matches(held[name], values, analysis.name))
    if held.height < frame.height:
        shown = ", ".join(f"{name} = {values}" for name, values in analysis.where.items())
        notes.append(f"rows with {shown}: {held.height} of {frame.height}")
    held = held.with_columns(arm_words(held[plan.arm], plan.labels))
    found = sorted(held[plan.arm].drop_nulls().unique().to_list())
    control = arm_word(plan.control if analysis.control is None else analysis.control, plan.labels)
    chosen = analysis.treated if analysis.treated is not None else plan.treated
    outside = {arm_word(one, plan.labels) for one in getattr(analysis.method, "external", ())}
    every = [one for one in found if one != control and one not in outside]
    treated = [arm_word(one, plan.labels) for one in chosen] if chosen else every
    if gone := [one for one in (control, *treated) if one not in found]:
        raise AnalysisError(f"nobody in arm {gone}", where=analysis.name, expected=f"patients; the arms are {found}",
                            remedy="name arms as the table does")  # fmt: skip
    if held[plan.arm].null_count():
        raise AnalysisError(f"{held[plan.arm].null_count()} rows without an arm", where=analysis.name, expected="none")
    everybody = held
    others = [one for one in found if one != control and one not in treated]
    for names, what in (
        ([one for one in others if one not in outside], "are not part of this analysis"),
        ([one for one in others if one in outside], "are external: they stand behind the controls as history"),
    ):
        if names:
            count = held.filter(pl.col(plan.arm).is_in(names))[plan.subject].n_unique()
            notes.append(f"{count} patients of other arms ({', '.join(names)}) {what}")
    held = held.filter(~pl.col(plan.arm).is_in(others))
    return Asked(
        frame=held,
        everybody=everybody,
        plan=plan,
        analysis=analysis,
        control=control,
        treated=tuple(treated),
        notes=tuple(notes),
    )


def matches(column: pl.Series, values: Any, where: str) -> pl.Series:
    """Rows whose cell is one of ``values``, compared as words, 1 and 1.0 alike. A value that no row has is an error."""
    import polars as pl

    wanted = {word(one) for one in (values if isinstance(values, list) else [values])}
    words = column.map_elements(word, return_dtype=pl.String, skip_nulls=True)
    found = words.is_in(list(wanted)).fill_null(value=False)
    if not found.any():
        raise AnalysisError(f"no row with {column.name} = {sorted(wanted)}", where=where,
                            expected=f"some of {sorted(words.drop_nulls().unique().to_list())[:20]}")  # fmt: skip
    return found


def arm_words(column: pl.Series, labels: dict[str, str]) -> pl.Series:
    """The arm's labels as words, replaced by those of the report."""
    import polars as pl

    return column.map_elements(lambda one: arm_word(one, labels), return_dtype=pl.String, skip_nulls=True).alias(
        column.name
    )


def arm_word(label: Any, labels: dict[str, str]) -> str:
    """One label, in the words of the report; a label that is in these words already stays."""
    said = word(label)
    return labels.get(said, said)


def word(value: Any) -> str:
    """A cell or a label as words: 1.0 and 1 alike, truths as true and false."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
