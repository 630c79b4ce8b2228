"""Facts that a person states at the keyboard: a diagnosis that no export names, a weight, a meal.

A statement is a fact like any other: its words are kept as raw bytes under the patient's key, and its source names who
said it. The same statement twice is one fact; taking it back supersedes it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from medtwin.errors import FormatError
from medtwin.governance.grant import Grant
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record.event import Code, Event, SourcePatient, Status
from medtwin.record.moment import Moment, Precision
from medtwin.record.store import Receipt, Store
from medtwin.sources.clock import iso
from medtwin.sources.fact import Facts
from medtwin.sources.item import Intake, Origin, Reason

SYSTEM, DIALECT = "stated", "statement/1"
SNOMED = "http://snomed.info/sct"
_VALUE = re.compile(r"\s*([<>]=?)?\s*([+-]?[0-9.]+(?:[eE][+-]?\d+)?)\s*(.*?)\s*")


def state(
    store: Store, grant: Grant, patient: str, quantity: str, value: str, *, at: str | None = None,
    until: str | None = None, system: str = SNOMED, display: str = "", retract: bool = False,
    now: datetime | None = None,
) -> tuple[Event, Receipt]:  # fmt: skip
    """Record one statement about a patient, made new where nobody has heard of them yet.

    ``value`` is a number with its unit (``45 g``) or, for a coded quantity, a code of ``system``. ``at`` is ISO 8601 at
    any precision (None: now). Raises :class:`FormatError` or :class:`~medtwin.errors.UnitError`.
    """
    known, now = registry.get(quantity), now or datetime.now(UTC)
    zone = next((entry.zone for entry in store.patients(grant) if entry.id == patient), None)
    present = Moment(now.replace(tzinfo=None, microsecond=0), Precision.SECOND, 0)
    time = present if at is None else iso(at, zone)
    end = None if until is None else iso(until, zone)
    owner = SourcePatient(SYSTEM, patient)
    said = {
        "who": grant.who, "patient": patient, "quantity": quantity, "value": value, "at": time.text,
        "until": until, "system": system if known.kind is Kind.CODE else None, "retracted": retract,
    }  # fmt: skip
    raw = msgspec.json.encode(said)
    name = f"{quantity}|{time.text}" + (f"|{value}" if known.kind is Kind.CODE else "")
    store.link(owner, patient, grant)
    kept = store.keep_raw(
        raw, owner, grant, media_type="application/json", file=f"stated by {grant.who}", source=SYSTEM
    )
    facts = Facts(
        owner, SYSTEM, DIALECT, Origin(raw=kept.hash, file=f"stated by {grant.who}"), Intake(file="", now=now)
    )
    status = Status.ENTERED_IN_ERROR if retract else Status.FINAL
    available = time.instant if time.precision > Precision.DAY else None
    if retract:  # what is taken back must come after what was said
        available = max(now, time.instant) + timedelta(microseconds=1)
    if known.kind is Kind.CODE:
        code = Code(system, value.strip(), display)
        event: Event | Reason = facts.coded(
            quantity, code, time, name, "value", text=value, until=end, available=available, status=status
        )
    elif known.kind is Kind.ARTIFACT:
        raise FormatError(f"a statement of {quantity}", expected="a quantity with a number or a code")
    else:
        event = _number(facts, quantity, value, time, end, name, status, available)
    if isinstance(event, Reason):
        raise FormatError(event.found, expected=event.expected, remedy=event.remedy)
    return event, store.append([event], grant)


def _number(
    facts: Facts, quantity: str, value: str, time: Moment, until: Moment | None, name: str, status: Status,
    available: datetime | None,
) -> Event | Reason:  # fmt: skip
    known = registry.get(quantity)
    read = _VALUE.fullmatch(value)
    if read is None:
        return Reason(
            found=f"the value {value[:40]!r}", expected=f"a number with a unit, such as 1 {known.unit}", where="value"
        )
    unit = read[3] or (known.unit if known.unit.startswith("{") else None)
    return facts.number(
        known, f"{read[1] or ''}{read[2]}", unit, time, name, "value", until=until, available=available, status=status
    )
