"""Open mHealth and IEEE 1752.1 data points: JSON bodies with or without a header, one, an array, or one a line.

The checks of the schemas (github.com/openmhealth/schemas, Apache-2.0) are written out below: allowed units, value sets,
a time frame that is an instant or an interval with two of start, end and duration, times of RFC 3339 with an offset. A
point that breaks its schema goes to quarantine with the reason. So does one that no clock can place: versions 1.x
allow a point without a time, or "the evening of" a day.

A ``descriptive_statistic`` says that the value sums up many: a mean or a maximum of a level is kept as derived, one of
an amount ("steps per day") is no amount of its interval, and is counted as unmapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import msgspec
from msgspec import Raw

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record.event import Basis, Event, SourcePatient
from medtwin.record.moment import Moment, Precision
from medtwin.sources.clock import iso
from medtwin.sources.contradictions import flagged
from medtwin.sources.fact import Facts
from medtwin.sources.item import Intake, Item, Origin, Part, Payload, Reason, Unmapped
from medtwin.sources.tabular import key_of, settle

DIALECT = "open_mhealth/1"

# Value sets (descriptive-statistic-1.x, temporal-relationship-to-*-1.x, specimen-source, body-posture-1.0, ...)
_STATISTICS = frozenset((
    "average", "count", "maximum", "median", "minimum", "standard deviation", "sum", "variance", "20th percentile",
    "80th percentile", "lower quartile", "upper quartile", "quartile deviation", "1st quintile", "2nd quintile",
    "3rd quintile", "4th quintile",
))  # fmt: skip
_MEALS = frozenset((
    "fasting", "not fasting", "before meal", "after meal", "before breakfast", "after breakfast", "before lunch",
    "after lunch", "before dinner", "after dinner", "2 hours postprandial", "with meal", "with food",
))  # fmt: skip
_SPECIMENS = frozenset((
    "interstitial fluid", "capillary blood", "plasma", "serum", "tears", "whole blood", "blood", "saliva", "urine",
    "venous blood", "arterial blood",
))  # fmt: skip
_VALUE_SETS: dict[str, frozenset[str]] = {
    "descriptive_statistic": _STATISTICS,
    "temporal_relationship_to_meal": _MEALS,
    "temporal_relationship_to_sleep": frozenset(("before sleeping", "during sleep", "on waking")),
    "temporal_relationship_to_physical_activity": frozenset(
        ("at rest", "active", "before exercise", "after exercise", "during exercise")
    ),
    "specimen_source": _SPECIMENS,
    "blood_specimen_type": _SPECIMENS,
    "body_posture": frozenset(("sitting", "lying down", "standing", "semi-recumbent")),
    "position_during_measurement": frozenset(("sitting", "lying down", "standing", "semi-recumbent")),
    "reported_activity_intensity": frozenset(("light", "moderate", "vigorous")),
}
_DURATIONS = {
    "ps": "ps", "ns": "ns", "us": "us", "ms": "ms", "sec": "s", "min": "min", "h": "h", "d": "d", "wk": "wk", "Mo": "mo",
    "yr": "a",
}  # fmt: skip
_SECONDS = {"ms": 0.001, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "wk": 604800.0}
_MASSES = frozenset(("fg", "pg", "ng", "ug", "mg", "g", "kg", "Metric Ton", "gr", "oz", "lb", "Ton"))
_LENGTHS = frozenset(("fm", "pm", "nm", "um", "mm", "cm", "m", "km", "in", "ft", "yd", "mi"))
_UCUM = {"lb": "[lb_av]", "oz": "[oz_av]", "F": "[degF]", "C": "Cel", "beats/min": "/min", "breaths/min": "/min",
         "mmHg": "mm[Hg]", "in": "[in_i]", "ft": "[ft_i]", "yd": "[yd_i]", "mi": "[mi_i]", "steps": "{steps}",
         "gr": "[gr]", "Metric Ton": "t", "Ton": "[ston_av]", **_DURATIONS}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Measure:
    """One unit value of a body: its quantity, the units that its schema allows, whether it needs an interval."""

    quantity: str | None
    units: frozenset[str]
    interval: bool = False


_KCAL = frozenset(("kcal",))
_SLEEP = _Measure("sleep_duration", frozenset(_DURATIONS), True)
_MEASURES: dict[str, _Measure] = {
    "blood_glucose": _Measure("blood_glucose", frozenset(("mg/dL", "mmol/L"))),
    "body_weight": _Measure("body_weight", _MASSES),
    "body_height": _Measure("body_height", _LENGTHS),
    "body_temperature": _Measure("body_temperature", frozenset(("K", "F", "C"))),
    "systolic_blood_pressure": _Measure("systolic_pressure", frozenset(("mmHg",))),
    "diastolic_blood_pressure": _Measure("diastolic_pressure", frozenset(("mmHg",))),
    "heart_rate": _Measure("heart_rate", frozenset(("beats/min",))),
    "respiratory_rate": _Measure("respiratory_rate", frozenset(("breaths/min",))),
    "oxygen_saturation": _Measure("oxygen_saturation", frozenset(("%",))),
    "step_count": _Measure("step_count", frozenset(("steps",)), True),
    "kcal_burned": _Measure("active_energy", _KCAL, True),
    "sleep_duration": _SLEEP,
    "total_sleep_time": _SLEEP,
    "distance": _Measure("distance_travelled", _LENGTHS, True),
    "supplemental_oxygen_flow_rate": _Measure(None, frozenset(("L/min",))),
}
#: the keys that make a JSON object a point of this dialect
_MARKS = (*(name for name in _MEASURES if name not in ("distance", "supplemental_oxygen_flow_rate")), "activity_name")


class _Broken(Exception):
    """A point breaks its schema."""

    def __init__(self, found: str, expected: str, remedy: str = "") -> None:
        super().__init__(found)
        self.found, self.expected, self.remedy = found, expected, remedy


class Reader:
    """Dialect ``open_mhealth``."""

    name, version = "open_mhealth", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        start = head.lstrip()[:1]
        if start not in (b"{", b"[") or b'"resourceType"' in head:
            return 0.0
        if b'"schema_id"' in head and b'"body"' in head:
            return 0.9
        return 0.8 if any(f'"{mark}"'.encode() in head for mark in _MARKS) else 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        content = payload.read()
        points = _points(content)
        system = intake.source or "open_mhealth"
        owners: dict[str, list[tuple[str, bytes, object]]] = {}
        for where, raw in points:
            try:
                point = msgspec.json.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                point = None
            owners.setdefault(_user(point), []).append((where, raw, point))
        for user, own in owners.items():
            raw = content
            if len(owners) > 1:
                raw = b"\n".join(one.replace(b"\n", b" ") for _, one, _ in own)
                own = [(f"line {index}", one, point) for index, (_, one, point) in enumerate(own, 1)]
            owner = SourcePatient(system, user or intake.anonymous)
            yield Part(
                owner=owner, system=system, raw=raw, named=bool(user), media_type="application/json",
                read=partial(_read, own, owner, intake),
            )  # fmt: skip


def _points(content: bytes) -> list[tuple[str, bytes]]:
    """(locator, bytes) of each point; raises :class:`FormatError` when the bytes are no JSON."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        if content.lstrip().startswith(b"["):
            raws = msgspec.json.decode(content, type=list[Raw])
            return [(f"[{index}]", bytes(raw)) for index, raw in enumerate(raws)]
        msgspec.json.decode(content, type=Raw)
        return [("point", content)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        lines = content.splitlines()
        if len(lines) > 1 and lines[0].strip().endswith(b"}") and not isinstance(error, RecursionError):
            return [(f"line {index}", line) for index, line in enumerate(lines, 1) if line.strip()]
        raise FormatError(f"JSON that cannot be read ({error})", expected="an Open mHealth data point") from error


def _user(point: object) -> str:
    header = point.get("header") if isinstance(point, dict) else None
    user = header.get("user_id") if isinstance(header, dict) else None
    return user if isinstance(user, str) else ""


def _read(
    points: list[tuple[str, bytes, object]], owner: SourcePatient, intake: Intake, origin: Origin
) -> Iterator[Item]:
    yield from flagged(_items(points, Facts(owner, owner.system, DIALECT, origin, intake)))


def _items(points: list[tuple[str, bytes, object]], facts: Facts) -> Iterator[Item]:
    unmapped: dict[str, int] = {}
    nameless: list[tuple[Event, str]] = []
    for where, raw, point in points:
        try:
            for item in _point(point, raw, where, facts):
                if isinstance(item, Unmapped):
                    unmapped[item.kind] = unmapped.get(item.kind, 0) + item.count
                elif (
                    isinstance(item, Event)
                    and item.basis is Basis.OBSERVED
                    and item.key == key_of(item.quantity, item.time)
                ):
                    nameless.append((item, item.until.text if item.until else ""))
                else:
                    yield item
        except _Broken as error:
            yield Reason(found=error.found, expected=error.expected, where=where, remedy=error.remedy)
        except FormatError as error:
            yield Reason(found=error.found, expected=error.expected, where=where, remedy=error.remedy)
    yield from settle(nameless)
    for kind, count in unmapped.items():
        yield Unmapped(kind, count)


def _point(point: object, raw: bytes, where: str, facts: Facts) -> list[Item]:
    """All facts of one point, or :class:`_Broken`; a point is taken whole or not at all."""
    if not isinstance(point, dict):
        raise _Broken("a point that is no JSON object", "an Open mHealth body")
    header, body = point.get("header"), point
    texts = _texts(raw)
    if "body" in point:
        if not isinstance(header, dict) or not isinstance(point["body"], dict):
            raise _Broken("a header or a body that is no JSON object", "header-1.x and a body")
        body, texts = point["body"], _texts(bytes(texts.get("body", b"")))
    _value_sets(body)
    measures = {name: _measure(name, body[name], texts[name]) for name in _MEASURES if name in body}
    if not measures and "activity_name" not in body:
        raise _Broken("no measure that medtwin knows", "a body such as blood_glucose", "kept; report the schema")
    if ("systolic_blood_pressure" in body) != ("diastolic_blood_pressure" in body):
        raise _Broken("half a blood pressure", "systolic and diastolic")
    start, end = _frame(body.get("effective_time_frame"))
    identity, available = _header(header)
    statistic = body.get("descriptive_statistic")
    items: list[Item] = []
    needs = "activity_name" in body or "number_of_awakenings" in body
    if end is None and (needs or any(_MEASURES[name].interval for name in measures)):
        raise _Broken("an amount at an instant", "a time_interval, as its schema demands")
    if "activity_name" in body:
        if not isinstance(body["activity_name"], str):
            raise _Broken("an activity_name that is no text", "physical-activity-1.x")
        assert end is not None
        minutes = (end.instant - start.instant).total_seconds() / 60
        items.append(
            facts.number(
                registry.get("physical_activity"),
                f"{minutes:g}",
                "min",
                start,
                identity("physical_activity", start),
                where,
                until=end,
                available=available,
            )
        )
    for name, (text, unit) in measures.items():
        quantity_name = _MEASURES[name].quantity
        if name == "blood_glucose" and body.get("specimen_source") == "interstitial fluid":
            quantity_name = "glucose"
        if quantity_name is None:
            items.append(Unmapped(name))
            continue
        quantity = registry.get(quantity_name)
        if statistic not in (None, "sum") and quantity.kind is not Kind.LEVEL:
            items.append(Unmapped(f"{name} {statistic}"))
            continue
        group = f"blood_pressure@{start.text}" if name.endswith("blood_pressure") else None
        items.append(
            facts.number(
                quantity,
                text,
                _UCUM.get(unit, unit),
                start,
                identity(quantity.name, start),
                where,
                until=end,
                available=available,
                basis=Basis.DERIVED if statistic else Basis.OBSERVED,
                group=group,
            )
        )
    known = {*_MEASURES, *_VALUE_SETS, "effective_time_frame", "activity_name", "user_notes", "header", "body"}
    items.extend(Unmapped(str(name)[:60]) for name in body if name not in known)
    return items


def _texts(raw: bytes) -> dict[str, Raw]:
    """The members of an object as they were written, for the text of numbers."""
    return msgspec.json.decode(raw, type=dict[str, Raw])


class _UnitValue(msgspec.Struct):
    value: Raw
    unit: str


def _measure(name: str, value: object, raw: Raw) -> tuple[str, str]:
    """(text, unit) of unit-value-1.x; step counts of version 1 and 2 are bare numbers."""
    text: str | None = None
    unit: object = None
    if name == "step_count" and isinstance(value, (int, float)) and not isinstance(value, bool):
        text, unit = bytes(raw).decode(), "steps"
    elif isinstance(value, dict):
        amount, unit = value.get("value"), value.get("unit")
        if isinstance(amount, (int, float)) and not isinstance(amount, bool) and isinstance(unit, str):
            text = bytes(msgspec.json.decode(raw, type=_UnitValue).value).decode()
    if text is None or not isinstance(unit, str):
        raise _Broken(f"a {name} without a number and a unit", "unit-value-1.x: value (number) and unit")
    if unit not in _MEASURES[name].units:
        raise _Broken(f"the unit {unit[:20]!r} of {name}", " or ".join(sorted(_MEASURES[name].units)[:8]))
    return text, unit


def _value_sets(body: dict[str, object]) -> None:
    for name, allowed in _VALUE_SETS.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, str) or value not in allowed):
            raise _Broken(f"the {name} {str(value)[:40]!r}", f"one of {', '.join(sorted(allowed)[:6])}, ...")


