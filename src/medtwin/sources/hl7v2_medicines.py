"""Medications and vaccinations of HL7v2 (chapter 4): orders (RXO, RXE), what was dispensed (RXD), what was given (RXA).

An order is ordered, what a pharmacy handed out is stated (nobody saw it taken), an administration happened. A discontinued
order is a statement of its own that the medication is not ordered any more: the order before it stays true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medtwin.quantities import registry
from medtwin.record.event import Code, Intent, Status
from medtwin.record.moment import Moment
from medtwin.sources import fhir_shapes as shape
from medtwin.sources.fhir_medicines import dose_quantity
from medtwin.sources.hl7v2_context import Context, code_of, codings, key, order_number, statement
from medtwin.sources.hl7v2_message import Repeat, Segment
from medtwin.sources.hl7v2_tables import CANCELLED, ENDED, NOT_GIVEN
from medtwin.sources.item import Item, Reason, Unmapped

_CVX = "http://hl7.org/fhir/sid/cvx"
#: RXA-12, RXE-22: an amount each minute, hour or day
_PER = {"M": "min", "M1": "min", "MIN": "min", "H": "h", "H1": "h", "HR": "h", "D": "d", "D1": "d"}
_HEADS = frozenset(("ORC", "RXO", "RXE", "RXD", "RXA", "RXG"))


def _following(segment: Segment, name: str, context: Context) -> Segment | None:
    """The segment of that name that belongs to ``segment``: after it, before the next order or medication."""
    found = context.after(segment, _HEADS | {name})
    return found if found is not None and found.name == name else None


def _encoded(segment: Segment, context: Context) -> bool:
    """Whether the pharmacy encoded this RXO: then the RXE of the same order is the order."""
    found = context.after(segment, ("RXE", "RXD", "ORC"))
    return found is not None and found.name != "ORC"


def _text(code: Code | None) -> str:
    return "" if code is None else code.code or code.display


def order(segment: Segment, context: Context) -> Iterator[Item]:
    """RXE-2 (4.14.4), or RXO-1 (4.14.1) where nobody encoded it."""
    if segment.name == "RXO" and _encoded(segment, context):
        return
    code = code_of(segment.first(2 if segment.name == "RXE" else 1))
    control = context.order.text(1).upper() if context.order is not None else ""
    timing = _following(segment, "TQ1", context)
    time = until = None
    if context.order is not None:
        time = context.time(context.order, 9) or context.time(context.order, 15)
    if timing is not None:
        time, until = time or context.time(timing, 7), context.time(timing, 8)
    issued, time = time, time or context.said
    name = key("RX", order_number(context, placer=True), _text(code))
    if control in ENDED:
        if context.order is not None:
            time = context.time(context.order, 15) or time
        ended = replace(code, negated=True) if code is not None else None
        yield statement(
            "medication", ended, segment, context, time, f"{name}#ended", intent=Intent.ORDERED, issued=issued
        )
        return
    yield statement(
        "medication", code, segment, context, time, name, until=until, intent=Intent.ORDERED, issued=issued,
        status=Status.ENTERED_IN_ERROR if control in CANCELLED else Status.FINAL,
    )  # fmt: skip


def unsaid(segment: Segment, context: Context) -> Reason:
    """An ORC that cancels or ends an order and has no segment below it that says which."""
    number = segment.text(2) or segment.text(3)
    return Reason(
        found=f"order control {segment.text(1)[:2]} of order {number[:40] or 'without a number'} without the order",
        expected="the order's OBR, RXO or RXE after its ORC", where=context.where(segment),
        remedy="the order stands here as before: ask the sender to repeat what was ordered",
    )  # fmt: skip


def dispensed(segment: Segment, context: Context) -> Iterator[Item]:
    """RXD-2, at RXD-3 (4.14.5), by the prescription's number (RXD-7)."""
    code, time = code_of(segment.first(2)), context.time(segment, 3) or context.said
    name = key("RXD", segment.text(7) or order_number(context), segment.text(1), _text(code))
    yield statement("medication", code, segment, context, time, name, intent=Intent.STATED, issued=context.said)


