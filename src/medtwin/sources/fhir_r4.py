"""FHIR R4 JSON: a Bundle of any type, a single resource, or NDJSON (Bulk Data); split by patient, then read.

References are resolved as FHIR R4 2.36.4.1 says: ``urn:uuid`` by the entries' fullUrl, an absolute one by itself, a
relative one against the server base of its own entry's fullUrl. A person's key is (server base, Patient id); where no
base is known the system is ``fhir`` or the name that the caller states.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import TypeVar

import msgspec

from medtwin.errors import FormatError
from medtwin.record.event import SourcePatient
from medtwin.record.store import Demographics
from medtwin.sources import fhir_facts
from medtwin.sources import fhir_shapes as shape
from medtwin.sources.clock import iso
from medtwin.sources.contradictions import flagged
from medtwin.sources.fact import Facts
from medtwin.sources.fhir_context import Context, Resource
from medtwin.sources.fhir_shapes import UNREADABLE
from medtwin.sources.item import Intake, Item, Origin, Part, Payload, Reason, Unmapped

DIALECT = "fhir_r4/1"
MEDIA_TYPE = "application/fhir+json"
_BATCH = 4 * 1024 * 1024
_LINE_LIMIT = 64 * 1024 * 1024

_head = msgspec.json.Decoder(shape.Head)
_bundle = msgspec.json.Decoder(shape.Bundle)
_patient = msgspec.json.Decoder(shape.Patient)
_addresses = msgspec.json.Decoder(list[shape.Address])
_contacts = msgspec.json.Decoder(list[shape.ContactPoint])
_medicine = msgspec.json.Decoder(shape.Medication)
_report = msgspec.json.Decoder(shape.DiagnosticReport)
_panel = msgspec.json.Decoder(shape.Observation)

T = TypeVar("T")
_ABSOLUTE = re.compile(r"(https?://.+?)/([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/.*)?")
_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/.*)?")
#: Resources that belong to nobody but that a patient's facts may refer to.
_SHARED = {"Medication"}


class _Entry:
    __slots__ = ("full_url", "head", "owner", "raw", "where")

    def __init__(self, full_url: str, raw: msgspec.Raw, head: shape.Head | None, where: str) -> None:
        self.full_url, self.raw, self.head, self.where = full_url, raw, head, where
        self.owner: SourcePatient | None = None


class Reader:
    """Dialect ``fhir_r4``."""

    name, version = "fhir_r4", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        start = head.lstrip()[:1]
        if start == b"{" and b'"resourceType"' in head:
            return 0.95
        return 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        if _lines(payload):
            yield from _ndjson(payload, intake)
        else:
            yield from split(payload.read(), intake)


def _lines(payload: Payload) -> bool:
    """Whether the payload is NDJSON: the first line is a whole object, and another object follows."""
    with payload.open() as stream:
        first = stream.readline(_LINE_LIMIT).removeprefix(b"\xef\xbb\xbf")
        if not first.endswith(b"\n") or not first.lstrip().startswith(b"{"):
            return False
        second = stream.readline(64).lstrip()
    if not second.startswith(b"{"):
        return False
    try:
        msgspec.json.decode(first, type=msgspec.Raw)
    except (*UNREADABLE, RecursionError):
        return False
    return True


def _decode(content: bytes) -> tuple[shape.Head, shape.Bundle | None]:
    try:
        head = _head.decode(content)
        return head, _bundle.decode(content) if head.resourceType == "Bundle" else None
    except UNREADABLE as error:
        raise FormatError(
            f"JSON that cannot be read ({error})", expected="a FHIR R4 resource", remedy="send the file again, whole"
        ) from error
    except RecursionError as error:
        raise FormatError("JSON nested too deeply", expected="a FHIR R4 resource") from error


def _entries(content: bytes, where: str = "") -> list[_Entry]:
    """The resources of a resource or Bundle; an entry that is no resource has no head."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    head, bundle = _decode(content)
    if bundle is None:
        return [_Entry("", msgspec.Raw(content), head, where or "resource")]
    found = []
    for index, entry in enumerate(bundle.entry):
        if not bytes(entry.resource):
            continue
        try:
            inner: shape.Head | None = _head.decode(entry.resource)
        except UNREADABLE:
            inner = None
        found.append(_Entry(entry.fullUrl, entry.resource, inner, f"{where}entry[{index}]"))
    return found


