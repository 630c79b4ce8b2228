"""Dexcom Clarity CSV export.

The first rows carry name, birth date, device and alert settings, without a time; alert rows hold numbers in the glucose
column that are thresholds, not readings. Times are a wall clock without offset. Outside 40-400 mg/dL the reading is the
word ``Low`` or ``High``: a bound, not a value (Dexcom G6 User Guide, "Low/High").

Whose it is: two statements of name, birth date and patient's identifier make a key. One alone does not, since two people
may share a first name: then the serial number of a transmitter or receiver is taken beside it, else the file's own content,
and the facts wait until somebody says whose they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import blake2b

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.record.event import Code, Comparator, Event, SourcePatient
from medtwin.record.moment import Moment
from medtwin.record.store import Demographics
from medtwin.sources.clock import iso
from medtwin.sources.fact import Facts
from medtwin.sources.item import Intake, Item, Part, Payload, Reason, Unmapped
from medtwin.sources.tabular import Row, key_of, rows_of, settle, text_of
from medtwin.sources.wall_clock import told_apart

DIALECT = "dexcom_clarity/1"
#: The transmitter sends every 5 minutes; a receiver that is near shows a reading within one interval.
LATENCY = timedelta(minutes=5)
LIMITS = {
    "low": (40.0, Comparator.BELOW), "niedrig": (40.0, Comparator.BELOW), "bas": (40.0, Comparator.BELOW),
    "high": (400.0, Comparator.ABOVE), "hoch": (400.0, Comparator.ABOVE), "élevé": (400.0, Comparator.ABOVE),
}  # fmt: skip
_SERIAL = re.compile(r"\d{4,}")
_UNIT = re.compile(r"\(([^()]+)\)")


class Reader:
    """Dialect ``dexcom_clarity``."""

    name, version = "dexcom_clarity", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        first = head.removeprefix(b"\xef\xbb\xbf")[:600].splitlines()[:1]
        wanted = (b"Event Type", b"Glucose Value (", b"Timestamp (")
        return 0.95 if first and all(word in first[0] for word in wanted) else 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        content = payload.read()
        rows = list(rows_of(text_of(content)))
        columns = _Columns(rows[0]) if rows else None
        if columns is None or columns.time is None or columns.kind is None:
            raise FormatError("a Clarity table without its header", expected="Index, Timestamp, Event Type, ...")
        system = intake.source or "dexcom"
        owner, people, named, keyed = _person(rows, columns, system, intake)
        yield Part(
            owner=owner, system=system, raw=content, named=named, media_type="text/csv", people=people, keyed=keyed,
            read=lambda origin: _read(rows, columns, Facts(owner, system, DIALECT, origin, intake, LATENCY), intake),
        )  # fmt: skip


class _Columns:
    """Where the columns stand; their units are written in their titles."""

    def __init__(self, header: Row) -> None:
        titles = [title.strip() for title in header.cells]
        self.width = len(titles)

        def find(start: str) -> int | None:
            return next((index for index, title in enumerate(titles) if title.lower().startswith(start)), None)

        self.time, self.kind, self.sub = find("timestamp"), find("event type"), find("event subtype")
        self.patient, self.glucose = find("patient info"), find("glucose value")
        self.insulin, self.carbs, self.duration = find("insulin value"), find("carb value"), find("duration")
        self.device, self.transmitter = find("source device id"), find("transmitter id")
        self.titles = titles

    def unit(self, column: int | None) -> str:
        found = _UNIT.search(self.titles[column]) if column is not None else None
        return found[1] if found else ""


def _cell(row: Row, column: int | None) -> str:
    return row.cells[column].strip() if column is not None and column < len(row.cells) else ""


def _person(
    rows: list[Row], columns: _Columns, system: str, intake: Intake
) -> tuple[SourcePatient, tuple[tuple[SourcePatient, Demographics], ...], bool, str]:
    """(key, what is said of the person, whether that names one person, what it is keyed by in words)."""
    said = {}
    for row in rows[1:40]:
        kind = _cell(row, columns.kind)
        if kind in ("FirstName", "LastName", "DateOfBirth", "PatientIdentifier"):
            said[kind] = _cell(row, columns.patient)
    name = " ".join(said[kind] for kind in ("FirstName", "LastName") if said.get(kind))
    born = said.get("DateOfBirth", "")
    stated = [
        words for words, value in (
            ("the name", name), ("the date of birth", born), ("the patient's identifier", said.get("PatientIdentifier"))
        ) if value
    ]  # fmt: skip
    if not stated:
        return SourcePatient(system, intake.anonymous), (), False, ""
    written = "|".join(said.get(kind, "") for kind in ("FirstName", "LastName", "DateOfBirth", "PatientIdentifier"))
    named, keyed = len(stated) > 1, f"keyed by {' and '.join(stated)} in it"
    mark = written.casefold()
    if not named:
        serial = _serial(rows, columns)
        lack = f"{stated[0]} alone says whose it is, which several people may share"
        ask = "say whose with --patient, or `medtwin assign`"
        keyed = f"{lack}: keyed by that and the serial number of the device, {ask}"
        mark = f"{mark}|{serial.casefold()}"
        if not serial:
            keyed = f"{lack}, and no serial number of a device is in it: keyed by its own content, {ask}"
            return SourcePatient(system, intake.anonymous), (), False, keyed
    owner = SourcePatient(system, blake2b(mark.encode(), digest_size=12).hexdigest())
    try:
        birth_date = iso(born).text
    except FormatError:
        birth_date = ""  # day first or month first is not told
    person = Demographics(
        name=name, birth_date=birth_date, given=said.get("FirstName", ""), family=said.get("LastName", "")
    )
    return owner, ((owner, person),), named, keyed


def _serial(rows: list[Row], columns: _Columns) -> str:
    """The first serial number of a transmitter, else of a receiver; a phone is named by its kind alone, which is none."""
    for row in rows[1:]:
        if found := _cell(row, columns.transmitter):
            return found
    for row in rows[1:]:
        if _SERIAL.search(found := _cell(row, columns.device)):
            return found
    return ""


def _read(rows: list[Row], columns: _Columns, facts: Facts, intake: Intake) -> Iterator[Item]:
    events: list[tuple[Event, str]] = []
    unmapped: dict[str, int] = {}
    timed: list[tuple[Row, Moment]] = []
    for row in rows[1:]:
        kind = _cell(row, columns.kind)
        when = _cell(row, columns.time)
        if not when:
            kind = f"row {kind[:40]} without a time" if kind else "row without a time"
            unmapped[kind] = unmapped.get(kind, 0) + 1
            continue
        if len(row.cells) < columns.width - 1:
            yield Reason(
                found=f"a row of {len(row.cells)} cells", expected=f"{columns.width} cells", where=row.where,
                remedy="export the file again: it may be cut off",
            )  # fmt: skip
            continue
        try:
            timed.append((row, iso(when, intake.zone)))
        except FormatError as error:
            yield Reason(found=error.found, expected=error.expected, where=row.where)
    for (row, _), time in zip(timed, told_apart([time for _, time in timed]), strict=True):
        item = _fact(row, _cell(row, columns.kind), time, columns, facts)
        if isinstance(item, Event):
            events.append((item, ",".join(row.cells[1:])))
        elif isinstance(item, Unmapped):
            unmapped[item.kind] = unmapped.get(item.kind, 0) + item.count
        else:
            yield item
    yield from settle(events)
    for name, count in unmapped.items():
        yield Unmapped(name, count)


def _fact(row: Row, kind: str, time: Moment, columns: _Columns, facts: Facts) -> Item:
    kind = kind.lower()
    subtype = _cell(row, columns.sub).lower()
    if kind in ("egv", "calibration"):
        name, column = ("glucose" if kind == "egv" else "blood_glucose"), columns.glucose
    elif kind == "insulin":
        name, column = ("insulin_long_acting" if subtype.startswith("long") else "insulin_bolus"), columns.insulin
    elif kind == "carbs":
        name, column = "carbohydrate_intake", columns.carbs
    elif kind == "exercise":
        return _exercise(row, time, columns, facts)
    elif kind in ("note", "notes") and _cell(row, columns.sub):
        text = _cell(row, columns.sub)
        return facts.coded("note", Code("", "", text), time, key_of("note", time), row.where, text=text)
    else:
        return Unmapped(f"row {kind[:40]}")
    text = _cell(row, column)
    if not text:
        return Unmapped(f"row {kind} without a value")
    bound = LIMITS.get(text.lower())
    quantity = registry.get(name)
    if bound is not None and quantity.name in ("glucose", "blood_glucose"):
        return facts.number(
            quantity, text, "mg/dL", time, key_of(name, time), row.where, value=bound[0], comparator=bound[1], reckoned=True
        )  # fmt: skip
    return facts.number(quantity, text, columns.unit(column), time, key_of(name, time), row.where)


def _exercise(row: Row, time: Moment, columns: _Columns, facts: Facts) -> Item:
    """A bout by its duration hh:mm:ss."""
    text = _cell(row, columns.duration)
    found = re.fullmatch(r"(\d{1,3}):(\d\d):(\d\d)", text)
    if found is None:
        return Unmapped("row exercise without a duration")
    minutes = int(found[1]) * 60 + int(found[2]) + int(found[3]) / 60
    quantity = registry.get("physical_activity")
    return facts.number(
        quantity, text, "min", time, key_of(quantity.name, time), row.where, value=minutes, reckoned=True
    )
