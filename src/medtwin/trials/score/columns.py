"""From the columns of a table to numbers, by rules that the training data set and that look at no arm and no outcome.

A number that is missing becomes the training median; where the training data miss it too, an indicator says so. Words
become an indicator of each level but the most frequent one; a missing word is a level of its own where the training data
have it, and counts as the most frequent level where not. A level that they do not have is refused or counts as the most
frequent one, as the specification says. How many of each, and how many values outside the training range, is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl

from medtwin.errors import AnalysisError

MISSING = "(missing)"


class Column(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One column as the training data knew it: enough to encode it anew, and to see whether a trial's differs."""

    name: str
    kind: str  #: number | words
    rows: int  #: of the training data
    missing: int
    indicator: bool = False  #: number: whether missing has a column of its own
    median: float = 0.0
    mean: float = 0.0
    sd: float = 0.0
    low: float = 0.0
    high: float = 0.0
    edges: tuple[float, ...] = ()  #: number: inner edges of the bins of the stability index, (bin - 1,)
    levels: tuple[str, ...] = ()  #: words: the most frequent first
    counts: tuple[int, ...] = ()  #: of each bin, or of each level

    @property
    def encoded(self) -> tuple[str, ...]:
        """Names of the columns that it becomes."""
        if self.kind == "number":
            return (self.name, f"{self.name} {MISSING}") if self.indicator else (self.name,)
        return tuple(f"{self.name}={level}" for level in self.levels[1:])


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What was met in one column of a table that a score was applied to."""

    name: str
    missing: int = 0
    below: int = 0  #: under the training minimum
    above: int = 0  #: over the training maximum
    unseen: int = 0  #: levels that the training data do not have


def numbers(table: pl.DataFrame, name: str) -> np.ndarray:
    """A column of numbers, (row,), NaN where it is missing. Infinite values are refused."""
    if name not in table.columns:
        raise AnalysisError(f"no column {name!r}", expected=f"one of {table.columns[:30]}", where="the score's columns")
    kind = table.schema[name]
    if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
        raise AnalysisError(f"column {name!r} of {kind}", expected="numbers", where="the score's columns")
    held = table[name].cast(pl.Float64).fill_null(math.nan).to_numpy()
    if np.isinf(held).any():
        raise AnalysisError(f"{int(np.isinf(held).sum())} infinite values", expected="finite numbers", where=name)
    return np.asarray(held, float)


def words(table: pl.DataFrame, name: str) -> list[str]:
    """A column as text, ``MISSING`` where it is; 2.0 reads as 2."""
    if name not in table.columns:
        raise AnalysisError(f"no column {name!r}", expected=f"one of {table.columns[:30]}", where="the score's columns")
    kind = table.schema[name]
    if kind.is_temporal() or kind.is_nested():
        raise AnalysisError(f"column {name!r} of {kind}", expected="words or numbers", where="the score's columns")
    series = table[name].fill_nan(None) if kind.is_float() else table[name]
    text = series.cast(pl.String)
    if kind.is_float():
        text = text.str.replace(r"\.0$", "")
    return [MISSING if value is None or not value.strip() else value.strip() for value in text]


def learn(table: pl.DataFrame, names: Sequence[str], coded: Sequence[str] = ()) -> tuple[Column, ...]:
    """The columns of the training table; ``coded`` are numbers that are codes."""
    return tuple(learn_column(table, name, name in coded) for name in names)


def learn_column(table: pl.DataFrame, name: str, coded: bool = False) -> Column:
    """One column. Raises where all of it is missing."""
    kind = table.schema.get(name, pl.Null())
    if coded or not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
        met = words(table, name)
        counts = {level: met.count(level) for level in set(met)}
        levels = tuple(sorted(counts, key=lambda level: (-counts[level], level)))
        if levels == (MISSING,):
            raise AnalysisError(f"column {name!r} without a value", expected="some", where="the training data")
        if levels[0] == MISSING:  # the reference is a level that says something
            levels = (*levels[1:2], MISSING, *levels[2:])
        if len(levels) > max(20, len(met) // 5):
            raise AnalysisError(f"{len(levels)} levels of {name!r} in {len(met)} rows", expected="few levels",
                                where="the training data", remedy="an identifier is no covariate")  # fmt: skip
        return Column(name=name, kind="words", rows=len(met), missing=counts.get(MISSING, 0), levels=levels,
                      counts=tuple(counts[level] for level in levels))  # fmt: skip
    values = numbers(table, name)
    seen = values[np.isfinite(values)]
    if not len(seen):
        raise AnalysisError(f"column {name!r} without a value", expected="some", where="the training data")
    edges = tuple(float(x) for x in np.unique(np.quantile(seen, np.arange(1, 10) / 10.0)))
    binned = np.bincount(np.searchsorted(edges, seen, side="left"), minlength=len(edges) + 1)
    gone = len(values) - len(seen)
    return Column(
        name=name, kind="number", rows=len(values), missing=gone, indicator=gone > 0, median=float(np.median(seen)),
        mean=float(seen.mean()), sd=float(seen.std(ddof=1)) if len(seen) > 1 else 0.0, low=float(seen.min()),
        high=float(seen.max()), edges=edges, counts=tuple(int(k) for k in binned),
    )  # fmt: skip


def encode(
    table: pl.DataFrame, columns: Sequence[Column], unseen: str = "refuse"
) -> tuple[np.ndarray, tuple[Counted, ...]]:
    """Design (row, encoded column) and what was counted on the way."""
    parts, counted = [np.zeros((table.height, 0))], []
    for column in columns:
        part, count = _encode_number(table, column) if column.kind == "number" else _encode_words(table, column, unseen)
        parts.append(part)
        counted.append(count)
    return np.hstack(parts), tuple(counted)


def encoded_names(columns: Sequence[Column]) -> tuple[str, ...]:
    """Of the design's columns."""
    return tuple(name for column in columns for name in column.encoded)


def _encode_number(table: pl.DataFrame, column: Column) -> tuple[np.ndarray, Counted]:
    values = numbers(table, column.name)
    gone = np.isnan(values)
    filled = np.where(gone, column.median, values)
    parts = [filled, gone.astype(float)] if column.indicator else [filled]
    return np.stack(parts, 1), Counted(
        name=column.name, missing=int(gone.sum()), below=int((filled < column.low).sum()),
        above=int((filled > column.high).sum()),
    )  # fmt: skip


def _encode_words(table: pl.DataFrame, column: Column, unseen: str) -> tuple[np.ndarray, Counted]:
    met = words(table, column.name)
    missing = met.count(MISSING)
    known = set(column.levels) | {MISSING}
    strange = sorted({level for level in met if level not in known})
    if strange and unseen == "refuse":
        raise AnalysisError(
            f"{len(strange)} levels of {column.name!r} that the training data do not have: {strange[:3]}",
            expected=f"one of {list(column.levels)}", where="applying the score",
            remedy="correct the table, or train a score whose specification says `unseen: usual`",
        )  # fmt: skip
    held = np.array(met, dtype=object)
    part = (
        np.stack([held == level for level in column.levels[1:]], 1)
        if len(column.levels) > 1
        else np.zeros((len(met), 0))
    )
    return part.astype(float), Counted(
        name=column.name, missing=missing, unseen=sum(level not in known for level in met)
    )
