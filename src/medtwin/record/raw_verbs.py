"""Verbs on raw bytes: kept under their owner's key, once, and readable to the byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from medtwin.errors import AccessDenied, StoreError
from medtwin.governance.grant import Grant
from medtwin.record import vault
from medtwin.record.access import Access
from medtwin.record.database import marks
from medtwin.record.event import SourcePatient
from medtwin.record.schema import TABLES
from medtwin.record.store import RawEntry, RawKept
from medtwin.record.writer import Job, Work


@dataclass(frozen=True, slots=True)
class RawLater:
    """Raw bytes on their way to the disk, under the name that they will have."""

    hash: str
    _job: Job
    _denied: Callable[[], None]

    def wait(self) -> RawKept:
        """Return when they are durable; raises what keeping them raised."""
        try:
            return RawKept(hash=self.hash, duplicate=self._job.wait())
        except AccessDenied:
            self._denied()
            raise


class RawVerbs:
    """A part of :class:`~medtwin.record.sql.SqlStore`, which holds the fields."""

    _access: Access

    def keep_raw(
        self, content: bytes, owner: SourcePatient, grant: Grant, *, media_type: str, file: str, source: str
    ) -> RawKept:
        """Keep bytes encrypted under the owner's key. The same bytes of the same owner are counted, not kept twice."""
        return self.keep_raw_later(content, owner, grant, media_type=media_type, file=file, source=source).wait()

    def keep_raw_later(
        self, content: bytes, owner: SourcePatient, grant: Grant, *, media_type: str, file: str, source: str
    ) -> RawLater:
        """As :meth:`keep_raw` without waiting: nothing is acknowledged before :meth:`RawLater.wait` has returned.

        The hash is known at once. What is written after it by this process is not committed before it.
        """
        hasher = vault.hasher(self._access.salt, owner)
        hasher.update(content)
        digest = hasher.digest()

        def job(work: Work) -> bool:
            whose = self._access.begin(work, owner, grant)
            duplicate = vault.known_raw(work, digest)
            if not duplicate:
                key = self._access.names.owner_key(work.connection, whose.id)
                manifest = (media_type, file, source)
                whole = vault.begin_raw(work, key, whose.id, manifest, digest=digest, size=len(content))
                vault.put_pieces(work, key, whole, content)
            self._access.audit(work, grant, "keep raw", whose.patient, count=len(content))
            return duplicate

        queued = self._access.write(grant, "keep raw", job, weight=1 + len(content) // 500, wait=False)
        return RawLater(digest.hex(), queued, lambda: self._access.denied(grant, "keep raw", None))

    def keep_raw_stream(
        self, chunks: Iterable[bytes], owner: SourcePatient, grant: Grant, *, media_type: str, file: str, source: str
    ) -> RawKept:
        """As :meth:`keep_raw` for bytes of any length, in whatever chunks they come; memory stays at a few MiB.

        Nothing is acknowledged, and nothing stays, unless the last chunk came in.
        """
        access, hasher, size, number = self._access, vault.hasher(self._access.salt, owner), 0, 0

        def begin(work: Work) -> tuple[int, Any]:
            whose = self._access.begin(work, owner, grant)
            key = access.names.owner_key(work.connection, whose.id)
            return vault.begin_raw(work, key, whose.id, (media_type, file, source), digest=None, size=0), key

        def unfinished(work: Work) -> None:
            vault.drop(work.connection, whole)
            work.connection.run("DELETE FROM raw WHERE id = ?", (whole,))

        whole, key = access.write(grant, "keep raw", begin)
        try:
            for content in vault.cut(chunks):
                hasher.update(content)
                size += len(content)
                row = (whole, number, vault.seal_piece(key, whole, number, content))
                number += 1

                def more(work: Work, row: tuple[int, int, bytes] = row) -> None:
                    if not work.connection.rows("SELECT 1 FROM raw WHERE id = ?", (whole,)):
                        raise StoreError("raw bytes whose owner was erased while they came in")
                    work.connection.insert("piece", TABLES["piece"], [row])

                access.write(grant, "keep raw", more, weight=2000)
            digest = hasher.digest()

            def finish(work: Work) -> bool:
                whose = self._access.begin(work, owner, grant)
                duplicate = vault.known_raw(work, digest)
                if duplicate:
                    unfinished(work)
                else:
                    work.connection.run("UPDATE raw SET hash = ?, size = ? WHERE id = ?", (digest, size, whole))
                self._access.audit(work, grant, "keep raw", whose.patient, count=size)
                return duplicate

            return RawKept(hash=digest.hex(), duplicate=access.write(grant, "keep raw", finish))
        except BaseException:
            access.writer.do(unfinished)
            raise

    def raw(self, patient: str | None, raw_hash: str, grant: Grant) -> bytes:
        """The bytes as they came in. ``patient`` None: whosever they are, for a grant that covers everybody."""
        return b"".join(self.raw_chunks(patient, raw_hash, grant))

    def raw_range(self, patient: str | None, raw_hash: str, start: int, stop: int, grant: Grant) -> bytes:
        """Bytes ``start:stop`` of a raw, without reading the rest."""
        return b"".join(self.raw_chunks(patient, raw_hash, grant, start, stop))

    def raw_chunks(
        self, patient: str | None, raw_hash: str, grant: Grant, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """The same in pieces of at most 1 MiB; memory stays flat. Each piece is looked up when it is asked for."""
        if start < 0 or (stop is not None and stop < start):
            raise StoreError(f"the byte range {start}:{stop}", expected="0 <= start <= stop")
        with self._access.read(grant, "raw", patient) as read:
            row = self._raw_row(read.connection, read.owners if patient is not None else None, raw_hash)
            key = self._access.read_names.owner_key(read.connection, int(row[8]))
            whole, size = int(row[0]), int(row[2])
            last = size if stop is None else min(stop, size)
            read.count = max(last - start, 0)

        def deliver() -> Iterator[bytes]:
            at = start
            while at < last:
                end = min((at // vault.PIECE + 1) * vault.PIECE, last)
                with self._access.database.reading() as connection:
                    content = b"".join(vault.pieces(connection, key, whole, at, end))
                if len(content) != end - at:
                    raise StoreError("raw bytes with a piece missing", remedy="they were erased, or restore a backup")
                yield content
                at = end

        return deliver()

    @staticmethod
    def _raw_row(connection: Any, owners: Sequence[tuple[int, SourcePatient]] | None, raw_hash: str) -> Sequence[Any]:
        rows = connection.rows(
            "SELECT raw.id, raw.hash, raw.size, raw.received, raw.times, raw.manifest, owner.system, owner.value,"
            " raw.owner FROM raw JOIN owner ON owner.id = raw.owner WHERE raw.hash = ?",
            (vault.bits(raw_hash),),
        )
        if not rows or (owners is not None and int(rows[0][8]) not in {number for number, _ in owners}):
            raise StoreError("no raw bytes of that name", expected="the hash of raw bytes of this patient")
        found: Sequence[Any] = rows[0]
        return found

    def raw_entry(self, patient: str | None, raw_hash: str, grant: Grant) -> RawEntry:
        """What is known of raw bytes besides themselves: owner, media type, file, source, size, time and count."""
        with self._access.read(grant, "raw entry", patient) as read:
            row = self._raw_row(read.connection, read.owners if patient is not None else None, raw_hash)
            read.count = 1
            return vault.entry(self._access.read_names.owner_key(read.connection, int(row[8])), row[:8])

    def raw_entries(self, patient: str | None, grant: Grant) -> tuple[RawEntry, ...]:
        """All raw bytes of a patient (None: of everybody), oldest first."""
        with self._access.read(grant, "raw entries", patient) as read:
            where, values = "", ()
            if patient is not None:
                where = f" AND raw.owner IN ({marks(len(read.owners))})" if read.owners else " AND 1 = 0"
                values = tuple(number for number, _ in read.owners)  # type: ignore[assignment]
            rows = read.connection.rows(
                "SELECT raw.id, raw.hash, raw.size, raw.received, raw.times, raw.manifest, owner.system, owner.value,"
                f" raw.owner FROM raw JOIN owner ON owner.id = raw.owner WHERE raw.hash IS NOT NULL{where}"
                " ORDER BY raw.id",
                values,
            )
            read.count = len(rows)
            key = self._access.read_names.owner_key
            return tuple(vault.entry(key(read.connection, int(row[8])), row[:8]) for row in rows)
