"""The tidy trial that every analysis reads, checked once: one row a patient, nothing missing, nobody twice.

:meth:`TrialData.of` takes arrays as they are and refuses what is wrong; :func:`read_trial` takes named columns of a
table, leaves out rows with a value missing and says how many, of which arm and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from medtwin.errors import AnalysisError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialData:
    """One row a patient. Made by :meth:`of` or :func:`read_trial`, which check it."""

    outcome: np.ndarray  #: (patient,) value, 0/1, count, or time from randomisation when there are events
    arm: np.ndarray  #: (patient,) 0 is control, 1... the treated arms
    arm_names: tuple[str, ...]  #: control first
    covariates: np.ndarray  #: (patient, covariate), known before randomisation
    covariate_names: tuple[str, ...]
    event: np.ndarray | None = None  #: (patient,) true: the event was seen at ``outcome``; false: censored there
    strata: np.ndarray | None = None  #: (patient,) number of the randomisation stratum
    strata_names: tuple[str, ...] = ()
    exposure: np.ndarray | None = None  #: (patient,) time at risk of a count, in the unit of which a rate is wanted
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, outcome: Any, arm: Any, *, control: Any = 0, covariates: Any = None, covariate_names: Sequence[str] = (),
        event: Any = None, strata: Any = None, exposure: Any = None, subject: Any = None,
    ) -> TrialData:  # fmt: skip
        """From arrays with one row a patient: ``arm`` of labels, ``control`` its reference, ``strata`` of labels.

        Raises :class:`AnalysisError` on a value that is missing, a patient twice, an empty arm, a negative time.
        """
        values = _finite(outcome, "outcome")
        size = len(values)
        labels = np.asarray(arm)
        _same_length(labels, size, "arm")
        names = [label for label in _levels(labels, "arm") if label != control]
        if len(names) == len(np.unique(labels)) or not names:
            raise AnalysisError(
                f"arms {[str(label) for label in np.unique(labels)]}", where="arm", remedy="name the control arm's label",
                expected=f"patients both in the control arm {control!s} and in another",
            )  # fmt: skip
        order = [control, *names]
        table = np.zeros((size, 0)) if covariates is None else _finite(covariates, "covariates", dimensions=2)
        _same_length(table, size, "covariates")
        held = tuple(covariate_names) or tuple(f"covariate {number + 1}" for number in range(table.shape[1]))
        if len(held) != table.shape[1] or len(set(held)) != len(held):
            raise AnalysisError(f"names {list(held)}", expected=f"{table.shape[1]} different ones", where="covariates")
        if subject is not None:
            _nobody_twice(subject, size)
        seen = None
        if event is not None:
            flags = _finite(event, "event")
            _same_length(flags, size, "event")
            if not np.isin(flags, (0.0, 1.0)).all():
                raise AnalysisError(
                    "event indicators other than 0 and 1", expected="1 event, 0 censored", where="event"
                )
            if (values < 0.0).any():
                raise AnalysisError(
                    f"{int((values < 0.0).sum())} negative times, first in row {int(np.argmax(values < 0.0))}", where="time",
                    expected="times from randomisation, at least 0", remedy="correct the dates in the source",
                )  # fmt: skip
            seen = flags == 1.0
        at_risk = None
        if exposure is not None:
            at_risk = _finite(exposure, "exposure")
            _same_length(at_risk, size, "exposure")
            if (at_risk <= 0.0).any():
                raise AnalysisError(
                    f"{int((at_risk <= 0.0).sum())} patients without time at risk",
                    expected="positive",
                    where="exposure",
                )
        strata_names: tuple[str, ...] = ()
        stratum = None
        if strata is not None:
            given = np.asarray(strata)
            _same_length(given, size, "strata")
            kinds = _levels(given, "strata")
            strata_names = tuple(str(kind) for kind in kinds)
            stratum = np.searchsorted(np.asarray(kinds), given)
        return cls(
            outcome=values, arm=np.select([labels == label for label in order], list(range(len(order)))), event=seen,
            arm_names=tuple(str(label) for label in order), covariates=table, covariate_names=held, strata=stratum,
            strata_names=strata_names, exposure=at_risk,
        )  # fmt: skip

    @property
    def patients(self) -> dict[str, int]:
        """How many, by arm."""
        return {name: int((self.arm == code).sum()) for code, name in enumerate(self.arm_names)}

    def pair(self, treated: int) -> TrialData:
        """Control and one treated arm alone."""
        keep = (self.arm == 0) | (self.arm == treated)
        return replace(
            self, outcome=self.outcome[keep], arm=(self.arm[keep] == treated).astype(int), covariates=self.covariates[keep],
            arm_names=(self.arm_names[0], self.arm_names[treated]), event=None if self.event is None else self.event[keep],
            strata=None if self.strata is None else self.strata[keep],
            exposure=None if self.exposure is None else self.exposure[keep],
        )  # fmt: skip

    def with_strata_as_covariates(self) -> TrialData:
        """Each stratum but the first as an indicator beside the covariates."""
        if self.strata is None:
            raise AnalysisError(
                "no strata", expected="the column by which randomisation was stratified", where="strata"
            )
        more = (self.strata[:, None] == np.arange(1, len(self.strata_names))).astype(float)
        names = tuple(f"stratum {name}" for name in self.strata_names[1:])
        return replace(
            self, covariates=np.hstack([self.covariates, more]), covariate_names=(*self.covariate_names, *names)
        )

    def interacting(self, asked: bool | Sequence[str]) -> tuple[str, ...]:
        """The covariates that have a slope of their own in each arm: all, none, or those named."""
        if isinstance(asked, bool):
            return self.covariate_names if asked else ()
        unknown = [name for name in asked if name not in self.covariate_names]
        if unknown:
            raise AnalysisError(
                f"no covariate {unknown}", expected=f"some of {self.covariate_names}", where="interactions"
            )
        return tuple(asked)

    def independent(self) -> TrialData:
        """Without the covariates that are constant or a linear function of those before them; each is named in a note.

        Nothing is lost: the rest spans the same space, so that fitted values and effects stay as they are.
        """
        centred = self.covariates - self.covariates.mean(axis=0)
        scale = np.abs(self.covariates).max(axis=0, initial=0.0)
        kept, basis, notes = [], np.zeros((len(self.outcome), 0)), []
        for number, name in enumerate(self.covariate_names):
            column = centred[:, number]
            length = float(np.linalg.norm(column))
            if length <= 1e-12 * scale[number] * len(column) ** 0.5:
                notes.append(f"covariate {name} is the same for every patient: left out, the estimate does not change")
                continue
            rest = column / length
            for _ in range(2):
                rest = rest - basis @ (basis.T @ rest)
            left = float(np.linalg.norm(rest))
            if left <= 1e-9:
                notes.append(
                    f"covariate {name} is a linear function of the covariates before it: left out, the estimate does not change"
                )
                continue
            kept.append(number)
            basis = np.column_stack([basis, rest / left])
        if not notes:
            return self
        names = tuple(self.covariate_names[number] for number in kept)
        return replace(
            self, covariates=self.covariates[:, kept], covariate_names=names, notes=(*self.notes, *notes)
        )  # fmt: skip


def read_trial(
    frame: pl.DataFrame, *, outcome: str, arm: str, control: Any, covariates: Sequence[str] = (), event: str | None = None,
    strata: Sequence[str] = (), exposure: str | None = None, subject: str | None = None, missing_outcome: str = "drop",
    missing_covariate: str = "drop",
) -> TrialData:  # fmt: skip
    """Named columns of a table as a trial. Words and yes/no become indicators of each level but the first.

    ``missing_outcome`` (of outcome, event, exposure): ``drop`` leaves the patient out and says so, ``refuse`` raises.
    ``missing_covariate``: the same, or ``mean``: the mean over all arms, which does not look at the arm or the outcome; of
    words a level of its own, "(missing)".
    A patient without an arm or a stratum is refused.
    """
    import polars as pl

    asked = [outcome, arm, *covariates, *strata, *(name for name in (event, exposure, subject) if name)]
    absent = [name for name in asked if name not in frame.columns]
    if absent:
        raise AnalysisError(f"no column {absent}", expected=f"some of {frame.columns}", where="the trial's table")
    if missing_outcome not in ("drop", "refuse") or missing_covariate not in ("drop", "refuse", "mean"):
        raise AnalysisError(
            f"{missing_outcome!r}, {missing_covariate!r}", expected="drop or refuse; drop, refuse or mean"
        )
    for name in (name for name in (outcome, event, exposure) if name):
        if not (frame.schema[name].is_numeric() or frame.schema[name] == pl.Boolean):
            raise AnalysisError(f"column {name} holds words or dates", expected="numbers", where="the trial's table")
    if subject:
        _nobody_twice(frame[subject].to_numpy(), frame.height)
    floats = [name for name, kind in frame.schema.items() if kind.is_float()]
    frame = frame.with_columns(pl.col(floats).fill_nan(None))
    for name in (arm, *strata):
        if frame[name].null_count():
            raise AnalysisError(f"{frame[name].null_count()} patients without {name}", expected="none", where=name)
    notes: list[str] = []
    for name in (name for name in (outcome, event, exposure) if name):
        frame = _complete(frame, name, arm, missing_outcome, notes)
    columns: list[np.ndarray] = []
    names: list[str] = []
    for name in covariates:
        if frame[name].null_count() and missing_covariate == "mean":
            kind = frame.schema[name]
            if not kind.is_numeric():
                if kind.is_temporal() or kind.is_nested():
                    raise AnalysisError(
                        f"{name} missing, which has no mean", expected="a number or words", remedy="drop or refuse"
                    )
                notes.append(f"{frame[name].null_count()} patients without {name}: a level of their own")
                frame = frame.with_columns(pl.col(name).cast(pl.String).fill_null("(missing)"))
                continue
            notes.append(f"{frame[name].null_count()} patients without {name}: the mean over all arms was put in")
            frame = frame.with_columns(pl.col(name).fill_null(pl.col(name).mean()))
        frame = _complete(frame, name, arm, missing_covariate, notes)
    if not frame.height:
        raise AnalysisError("no patient with every value", expected="some", where="the trial's table")
    for name in covariates:
        kind = frame.schema[name]
        if kind.is_numeric() or kind == pl.Boolean:
            columns.append(frame[name].cast(pl.Float64).to_numpy())
            names.append(name)
            continue
        if kind.is_temporal() or kind.is_nested():
            raise AnalysisError(
                f"covariate {name} holds dates or lists", expected="numbers or words", where="the trial's table"
            )
        words = frame[name].cast(pl.String)
        for level in sorted(words.unique().to_list())[1:]:
            columns.append((words == level).cast(pl.Float64).to_numpy())
            names.append(f"{name}={level}")
    given = None
    if strata:
        held = frame.select(pl.col(name).cast(pl.String) for name in strata)
        given = held.select(pl.concat_str(pl.all(), separator=", ").alias("s"))
        if given["s"].n_unique() < held.unique().height:  # a comma in a word: "a, b" with "c" is not "a" with "b, c"
            given = pl.DataFrame({"s": [repr(row) for row in held.rows()]})
    trial = TrialData.of(
        frame[outcome].cast(pl.Float64).to_numpy(), frame[arm].to_numpy(), control=control,
        covariates=np.column_stack(columns) if columns else None, covariate_names=names,
        event=frame[event].cast(pl.Float64).to_numpy() if event else None,
        strata=given["s"].to_numpy().astype(str) if given is not None else None,
        exposure=frame[exposure].cast(pl.Float64).to_numpy() if exposure else None,
    )  # fmt: skip
    return replace(trial, notes=tuple(notes))


def _complete(frame: pl.DataFrame, name: str, arm: str, rule: str, notes: list[str]) -> pl.DataFrame:
    gone = frame.filter(frame[name].is_null())
    if not gone.height:
        return frame
    if rule == "refuse":
        raise AnalysisError(f"{gone.height} patients without {name}", expected="none missing", where=name)
    by_arm = ", ".join(f"{row[1]} of arm {row[0]}" for row in gone[arm].value_counts().sort(arm).rows())
    notes.append(f"{gone.height} patients left out, without {name}: {by_arm}")
    return frame.filter(frame[name].is_not_null())


def _levels(labels: np.ndarray, where: str) -> list[Any]:
    try:
        kinds = np.unique(labels)
    except TypeError:
        raise AnalysisError(
            "labels of several kinds, or missing", expected="all words or all numbers", where=where
        ) from None
    if kinds.dtype.kind == "f" and not np.isfinite(kinds).all():
        raise AnalysisError("a label is missing", expected="one for every patient", where=where)
    return list(kinds)


def _finite(values: Any, where: str, dimensions: int = 1) -> np.ndarray:
    try:
        held = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise AnalysisError("values that are not numbers", expected="numbers", where=where) from None
    if held.ndim != dimensions:
        raise AnalysisError(f"{held.ndim} dimensions", expected=f"{dimensions}", where=where)
    if not np.isfinite(held).all():
        raise AnalysisError(
            f"{int((~np.isfinite(held)).sum())} values that are missing or not finite", expected="none", where=where,
            remedy="read the table with read_trial, which leaves out or fills in by a named rule",
        )  # fmt: skip
    return held


def _same_length(values: np.ndarray, size: int, where: str) -> None:
    if len(values) != size:
        raise AnalysisError(f"{len(values)} rows", expected=f"{size}, as many as outcomes", where=where)


def _nobody_twice(subject: Any, size: int) -> None:
    held = np.asarray(subject)
    _same_length(held, size, "subject")
    twice = size - len(np.unique(held.astype(str)))
    if twice:
        raise AnalysisError(
            f"{twice} rows of patients who have a row already", expected="one row a patient", where="subject",
            remedy="decide which row counts before the analysis",
        )  # fmt: skip
