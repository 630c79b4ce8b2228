"""Events to rows and back. Nothing is hashed twice, no dataclass is rebuilt field by field.

A row holds the few numbers that the database sorts and filters by; the rest of a fact is one MessagePack ``body``:
``[key, locator, text, unit_text, precision, offset, shift, more]``. ``shift`` is local wall clock minus UTC in seconds
(as read with the stated offset or zone), ``more`` a map of whatever is not at its default.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from medtwin.errors import FormatError
from medtwin.record.event import (
    ArtifactId,
    Basis,
    Code,
    Comparator,
    Event,
    Flag,
    Intent,
    Source,
    SourcePatient,
    Status,
)
from medtwin.record.moment import Moment, Precision
from medtwin.record.schema import CURRENT, IN_ERROR, NOT_HAPPENED

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (wall clocks have no zone)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_STATUS = {Status.PRELIMINARY: -1, Status.FINAL: 0, Status.CORRECTED: 1, Status.ENTERED_IN_ERROR: 2}
_STATUS_OF = {code: status for status, code in _STATUS.items()}
_INTENT_OF = {intent.value: intent for intent in Intent}
_FLAG_OF = {flag.value: flag for flag in Flag}
_COMPARATOR_OF = {comparator.value: comparator for comparator in Comparator}
_PRECISION_OF = {int(precision): precision for precision in Precision}
_set = object.__setattr__


class Row(NamedTuple):
    """A fact ready to be stored; owner, source and sequence are given inside the transaction."""

    event: Event
    owner: tuple[str, str]
    quantity: str
    start: int
    value: float | None
    standing: int  #: what it would be if it is the current version
    status: int
    available: int
    slot: int
    id: bytes
    body: bytes


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime; raises :class:`FormatError` for a naive one."""
    if moment.tzinfo is None:
        raise FormatError("a time without an offset", expected="an aware datetime in UTC")
    return (moment - EPOCH) // _MICROSECOND


def moment(microseconds_since: int) -> datetime:
    """The UTC datetime of a stored time; the first or last one that there is where an offset leads past it."""
    try:
        return EPOCH + timedelta(microseconds=microseconds_since)
    except OverflowError:
        return FIRST if microseconds_since < 0 else LAST


def points(pairs: Iterable[tuple[int, float]]) -> list[tuple[datetime, float]]:
    """(UTC datetime, value) of (stored time, value)."""
    pairs = list(pairs)
    try:
        return [(EPOCH + timedelta(0, 0, start), value) for start, value in pairs]
    except OverflowError:
        return [(moment(start), value) for start, value in pairs]


def _wall(local: datetime) -> int:
    days = local.toordinal() - 719163
    seconds = days * 86400 + local.hour * 3600 + local.minute * 60 + local.second
    return seconds * 1_000_000 + local.microsecond


