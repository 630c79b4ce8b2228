"""The frozen score: numbers and words, a hash of all of them, and what it says of new patients.

The file is JSON (dialect ``medtwin-prognostic-score/1``). ``sha256`` is that of the content without it, with sorted names and
no blanks, so that the same content has the same hash however it is laid out; a field more is another dialect. Prediction
needs NumPy alone.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.reports.save import write
from medtwin.trials.score.columns import Column, Counted, encode, encoded_names, numbers
from medtwin.trials.score.figures import Figures
from medtwin.trials.score.history import Known
from medtwin.trials.score.kinds import Model
from medtwin.trials.score.mixed_model import MixedModel
from medtwin.trials.score.prints import Prints
from medtwin.trials.score.specification import SCALES, ScoreSpecification, checked

DIALECT = "medtwin-prognostic-score/1"
LARGEST = 200_000_000  #: bytes of a file that is still read


class Training(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a score was trained on."""

    source: str  #: of the table, in words
    sha256: str  #: of its columns that were used, see ``prints.table_hash``
    rows: int
    patients: int  #: learnt from
    with_outcome: int
    columns: tuple[str, ...]  #: that were used
    first_outcome: str | None  #: date
    last_outcome: str | None  #: date
    cut: str | None  #: stated date of the data cut


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Applied:
    """Predictions with what was met on the way."""

    values: np.ndarray  #: (patient,)
    unit: str
    counted: tuple[Counted, ...] = field(repr=False)
    notes: tuple[str, ...] = ()


