"""HL7 version 2 (2.1 to 2.8), from files and from live messages: one message, several, or a batch; ER7 encoding.

Which facts a message gives, its segments decide and its trigger event modifies: a segment that stands in an unexpected place
is read all the same, one that gives no fact is counted, and all bytes are kept. Seen in the wild: ADT, BAR, DFT, MDM, OMG,
ORM, ORU, OUL, RDE, RDS, SIU of 48 public sample messages; merges (A24, A34, A37), RAS and VXU are read by the specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from medtwin.errors import FormatError
from medtwin.record.event import Event, Flag, SourcePatient
from medtwin.record.identity.statement import names_nobody, together, united
from medtwin.record.store import Demographics
from medtwin.sources import hl7v2_medicines as medicines
from medtwin.sources import hl7v2_observations as observations
from medtwin.sources import hl7v2_people as people
from medtwin.sources import hl7v2_statements as statements
from medtwin.sources.contradictions import flagged
from medtwin.sources.fact import Facts
from medtwin.sources.hl7v2_context import Context, guarded
from medtwin.sources.hl7v2_message import Message, Segment, decoded, messages, parse, plain
from medtwin.sources.hl7v2_tables import CANCELLED, ENDED
from medtwin.sources.hl7v2_times import in_zone, moment
from medtwin.sources.item import Intake, Item, Origin, Part, Payload, Reason, Unmapped

DIALECT = "hl7v2/1"
MEDIA_TYPE = "x-application/hl7-v2+er7"
PEOPLE = 1000  #: of one message (judgement: groups of results and lists of candidates name tens)
SHARED = 4 * 1024 * 1024  #: characters that a message's head may come to when each of its people gets it (judgement)

MAPPED: dict[str, Callable[[Segment, Context], Iterator[Item]]] = {
    "PID": people.sex, "PV1": statements.visit, "DG1": statements.diagnosis, "AL1": statements.allergy,
    "IAM": statements.adverse_reaction, "PR1": statements.procedure, "SCH": statements.appointment,
    "OBR": observations.panel, "OBX": observations.observation, "TXA": observations.document, "RXO": medicines.order,
    "RXE": medicines.order, "RXD": medicines.dispensed, "RXA": medicines.given,
}  # fmt: skip
#: segments that others are read with, or that say how the message travels
_BESIDE = frozenset(("MSH", "EVN", "ORC", "TQ1", "TQ2", "MRG", "SFT", "UAC", "RGS", "AIS", "DSC", "MSA"))
_DETAILS = frozenset(("OBR", "RXO", "RXE", "RXD", "RXA"))
_TAKES_BACK = CANCELLED | ENDED


class Reader:
    """Dialect ``hl7v2``."""

    name, version = "hl7v2", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        start = plain(head).lstrip(b"\x0b \t\r\n")[:9]
        known = start[:3] in (b"MSH", b"FHS", b"BHS") and len(start) > 4 and not start[3:5].isalnum()
        return 0.95 if known and not chr(start[3]).isspace() else 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        yield from split(payload.read(), intake)


class _Piece:
    """What one message says of one person."""

    __slots__ = ("message", "named", "owner", "raw", "said", "segments")

    def __init__(self, owner: SourcePatient, named: bool, message: Message, segments: list[Segment]) -> None:
        self.owner, self.named, self.message, self.segments = owner, named, message, segments
        self.raw = b""
        self.said: Demographics | None = None


class _Group:
    """The pieces of a payload that are of one person, and what they say of the person together."""

    __slots__ = ("pieces", "said")

    def __init__(self, piece: _Piece) -> None:
        self.pieces, self.said = [piece], piece.said

    def takes(self, piece: _Piece) -> bool:
        """Whether the piece may be of the same person."""
        return self.said is None or piece.said is None or self.said == piece.said or together(self.said, piece.said)

    def add(self, piece: _Piece) -> None:
        self.pieces.append(piece)
        if piece.said is not None and piece.said != self.said:
            self.said = united(self.said, piece.said)


def _group(groups: list[_Group], piece: _Piece) -> None:
    """Put a piece to the person of its key whom it is of; where one key has several, what names nobody stays beside them."""
    fits = [group for group in groups if group.takes(piece)]
    if len(groups) > 1:
        nameless = piece.said is None or names_nobody(piece.said)
        fits = [group for group in fits if (group.said is None or names_nobody(group.said)) == nameless]
    if len(fits) == 1:
        fits[0].add(piece)
    else:
        groups.append(_Group(piece))


def split(content: bytes, intake: Intake) -> Iterator[Part]:
    """The parts of a payload, one for each person and sending system; with one of them, the bytes stay exactly as they came.

    A key that comes with the names and birth date of several people gives a part for each of them.
    """
    bare = plain(content)
    owners: dict[tuple[SourcePatient, str], list[_Group]] = {}
    broken: list[tuple[bytes, FormatError]] = []
    number = 0
    for raw in messages(bare):
        number += 1
        try:
            message = parse(decoded(raw))
            pieces = _pieces(message, intake)
        except FormatError as error:
            broken.append((raw, error))
            continue
        for piece in pieces:
            piece.raw = raw if len(pieces) == 1 else _rewritten(piece)
            _group(owners.setdefault((piece.owner, people.sender(message, intake)), []), piece)
    if number == 0:
        raise FormatError("HL7v2 without an MSH segment", expected="MSH|^~\\&|... at the beginning of a message")
    if number == len(broken) == 1:
        raise broken[0][1]
    whole = sum(len(groups) for groups in owners.values()) == 1 and not broken
    for (owner, system), groups in owners.items():
        for group in groups:
            raw = content if whole else b"\r".join(piece.raw for piece in group.pieces)
            yield _part(owner, system, raw, group, len(groups) > 1, intake)
    for raw, why in broken:
        yield _unread(raw, why, intake)


def _pieces(message: Message, intake: Intake) -> list[_Piece]:
    """The message divided by its PIDs: what stands before the first one belongs to everybody."""
    places = [index for index, segment in enumerate(message.segments) if segment.name == "PID"]
    nobody = SourcePatient(people.sender(message, intake), "")
    if not places:
        return [_Piece(nobody, False, message, message.segments)]
    head = message.segments[: places[0]]
    shared = sum(len(segment.written) for segment in head)
    found: dict[tuple[SourcePatient, int], _Piece] = {}
    latest: dict[SourcePatient, int] = {}
    for place, end in zip(places, [*places[1:], len(message.segments)], strict=True):
        person = message.segments[place]
        known = people.owner(person, message, intake)
        key = known or SourcePatient(nobody.system, intake.anonymous)
        said = people.demographics(person, message, intake) if known is not None else None
        piece = found.get((key, latest.get(key, 0)))
        if piece is not None and piece.said is not None and said is not None and not together(piece.said, said):
            latest[key], piece = latest.get(key, 0) + 1, None
        if piece is None:
            if len(found) >= PEOPLE or (found and (len(found) + 1) * shared > SHARED):
                raise FormatError(
                    f"a message of more than {len(found)} people", where=person.place,
                    expected=f"at most {PEOPLE}, with a head of at most {SHARED} characters in all their copies",
                    remedy="ask the sender for one message a person",
                )  # fmt: skip
            piece = found[key, latest.get(key, 0)] = _Piece(key, known is not None, message, list(head))
            piece.said = said
        piece.segments.extend(message.segments[place:end])
    return list(found.values())


def _rewritten(piece: _Piece) -> bytes:
    """One person's segments of a message that names several, as they were written."""
    return "\r".join(segment.written for segment in piece.segments).encode()


