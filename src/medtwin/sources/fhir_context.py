"""What the readers of FHIR R4 resources share: context, times, codes, statements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from medtwin.record.event import Code, Intent, Status
from medtwin.record.moment import Moment
from medtwin.sources import fhir_shapes as shape
from medtwin.sources.clock import iso
from medtwin.sources.fact import Facts
from medtwin.sources.item import Item, Reason

UCUM = "http://unitsofmeasure.org"
STATUS = {
    "entered-in-error": Status.ENTERED_IN_ERROR, "amended": Status.CORRECTED, "corrected": Status.CORRECTED,
    "appended": Status.CORRECTED, "preliminary": Status.PRELIMINARY, "registered": Status.PRELIMINARY,
    "partial": Status.PRELIMINARY,
}  # fmt: skip
#: SNOMED CT "no known ..." codes: negations that a system writes as if they were findings
NONE_KNOWN = {"716186003", "409137002", "428607008", "429625007", "160244002", "1003774007", "160245001"}


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


def no_time(resource: Resource, field: str) -> Reason:
    return Reason(
        found=f"{resource.type} without {field}", expected="a time at which it held", where=resource.where,
        remedy="ask the sender for the time; nothing is invented",
    )  # fmt: skip


def concept_code(
    concept: shape.CodeableConcept | None, *, negated: bool = False, unconfirmed: bool = False
) -> Code | None:
    if concept is None:
        return None
    for coding in concept.coding:
        if coding.code:
            return Code(
                coding.system, coding.code, coding.display or concept.text, negated or coding.code in NONE_KNOWN,
                unconfirmed,
            )  # fmt: skip
    return Code("", "", concept.text, negated, unconfirmed) if concept.text else None


def codes_of(concept: shape.CodeableConcept | str | None) -> set[str]:
    if isinstance(concept, str):  # DSTU2 and STU3 have a bare code
        return {concept}
    return {coding.code for coding in concept.coding} if concept else set()


def period_of(stated: str | None, period: shape.Period | None, zone: str | None) -> tuple[Moment | None, Moment | None]:
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


def issued_at(
    stated: str | None, status: Status, meta: shape.Meta | None, zone: str | None, fallback: Moment | None = None
) -> datetime | None:
    """When it could be known: the issue time; for a correction, the later of that and ``meta.lastUpdated``."""
    moment = iso(stated, zone) if stated else fallback
    issued = moment.instant if moment else None
    if status in (Status.CORRECTED, Status.ENTERED_IN_ERROR) and meta is not None and meta.lastUpdated:
        updated = iso(meta.lastUpdated, zone).instant
        return updated if issued is None or updated > issued else issued
    return issued


def there(raw: msgspec.Raw) -> bool:
    return len(bytes(raw)) > 0 and bytes(raw) != b"null"


def statement(
    quantity: str, code: Code | None, resource: Resource, context: Context, time: Moment | None, until: Moment | None,
    available: datetime | None, status: Status, missing: str, intent: Intent = Intent.HAPPENED,
) -> Item:  # fmt: skip
    if time is None:
        return no_time(resource, missing)
    if code is None and status is not Status.ENTERED_IN_ERROR:
        return Reason(found=f"{resource.type} without a code or a text", expected="a code", where=resource.where)
    return context.facts.coded(
        quantity, code, time, resource.key, resource.where, text=code.display or None if code else None, until=until,
        available=available or time.instant, intent=intent, status=status,
    )  # fmt: skip