def given(segment: Segment, context: Context) -> Iterator[Item]:
    """RXA (4.14.7): from RXA-3 until RXA-4; RXA-20 says whether it was, RXA-21 ``D`` takes it back. 999 is "unknown amount".

    Order, RXA-1 and RXA-2 (counters from 1) know an administration without its time, so that an update (``U``) may state another
    one. Without them an update may be of any dose: it is a reason, since a dose that counts twice is worse than a late one.
    """
    code = code_of(segment.first(5))
    vaccine = context.kind == "VXU" or (code is not None and code.system == _CVX)
    if vaccine and code is not None and code.code == "998":
        yield Unmapped("RXA 998: no vaccine administered")
        return
    negated = segment.text(20).upper() in NOT_GIVEN
    if code is not None and negated:
        code = replace(code, negated=True)
    action = segment.text(21).upper()
    status = Status.ENTERED_IN_ERROR if action == "D" else Status.FINAL
    time, until = context.time(segment, 3), context.time(segment, 4)
    counted = not vaccine and _counted(segment, context)
    if action == "U" and not vaccine and not counted:
        yield Reason(
            found="an update of an administration (RXA-21 U) without its counters",
            expected="an order number, and RXA-1 and RXA-2 from 1 on", where=context.where(segment),
            remedy="what was given stands here as before: ask the sender for a deletion (D) and a new administration (A)",
        )  # fmt: skip
        return
    at = "" if time is None or counted else time.text
    name = key("RXA", order_number(context), at, segment.text(1), segment.text(2), _text(code))
    yield statement(
        "immunization" if vaccine else "medication", code, segment, context, time, name, until=until, status=status,
        issued=context.said,
    )  # fmt: skip
    if not vaccine and not negated and code is not None and time is not None:
        yield from _amount(segment, context, time, until, name, status)


def _counted(segment: Segment, context: Context) -> bool:
    """Whether the order's number and its counters know an administration; not where a message uses them for a second one."""
    numbers = segment.text(1), segment.text(2)
    if not order_number(context) or not all(one.isdecimal() and int(one) > 0 for one in numbers):
        return False
    name = "|".join(("RXA", order_number(context), *numbers, segment.raw(5), segment.raw(21)))
    times = context.used[name] = context.used.get(name, 0) + 1
    return times == 1


def _amount(
    segment: Segment, context: Context, time: Moment, until: Moment | None, name: str, status: Status
) -> Iterator[Item]:
    """RXA-6 in RXA-7: a dose, or with RXA-12 (``H1``: an hour) a rate, which holds until RXA-4."""
    written, per = segment.text(6), segment.text(12).upper()
    if not written or written == "999":
        return
    what, quantity = "rate" if per else "dose", dose_quantity(concept(segment.first(5)))
    if quantity is not None and per:
        quantity = registry.get("insulin_basal_rate") if quantity.name == "insulin_bolus" and per in _PER else None
    if quantity is None or not quantity.unit:
        yield Unmapped(f"RXA {what} of a drug without a quantity")
        return
    unit = segment.text(7) or segment.text(7, 2)
    yield context.facts.number(
        quantity, written, f"{unit}/{_PER[per]}" if per and unit else unit, time, f"{name}#{what}", context.where(segment),
        until=until if until is not None and until.instant > time.instant else None,
        available=context.known(context.said, status), status=status, group=name,
    )  # fmt: skip


def concept(field: Repeat) -> shape.CodeableConcept:
    """A CWE as FHIR has it, for what reads drugs by their codes and words."""
    known = [shape.Coding(system, code, display) for system, code, display in codings(field)]
    words = " ".join(field.text(number) for number in (2, 5, 9))
    return shape.CodeableConcept(known, words.strip())
