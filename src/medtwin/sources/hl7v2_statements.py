"""Diagnoses, allergies, procedures, visits and appointments (DG1, AL1, IAM, PR1, PV1, SCH).

A standing statement without a date of its own stood in the record when the system recorded the message (EVN-2, else MSH-7).
An absent segment takes nothing back: senders differ in whether a message is a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medtwin.record.event import Code, Intent, Status
from medtwin.sources.fhir_context import NONE_KNOWN
from medtwin.sources.hl7v2_context import Context, code_of, key, statement
from medtwin.sources.hl7v2_message import Segment
from medtwin.sources.hl7v2_tables import CLASS, CLASS_SYSTEM, NO_ALLERGY
from medtwin.sources.item import Item, Reason, Unmapped

_TAKEN_BACK = {"D": Status.ENTERED_IN_ERROR}  # table 0206, segment action code


def diagnosis(segment: Segment, context: Context) -> Iterator[Item]:
    """DG1 (6.5): DG1-6 ``W`` is a working diagnosis, which nobody has confirmed; DG1-21 ``D`` takes it back."""
    code = code_of(segment.first(3), segment.text(2), unconfirmed=segment.text(6).upper() == "W")
    if code is None and segment.text(4):
        code = Code("", "", segment.text(4), unconfirmed=segment.text(6).upper() == "W")
    status = _TAKEN_BACK.get(segment.text(21).upper(), Status.FINAL)
    if code is None and status is Status.FINAL:
        yield Unmapped("DG1 without a diagnosis")
        return
    time = context.time(segment, 5) or context.time(segment, 19) or context.said
    name = segment.text(20) or (code.code or code.display if code else "")
    yield statement(
        "diagnosis", code, segment, context, time, key("DG1", name), status=status, issued=context.said,
        text=segment.text(4) or None,
    )  # fmt: skip


def allergy(segment: Segment, context: Context) -> Iterator[Item]:
    """AL1 (3.4.6): AL1-6 is the identification date."""
    code = _allergen(segment)
    time = context.time(segment, 6) or context.said
    name = key("AL1", code.code or code.display if code else "")
    yield statement("allergy", code, segment, context, time, name, issued=context.said)


def adverse_reaction(segment: Segment, context: Context) -> Iterator[Item]:
    """IAM (3.4.7): IAM-6 ``D`` deletes; IAM-17 (table 0438) says how sure it is."""
    code = _allergen(segment)
    standing = segment.text(17).upper()
    status = Status.ENTERED_IN_ERROR if segment.text(6).upper() == "D" or standing == "E" else Status.FINAL
    if code is not None and standing in ("U", "P", "S"):  # unconfirmed, pending, suspect
        code = replace(code, unconfirmed=True)
    time = context.time(segment, 11) or context.time(segment, 13) or context.said
    name = key("IAM", segment.text(7) or (code.code or code.display if code else ""))
    yield statement("allergy", code, segment, context, time, name, status=status, issued=context.said)


def _allergen(segment: Segment) -> Code | None:
    code = code_of(segment.first(3))
    if code is not None:
        words = {code.code.upper(), code.display.upper()}
        if words & NO_ALLERGY or code.code in NONE_KNOWN:
            code = replace(code, negated=True)
    return code


def procedure(segment: Segment, context: Context) -> Iterator[Item]:
    """PR1 (6.5.4): PR1-5 is when it was done, PR1-20 ``D`` takes it back."""
    code = code_of(segment.first(3), segment.text(2))
    if code is None and segment.text(4):
        code = Code("", "", segment.text(4))
    status = _TAKEN_BACK.get(segment.text(20).upper(), Status.FINAL)
    time = context.time(segment, 5)
    if time is None:
        yield Unmapped("PR1 without its time")
        return
    name = segment.text(19) or f"{code.code or code.display if code else ''}@{time.text}"
    yield statement("procedure", code, segment, context, time, key("PR1", name), status=status, issued=context.said,
                    text=segment.text(4) or None)  # fmt: skip


#: cancel admission or visit, pre-admission, pending admission: the visit never was
_NEVER = frozenset(("A11", "A27", "A38"))
_PLANNED = frozenset(("A05", "A14"))
#: of appointments: cancelled, not come to, taken back
_CANCELLED = frozenset(("S15", "S17", "S26"))


def _unknown(found: str, expected: str, segment: Segment, context: Context) -> Reason:
    """Why a cancellation cancels nothing: nobody can say what."""
    return Reason(
        found=found, expected=expected, where=context.where(segment),
        remedy="nothing was cancelled: ask the sender which one it is",
    )  # fmt: skip


def visit(segment: Segment, context: Context) -> Iterator[Item]:
    """PV1 (3.4.3): the visit by its number (PV1-19), from PV1-44 until PV1-45; a cancelled discharge has no end again.

    Messages that are not about the visit (a result, an order) repeat it: they say nothing new of one that is known, and never
    overrule what an admission, discharge or transfer says.
    """
    written = segment.text(2).upper()
    system, code, display = CLASS.get(written, (CLASS_SYSTEM, written, ""))
    never = context.trigger in _NEVER
    if (not code or written == "N") and not never:
        yield Unmapped("PV1 without a class of visit")
        return
    time = context.time(segment, 44)
    if never and time is None and not segment.text(19):
        yield _unknown(f"{context.trigger} without the visit's number", "PV1-19 or PV1-44", segment, context)
        return
    event = context.first("EVN")
    if time is None and (never or context.trigger in ("A01", "A04", "A05", "A14")) and event is not None:
        time = context.time(event, 6) or context.time(event, 2)
    if time is None and never:
        time = context.said
    if time is None:
        yield Unmapped("PV1 without the time of admission")
        return
    until = context.time(segment, 45)
    if until is None and context.trigger == "A03" and event is not None:
        until = context.time(event, 6)
    if context.trigger == "A13":
        until = None
    planned = context.trigger in _PLANNED or (written == "P" and context.trigger not in ("A01", "A04"))
    yield statement(
        "encounter", Code(system, code, display) if code else None, segment, context, time,
        key("PV1", segment.text(19) or time.text), until=until,
        status=Status.ENTERED_IN_ERROR if never else Status.FINAL,
        intent=Intent.PLANNED if planned else Intent.HAPPENED,
        issued=context.said if context.kind in ("ADT", "BAR", "DFT") else time,
    )  # fmt: skip


def appointment(segment: Segment, context: Context) -> Iterator[Item]:
    """SCH (10.6): a planned visit, by the filler's number (SCH-2); S15 and S26 say that it is none, S17 takes it back."""
    service = context.first("AIS")
    timing = context.first("TQ1")
    time = until = None
    if timing is not None:
        time, until = context.time(timing, 7), context.time(timing, 8)
    if time is None:
        time, until = context.time(segment, 11, 4), context.time(segment, 11, 5)
    if time is None and service is not None:
        time = context.time(service, 4)
    number = segment.text(2) or segment.text(1)
    if time is None and context.trigger in _CANCELLED:
        if not number:
            yield _unknown(f"{context.trigger} without the appointment's number", "SCH-2 or its time", segment, context)
            return
        time = context.said
    if time is None:
        yield Unmapped("SCH without its time")
        return
    code = None
    if service is not None:
        code = code_of(service.first(3))
    code = code or code_of(segment.first(8)) or code_of(segment.first(7)) or code_of(segment.first(6))
    code = code or Code("", "", "appointment")
    if context.trigger in ("S15", "S26"):
        code = replace(code, negated=True)
    name = key("SCH", number or time.text)
    yield statement(
        "encounter", code, segment, context, time, name, until=until,
        status=Status.ENTERED_IN_ERROR if context.trigger == "S17" else Status.FINAL, intent=Intent.PLANNED,
        issued=context.said,
    )  # fmt: skip
