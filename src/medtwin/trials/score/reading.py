"""Historical patients out of a table: the controls, one row each, what is known of them, and how they fared.

Every rule here looks at the columns that the specification names and at no other. What is left out or filled in is said in
``notes``; what cannot be right is refused.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime

import msgspec
import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.layout import natural
from medtwin.trials.score.columns import Column, encode, encoded_names, learn_column, numbers, words
from medtwin.trials.score.history import History, Known
from medtwin.trials.score.specification import ScoreSpecification


def used_columns(asked: ScoreSpecification) -> tuple[str, ...]:
    """Columns of the training table that count: those that its hash is made of."""
    more = (asked.outcome, asked.event, asked.exposure, asked.subject, asked.visit, asked.forecast, asked.baseline)
    return tuple(dict.fromkeys([*asked.covariates, *(name for name in (*more, asked.outcome_date) if name)]))


def controls_of(table: pl.DataFrame, asked: ScoreSpecification) -> tuple[pl.DataFrame, list[str]]:
    """The rows that are learnt from, and notes."""
    absent = [name for name in (*used_columns(asked), *([asked.arm] if asked.arm else [])) if name not in table.columns]
    if absent:
        raise AnalysisError(f"no column {absent}", expected=f"some of {table.columns[:40]}", where="the training table")
    if not table.height:
        raise AnalysisError("a table without rows", expected="historical patients", where="the training table")
    if asked.arm is None:
        return table, []
    mine = np.array([label == str(asked.control) for label in words(table, asked.arm)])
    if not mine.any():
        raise AnalysisError(
            f"no row with {asked.arm} {asked.control!r}", expected="historical controls", where=asked.arm
        )
    gone = int((~mine).sum())
    return table.filter(pl.Series(mine)), [
        f"{gone} rows of other arms than {asked.control} were not used"
    ] if gone else []


def one_row_each(table: pl.DataFrame, asked: ScoreSpecification) -> pl.DataFrame:
    """One row a patient; of repeated measures the row of the endpoint's visit, else with an empty outcome."""
    if asked.subject is None:
        return table
    if table[asked.subject].null_count():
        raise AnalysisError(f"{table[asked.subject].null_count()} rows without {asked.subject}", expected="one in each")
    if asked.visit is None:
        twice = table.height - table[asked.subject].n_unique()
        if twice:
            raise AnalysisError(f"{twice} rows of patients who have a row already", expected="one row a patient",
                                where=asked.subject,
                                remedy="name the visit, for a mixed model; or decide which row counts")  # fmt: skip
        return table
    for name in (*asked.covariates, *([asked.forecast] if asked.forecast else [])):
        moved = table.group_by(asked.subject).agg(pl.col(name).n_unique().alias("n")).filter(pl.col("n") > 1).height
        if moved:
            raise AnalysisError(f"{moved} patients whose {name} differs from row to row", expected="a baseline covariate",
                                where="the training table", remedy="give every row its value at baseline")  # fmt: skip
    at = np.array(words(table, asked.visit)) == str(asked.at)
    if not at.any():
        raise AnalysisError(
            f"no row at visit {asked.at!r}", expected=f"one of {sorted(set(words(table, asked.visit)))[:20]}"
        )
    value = pl.when(pl.Series(at)).then(pl.col(asked.outcome)).otherwise(None)
    if table.filter(pl.Series(at))[asked.subject].is_duplicated().any():
        raise AnalysisError(f"patients with two rows at {asked.at}", expected="one", where=asked.visit)
    first = table.with_columns(value.alias(asked.outcome)).group_by(asked.subject, maintain_order=True)
    return first.agg(
        pl.col(name).drop_nulls().first() if name == asked.outcome else pl.col(name).first()
        for name in table.columns if name != asked.subject
    )  # fmt: skip


def forecast_of(patients: pl.DataFrame, asked: ScoreSpecification, notes: list[str]) -> Column | None:
    """The column of the forecast, if the kind has one; what is missing of it becomes its median."""
    if asked.forecast is None:
        return None
    column = learn_column(patients, asked.forecast)
    if column.kind != "number":
        raise AnalysisError("a forecast in words", expected="numbers", where=asked.forecast)
    if column.missing:
        notes.append(f"{column.missing} of {column.rows} patients without a forecast: its median was put in")
    return msgspec.structs.replace(column, indicator=False)