def _reference(head: shape.Head) -> shape.Reference | None:
    """Who a resource is about: subject, patient, beneficiary or for (the patient compartment, FHIR R4 2.29.2)."""
    about = head.subject or head.patient or head.beneficiary or head.for_
    return about[0] if isinstance(about, list) else about


def _key(entry: _Entry) -> str:
    """``Type/id``, else the entry's uuid, else a hash of the content: the source's own name of the resource."""
    head = entry.head
    assert head is not None
    if head.id:
        return f"{head.resourceType}/{head.id}"
    name = entry.full_url.removeprefix("urn:uuid:") or blake2b(bytes(entry.raw), digest_size=16).hexdigest()
    return f"{head.resourceType}/{name}"


class _Resolver:
    """References within one Bundle."""

    def __init__(self, entries: list[_Entry], intake: Intake) -> None:
        self.source = intake.source
        self.by_url = {entry.full_url: entry for entry in entries if entry.full_url and entry.head is not None}
        self.nobody = SourcePatient(intake.source or "fhir", "")
        self.anonymous = SourcePatient(intake.source or "fhir", intake.anonymous)

    def base(self, full_url: str) -> str:
        found = _ABSOLUTE.fullmatch(full_url) if full_url.startswith("http") else None
        return self.source or (found[1] if found else "fhir")

    def person(self, reference: shape.Reference | None, entry: _Entry) -> SourcePatient | None:
        """The patient that ``reference`` names; None for a group, a device, a location."""
        if reference is None:
            return None
        text = reference.reference
        if not text:
            known = reference.identifier
            return SourcePatient(self.source or known.system, known.value) if known and known.value else None
        target = self.by_url.get(text)
        if target is not None and target.head is not None:
            return self.own(target) if target.head.resourceType == "Patient" else None
        if text.startswith("urn:"):
            return SourcePatient(self.source or "fhir", text.rpartition(":")[2])
        if text.startswith("#"):
            return SourcePatient(self.base(entry.full_url), f"{_key(entry)}{text}")
        absolute = _ABSOLUTE.fullmatch(text)
        if absolute is not None:
            kind, system, value = absolute[2], self.source or absolute[1], absolute[3]
        else:
            relative = _RELATIVE.fullmatch(text)
            if relative is None:
                return None
            kind, system, value = relative[1], self.base(entry.full_url), relative[2]
        return SourcePatient(system, value) if kind == "Patient" else None

    def own(self, entry: _Entry) -> SourcePatient:
        return SourcePatient(self.base(entry.full_url), _key(entry).partition("/")[2])

    def owner(self, entry: _Entry) -> SourcePatient | None:
        """Whose entry it is. A mapped resource that names nobody waits for an owner; another belongs to nobody."""
        head = entry.head
        if head is None:
            return None
        if head.resourceType == "Patient":
            return self.own(entry)
        reference = _reference(head)
        found = self.person(reference, entry)
        if found is None and reference is None and head.resourceType in fhir_facts.MAPPED:
            return self.anonymous
        return found


def _groups(entries: list[_Entry]) -> dict[str, str]:
    """Members of a DiagnosticReport or panel Observation, by their key and by their fullUrl."""
    groups: dict[str, str] = {}
    for entry in entries:
        head = entry.head
        if head is None or head.resourceType not in ("DiagnosticReport", "Observation"):
            continue
        raw = bytes(entry.raw) if head.resourceType == "Observation" else b""
        if raw and b'"hasMember"' not in raw:
            continue
        try:
            if raw:
                members = _panel.decode(raw).hasMember
            else:
                members = _report.decode(entry.raw).result
        except UNREADABLE:
            continue
        for member in members:
            absolute = _ABSOLUTE.fullmatch(member.reference)
            groups.setdefault(member.reference, _key(entry))
            if absolute is not None:
                groups.setdefault(f"{absolute[2]}/{absolute[3]}", _key(entry))
    return groups


