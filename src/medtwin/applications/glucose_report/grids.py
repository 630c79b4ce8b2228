"""Error grids of a table of pairs: columns ``reference``, ``estimate`` and ``unit``."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.units import convert
from medtwin.statistics.glucose.clarke import ZONES, clarke
from medtwin.statistics.glucose.parkes import parkes

COLUMNS = ("reference", "estimate", "unit")
GRIDS = ("clarke", "parkes_1", "parkes_2")


@dataclass(frozen=True)
class ErrorGrids:
    """Zones by grid (N,), and the mean absolute relative difference (%). ``pairs``: reference and estimate, mg/dL."""

    reference: np.ndarray
    estimate: np.ndarray
    zones: dict[str, np.ndarray]
    mean_relative: float

    def counts(self, grid: str) -> dict[str, int]:
        """Pairs in each zone."""
        return {zone: int((self.zones[grid] == zone).sum()) for zone in ZONES.tolist()}


def error_grids(reference: np.ndarray, estimate: np.ndarray) -> ErrorGrids:
    """Of pairs in mg/dL (N,)."""
    zones = {
        "clarke": clarke(reference, estimate), "parkes_1": parkes(reference, estimate, 1),
        "parkes_2": parkes(reference, estimate, 2),
    }  # fmt: skip
    return ErrorGrids(reference, estimate, zones, 100.0 * float(np.mean(np.abs(estimate - reference) / reference)))


def read_pairs(path: Path) -> ErrorGrids:
    """A CSV file; each row has its own unit (mg/dL, mmol/L). Raises :class:`FormatError` at the first row that cannot be read."""
    quantity = registry.get("blood_glucose")
    pairs: list[tuple[float, float]] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError("bytes that are not UTF-8", where=str(path), remedy="save the table as CSV, UTF-8") from error
    rows = csv.DictReader(text.splitlines())
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise FormatError(
            f"no column {', '.join(missing)}", expected="columns reference, estimate, unit", where=str(path)
        )
    for number, row in enumerate(rows, start=2):
        where = f"{path}, line {number}"
        pair = []
        for name in COLUMNS[:2]:
            try:
                value = float(row[name] or "")
            except ValueError:
                value = math.nan
            if not (math.isfinite(value) and value > 0.0):
                raise FormatError(f"{name} {(row[name] or '')[:20]!r}", expected="a positive number", where=where)
            value = convert(value, row["unit"], quantity)
            if not 1.0 <= value <= quantity.high:
                raise FormatError(
                    f"{name} of {value:.4g} mg/dL", expected=f"1 to {quantity.high:g} mg/dL", where=where,
                    remedy="check the unit of this row",
                )  # fmt: skip
            pair.append(value)
        pairs.append((pair[0], pair[1]))
    if not pairs:
        raise FormatError("no row", expected="a pair in each row", where=str(path))
    reference, estimate = np.array(pairs).T
    return error_grids(reference, estimate)
