"""Statements of CDA entries to facts: vital signs, results, problems, allergies, medications, immunisations, procedures, visits.

Which one a statement is, its template says (C-CDA 2.1, HL7 templates 2.16.840.1.113883.10.20.22.4.*); a document whose
system wrote none is read by the section that the statement stands in. ``negationInd`` is kept as a negation, never turned
round. A number is a fact wherever its code names a quantity. What hangs below a statement (severity, status, reaction)
modifies it and is no fact of its own.

A fact is known by its code and its time, since many systems write new ids, or one id many times, at each export.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from xml.etree.ElementTree import Element

from medtwin.errors import FormatError
from medtwin.quantities.quantity import Kind, Quantity
from medtwin.record.event import Code, Comparator, Event, Flag, Intent, Status
from medtwin.record.moment import Moment
from medtwin.sources.ccda_document import V3, XSI_TYPE, Context, child
from medtwin.sources.fact import amount
from medtwin.sources.hl7v2_context import key
from medtwin.sources.hl7v2_times import before
from medtwin.sources.item import Item, Reason, Unmapped

_T = "2.16.840.1.113883.10.20.22.4."
_OLD = "2.16.840.1.113883.10.20.1."  # C32 and CCD 1.0
KINDS = {
    f"{_T}4": "problem", f"{_OLD}28": "problem", f"{_T}7": "allergy", f"{_OLD}18": "allergy", f"{_T}2": "result",
    f"{_OLD}31": "result", f"{_T}27": "result", f"{_T}16": "medication", f"{_OLD}24": "medication", f"{_T}52": "immunization",
    f"{_T}120": "immunization", f"{_T}12": "procedure", f"{_T}13": "procedure", f"{_T}14": "procedure", f"{_OLD}29": "procedure",
    f"{_T}49": "encounter", f"{_OLD}21": "encounter", f"{_T}78": "result", f"{_T}38": "result",
    f"{_T}69": "result", f"{_T}67": "result",
    f"{_T}42": "medication", f"{_T}40": "encounter", f"{_T}41": "procedure", f"{_T}39": "procedure",
}  # fmt: skip
#: LOINC codes of sections to what a statement in them is, where it has no template that is known
SECTIONS = {
    "11450-4": "problem", "11348-0": "problem", "46241-6": "problem", "11535-2": "problem", "48765-2": "allergy",
    "30954-2": "result", "8716-3": "result", "29762-2": "result", "10160-0": "medication", "10183-2": "medication",
    "42346-7": "medication", "29549-3": "medication", "11369-6": "immunization", "47519-4": "procedure", "46240-8": "encounter",
}  # fmt: skip
_INTENT = {"EVN": Intent.HAPPENED, "INT": Intent.ORDERED, "RQO": Intent.ORDERED, "PRP": Intent.PLANNED, "ARQ": Intent.PLANNED,
           "APT": Intent.PLANNED, "PRMS": Intent.PLANNED}  # fmt: skip
_STATUS = {"active": Status.PRELIMINARY, "new": Status.PRELIMINARY, "nullified": Status.ENTERED_IN_ERROR}
STATEMENTS = frozenset(
    V3 + name for name in ("act", "observation", "organizer", "procedure", "substanceAdministration", "supply", "encounter")
)  # fmt: skip
_OVER = frozenset(("413322009", "73425007", "277022003"))  # SNOMED CT: resolved, inactive, remission
_DEPTH = 24


def statements(entry: Element, where: str, context: Context) -> Iterator[Item]:
    """The facts of one entry."""
    held = [one for one in entry if one.tag in STATEMENTS]
    if not held:
        yield Unmapped("entry without a statement")
    for one in held:
        yield from _guarded(one, where, context, None, 0)


def _guarded(element: Element, where: str, context: Context, over: Element | None, depth: int) -> Iterator[Item]:
    try:
        yield from _statement(element, where, context, over, depth)
    except FormatError as error:
        yield Reason(found=error.found, expected=error.expected, where=where, remedy=error.remedy)


def kind_of(element: Element, section: str) -> str:
    """What a statement is: by its templates, else by its class and the section."""
    for template in element.findall(f"{V3}templateId"):
        kind = KINDS.get(template.get("root", ""))
        if kind is not None:
            return kind
    name, section_kind = element.tag.removeprefix(V3), SECTIONS.get(section, "")
    if name == "substanceAdministration":
        return "immunization" if section_kind == "immunization" else "medication"
    if name in ("procedure", "encounter"):
        return name
    if name == "observation":
        return section_kind if section_kind in ("problem", "allergy", "result") else "observation"
    return ""


def _statement(element: Element, where: str, context: Context, over: Element | None, depth: int) -> Iterator[Item]:
    name = element.tag.removeprefix(V3)
    if depth > _DEPTH:
        yield Unmapped("statements nested too deeply")
        return
    if name == "organizer":
        held = [inner for one in element.findall(f"{V3}component") for inner in one if inner.tag in STATEMENTS]
        if not held:
            yield Unmapped("organizer without statements")
        for number, inner in enumerate(held, 1):
            yield from _guarded(inner, f"{where}.{inner.tag.removeprefix(V3)}[{number}]", context, element, depth + 1)
        return
    kind = kind_of(element, context.section)
    reader = _READERS.get(kind)
    if reader is not None and not (kind in ("problem", "allergy") and name != "observation"):
        yield from reader(element, where, context, over)
    elif name == "act":
        held = _subjects(element)
        if not held:
            yield Unmapped(f"act {_named(child(element, 'code'))}")
        for number, inner in enumerate(held, 1):
            yield from _guarded(inner, f"{where}.{inner.tag.removeprefix(V3)}[{number}]", context, element, depth + 1)
        return
    else:
        yield Unmapped(f"{name} {_named(child(element, 'code'))}")
    if kind == "encounter":  # the diagnoses of a visit stand below it
        for number, inner in enumerate(_subjects(element), 1):
            if inner.tag == f"{V3}act" or kind_of(inner, "") == "problem":
                yield from _guarded(inner, f"{where}.diagnosis[{number}]", context, element, depth + 1)


def _subjects(element: Element) -> list[Element]:
    """What a concern or a visit is about."""
    return [
        inner for one in element.findall(f"{V3}entryRelationship")
        if one.get("typeCode", "SUBJ") in ("SUBJ", "COMP", "REFR", "RSON") for inner in one if inner.tag in STATEMENTS
    ]  # fmt: skip


def _named(element: Element | None) -> str:
    if element is None or not element.get("code"):
        return "without a code"
    system = element.get("codeSystem", "")
    return f"{'loinc' if system == '2.16.840.1.113883.6.1' else system}|{element.get('code')}"[:80]


def _negated(element: Element) -> bool:
    return element.get("negationInd") == "true"


def _author(element: Element, over: Element | None, context: Context) -> Moment | None:
    found = child(element, "author", "time")
    if found is None and over is not None:
        found = child(over, "author", "time")
    return context.time(found)


def _intent(element: Element) -> Intent | None:
    return _INTENT.get(element.get("moodCode", "EVN"))


def _coded(
    quantity: str, code: Code | None, element: Element, where: str, context: Context, over: Element | None,
    time: Moment | None, until: Moment | None, *, intent: Intent, text: str | None = None, status: Status = Status.FINAL,
    ended: bool = False,
) -> Item:  # fmt: skip
    """A coded fact; one without a time of its own stood when its author wrote it, else when the document was made.

    One that ``ended`` and nobody says when has no length: it is not told to go on.
    """
    author = _author(element, over, context)
    stated = time
    time = time or author or context.made
    if code is None:
        return Reason(
            found=f"{quantity} without a code or a text", expected="a code, a translation or originalText", where=where
        )
    if time is None:
        return Reason(
            found=f"{quantity} without a time, in a document without one", expected="a time at which it held", where=where,
            remedy="ask the sender for effectiveTime; nothing is invented",
        )  # fmt: skip
    if ended and until is None:
        until = time
    name = context.once(key(quantity, code.system, code.code or code.display, stated.text if stated else "", intent))
    return context.facts.coded(
        quantity, code, time, name, where, text=text or code.display or None, until=until, available=context.known(author),
        intent=intent, status=status,
    )  # fmt: skip


def _status(element: Element) -> Status:
    found = child(element, "statusCode")
    return _STATUS.get(found.get("code", ""), Status.FINAL) if found is not None else Status.FINAL


def _standing(element: Element) -> Status:
    return Status.ENTERED_IN_ERROR if _status(element) is Status.ENTERED_IN_ERROR else Status.FINAL


def _problem(element: Element, where: str, context: Context, over: Element | None) -> Iterator[Item]:
    """Problem Observation (V3): the condition is ``value``, from effectiveTime low until high."""
    if _intent(element) is not Intent.HAPPENED:
        yield Unmapped(f"problem of mood {element.get('moodCode')}")
        return
    value = child(element, "value")
    code = context.code(value, negated=_negated(element), words=child(element, "text"))
    time, until = context.interval(child(element, "effectiveTime"))
    ended = _is_over(element)
    yield _coded(
        "diagnosis", code, element, where, context, over, time, until or _concern_end(over, time, ended, context),
        intent=Intent.HAPPENED, status=_standing(element), ended=ended,
    )  # fmt: skip


def _concern_end(over: Element | None, time: Moment | None, ended: bool, context: Context) -> Moment | None:
    """The end of the concern above what is over, where it is not before the start."""
    end = context.interval(child(over, "effectiveTime"))[1] if ended and over is not None else None
    return None if end is None or time is None or before(end, time) else end


def _is_over(element: Element) -> bool:
    """Status observation (LOINC 33999-4, of a problem or an allergy) below: resolved, inactive or in remission."""
    for one in element.findall(f"{V3}entryRelationship/{V3}observation"):
        named, value = one.find(f"{V3}code"), one.find(f"{V3}value")
        if named is not None and named.get("code") == "33999-4" and value is not None and value.get("code") in _OVER:
            return True
    return False


def _allergy(element: Element, where: str, context: Context, over: Element | None) -> Iterator[Item]:
    """Allergy - Intolerance Observation (V2): the agent is the participant, the kind of allergy is ``value``."""
    if _intent(element) is not Intent.HAPPENED:
        yield Unmapped(f"allergy of mood {element.get('moodCode')}")
        return
    agent = element.find(f"{V3}participant/{V3}participantRole/{V3}playingEntity")
    negated, code = _negated(element), None
    if agent is not None:
        code = context.code(agent.find(f"{V3}code"), negated=negated, words=agent.find(f"{V3}name"))
        if code is None and (agent.findtext(f"{V3}name") or "").strip():
            code = Code("", "", (agent.findtext(f"{V3}name") or "").strip(), negated)
    kind = context.code(child(element, "value"), negated=negated, words=child(element, "text"))
    if code is None and kind is not None:
        code = kind
    time, until = context.interval(child(element, "effectiveTime"))
    ended = _is_over(element)
    yield _coded(
        "allergy", code, element, where, context, over, time, until or _concern_end(over, time, ended, context),
        intent=Intent.HAPPENED, status=_standing(element), ended=ended,
    )  # fmt: skip


def _product(element: Element, context: Context) -> Code | None:
    material = element.find(f"{V3}consumable/{V3}manufacturedProduct/{V3}manufacturedMaterial")
    if material is None:
        return None
    negated, name = _negated(element), material.find(f"{V3}name")
    code = context.code(material.find(f"{V3}code"), negated=negated, words=name)
    if code is None:
        text = context.text(name) or context.text(child(element, "text"))
        return Code("", "", text, negated) if text else None
    return code if code.display or name is None else replace(code, display=context.text(name))


def _medication(element: Element, where: str, context: Context, over: Element | None) -> Iterator[Item]:
    """Medication Activity (V2): a list states what is taken; INT and the like are orders and plans.

    No dose becomes an amount here: a list states a regimen, not that a dose was taken at a moment.
    """
    intent = _intent(element)
    if intent is None:
        yield Unmapped(f"medication of mood {element.get('moodCode')}")
        return
    time, until = _first_interval(element, context)
    status = child(element, "statusCode")
    yield _coded(
        "medication", _product(element, context), element, where, context, over, time, until,
        intent=Intent.STATED if intent is Intent.HAPPENED else intent, status=_standing(element),
        ended=status is not None and status.get("code") in ("aborted", "cancelled"),
    )  # fmt: skip


def _first_interval(element: Element, context: Context) -> tuple[Moment | None, Moment | None]:
    """The first effectiveTime that is an interval or a point; others (PIVL_TS, EIVL_TS) are how often."""
    for one in element.findall(f"{V3}effectiveTime"):
        if one.get(XSI_TYPE, "").rpartition(":")[2] in ("PIVL_TS", "EIVL_TS"):
            continue
        time, until = context.interval(one)
        if time is not None:
            return time, until
    return None, None


def _immunization(element: Element, where: str, context: Context, over: Element | None) -> Iterator[Item]:
    intent = _intent(element)
    if intent is None:
        yield Unmapped(f"immunization of mood {element.get('moodCode')}")
        return
    time, _ = _first_interval(element, context)
    yield _coded(
        "immunization", _product(element, context), element, where, context, over, time, None, intent=intent,
        status=_standing(element),
    )  # fmt: skip


def _procedure(element: Element, where: str, context: Context, over: Element | None) -> Iterator[Item]:
    intent = _intent(element)
    if intent is None:
        yield Unmapped(f"procedure of mood {element.get('moodCode')}")
        return
    status = child(element, "statusCode")
    undone = status is not None and status.get("code") in ("cancelled", "aborted")
    code = context.code(child(element, "code"), negated=_negated(element) or undone, words=child(element, "text"))
    time, until = context.interval(child(element, "effectiveTime"))
    yield _coded(
        "procedure", code, element, where, context, over, time, until, intent=intent, status=_standing(element)
    )


def _encounter(element: Element, where: str, context: Context, over: Element | None) -> Iterator[Item]:
    intent = _intent(element)
    if intent is None:
        yield Unmapped(f"encounter of mood {element.get('moodCode')}")
        return
    code = context.code(child(element, "code"), negated=_negated(element), words=child(element, "text"))
    time, until = context.interval(child(element, "effectiveTime"))
    yield _coded(
        "encounter", code, element, where, context, over, time, until, intent=intent, status=_standing(element)
    )


# Result Observation (V3), Vital Sign Observation (V2), and any other observation with a value


def _observation(element: Element, where: str, context: Context, over: Element | None) -> Iterator[Item]:
    if element.get("moodCode", "EVN") != "EVN":
        yield Unmapped(f"observation of mood {element.get('moodCode')}")
        return
    status = child(element, "statusCode")
    if status is not None and status.get("code") in ("cancelled", "aborted", "held"):
        yield Unmapped(f"observation {status.get('code')}")
        return
    named, values = child(element, "code"), element.findall(f"{V3}value")
    quantity = context.quantity(named)
    if not values:
        yield Unmapped(f"observation without value {_named(named)}")
        return
    time, until = context.interval(child(element, "effectiveTime"))
    if time is None and over is not None:
        time, until = context.interval(child(over, "effectiveTime"))
    if time is not None and until is not None and until.instant <= time.instant:
        until = None  # a measurement of one moment
    author = _author(element, over, context)
    stated, time = time, time or author or context.made
    if time is None:
        yield Reason(
            found="an observation without a time, in a document without one", expected="a time at which it held",
            where=where, remedy="ask the sender for effectiveTime; nothing is invented",
        )  # fmt: skip
        return
    code = context.code(named, words=child(element, "text"))
    name = key(
        "observation",
        code.system if code else "",
        (code.code or code.display) if code else "",
        stated.text if stated else "",
    )
    for value in values:
        item = _value(element, value, quantity, code, context.once(name), where, (time, until, author), context)
        if stated is None and isinstance(item, Event):  # when it was written down is all that is known
            item = replace(item, flags=(*item.flags, Flag.TIME_ASSUMED))
        yield item


_Times = tuple[Moment, Moment | None, Moment | None]


def _value(
    element: Element, value: Element, quantity: Quantity | None, question: Code | None, name: str, where: str, times: _Times,
    context: Context,
) -> Item:  # fmt: skip
    time, until, author = times
    kind = value.get(XSI_TYPE, "").rpartition(":")[2]
    shown = (
        f"{question.system.rpartition('/')[2]}|{question.code}"
        if question is not None and question.code
        else "without a code"
    )
    if value.get("nullFlavor") and not (kind in ("CD", "CE", "CO", "CV") and len(value)):
        return Unmapped(f"observation without value ({value.get('nullFlavor')}) {shown}")
    numeric = kind in ("PQ", "INT", "REAL", "IVL_PQ")
    if quantity is not None and quantity.kind is not Kind.CODE and (numeric or kind in ("ST", "ED", "")):
        if _negated(element):
            return Unmapped(f"a number that is negated {shown}")
        return _number(value, kind, quantity, name, where, times, _status(element), context)
    if numeric or kind in ("RTO", "RTO_PQ_PQ", "TS", "IVL_TS", "BL", "SLIST_PQ", "IVL_INT", "GLIST_TS"):
        return Unmapped(f"observation {kind} {shown}")
    target = quantity.name if quantity is not None and quantity.kind is Kind.CODE else "finding"
    asked = (question.display or question.code) if question is not None else ""
    if kind in ("CD", "CE", "CO", "CV", "CS"):
        coded = context.code(value, negated=_negated(element))
        if coded is None:
            return Unmapped(f"observation without value {shown}")
        text = f"{asked}: {coded.display or coded.code}"
    else:
        text = context.text(value)
        if not text:
            return Unmapped(f"observation without value {shown}")
        coded = question if not _negated(element) or question is None else replace(question, negated=True)
    return context.facts.coded(
        target,
        coded,
        time,
        name,
        where,
        text=text,
        until=until,
        available=context.known(author),
        status=_status(element),
    )


def _number(
    value: Element,
    kind: str,
    quantity: Quantity,
    name: str,
    where: str,
    times: _Times,
    status: Status,
    context: Context,
) -> Item:
    """PQ, INT and REAL; an IVL_PQ with one bound is a comparison; a text that is a number."""
    time, until, author = times
    number, comparator, unit = None, None, value.get("unit", "")
    written = value.get("value", "")
    if kind == "IVL_PQ":
        low, high = value.find(f"{V3}low"), value.find(f"{V3}high")
        low = None if low is None or low.get("nullFlavor") else low
        high = None if high is None or high.get("nullFlavor") else high
        if (low is None) == (high is None):
            return Unmapped(f"observation IVL_PQ of {quantity.name}")
        bound = low if low is not None else high
        assert bound is not None
        written, unit = bound.get("value", ""), bound.get("unit", "")
        open_end = bound.get("inclusive") == "false"
        if low is not None:
            comparator = Comparator.ABOVE if open_end else Comparator.AT_LEAST
        else:
            comparator = Comparator.BELOW if open_end else Comparator.AT_MOST
    elif kind in ("ST", "ED", ""):
        written = context.text(value)
        read = amount(written)
        if read is None:
            return Reason(
                found=f"the text {written[:40]!r} as a value of {quantity.name}", where=where,
                expected=f"a number with its unit, such as 1 {quantity.unit}", remedy="ask the sender for a PQ",
            )  # fmt: skip
        if read[2]:
            number, comparator, unit = read
    assumed = not unit and quantity.unit.startswith("{")
    return context.facts.number(
        quantity, written, quantity.unit if assumed else unit, time, name, where, value=number, comparator=comparator,
        until=until, available=context.known(author), status=status, assumed=assumed,
    )  # fmt: skip


_READERS = {
    "problem": _problem, "allergy": _allergy, "medication": _medication, "immunization": _immunization,
    "procedure": _procedure, "encounter": _encounter, "result": _observation, "observation": _observation,
}  # fmt: skip
