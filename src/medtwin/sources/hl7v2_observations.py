"""OBR and OBX (chapter 7): reports, orders and observations, with corrections and deletions.

A result is known by its order (OBR-3, else OBR-2, ORC-3, ORC-2), the service (OBR-4), what was observed (OBX-3) and its
sub-identifier (OBX-4), as the definition of OBX-11 asks of a correction; where OBX-14 states another time than OBR-7, by
that too, since monitors send many readings under one order. A repetition of OBX-5 is a reading of its own. What is said twice
under one name is told apart by its place, among what has the same status: the second correction is of the second reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from medtwin.quantities.quantity import Kind, Quantity
from medtwin.record.event import Code, Comparator, Event, Flag, Intent, Status
from medtwin.record.moment import Moment
from medtwin.sources.fact import amount
from medtwin.sources.hl7v2_context import (
    Context,
    code_of,
    key,
    loinc_like,
    named,
    order_number,
    quantity_of,
    statement,
)
from medtwin.sources.hl7v2_message import Repeat, Segment
from medtwin.sources.hl7v2_tables import CANCELLED, LOINC, NO_RESULT, REPORT, RESULT
from medtwin.sources.item import Item, Reason, Unmapped

_COMPARATORS = {
    "<": Comparator.BELOW, "<=": Comparator.AT_MOST, ">=": Comparator.AT_LEAST, ">": Comparator.ABOVE,
}  # fmt: skip
#: repetitions of OBX-5 that a deletion without its values takes back: nobody says how many there were. Our judgement; numbers
#: repeat rarely, and the lines of a text are one fact
_REPEATED = 5
_ORDERS = frozenset(("ORM", "OML", "OMG", "OMI", "OMP", "OMN", "OMS", "OMD", "OPL"))
_RESULTS = frozenset(("ORU", "OUL", "ORF", "OPU"))
_NUMBERS = frozenset(("NM", "SN", "ST", "TX", "FT", "", "MO", "CQ"))
_CODED = frozenset(("CE", "CWE", "CNE", "CF", "IS", "ID"))


def panel(segment: Segment, context: Context) -> Iterator[Item]:
    """OBR: a report where it states results, an order where it asks for some."""
    concept = segment.first(4)
    name = key("OBR", order_number(context, segment), concept.text() or concept.text(2))
    said = segment.text(25).upper()
    if context.kind in _ORDERS or (context.kind not in _RESULTS and said not in REPORT):
        yield from _order(segment, concept, context)
        return
    if said and said not in REPORT:
        yield Unmapped(f"OBR-25 {said}: no results")
        return
    status = REPORT.get(said, Status.FINAL)
    issued = context.time(segment, 22)
    time = context.time(segment, 7) or issued or context.said
    yield statement(
        "report", code_of(concept), segment, context, time, name, until=context.time(segment, 8), status=status,
        issued=issued,
    )  # fmt: skip


def _order(segment: Segment, concept: Repeat, context: Context) -> Iterator[Item]:
    control = context.order.text(1).upper() if context.order is not None else ""
    time = None
    if context.order is not None:
        time = context.time(context.order, 9) or context.time(context.order, 15)
    time = time or context.time(segment, 6) or context.said
    yield statement(
        "report", code_of(concept), segment, context, time,
        key("order", order_number(context, segment, placer=True), concept.text() or concept.text(2)), intent=Intent.ORDERED,
        status=Status.ENTERED_IN_ERROR if control in CANCELLED else Status.FINAL,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Over:
    """What the OBR above says for its OBX."""

    segment: Segment | None
    began: Moment | None = None
    ended: Moment | None = None
    issued: Moment | None = None
    order: str = ""
    service: str = ""
    group: str | None = None
    status: Status = Status.FINAL


def _over(context: Context) -> Over:
    """Read once for all the OBX of an OBR."""
    before, panel = context.over, context.panel
    if isinstance(before, Over) and before.segment is panel:
        return before
    made = Over(None)
    if panel is not None:
        began, ended = context.time(panel, 7), context.time(panel, 8)
        if began is None or (ended is not None and ended.instant <= began.instant):
            ended = None
        order, service = order_number(context, panel), panel.text(4) or panel.text(4, 2)
        made = Over(
            panel, began, ended, context.time(panel, 22), order, service, key("OBR", order, service),
            REPORT.get(panel.text(25).upper(), Status.FINAL),
        )  # fmt: skip
    context.over = made
    return made


def observation(segment: Segment, context: Context) -> Iterator[Item]:
    """OBX: each repetition of OBX-5 as a fact of the quantity that OBX-3 names."""
    said = segment.text(11).upper()
    if said in NO_RESULT:
        yield Unmapped(f"OBX-11 {said}: {NO_RESULT[said]}")
        return
    concept, over = segment.first(3), _over(context)
    status = RESULT.get(said) or over.status
    own = context.time(segment, 14)
    time = own or over.began or over.issued or context.said
    until = over.ended if own is None else None
    if time is None:
        yield Reason(
            found="OBX in a message without any time", expected="a time at which it held", where=context.where(segment),
            remedy="ask the sender for OBX-14 or OBR-7; nothing is invented",
        )  # fmt: skip
        return
    order, service, began, issued = over.order or time.text, over.service, over.began, over.issued
    name = ["OBX", order, service, concept.text() or concept.text(2), segment.raw(4)]
    if own is not None and (began is None or own.instant != began.instant):
        name.append(own.text)
    values, lines = segment.repeats(5), segment.text(2).upper() in ("TX", "FT", "ST")
    if not values:
        if status is Status.ENTERED_IN_ERROR:
            values = [Repeat("", segment.separators)] * (1 if lines else _REPEATED)
        elif said == "U":
            yield Reason(
                found="a change of status without its value (OBX-11 U)", expected="the value with its new status",
                where=context.where(segment), remedy="ask the sender to repeat the result",
            )  # fmt: skip
            return
        else:
            yield Unmapped("OBX without value")
            return
    if lines and len(values) > 1:  # repetitions of text are its lines
        joined = segment.separators.repetition.join(value.written for value in values)
        values = [Repeat(joined.replace(segment.separators.repetition, "\n"), segment.separators)]
    for index, value in enumerate(values, 1):
        full = key(*name, *([f"#{index}"] if index > 1 else []))
        # said twice in one message: two readings, or two lines of a text; their corrections come in the same order
        times = context.used[f"{full}|{status}"] = context.used.get(f"{full}|{status}", 0) + 1
        full = f"{full}#again{times}" if times > 1 else full
        item = _value(segment, concept, value, full, over.group, (time, until, issued, status), context)
        if (
            own is None and over.began is None and isinstance(item, Event)
        ):  # when it was issued or told is all that is known
            item = replace(item, flags=(*item.flags, Flag.TIME_ASSUMED))
        yield item


_Shared = tuple[Moment, Moment | None, Moment | None, Status]


def _value(
    segment: Segment, concept: Repeat, value: Repeat, name: str, group: str | None, shared: _Shared, context: Context
) -> Item:
    time, until, issued, status = shared
    quantity, kind, where = quantity_of(concept), segment.text(2).upper(), context.where(segment)
    available, facts = context.known(issued, status), context.facts
    if not value and status is Status.ENTERED_IN_ERROR:  # deleted: the key says what
        return facts.coded(
            quantity.name if quantity is not None else "finding", None, time, name, where, text="", until=until,
            available=available, status=status, group=group,
        )  # fmt: skip
    if quantity is not None and quantity.kind is not Kind.CODE and kind in _NUMBERS:
        item = _number(segment, value, kind, quantity, name, group, shared, context)
        if isinstance(item, Reason) and status is Status.ENTERED_IN_ERROR:
            return facts.coded(
                quantity.name, None, time, name, where, text=value.whole, until=until, available=available,
                status=status, group=group,
            )  # fmt: skip
        return item
    if quantity is not None and quantity.kind is not Kind.CODE and kind in _CODED:
        return Reason(
            found=f"a coded value ({kind}) of {quantity.name}", expected=f"a number (NM or SN) such as 1 {quantity.unit}",
            where=where, remedy="ask the sender for the value type NM",
        )  # fmt: skip
    question = code_of(concept) or Code("", "", "")
    asked = question.display or question.code
    if kind in _CODED:
        coded = code_of(value) or Code("", "", value.whole)
        text = f"{asked}: {coded.display or coded.code}"
    elif kind in ("ST", "TX", "FT", ""):
        coded, text = question, value.whole.strip()
        if not text:
            return Unmapped("OBX without value")
    else:
        return Unmapped(f"OBX {kind or 'without type'} {_shown(concept)}")
    return facts.coded(
        quantity.name if quantity is not None else "finding", coded, time, name, where, text=text, until=until,
        available=available, status=status, group=group,
    )  # fmt: skip


def _shown(concept: Repeat) -> str:
    if concept.text(3) == "" and loinc_like(concept.text()):
        return f"{LOINC}|{concept.text()}"
    return named(concept)[:80]


def _number(
    segment: Segment, value: Repeat, kind: str, quantity: Quantity, name: str, group: str | None, shared: _Shared,
    context: Context,
) -> Item:  # fmt: skip
    """OBX-5 as NM, as SN (comparator^number^separator^number), or as text that is a number with or without its unit."""
    time, until, issued, status = shared
    where, unit = context.where(segment), segment.first(6)
    written = unit.text(1) or unit.text(2) or unit.text(4)
    if unit.text(1).isdecimal() and unit.text(2):  # 10^3/uL, whose caret nobody escaped
        written = f"{unit.text(1)}^{unit.text(2)}"
    comparator, number, text = None, None, value.text()
    if kind == "SN":
        separator = value.text(3)
        if separator or value.text(4):
            return Unmapped(f"OBX SN with {separator or 'two numbers'} {_shown(segment.first(3))}")
        sign = value.text(1)
        comparator, text = _COMPARATORS.get(sign), value.text(2)
        if sign and comparator is None and sign != "=":
            return Reason(
                found=f"the comparator {sign[:8]!r} of {quantity.name}", expected="<, <=, >, >= or =", where=where
            )
    elif kind in ("ST", "TX", "FT", ""):
        text = value.whole.strip()
        read = amount(text)
        if read is None:
            return Reason(
                found=f"the text {text[:40]!r} as a value of {quantity.name}", where=where,
                expected=f"a number with its unit, such as 1 {quantity.unit}", remedy="ask the sender for the value type NM",
            )  # fmt: skip
        if read[2]:
            number, comparator, written = read[0], read[1], read[2]
    assumed = not written and quantity.unit.startswith("{")
    return context.facts.number(
        quantity, text, quantity.unit if assumed else written, time, name, where, value=number, comparator=comparator,
        until=until, available=context.known(issued, status), status=status, group=group, assumed=assumed,
    )  # fmt: skip


def document(segment: Segment, context: Context) -> Iterator[Item]:
    """TXA (chapter 9): a document as a report, by its unique number (TXA-12)."""
    standing, state = segment.text(19).upper(), segment.text(17).upper()
    status = Status.FINAL
    if (
        standing in ("CA", "OB") or context.trigger == "T11"
    ):  # table 0273: cancelled, obsolete; T11: cancel notification
        status = Status.ENTERED_IN_ERROR
    elif state in ("DI", "IP", "IN", "DO", "PA"):  # table 0271: dictated to pre-authenticated
        status = Status.PRELIMINARY
    elif context.trigger in ("T05", "T06", "T07", "T08", "T09", "T10"):  # addendum, edit, replacement
        status = Status.CORRECTED
    time = context.time(segment, 4) or context.time(segment, 6) or context.time(segment, 7) or context.said
    yield statement(
        "report", code_of(segment.first(2), "HL70270"), segment, context, time,
        key("TXA", segment.text(12) or segment.text(13) or time.text if time else ""), status=status,
        issued=context.time(segment, 22, 15) or context.time(segment, 7) or context.said,
    )  # fmt: skip
