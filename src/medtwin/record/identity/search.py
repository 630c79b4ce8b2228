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
from medtwin.record.identity.compare import Person, compare, person, stated
from medtwin.record.identity.score import Decision, Scored, compatible, score
from medtwin.record.identity.statement import names_nobody, together, united
from medtwin.record.identity.stream import Kind
from medtwin.record.names import Names, Owner
from medtwin.record.store import Demographics, Identified
from medtwin.record.writer import Work

MACHINE = "medtwin"  #: who decided, where no person did
NEW = "new here"  #: why a key was linked, where intake made a patient of it and nobody said whose it is
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
    """Keep a statement, with what earlier ones said and it leaves out, sealed under the owner's key, and the keys under which
    its person is found."""
    held = told(work.connection, access.names, owner.id)
    said = united(held, said) if held is not None and together(held, said) else said
    sealed = access.names.owner_key(work.connection, owner.id).seal(_encode(said), b"demographics:%d" % owner.id)
    work.connection.run("UPDATE owner SET demographics = ? WHERE id = ?", (sealed, owner.id))
    one = person(said, owner.subject)
    index(access, work, owner.id, owner.subject, one)
    return one


def mark(said: Demographics, secret: bytes) -> str:
    """What tells a person from others of one key: a keyed hash of the names and the birth date, which nobody else can try out."""
    one = person(said)
    return blake2b(f"{one.given}|{one.family}|{one.birth_date}".encode(), key=secret, digest_size=6).hexdigest()


def belongs(
    access: Access, connection: Connection, names: Names, key: SourcePatient, said: Demographics
) -> SourcePatient:
    """The key under which a statement on ``key`` belongs, of those that people of that one number have here.

    Whom it fits alone; where it fits several, whose given name and birth date are exactly those; ``key`` with a bare ``#``,
    whose facts wait for a person, where that is nobody or it names nobody; a new one for somebody new.
    """
    held = _of_number(access, connection, names, key)
    if names_nobody(said) and any(there != key for there, _ in held):
        return _marked(key, "")
    fits = [there for there, known in held if together(known, said)]
    if len(fits) > 1:
        ours = person(said)
        exact = [there for there, known in held if there in fits and _exact(person(known), ours)]
        return exact[0] if len(exact) == 1 else _marked(key, "")
    if fits:
        return fits[0]
    return _marked(key, mark(said, access.blocking_key)) if any(there == key for there, _ in held) else key


def _exact(a: Person, b: Person) -> bool:
    return bool(b.given and b.birth_date) and (a.given, a.family, a.birth_date) == (b.given, b.family, b.birth_date)


def _marked(key: SourcePatient, written: str) -> SourcePatient:
    return SourcePatient(key.system, f"{key.value[:140]}#{written}")


def _of_number(
    access: Access, connection: Connection, names: Names, key: SourcePatient
) -> list[tuple[SourcePatient, Demographics]]:
    """Everybody of one number of one system of whom something is said, the first to come first."""
    rows = connection.rows(
        "SELECT owner.id, owner.system, owner.value FROM blocking JOIN owner ON owner.id = blocking.owner"
        " WHERE blocking.digest = ? ORDER BY owner.id",
        (blocking.digest(_marked(key, "").value + "|" + key.system, access.blocking_key),),
    )
    found = [(SourcePatient(system, value), told(connection, names, int(owner))) for owner, system, value in rows]
    first = names.find_owner(connection, key)
    if first is not None and all(there != key for there, _ in found):
        found.insert(0, (key, told(connection, names, first.id)))
    return [(there, known) for there, known in found if known is not None]


def index(access: Access, work: Work, owner: int, key: SourcePatient, one: Person) -> None:
    """Write the blocking keys of a person, in place of the earlier ones."""
    digests = {
        blocking.digest(key, access.blocking_key) for key in (*blocking.keys(one), *blocking.names(one).values())
    }
    digests.add(blocking.digest(blocking.EVERYBODY, access.blocking_key))
    if (bare := stated(key)) != key:  # one of several people of one number
        digests.add(blocking.digest(_marked(bare, "").value + "|" + bare.system, access.blocking_key))
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
            key = SourcePatient(system, value)
            index(access, work, int(owner), key, person(said, key))
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
    last = stream.events(
        connection, access.names, "identity.owner = ? AND identity.kind IN ('link', 'unlink')", (owner,), 1
    )
    if last and last[0].who != MACHINE and last[0].why != NEW:
        return "a person or the source itself said whose the key is"
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
