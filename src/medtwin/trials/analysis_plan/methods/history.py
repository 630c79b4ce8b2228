"""What is known of historical controls: a study's count or mean, published or summed up from rows of the table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.asked import Asked, arm_word

if TYPE_CHECKING:
    from medtwin.trials.analysis_plan.methods.borrowed import Borrowed


class Study(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One historical control arm."""

    name: str = ""
    patients: float
    responders: float | None = None  #: of a binary outcome
    mean: float | None = None  #: of a continuous one, with its standard error
    standard_error: float | None = None
    outcomes: list[float] = []  #: of each patient, where they are rows of the table

    def shifted(self, drift: float, *, rate: bool) -> Study:
        """The study with its rate (kept in 0 to 1) or mean moved by ``drift``."""
        if rate:
            share = min(max((self.responders or 0.0) / self.patients + drift, 0.0), 1.0)
            return msgspec.structs.replace(self, responders=float(round(share * self.patients)))
        moved = [value + drift for value in self.outcomes]
        return msgspec.structs.replace(self, mean=(self.mean or 0.0) + drift, outcomes=moved)


def studies(method: Borrowed, asked: Asked) -> tuple[list[Study], tuple[str, ...]]:
    """(at least one, of the kind that the endpoint needs; notes on who of them was left out). Raises :class:`AnalysisError`."""
    if bool(method.external) == bool(method.history):
        raise AnalysisError("rows and a published history, or neither", where=asked.analysis.name,
                            expected="either external (labels of the arm column) or history")  # fmt: skip
    labels = [arm_word(label, asked.plan.labels) for label in method.external]
    if own := [label for label in labels if label in (asked.control, *asked.treated)]:
        raise AnalysisError(f"arms {own} of this trial as its own history", where=asked.analysis.name,
                            expected="labels of other patients", remedy="nobody may count twice")  # fmt: skip
    notes: list[str] = []
    held = list(method.history) or [_of_rows(label, asked, notes) for label in labels]
    rate = asked.analysis.endpoint == "binary"
    for study in held:
        whole = study.responders is not None if rate else study.mean is not None and (study.standard_error or 0.0) > 0.0
        if not whole or not study.patients > 0.0:
            raise AnalysisError(f"history {study.name!r} without its numbers", where=asked.analysis.name,
                                expected="patients and responders" if rate else "patients, mean and standard_error")  # fmt: skip
    return held, tuple(notes)


def _of_rows(label: str, asked: Asked, notes: list[str]) -> Study:
    one, arm, subject = asked.analysis, asked.plan.arm, asked.plan.subject
    rows = asked.everybody.filter(pl.col(arm) == label)
    if twice := rows.height - rows[subject].n_unique():
        raise AnalysisError(f"{twice} rows of external patients who have a row already", where=one.name,
                            expected="one row a patient", remedy="nobody may count twice")  # fmt: skip
    if not (rows[one.outcome].dtype.is_numeric() or rows[one.outcome].dtype == pl.Boolean):
        raise AnalysisError(f"column {one.outcome} holds words or dates", where=one.name, expected="numbers")
    gone = rows[one.outcome].null_count()
    if gone and one.missing_outcome == "refuse":
        raise AnalysisError(f"{gone} external patients without {one.outcome}", where=one.name, expected="none missing")
    if gone:
        notes.append(f"{gone} external patients of {label} left out, without {one.outcome}")
    numbers = np.asarray(rows[one.outcome].drop_nulls().cast(pl.Float64).to_numpy())
    if len(numbers) < 2:
        raise AnalysisError(
            f"{len(numbers)} external patients {label!r} with an outcome", where=one.name, expected="2 or more"
        )
    if one.endpoint == "binary":
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise AnalysisError("external outcomes other than 0 and 1", where=one.name, expected="0 or 1")
        return Study(name=label, patients=float(len(numbers)), responders=float(numbers.sum()))
    error = float(numbers.std(ddof=1)) / math.sqrt(len(numbers))
    return Study(name=label, patients=float(len(numbers)), mean=float(numbers.mean()), standard_error=error,
                 outcomes=numbers.tolist())  # fmt: skip
