"""Facts that a person states at the keyboard: a diagnosis that no export names, a weight, a meal.

A statement is a fact like any other: its words are kept as raw bytes under the patient's key, and its source names who
said it. The same statement twice is one fact; taking it back supersedes it. What is taken back is looked for by its quantity and
value, and by its time where one is given.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from medtwin.errors import FormatError, UnitError
from medtwin.governance.grant import Grant
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.quantities.units import conversion
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
    if retract:
        meant = _meant(store, grant, patient, quantity, value, system, None if at is None else time)
        time, end = meant.time, meant.until
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


def _meant(
    store: Store, grant: Grant, patient: str, quantity: str, value: str, system: str, time: Moment | None
) -> Event:
    """The one statement that is taken back; raises :class:`FormatError` that lists what was stated where it is not one."""
    own = [e for e in store.record(patient, grant).of(quantity) if e.source.system == SYSTEM]
    same = [e for e in own if _same(e, quantity, value, system)]
    found = [e for e in same if time is None or _at(e.time, time)]
    if len(found) == 1:
        return found[0]
    if not own:
        raise FormatError(
            f"no statement of {quantity}", expected="one to take back", where=f"patient {patient}",
            remedy="`medtwin state` takes back what was stated with it; facts of a file end with `medtwin erase` alone",
        )  # fmt: skip
    listed = ", ".join(f"{_shown(e)} --at {e.time.text}" for e in (same or own)[-5:])
    what = f"{len(found)} statements of {quantity} that match" if found else f"no statement of {quantity} that matches"
    raise FormatError(
        what,
        expected="one to take back",
        where=f"patient {patient}",
        remedy=f"stated are: {listed}; name one with its --at",
    )


def _at(stated: Moment, asked: Moment) -> bool:
    """Whether two moments are one, whatever offsets they are written with."""
    return stated.text == asked.text or (stated.precision == asked.precision and stated.instant == asked.instant)


def _same(event: Event, quantity: str, value: str, system: str) -> bool:
    """Whether a statement says ``value``: the same code, or the same number in the quantity's own unit."""
    if isinstance(event.value, Code):
        return event.value.code == value.strip() and event.value.system == system
    read = _VALUE.fullmatch(value)
    if read is None or not isinstance(event.value, float) or (read[1] or "") != str(event.comparator or ""):
        return False
    known = registry.get(quantity)
    try:
        meant = conversion(read[3] or known.unit, known)(float(read[2]))
    except (UnitError, ValueError):
        return False
    return abs(meant - event.value) <= 1e-9 * max(1.0, abs(meant))


def _shown(event: Event) -> str:
    return event.value.code if isinstance(event.value, Code) else f"{event.text} {event.unit_text}".strip()


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
