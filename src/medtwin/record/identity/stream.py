"""The stream of decisions on who is whom: each link, unlink, possible match and refusal is a row that is never edited.

Who did it, why, and what each field said is sealed under the key of the owner whom the row is about. The column ``owner.patient``
is the fold of this stream: the newest link or unlink of each key. Rows of one decision (a merge moves several keys) share its
number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from medtwin.record.codec import moment
from medtwin.record.database import Connection
from medtwin.record.event import SourcePatient
from medtwin.record.identity.score import Part, Scored
from medtwin.record.names import Names
from medtwin.record.vault import now
from medtwin.record.writer import Work


class Kind(StrEnum):
    LINK = "link"  #: the key belongs to a patient from now on
    UNLINK = "unlink"  #: it went back to where it was before, or waits unassigned
    POSSIBLE = "possible"  #: two keys may be one person's: somebody must look
    REFUSED = "refused"  #: two keys are not one person's


class _Said(msgspec.Struct, array_like=True):
    who: str
    why: str
    probability: float | None = None
    parts: tuple[tuple[str, str, float], ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityEvent:
    """One row of the stream. ``other``: the key on the other side, where two were compared."""

    number: int
    decision: int
    time: datetime
    kind: Kind
    key: SourcePatient
    other: SourcePatient | None
    patient: str | None  #: whose key it is afterwards
    before: str | None  #: whose it was
    who: str
    why: str
    probability: float | None
    parts: tuple[Part, ...]
    reasons: tuple[str, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Said).decode
_COLUMNS = (
    "identity.number, identity.decision, identity.time, identity.kind, identity.owner, mine.system, mine.value,"
    " other.system, other.value, identity.patient, identity.before, identity.sealed"
)
_FROM = " FROM identity JOIN owner AS mine ON mine.id = identity.owner LEFT JOIN owner AS other ON other.id = identity.other"


def write(
    work: Work, names: Names, kind: Kind, owner: int, *, who: str, why: str, decision: int | None = None,
    other: int | None = None, patient: str | None = None, before: str | None = None, scored: Scored | None = None,
) -> int:  # fmt: skip
    """Append a row; the number of its decision."""
    number = work.number()
    said = _Said(who, why[:500])
    if scored is not None:
        said.probability, said.reasons = scored.probability, scored.reasons
        said.parts = tuple((part.field, part.level, part.bits) for part in scored.parts)
    sealed = names.owner_key(work.connection, owner).seal(_encode(said), b"identity:%d" % number)
    chosen = number if decision is None else decision
    work.connection.run(
        "INSERT INTO identity (number, decision, time, kind, owner, other, patient, before, sealed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, chosen, now(), kind.value, owner, other, patient, before, sealed),
    )
    return chosen


def move(
    work: Work, names: Names, kind: Kind, owner: int, patient: str | None, before: str | None, *, who: str, why: str,
    decision: int | None = None, other: int | None = None, scored: Scored | None = None,
) -> int:  # fmt: skip
    """Make a key that of another patient (or nobody's), as a row of the stream; no fact moves. The decision's number."""
    work.connection.run("UPDATE owner SET patient = ? WHERE id = ?", (patient, owner))
    return write(
        work,
        names,
        kind,
        owner,
        who=who,
        why=why,
        decision=decision,
        other=other,
        patient=patient,
        before=before,
        scored=scored,
    )


def events(
    connection: Connection, names: Names, where: str = "", values: tuple[Any, ...] = (), limit: int | None = None
) -> list[IdentityEvent]:
    """Rows, newest first. ``where``: a condition of this module's callers, with ``?`` for each of ``values``."""
    rows = connection.rows(
        f"SELECT {_COLUMNS}{_FROM}{' WHERE ' + where if where else ''} ORDER BY identity.number DESC"
        + ("" if limit is None else f" LIMIT {int(limit)}"),
        values,
    )
    return [_event(connection, names, row) for row in rows]


def _event(connection: Connection, names: Names, row: Any) -> IdentityEvent:
    number, decision, time, kind, owner, system, value, there, other, patient, before, sealed = row
    said = _decode(names.owner_key(connection, int(owner)).open(bytes(sealed), b"identity:%d" % number))
    return IdentityEvent(
        number=int(number), decision=int(decision), time=moment(time), kind=Kind(kind), key=SourcePatient(system, value),
        other=None if other is None else SourcePatient(there, other), patient=patient, before=before, who=said.who, why=said.why,
        probability=said.probability, parts=tuple(Part(*part) for part in said.parts), reasons=said.reasons,
    )  # fmt: skip


def path(moves: Sequence[Sequence[str | None]]) -> list[str | None]:
    """Where a key was before each of its links that are not undone, oldest first, from (patient, before) of each move.

    A move back to where the newest link took the key from undoes that link. A source's merge (A40) releases a key and links it
    again: that is one link, from where it was released.
    """
    came: list[str | None] = []
    released: str | None = None
    for patient, before in moves:
        if patient is None:
            if came and came[-1] is None:
                came.pop()
            released = before
        elif came and came[-1] == patient:
            came.pop()
            released = None
        else:
            came.append(before if before is not None else released)
            released = None
    return came


def refused(connection: Connection, a: int, b: int) -> bool:
    """Whether the newest word on two keys is that they are not one person's."""
    rows = connection.rows(
        "SELECT kind FROM identity WHERE owner = ? AND other = ? AND kind IN ('possible', 'refused')"
        " ORDER BY number DESC LIMIT 1",
        (max(a, b), min(a, b)),
    )
    return bool(rows) and rows[0][0] == Kind.REFUSED
