"""Medications of FHIR R4: orders, statements and administrations, and which doses are a quantity of their own.

Rapid insulin given is a bolus, long-acting insulin another quantity.

By RxNorm ingredient where the code is one, else by the words of the drug's display: product codes are many, and the
ingredient stands in their names. A premixed or an NPH insulin is neither, and stays a medication only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import msgspec

from medtwin.quantities import registry
from medtwin.quantities.quantity import Quantity
from medtwin.record.event import Intent, Status
from medtwin.record.moment import Moment
from medtwin.sources import fhir_shapes as shape
from medtwin.sources.clock import iso
from medtwin.sources.fhir_context import (
    STATUS,
    UCUM,
    Context,
    Resource,
    concept_code,
    issued_at,
    period_of,
    statement,
    there,
)
from medtwin.sources.item import Item, Unmapped

_NEITHER = re.compile(r"protamine|isophane|\bnph\b|\bmix|biphasic|\d\d\s*/\s*\d\d|ryzodeg|xultophy|soliqua", re.I)
_RAPID = re.compile(
    r"lispro|aspart|glulisine|humalog|novolog|novorapid|fiasp|apidra|lyumjev|admelog|insulin,? (human )?regular|"
    r"regular insulin|actrapid|humulin r\b|novolin r\b",
    re.I,
)
_LONG = re.compile(r"glargine|detemir|degludec|lantus|toujeo|basaglar|levemir|tresiba|semglee|abasaglar", re.I)


def dose_quantity(drug: shape.CodeableConcept) -> Quantity | None:
    """The quantity that a dose of ``drug`` is an amount of, or None."""
    for coding in drug.coding:
        quantity = registry.by_code(coding.system, coding.code)
        if quantity is not None and quantity.unit:
            return quantity
    words = " ".join([drug.text, *(coding.display for coding in drug.coding)])
    if _NEITHER.search(words):
        return None
    if _RAPID.search(words):
        return registry.get("insulin_bolus")
    return registry.get("insulin_long_acting") if _LONG.search(words) else None


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
    status = STATUS.get(found.status, Status.FINAL)
    intent = _INTENTS[resource.type]
    if found.intent in ("proposal", "plan"):
        intent = Intent.PLANNED
    issued = found.authoredOn or found.dateAsserted
    start, until = period_of(found.effectiveDateTime, found.effectivePeriod, context.zone)
    if start is None and issued:
        start = iso(issued, context.zone)
    negated = found.doNotPerform or found.status in _NOT_GIVEN
    drug = _drug(found, context)
    code = concept_code(drug, negated=negated)
    available = issued_at(issued, status, found.meta, context.zone, start)
    yield statement(
        "medication", code, resource, context, start, until, available, status, "a time (authoredOn, effective[x])",
        intent,
    )  # fmt: skip
    if intent is Intent.HAPPENED and not negated and drug is not None and start is not None and there(found.dosage):
        yield from _given(drug, _dosage.decode(found.dosage), resource, context, start, until, available, status)


def _given(
    drug: shape.CodeableConcept, dosage: shape.Dosage, resource: Resource, context: Context, start: Moment,
    until: Moment | None, available: datetime | None, status: Status,
) -> Iterator[Item]:  # fmt: skip
    """What was given: an amount at once, or the rate of an infusion, which holds for the period (11.3.4)."""
    amount, rate = dosage.dose, dosage.rateQuantity
    given, name = (amount, "dose") if amount is not None and there(amount.value) else (rate, "rate")
    if given is None or not there(given.value):
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