def _part(owner: SourcePatient, system: str, raw: bytes, group: _Group, several: bool, intake: Intake) -> Part:
    """``several``: whether other people have the same key."""
    pieces = group.pieces
    identities = tuple(
        identity
        for piece in pieces
        if piece.segments[-1]
        is piece.message.segments[-1]  # a message of several people says it once, with the last of them
        for identity in people.identities(piece.message.segments, piece.message, intake)
    )
    return Part(
        owner=owner, system=system, raw=raw, named=pieces[0].named, media_type=MEDIA_TYPE,
        people=() if group.said is None else ((owner, group.said),), several=several and pieces[0].named,
        read=lambda origin: flagged(_items(owner, system, pieces, intake, origin)), identities=identities,
    )  # fmt: skip


def _unread(raw: bytes, error: FormatError, intake: Intake) -> Part:
    from medtwin.sources.fhir_r4 import broken

    part = broken(raw, "MSH", error, intake)
    part.system = intake.source or "hl7v2"
    return part


def _items(owner: SourcePatient, system: str, pieces: list[_Piece], intake: Intake, origin: Origin) -> Iterator[Item]:
    facts = Facts(owner, system, DIALECT, origin, intake)
    unmapped: dict[str, int] = {}
    for number, piece in enumerate(pieces, 1):
        prefix = f"message {number} " if len(pieces) > 1 else ""
        for item in read(piece.message, piece.segments, facts, intake.zone, prefix):
            if isinstance(item, Unmapped):
                unmapped[item.kind] = unmapped.get(item.kind, 0) + item.count
            else:
                yield item
    for name, count in unmapped.items():
        yield Unmapped(name, count)


def _told(item: Item, context: Context) -> Item:
    """An event whose time has MSH-7's offset months away says so: the clocks may have been changed between."""
    if context.far and isinstance(item, Event) and item.time in context.far and Flag.TIME_ASSUMED not in item.flags:
        return replace(item, flags=(*item.flags, Flag.TIME_ASSUMED))
    return item


def read(message: Message, segments: list[Segment], facts: Facts, zone: str | None, prefix: str = "") -> Iterator[Item]:
    """The items of one person's segments; one that cannot be read yields its reason and harms no other."""
    kind, trigger = message.type
    context = Context(facts, message, segments, None, zone, prefix, trigger=trigger, kind=kind)
    try:
        sent = moment(message.header.text(7), None, zone)
        context.sent, context.offset = sent, None if sent is None or in_zone(sent, zone) else sent.offset
        event = next((one for one in segments if one.name == "EVN"), None)
        context.said = (context.time(event, 2) if event is not None else None) or sent
    except FormatError as error:
        yield Reason(found=error.found, expected=error.expected, where=f"{prefix}MSH-7 or EVN-2", remedy=error.remedy)
    if trigger in people.ACCOUNTS:
        yield Unmapped(f"message {kind}^{trigger}: of accounts and visits, not of persons")
    seen_person = False
    bare: Segment | None = None  # an ORC that cancels or ends an order, until the segment that says which
    for segment in segments:
        name = segment.name
        if name == "ORC":
            if bare is not None:
                yield medicines.unsaid(bare, context)
            bare = segment if segment.text(1).upper() in _TAKES_BACK else None
            context.order, context.panel = segment, None
        elif name == "OBR":
            context.panel = segment
        elif name == "PV1" and kind in ("ADT", "BAR", "DFT"):
            context.order = context.panel = None
        if name == "PID":
            if seen_person:
                continue
            seen_person = True
        reader = MAPPED.get(name)
        if reader is not None:
            if name in _DETAILS:
                bare = None
            for item in guarded(reader(segment, context), segment, context):
                yield _told(item, context)
        elif name not in _BESIDE:
            yield Unmapped(f"segment {name}")
    if bare is not None:
        yield medicines.unsaid(bare, context)
