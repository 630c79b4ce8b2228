"""C-CDA documents (HL7 CDA R2), of any vendor: what is understood becomes facts, what is not is counted, none is refused whole.

A document is of one person (recordTarget). A fragment, such as a section alone, names nobody: its facts wait unassigned. All
bytes are kept, so the narrative and whatever has no fact can be read again later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from medtwin.errors import FormatError
from medtwin.record.event import Code, SourcePatient
from medtwin.record.store import Demographics
from medtwin.sources.ccda_document import V3, Context, child, document
from medtwin.sources.ccda_statements import STATEMENTS, statements
from medtwin.sources.contradictions import flagged
from medtwin.sources.fact import Facts
from medtwin.sources.hl7v2_times import moment
from medtwin.sources.item import Intake, Item, Origin, Part, Payload, Reason, Unmapped

DIALECT = "ccda/1"
MEDIA_TYPE = "application/hl7-cda+xml"
_SSN = "2.16.840.1.113883.4.1"
_SEX = {"M": "male", "F": "female", "UN": "other"}
_FRAGMENT = re.compile(
    rb"<(?:\w+:)?(?:section|entry|act|observation|organizer|procedure|substanceAdministration|supply|encounter|author|component|"
    rb"participant|recordTarget|entryRelationship|documentationOf|componentOf|patientRole|performer|informant|relatedDocument)[\s>]"
)
#: attributes of the RIM, which a file of another kind hardly has
_LOOSE = re.compile(
    rb'<templateId\s+root="2\.16\.|\s(?:classCode|moodCode|determinerCode)="|\stypeCode="[A-Z]{2,6}"|'
    rb"<(?:legalAuthenticator|custodian|informationRecipient|dataEnterer|inFulfillmentOf|nonXMLBody|recordTarget|patientRole|"
    rb"assignedAuthor|assignedEntity|administrativeGenderCode)[\s>]"
)
_ENTRIES = STATEMENTS | {f"{V3}entry"}


class Reader:
    """Dialect ``ccda``."""

    name, version = "ccda", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        plain = head.replace(b"\0", b"").lstrip(b"\xff\xfe") if b"\0" in head[:4] else head
        start = plain.lstrip()[:1]
        if start != b"<":
            return 0.0
        if b"ClinicalDocument" in plain and b"urn:hl7-org:v3" in plain:
            return 0.97
        if b"urn:hl7-org:v3" in plain or b"2.16.840.1.113883.10.20" in plain or b"2.16.840.1.113883.6." in plain:
            return 0.9 if _FRAGMENT.search(plain) else 0.0
        return 0.3 if name.lower().endswith(".xml") and _LOOSE.search(plain) else 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        content = payload.read()
        root = document(content)
        role = root.find(f"{V3}recordTarget/{V3}patientRole")
        if role is None:
            role = root.find(f".//{V3}recordTarget/{V3}patientRole")
        system = intake.source or _custodian(root) or "ccda"
        known = _owner(role, system) if role is not None else None
        owner = known or SourcePatient(system, intake.anonymous)
        people = ((owner, _demographics(role)),) if role is not None and known is not None else ()
        yield Part(
            owner=owner, system=system, raw=content, named=known is not None, media_type=MEDIA_TYPE, people=people,
            read=lambda origin: flagged(_items(root, role, owner, system, intake, origin)),
        )  # fmt: skip


def _custodian(root: Element) -> str:
    name = root.find(f"{V3}custodian/{V3}assignedCustodian/{V3}representedCustodianOrganization/{V3}name")
    return " ".join((name.text or "").split())[:80] if name is not None else ""


def _identifiers(role: Element) -> list[SourcePatient]:
    found = []
    for one in role.findall(f"{V3}id"):
        root, extension = one.get("root", ""), (one.get("extension") or "").strip()
        if one.get("nullFlavor") or not (root or extension):
            continue
        found.append(
            SourcePatient(f"urn:oid:{root}"[:160], extension[:160])
            if extension
            else SourcePatient("urn:oid", root[:160])
        )
    return found


def _owner(role: Element, system: str) -> SourcePatient | None:
    """The first id that is not a social security number, else the first one.

    Its root is its authority; ``system`` (what the user states, else the custodian) is that of an id without a root.
    """
    held = _identifiers(role)
    chosen = next((one for one in held if one.system != f"urn:oid:{_SSN}"), held[0] if held else None)
    if chosen is None or not chosen.value:
        return None
    return SourcePatient(system, chosen.value) if chosen.system == "urn:oid:" else chosen


def _demographics(role: Element) -> Demographics:
    person = child(role, "patient")
    if person is None:
        return Demographics(identifiers=tuple(_identifiers(role)))
    names = person.findall(f"{V3}name")
    chosen = next((one for one in names if one.get("use") == "L"), names[0] if names else None)
    words = [" ".join((one.text or "").split()) for one in chosen] if chosen is not None else []
    if chosen is not None and not any(words):
        words = ["".join(chosen.itertext()).strip()]
    order = [] if chosen is None else [one.tag.removeprefix(V3) for one in chosen]
    named = list(zip(words, order, strict=False))
    first, last = (" ".join(word for word, tag in named if tag == kind and word) for kind in ("given", "family"))
    if order:
        ranked = [
            word
            for kind in ("given", "family")
            for word, tag in zip(words, order, strict=False)
            if tag == kind and word
        ]
        words = ranked or words
    address = child(role, "addr")
    written = [] if address is None else address.findall(f"{V3}streetAddressLine")
    lines = [" ".join((one.text or "").split()) for one in written]
    called = next((one.get("value", "") for one in role.findall(f"{V3}telecom")), "")
    gender, birth = child(person, "administrativeGenderCode"), child(person, "birthTime")
    return Demographics(
        given=first[:200], family=last[:200], street=next(iter(lines), "")[:200], street_more=" ".join(lines[1:])[:200],
        city=_part(address, "city"), state=_part(address, "state"), postal_code=_part(address, "postalCode"),
        phone=called.removeprefix("tel:")[:80] if "@" not in called else "",
        name=" ".join(word for word in words if word)[:200], birth_date=_date(birth),
        sex=_SEX.get(gender.get("code", ""), "") if gender is not None else "", identifiers=tuple(_identifiers(role)),
    )  # fmt: skip


def _part(address: Element | None, name: str) -> str:
    """A part of an address (AD), as text."""
    found = child(address, name) if address is not None else None
    return " ".join((found.text or "").split())[:200] if found is not None else ""


def _date(birth: Element | None) -> str:
    try:
        found = moment(birth.get("value", "")[:8]) if birth is not None else None
    except FormatError:
        return ""
    return found.text[:10] if found is not None else ""


def _items(
    root: Element, role: Element | None, owner: SourcePatient, system: str, intake: Intake, origin: Origin
) -> Iterator[Item]:
    context = Context(Facts(owner, system, DIALECT, origin, intake), intake.zone)
    unmapped: dict[str, int] = {}
    for item in _read(root, role, context):
        if isinstance(item, Unmapped):
            unmapped[item.kind] = unmapped.get(item.kind, 0) + item.count
        else:
            yield item
    for name, count in unmapped.items():
        yield Unmapped(name, count)


def _read(root: Element, role: Element | None, context: Context) -> Iterator[Item]:
    try:
        context.made = context.time(child(root, "effectiveTime")) if root.tag == f"{V3}ClinicalDocument" else None
    except FormatError as error:
        yield Reason(
            found=error.found, expected=error.expected, where="effectiveTime of the document", remedy=error.remedy
        )
    if role is not None:
        yield from _sex(role, context)
    body = child(root, "component", "nonXMLBody")
    if body is not None:
        yield Unmapped("a document without a structured body")
    sections = list(root.iter(f"{V3}section"))
    for section in sections:
        yield from _section(section, context)
    if not sections:
        yield from _loose(root, context)


def _sex(role: Element, context: Context) -> Iterator[Item]:
    person = child(role, "patient")
    if person is None:
        return
    gender, birth = child(person, "administrativeGenderCode"), child(person, "birthTime")
    code = _SEX.get(gender.get("code", "")) if gender is not None else None
    try:
        born = moment(birth.get("value", "")[:8]) if birth is not None else None
    except FormatError as error:
        yield Reason(found=error.found, expected=error.expected, where="birthTime")
        return
    if code is not None and born is not None:
        yield context.facts.coded(
            "sex",
            Code("http://hl7.org/fhir/administrative-gender", code, code),
            born,
            "patient#sex",
            "recordTarget",
            text=code,
        )


def _section(section: Element, context: Context) -> Iterator[Item]:
    named = child(section, "code")
    code = named.get("code", "") if named is not None else ""
    context.enter(code, child(section, "text"))
    entries = section.findall(f"{V3}entry")
    label = code or " ".join((section.findtext(f"{V3}title") or "").split())[:40] or "without a code"
    if not entries and not section.findall(f"{V3}component"):
        yield Unmapped(f"section {label} without entries")
    for number, entry in enumerate(entries, 1):
        yield from statements(entry, f"section {label} entry[{number}]", context)


def _loose(root: Element, context: Context) -> Iterator[Item]:
    """A fragment: entries or statements alone, or parts of a header."""
    outer = root if root.tag not in _ENTRIES else None
    held = [one for one in (outer if outer is not None else [root]) if one.tag in _ENTRIES]
    for number, one in enumerate(held, 1):
        where = f"{one.tag.removeprefix(V3)}[{number}]"
        if one.tag == f"{V3}entry":
            yield from statements(one, where, context)
        else:
            holder = Element(f"{V3}entry")
            holder.append(one)
            yield from statements(holder, where, context)
    if not held and child(root, "component", "nonXMLBody") is None:
        first = root if root.tag == f"{V3}ClinicalDocument" or not len(root) else root[0]
        yield Unmapped(f"{first.tag.removeprefix(V3)[:40]} without entries")
