"""How fresh each channel is: a channel that speaks regularly has made a promise, and is late when it breaks it.

One that speaks as it pleases is judged by its own usual pace, with more patience. What is measured once, or a few times a
year (a height, an HbA1c), is neither fresh nor late.
"""

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
SEVERAL = 5  #: readings from which a pace is read that is no promise
SELDOM = timedelta(days=60)  #: what is slower than this has no pace
LATE_UNPROMISED, SILENT_UNPROMISED = timedelta(days=1), timedelta(days=3)


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


def pace(moments: Sequence[datetime]) -> float | None:
    """Median seconds between the newest readings, however irregular; None where they are few or years apart."""
    gaps = np.diff(np.unique(np.array([m.timestamp() for m in moments[-NEWEST:]])))
    if len(gaps) < SEVERAL - 1:
        return None
    middle = float(np.median(gaps))
    return middle if middle <= SELDOM.total_seconds() else None


def state(last: datetime | None, every: float | None, now: datetime, usual: float | None = None) -> Freshness | None:
    """fresh, late or silent by the promise ``every``, else by the ``usual`` pace; None where there is neither."""
    seconds, late, silent = every, LATE, SILENT
    if seconds is None:
        seconds, late, silent = usual, LATE_UNPROMISED, SILENT_UNPROMISED
    if last is None or seconds is None:
        return None
    age = now - last
    if age > max(silent, timedelta(seconds=12 * seconds)):
        return "silent"
    return "late" if age > max(late, timedelta(seconds=4 * seconds)) else "fresh"


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
                state=state(moments[-1], every, now, pace(moments)),
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