def _shift(time: Moment) -> int:
    """Wall clock minus UTC, seconds; 0 when neither an offset nor a zone was stated."""
    if time.offset is not None:
        return time.offset * 60
    if time.zone is None:
        return 0
    try:
        offset = time.local.replace(tzinfo=ZoneInfo(time.zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FormatError("a zone that is not an IANA name", expected="such as Europe/Berlin") from None
    return 0 if offset is None else int(offset.total_seconds())


def check_text(*texts: str, what: str) -> None:
    """Raise :class:`FormatError` for text that no database can keep as it is: a NUL, half a surrogate pair."""
    for text in texts:
        if "\x00" in text:
            raise FormatError(f"a NUL character in {what}", expected="text")
        if not text.isascii():
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                raise FormatError(f"half a surrogate pair in {what}", expected="Unicode text") from None


def slot(owner: SourcePatient, system: str, key: str) -> int:
    """64-bit name of the place that versions of one fact compete for; signed, as databases have it."""
    named = _encode((owner.system, owner.value, system, key))
    return int.from_bytes(blake2b(named, digest_size=8).digest(), "little", signed=True)


def encode(event: Event) -> Row:
    """The row of an event; raises :class:`FormatError` for one that no database can keep as it is."""
    time, subject, value, intent, status = event.time, event.subject, event.value, event.intent, event.status
    more: dict[str, Any] = {}
    number: float | None = None
    if isinstance(value, int):
        try:
            value = float(value)
        except OverflowError:
            raise FormatError("a number beyond 64 bits", expected="a float", where=event.quantity) from None
    if value is not None:
        if isinstance(value, Code):
            more["code"] = value.content
        elif isinstance(value, ArtifactId):
            more["artifact"] = value.hash
        else:
            number = value
            if number != number:  # a database has no NaN
                number, more["nan"] = None, True
    if event.comparator is not None:
        more["comparator"] = event.comparator
    if event.sd is not None:
        more["sd"] = event.sd
    if time.zone is not None:
        more["zone"] = time.zone
    if time.local.fold:
        more["fold"] = 1
    if time.settled:
        more["settled"] = True
    if event.until is not None:
        until = event.until
        more["until"] = (_wall(until.local), until.local.fold, int(until.precision), until.offset, until.zone)
    if intent is not Intent.HAPPENED:
        more["intent"] = intent
    if event.basis is not Basis.OBSERVED:
        more["basis"] = event.basis
    if event.group is not None:
        more["group"] = event.group
    if event.flags:
        more["flags"] = event.flags
    shift = _shift(time)
    try:
        identity = bytes.fromhex(event.id)
        place = slot(subject, event.source.system, event.key)
        body = _encode(
            (
                event.key,
                event.source.locator,
                event.text,
                event.unit_text,
                int(time.precision),
                time.offset,
                shift,
                more,
            )
        )
    except UnicodeEncodeError:
        raise FormatError("half a surrogate pair in a fact", expected="Unicode text", where=event.quantity) from None
    if status is Status.ENTERED_IN_ERROR:
        standing = IN_ERROR
    else:
        standing = CURRENT if intent is Intent.HAPPENED else NOT_HAPPENED
    return Row(
        event, (subject.system, subject.value), event.quantity, _wall(time.local) - shift * 1_000_000, number, standing,
        _STATUS[status], microseconds(event.available), place, identity, body,
    )  # fmt: skip


#: columns of ``fact`` that :func:`decode` takes, in this order
COLUMNS = "fact.quantity, fact.start, fact.sequence, fact.value, fact.status, fact.available, fact.source, fact.id, fact.supersedes, fact.body"  # noqa: E501  (one list)


def decode(row: Any, subject: SourcePatient, quantities: dict[int, str], sources: dict[int, Source]) -> Event:
    """The event of a stored row of :data:`COLUMNS`."""
    quantity, start, sequence, value, status, available, source_id, identity, supersedes, body = row
    key, locator, text, unit_text, precision, offset, shift, more = _decode(body)
    whence = sources[source_id]
    source = object.__new__(Source)
    _set(source, "system", whence.system)
    _set(source, "dialect", whence.dialect)
    _set(source, "raw", whence.raw)
    _set(source, "locator", locator)
    _set(source, "file", whence.file)
    local = _LOCAL_EPOCH + timedelta(microseconds=start + shift * 1_000_000)
    fields: dict[str, Any] = {
        "subject": subject, "quantity": quantities[quantity], "value": value, "available": moment(available),
        "source": source, "key": key, "text": text, "unit_text": unit_text, "comparator": None, "sd": None,
        "until": None, "intent": Intent.HAPPENED, "status": _STATUS_OF[status], "basis": Basis.OBSERVED, "group": None,
        "flags": (), "supersedes": None if supersedes is None else bytes(supersedes).hex(), "recorded": sequence,
        "id": bytes(identity).hex(),
    }  # fmt: skip
    zone = None
    if more:
        zone = more.get("zone")
        if "fold" in more:
            local = local.replace(fold=1)
        _more(fields, more)
    fields["time"] = Moment(local, _PRECISION_OF[precision], offset, zone, "settled" in more)
    event = object.__new__(Event)
    _set(event, "__dict__", fields)
    return event


def offset_known(start: int, body: Any) -> bool:
    """:attr:`Moment.offset_known` of a stored row, from its ``start`` and its decoded body."""
    _, _, _, _, precision, offset, shift, more = body
    if offset is not None or "zone" not in more:
        return offset is not None
    local = _LOCAL_EPOCH + timedelta(microseconds=start + shift * 1_000_000)
    local = local.replace(fold=more.get("fold", 0))
    return Moment(local, _PRECISION_OF[precision], None, more["zone"], "settled" in more).offset_known


def _more(fields: dict[str, Any], more: dict[str, Any]) -> None:
    if "code" in more:
        fields["value"] = Code(*more["code"])
    elif "artifact" in more:
        fields["value"] = ArtifactId(more["artifact"])
    elif "nan" in more:
        fields["value"] = float("nan")
    if "comparator" in more:
        fields["comparator"] = _COMPARATOR_OF[more["comparator"]]
    if "until" in more:
        wall, fold, precision, offset, zone = more["until"]
        local = (_LOCAL_EPOCH + timedelta(microseconds=wall)).replace(fold=fold)
        fields["until"] = Moment(local, _PRECISION_OF[precision], offset, zone)
    if "intent" in more:
        fields["intent"] = _INTENT_OF[more["intent"]]
    if "basis" in more:
        fields["basis"] = Basis(more["basis"])
    if "flags" in more:
        fields["flags"] = tuple(_FLAG_OF[flag] for flag in more["flags"])
    for name in ("sd", "group"):
        if name in more:
            fields[name] = more[name]
