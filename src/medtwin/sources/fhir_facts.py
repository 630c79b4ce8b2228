"""FHIR R4 resources to facts, one function a resource type; the clause of FHIR R4 (4.0.1) stands at each.

Status (each resource's own value set): ``entered-in-error`` retracts, ``amended`` and ``corrected`` correct; an order
is ordered, a statement stated, an administration happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind, Quantity
from medtwin.record.event import Basis, Code, Comparator, Intent, Status
from medtwin.record.moment import Moment
from medtwin.sources import fhir_shapes as shape
from medtwin.sources.clock import iso
from medtwin.sources.fact import Facts
from medtwin.sources.fhir_medicines import dose_quantity
from medtwin.sources.fhir_shapes import UNREADABLE
from medtwin.sources.item import Item, Reason, Unmapped

UCUM = "http://unitsofmeasure.org"
_STATUS = {
    "entered-in-error": Status.ENTERED_IN_ERROR, "amended": Status.CORRECTED, "corrected": Status.CORRECTED,
    "appended": Status.CORRECTED,
}  # fmt: skip
_COMPARATORS = {
    "<": Comparator.BELOW, "<=": Comparator.AT_MOST, ">=": Comparator.AT_LEAST, ">": Comparator.ABOVE,
}  # fmt: skip
#: SNOMED CT "no known ..." codes: negations that a system writes as if they were findings
_NONE_KNOWN = {"716186003", "409137002", "428607008", "429625007", "160244002", "1003774007", "160245001"}


@dataclass(slots=True)
class Context:
    """What reading one resource needs besides its own bytes."""

    facts: Facts
    zone: str | None
    groups: dict[str, str]  #: "Observation/<id>" or fullUrl to the panel that it belongs to
    medicines: Callable[[str], shape.CodeableConcept | None]  #: a medicationReference, looked up in the bundle


@dataclass(slots=True)
class Resource:
    type: str
    key: str  #: "Observation/<id>"
    raw: msgspec.Raw
    where: str
    full_url: str = ""


def _no_time(resource: Resource, field: str) -> Reason:
    return Reason(
        found=f"{resource.type} without {field}", expected="a time at which it held", where=resource.where,
        remedy="ask the sender for the time; nothing is invented",
    )  # fmt: skip


def _concept(concept: shape.CodeableConcept | None, *, negated: bool = False) -> Code | None:
    if concept is None:
        return None
    for coding in concept.coding:
        if coding.code:
            return Code(
                coding.system, coding.code, coding.display or concept.text, negated or coding.code in _NONE_KNOWN
            )
    return Code("", "", concept.text, negated) if concept.text else None


def _codes(concept: shape.CodeableConcept | None) -> set[str]:
    return {coding.code for coding in concept.coding} if concept else set()


def _period(stated: str | None, period: shape.Period | None, zone: str | None) -> tuple[Moment | None, Moment | None]:
    """Start and end of ``x DateTime | x Period``; an end that equals the start says nothing."""
    if stated:
        return iso(stated, zone), None
    if period is None:
        return None, None
    start = iso(period.start, zone) if period.start else None
    end = iso(period.end, zone) if period.end else None
    if start is None:
        return end, None
    return start, end if end is not None and end != start else None


def _issued(
    stated: str | None, status: Status, meta: shape.Meta | None, zone: str | None, fallback: Moment | None = None
) -> datetime | None:
    """When it could be known: the issue time; for a correction, the later of that and ``meta.lastUpdated``."""
    moment = iso(stated, zone) if stated else fallback
    issued = moment.instant if moment else None
    if status is not Status.FINAL and meta is not None and meta.lastUpdated:
        updated = iso(meta.lastUpdated, zone).instant
        return updated if issued is None or updated > issued else issued
    return issued


# Observation, FHIR R4 10.1

_observation = msgspec.json.Decoder(shape.Observation)


def observation(resource: Resource, context: Context) -> Iterator[Item]:
    found = _observation.decode(resource.raw)
    if found.status == "cancelled":
        yield Unmapped("Observation cancelled")
        return
    status = _STATUS.get(found.status, Status.FINAL)
    time, until = _period(found.effectiveDateTime or found.effectiveInstant, found.effectivePeriod, context.zone)
    if time is None and found.issued:
        time = iso(found.issued, context.zone)
    if time is None:
        if found.hasMember and not found.component:
            yield Unmapped("Observation panel")
        else:
            yield _no_time(resource, "effective[x] and issued")
        return
    available = _issued(found.issued, status, found.meta, context.zone)
    basis = Basis.DERIVED if found.derivedFrom else Basis.OBSERVED
    panel = context.groups.get(resource.key) or context.groups.get(resource.full_url)
    shared = (time, until, available, status, basis)
    used: dict[str, int] = {}
    for index, component in enumerate(found.component):
        code = next((coding.code for coding in component.code.coding if coding.code), "") if component.code else ""
        name = code or str(index)
        used[name] = used.get(name, 0) + 1
        key = f"{resource.key}#{name}" + (f"#{used[name]}" if used[name] > 1 else "")
        where = f"{resource.where}.component[{index}]"
        yield _value(component, found.code, key, where, resource.key, shared, context)
    if found.component and _bare(found):
        return
    if found.hasMember and _bare(found):
        yield Unmapped("Observation panel")
        return
    yield _value(found, None, resource.key, resource.where, panel, shared, context)


def _bare(found: shape.Value) -> bool:
    return found.valueQuantity is None and found.valueCodeableConcept is None and found.valueString is None and (
        not _there(found.valueInteger) and found.valueBoolean is None
    )  # fmt: skip


def _there(raw: msgspec.Raw) -> bool:
    return len(bytes(raw)) > 0 and bytes(raw) != b"null"


def _mapped(concept: shape.CodeableConcept | None) -> Quantity | None:
    if concept is not None:
        for coding in concept.coding:
            quantity = registry.by_code(coding.system, coding.code)
            if quantity is not None:
                return quantity
    return None


def _named(concept: shape.CodeableConcept | None) -> str:
    for coding in concept.coding if concept else ():
        if coding.code:
            return f"{registry.SYSTEMS.get(coding.system, coding.system)}|{coding.code}"
    return "without a code"


_Shared = tuple[Moment, Moment | None, datetime | None, Status, Basis]


def _value(
    found: shape.Value, outer: shape.CodeableConcept | None, key: str, where: str, group: str | None, shared: _Shared,
    context: Context,
) -> Item:  # fmt: skip
    """value[x] of an Observation or a component as a fact of the quantity that its code names."""
    time, until, available, status, basis = shared
    facts = context.facts
    quantity = _mapped(found.code)
    amount = found.valueQuantity
    if amount is not None or _there(found.valueInteger):
        if quantity is None or quantity.kind is Kind.CODE:
            return Unmapped(f"Observation {_named(found.code)}")
        raw = amount.value if amount is not None else found.valueInteger
        if not _there(raw):
            return Unmapped("Observation without value")
        unit, comparator, assumed = quantity.unit if quantity.unit.startswith("{") else "", None, True
        if amount is not None:
            if amount.code and amount.system == UCUM:
                unit, assumed = amount.code, False
            elif amount.unit or amount.code:
                unit, assumed = amount.unit or amount.code, False
            comparator = _COMPARATORS.get(amount.comparator or "")
        text = bytes(raw).decode()
        return facts.number(
            quantity, text, unit, time, key, where, comparator=comparator, until=until, available=available,
            status=status, basis=basis, group=group, assumed=assumed,
        )  # fmt: skip
    name = quantity.name if quantity is not None and quantity.kind is Kind.CODE else "finding"
    question = _concept(found.code) or _concept(outer) or Code("", "", "")
    asked = question.display or question.code
    coded: Code | None
    if found.valueCodeableConcept is not None:
        coded = _concept(found.valueCodeableConcept)
        text = f"{asked}: {coded.display or coded.code}" if coded else asked
    elif found.valueString is not None:
        coded, text = question, found.valueString
    elif found.valueBoolean is not None:
        coded = Code(question.system, question.code, question.display, not found.valueBoolean)
        text = "true" if found.valueBoolean else "false"
    elif status is Status.ENTERED_IN_ERROR:
        coded, text, name = None, "", quantity.name if quantity is not None else name
    elif found.dataAbsentReason is not None:
        return Unmapped("Observation without value (dataAbsentReason)")
    else:
        return Unmapped(f"Observation value[x] of {_named(found.code)}")
    return facts.coded(
        name, coded, time, key, where, text=text, until=until, available=available, status=status, group=group
    )


# Condition 9.2, AllergyIntolerance 9.1, Procedure 9.3, Encounter 8.11, DiagnosticReport 10.3, Immunization 11.5

_condition = msgspec.json.Decoder(shape.Condition)
_allergy = msgspec.json.Decoder(shape.AllergyIntolerance)
_procedure = msgspec.json.Decoder(shape.Procedure)
_encounter = msgspec.json.Decoder(shape.Encounter)
_report = msgspec.json.Decoder(shape.DiagnosticReport)
_immunization = msgspec.json.Decoder(shape.Immunization)


def _verified(concept: shape.CodeableConcept | None) -> tuple[Status, bool]:
    """(status, negated) of condition-ver-status and allergyintolerance-verification."""
    codes = _codes(concept)
    return (Status.ENTERED_IN_ERROR if "entered-in-error" in codes else Status.FINAL), "refuted" in codes


def _statement(
    quantity: str, code: Code | None, resource: Resource, context: Context, time: Moment | None, until: Moment | None,
    available: datetime | None, status: Status, missing: str, intent: Intent = Intent.HAPPENED,
) -> Item:  # fmt: skip
    if time is None:
        return _no_time(resource, missing)
    if code is None and status is not Status.ENTERED_IN_ERROR:
        return Reason(found=f"{resource.type} without a code or a text", expected="a code", where=resource.where)
    return context.facts.coded(
        quantity, code, time, resource.key, resource.where, text=code.display or None if code else None, until=until,
        available=available or time.instant, intent=intent, status=status,
    )  # fmt: skip


def _updated(meta: shape.Meta | None, zone: str | None) -> Moment | None:
    """A standing statement without a date of its own stood in the record when the record was last updated."""
    return iso(meta.lastUpdated, zone) if meta is not None and meta.lastUpdated else None


def condition(resource: Resource, context: Context) -> Iterator[Item]:
    found = _condition.decode(resource.raw)
    status, negated = _verified(found.verificationStatus)
    zone = context.zone
    recorded = iso(found.recordedDate, zone) if found.recordedDate else None
    start, _ = _period(found.onsetDateTime, found.onsetPeriod, zone)
    start = start or recorded or _updated(found.meta, zone)
    end, later = _period(found.abatementDateTime, found.abatementPeriod, zone)
    yield _statement(
        "diagnosis", _concept(found.code, negated=negated), resource, context, start, later or end,
        _issued(None, status, found.meta, zone, recorded), status, "onset[x], recordedDate and meta.lastUpdated",
    )  # fmt: skip


def allergy(resource: Resource, context: Context) -> Iterator[Item]:
    found = _allergy.decode(resource.raw)
    status, negated = _verified(found.verificationStatus)
    recorded = iso(found.recordedDate, context.zone) if found.recordedDate else None
    start, until = _period(found.onsetDateTime, found.onsetPeriod, context.zone)
    start = start or recorded or _updated(found.meta, context.zone)
    yield _statement(
        "allergy", _concept(found.code, negated=negated), resource, context, start, until,
        _issued(None, status, found.meta, context.zone, recorded), status, "onset[x], recordedDate and meta.lastUpdated",
    )  # fmt: skip


def procedure(resource: Resource, context: Context) -> Iterator[Item]:
    found = _procedure.decode(resource.raw)
    status = _STATUS.get(found.status, Status.FINAL)
    start, until = _period(found.performedDateTime, found.performedPeriod, context.zone)
    yield _statement(
        "procedure", _concept(found.code, negated=found.status == "not-done"), resource, context, start, until,
        _issued(None, status, found.meta, context.zone, until or start), status, "performed[x]",
        Intent.PLANNED if found.status == "preparation" else Intent.HAPPENED,
    )  # fmt: skip


def encounter(resource: Resource, context: Context) -> Iterator[Item]:
    found = _encounter.decode(resource.raw)
    status = _STATUS.get(found.status, Status.FINAL)
    start, until = _period(None, found.period, context.zone)
    code = _concept(found.type[0]) if found.type else None
    if code is None and found.class_ is not None and found.class_.code:
        code = Code(found.class_.system, found.class_.code, found.class_.display)
    if code is not None and found.status == "cancelled":
        code = Code(code.system, code.code, code.display, True)
    yield _statement(
        "encounter", code, resource, context, start, until, _issued(None, status, found.meta, context.zone, start),
        status, "period", Intent.PLANNED if found.status == "planned" else Intent.HAPPENED,
    )  # fmt: skip


def report(resource: Resource, context: Context) -> Iterator[Item]:
    found = _report.decode(resource.raw)
    if found.status == "cancelled":
        yield Unmapped("DiagnosticReport cancelled")
        return
    status = _STATUS.get(found.status, Status.FINAL)
    start, until = _period(found.effectiveDateTime, found.effectivePeriod, context.zone)
    if start is None and found.issued:
        start = iso(found.issued, context.zone)
    yield _statement(
        "report", _concept(found.code), resource, context, start, until,
        _issued(found.issued, status, found.meta, context.zone), status, "effective[x] and issued",
    )  # fmt: skip


def immunization(resource: Resource, context: Context) -> Iterator[Item]:
    found = _immunization.decode(resource.raw)
    status = _STATUS.get(found.status, Status.FINAL)
    start = iso(found.occurrenceDateTime, context.zone) if found.occurrenceDateTime else None
    yield _statement(
        "immunization", _concept(found.vaccineCode, negated=found.status == "not-done"), resource, context, start, None,
        _issued(found.recorded, status, found.meta, context.zone, start), status, "occurrenceDateTime",
    )  # fmt: skip


# MedicationRequest 11.1, MedicationAdministration 11.3, MedicationStatement 11.4

_medication = msgspec.json.Decoder(shape.Medication)
_dosage = msgspec.json.Decoder(shape.Dosage)
_INTENTS = {
    "MedicationRequest": Intent.ORDERED, "MedicationStatement": Intent.STATED,
    "MedicationAdministration": Intent.HAPPENED,
}  # fmt: skip
_NOT_GIVEN = {"not-done", "not-taken"}


def _drug(found: shape.Medication, context: Context) -> shape.CodeableConcept | None:
    """medication[x], with a reference followed into ``contained`` (2.29.0.4) or the bundle."""
    if found.medicationCodeableConcept is not None or found.medicationReference is None:
        return found.medicationCodeableConcept
    reference = found.medicationReference.reference
    if not reference.startswith("#"):
        return context.medicines(reference)
    for raw in found.contained:
        inner = _medication.decode(raw)
        if inner.id == reference[1:]:
            return inner.code
    return None


def medication(resource: Resource, context: Context) -> Iterator[Item]:
    found = _medication.decode(resource.raw)
    status = _STATUS.get(found.status, Status.FINAL)
    intent = _INTENTS[resource.type]
    if found.intent in ("proposal", "plan"):
        intent = Intent.PLANNED
    issued = found.authoredOn or found.dateAsserted
    start, until = _period(found.effectiveDateTime, found.effectivePeriod, context.zone)
    if start is None and issued:
        start = iso(issued, context.zone)
    negated = found.doNotPerform or found.status in _NOT_GIVEN
    drug = _drug(found, context)
    code = _concept(drug, negated=negated)
    available = _issued(issued, status, found.meta, context.zone, start)
    yield _statement(
        "medication", code, resource, context, start, until, available, status, "a time (authoredOn, effective[x])",
        intent,
    )  # fmt: skip
    if intent is Intent.HAPPENED and not negated and drug is not None and start is not None and _there(found.dosage):
        yield from _given(drug, _dosage.decode(found.dosage), resource, context, start, until, available, status)


def _given(
    drug: shape.CodeableConcept, dosage: shape.Dosage, resource: Resource, context: Context, start: Moment,
    until: Moment | None, available: datetime | None, status: Status,
) -> Iterator[Item]:  # fmt: skip
    """What was given: an amount at once, or the rate of an infusion, which holds for the period (11.3.4)."""
    amount, rate = dosage.dose, dosage.rateQuantity
    given, name = (amount, "dose") if amount is not None and _there(amount.value) else (rate, "rate")
    if given is None or not _there(given.value):
        return
    quantity = dose_quantity(drug)
    if quantity is not None and name == "rate":
        quantity = registry.get("insulin_basal_rate") if quantity.name == "insulin_bolus" else None
    if quantity is None:
        yield Unmapped(f"MedicationAdministration {name} of a drug without a quantity")
        return
    unit = given.code if given.system == UCUM and given.code else given.unit or given.code
    yield context.facts.number(
        quantity, bytes(given.value).decode(), unit, start, f"{resource.key}#{name}", resource.where,
        until=until, available=available, status=status, group=resource.key,
    )  # fmt: skip


MAPPED: dict[str, Callable[[Resource, Context], Iterator[Item]]] = {
    "Observation": observation,
    "Condition": condition,
    "AllergyIntolerance": allergy,
    "Procedure": procedure,
    "Encounter": encounter,
    "DiagnosticReport": report,
    "Immunization": immunization,
    "MedicationRequest": medication,
    "MedicationStatement": medication,
    "MedicationAdministration": medication,
}


def read(resource: Resource, context: Context) -> Iterator[Item]:
    """The items of one resource; a malformed one yields its reason and harms no other."""
    reader = MAPPED.get(resource.type)
    if reader is None:
        yield Unmapped(f"resource {resource.type[:60]}")
        return
    try:
        yield from reader(resource, context)
    except UNREADABLE as error:
        yield Reason(
            found=f"{resource.type} whose content breaks its type ({error})", expected="FHIR R4", where=resource.where
        )
    except FormatError as error:
        yield Reason(found=error.found, expected=error.expected, where=resource.where, remedy=error.remedy)
