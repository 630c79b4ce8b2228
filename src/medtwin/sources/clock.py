"""Times as sources write them become a Moment; nothing is added that was not written.

ISO 8601 / FHIR dateTime (FHIR R4 2.24.0.1: YYYY, YYYY-MM, YYYY-MM-DD or a full dateTime) keep their precision and their
offset. A wall clock without offset keeps offset unknown unless the caller states a zone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from medtwin.errors import FormatError
from medtwin.record.moment import Moment, Precision

_ISO = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,12})?)?\s?(Z|[+-]\d\d:?\d\d)?)?)?)?", re.ASCII
)
_YEARS = range(1850, 2201)


def known_zone(name: str) -> str:
    """``name`` if it is an IANA zone; raises :class:`FormatError`."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FormatError(
            f"the time zone {name[:40]!r}", expected="an IANA zone such as Europe/London", remedy="see `timedatectl`"
        ) from error
    return name


def _refuse(text: str, expected: str) -> FormatError:
    return FormatError(f"the time {text[:40]!r}", expected=expected)


@lru_cache(maxsize=16384)
def iso(text: str, zone: str | None = None) -> Moment:
    """The moment that an ISO 8601 text states; raises :class:`FormatError`."""
    found = _ISO.fullmatch(text.strip())
    if found is None:
        raise _refuse(text, "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss[.s]] with or without an offset")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if second is not None:
        precision = Precision.FRACTION if fraction else Precision.SECOND
    elif minute is not None:
        precision = Precision.MINUTE
    else:
        precision = Precision.DAY if day else Precision.MONTH if month else Precision.YEAR
    minutes = None
    if offset == "Z":
        minutes = 0
    elif offset:
        minutes = int(offset[1:3]) * 60 + int(offset[-2:])
        if minutes > 14 * 60 or int(offset[-2:]) > 59:
            raise _refuse(text, "an offset of at most 14 hours")
        minutes = -minutes if offset[0] == "-" else minutes
    try:
        local = datetime(  # noqa: DTZ001 - a wall clock; what is known of its offset stands beside it
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
            int(fraction[1:7].ljust(6, "0")) if fraction else 0,
        )  # fmt: skip
    except ValueError as error:
        raise _refuse(text, "a date and a time that exist") from error
    if local.year not in _YEARS:
        raise _refuse(text, f"a year from {_YEARS[0]} to {_YEARS[-1]}")
    return Moment(local, precision, minutes, zone if minutes is None else None)


_DIRECTIVES = (("%f", Precision.FRACTION), ("%S", Precision.SECOND), ("%M", Precision.MINUTE), ("%H", Precision.MINUTE),
               ("%d", Precision.DAY), ("%m", Precision.MONTH))  # fmt: skip


def precision_of(pattern: str) -> Precision:
    """How finely a strptime pattern states a time."""
    return next((precision for directive, precision in _DIRECTIVES if directive in pattern), Precision.YEAR)


@lru_cache(maxsize=16384)
def by_pattern(text: str, pattern: str, zone: str | None = None) -> Moment:
    """The moment that ``text`` states in a strptime ``pattern``, or ``iso``, ``epoch_s``, ``epoch_ms``."""
    if pattern == "iso":
        return iso(text, zone)
    try:
        if pattern in ("epoch_s", "epoch_ms"):
            seconds = float(text) / (1000 if pattern == "epoch_ms" else 1)
            local = datetime.fromtimestamp(seconds, UTC)
        else:
            local = datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 - as above
    except (ValueError, OverflowError, OSError) as error:
        raise _refuse(text, f"a time as {pattern}") from error
    if local.year not in _YEARS:
        raise _refuse(text, f"a year from {_YEARS[0]} to {_YEARS[-1]}")
    if pattern.startswith("epoch"):
        return Moment(local.replace(tzinfo=None), Precision.SECOND, 0)
    offset = local.utcoffset()
    minutes = None if offset is None else int(offset.total_seconds() // 60)
    return Moment(local.replace(tzinfo=None), precision_of(pattern), minutes, zone if minutes is None else None)


def known_at(time: Moment, until: Moment | None, latency: timedelta) -> datetime:
    """When a fact could have been known where its source states no issue time: after it ended, and that source's delay.

    A date or a month is known when it is over, since nobody says at which hour of it the fact was made.
    """
    last = until or time
    ended = last.end if last.precision <= Precision.DAY else last.instant
    return ended + latency
