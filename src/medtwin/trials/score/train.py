"""The verb ``train``: a table of historical patients and a specification become a score."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

import msgspec
import numpy as np
import polars as pl

import medtwin
from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.layout import natural
from medtwin.trials.score import figures as worth
from medtwin.trials.score.columns import Column, encode, encoded_names, learn, learn_column, numbers, words
from medtwin.trials.score.history import History, Known, out_of_fold
from medtwin.trials.score.kinds import fitter
from medtwin.trials.score.outcomes import rescaled
from medtwin.trials.score.prints import prints, table_hash
from medtwin.trials.score.score import DIALECT, TrainedScore, Training
from medtwin.trials.score.specification import ScoreSpecification, checked

NEAR = 0.999999  #: a covariate that correlates so with the outcome is the outcome


def train(
    table: pl.DataFrame, specification: ScoreSpecification, *, source: str = "a table", evaluate: bool = True
) -> TrainedScore:
    """A score from historical patients, one row each (a mixed model: one row for each patient and visit).

    Rows of other arms than the control are not used. A patient without an outcome is not learnt from, and is counted. The
    rules for missing covariates are learnt before the folds are dealt: they look at no outcome. ``evaluate=False`` leaves the
    cross-validated figures to the training data's own, and says so: for tests and for ensembles of many.
    """
    asked = checked(specification)
    table, notes = _controls(table, asked)
    patients = _one_row_each(table, asked)
    columns = learn(patients, asked.covariates, asked.words)
    design, _ = encode(patients, columns)
    forecast = _forecast(patients, asked, notes)
    history = _history(table, patients, asked, design, columns, forecast, notes)
    dates = _dates(table, asked)
    _certainly_known(history, asked, dates)
    fit = fitter(asked)
    model, more = fit(history)
    notes.extend(more)
    inside = model.predict(history.known)
    seen = np.flatnonzero(history.complete)
    apparent = worth.r_squared(history.rows(seen), model.scale, inside[seen])
    values, how = inside, "in the training data themselves, which flatters"
    if evaluate:
        scales = set()

        def made(part: History) -> Callable[[Known], np.ndarray]:
            one = fit(part)[0]
            scales.add(one.scale)
            return lambda known: rescaled(one.predict(known), one.scale, model.scale)

        values, how = out_of_fold(history, made, asked.folds, asked.seed + 1), f"{asked.folds}-fold cross-validated"
        if asked.endpoint == "survival" and len(scales) > 1:
            notes.append("folds chose kinds of different scales, so that the figures mix them: name one kind")
    figured = worth.figures(
        history, model.scale, values, how=how, baseline=asked.baseline, seed=asked.seed, apparent=apparent
    )
    used = _used(asked)
    digest = table_hash(table, used)
    salt = hashlib.sha256(f"{digest}|{asked.name}|{asked.version}".encode()).hexdigest()[:32]
    return TrainedScore(
        dialect=DIALECT, made_with=medtwin.__version__, specification=asked, columns=columns, forecast=forecast,
        training=Training(
            source=source, sha256=digest, rows=table.height, patients=history.size, with_outcome=int(history.complete.sum()),
            columns=used, first_outcome=min(dates).isoformat() if dates else None,
            last_outcome=max(dates).isoformat() if dates else None, cut=asked.cut,
        ), distribution=learn_column(pl.DataFrame({"score": values}), "score"), model=model, figures=figured,
        prints=prints(patients, _printed(columns, forecast), asked.outcome, salt) if asked.keep_prints else None,
        notes=tuple(notes),
    )  # fmt: skip


def _printed(columns: tuple[Column, ...], forecast: Column | None) -> tuple[Column, ...]:
    return columns if forecast is None else (*columns, forecast)


def _used(asked: ScoreSpecification) -> tuple[str, ...]:
    more = (asked.outcome, asked.event, asked.exposure, asked.subject, asked.visit, asked.forecast, asked.baseline)
    return tuple(dict.fromkeys([*asked.covariates, *(name for name in (*more, asked.outcome_date) if name)]))


def _controls(table: pl.DataFrame, asked: ScoreSpecification) -> tuple[pl.DataFrame, list[str]]:
    absent = [name for name in (*_used(asked), *([asked.arm] if asked.arm else [])) if name not in table.columns]
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


def _one_row_each(table: pl.DataFrame, asked: ScoreSpecification) -> pl.DataFrame:
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


def _forecast(patients: pl.DataFrame, asked: ScoreSpecification, notes: list[str]) -> Column | None:
    if asked.forecast is None:
        return None
    column = learn_column(patients, asked.forecast)
    if column.kind != "number":
        raise AnalysisError("a forecast in words", expected="numbers", where=asked.forecast)
    if column.missing:
        notes.append(f"{column.missing} of {column.rows} patients without a forecast: its median was put in")
    return msgspec.structs.replace(column, indicator=False)


def _history(
    table: pl.DataFrame, patients: pl.DataFrame, asked: ScoreSpecification, design: np.ndarray,
    columns: tuple[Column, ...], forecast: Column | None, notes: list[str],
) -> History:  # fmt: skip
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


def _dates(table: pl.DataFrame, asked: ScoreSpecification) -> list[date]:
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


def _certainly_known(history: History, asked: ScoreSpecification, dates: list[date]) -> None:
    """Raises where the training data hold what a score must not see."""
    if asked.not_after is not None:
        first = date.fromisoformat(asked.not_after)
        late = sum(day >= first for day in dates)
        if late:
            raise AnalysisError(f"{late} outcomes of {first.isoformat()} or later", where="the training table",
                                expected="outcomes before the trial's first randomisation",
                                remedy="cut the data before it")  # fmt: skip
        if not dates and asked.cut is None:
            raise AnalysisError("not_after without a date of any outcome", expected="outcome_date or cut")
        if asked.cut is not None and date.fromisoformat(asked.cut) >= first:
            raise AnalysisError(f"a data cut of {asked.cut}, not before {first.isoformat()}", where="the specification",
                                expected="data that were cut before the trial's first randomisation")  # fmt: skip
    if asked.cut is not None and dates and max(dates) > date.fromisoformat(asked.cut):
        raise AnalysisError(f"an outcome of {max(dates).isoformat()}, after the cut {asked.cut}", expected="none",
                            where="the training table")  # fmt: skip
    seen = history.complete
    y = history.outcome[seen]
    for name, column in zip(history.known.names, history.known.design[seen].T, strict=True):
        if len(y) > 10 and np.ptp(column) > 0.0 and np.ptp(y) > 0.0 and abs(np.corrcoef(column, y)[0, 1]) > NEAR:
            raise AnalysisError(f"covariate {name} that is the outcome", expected="what is known before treatment",
                                where="the training table", remedy="leave it out")  # fmt: skip
