"""From a tidy table to a design: which columns there are, what they are called, and what their average is.

Coding is by treatment: a variable's first level is the reference and has no column. A term is a product of variables. At
a reference cell a variable stands for one level, or for its average: a number for its mean over the rows used, a factor
for all its levels with equal weight (Searle, Speed and Milliken, "Population marginal means in the linear model", American
Statistician 34 (1980): 216), so a term's average is the product of its variables'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.layout import natural
from medtwin.trials.mmrm.structures.curve import Array


@dataclass(frozen=True)
class Variable:
    """A number (no levels) or a factor; NaN where the table has nothing."""

    name: str
    values: Array  #: (N, columns)
    columns: tuple[str, ...]
    levels: tuple[str, ...]

    def at(self, level: str | None, used: np.ndarray) -> Array:
        """Its columns at one level, or averaged over the rows ``used``, (columns,)."""
        if level is not None:
            return np.array([float(other == level) for other in self.levels[1:]])
        if self.levels:
            return np.full(len(self.columns), 1.0 / len(self.levels))
        return np.asarray(self.values[used].mean(0))


@dataclass(frozen=True)
class Design:
    """Terms in their order, after the constant."""

    variables: Mapping[str, Variable]
    terms: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """``(intercept)``, ``SEX[F]``, ``ARM[B]:VISIT[week 4]``."""
        parts = [product(*(self.variables[v].columns for v in term)) for term in self.terms]
        return ("(intercept)", *(":".join(labels) for part in parts for labels in part))

    def matrix(self) -> Array:
        """(N, p)."""
        rows = len(next(iter(self.variables.values())).values)
        parts = [np.ones((rows, 1))]
        for term in self.terms:
            part = np.ones((rows, 1))
            for v in term:
                part = (part[:, :, None] * self.variables[v].values[:, None, :]).reshape(rows, -1)
            parts.append(part)
        return np.concatenate(parts, 1)

    def average(self, levels: Mapping[str, str], used: np.ndarray) -> Array:
        """The row, (p,), of a reference cell: ``levels`` names the variables that stand at a level."""
        parts = [np.ones(1)]
        for term in self.terms:
            part = np.ones(1)
            for v in term:
                part = np.outer(part, self.variables[v].at(levels.get(v), used)).ravel()
            parts.append(part)
        return np.concatenate(parts)


def number(table: pl.DataFrame, name: str) -> Array:
    """A column of numbers, NaN where it is null."""
    series = _column(table, name)
    if not (series.dtype.is_numeric() or series.dtype == pl.Boolean or series.dtype == pl.Null):
        raise AnalysisError(f"column {name!r} of {series.dtype}", expected="numbers",
                            remedy="name it among the factors, or convert it")  # fmt: skip
    return series.cast(pl.Float64).fill_null(math.nan).to_numpy()


def labels(table: pl.DataFrame, name: str) -> pl.Series:
    """A column as text, null where it is."""
    series = _column(table, name)
    return series.cast(pl.String) if not series.dtype.is_float() else series.cast(pl.String).str.replace(r"\.0$", "")


def factor(table: pl.DataFrame, name: str, used: np.ndarray, levels: Sequence[object] | None = None) -> Variable:
    """A factor: ``levels`` in their order, else an Enum's own, else natural, of the rows ``used``. Another level is an error."""
    text, kind = labels(table, name), _column(table, name).dtype
    seen = set(text.filter(used).drop_nulls())
    own = (
        [level for level in kind.categories if level in seen]
        if isinstance(kind, pl.Enum)
        else sorted(seen, key=natural)
    )
    known = own if levels is None else [str(level) for level in levels]
    if unknown := sorted(seen - set(known)):
        raise AnalysisError(f"{name} {unknown[:3]}", expected=f"one of {known}",
                            remedy="name it in the plan, or take its rows out of the table")  # fmt: skip
    if len(known) < 2:
        raise AnalysisError(f"{name!r} with the level{'s' * (len(known) != 1)} {known}", expected="at least two levels",
                            where="the rows that can be used", remedy="leave it out: it says nothing")  # fmt: skip
    absent = text.is_null().to_numpy()
    values = np.stack([(text == level).fill_null(False).to_numpy() for level in known[1:]], 1).astype(float)
    values[absent] = math.nan
    return Variable(name, values, tuple(f"{name}[{level}]" for level in known[1:]), tuple(known))


def covariate(table: pl.DataFrame, name: str) -> Variable:
    """A number."""
    return Variable(name, number(table, name)[:, None], (name,), ())


def _column(table: pl.DataFrame, name: str) -> pl.Series:
    if name not in table.columns:
        raise AnalysisError(f"no column {name!r}", expected=f"one of {table.columns[:30]}")
    return table[name]
