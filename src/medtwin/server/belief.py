"""A twin's belief of one observable, read from the columns that its filter left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from medtwin.server.living import Standing
from medtwin.server.shapes import Band

LEVEL = 0.9
Z = 1.6448536269514722  #: half-width of a 90 % interval, in standard deviations
POINTS = 2000  #: of a band that is sent


@dataclass(frozen=True, slots=True)
class Believed:
    """What was believed of an observable at ``time``."""

    time: datetime
    mean: float
    sd: float

    @property
    def lower(self) -> float:
        return self.mean - Z * self.sd

    @property
    def upper(self) -> float:
        return self.mean + Z * self.sd


def column(standing: Standing, names: Sequence[str], since: int | None = None, until: int | None = None) -> np.ndarray:
    """Columns ``(rows, names)`` of the pieces that reach into ``since..until`` (step boundaries)."""
    twin = standing.twin
    assert twin is not None
    parts = []
    for piece in twin.pieces:
        boundary = piece.columns["boundary"]
        if not len(boundary) or (since is not None and boundary[-1] < since):
            continue
        if until is not None and boundary[0] > until:
            break
        if all(name in piece.columns for name in names):
            parts.append(np.stack([piece.columns[name] for name in names], axis=1))
    if not parts:
        return np.zeros((0, len(names)))
    rows = np.concatenate(parts)
    if names[0] == "boundary":
        keep = np.ones(len(rows), bool)
        if since is not None:
            keep &= rows[:, 0] >= since
        if until is not None:
            keep &= rows[:, 0] <= until
        rows = rows[keep]
    return rows


def observed(standing: Standing, quantity: str) -> bool:
    """Whether the twin holds a belief of this quantity."""
    return standing.twin is not None and quantity in standing.twin.model.observes


def band(standing: Standing, quantity: str, since: datetime, until: datetime) -> Band | None:
    """The belief of ``quantity`` in a window; None where no model holds one."""
    if not observed(standing, quantity):
        return None
    assert standing.twin is not None
    axis = standing.twin.axis
    rows = column(
        standing, ("boundary", f"mean:{quantity}", f"sd:{quantity}"), int(axis.position(since)), axis.boundary(until)
    )
    if len(rows) > POINTS:
        rows = rows[:: -(-len(rows) // POINTS)]
    mean, sd = rows[:, 1], rows[:, 2]
    return Band(
        times=[axis.moment(int(b)) for b in rows[:, 0]], mean=_numbers(mean), lower=_numbers(mean - Z * sd),
        upper=_numbers(mean + Z * sd), level=LEVEL,
    )  # fmt: skip


def latest(standing: Standing, quantity: str) -> Believed | None:
    """The newest belief."""
    if not observed(standing, quantity):
        return None
    assert standing.twin is not None
    for piece in reversed(standing.twin.pieces):
        found = _row(standing, piece.columns, quantity, len(piece.columns["boundary"]) - 1)
        if found is not None:
            return found
    return None


def at_event(standing: Standing, quantity: str, moment: datetime) -> Believed | None:
    """The belief right after a reading of that moment."""
    if not observed(standing, quantity):
        return None
    assert standing.twin is not None
    boundary = standing.twin.axis.boundary(moment)
    for piece in reversed(standing.twin.pieces):
        known = piece.columns["boundary"]
        if len(known) and known[0] <= boundary:
            place = int(np.searchsorted(known, boundary))
            if place < len(known) and known[place] == boundary:
                return _row(standing, piece.columns, quantity, place)
            return None
    return None


def _row(standing: Standing, columns: object, quantity: str, place: int) -> Believed | None:
    assert standing.twin is not None
    if place < 0:
        return None
    mean, sd = (float(columns[f"{name}:{quantity}"][place]) for name in ("mean", "sd"))  # type: ignore[index]
    if not (np.isfinite(mean) and np.isfinite(sd)):
        return None
    return Believed(standing.twin.axis.moment(int(columns["boundary"][place])), mean, sd)  # type: ignore[index]


def _numbers(values: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
