"""One patient of a fleet: where the belief stands, what is still needed of the record to carry it on, and both as bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from medtwin.quantities import Kind, registry
from medtwin.record import Event
from medtwin.twin.axis import Axis
from medtwin.twin.doses import Doses
from medtwin.twin.fleet_rows import Covariates
from medtwin.twin.tapes import placed

DIALECT = "medtwin-standing/2"
NEAR = 2 * 86400.0  #: seconds for which an amount is remembered: none acts longer
HORIZON = timedelta(days=400)

Reading = tuple[int, float, float, int]  #: boundary, value, sd, kind
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


@dataclass(slots=True)
class Member:
    """A patient of a fleet. ``step``: the boundary at which the belief stands; ``last``: that of the newest reading."""

    patient: str
    axis: Axis
    step: int
    last: int
    row: bytes = field(
        repr=False
    )  #: the belief at rest, see :meth:`medtwin.twin.fleet_rows.Layout.packed`; b"": not begun
    doses: dict[str, Doses] = field(repr=False)
    covariates: Covariates
    until: int  #: first piece in which the covariates may be others
    sequence: int = 0  #: commit sequence up to which facts are in the belief
    waiting: dict[str, list[Reading]] = field(default_factory=dict)  #: readings that are not folded yet
    changing: Callable[[datetime], dict[str, float]] | None = None  #: covariates while a history is gone through

    def target(self, now: int) -> int:
        """The last boundary up to ``now`` with a reading that waits; ``step`` where there is none."""
        return max((row[0] for rows in self.waiting.values() for row in rows if row[0] <= now), default=self.step)

    def known(self, piece: int) -> Covariates:
        """Covariates that hold in a piece."""
        if self.changing is None:
            return self.covariates
        return tuple(sorted(self.changing(self.axis.moment(piece * self.axis.steps)).items()))

    def takes(self, events: Sequence[Event]) -> bool:
        """Take facts that the model is told; False, and nothing taken, where one of them touches what is folded."""
        fresh: dict[str, list[Event]] = {}
        for event in events:
            step = self.axis.boundary(event.instant) if event.quantity not in self.doses else None
            begun = int(self.axis.position(event.instant))
            if step is not None and step <= self.step:
                return False
            if step is None and (begun < self.step or event.quantity not in self.doses):
                return False
            fresh.setdefault(event.quantity, []).append(event)
        readings = {q: placed(self.axis, own) for q, own in fresh.items() if q not in self.doses}
        for quantity, rows in readings.items():
            held = {row[0] for row in self.waiting.get(quantity, ())}
            if any(row[0] in held for row in rows):  # two of one boundary are one: to be made anew from the record
                return False
        for quantity, rows in readings.items():
            self.waiting[quantity] = sorted([*self.waiting.get(quantity, ()), *rows])
        for quantity, own in fresh.items():
            if quantity in self.doses:
                self.doses[quantity] = self.doses[quantity].plus(own)
        return True

    def moved(self, step: int, last: int) -> None:
        """The belief stands at ``step`` now: readings up to there are in it, and doses that act no more are forgotten."""
        self.step, self.last = step, last
        self.waiting = {q: left for q, rows in self.waiting.items() if (left := [row for row in rows if row[0] > step])}
        self.doses = {q: recent(one, step * self.axis.length) for q, one in self.doses.items()}


def recent(one: Doses, now: float) -> Doses:
    """The doses that a window from ``now`` (seconds) on may still ask for."""
    if registry.get(one.quantity).kind is Kind.AMOUNT:
        first = int(np.searchsorted(one.time, now - NEAR))
    else:
        first = max(int(np.searchsorted(one.time, now, side="right")) - 1, 0)
    steady = one.steady
    if steady is not None:
        old = int(np.searchsorted(steady.time, now - NEAR))
        steady = Doses(
            steady.quantity, steady.axis, steady.resting, steady.time[old:], steady.amount[old:], steady.until[old:]
        )  # fmt: skip
    elif first == 0:
        return one
    return Doses(one.quantity, one.axis, one.resting, one.time[first:], one.amount[first:], one.until[first:], steady)


def lasting(changing: Callable[[datetime], dict[str, float]], axis: Axis, piece: int) -> int:
    """The first piece after ``piece`` in which the covariates change by time alone (an age), within ``HORIZON``."""

    def at(piece: int) -> dict[str, float]:
        return changing(axis.moment(piece * axis.steps))

    low, high = piece, piece + int(HORIZON.total_seconds() / axis.length) // axis.steps
    now = at(low)
    if at(high) == now:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle) == now else (low, middle)
    return high


def to_bytes(member: Member, stamp: str) -> bytes:
    """A standing: the belief exactly, and what is needed to carry it on. ``stamp`` names code, model and settings."""
    doses = [(q, _packed(one), _packed(one.steady)) for q, one in member.doses.items()]
    waiting = {q: [(b, float(v), float(s), int(k)) for b, v, s, k in rows] for q, rows in member.waiting.items()}
    return _encode(
        (
            DIALECT, stamp, member.axis.zone, member.step, member.last, member.sequence, list(member.covariates),
            member.until, waiting, doses, member.row,
        )
    )  # fmt: skip


def from_bytes(content: bytes, patient: str, stamp: str, like: Axis) -> Member | None:
    """Inverse of :func:`to_bytes`; None for a standing of another dialect, code, model or setting: make it anew."""
    dialect, stamped, zone, step, last, sequence, covariates, until, waiting, doses, row = _decode(content)
    if (dialect, stamped) != (DIALECT, stamp):
        return None
    axis = Axis(like.length, like.steps, like.unit, zone)
    given = {quantity: _doses(axis, own, steady) for quantity, own, steady in doses}
    return Member(
        patient, axis, step, last, row, given, tuple((name, value) for name, value in covariates),
        until, sequence, {q: [(b, v, s, k) for b, v, s, k in rows] for q, rows in waiting.items()},
    )  # fmt: skip


def _packed(one: Doses | None) -> tuple[Any, ...] | None:
    if one is None:
        return None
    return one.quantity, one.resting, one.time.tobytes(), one.amount.tobytes(), one.until.tobytes()


def _doses(axis: Axis, own: Any, steady: Any) -> Doses:
    def made(packed: Any, steady: Doses | None) -> Doses:
        name, resting, *columns = packed
        begun, amount, until = (np.frombuffer(column, np.float64) for column in columns)
        return Doses(name, axis, resting, begun, amount, until, steady)

    return made(own, None if steady is None else made(steady, None))
