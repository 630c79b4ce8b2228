"""Looking for the person of a key among all who are known, and what follows: inside one write transaction of the store.

A store has one write transaction at a time, in all processes together (SQLite's write lock, an advisory lock on PostgreSQL).
Looking, deciding and writing the decision are one such transaction, so no two keys of one person can miss each other however many
senders there are: this is coarser than a lock for each key, and needs none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import msgspec

from medtwin.errors import MedtwinError
from medtwin.record.access import Access
from medtwin.record.database import Connection, lots, marks
from medtwin.record.event import SourcePatient
from medtwin.record.identity import blocking, stream
from medtwin.record.identity.compare import Person, compare, person
from medtwin.record.identity.score import Decision, Scored, compatible, score
from medtwin.record.identity.stream import Kind
from medtwin.record.names import Names, Owner
from medtwin.record.store import Demographics, Identified
from medtwin.record.writer import Work

MACHINE = "medtwin"  #: who decided, where no person did
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Demographics).decode


@dataclass(frozen=True, slots=True)
class Found:
    """Another key that was compared, and whose it is."""

    owner: int
    patient: str | None
    scored: Scored


def told(connection: Connection, names: Names, owner: int) -> Demographics | None:
    """What a source says under a key; None where it says nothing."""
    rows = connection.rows("SELECT demographics FROM owner WHERE id = ?", (owner,))
    if not rows or rows[0][0] is None:
        return None
    return _decode(names.owner_key(connection, owner).open(bytes(rows[0][0]), b"demographics:%d" % owner))


def tell(access: Access, work: Work, owner: Owner, said: Demographics) -> Person:
    """Keep a statement, sealed under the owner's key, and the keys under which its person is found."""
    sealed = access.names.owner_key(work.connection, owner.id).seal(_encode(said), b"demographics:%d" % owner.id)
    work.connection.run("UPDATE owner SET demographics = ? WHERE id = ?", (sealed, owner.id))
    one = person(said, owner.subject)
    index(access, work, owner.id, one)
    return one


def mark(said: Demographics) -> str:
    """What tells a person from others of one key: a hash of the names and the birth date."""
    one = person(said)
    return blake2b(f"{one.given}|{one.family}|{one.birth_date}".encode(), digest_size=6).hexdigest()


def index(access: Access, work: Work, owner: int, one: Person) -> None:
    """Write the blocking keys of a person, in place of the earlier ones."""
    digests = {
        blocking.digest(key, access.blocking_key) for key in (*blocking.keys(one), *blocking.names(one).values())
    }
    digests.add(blocking.digest(blocking.EVERYBODY, access.blocking_key))
    held = {int(row[0]) for row in work.connection.rows("SELECT digest FROM blocking WHERE owner = ?", (owner,))}
    for digest in sorted(held - digests):
        work.connection.run("DELETE FROM blocking WHERE digest = ? AND owner = ?", (digest, owner))
    work.connection.insert("blocking", ("digest", "owner"), [(digest, owner) for digest in sorted(digests - held)])


def index_unindexed(access: Access, work: Work) -> int:
    """Index everybody of whom something is known, in a home that an earlier version has filled; how many."""
    if work.connection.rows("SELECT 1 FROM blocking LIMIT 1"):
        return 0
    rows = work.connection.rows("SELECT id, system, value FROM owner WHERE demographics IS NOT NULL ORDER BY id")
    for owner, system, value in rows:
        try:
            said = told(work.connection, access.names, int(owner))
        except MedtwinError:  # a key that does not open: `medtwin doctor` names it
            continue
        if said is not None:
            index(access, work, int(owner), person(said, SourcePatient(system, value)))
    return len(rows)


def settle(access: Access, work: Work, mine: Owner, one: Person) -> Identified:
    """Compare a key with all who may be the same person; link, or note who must be looked at."""
    found = _best(_scored(access, work, mine, one))
    links = [other for other in found if other.scored.decision is Decision.LINK]
    alone = mine.patient is None or _keys(work.connection, mine.patient) == 1
    moved: list[tuple[SourcePatient, str]] = []
    patient = mine.patient
    held: dict[int, str] = {}
    for other in links:
        why = _obstacle(access, work, mine, one, other)
        if len(links) > 1:
            why = "two people here fit"
        elif not why:
            why = _move(access, work, mine, other, alone, moved)
        if why:
            held[other.owner] = why
    patient = moved[0][1] if moved else patient
    waiting = [other for other in found if other.scored.decision is Decision.POSSIBLE or other.owner in held]
    for other in waiting:
        reasons = (*other.scored.reasons, *([held[other.owner]] if other.owner in held else []))
        _possible(access, work, mine.id, replace(other, scored=replace(other.scored, reasons=reasons)))
    return Identified(patient=patient, moved=tuple(moved), possible=len(waiting))


