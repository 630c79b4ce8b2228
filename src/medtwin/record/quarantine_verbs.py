"""Verbs on what was not understood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from medtwin.errors import StoreError
from medtwin.governance.grant import Action, Grant
from medtwin.record import vault
from medtwin.record.access import Access
from medtwin.record.codec import moment
from medtwin.record.database import Connection
from medtwin.record.event import SourcePatient
from medtwin.record.schema import TABLES
from medtwin.record.store import Quarantined
from medtwin.record.writer import Work

_encode = msgspec.msgpack.Encoder().encode
_strings = msgspec.msgpack.Decoder(tuple[str, str | None, str, str, str, str]).decode
ITEM = (
    "SELECT quarantine.id, raw.hash, quarantine.size, quarantine.received, quarantine.resolved, quarantine.sealed, raw.owner"
    " FROM quarantine JOIN raw ON raw.id = quarantine.raw"
)


class QuarantineVerbs:
    """A part of :class:`~medtwin.record.sql.SqlStore`, which holds the fields."""

    _access: Access

    def quarantine(
        self, raw_hash: str, *, file: str, dialect: str | None, locator: str, found: str, expected: str, remedy: str,
        size: int, grant: Grant,
    ) -> int:  # fmt: skip
        """Say of some part of kept raw bytes that it was not understood; its number.

        The same part for the same reason again is the same item, open again if it had been resolved.
        """
        sealed_fields = (file, dialect, locator, found, expected, remedy)

        def job(work: Work) -> int:
            rows = work.connection.rows(
                "SELECT raw.id, owner.id, owner.patient FROM raw JOIN owner ON owner.id = raw.owner WHERE raw.hash = ?",
                (vault.bits(raw_hash),),
            )
            if not rows:
                raise StoreError("no raw bytes of that name", expected="the hash of bytes that were kept")
            raw, owner, patient = rows[0]
            self._access.allow(work, grant, Action.WRITE, patient)
            digest = vault.hasher(self._access.salt, SourcePatient(raw_hash, locator))
            digest.update(_encode((dialect, found)))
            place = (raw, digest.digest())
            known = work.connection.rows("SELECT id FROM quarantine WHERE raw = ? AND digest = ?", place)
            self._access.audit(work, grant, "quarantine", patient, count=1)
            if known:
                work.connection.run("UPDATE quarantine SET resolved = NULL WHERE id = ?", (known[0][0],))
                return int(known[0][0])
            number = work.number()
            key = self._access.names.owner_key(work.connection, int(owner))
            sealed = key.seal(_encode(sealed_fields), b"quarantine:%d" % number)
            row = (number, raw, size, vault.now(), None, digest.digest(), sealed)
            work.connection.insert("quarantine", TABLES["quarantine"], [row])
            return number

        number: int = self._access.write(grant, "quarantine", job)
        return number

    def quarantined(self, grant: Grant, *, include_resolved: bool = False) -> tuple[Quarantined, ...]:
        """What was not understood, oldest first."""
        with self._access.read(grant, "quarantined") as read:
            rows = read.connection.rows(
                ITEM + ("" if include_resolved else " WHERE quarantine.resolved IS NULL") + " ORDER BY quarantine.id"
            )
            read.count = len(rows)
            return tuple(item(self._access, read.connection, row) for row in rows)

    def quarantine_mark(self) -> tuple[int, ...]:
        """Numbers that change whenever the quarantine does. They say nothing of anybody: no audit row is left."""
        with self._access.database.reading() as connection:
            (row,) = connection.rows(
                "SELECT COUNT(*), COALESCE(MAX(id), 0), COUNT(resolved), COALESCE(MAX(resolved), 0) FROM quarantine"
            )
            return tuple(int(value) for value in row)

    def resolve(self, quarantine_id: int, grant: Grant) -> None:
        """Close an item of the quarantine: it was replayed, or somebody looked at it."""

        def job(work: Work) -> None:
            self._access.allow(work, grant, Action.ADMINISTER, None)
            statement = "UPDATE quarantine SET resolved = ? WHERE id = ? AND resolved IS NULL"
            self._access.audit(
                work, grant, "resolve", None, count=work.connection.run(statement, (vault.now(), quarantine_id))
            )

        self._access.write(grant, "resolve", job)


def item(access: Access, connection: Connection, row: Sequence[Any]) -> Quarantined:
    """A row of :data:`ITEM`, opened."""
    number, raw, size, received, resolved, sealed, owner = row
    key = access.read_names.owner_key(connection, int(owner))
    file, dialect, locator, found, expected, remedy = _strings(key.open(bytes(sealed), b"quarantine:%d" % number))
    return Quarantined(
        id=int(number), file=file, dialect=dialect, raw=bytes(raw).hex(), locator=locator, found=found,
        expected=expected, remedy=remedy, size=int(size), received=moment(received),
        resolved=None if resolved is None else moment(resolved),
    )  # fmt: skip
