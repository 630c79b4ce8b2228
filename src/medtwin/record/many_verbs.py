"""Verbs on many patients at once, for whoever follows a whole home: what changed, and standings kept in few commits.

A *standing* is an artifact of which a patient has one of a kind: the newest replaces the one before. Like any artifact it
is sealed under the patient's key, and goes with the patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from medtwin.errors import AccessDenied
from medtwin.governance.grant import Action, Grant
from medtwin.record import codec, facts, vault
from medtwin.record.access import Access
from medtwin.record.database import lots, marks
from medtwin.record.event import Event, SourcePatient
from medtwin.record.schema import TABLES
from medtwin.record.writer import Job, Work

_encode = msgspec.msgpack.Encoder().encode
_WEIGHT = 8 << 20  #: bytes of standings in one job, about
_AHEAD = 4  #: jobs that wait for the writer


@dataclass(frozen=True, slots=True)
class Change:
    """A committed fact of a patient. ``alone``: no other version of it is here."""

    patient: str
    event: Event
    alone: bool


class ManyVerbs:
    """A part of :class:`~medtwin.record.sql.SqlStore`, which holds the fields."""

    _access: Access

    def changes(self, after: int, grant: Grant, limit: int = 10_000) -> tuple[tuple[Change, ...], int]:
        """Facts of linked patients after a commit sequence, in commit order, and the sequence up to which that looked.

        Nobody who withdrew consent is among them. One audit row, as for ``tail``.
        """
        with self._access.read(grant, "changes", snapshot=True) as read:
            rows = read.connection.rows(
                f"SELECT {codec.COLUMNS}, owner.system, owner.value, owner.patient, patient.withdrawn,"
                " EXISTS (SELECT 1 FROM fact AS other WHERE other.slot = fact.slot AND other.id <> fact.id)"
                " FROM fact JOIN owner ON owner.id = fact.owner LEFT JOIN patient ON patient.id = owner.patient"
                " WHERE fact.sequence > ? ORDER BY fact.sequence LIMIT ?",
                (after, limit),
            )
            looked = int(rows[-1][2]) if rows else after
            kept = [row for row in rows if row[12] is not None and row[13] is None]
            pairs = [(row[:10], SourcePatient(row[10], row[11])) for row in kept]
            found = facts.events(read.connection, self._access.read_names, pairs)
            read.count = len(found)
        return tuple(
            Change(row[12], event, not row[14]) for row, event in zip(kept, found, strict=True)
        ), looked  # fmt: skip

    def put_standings(self, kind: str, standings: Iterator[tuple[str, bytes]], grant: Grant) -> int:
        """Keep the standing of each of many patients, in place of an older one; how many. Durable when it returns.

        In several transactions: after a crash some patients have the new one and some the old one, each whole. An audit
        row for each patient. Raises :class:`AccessDenied` where the grant does not cover one of them, the epoch moved on or
        somebody withdrew consent; the standings of that transaction are then not kept.
        """
        waiting: list[Job] = []
        lot: list[tuple[str, bytes]] = []
        size = count = 0

        def send() -> None:
            nonlocal lot, size
            mine, lot, size = lot, [], 0
            while len(waiting) >= _AHEAD:
                waiting.pop(0).wait()
            job = lambda work: self._put(work, kind, mine, grant)  # noqa: E731
            waiting.append(self._access.write(grant, "put standings", job, weight=len(mine) * 50, wait=False))

        try:
            for patient, content in standings:
                lot.append((patient, content))
                size += len(content)
                count += 1
                if size >= _WEIGHT:
                    send()
            if lot:
                send()
            for job in waiting:
                job.wait()
        except AccessDenied:
            self._access.denied(grant, "put standings", None)
            raise
        return count

    def _put(self, work: Work, kind: str, standings: Sequence[tuple[str, bytes]], grant: Grant) -> None:
        connection, names = work.connection, self._access.names
        patients = [patient for patient, _ in standings]
        held: dict[str, int] = {}
        for lot in lots(patients):
            for patient, withdrawn in connection.rows(
                f"SELECT id, withdrawn FROM patient WHERE id IN ({marks(len(lot))})", lot
            ):
                held[patient] = 0
                if withdrawn is not None:
                    raise AccessDenied("a patient who withdrew consent", expected="consent")
            for patient, number in connection.rows(
                f"SELECT patient, id FROM artifact WHERE kind = ? AND patient IN ({marks(len(lot))})", (kind, *lot)
            ):
                held[patient] = int(number)
        fresh: list[tuple[Any, ...]] = []
        pieces: list[tuple[Any, ...]] = []
        for patient, content in standings:
            grant.require(Action.WRITE, patient, work.epoch)
            if patient not in held:
                self._access.known(work, patient)
            key = names.patient_key(connection, patient)
            digest = vault.content_hash(kind, content)
            number = held[patient] or work.number()
            sealed = key.seal(_encode({"kind": kind}), b"artifact:%d" % number)
            if held[patient]:
                connection.run("UPDATE artifact SET hash = ?, size = ? WHERE id = ?", (digest, len(content), number))
                vault.drop(connection, number)
            else:
                fresh.append((number, patient, kind, digest, len(content), sealed))
            for place, at in enumerate(range(0, len(content), vault.PIECE)):
                part = content[at : at + vault.PIECE]
                pieces.append((number, place, vault.seal_piece(key, number, place, part)))
            self._access.audit(work, grant, "put standing", patient, count=len(content))
        connection.insert("artifact", TABLES["artifact"], fresh)
        connection.insert("piece", TABLES["piece"], pieces)

    def standings(self, kind: str, grant: Grant) -> Iterator[tuple[str, bytes]]:
        """(patient, content) of all standings of a kind, in order of patient; not of those who withdrew consent."""
        after, access = "", self._access
        while True:
            with access.read(grant, "standings", everyone=True, snapshot=True) as read:
                rows = read.connection.rows(
                    "SELECT patient.id, artifact.id, artifact.size, piece.number, piece.sealed FROM patient"
                    " JOIN artifact ON artifact.patient = patient.id JOIN piece ON piece.whole = artifact.id"
                    " WHERE patient.id > ? AND patient.id IN (SELECT patient.id FROM patient JOIN artifact ON"
                    " artifact.patient = patient.id WHERE patient.id > ? AND artifact.kind = ? AND patient.withdrawn IS NULL"
                    " ORDER BY patient.id LIMIT 200) AND artifact.kind = ? ORDER BY patient.id, piece.number",
                    (after, after, kind, kind),
                )
                whole: dict[str, bytes] = {}
                for patient, number, _, place, sealed in rows:
                    key = access.read_names.patient_key(read.connection, patient)
                    plain = key.open(bytes(sealed), b"piece:%d:%d" % (number, place))
                    whole[patient] = whole.get(patient, b"") + plain
                if grant.patients is not None:
                    whole = {patient: content for patient, content in whole.items() if patient in grant.patients}
                read.count = len(whole)
            if not rows:
                return
            after = rows[-1][0]
            yield from whole.items()
