"""The verb ``train``: a table of historical patients and a specification become a score."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl

import medtwin
from medtwin.errors import AnalysisError
from medtwin.trials.score import figures as worth
from medtwin.trials.score.columns import Column, encode, learn, learn_column
from medtwin.trials.score.history import History, Known, out_of_fold
from medtwin.trials.score.kinds import fitter
from medtwin.trials.score.outcomes import rescaled
from medtwin.trials.score.prints import prints, table_hash
from medtwin.trials.score.reading import controls_of, dates_of, forecast_of, history_of, one_row_each, used_columns
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
    table, notes = controls_of(table, asked)
    patients = one_row_each(table, asked)
    columns = learn(patients, asked.covariates, asked.words)
    design, _ = encode(patients, columns)
    forecast = forecast_of(patients, asked, notes)
    history = history_of(table, patients, asked, design, columns, forecast, notes)
    dates = dates_of(table, asked)
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
    used = used_columns(asked)
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
