"""The audit trail: one row for each read and write, in a chain that shows the first altered row.

Each row's hash is a keyed BLAKE2b over the previous row's hash and the row's own fields; the key is derived from the
home's master key, so that whoever can write to the database but does not hold the key cannot make the chain whole
again. The head (number and hash of the newest row) is kept a second time in a small file beside the database, so that
rows cut off the end are noticed too, also after the chain has grown past the place again: a head file that contradicts
the chain is never written over.

What cannot be noticed: rows cut off that are newer than the head file (it is written after each commit and may lag by
the last one), and a whole home, head file included, put back to an earlier state. Send the head elsewhere (``medtwin
audit verify`` prints it) where that matters.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

START = bytes(32)  #: the hash before the first row
_SECTOR = 512
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One access before it has its place in the chain. ``patient`` is a pseudonym (see :func:`pseudonym`)."""

    time: int  #: microseconds since 1970 UTC
    who: str
    role: str
    purpose: str
    action: str  #: the verb, e.g. "record"; "denied record" where the grant did not allow it
    patient: str | None
    quantities: str  #: names, comma-separated; empty for all or none
    count: int  #: facts, bytes or rows, whichever the verb counts
    sequence: int  #: commit sequence at the time, or of the write itself
    entry: str  #: random name, so that an entry taken from the journal twice stands in the chain once

    def fields(self) -> tuple[object, ...]:
        return (
            self.time, self.who, self.role, self.purpose, self.action, self.patient, self.quantities, self.count,
            self.sequence, self.entry,
        )  # fmt: skip


def chain(number: int, fields: tuple[object, ...], previous: bytes, key: bytes) -> bytes:
    """Hash of row ``number`` (from 1): 32 bytes over the previous hash and the fields."""
    return blake2b(previous + _encode((number, *fields)), key=key, digest_size=32).digest()


def verify(
    rows: Iterable[tuple[int, tuple[object, ...], bytes]], key: bytes, heads: Iterable[tuple[int, bytes]]
) -> tuple[int, int | None]:
    """(rows checked, number of the first altered, missing or foreign row, or None).

    ``rows`` are (number, fields, hash) in order of number; ``heads`` are the heads kept elsewhere: rows that they
    promise and that are missing are reported by the number of the first missing one. Two heads that say different things
    of one row are both held against it: a chain that was cut back and grew again may end where another head ends.
    """
    wanted: dict[int, set[bytes]] = {}
    for number, head in heads:
        wanted.setdefault(number, set()).add(head)
    previous, count = START, 0
    for number, fields, found in rows:
        count += 1
        if number != count or found != chain(number, fields, previous, key):
            return count, count
        if wanted.get(number, {found}) != {found}:
            return count, count
        previous = found
    if any(number > count for number in wanted):
        return count, count + 1
    return count, None


def pseudonym(patient: str | None, key: bytes) -> str | None:
    """The name under which a patient stands in the trail: 16 hex digits, keyed, so that an erased id is not in it."""
    if patient is None:
        return None
    return blake2b(
        patient.encode("utf-8", "surrogatepass"), key=key, digest_size=8, person=b"medtwin/patient"
    ).hexdigest()


class _Head(msgspec.Struct, frozen=True):
    dialect: str
    number: int
    hash: str
    seal: str


class HeadFile:
    """The head of the chain in a second place. Its own keyed seal shows a head that somebody wrote by hand."""

    DIALECT = "medtwin-audit-head/1"

    def __init__(self, path: Path, key: bytes) -> None:
        self._path, self._key = path, key

    def _seal(self, number: int, head: bytes) -> str:
        return blake2b(b"%d:%s" % (number, head), key=self._key, digest_size=16).hexdigest()

    def write(self, number: int, head: bytes) -> None:
        """Overwrite the head in place (one sector, one write). It may lag behind the chain, never run ahead of it."""
        content = msgspec.json.encode(_Head(self.DIALECT, number, head.hex(), self._seal(number, head)))
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(file, content.ljust(_SECTOR - 1) + b"\n", 0)
        finally:
            os.close(file)

    def content(self) -> bytes | None:
        """The file as it is, for a backup."""
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def read(self) -> tuple[int, bytes] | None:
        """(number, hash); None when none was written yet; (0, b"") for a file that this home did not seal."""
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=_Head)
            head = bytes.fromhex(found.hash)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, ValueError):
            return 0, b""
        if found.dialect != self.DIALECT or found.seal != self._seal(found.number, head):
            return 0, b""
        return found.number, head
