"""A tidy table, one row for each patient and visit, as a :class:`~medtwin.trials.prognostic.cohort.Cohort`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.columns import labels, number
from medtwin.trials.mmrm.layout import natural
from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.outcome import Outcome


def read_cohort(
    table: pl.DataFrame, *, subject: str, time: str, outcomes: Sequence[Outcome], covariates: Sequence[str | Outcome] = (),
    time_unit: str = "year", levels: Mapping[str, Sequence[str]] | None = None, mechanism: dict[str, str] | None = None,
) -> Cohort:  # fmt: skip
    """Named columns as baseline and visits.

    The row with ``time`` 0 is the baseline: each patient has one. Its outcomes become covariates, on their working scale,
    named ``baseline NAME``; so do ``covariates``: a number (an :class:`Outcome` where it has a transform), or words, which
    become indicators of each level but the first (``levels``: in this order, else natural order of the table's own).
    ``mechanism``: for each outcome the column with a mechanistic model's forecast at the visit, in the outcome's unit.
    Raises :class:`AnalysisError`.
    """
    wanted = [subject, time, *(one.name for one in outcomes), *(_name(one) for one in covariates)]
    wanted += list((mechanism or {}).values())
    for name in wanted:
        if name not in table.columns:
            raise AnalysisError(f"no column {name!r}", expected=f"one of {table.columns[:30]}", where="the table")
    for name in (subject, time):
        if gone := table[name].null_count():
            raise AnalysisError(f"{gone} rows without {name!r}", expected="a value in every row", where=name)
    people, when = labels(table, subject).to_list(), number(table, time)
    first = np.flatnonzero(when == 0.0)
    place: dict[str, int] = {}
    for row in first:
        if people[row] in place:
            raise AnalysisError("a patient with two rows at time 0", expected="one baseline row each", where=time)
        place[people[row]] = len(place)
    if without := len(set(people) - set(place)):
        raise AnalysisError(f"{without} patients without a row at time 0", expected="one baseline row each", where=time,
                            remedy="count time from the baseline visit, or take these patients out by name")  # fmt: skip
    start = table[first.tolist()]
    columns, names = [], []
    for outcome in outcomes:
        columns.append(outcome.working(number(start, outcome.name)))
        names.append(f"baseline {outcome.label}")
    for one in covariates:
        name = _name(one)
        if isinstance(one, Outcome) or table.schema[name].is_numeric() or table.schema[name] == pl.Boolean:
            values = number(start, name)
            columns.append(one.working(values) if isinstance(one, Outcome) else values)
            names.append(one.label if isinstance(one, Outcome) else name)
            continue
        words = labels(start, name)
        if lost := words.null_count():
            raise AnalysisError(f"{lost} patients without {name!r}", expected="a level for each", where=name)
        known = [str(level) for level in (levels or {}).get(name, ())] or sorted(set(words.to_list()), key=natural)
        if unknown := sorted(set(words.to_list()) - set(known)):
            raise AnalysisError(f"levels {unknown[:5]}", expected=f"one of {known}", where=name)
        for level in known[1:]:
            columns.append((words == level).to_numpy().astype(float))
            names.append(f"{name}={level}")
    later = np.flatnonzero(when != 0.0)
    visits = table[later.tolist()]
    forecast = None
    if mechanism is not None:
        if missing := [one.name for one in outcomes if one.name not in mechanism]:
            raise AnalysisError(f"no mechanism for {missing}", expected="a column for each outcome", where="mechanism")
        forecast = np.column_stack([one.working(number(visits, mechanism[one.name])) for one in outcomes])
    return Cohort.of(
        Baseline.of(tuple(place), np.column_stack(columns), names), outcomes, [place[people[row]] for row in later],
        when[later], np.column_stack([one.working(number(visits, one.name)) for one in outcomes]), mechanism=forecast,
        time_unit=time_unit,
    )  # fmt: skip


def _name(one: str | Outcome) -> str:
    return one.name if isinstance(one, Outcome) else one