class TrainedScore(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A prognostic score."""

    dialect: str
    made_with: str  #: version of medtwin
    specification: ScoreSpecification
    training: Training
    columns: tuple[Column, ...]  #: of the covariates
    forecast: Column | None  #: physiology
    distribution: Column  #: of the score itself in the training data, out of fold
    model: Model
    figures: Figures  #: cross-validated
    prints: Prints | None
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(_canonical(self)).hexdigest()

    @property
    def name(self) -> str:
        """With its version."""
        return f"{self.specification.name}, version {self.specification.version}"

    @property
    def unit(self) -> str:
        """Of a prediction, in words."""
        scale = self.model.scale
        return self.specification.context.unit if scale == "outcome" else SCALES[scale]

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        """(patient,) in :attr:`unit`; the table has one row a patient. See :meth:`apply` for what was filled in."""
        return self.apply(table).values

    def apply(self, table: pl.DataFrame, *, unseen: str | None = None) -> Applied:
        """Predictions and what was met: missing values, values out of the training range, unseen levels, by column.

        ``unseen``: instead of what the specification says of levels that the training data do not have.
        """
        asked = self.specification
        design, counted = encode(table, self.columns, unseen or asked.unseen)
        forecast = None
        if self.forecast is not None:
            part, more = encode(table, (self.forecast,))
            forecast, counted = part[:, 0], (*counted, *more)
        known = Known(design=design, names=encoded_names(self.columns), forecast=forecast, earlier=self._earlier(table))
        values = self.model.predict(known)
        if not np.isfinite(values).all():
            raise AnalysisError(f"{int((~np.isfinite(values)).sum())} predictions that are not finite", expected="numbers",
                                where=self.name, remedy="look at values far out of the training range")  # fmt: skip
        return Applied(values=values, unit=self.unit, counted=counted, notes=_told(counted, table.height))

    def predict_visits(self, table: pl.DataFrame) -> tuple[tuple[str, ...], np.ndarray]:
        """Of a mixed model: its visits, and (patient, visit) the mean at each, for repeated measures adjusted at each visit."""
        model = getattr(self.model, "model", self.model)
        if not isinstance(model, MixedModel):
            raise AnalysisError(
                f"visits of a {self.specification.kind} score", expected="a mixed model", where=self.name
            )
        design, _ = encode(table, self.columns, self.specification.unseen)
        known = Known(design=design, names=encoded_names(self.columns), earlier=self._earlier(table))
        return model.visits, model.means(known)

    def _earlier(self, table: pl.DataFrame) -> np.ndarray | None:
        model = getattr(self.model, "model", self.model)
        if not isinstance(model, MixedModel) or not self.specification.earlier:
            return None
        made = np.full((table.height, len(model.visits)), math.nan)
        for visit, column in self.specification.earlier.items():
            if column in table.columns:
                made[:, model.visits.index(visit)] = numbers(table, column)
        return made


def freeze(score: TrainedScore, path: Path) -> str:
    """Write the file, mode 0600 since it may hold prints of patients; its hash."""
    digest = score.sha256
    content = {"sha256": digest, **msgspec.to_builtins(score)}
    write(path, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n", "a score")
    return digest


def read_score(path: Path) -> TrainedScore:
    """A frozen score. Raises AnalysisError for a file that is none, or whose content is not that of its hash."""
    if path.stat().st_size > LARGEST:
        raise AnalysisError(f"a file of {path.stat().st_size} bytes", expected=f"at most {LARGEST}", where=str(path))
    return score_from(path.read_bytes(), str(path))


def score_from(content: bytes, where: str = "the score") -> TrainedScore:
    """The same of bytes."""
    try:
        held: Any = msgspec.json.decode(content)
        if not isinstance(held, dict) or held.get("dialect") != DIALECT:
            raise AnalysisError("a file that is no frozen score", expected=f"dialect {DIALECT}", where=where)
        said = held.pop("sha256", None)
        score = msgspec.convert(held, TrainedScore)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise AnalysisError(f"a score that cannot be read ({str(error)[:160]})", expected=f"dialect {DIALECT}",
                            where=where) from error  # fmt: skip
    _finite(held, where)
    if said != score.sha256:
        raise AnalysisError("a score whose content is not that of its hash", expected=f"sha256 {score.sha256[:16]}...",
                            where=where, remedy="it was changed after it was frozen: take the frozen file")  # fmt: skip
    checked(score.specification)
    if fault := _fault(score):
        raise AnalysisError(fault, expected="numbers that fit together", where=where)
    return score


def _fault(score: TrainedScore) -> str:
    every = [*score.columns, *([score.forecast] if score.forecast else []), score.distribution]
    for column in every:
        if column.kind not in ("number", "words") or len(set(column.levels)) < len(column.levels):
            return f"column {column.name!r} of kind {column.kind!r}"
        if column.kind == "words" and (not column.levels or len(column.counts) != len(column.levels)):
            return f"column {column.name!r} without levels"
        if column.kind == "number" and (
            len(column.counts) != len(column.edges) + 1 or list(column.edges) != sorted(column.edges)
        ):
            return f"column {column.name!r} whose bins do not fit"
    if score.forecast is not None and (score.forecast.kind != "number" or score.forecast.indicator):
        return "a forecast that is no number"
    model = getattr(score.model, "model", score.model)
    if score.model.scale not in SCALES or model.scale not in SCALES:
        return f"scale {score.model.scale!r}"
    if model.__class__.__name__ == "PhysiologyModel" and score.forecast is None:
        return "physiology without the column of its forecast"
    if isinstance(model, MixedModel) and set(score.specification.earlier) - set(model.visits):
        return "earlier visits that the model does not know"
    return score.model.check(len(encoded_names(score.columns)))


def _canonical(score: TrainedScore) -> bytes:
    return msgspec.json.encode(score, order="sorted")


def _finite(held: Any, where: str) -> None:
    """A number that is too large reads as infinite."""
    stack = [held]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
        elif isinstance(one, float) and not math.isfinite(one):
            raise AnalysisError("a number that is not finite", expected="finite numbers", where=where)


def _told(counted: tuple[Counted, ...], patients: int) -> tuple[str, ...]:
    notes = []
    for one in counted:
        if one.missing:
            notes.append(
                f"{one.missing} of {patients} patients without {one.name}: the training data's rule was applied"
            )
        if one.below or one.above:
            notes.append(f"{one.name} outside the training range: {one.below} below, {one.above} above, of {patients}")
        if one.unseen:
            notes.append(f"{one.unseen} of {patients} patients with a level of {one.name} that the training data do not have: "
                         "counted as the most frequent level")  # fmt: skip
    return tuple(notes)