def split(content: bytes, intake: Intake, where: str = "") -> Iterator[Part]:
    """The parts of one JSON document. With one person in it, that person keeps the bytes exactly as they came."""
    entries = _entries(content, where)
    resolver = _Resolver(entries, intake)
    owners: dict[SourcePatient, list[_Entry]] = {}
    rest: list[_Entry] = []
    for entry in entries:
        entry.owner = resolver.owner(entry)
        (rest if entry.owner is None else owners.setdefault(entry.owner, [])).append(entry)
    if len(owners) <= 1:
        owner = next(iter(owners), resolver.nobody)
        yield _part(owner, content, entries, resolver, intake)
        return
    shared = [entry for entry in rest if entry.head is not None and entry.head.resourceType in _SHARED]
    for owner, own in owners.items():
        yield _part(owner, *_bundled([*own, *shared]), resolver, intake)
    if rest:
        yield _part(resolver.nobody, *_bundled(rest), resolver, intake)


def _bundled(entries: list[_Entry]) -> tuple[bytes, list[_Entry]]:
    """Entries of one person as a Bundle of their own; their locators count in it."""
    written, moved = [], []
    for index, entry in enumerate(entries):
        url = b'"fullUrl":' + msgspec.json.encode(entry.full_url) + b"," if entry.full_url else b""
        written.append(b"{" + url + b'"resource":' + bytes(entry.raw) + b"}")
        copy = _Entry(entry.full_url, entry.raw, entry.head, f"entry[{index}]")
        copy.owner = entry.owner
        moved.append(copy)
    return b'{"resourceType":"Bundle","type":"collection","entry":[' + b",".join(written) + b"]}", moved


def _part(owner: SourcePatient, raw: bytes, entries: list[_Entry], resolver: _Resolver, intake: Intake) -> Part:
    people = []
    for entry in entries:
        if entry.head is not None and entry.head.resourceType == "Patient" and entry.owner == owner:
            try:
                people.append((owner, _demographics(_patient.decode(entry.raw), owner.system)))
            except UNREADABLE:
                pass  # the entry's own reading states the reason
    return Part(
        owner=owner,
        system=owner.system,
        raw=raw,
        read=lambda origin: _read(owner, entries, resolver, intake, origin),
        named=owner not in (resolver.nobody, resolver.anonymous),
        media_type=MEDIA_TYPE,
        people=tuple(people),
    )


def _read(
    owner: SourcePatient, entries: list[_Entry], resolver: _Resolver, intake: Intake, origin: Origin
) -> Iterator[Item]:
    yield from flagged(_items(owner, entries, resolver, intake, origin))


def _items(
    owner: SourcePatient, entries: list[_Entry], resolver: _Resolver, intake: Intake, origin: Origin
) -> Iterator[Item]:
    context = Context(
        Facts(owner, owner.system, DIALECT, origin, intake), intake.zone, _groups(entries), _medicines(entries)
    )
    unmapped: dict[str, int] = {}
    for entry in entries:
        if entry.head is None:
            yield Reason(found="an entry that is no resource", expected="a FHIR R4 resource", where=entry.where)
            continue
        kind = entry.head.resourceType
        if kind == "Patient":
            yield from _sex(entry, context)
            continue
        if kind in fhir_facts.MAPPED and entry.owner is None:
            items: Iterator[Item] = iter((Unmapped(f"{kind} whose subject is no patient"),))
        else:
            items = fhir_facts.read(Resource(kind, _key(entry), entry.raw, entry.where, entry.full_url), context)
        for item in items:
            if isinstance(item, Unmapped):
                unmapped[item.kind] = unmapped.get(item.kind, 0) + item.count
            else:
                yield item
    for name, count in unmapped.items():
        yield Unmapped(name, count)


def _medicines(entries: list[_Entry]) -> Callable[[str], shape.CodeableConcept | None]:
    known = {}
    for entry in entries:
        if entry.head is not None and entry.head.resourceType == "Medication":
            known[_key(entry)] = known[entry.full_url] = entry.raw

    def look_up(reference: str) -> shape.CodeableConcept | None:
        absolute = _ABSOLUTE.fullmatch(reference)
        raw = known.get(reference) or (known.get(f"{absolute[2]}/{absolute[3]}") if absolute else None)
        return _medicine.decode(raw).code if raw is not None else None

    return look_up


