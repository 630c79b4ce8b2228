"""Apple Health export.xml: streamed, in parts of a few MiB, so that memory stays flat on exports of gigabytes.

Each record carries its own offset; ``HKTimeZone`` metadata, where it stands, is kept as the moment's zone. A record is
known when it was created in the phone's store (``creationDate``), which may be long after it was true. Percentages are
written as fractions under the unit ``%``; the body mass index under ``count``. Records inside a Correlation stand at
the top level as well (Apple's own note in the DTD): both become the same fact.

The file may declare a DTD of elements; an entity of any kind is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from xml.parsers import expat

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Quantity
from medtwin.record.event import Code, Event, SourcePatient
from medtwin.record.moment import Moment
from medtwin.record.store import Demographics
from medtwin.sources.clock import iso, known_zone
from medtwin.sources.fact import Facts, number
from medtwin.sources.item import Intake, Item, Origin, Part, Payload, Reason, Unmapped
from medtwin.sources.tabular import key_of, settle

DIALECT = "apple_health/1"
_PART = 4 * 1024 * 1024
_DEPTH = 64
_PREFIX = "HKQuantityTypeIdentifier"
_TYPES = {
    "HeartRate": "heart_rate", "RestingHeartRate": "resting_heart_rate", "StepCount": "step_count",
    "DistanceWalkingRunning": "distance_travelled", "DistanceCycling": "distance_travelled",
    "DistanceSwimming": "distance_travelled", "ActiveEnergyBurned": "active_energy", "BasalEnergyBurned": "basal_energy",
    "BodyMass": "body_weight", "Height": "body_height", "BodyMassIndex": "body_mass_index",
    "BodyFatPercentage": "body_fat_fraction", "OxygenSaturation": "oxygen_saturation",
    "BodyTemperature": "body_temperature", "RespiratoryRate": "respiratory_rate",
    "BloodPressureSystolic": "systolic_pressure", "BloodPressureDiastolic": "diastolic_pressure",
    "WaistCircumference": "waist_circumference", "DietaryCarbohydrates": "carbohydrate_intake",
    "DietaryProtein": "protein_intake", "DietaryFatTotal": "fat_intake", "DietaryFiber": "fibre_intake",
    "DietaryEnergyConsumed": "energy_intake", "DietarySodium": "sodium_intake",
}  # fmt: skip
_FRACTIONS = {"body_fat_fraction", "oxygen_saturation"}
_SENSORS = re.compile(r"dexcom|libre|cgm|medtronic|eversense|loop|xdrip|spike|nightscout", re.I)
_MOLES = re.compile(r"(mmol|mol)<[\d.]+>")
_SEX = {"HKBiologicalSexMale": "male", "HKBiologicalSexFemale": "female", "HKBiologicalSexOther": "other"}


class Reader:
    """Dialect ``apple_health``."""

    name, version = "apple_health", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        plain = head.replace(b"\0", b"")
        return 0.95 if b"<HealthData" in plain or b"<!DOCTYPE HealthData" in plain else 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        owner = SourcePatient(intake.source or "apple_health", intake.anonymous)
        for raw in _cut(payload):
            people = _me(raw, owner)
            yield Part(
                owner=owner, system=owner.system, raw=raw, named=False, media_type="application/xml", people=people,
                read=partial(_read, raw, owner, intake),
            )  # fmt: skip


def _parser() -> expat.XMLParserType:
    """An expat parser that refuses entities and deep nesting (XML 1.0, 4.2: entity declarations)."""
    parser = expat.ParserCreate("UTF-8")  # whatever it declares: another encoding is refused by name

    def refuse(*_: object) -> int:
        raise FormatError("an XML entity declaration", expected="an export without entities", remedy="do not open it")

    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True
    return parser


def _cut(payload: Payload) -> Iterator[bytes]:
    """Documents of a few MiB, cut between the elements under the root; a small export stays as it came.

    What was whole before a fault is yielded before the fault is raised.
    """
    parser = _parser()
    depth, child, last, closing, root_end, encoding = 0, -1, -1, -1, -1, ""  # byte offsets

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, child, last
        depth += 1
        if depth > _DEPTH:
            raise FormatError(f"XML nested more than {_DEPTH} deep", expected="an Apple Health export")
        if depth == 1 and name != "HealthData":
            raise FormatError(f"the XML root {name[:40]!r}", expected="HealthData")
        if depth == 2:
            last = parser.CurrentByteIndex
            child = last if child < 0 else child

    def end(name: str) -> None:
        nonlocal depth, closing, root_end
        depth -= 1
        if depth == 0:
            root_end = parser.CurrentByteIndex
        elif depth == 1:
            closing = parser.CurrentByteIndex  # of the closing tag, or just after an empty element

    def declared(version: str, stated: str | None, standalone: int) -> None:
        nonlocal encoding
        encoding = (stated or "utf-8").lower()

    parser.StartElementHandler, parser.EndElementHandler, parser.XmlDeclHandler = start, end, declared
    held, base, whole = bytearray(), 0, True
    with payload.open() as stream:
        while True:
            chunk = stream.read(min(1 << 20, _PART))
            if base == 0 and not held and chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise FormatError("an export in UTF-16", expected="UTF-8", remedy="save it as UTF-8")
            held += chunk
            fault: FormatError | None = None
            try:
                parser.Parse(chunk, not chunk)
            except expat.ExpatError as error:
                fault = FormatError(
                    f"XML that breaks off or is no XML ({expat.ErrorString(error.code)})", expected="a whole export.xml",
                    where=f"line {error.lineno}", remedy="export it again",
                )  # fmt: skip
            except FormatError as error:
                fault = error
            if encoding not in ("", "utf-8", "us-ascii", "ascii"):
                raise FormatError(f"an export in {encoding[:20]}", expected="UTF-8", remedy="save it as UTF-8")
            first = max(base, child)
            cut = (last if chunk else root_end) - base
            if fault is not None:  # what was whole before it
                cut = closing - base
                cut = held.find(b">", cut) + 1 if cut >= 0 and held.startswith(b"</", cut) else cut
            if fault is None and not chunk and whole:
                yield bytes(held)
                return
            if (cut - (first - base) >= _PART or fault is not None or not chunk) and cut > first - base:
                yield b"<HealthData>\n" + bytes(held[first - base : cut]) + b"</HealthData>\n"
                whole = False
                del held[:cut]
                base += cut
            if fault is not None:
                raise fault
            if not chunk:
                return


def _me(raw: bytes, owner: SourcePatient) -> tuple[tuple[SourcePatient, Demographics], ...]:
    found = re.search(rb"<Me\s[^>]*>", raw)
    if found is None:
        return ()
    said = dict(re.findall(r'(HKCharacteristicTypeIdentifier\w+)="([^"]*)"', found[0].decode("utf-8", "replace")))
    born = said.get("HKCharacteristicTypeIdentifierDateOfBirth", "")
    sex = _SEX.get(said.get("HKCharacteristicTypeIdentifierBiologicalSex", ""), "")
    return ((owner, Demographics(birth_date=born, sex=sex)),)


def _read(raw: bytes, owner: SourcePatient, intake: Intake, origin: Origin) -> Iterator[Item]:
    """The facts of one document; nested Metadata is seen before the record ends."""
    facts = Facts(owner, owner.system, DIALECT, origin, intake)
    parser = _parser()
    events: list[tuple[Event, str]] = []
    reasons: list[Reason] = []
    unmapped: dict[str, int] = {}
    stack: list[tuple[str, dict[str, str], dict[str, str], str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "MetadataEntry" and stack:
            stack[-1][2][attributes.get("key", "")] = attributes.get("value", "")
        stack.append((name, attributes, {}, f"line {parser.CurrentLineNumber}"))

    def end(_: str) -> None:
        name, attributes, metadata, where = stack.pop()
        try:
            items = list(_element(name, attributes, metadata, where, facts))
        except FormatError as error:
            reasons.append(Reason(found=error.found, expected=error.expected, where=where, remedy=error.remedy))
            return
        for item in items:
            if isinstance(item, Event):
                events.append((item, "\x1f".join(sorted(f"{key}={value}" for key, value in attributes.items()))))
            elif isinstance(item, Reason):
                reasons.append(item)
            else:
                unmapped[item.kind] = unmapped.get(item.kind, 0) + item.count

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(raw, True)
    yield from reasons
    yield from settle(events)
    for kind, count in unmapped.items():
        yield Unmapped(kind, count)


def _element(
    name: str, attributes: dict[str, str], metadata: dict[str, str], where: str, facts: Facts
) -> Iterator[Item]:
    if name == "Record":
        yield _record(attributes, metadata, where, facts)
    elif name == "Workout":
        yield _workout(attributes, metadata, where, facts)
    elif name == "Me":
        yield from _sex(attributes, where, facts)
    elif name in ("ActivitySummary", "WorkoutRoute", "ClinicalRecord", "Audiogram", "VisionPrescription"):
        yield Unmapped(name)


def _times(attributes: dict[str, str], metadata: dict[str, str]) -> tuple[Moment, Moment | None, datetime]:
    """Start, end (None when equal) and when the phone's store knew it."""
    zone = metadata.get("HKTimeZone")
    start, end = iso(attributes.get("startDate", "")), iso(attributes.get("endDate", ""))
    created = iso(attributes["creationDate"]) if attributes.get("creationDate") else end
    if zone:
        try:
            start, end = replace(start, zone=known_zone(zone)), replace(end, zone=zone)
        except FormatError:
            pass  # metadata of some app, not of the record
    if end.instant < start.instant:
        raise FormatError("a record that ends before it starts", expected="startDate before endDate")
    return start, (end if end.instant != start.instant else None), max(created.instant, end.instant)


