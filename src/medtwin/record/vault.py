"""Sealed bytes inside a transaction: raw bytes of an owner and artifacts of a patient, in pieces of at most 1 MiB.

They lie in the database, not as files beside it: one commit, one backup, one erasure. A raw is named by a salted hash
(keyed by the home, over owner and content): the name tells nothing to somebody who guesses the content.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from medtwin.errors import StoreError
from medtwin.governance.keys import DataKey
from medtwin.record.codec import moment
from medtwin.record.database import Connection
from medtwin.record.event import SourcePatient
from medtwin.record.store import RawEntry
from medtwin.record.writer import Work

PIECE = 1 << 20


class _Manifest(msgspec.Struct, array_like=True):
    media_type: str
    file: str
    source: str


_encode = msgspec.msgpack.Encoder().encode
_decode_manifest = msgspec.msgpack.Decoder(_Manifest).decode


def hasher(salt: bytes, owner: SourcePatient) -> Any:
    """An incremental salted hash for bytes of ``owner``; feed it the content."""
    return blake2b(_encode((owner.system, owner.value)), key=salt, digest_size=16)


def content_hash(kind: str, content: bytes) -> bytes:
    """The name of an artifact: BLAKE2b over kind and content, without salt, so that it is the same in every home."""
    named = blake2b(kind.encode() + b"\x00", digest_size=16)
    named.update(content)
    return named.digest()


def now() -> int:
    return time.time_ns() // 1000


def seal_piece(key: DataKey, whole: int, number: int, content: bytes) -> bytes:
    return key.seal(content, b"piece:%d:%d" % (whole, number))


def put_pieces(work: Work, key: DataKey, whole: int, content: bytes) -> None:
    """Seal and keep ``content`` as the pieces of ``whole``."""
    pieces = range(0, len(content), PIECE)
    work.connection.insert(
        "piece",
        ("whole", "number", "sealed"),
        [(whole, number, seal_piece(key, whole, number, content[at : at + PIECE])) for number, at in enumerate(pieces)],
    )


def pieces(
    connection: Connection, key: DataKey, whole: int, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """The plain bytes ``start:stop`` of ``whole``, a piece at a time."""
    number = start // PIECE
    while stop is None or number * PIECE < stop:
        rows = connection.rows("SELECT sealed FROM piece WHERE whole = ? AND number = ?", (whole, number))
        if not rows:
            return
        plain = key.open(bytes(rows[0][0]), b"piece:%d:%d" % (whole, number))
        begin = number * PIECE
        yield plain[max(start - begin, 0) : None if stop is None else stop - begin]
        number += 1


def drop(connection: Connection, whole: int) -> None:
    connection.run("DELETE FROM piece WHERE whole = ?", (whole,))


def known_raw(work: Work, digest: bytes) -> bool:
    """Whether a raw of that name is here; if so, it is counted once more."""
    return work.connection.run("UPDATE raw SET times = times + 1 WHERE hash = ?", (digest,)) > 0


def begin_raw(
    work: Work, key: DataKey, owner: int, manifest: tuple[str, str, str], *, digest: bytes | None, size: int
) -> int:
    """A new raw (without a name while its bytes are still coming in); its number."""
    number = work.number()
    work.connection.run(
        "INSERT INTO raw (id, owner, hash, size, received, times, manifest) VALUES (?, ?, ?, ?, ?, 1, ?)",
        (number, owner, digest, size, now(), key.seal(_encode(manifest), b"raw:%d" % number)),
    )
    return number


def entry(key: DataKey, row: Any) -> RawEntry:
    """The entry of (id, hash, size, received, times, manifest, owner system, owner value)."""
    number, digest, size, received, times, sealed, system, value = row
    manifest = _decode_manifest(key.open(bytes(sealed), b"raw:%d" % number))
    return RawEntry(
        hash=bytes(digest).hex(), owner=SourcePatient(system, value), media_type=manifest.media_type,
        file=manifest.file, source=manifest.source, size=int(size), received=moment(received), times=int(times),
    )  # fmt: skip


def bits(name: str) -> bytes:
    """The bytes of a hash as it is written; raises :class:`StoreError` for anything else."""
    try:
        return bytes.fromhex(name)
    except ValueError:
        raise StoreError("a hash that is not hexadecimal", expected="32 hexadecimal digits") from None


def cut(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whatever comes, in pieces of exactly 1 MiB and a shorter last one."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield bytes(waiting)
