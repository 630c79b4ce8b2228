"""The groups of a table: levels of each column, crossings of columns, and those of whom it is not known.

A missing level (null, nan, empty) is a group of its own, ``unknown``: leaving such patients out would hide that they fare
worse. Numbers with many values are cut into bands that the caller names. Crossings are of pairs of columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from medtwin.errors import AnalysisError

if TYPE_CHECKING:
    import polars as pl

UNKNOWN = "unknown"
EVERYBODY = "all"
MOST_LEVELS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Patients of one level of a column."""

    column: str  #: "sex", "sex x race", "all"
    level: str
    members: np.ndarray  #: (patient,) true


def words(value: Any) -> str:
    """A level as it is shown."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() or UNKNOWN


def levels_of(column: pl.Series, bands: Sequence[float] | None = None) -> np.ndarray:
    """(patient,) the level of each, as words; ``bands``: edges at which numbers are cut, the lower edge within."""
    if bands is None:
        kinds = column.n_unique()
        if kinds > MOST_LEVELS:
            raise AnalysisError(
                f"{kinds} values of {column.name}", expected=f"at most {MOST_LEVELS} groups", where="groups",
                remedy="cut it into bands: age=40,65",
            )  # fmt: skip
        return np.array([words(value) for value in column.to_list()], dtype=object)
    edges = [float(edge) for edge in bands]
    if not column.dtype.is_numeric() or edges != sorted(set(edges)) or not edges:
        raise AnalysisError(f"bands {list(bands)} of {column.name}", expected="rising edges of a column of numbers")
    names = [f"below {edges[0]:g}", *(f"{a:g} to below {b:g}" for a, b in pairwise(edges)),
             f"{edges[-1]:g} or more"]  # fmt: skip
    return np.array([
        UNKNOWN if value is None or math.isnan(value) else names[int(np.searchsorted(edges, value, side="right"))]
        for value in column.to_list()
    ], dtype=object)  # fmt: skip


def find_groups(
    frame: pl.DataFrame, columns: Sequence[str], *, bands: Mapping[str, Sequence[float]] | None = None,
    intersections: bool = True,
) -> tuple[Group, ...]:  # fmt: skip
    """Everybody first, then the levels of each column, then of each pair of columns."""
    if not columns or len(set(columns)) != len(columns):
        raise AnalysisError(f"columns {list(columns)}", expected="one or more, each once", where="groups")
    cut = dict(bands or {})
    if unknown := [name for name in cut if name not in columns]:
        raise AnalysisError(f"bands of {unknown}", expected=f"of {list(columns)}", where="groups")
    held = {name: levels_of(frame[name], cut.get(name)) for name in columns}
    found = [Group(EVERYBODY, EVERYBODY, np.ones(frame.height, dtype=bool))]
    for name, levels in held.items():
        found += [Group(name, level, levels == level) for level in sorted(set(levels.tolist()))]
    if intersections:
        for a, b in combinations(columns, 2):
            both = np.array([f"{a} {x}, {b} {y}" for x, y in zip(held[a], held[b], strict=True)], dtype=object)
            found += [Group(f"{a} x {b}", level, both == level) for level in sorted(set(both.tolist()))]
    return tuple(found)