def _key(quantity: str, time: Moment, attributes: dict[str, str]) -> str:
    """Watch and phone count at one moment: the source's name is part of the key."""
    return f"{key_of(quantity, time)}|{attributes.get('sourceName', '')}"


def _record(attributes: dict[str, str], metadata: dict[str, str], where: str, facts: Facts) -> Item:
    kind = attributes.get("type", "")
    short = kind.removeprefix(_PREFIX)
    if kind == "HKCategoryTypeIdentifierSleepAnalysis":
        return _sleep(attributes, metadata, where, facts)
    text, unit = attributes.get("value", ""), attributes.get("unit", "")
    start, end, available = _times(attributes, metadata)
    if short == "InsulinDelivery":
        return _insulin(attributes, metadata, where, facts)
    if short == "BloodGlucose":
        name: str | None = "glucose" if _SENSORS.search(attributes.get("sourceName", "")) else "blood_glucose"
        unit = _MOLES.sub(r"\1", unit)
    else:
        name = _TYPES.get(short)
    if name is None:
        return Unmapped(f"Record {kind[:80]}")
    quantity = registry.get(name)
    value = None
    if name in _FRACTIONS and unit == "%":
        read = number(text)
        value = read[0] * 100 if read else None
    elif name == "body_mass_index" and unit == "count":
        unit = "kg/m2"
    group = f"blood_pressure@{start.text}" if name in ("systolic_pressure", "diastolic_pressure") else None
    return facts.number(
        quantity, text, unit, start, _key(name, start, attributes), where, value=value, until=end, available=available,
        group=group, reckoned=value is not None,
    )  # fmt: skip


