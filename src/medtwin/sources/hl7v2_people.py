"""Who an HL7v2 message is about (PID), and what it says of identities (MRG; A24, A37, A40 and their kin).

A person's key is (assigning authority, identifier) of PID-3: the repetition with type code MR or PI, else the first. Where no
authority stands, the system that the user states (``--source``), else the sending facility or application is the system, so that
two systems' bare numbers never meet; two authorities of one system stay two, whatever is stated.
"""

from __future__ import annotations

from collections.abc import Iterator

from medtwin.record.event import Code, SourcePatient
from medtwin.record.moment import Moment
from medtwin.record.store import Demographics
from medtwin.sources.hl7v2_context import Context
from medtwin.sources.hl7v2_message import Message, Repeat, Segment
from medtwin.sources.hl7v2_tables import SEX
from medtwin.sources.hl7v2_times import moment
from medtwin.sources.item import Identity, Intake, Item, Same

#: merge or change of a person's identifier: MRG-1 is the old key, PID-3 the one that stands (chapter 3)
MERGES = frozenset(("A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"))
#: system of a social security number: CX-5 of type SS, and PID-19
SOCIAL = "urn:oid:2.16.840.1.113883.4.1"
#: of accounts and visits only: whoever is meant stays the same person
ACCOUNTS = frozenset(("A35", "A41", "A42", "A44", "A45", "A48", "A49", "A50", "A51"))


def sender(message: Message, intake: Intake) -> str:
    """The sending system: what the user states, else MSH-3 (application), else MSH-4 (facility)."""
    header = message.header
    return (intake.source or header.text(3) or header.text(4) or "hl7v2")[:80]


def _system(identifier: Repeat, message: Message, intake: Intake) -> str:
    """CX-4, assigning authority: its OID or other universal id where one stands, else its namespace; CX-6 after it.

    The system that the user states is that of identifiers without any: one number of two authorities is two people. A stated
    system that is the message's own MSH-3 adds nothing: a replay states that.
    """
    universal, kind = identifier.text(4, 2), identifier.text(4, 3).upper()
    if universal and kind == "ISO":
        return f"urn:oid:{universal}"
    named = identifier.text(4) or universal or identifier.text(6)
    stated = intake.source if intake.source != message.header.text(3)[:80] else None
    return named or stated or message.header.text(4) or message.header.text(3) or "hl7v2"


def key_of(field: list[Repeat], message: Message, intake: Intake) -> SourcePatient | None:
    held = [identifier for identifier in field if identifier.text()]
    for wanted in (("MR",), ("PI",), ()):
        for identifier in held:
            if not wanted or identifier.text(5).upper() in wanted:
                return SourcePatient(_system(identifier, message, intake)[:160], identifier.text()[:160])
    return None


def owner(person: Segment, message: Message, intake: Intake) -> SourcePatient | None:
    """PID-3, else PID-2, else PID-4 (both deprecated since 2.3.1, and still the only ones that some systems fill)."""
    for field in (3, 2, 4):
        found = key_of(person.repeats(field), message, intake)
        if found is not None:
            return found
    return None


def demographics(person: Segment, message: Message, intake: Intake) -> Demographics:
    name = person.first(5)
    words = [name.text(2), name.text(3), name.text(1)]
    born = _born(person)
    identifiers = [
        SourcePatient(SOCIAL if one.text(5).upper() == "SS" else _system(one, message, intake), one.text())
        for field in (3, 2, 4)
        for one in person.repeats(field)
        if one.text()
    ]
    if person.text(19):  # SSN number, withdrawn in 2.7 and still filled
        identifiers.append(SourcePatient(SOCIAL, person.text(19)))
    address = person.first(11)  # XAD; PID-13 is the home's telephone
    return Demographics(
        given=" ".join(word for word in words[:2] if word)[:200], family=words[2][:200],
        street=address.text(1)[:200], street_more=address.text(2)[:200], city=address.text(3)[:200],
        state=address.text(4)[:80], postal_code=address.text(5)[:80], phone=_phone(person),
        name=" ".join(word for word in words if word)[:200], birth_date=born.text[:10] if born is not None else "",
        sex=SEX.get(person.text(8).upper(), ""), identifiers=tuple(dict.fromkeys(identifiers)),
    )  # fmt: skip


def _phone(person: Segment) -> str:
    """XTN of PID-13: the number as one text (XTN-1, before 2.7), else unformatted (XTN-12), else its parts (XTN-5 to 7)."""
    held = person.first(13)
    return (held.text(1) or held.text(12) or "".join(held.text(part) for part in (5, 6, 7)))[:80]


def _born(person: Segment) -> Moment | None:
    from medtwin.errors import FormatError

    try:
        return moment(person.text(7))
    except FormatError:
        return None


def sex(person: Segment, context: Context) -> Iterator[Item]:
    """Administrative sex as a fact that holds from birth, as the FHIR reader has it."""
    code = SEX.get(person.text(8).upper())
    born = moment(person.text(7)[:8])
    if code is not None and born is not None:
        yield context.facts.coded(
            "sex", Code("http://hl7.org/fhir/administrative-gender", code, code), born, "PID#sex",
            context.where(person), text=code,
        )  # fmt: skip


def identities(segments: list[Segment], message: Message, intake: Intake) -> Iterator[Identity]:
    """What a message says of who is whom: merges by MRG, links (A24) and unlinks (A37) of two PIDs."""
    trigger = message.type[1]
    people = [one for one in segments if one.name == "PID"]
    if trigger in ("A24", "A37") and len(people) == 2:
        first, second = (owner(one, message, intake) for one in people)
        if first is not None and second is not None and first != second:
            yield Identity(Same.LINKED if trigger == "A24" else Same.UNLINKED, first, second, trigger)
        return
    if trigger not in MERGES:
        return
    stands: SourcePatient | None = None
    for one in segments:
        if one.name == "PID":
            stands = owner(one, message, intake)
        elif one.name == "MRG" and stands is not None:
            gone = _gone(one, stands, message, intake)
            if gone is not None and gone != stands:
                yield Identity(Same.MERGED, stands, gone, trigger)


def _gone(merge: Segment, stands: SourcePatient, message: Message, intake: Intake) -> SourcePatient | None:
    """MRG-1, else MRG-4; an identifier without an authority is of that of the key that stands (PID-3)."""
    for field in (1, 4):
        for wanted in ("MR", "PI", ""):
            for one in merge.repeats(field):
                if one.text() and (not wanted or one.text(5).upper() == wanted):
                    bare = not (one.text(4) or one.text(4, 2) or one.text(6))
                    return SourcePatient(
                        stands.system if bare else _system(one, message, intake)[:160], one.text()[:160]
                    )
    return None
