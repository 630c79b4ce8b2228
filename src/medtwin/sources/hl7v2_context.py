"""What the readers of HL7v2 segments share: the message's times, codes, keys and the order that a segment stands under."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Quantity
from medtwin.record.event import Code, Intent, Status
from medtwin.record.moment import Moment, Precision
from medtwin.sources.fact import Facts
from medtwin.sources.hl7v2_message import Message, Repeat, Segment
from medtwin.sources.hl7v2_tables import LOINC, SYSTEMS
from medtwin.sources.hl7v2_times import before, known_from, moment
from medtwin.sources.item import Item, Reason

_LOINC = re.compile(r"(\d{1,5})-(\d)")
#: how far from MSH-7 its offset is taken without a flag: the clocks of most zones are changed twice a year. Our judgement
FAR = timedelta(days=30)
_OID = re.compile(r"\d+(?:\.\d+){3,}")


@dataclass(slots=True)
class Context:
    """One person's part of one message while it is read."""

    facts: Facts
    message: Message
    segments: list[Segment]  #: the message's head and this person's segments
    offset: int | None  #: minutes east of UTC that MSH-7 states for the whole message
    zone: str | None
    prefix: str = ""  #: of locators, where a payload holds several messages
    sent: Moment | None = None  #: MSH-7
    said: Moment | None = None  #: EVN-2, else MSH-7: when the system recorded what it tells
    trigger: str = ""
    kind: str = ""
    order: Segment | None = None  #: the ORC that stands above
    panel: Segment | None = None  #: the OBR that stands above
    over: object = None  #: what was read of that OBR
    far: set[Moment] = field(default_factory=set)  #: times that have MSH-7's offset, and are :data:`FAR` from it
    used: dict[str, int] = field(default_factory=dict)  #: how often a key was said in this message
    _named: dict[str, list[Segment]] | None = None

    def where(self, segment: Segment) -> str:
        return f"{self.prefix}{segment.place}"

    def all(self, name: str) -> list[Segment]:
        """Every segment of a name, in order; sorted out once, so that long messages cost no more a segment than short ones."""
        if self._named is None:
            self._named = {}
            for segment in self.segments:
                self._named.setdefault(segment.name, []).append(segment)
        return self._named.get(name, [])

    def first(self, name: str) -> Segment | None:
        found = self.all(name)
        return found[0] if found else None

    def after(self, segment: Segment, names: Iterable[str]) -> Segment | None:
        """The first segment behind ``segment`` that has one of the names."""
        nearest = None
        for name in names:
            held = self.all(name)
            place = bisect_right(held, segment.line, key=lambda one: one.line)
            if place < len(held) and (nearest is None or held[place].line < nearest.line):
                nearest = held[place]
        return nearest

    def time(self, segment: Segment, field: int, component: int = 1) -> Moment | None:
        """The moment of a field; a TS of before 2.6 holds its time in the first subcomponent. Raises FormatError."""
        written = segment.text(field, component)
        found = moment(written, self.offset, self.zone)
        if (
            found is not None and self.offset is not None and self.sent is not None and found.precision > Precision.DAY
            and written[-5:-4] not in ("+", "-") and abs(found.local - self.sent.local) > FAR
        ):  # fmt: skip
            self.far.add(found)
        return found

    def known(self, issued: Moment | None, status: Status = Status.FINAL) -> datetime | None:
        """When it could be known: the issue time, else that of the message; the later one for what is corrected."""
        if issued is None or (status in (Status.CORRECTED, Status.ENTERED_IN_ERROR) and self.sent is not None
                              and self.sent.instant > issued.instant):  # fmt: skip
            issued = self.sent or issued
        return None if issued is None else known_from(issued)


def system_of(name: str) -> str:
    """The address of a coding system of table 0396; an OID as a URN, a table of HL7 as its address, a local name as sent."""
    upper = name.upper()
    if upper in SYSTEMS:
        return SYSTEMS[upper]
    if _OID.fullmatch(name):
        return f"urn:oid:{name}"
    if upper.startswith("HL7") and upper[3:].isdigit():
        return f"http://terminology.hl7.org/CodeSystem/v2-{upper[3:].rjust(4, '0')}"
    return name