def history_of(
    table: pl.DataFrame, patients: pl.DataFrame, asked: ScoreSpecification, design: np.ndarray,
    columns: tuple[Column, ...], forecast: Column | None, notes: list[str],
) -> History:  # fmt: skip
    """Checked: outcomes that fit the endpoint, and vary. Of single measurements those without an outcome are left out."""
    outcome = numbers(patients, asked.outcome)
    event = exposure = None
    if asked.event is not None:
        flags = numbers(patients, asked.event)
        if not np.isin(flags[np.isfinite(flags)], (0.0, 1.0)).all():
            raise AnalysisError("events other than 0 and 1", expected="1 event, 0 censored", where=asked.event)
        if (outcome < 0.0).any():
            raise AnalysisError(
                f"{int((outcome < 0.0).sum())} negative times", expected="at least 0", where=asked.outcome
            )
        outcome = np.where(np.isfinite(flags), outcome, math.nan)
        event = flags == 1.0
    if asked.exposure is not None:
        exposure = numbers(patients, asked.exposure)
        if (exposure <= 0.0).any():
            raise AnalysisError(f"{int((exposure <= 0.0).sum())} patients without time at risk", expected="positive")
        outcome = np.where(np.isfinite(exposure), outcome, math.nan)
    seen = outcome[np.isfinite(outcome)]
    if asked.endpoint == "binary" and not np.isin(seen, (0.0, 1.0)).all():
        raise AnalysisError("outcomes other than 0 and 1", expected="0 or 1", where=asked.outcome)
    if asked.endpoint == "count" and ((seen < 0.0) | (seen != np.floor(seen))).any():
        raise AnalysisError("outcomes that are not counts", expected="0, 1, 2, ...", where=asked.outcome)
    filled = None
    if forecast is not None:
        filled = encode(patients, (forecast,))[0][:, 0]
    baseline = None
    if asked.baseline is not None:
        baseline = encode(patients, (learn_column(patients, asked.baseline),))[0]
        if learn_column(patients, asked.baseline).kind != "number":
            raise AnalysisError("a baseline value in words", expected="a number", where=asked.baseline)
        baseline = baseline[:, 0]
    history = History(
        known=Known(design=design, names=encoded_names(columns), forecast=filled), endpoint=asked.endpoint, outcome=outcome,
        event=event, exposure=exposure, baseline=baseline,
    )  # fmt: skip
    if asked.visit is not None:
        history = _repeated(table, patients, asked, history)
    gone = int((~history.complete).sum())
    if gone:
        notes.append(f"{gone} of {history.size} patients without the outcome: "
                     + ("their other visits are learnt from" if asked.visit else "not learnt from"))  # fmt: skip
    if history.complete.sum() < 10:
        raise AnalysisError(f"{int(history.complete.sum())} patients with an outcome", expected="at least 10",
                            where="the training table")  # fmt: skip
    if np.ptp(history.outcome[history.complete]) <= 0.0 and event is None:
        raise AnalysisError("outcomes that are all the same", expected="outcomes that vary", where=asked.outcome)
    if asked.visit is None and gone:  # all that is left has an outcome
        history = history.rows(np.flatnonzero(history.complete))
    return history


def _repeated(table: pl.DataFrame, patients: pl.DataFrame, asked: ScoreSpecification, history: History) -> History:
    assert asked.subject is not None
    assert asked.visit is not None
    met = words(table, asked.visit)
    visits = tuple(sorted(set(met), key=natural))
    if unknown := sorted(set(asked.earlier) - set(visits)) + [v for v in asked.earlier if v == str(asked.at)]:
        raise AnalysisError(f"earlier visits {unknown}", expected=f"visits of {list(visits)} before {asked.at}")
    place = {subject: number for number, subject in enumerate(patients[asked.subject].to_list())}
    row = np.array([place[subject] for subject in table[asked.subject].to_list()])
    column = np.array([visits.index(visit) for visit in met])
    if len(np.unique(row * len(visits) + column)) < len(row):
        raise AnalysisError("patients with two rows at one visit", expected="one", where=asked.visit)
    values = np.full((history.size, len(visits)), math.nan)
    values[row, column] = numbers(table, asked.outcome)
    known = history.known
    if asked.earlier:
        earlier = np.full_like(values, math.nan)
        mine = [visits.index(visit) for visit in asked.earlier]
        earlier[:, mine] = values[:, mine]
        known = replace(known, earlier=earlier)
    return replace(history, known=known, repeated=values, visits=visits, at=visits.index(str(asked.at)))


def dates_of(table: pl.DataFrame, asked: ScoreSpecification) -> list[date]:
    """Of all outcomes that were seen."""
    if asked.outcome_date is None:
        return []
    seen = table.filter(pl.col(asked.outcome).is_not_null())[asked.outcome_date]
    return [day for day in as_dates(seen) if day is not None]


def as_dates(series: pl.Series) -> list[date | None]:
    """Dates of a column of dates, moments or ISO 8601 text."""
    made: list[date | None] = []
    for value in series.to_list():
        try:
            made.append(
                None if value is None or value == "" else value.date() if isinstance(value, datetime)
                else value if isinstance(value, date) else datetime.fromisoformat(str(value)).date()
            )  # fmt: skip
        except ValueError:
            raise AnalysisError(f"the date {str(value)[:30]!r}", expected="ISO 8601, such as 2024-05-31",
                                where=series.name) from None  # fmt: skip
    return made
