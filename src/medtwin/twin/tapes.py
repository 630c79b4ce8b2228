"""From a record's facts to the tapes that filters fold: one tape a piece, a pure function of the facts.

A reading stands at the step boundary nearest to its moment; two readings of one boundary are one reading with the
precision of both. Doses, meals and rates become inputs held over each step (:mod:`medtwin.physiology.exposures`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from medtwin.inference import tape as tapes
from medtwin.inference.tape import EXACT, LOWER, UPPER, Tape
from medtwin.physiology.model import Model
from medtwin.quantities import registry
from medtwin.record import Comparator, Event
from medtwin.twin.axis import Axis
from medtwin.twin.doses import BASAL, LONG_ACTING, Doses, doses

_KIND = {
    None: EXACT,
    Comparator.BELOW: UPPER,
    Comparator.AT_MOST: UPPER,
    Comparator.ABOVE: LOWER,
    Comparator.AT_LEAST: LOWER,
}


@dataclass(frozen=True)
class Facts:
    """A person's facts as arrays, ready to be cut into pieces."""

    model: Model
    axis: Axis
    readings: dict[str, tuple[np.ndarray, ...]] = field(repr=False)  #: quantity -> boundary, value, sd, kind
    doses: dict[str, Doses] = field(repr=False)

    @property
    def first(self) -> int | None:
        """First boundary with a reading."""
        starts = [columns[0][0] for columns in self.readings.values() if len(columns[0])]
        return int(min(starts)) if starts else None

    @property
    def last(self) -> int | None:
        """Last boundary with a reading."""
        ends = [columns[0][-1] for columns in self.readings.values() if len(columns[0])]
        return int(max(ends)) if ends else None

    def boundaries(self) -> np.ndarray:
        """All boundaries with a reading, sorted."""
        return np.unique(np.concatenate([columns[0] for columns in self.readings.values()] or [np.zeros(0, int)]))

    def plus(self, events: Sequence[Event]) -> Facts | None:
        """These facts and new ones; None when a new reading shares its boundary with an old one (make them anew)."""
        readings, given = dict(self.readings), dict(self.doses)
        for quantity in {e.quantity for e in events}:
            more = [e for e in events if e.quantity == quantity]
            if quantity in readings:
                fresh = _readings(self.axis, more)
                if np.isin(fresh[0], readings[quantity][0]).any():
                    return None
                place = np.searchsorted(readings[quantity][0], fresh[0])
                readings[quantity] = tuple(
                    np.insert(old, place, new) for old, new in zip(readings[quantity], fresh, strict=True)
                )
            elif quantity in given:
                given[quantity] = given[quantity].plus(more)
            else:
                return None
        return Facts(self.model, self.axis, readings, given)

    def tape(self, piece: int, until: int | None = None) -> Tape:
        """The tape of a piece; steps from boundary ``until`` on do not happen."""
        return self.window(piece * self.axis.steps, self.axis.steps, until)

    def window(self, first: int, steps: int, until: int | None = None) -> Tape:
        """The tape of ``steps`` steps from boundary ``first`` on; those from boundary ``until`` on do not happen."""
        made = tapes.blank(self.model, steps, start=self.axis.since_midnight(first), first=first % (1 << 30))
        for quantity, given in self.doses.items():
            made.inputs[quantity][:] = given.held(first, steps)
        for quantity, (boundary, value, sd, kind) in self.readings.items():
            low, high = np.searchsorted(boundary, [first + 1, first + steps + 1])
            at = boundary[low:high] - first - 1
            held = made.readings[quantity]
            held.value[at], held.sd[at], held.kind[at] = value[low:high], sd[low:high], kind[low:high]
            held.present[at] = True
        if until is not None:
            made.valid[()] = np.clip(until - first, 0, steps)
        return made


def facts(model: Model, axis: Axis, events: Iterable[Event]) -> Facts:
    """Facts of a person as arrays. ``events`` are those the model is told, in true-time order."""
    by_quantity: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_quantity[event.quantity].append(event)
    readings = {q: _readings(axis, by_quantity.get(q, ())) for q in model.observes}
    injections = by_quantity.get(LONG_ACTING, ())
    given = {
        a.quantity: doses(
            a.quantity, axis, by_quantity.get(a.quantity, ()), a.resting, injections if a.quantity == BASAL else ()
        )
        for a in model.accepts
    }
    return Facts(model, axis, readings, given)


def placed(axis: Axis, events: Sequence[Event]) -> list[tuple[int, float, float, int]]:
    """Readings of one quantity as (boundary, value, sd, kind), one a boundary, in order."""
    merged: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for event in events:
        value = float(event.value)  # type: ignore[arg-type]
        quantity = registry.get(event.quantity)
        sd = event.sd if event.sd is not None else quantity.sd(value)
        merged[axis.boundary(event.instant)].append((value, max(sd, 1e-9), _KIND[event.comparator]))
    rows = []
    for boundary in sorted(merged):
        exact = sorted(row for row in merged[boundary] if row[2] == EXACT)
        if exact:
            weight = sum(1.0 / sd**2 for _, sd, _ in exact)
            rows.append((boundary, sum(v / sd**2 for v, sd, _ in exact) / weight, weight**-0.5, EXACT))
        else:
            rows.append((boundary, *sorted(merged[boundary])[0]))
    return rows


def _readings(axis: Axis, events: Sequence[Event]) -> tuple[np.ndarray, ...]:
    columns = np.array(placed(axis, events), float).reshape(-1, 4).T
    return columns[0].astype(np.int64), columns[1], columns[2], columns[3].astype(np.int32)