def _instant(value: object) -> Moment:
    """date-time-1.0: RFC 3339, which always has seconds and an offset."""
    moment = iso(value) if isinstance(value, str) else None
    if moment is None or moment.offset is None or moment.precision < Precision.SECOND:
        raise _Broken(f"the time {str(value)[:40]!r}", "a date-time of RFC 3339 with an offset")
    return moment


def _frame(frame: object) -> tuple[Moment, Moment | None]:
    """time-frame-1.0: exactly one of date_time and time_interval."""
    if frame is None:
        raise _Broken(
            "a point without effective_time_frame", "the time at which it held",
            "versions 1.x and 2.x allow this, but nobody knows when it was: ask the source",
        )  # fmt: skip
    if not isinstance(frame, dict) or ("date_time" in frame) == ("time_interval" in frame):
        raise _Broken("a time frame of neither or both kinds", "date_time or time_interval")
    if "date_time" in frame:
        return _instant(frame["date_time"]), None
    interval = frame["time_interval"]
    if not isinstance(interval, dict):
        raise _Broken("a time_interval that is no object", "time-interval-1.0")
    if "part_of_day" in interval:
        raise _Broken("a part of a day", "an instant or an interval", "kept; no clock can place it")
    given = [name for name in ("start_date_time", "end_date_time", "duration") if name in interval]
    if len(given) != 2:
        raise _Broken(f"a time_interval with {len(given)} of start, end, duration", "two of them (time-interval-1.0)")
    lasted = timedelta(0)
    if "duration" in interval:
        lasted = _duration(interval["duration"])
    if "start_date_time" in interval:
        start = _instant(interval["start_date_time"])
        end = _instant(interval["end_date_time"]) if "end_date_time" in interval else _shifted(start, lasted)
    else:
        end = _instant(interval["end_date_time"])
        start = _shifted(end, -lasted)
    if end.instant < start.instant:
        raise _Broken("an interval that ends before it starts", "start before end")
    return start, end


