"""A table as the fairness report reads it, checked once: who has an outcome and a prediction, of which kind, in which arm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.tables import of_frame

if TYPE_CHECKING:
    import polars as pl

KINDS = ("binary", "continuous", "survival")
EDGE = 1e-6  #: risks of 0 and 1 are taken as this far from them, since their log odds are infinite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Patients with outcome and prediction; arrays (patient,)."""

    kind: str
    outcome: np.ndarray  #: value, 0/1, or time of follow-up
    predicted: np.ndarray  #: mean, risk, or risk by the horizon
    event: np.ndarray | None
    horizon: float | None
    baseline: np.ndarray | None  #: (patient, column)
    arm: np.ndarray | None  #: code of the arm
    untreated: np.ndarray  #: true: calibration and discrimination are looked at here
    calibration: np.ndarray | None  #: true: sets the width of conformal intervals
    complete: np.ndarray  #: (row of the table,) true: is a patient of this sample
    notes: tuple[str, ...]


def as_frame(table: Any) -> pl.DataFrame:
    """A polars table of one of polars, of pandas, of a mapping of columns, or of what has a ``frame``."""
    import polars as pl

    if isinstance(getattr(table, "frame", None), pl.DataFrame):
        frame = table.frame
    elif isinstance(table, Mapping):
        try:
            frame = pl.DataFrame({str(name): column for name, column in table.items()})
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise AnalysisError(
                "a mapping that is no table", expected="columns of one length, each of one kind"
            ) from error
    else:
        frame = of_frame(table)
    floats = [name for name, kind in frame.schema.items() if kind.is_float()]
    return frame.with_columns(pl.col(floats).fill_nan(None))


def read_sample(
    frame: pl.DataFrame, *, outcome: str, prediction: str, kind: str | None = None, baseline: Sequence[str] = (),
    treatment: str | None = None, control: Any = None, event: str | None = None, horizon: float | None = None,
    calibration: str | None = None, subject: str | None = None,
) -> Sample:  # fmt: skip
    """Named columns; rows without outcome, prediction, baseline, arm or event are left out and counted in the notes."""
    asked = [outcome, prediction, *baseline, *(name for name in (treatment, event, calibration, subject) if name)]
    absent = [name for name in asked if name not in frame.columns]
    if absent:
        raise AnalysisError(f"no column {absent}", expected=f"some of {frame.columns}", where="the table")
    if outcome == prediction:
        raise AnalysisError("the outcome as its own prediction", expected="two columns", where=outcome)
    if subject and frame[subject].n_unique() != frame.height:
        raise AnalysisError(f"{frame.height - frame[subject].n_unique()} rows of patients who have a row already",
                            expected="one row a patient", where=subject)  # fmt: skip
    notes: list[str] = []
    complete = np.ones(frame.height, dtype=bool)
    columns: dict[str, np.ndarray] = {}
    for name in dict.fromkeys([outcome, prediction, *([event] if event else []), *baseline]):
        columns[name] = _numbers(frame[name])
        missing = ~np.isfinite(columns[name])
        if missing.any():
            notes.append(
                f"{int(missing.sum())} patients without {name}: left out of every figure but the share without outcome"
            )
        complete &= ~missing
    if treatment and frame[treatment].null_count():
        notes.append(f"{frame[treatment].null_count()} patients without {treatment}: left out")
        complete &= frame[treatment].is_not_null().to_numpy()
    if not complete.any():
        raise AnalysisError("no patient with outcome and prediction", expected="some", where="the table")
    y, p = columns[outcome][complete], columns[prediction][complete]
    found = kind or _kind(y, event)
    p = _checked(y, p, found, event, horizon, columns, complete, notes)
    arm, untreated = None, np.ones(len(y), dtype=bool)
    if treatment:
        labels = [str(value) for value in frame[treatment].to_list()]
        names = sorted({label for label, kept in zip(labels, complete, strict=True) if kept})
        arm = np.array([names.index(label) for label, kept in zip(labels, complete, strict=True) if kept])
        if control is None:
            notes.append("no control arm was named: calibration, discrimination and decisions are over all arms, an effect of"
                         " treatment included")  # fmt: skip
        elif str(control) not in names:
            raise AnalysisError(f"control arm {control!r}", expected=f"one of {names}", where=treatment)
        else:
            untreated = arm == names.index(str(control))
            notes.append(
                f"calibration, discrimination and decisions are of arm {control} alone, whose outcome is predicted"
            )
    table = np.column_stack([columns[name][complete] for name in baseline]) if baseline else None
    chosen = None
    if calibration:
        flags = _numbers(frame[calibration])[complete]
        if not np.isin(flags, (0.0, 1.0)).all() or flags.min() == flags.max():
            raise AnalysisError(
                "marks other than 0 and 1, or one of them only", expected="1: calibration, 0: test", where=calibration
            )
        chosen = flags == 1.0
    return Sample(
        kind=found, outcome=y, predicted=p, event=columns[event][complete] == 1.0 if event else None, horizon=horizon,
        baseline=table, arm=arm, untreated=untreated, calibration=chosen, complete=complete, notes=tuple(notes),
    )  # fmt: skip


def _kind(y: np.ndarray, event: str | None) -> str:
    return "survival" if event else "binary" if np.isin(y, (0.0, 1.0)).all() else "continuous"


def _checked(
    y: np.ndarray, p: np.ndarray, kind: str, event: str | None, horizon: float | None, columns: dict[str, np.ndarray],
    complete: np.ndarray, notes: list[str],
) -> np.ndarray:  # fmt: skip
    if kind not in KINDS or (kind == "survival") != bool(event):
        raise AnalysisError(f"kind {kind!r}", expected=f"one of {KINDS}; an event column for survival", where="outcome")
    if kind == "binary" and not np.isin(y, (0.0, 1.0)).all():
        raise AnalysisError("outcomes other than 0 and 1", expected="0 or 1", where="outcome")
    if kind == "survival":
        if horizon is None or not (math.isfinite(horizon) and horizon > 0.0):
            raise AnalysisError(
                f"horizon {horizon}", expected="the time by which the risk is predicted", where="outcome"
            )
        if (y < 0.0).any() or not np.isin(columns[event or ""][complete], (0.0, 1.0)).all():
            raise AnalysisError(
                "negative times, or events other than 0 and 1", expected="1 event, 0 censored", where="outcome"
            )
    if kind == "continuous":
        return p
    if not ((p >= 0.0) & (p <= 1.0)).all():
        raise AnalysisError(f"predictions from {p.min():.3g} to {p.max():.3g}", expected="risks between 0 and 1",
                            where="prediction", remedy="turn log odds into probabilities first")  # fmt: skip
    outside = int(((p < EDGE) | (p > 1.0 - EDGE)).sum())
    if outside:
        notes.append(f"{outside} predicted risks of 0 or 1 were taken as {EDGE:g} away from it: no patient is certain")
    return np.clip(p, EDGE, 1.0 - EDGE)


def _numbers(column: pl.Series) -> np.ndarray:
    import polars as pl

    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise AnalysisError(f"column {column.name} holds words or dates", expected="numbers", where="the table")
    values: np.ndarray = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return values
