"""A tidy table, one row for each patient and visit, as a :class:`RepeatedTrial`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.missing.repeated import RepeatedTrial
from medtwin.trials.mmrm.columns import labels, number
from medtwin.trials.mmrm.layout import natural


def read_repeated(
    table: pl.DataFrame, *, outcome: str, subject: str, visit: str, arm: str, control: Any, covariates: Sequence[str] = (),
    visits: Sequence[Any] | None = None, day: str | None = None, event: str | None = None, reason: str | None = None,
    missing_covariate: str = "refuse",
) -> RepeatedTrial:  # fmt: skip
    """Named columns as a trial. A row that is not there is an outcome that is missing.

    ``visits``: in the order of time (none: natural order, week 2 before week 10; ``day``, where it is named, must agree).
    ``event``: the label of the first visit that the intercurrent event touches, null where there is none, so that all that
    is missing without one is missing at random; without the column the event is dropping out. ``reason``: of the event.
    ``covariates``: numbers, or words, which become indicators of each level but the first. ``missing_covariate``:
    ``refuse``, or ``mean``, over the patients of all arms. Raises :class:`AnalysisError`.
    """
    for name in (outcome, subject, visit, arm, *covariates, *(name for name in (day, event, reason) if name)):
        if name not in table.columns:
            raise AnalysisError(f"no column {name!r}", expected=f"one of {table.columns[:30]}", where="the table")
    if missing_covariate not in ("refuse", "mean"):
        raise AnalysisError(f"missing_covariate {missing_covariate!r}", expected="refuse or mean")
    if not table.height:
        raise AnalysisError("a table without rows", expected="one row for each patient and visit")
    for name in (subject, visit, arm):
        if gone := labels(table, name).null_count():
            raise AnalysisError(f"{gone} rows without {name!r}", expected="a value in every row", where=name)
    text = labels(table, visit).to_list()
    order = sorted(set(text), key=natural) if visits is None else [str(one) for one in visits]
    if unknown := sorted(set(text) - set(order)):
        raise AnalysisError(f"visits {unknown[:5]}", expected=f"one of {order}", where=visit,
                            remedy="name every visit, in the order of time, or take its rows out")  # fmt: skip
    people = labels(table, subject).to_list()
    place = {name: k for k, name in enumerate(dict.fromkeys(people))}
    row, column = np.array([place[one] for one in people]), np.array([order.index(one) for one in text])
    _once(row * len(order) + column)
    if day is not None:
        _in_time(number(table, day), column, order, day)
    y = np.full((len(place), len(order)), np.nan)
    y[row, column] = number(table, outcome)
    first = np.unique(row, return_index=True)[1]

    def of_subject(name: str) -> pl.Series:
        values = labels(table, name)
        if values.to_frame("v").with_columns(s=row).unique().height > len(place):
            raise AnalysisError(f"patients with more than one {name}", expected="one each", where=name,
                                remedy="a baseline covariate, arm or event belongs to the patient, not to the visit")  # fmt: skip
        return values[first]

    arms = of_subject(arm)
    columns, names, notes = [], [], []
    for name in covariates:
        words = of_subject(name)
        if table.schema[name].is_numeric() or table.schema[name] == pl.Boolean:
            values = number(table, name)[first]
            lost = np.isnan(values)
            if lost.any() and missing_covariate == "mean":
                if lost.all():
                    raise AnalysisError(f"nobody has {name!r}", expected="some values", where=name)
                notes.append(f"{int(lost.sum())} patients without {name}: the mean over all arms was put in")
                values = np.where(lost, values[~lost].mean(), values)
            columns.append(values)
            names.append(name)
            continue
        if words.null_count():
            raise AnalysisError(f"{words.null_count()} patients without {name!r}", expected="a level for each", where=name,
                                remedy="give those without one a level of their own")  # fmt: skip
        for level in sorted(words.unique().to_list(), key=natural)[1:]:
            columns.append((words == level).to_numpy().astype(float))
            names.append(f"{name}={level}")
    before = None
    if event is not None:
        where = of_subject(event).to_list()
        if unknown := sorted({one for one in where if one is not None} - set(order)):
            raise AnalysisError(f"events at {unknown[:5]}", expected=f"one of {order}, or null for none", where=event)
        before = [len(order) if one is None else order.index(one) for one in where]
    return RepeatedTrial.of(
        y, arms.to_numpy().astype(str), visits=order, control=str(control), before=before, covariate_names=names,
        covariates=np.column_stack(columns) if columns else None, notes=notes,
        reason=None if reason is None else [one or "" for one in of_subject(reason).to_list()],
    )  # fmt: skip


def _once(cell: np.ndarray) -> None:
    twice = len(cell) - len(np.unique(cell))
    if twice:
        raise AnalysisError(f"{twice} rows of a patient and visit that have a row already", expected="one row each",
                            remedy="decide which measurement of the visit counts")  # fmt: skip


def _in_time(days: np.ndarray, column: np.ndarray, order: Sequence[str], name: str) -> None:
    """The visits' median days must ascend."""
    middle = [
        float(np.median(days[(column == k) & np.isfinite(days)]))
        for k in range(len(order))
        if ((column == k) & np.isfinite(days)).any()
    ]
    if (np.diff(middle) <= 0.0).any():
        raise AnalysisError(f"visits {list(order)} at median days {middle}", expected="days that ascend", where=name,
                            remedy="name the visits in the order of time")  # fmt: skip
