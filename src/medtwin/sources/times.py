"""Times and spans as they are typed: ISO 8601, or counted from now (``-2h``, ``+20m``)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from medtwin.errors import FormatError

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(sec|s|min|m|h|d|w)")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_SECONDS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


def span(text: str) -> timedelta:
    """``20m``, ``1.5h``, ``2d``, ``1h30m``; raises :class:`FormatError`."""
    rest, seconds = text.strip().lower(), 0.0
    while rest:
        found = _SPAN.match(rest)
        if found is None:
            raise FormatError(f"the time span {text[:40]!r}", expected="such as 20m, 1.5h, 2d or 1h30m")
        seconds += float(found[1]) * _SECONDS[found[2]]
        rest = rest[found.end() :].strip()
    if not text.strip() or seconds > 400 * 366 * 86400.0:
        raise FormatError(f"the time span {text[:40]!r}", expected="such as 20m, 1.5h, 2d or 1h30m")
    return timedelta(seconds=seconds)


def spans(text: str) -> tuple[timedelta, ...]:
    """Comma-separated spans."""
    return tuple(span(part) for part in text.split(","))


def clock(text: str) -> time | None:
    """``14:00`` as a time of the day; None where ``text`` is something else."""
    found = _CLOCK.fullmatch(text.strip())
    return time(int(found[1]), int(found[2])) if found and int(found[1]) < 24 and int(found[2]) < 60 else None


def without_offset(text: str) -> bool:
    """Whether ``text`` is a wall clock: a date or time that names no offset, not a span from now."""
    if clock(text) is not None:
        return True
    try:
        return datetime.fromisoformat(text.strip()).tzinfo is None
    except ValueError:
        return False


def instant(text: str, now: datetime, zone: str | None = None) -> datetime:
    """The UTC instant of ``text``, relative ones counted from ``now``; raises :class:`FormatError`.

    A time without an offset is the patient's wall clock: read in ``zone``, or as UTC where no zone is known, just as
    the record reads it.
    """
    text = text.strip()
    if text == "now":
        return now
    if text[:1] in "+-" and text[1:]:
        moved = span(text[1:])
        return now - moved if text[0] == "-" else now + moved
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise FormatError(
            f"the time {text[:40]!r}", expected="ISO 8601 such as 2026-05-01T14:05+02:00, or -2h, -3d, now"
        ) from None
    if read.tzinfo is None:
        read = read.replace(tzinfo=ZoneInfo(zone) if zone else UTC)
    return read.astimezone(UTC)