def _demographics(patient: shape.Patient, system: str) -> Demographics:
    """Patient, FHIR R4 8.1. Synthetic by the HTEST security label (v3-ActReason) or by Synthea's own identifier."""
    name = next((name for name in patient.name if name.use == "official"), patient.name[0] if patient.name else None)
    tags = patient.meta.tag if patient.meta else []
    synthetic = any(tag.code == "HTEST" or "synthea" in tag.code.lower() for tag in tags) or any(
        "synthea" in known.system for known in patient.identifier
    )
    address = next(iter(_told(patient.address, _addresses)), shape.Address())
    return Demographics(
        given=" ".join(name.given) if name else "", family=name.family if name else "",
        street=address.line[0] if address.line else "", street_more=" ".join(address.line[1:]), city=address.city,
        state=address.state, postal_code=address.postalCode,
        phone=next((one.value for one in _told(patient.telecom, _contacts) if one.system == "phone"), ""),
        name=(name.text or " ".join([*name.given, name.family])).strip() if name else "",
        birth_date=patient.birthDate,
        sex=patient.gender,
        synthetic=synthetic,
        identifiers=tuple(
            SourcePatient(known.system, known.value) for known in patient.identifier if known.value and known.system
        ),
    )  # fmt: skip


def _told(raw: msgspec.Raw, decoder: msgspec.json.Decoder[list[T]]) -> list[T]:
    """What a list says, or nothing where it breaks its type."""
    try:
        return decoder.decode(raw) if bytes(raw) else []
    except UNREADABLE:
        return []


def _sex(entry: _Entry, context: Context) -> Iterator[Item]:
    """Administrative gender as a fact that holds from birth: models need it, and it dates the person's age."""
    from medtwin.record.event import Code

    try:
        patient = _patient.decode(entry.raw)
        if patient.gender in ("male", "female", "other") and patient.birthDate:
            yield context.facts.coded(
                "sex", Code("http://hl7.org/fhir/administrative-gender", patient.gender, patient.gender),
                iso(patient.birthDate, context.zone), f"{_key(entry)}#sex", entry.where, text=patient.gender,
            )  # fmt: skip
    except UNREADABLE as error:
        yield Reason(
            found=f"Patient whose content breaks its type ({error})", expected="FHIR R4 8.1", where=entry.where
        )
    except FormatError as error:
        yield Reason(found=error.found, expected=error.expected, where=entry.where)


def _ndjson(payload: Payload, intake: Intake) -> Iterator[Part]:
    """FHIR Bulk Data NDJSON: one resource a line. Lines of one person in a stretch of the file make one part."""
    with payload.open() as stream:
        batch: list[tuple[int, bytes]] = []
        size = 0
        for number, line in enumerate(iter(lambda: stream.readline(_LINE_LIMIT), b""), 1):
            if line.strip():
                batch.append((number, line))
                size += len(line)
            if size >= _BATCH:
                yield from _stretch(batch, intake)
                batch, size = [], 0
        if batch:
            yield from _stretch(batch, intake)


def _stretch(batch: list[tuple[int, bytes]], intake: Intake) -> Iterator[Part]:
    entries: list[_Entry] = []
    for number, line in batch:
        try:
            found = _entries(line.strip(), f"line {number} ")
        except FormatError as error:
            yield broken(line, f"line {number}", error, intake)
            continue
        for entry in found:
            entry.where = entry.where.replace(" resource", "") if " entry" in entry.where else f"line {number}"
        entries.extend(found)
    resolver = _Resolver(entries, intake)
    owners: dict[SourcePatient, list[_Entry]] = {}
    for entry in entries:
        entry.owner = resolver.owner(entry)
        owners.setdefault(entry.owner or resolver.nobody, []).append(entry)
    for owner, own in owners.items():
        for index, entry in enumerate(own, 1):
            entry.where = f"line {index}"
        yield _part(owner, b"\n".join(bytes(entry.raw) for entry in own), own, resolver, intake)


def broken(raw: bytes, where: str, error: FormatError, intake: Intake) -> Part:
    """A part that holds bytes without an owner and yields their reason."""
    reason = Reason(found=error.found, expected=error.expected, where=where, remedy=error.remedy)
    system = intake.source or "fhir"
    return Part(
        owner=SourcePatient("quarantine", blake2b(raw, digest_size=16).hexdigest()),
        system=system,
        raw=raw,
        read=lambda origin: (reason,),
        named=False,
        media_type="application/octet-stream",
    )
