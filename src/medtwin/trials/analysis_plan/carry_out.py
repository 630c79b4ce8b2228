"""A plan carried out on a table: every analysis in the plan's order, each failure shown, deviations from the lock named."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from scipy import stats

import medtwin
from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis_plan.analysed import Analysed, Deviation, Result
from medtwin.trials.analysis_plan.asked import arm_words, ask, matches, word
from medtwin.trials.analysis_plan.lock import Lock, amendments, deviations
from medtwin.trials.analysis_plan.methods import RUNS
from medtwin.trials.analysis_plan.plan import AnalysisPlan, PlannedAnalysis, plain, plan_hash
from medtwin.trials.analysis_plan.score import plan_score, with_score
from medtwin.trials.tables import ReadTable

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl


def carry_out(
    plan: AnalysisPlan, table: ReadTable, *, folder: Path | None = None, locked: tuple[Lock, bool] | None = None,
    now: dt.datetime | None = None, progress: Callable[[str, int, int], None] | None = None,
) -> Analysed:  # fmt: skip
    """``folder``: where the score's file lies, if the plan names one; ``locked``: as :func:`read_lock` gives it;
    ``progress``: told (name, done, in all) before each analysis.

    Raises :class:`AnalysisError` where nothing can be analysed: a column missing, a score that is not the plan's. What one
    analysis alone cannot do is its own result's ``failure``.
    """
    frame, notes = _analysis_set(plan, table)
    late, undated = _late(plan, frame)
    score = plan_score(plan, folder)
    frame, historical, more = with_score(frame, plan, score)
    notes += more
    hashes = {"plan": plan_hash(plan), "data": table.sha256, **({"score": score.sha256} if score else {})}
    found: tuple[Deviation, ...] = ()
    if locked is not None:
        held, whole = locked
        hashes["lock"] = held.sha256
        found = deviations(
            held, whole=whole, plan=plan, version=medtwin.__version__, score_sha256=hashes.get("score", ""),
            data_sha256=table.sha256, late_rows=late, undated_rows=undated,
        )  # fmt: skip
    else:
        notes += tuple(
            f"{count} rows {what} the data cut of {plan.data_cut}, and were analysed"
            for count, what in ((late, "are dated after"), (undated, "have no date to hold against"))
            if count
        )
    notes += _complete_cases(plan)
    results = []
    for number, one in enumerate(plan.analyses):
        if progress is not None:
            progress(one.name, number, len(plan.analyses))
        results += _with_subgroups(frame, plan, one)
    people = _one_arm_each(frame.select(plan.subject, arm_words(frame[plan.arm], plan.labels)).unique(), plan, table)
    return Analysed(
        title=plan.title, synthetic=plan.synthetic, plan=plain(plan), estimand=plan.estimand.text() if plan.estimand else "",
        results=tuple(results), hashes=hashes, version=medtwin.__version__,
        made_at=(now or dt.datetime.now(dt.UTC)).replace(microsecond=0).isoformat(),
        locked_at=locked[0].locked_at if locked else "", deviations=found, notes=notes,
        amendments=amendments(locked[0]) if locked else (),
        first_locked_at=str([*locked[0].before, {"locked_at": locked[0].locked_at}][0]["locked_at"]) if locked else "",
        historical=historical, patients=dict(people[plan.arm].value_counts().sort(plan.arm).iter_rows()),
    )  # fmt: skip


def one_analysis(frame: pl.DataFrame, plan: AnalysisPlan, one: PlannedAnalysis) -> Result:
    """The result, or why there is none."""
    import polars as pl

    kind = type(one.method).__struct_config__.tag
    head: dict[str, Any] = {"name": one.name, "role": one.role, "method": str(kind), "outcome": one.outcome}
    try:
        done = RUNS[type(one.method)](one.method, ask(frame, plan, one))
        analysis = _against_margin(done.analysis, one)
    except AnalysisError as error:
        return Result(**head, failure=str(error))
    except (
        ArithmeticError,
        ValueError,
        TypeError,
        MemoryError,
        np.linalg.LinAlgError,
        pl.exceptions.PolarsError,
    ) as error:
        # its words may hold cells of the table
        return Result(**head, failure=f"found a fault of medtwin's own ({type(error).__name__}); please report it")
    return Result(
        **head, analysis=analysis, tests=done.tests, balance=done.balance, curves=done.curves, tipping=done.tipping,
        further=done.further,
    )  # fmt: skip


def _with_subgroups(frame: pl.DataFrame, plan: AnalysisPlan, one: PlannedAnalysis) -> list[Result]:
    out = [one_analysis(frame, plan, one)]
    for column in one.subgroups:
        if column not in frame.columns:
            raise AnalysisError(
                f"no column {column!r}", where=f"{one.name}, subgroups", expected=f"some of {frame.columns[:40]}"
            )
        without = frame[column].is_null()
        levels = sorted(frame[column].drop_nulls().unique().to_list(), key=str)
        groups = [(word(level), frame.filter(frame[column] == level)) for level in levels]
        for level, rows in groups + ([("unknown", frame.filter(without))] if without.any() else []):
            within = msgspec.structs.replace(
                one, name=f"{one.name}, {column} = {level}", subgroups=[],
                covariates=[name for name in one.covariates if name != column],
            )  # fmt: skip
            out.append(replace(one_analysis(rows, plan, within), role="subgroup"))
        told = heterogeneity(out[-len(groups) - without.any() :])
        if told and out[0].analysis is not None:
            out[0] = replace(out[0], further={**out[0].further, f"heterogeneity over {column}": told})
    return out


def heterogeneity(results: list[Result]) -> dict[str, float]:
    """Cochran's Q of the subgroups' first estimates: ``sum w (x - mean)^2`` with ``w = 1 / SE^2``, chi-squared with k - 1 df."""
    found = [one.analysis.estimates[0] for one in results if one.analysis is not None]
    if len(found) < 2 or min(one.standard_error for one in found) <= 0.0:
        return {}
    weight = np.array([one.standard_error**-2.0 for one in found])
    value = np.array([one.value for one in found])
    q = float(weight @ (value - weight @ value / weight.sum()) ** 2)
    return {
        "Q": q,
        "df": float(len(found) - 1),
        "p": float(stats.chi2.sf(q, len(found) - 1)),
        "subgroups": float(len(found)),
    }


def _against_margin(made: Analysis, one: PlannedAnalysis) -> Analysis:
    """The first estimate tested against the plan's margin."""
    if one.margin is None:
        return made
    first = made.estimates[0]
    if first.scale == "log" and not one.margin > 0.0:
        raise AnalysisError(f"margin {one.margin:g} of a ratio", where=one.name, expected="above 0")
    null = math.log(one.margin) if first.scale == "log" else one.margin
    return replace(made, estimates=(replace(first, null=null), *made.estimates[1:]))


