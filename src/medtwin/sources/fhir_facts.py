"""FHIR R4 resources to facts, one function a resource type; the clause of FHIR R4 (4.0.1) stands at each.

Status (each resource's own value set): ``entered-in-error`` retracts, ``amended`` and ``corrected`` correct,
``preliminary`` and ``partial`` stand until the final result; an order is ordered, a statement stated, an administration
happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind, Quantity
from medtwin.record.event import Basis, Code, Comparator, Intent, Status
from medtwin.record.moment import Moment
from medtwin.sources import fhir_shapes as shape
from medtwin.sources.clock import iso
from medtwin.sources.fact import amount
from medtwin.sources.fhir_context import (
    STATUS,
    UCUM,
    Context,
    Resource,
    codes_of,
    concept_code,
    issued_at,
    no_time,
    period_of,
    statement,
    there,
)
from medtwin.sources.fhir_medicines import medication
from medtwin.sources.fhir_shapes import UNREADABLE
from medtwin.sources.item import Item, Reason, Unmapped

_COMPARATORS = {
    "<": Comparator.BELOW, "<=": Comparator.AT_MOST, ">=": Comparator.AT_LEAST, ">": Comparator.ABOVE,
}  # fmt: skip
# Observation, FHIR R4 10.1

_observation = msgspec.json.Decoder(shape.Observation)


def observation(resource: Resource, context: Context) -> Iterator[Item]:
    found = _observation.decode(resource.raw)
    if found.status == "cancelled":
        yield Unmapped("Observation cancelled")
        return
    status = STATUS.get(found.status, Status.FINAL)
    time, until = period_of(found.effectiveDateTime or found.effectiveInstant, found.effectivePeriod, context.zone)
    if time is None and found.issued:
        time = iso(found.issued, context.zone)
    if time is None:
        if found.hasMember and not found.component:
            yield Unmapped("Observation panel")
        else:
            yield no_time(resource, "effective[x] and issued")
        return
    available = issued_at(found.issued, status, found.meta, context.zone)
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
        not there(found.valueInteger) and found.valueBoolean is None
    )  # fmt: skip


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
    stated = found.valueQuantity
    if stated is not None or there(found.valueInteger):
        if quantity is None or quantity.kind is Kind.CODE:
            return Unmapped(f"Observation {_named(found.code)}")
        raw = stated.value if stated is not None else found.valueInteger
        if not there(raw):
            return Unmapped("Observation without value")
        unit, comparator, assumed = quantity.unit if quantity.unit.startswith("{") else "", None, True
        if stated is not None:
            if stated.code and stated.system == UCUM:
                unit, assumed = stated.code, False
            elif stated.unit or stated.code:
                unit, assumed = stated.unit or stated.code, False
            comparator = _COMPARATORS.get(stated.comparator or "")
        text = bytes(raw).decode()
        return facts.number(
            quantity, text, unit, time, key, where, comparator=comparator, until=until, available=available,
            status=status, basis=basis, group=group, assumed=assumed,
        )  # fmt: skip
    name = quantity.name if quantity is not None and quantity.kind is Kind.CODE else "finding"
    question = concept_code(found.code) or concept_code(outer) or Code("", "", "")
    asked = question.display or question.code
    coded: Code | None
    if found.valueCodeableConcept is not None:
        coded = concept_code(found.valueCodeableConcept)
        text = f"{asked}: {coded.display or coded.code}" if coded else asked
    elif found.valueString is not None and quantity is not None and quantity.kind is not Kind.CODE:
        return _written(found.valueString, quantity, key, where, group, shared, context)
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


def _written(
    text: str, quantity: Quantity, key: str, where: str, group: str | None, shared: _Shared, context: Context
) -> Item:
    """A valueString where the code names a quantity: read where it is a number with its unit, else no fact."""
    time, until, available, status, basis = shared
    item: Item
    read = amount(text)
    if read is None:
        item = Reason(
            found=f"the text {text[:40]!r} as a value of {quantity.name}", where=where,
            expected=f"a number with its unit, such as 1 {quantity.unit}", remedy="ask the sender for valueQuantity",
        )  # fmt: skip
    else:
        value, comparator, unit = read
        assumed = not unit and quantity.unit.startswith("{")
        item = context.facts.number(
            quantity, text, quantity.unit if assumed else unit, time, key, where, value=value, comparator=comparator,
            until=until, available=available, status=status, basis=basis, group=group, assumed=assumed,
        )  # fmt: skip
    if isinstance(item, Reason) and status is Status.ENTERED_IN_ERROR:
        item = context.facts.coded(
            quantity.name,
            None,
            time,
            key,
            where,
            text=text,
            until=until,
            available=available,
            status=status,
            group=group,
        )
    return item


# Condition 9.2, AllergyIntolerance 9.1, Procedure 9.3, Encounter 8.11, DiagnosticReport 10.3, Immunization 11.5

_condition = msgspec.json.Decoder(shape.Condition)
_allergy = msgspec.json.Decoder(shape.AllergyIntolerance)
_procedure = msgspec.json.Decoder(shape.Procedure)
_encounter = msgspec.json.Decoder(shape.Encounter)
_report = msgspec.json.Decoder(shape.DiagnosticReport)
_immunization = msgspec.json.Decoder(shape.Immunization)


_SUSPECTED = frozenset(("unconfirmed", "provisional", "differential"))
_OVER = frozenset(("inactive", "remission", "resolved"))


def _verified(found: shape.Condition | shape.AllergyIntolerance) -> tuple[Status, Code | None]:
    """Status and code as condition-ver-status and allergyintolerance-verification have them."""
    codes = codes_of(found.verificationStatus)
    status = Status.ENTERED_IN_ERROR if "entered-in-error" in codes else Status.FINAL
    return status, concept_code(found.code, negated="refuted" in codes, unconfirmed=bool(codes & _SUSPECTED))


def _last_held(*moments: Moment | None) -> Moment | None:
    """The latest of several moments: where something is over and nobody says since when, it held then, and is over now."""
    return max((moment for moment in moments if moment is not None), key=lambda moment: moment.instant, default=None)


def _updated(meta: shape.Meta | None, zone: str | None) -> Moment | None:
    """A standing statement without a date of its own stood in the record when the record was last updated."""
    return iso(meta.lastUpdated, zone) if meta is not None and meta.lastUpdated else None


def condition(resource: Resource, context: Context) -> Iterator[Item]:
    found = _condition.decode(resource.raw)
    status, code = _verified(found)
    zone = context.zone
    recorded = iso(found.recordedDate, zone) if found.recordedDate else None
    start, _ = period_of(found.onsetDateTime, found.onsetPeriod, zone)
    start = start or recorded or _updated(found.meta, zone)
    end, later = period_of(found.abatementDateTime, found.abatementPeriod, zone)
    end = later or end
    undated = there(found.abatementAge) or there(found.abatementRange) or there(found.abatementString)
    if end is None and (undated or codes_of(found.clinicalStatus) & _OVER):  # con-4: what has abated is not active
        end = _last_held(start, recorded)
    yield statement(
        "diagnosis", code, resource, context, start, end,
        issued_at(None, status, found.meta, zone, recorded), status, "onset[x], recordedDate and meta.lastUpdated",
    )  # fmt: skip


def allergy(resource: Resource, context: Context) -> Iterator[Item]:
    found = _allergy.decode(resource.raw)
    status, code = _verified(found)
    recorded = iso(found.recordedDate, context.zone) if found.recordedDate else None
    start, until = period_of(found.onsetDateTime, found.onsetPeriod, context.zone)
    start = start or recorded or _updated(found.meta, context.zone)
    if until is None and codes_of(found.clinicalStatus) & _OVER:
        until = _last_held(start, recorded)
    yield statement(
        "allergy", code, resource, context, start, until,
        issued_at(None, status, found.meta, context.zone, recorded), status, "onset[x], recordedDate and meta.lastUpdated",
    )  # fmt: skip


def procedure(resource: Resource, context: Context) -> Iterator[Item]:
    found = _procedure.decode(resource.raw)
    status = STATUS.get(found.status, Status.FINAL)
    start, until = period_of(found.performedDateTime, found.performedPeriod, context.zone)
    yield statement(
        "procedure", concept_code(found.code, negated=found.status == "not-done"), resource, context, start, until,
        issued_at(None, status, found.meta, context.zone, until or start), status, "performed[x]",
        Intent.PLANNED if found.status == "preparation" else Intent.HAPPENED,
    )  # fmt: skip


def encounter(resource: Resource, context: Context) -> Iterator[Item]:
    found = _encounter.decode(resource.raw)
    status = STATUS.get(found.status, Status.FINAL)
    start, until = period_of(None, found.period, context.zone)
    code = concept_code(found.type[0]) if found.type else None
    if code is None and found.class_ is not None and found.class_.code:
        code = Code(found.class_.system, found.class_.code, found.class_.display)
    if code is not None and found.status == "cancelled":
        code = Code(code.system, code.code, code.display, True)
    yield statement(
        "encounter", code, resource, context, start, until, issued_at(None, status, found.meta, context.zone, start),
        status, "period", Intent.PLANNED if found.status == "planned" else Intent.HAPPENED,
    )  # fmt: skip


def report(resource: Resource, context: Context) -> Iterator[Item]:
    found = _report.decode(resource.raw)
    if found.status == "cancelled":
        yield Unmapped("DiagnosticReport cancelled")
        return
    status = STATUS.get(found.status, Status.FINAL)
    start, until = period_of(found.effectiveDateTime, found.effectivePeriod, context.zone)
    if start is None and found.issued:
        start = iso(found.issued, context.zone)
    yield statement(
        "report", concept_code(found.code), resource, context, start, until,
        issued_at(found.issued, status, found.meta, context.zone), status, "effective[x] and issued",
    )  # fmt: skip


def immunization(resource: Resource, context: Context) -> Iterator[Item]:
    found = _immunization.decode(resource.raw)
    status = STATUS.get(found.status, Status.FINAL)
    start = iso(found.occurrenceDateTime, context.zone) if found.occurrenceDateTime else None
    yield statement(
        "immunization", concept_code(found.vaccineCode, negated=found.status == "not-done"), resource, context, start, None,
        issued_at(found.recorded, status, found.meta, context.zone, start), status, "occurrenceDateTime",
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
