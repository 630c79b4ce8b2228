"""How fresh each channel is: a channel that speaks regularly has made a promise, and is late when it breaks it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np

from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record import Basis, Event, Intent, Record
from medtwin.server import words
from medtwin.server.shapes import Channel, Freshness

ENOUGH = 20  #: readings from which a usual interval is read
NEWEST = 101  #: readings that a usual interval is read from
SLOWEST = timedelta(hours=1)  #: a channel slower than this makes no promise
LATE, SILENT = timedelta(minutes=20), timedelta(hours=3)


def happened(event: Event, now: datetime) -> bool:
    """A fact that has been, not a plan or a time in the future."""
    return event.intent is Intent.HAPPENED and event.basis is Basis.OBSERVED and event.instant <= now


def interval(moments: Sequence[datetime]) -> float | None:
    """Usual seconds between the newest readings; None where they are few or irregular."""
    if len(moments) < ENOUGH:
        return None
    seconds = np.array([m.timestamp() for m in moments[-NEWEST:]])
    gaps = np.diff(np.unique(seconds))
    if len(gaps) < ENOUGH - 1:
        return None
    middle, late = np.quantile(gaps, [0.5, 0.8])
    if middle > SLOWEST.total_seconds() or late > 3 * middle:
        return None
    return float(round(middle))


def state(last: datetime | None, every: float | None, now: datetime) -> Freshness:
    """fresh, late or silent; without a promise always fresh."""
    if last is None or every is None:
        return "fresh"
    age = now - last
    if age > max(SILENT, timedelta(seconds=12 * every)):
        return "silent"
    return "late" if age > max(LATE, timedelta(seconds=4 * every)) else "fresh"


def quantities(record: Record) -> list[str]:
    """The quantities of which a record holds facts."""
    return sorted({event.quantity for event in record.events})


def channels(record: Record, now: datetime, first: str) -> list[Channel]:
    """One channel for each level that is measured, the headline first, then the newest."""
    found = []
    for quantity in quantities(record):
        known = registry.find(quantity)
        if known is None or known.kind is not Kind.LEVEL:
            continue
        moments = [event.instant for event in recent(record, quantity, now)]
        if not moments:
            continue
        every = interval(moments)
        found.append(
            Channel(
                quantity=quantity, label=words.channel(quantity), last=moments[-1], expected_every_s=every,
                state=state(moments[-1], every, now),
            )
        )  # fmt: skip
    return sorted(found, key=lambda c: (c.quantity != first, -(c.last.timestamp() if c.last else 0.0)))


def recent(record: Record, quantity: str, now: datetime, most: int = NEWEST) -> list[Event]:
    """The newest facts of a quantity that have been, oldest of them first."""
    found: list[Event] = []
    for event in reversed(record.of(quantity)):
        if happened(event, now):
            found.append(event)
            if len(found) >= most:
                break
    return found[::-1]


def newest(record: Record, quantities: Iterable[str], now: datetime) -> Event | None:
    """The newest fact of some quantities that has been."""
    found = [last for quantity in quantities for last in recent(record, quantity, now, 1)]
    return max(found, key=lambda event: event.instant, default=None)