def _shifted(moment: Moment, by: timedelta) -> Moment:
    local = moment.local + by
    return replace(moment, local=local, precision=Precision.FRACTION if local.microsecond else Precision.SECOND)


def _duration(value: object) -> timedelta:
    amount = value.get("value") if isinstance(value, dict) else None
    unit = value.get("unit") if isinstance(value, dict) else None
    if not isinstance(amount, (int, float)) or isinstance(amount, bool) or unit not in _SECONDS:
        raise _Broken("a duration without a number and a unit of fixed length", "duration-unit-value-1.0")
    seconds = amount * _SECONDS[unit]
    if not 0 <= seconds < 4e9:
        raise _Broken(f"a duration of {amount} {unit}", "a length of time")
    return timedelta(seconds=seconds)


def _header(header: object) -> tuple[Callable[[str, Moment], str], datetime | None]:
    """How facts are named, and when the point was created (header-1.x)."""
    if not isinstance(header, dict):
        return key_of, None
    number, created = header.get("id") or header.get("uuid"), header.get("creation_date_time")
    known = _instant(created).instant if created is not None else None
    provenance = header.get("acquisition_provenance")
    stamped = provenance.get("source_creation_date_time") if isinstance(provenance, dict) else None
    if stamped is not None:
        known = _instant(stamped).instant
    if isinstance(number, str) and number:
        return (lambda quantity, time: f"{number}#{quantity}"), known
    return key_of, known
