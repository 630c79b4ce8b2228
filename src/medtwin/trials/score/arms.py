"""What a frozen score is worth in a trial: its correlation with the outcome within each arm, and beyond the baseline value.

Over all arms together the arm is taken out of score, outcome and baseline value first (partial correlations given the arm
and the baseline value), which is what analysis of covariance sees. Intervals as in :mod:`medtwin.trials.score.figures`.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.score.columns import numbers, words
from medtwin.trials.score.figures import Figure, fisher, square
from medtwin.trials.score.history import History, Known
from medtwin.trials.score.outcomes import expected, martingale, partial_correlation, target
from medtwin.trials.score.score import TrainedScore


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One arm, or all of them with the arm taken out."""

    name: str
    patients: int
    correlation: Figure  #: of score and outcome
    saved: Figure  #: its square where it is positive
    beyond_baseline: Figure | None  #: squared partial correlation given the baseline value


def within_arms(
    score: TrainedScore, table: pl.DataFrame, *, arm: str, outcome: str | None = None, event: str | None = None,
    exposure: str | None = None, baseline: str | None = None,
) -> tuple[Arm, ...]:  # fmt: skip
    """Each arm, in the order of their names, then ``all arms``. Columns default to those that the score was trained with."""
    history, labels = outcomes_of(
        score, table, arm=arm, outcome=outcome, event=event, exposure=exposure, baseline=baseline
    )
    seen = history.complete
    y = np.full(history.size, math.nan)
    if history.endpoint == "survival":
        assert history.event is not None
        for label in np.unique(labels[seen]):
            mine = seen & (labels == label)
            y[mine] = martingale(history.outcome[mine], history.event[mine])
    else:
        y = target(history)
    mean = expected(score.model.scale, score.predict(table))
    made = []
    for name in [*np.unique(labels[seen]), "all arms"]:
        mine = seen if name == "all arms" else seen & (labels == name)
        dummies = np.zeros((int(mine.sum()), 0))
        if name == "all arms":
            dummies = np.stack([labels[mine] == label for label in np.unique(labels[seen])[1:]], 1).astype(float)
        n = len(dummies)
        if n < 5:
            raise AnalysisError(f"{n} patients with an outcome in {name}", expected="at least 5", where="within arms")
        r = fisher(partial_correlation(y[mine], mean[mine], dummies), n, dummies.shape[1])
        beyond = None
        if history.baseline is not None:
            given = np.column_stack([dummies, history.baseline[mine]])
            beyond = square(fisher(partial_correlation(y[mine], mean[mine], given), n, given.shape[1]))
        made.append(Arm(name=str(name), patients=n, correlation=r, saved=square(r), beyond_baseline=beyond))
    return tuple(made)


def one_row_each(score: TrainedScore, table: pl.DataFrame) -> None:
    """Raises where the column of the score's subjects shows a patient twice: patients are counted, not rows."""
    name = score.specification.subject
    if name is not None and name in table.columns and (twice := table.height - table[name].n_unique()):
        raise AnalysisError(
            f"{twice} rows of patients who have a row already", expected="one row a patient", where=name
        )


def outcomes_of(
    score: TrainedScore, table: pl.DataFrame, *, arm: str | None = None, outcome: str | None = None, event: str | None = None,
    exposure: str | None = None, baseline: str | None = None,
) -> tuple[History, np.ndarray]:  # fmt: skip
    """A trial's outcomes as a history without covariates, NaN where missing; and the arm's label of each patient."""
    asked = score.specification
    one_row_each(score, table)
    values = numbers(table, outcome or asked.outcome)
    flags = at_risk = None
    if asked.endpoint == "survival":
        assert asked.event is not None
        seen = numbers(table, event or asked.event)
        values, flags = np.where(np.isfinite(seen), values, math.nan), seen == 1.0
    if asked.exposure is not None:
        at_risk = numbers(table, exposure or asked.exposure)
        values = np.where(np.isfinite(at_risk), values, math.nan)
    labels = np.array(words(table, arm) if arm else [""] * table.height)
    before: Any = None
    name = baseline or asked.baseline
    if name is not None and name in table.columns:
        before = numbers(table, name)
        before = np.where(np.isnan(before), np.nanmedian(before), before)
    known = Known(design=np.zeros((table.height, 0)), names=())
    return History(
        known=known, endpoint=asked.endpoint, outcome=values, event=flags, exposure=at_risk, baseline=before
    ), labels