@lru_cache(maxsize=4096)
def loinc_like(code: str) -> bool:
    """Whether ``code`` has the form and the check digit (modulus 10, LOINC Users' Guide) of a LOINC code."""
    found = _LOINC.fullmatch(code)
    if found is None:
        return False
    total = 0
    for place, digit in enumerate(reversed(found[1])):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return (10 - total % 10) % 10 == int(found[2])


def codings(concept: Repeat) -> Iterator[tuple[str, str, str]]:
    """(system, code, display) of a CE, CWE or CNE: the first triplet, then the alternate one."""
    for first in (1, 4):
        code = concept.text(first)
        if code:
            yield system_of(concept.text(first + 2)), code, concept.text(first + 1)


def code_of(concept: Repeat, system: str = "", *, negated: bool = False, unconfirmed: bool = False) -> Code | None:
    """The first coding, else the text alone (components 2, 5 and 9); None where nothing stands.

    ``system`` is for a code without one.
    """
    for named, code, display in codings(concept):
        return Code(named or system_of(system), code, display or concept.text(9), negated, unconfirmed)
    text = concept.text(2) or concept.text(5) or concept.text(9)
    return Code("", "", text, negated, unconfirmed) if text else None


def quantity_of(concept: Repeat) -> Quantity | None:
    """The quantity that OBX-3 names.

    A code without a coding system that we know is read as LOINC where its check digit is right.
    """
    for system, code, _ in codings(concept):
        quantity = registry.by_code(system, code)
        if quantity is None and system not in _KNOWN and loinc_like(code):
            quantity = registry.by_code(LOINC, code)
        if quantity is not None:
            return quantity
    return None


_KNOWN = frozenset(SYSTEMS.values())


def named(concept: Repeat) -> str:
    for system, code, _ in codings(concept):
        return f"{registry.SYSTEMS.get(system, system) or 'local'}|{code}"
    return "without a code"


def key(*parts: str) -> str:
    """A key from its parts; a long one is hashed, so that no sender can make a key that a database cannot keep."""
    text = "|".join(parts)
    if len(text) > 160 or not text.isprintable():
        return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return text


def order_number(context: Context, panel: Segment | None = None, *, placer: bool = False) -> str:
    """The filler's number of the order, else the placer's, with its namespace; empty where the message names none.

    ``placer``: the placer's first. An order has that from its beginning, and often no other until it is filled.
    """
    first, second = (2, 3) if placer else (3, 2)
    places = [(panel, first), (context.order, first), (panel, second), (context.order, second)]
    for segment, place in places:
        if segment is not None:
            number = segment.first(place)
            if number.text():
                return f"{number.text()}^{number.text(2)}".rstrip("^")
    return ""


def statement(
    quantity: str, code: Code | None, segment: Segment, context: Context, time: Moment | None, name: str, *,
    until: Moment | None = None, status: Status = Status.FINAL, intent: Intent = Intent.HAPPENED,
    issued: Moment | None = None, text: str | None = None,
) -> Item:  # fmt: skip
    """A coded fact of a segment, or the reason why it is none."""
    where = context.where(segment)
    if time is None:
        return Reason(
            found=f"{segment.name} in a message without any time", expected="a time at which it held", where=where,
            remedy="ask the sender for the time; nothing is invented",
        )  # fmt: skip
    if code is None and status is not Status.ENTERED_IN_ERROR:
        return Reason(found=f"{segment.name} without a code or a text", expected="a code", where=where)
    if until is not None and before(until, time):
        if status is not Status.ENTERED_IN_ERROR:
            return Reason(
                found=f"{segment.name} that ends ({until.text}) before it begins ({time.text})",
                expected="an end that is not before its start", where=where, remedy="ask the sender which of the two is wrong",
            )  # fmt: skip
        until = None
    return context.facts.coded(
        quantity, code, time, name, where, text=text or (code.display or None if code else None), until=until,
        available=context.known(issued, status), status=status, intent=intent,
    )  # fmt: skip


def guarded(items: Iterable[Item], segment: Segment, context: Context) -> Iterator[Item]:
    """The items of one segment; one that cannot be read yields its reason and harms no other."""
    try:
        yield from items
    except FormatError as error:
        yield Reason(found=error.found, expected=error.expected, where=context.where(segment), remedy=error.remedy)