def _scored(access: Access, work: Work, mine: Owner, one: Person) -> list[Found]:
    """Everybody else who shares a blocking key and was not refused, scored."""
    connection, secret = work.connection, access.blocking_key
    near: dict[int, str | None] = {}
    shared: set[str] = set()
    for key in blocking.keys(one):
        rows = connection.rows(
            "SELECT owner.id, owner.patient FROM blocking JOIN owner ON owner.id = blocking.owner"
            " LEFT JOIN patient ON patient.id = owner.patient"
            f" WHERE blocking.digest = ? AND patient.withdrawn IS NULL LIMIT {blocking.FULL + 1}",
            (blocking.digest(key, secret),),
        )
        others = {int(row[0]): row[1] for row in rows if int(row[0]) != mine.id}
        if key.startswith("number|") and len({whose or number for number, whose in others.items()}) > blocking.SHARED:
            shared.add(key.removeprefix("number|"))
        elif len(rows) <= blocking.FULL:
            near |= others
    one = replace(one, numbers=frozenset(number for number in one.numbers if number[1] not in shared))
    wanted = [owner for owner, patient in near.items() if patient is None or patient != mine.patient]
    shares: dict[str, tuple[int, int]] = {}
    found = []
    for owner, other in _people(access, connection, wanted):
        scored = _score(access, connection, one, other, shares)
        if scored.decision is not Decision.NONE and not stream.refused(connection, owner, mine.id):
            found.append(Found(owner, near[owner], scored))
    return found


def _score(access: Access, connection: Connection, a: Person, b: Person, shares: dict[str, tuple[int, int]]) -> Scored:
    """The score of two known people. ``shares``: how common the names of ``a`` are here, asked once where one agrees."""
    levels, people = compare(a, b), access.census.people(connection)
    for field, key in blocking.names(a).items():
        if levels.get(field) == "same" and field not in shares:
            shares[field] = (max(access.census.bearers(connection, key) - 2, 0), people)
    return score(levels, people, shares)


def _people(access: Access, connection: Connection, owners: list[int]) -> Iterator[tuple[int, Person]]:
    """What sources say under these keys, those of which nothing is said left out."""
    for lot in lots(sorted(owners)):
        rows = connection.rows(
            f"SELECT id, system, value, demographics FROM owner WHERE id IN ({marks(len(lot))})"
            " AND demographics IS NOT NULL ORDER BY id",
            lot,
        )
        for owner, system, value, sealed in rows:
            key = access.names.owner_key(connection, int(owner))
            said = _decode(key.open(bytes(sealed), b"demographics:%d" % owner))
            yield int(owner), person(said, SourcePatient(system, value))


def _best(found: list[Found]) -> list[Found]:
    """Of each patient the key that fits best, if any does."""
    best: dict[Any, Found] = {}
    for other in found:
        whose = other.patient if other.patient is not None else other.owner
        if other.scored.decision is not Decision.NONE and (
            whose not in best or _rank(other.scored) > _rank(best[whose].scored)
        ):
            best[whose] = other
    return sorted(best.values(), key=lambda other: other.owner)


def _rank(scored: Scored) -> tuple[bool, float]:
    return scored.decision is Decision.LINK, scored.probability


def _keys(connection: Connection, patient: str) -> int:
    return int(connection.rows("SELECT COUNT(*) FROM owner WHERE patient = ?", (patient,))[0][0])


def _obstacle(access: Access, work: Work, mine: Owner, one: Person, other: Found) -> str:
    """What another key of either patient has against the two being one; empty where nothing does."""
    (theirs,) = (who for _, who in _people(access, work.connection, [other.owner]))
    for patient, owner, person_there in ((other.patient, mine.id, one), (mine.patient, other.owner, theirs)):
        if patient is None:
            continue
        keys = [int(row[0]) for row in work.connection.rows("SELECT id FROM owner WHERE patient = ?", (patient,))]
        if any(stream.refused(work.connection, key, owner) for key in keys):
            return "a person said that another key of that patient is somebody else's"
        if not all(compatible(compare(person_there, held)) for _, held in _people(access, work.connection, keys)):
            return "another key of that patient says otherwise"
    return ""


def _move(
    access: Access, work: Work, mine: Owner, other: Found, alone: bool, moved: list[tuple[SourcePatient, str]]
) -> str:
    """Move the newer of two keys to the other's patient, where it is its patient's only key; else why nothing moves."""
    connection = work.connection
    theirs_alone = other.patient is None or _keys(connection, other.patient) == 1
    if alone and other.patient is not None and (mine.id > other.owner or not theirs_alone or mine.patient is None):
        key, owner, patient, before, there = mine.subject, mine.id, other.patient, mine.patient, other.owner
    elif theirs_alone and mine.patient is not None:
        key = SourcePatient(*connection.rows("SELECT system, value FROM owner WHERE id = ?", (other.owner,))[0])
        owner, patient, before, there = other.owner, mine.patient, other.patient, mine.id
    elif mine.patient is None and other.patient is None:
        return "neither belongs to a patient yet"
    else:
        return "both are known under several keys"
    stream.move(
        work, access.names, Kind.LINK, owner, patient, before, who=MACHINE, why="the evidence suffices", other=there,
        scored=other.scored,
    )  # fmt: skip
    work.patients |= {whose for whose in (patient, before) if whose is not None}
    moved.append((key, patient))
    return ""


def _possible(access: Access, work: Work, mine: int, other: Found) -> None:
    """Note a match that waits, unless it waits already for the same reasons."""
    high, low = max(mine, other.owner), min(mine, other.owner)
    known = stream.events(
        work.connection, access.names, "identity.owner = ? AND identity.other = ?", (high, low), limit=1
    )
    if known and known[0].kind is Kind.POSSIBLE and known[0].parts == other.scored.parts:
        return
    stream.write(
        work,
        access.names,
        Kind.POSSIBLE,
        high,
        other=low,
        who=MACHINE,
        why="; ".join(other.scored.reasons),
        scored=other.scored,
    )
