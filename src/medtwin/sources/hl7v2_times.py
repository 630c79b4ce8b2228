"""HL7v2 times (TS, DTM, DT): four to fourteen digits, a fraction, an offset; what was not written is not known.

``YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]``. An offset in MSH-7 is the default of the whole message, as the
definition of MSH-7 has it (2.14.9.7 in 2.5.1: "If the time zone is specified, it will be used throughout the message as the
default time zone"): it was sent, so it counts as sent. Where the user states a zone that has this offset at MSH-7, the zone
is the default in its place, since it knows summer and winter; without one, a time months away is flagged. An hour without
minutes is kept as a day: nobody said which minute.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from medtwin.errors import FormatError
from medtwin.record.moment import Moment, Precision
from medtwin.sources.clock import iso

_TIME = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?", re.ASCII)


@lru_cache(maxsize=16384)
def moment(written: str, offset: int | None = None, zone: str | None = None) -> Moment | None:
    """The moment that a field states, None where it states none; raises :class:`FormatError`.

    ``offset`` (minutes east of UTC) is the message's default, ``zone`` what the user states for wall clocks without one.
    """
    text = written.strip()
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        raise FormatError(f"the time {text[:40]!r}", expected="YYYY[MM[DD[HHMM[SS[.S]]]]][+/-ZZZZ]")
    year, month, day, hour, minute, second, fraction, own = found.groups()
    if month == "00" or day == "00":  # placeholders of systems that have no day
        month, day = (None, None) if month == "00" else (month, None)
        hour = minute = second = None
    made = year + (f"-{month}" if month else "") + (f"-{day}" if day else "")
    if minute is not None:
        made += f"T{hour}:{minute}" + (f":{second}{fraction or ''}" if second else "")
    shift = f"{own[:3]}:{own[3:]}" if own else ""
    if minute is not None:
        read = iso(made + shift)
    else:
        read = iso(made)
        if own:  # a date with an offset: iso has no such thing, the clause does
            read = replace(read, offset=iso(f"2000-01-01T00:00{shift}").offset)
    if read.offset is None and offset is not None and read.precision >= Precision.DAY:
        read = replace(read, offset=offset)
    if read.offset is None and zone is not None:
        read = replace(read, zone=zone)
    return read


def known_from(issued: Moment) -> datetime:
    """When something that was issued at a moment could be known: a date is over first, since nobody says at which hour."""
    return issued.end if issued.precision <= Precision.DAY else issued.instant


def in_zone(sent: Moment, zone: str | None) -> bool:
    """Whether the offset that was sent is the one that a stated zone has at that moment: then the zone knows other months."""
    if sent.offset is None or zone is None:
        return False
    shown = sent.instant.astimezone(ZoneInfo(zone)).utcoffset()
    return shown is not None and shown.total_seconds() == sent.offset * 60


def before(until: Moment, time: Moment) -> bool:
    """Whether an end lies truly before its start: an end on the day of the start does not, nor one of the same wall clock.

    Where the offset of one of the two is not known, their wall clocks are compared.
    """
    if until.offset_known != time.offset_known:
        until, time = replace(until, offset=None, zone=None), replace(time, offset=None, zone=None)
    return until.instant < time.instant and until.end <= time.instant