def _hours(start: Moment, end: Moment | None) -> float:
    return (end.instant - start.instant).total_seconds() / 3600 if end is not None else 0.0


def _insulin(attributes: dict[str, str], metadata: dict[str, str], where: str, facts: Facts) -> Item:
    """HKInsulinDeliveryReason 1 is basal (a rate over its interval, or one long-acting dose), 2 is a bolus."""
    start, end, available = _times(attributes, metadata)
    text, unit, hours = attributes.get("value", ""), attributes.get("unit", ""), _hours(start, end)
    reason = metadata.get("HKInsulinDeliveryReason")
    value: float | None = None
    quantity: Quantity
    if reason == "2":
        quantity = registry.get("insulin_bolus")
    elif reason == "1" and hours > 0:
        quantity, read, unit = registry.get("insulin_basal_rate"), number(text), f"{unit}/h"
        value = read[0] / hours if read else None
    elif reason == "1":
        quantity = registry.get("insulin_long_acting")
    else:
        return Reason(
            found="an insulin delivery without a reason", expected="HKInsulinDeliveryReason 1 (basal) or 2 (bolus)",
            where=where,
        )  # fmt: skip
    key = _key(quantity.name, start, attributes)
    return facts.number(
        quantity, text, unit, start, key, where, value=value, until=end, available=available, reckoned=value is not None
    )


def _sleep(attributes: dict[str, str], metadata: dict[str, str], where: str, facts: Facts) -> Item:
    """Time asleep; time in bed and awake is no sleep."""
    value = attributes.get("value", "")
    if "Asleep" not in value:
        return Unmapped(f"Record sleep {value.removeprefix('HKCategoryValueSleepAnalysis')[:40]}")
    start, end, available = _times(attributes, metadata)
    quantity = registry.get("sleep_duration")
    key = _key(quantity.name, start, attributes)
    return facts.number(
        quantity, value, "h", start, key, where, value=_hours(start, end), until=end, available=available, reckoned=True
    )


def _workout(attributes: dict[str, str], metadata: dict[str, str], where: str, facts: Facts) -> Item:
    """A bout by its duration; its energy and distance stand in Records of their own."""
    start, end, available = _times(attributes, metadata)
    quantity = registry.get("physical_activity")
    text, unit = attributes.get("duration", ""), attributes.get("durationUnit", "min")
    key = _key(quantity.name, start, attributes)
    if not text:
        return facts.number(
            quantity, "", "h", start, key, where, value=_hours(start, end), until=end, available=available, reckoned=True
        )  # fmt: skip
    return facts.number(quantity, text, unit, start, key, where, until=end, available=available)


def _sex(attributes: dict[str, str], where: str, facts: Facts) -> Iterator[Item]:
    sex = _SEX.get(attributes.get("HKCharacteristicTypeIdentifierBiologicalSex", ""))
    born = attributes.get("HKCharacteristicTypeIdentifierDateOfBirth", "")
    if sex and born:
        code = Code("http://hl7.org/fhir/administrative-gender", sex, sex)
        yield facts.coded("sex", code, iso(born), "Me#sex", where, text=sex)