def _analysis_set(plan: AnalysisPlan, table: ReadTable) -> tuple[pl.DataFrame, tuple[str, ...]]:
    frame, notes = table.frame, list(table.notes)
    for name in (
        plan.subject,
        plan.arm,
        *plan.strata,
        *plan.where,
        *(one for one in (plan.randomised, plan.dated) if one),
    ):
        if name not in frame.columns:
            raise AnalysisError(f"no column {name!r}", where=table.source, expected=f"some of {frame.columns[:40]}")
    if lost := frame[plan.subject].null_count():
        raise AnalysisError(
            f"{lost} rows without {plan.subject!r}", where=table.source, expected="a patient in every row"
        )
    for name, values in plan.where.items():
        kept = frame.filter(matches(frame[name], values, "the plan's where"))
        notes.append(f"analysis set, {name} = {values}: {kept.height} of {frame.height} rows")
        frame = kept
    return frame, tuple(notes)


def _late(plan: AnalysisPlan, frame: pl.DataFrame) -> tuple[int, int]:
    """(rows dated after the data cut, rows without a date)."""
    if plan.data_cut is None or plan.dated is None:
        return 0, 0
    import polars as pl

    column = frame[plan.dated]
    if not column.dtype.is_temporal():
        raise AnalysisError(f"column {plan.dated} without dates", where="data_cut", expected="ISO dates, 2025-06-30")
    return int((column.cast(pl.Date) > plan.data_cut).sum()), column.null_count()


def _complete_cases(plan: AnalysisPlan) -> tuple[str, ...]:
    """That an estimand of missing at random is answered by those who have an outcome."""
    one = next(one for one in plan.analyses if one.role == "primary")
    kind = str(type(one.method).__struct_config__.tag)
    if plan.estimand is None or kind.startswith("imputed") or kind == "mmrm" or one.endpoint == "survival":
        return ()
    return ("the primary analysis leaves out patients without an outcome: it answers the estimand if outcomes are missing at "
            "random given arm and covariates",)  # fmt: skip


def _one_arm_each(people: pl.DataFrame, plan: AnalysisPlan, table: ReadTable) -> pl.DataFrame:
    """Patients and arms, each once. Raises where somebody is in two arms."""
    if twice := people.height - people[plan.subject].n_unique():
        raise AnalysisError(f"{twice} patients in more than one arm", where=table.source, expected="one arm for each patient",
                            remedy="name the column of the randomised arm")  # fmt: skip
    return people
