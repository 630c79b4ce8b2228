"""SqlStore: the one implementation of :class:`~medtwin.record.store.Store`, over SQLite or PostgreSQL alike."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from medtwin.errors import FormatError, StoreError, UnknownPatient
from medtwin.governance import audit
from medtwin.governance.audit import AuditEntry
from medtwin.governance.grant import Action, Grant, Purpose, Role
from medtwin.record import codec, erasure, facts, vault
from medtwin.record.access import Access, Listener
from medtwin.record.codec import check_text, microseconds, moment
from medtwin.record.database import marks
from medtwin.record.event import Event, SourcePatient
from medtwin.record.names import Owner
from medtwin.record.record import Record
from medtwin.record.schema import TABLES
from medtwin.record.store import Demographics, PatientEntry, Quarantined, RawKept, Receipt
from medtwin.record.vault import RawEntry
from medtwin.record.writer import Job, Work

_encode = msgspec.msgpack.Encoder().encode
_demographics = msgspec.msgpack.Decoder(Demographics).decode
_manifest = msgspec.msgpack.Decoder(dict[str, Any]).decode
_strings = msgspec.msgpack.Decoder(tuple[str, str | None, str, str, str, str]).decode


class SqlStore:
    """An open store. Open one with :func:`medtwin.record.home.open_store`; ``with`` closes it.

    Threads may share it. Reads run beside each other; writes are gathered into group commits.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._deferred: list[Job] = []

    # the store itself

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Make durable what waits, and let go of the database."""
        self._access.close()

    def flush(self) -> None:
        """Return when every write and every audit row of a read so far is durable.

        Raises :class:`StoreError` when an artifact that was put with ``durable=False`` could not be kept.
        """
        self._access.writer.flush()
        deferred, self._deferred = self._deferred, []
        for job in deferred:
            job.wait()

    @property
    def access(self) -> Access:
        """What backup, doctor and erasure work on."""
        return self._access

    def epoch(self) -> int:
        """The current epoch of the policy; a grant of any other is denied."""
        with self._access.database.reading() as connection:
            return int(connection.rows("SELECT epoch FROM head")[0][0])

    def sequence(self) -> int:
        """The newest commit sequence."""
        with self._access.database.reading() as connection:
            return int(connection.rows("SELECT sequence FROM head")[0][0])

    def issue_grant(
        self, *, who: str | None = None, role: Role = Role.OWNER, purpose: Purpose = Purpose.SELF,
        patients: Iterable[str] | None = None,
    ) -> Grant:  # fmt: skip
        """A grant at the current epoch for whoever can open this home (its folder and key are readable by one user
        only).

        ``who`` is that user when it is not given; a server with a login passes the person who logged in.
        """
        if who is None:
            try:
                who = getpass.getuser()
            except (OSError, KeyError, ImportError):
                who = "owner"
        check_text(who, what="the name of who asks")
        covered = None if patients is None else frozenset(patients)

        def job(work: Work) -> Grant:
            grant = Grant(who=who, role=role, purpose=purpose, epoch=work.epoch, patients=covered)
            count = 0 if covered is None else len(covered)
            work.entries.append(self._access.entry(grant, "grant", None, count=count, sequence=work.sequence))
            return grant

        issued: Grant = self._access.writer.do(job)
        return issued

    # raw bytes

    def _begin(self, work: Work, subject: SourcePatient, grant: Grant) -> Owner:
        owner = self._access.names.owner(work, subject)
        self._access.allow(work, grant, Action.WRITE, owner.patient)
        return owner

    def keep_raw(
        self, content: bytes, owner: SourcePatient, grant: Grant, *, media_type: str, file: str, source: str
    ) -> RawKept:
        """Keep bytes encrypted under the owner's key. The same bytes of the same owner are counted, not kept twice."""
        hasher = vault.hasher(self._access.salt, owner)
        hasher.update(content)
        digest = hasher.digest()

        def job(work: Work) -> bool:
            whose = self._begin(work, owner, grant)
            duplicate = vault.known_raw(work, digest)
            if not duplicate:
                key = self._access.names.owner_key(work.connection, whose.id)
                manifest = (media_type, file, source)
                whole = vault.begin_raw(work, key, whose.id, manifest, digest=digest, size=len(content))
                vault.put_pieces(work, key, whole, content)
            self._audit(work, grant, "keep raw", whose.patient, count=len(content))
            return duplicate

        duplicate = self._access.write(grant, "keep raw", job, weight=1 + len(content) // 500)
        return RawKept(hash=digest.hex(), duplicate=duplicate)

    def keep_raw_stream(
        self, chunks: Iterable[bytes], owner: SourcePatient, grant: Grant, *, media_type: str, file: str, source: str
    ) -> RawKept:
        """As :meth:`keep_raw` for bytes of any length, in whatever chunks they come; memory stays at a few MiB.

        Nothing is acknowledged, and nothing stays, unless the last chunk came in.
        """
        access, hasher, size, number = self._access, vault.hasher(self._access.salt, owner), 0, 0

        def begin(work: Work) -> tuple[int, Any]:
            whose = self._begin(work, owner, grant)
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
                whose = self._begin(work, owner, grant)
                duplicate = vault.known_raw(work, digest)
                if duplicate:
                    unfinished(work)
                else:
                    work.connection.run("UPDATE raw SET hash = ?, size = ? WHERE id = ?", (digest, size, whole))
                self._audit(work, grant, "keep raw", whose.patient, count=size)
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
        """Owner, media type, file, size, time and count of raw bytes."""
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

    # facts

    def append(self, events: Iterable[Event], grant: Grant) -> Receipt:
        """Commit facts durably, idempotently (by event id), in one transaction; sets sequence and supersedes.

        Facts of several owners may come together; the grant must cover every patient among them. Raises
        :class:`FormatError` (nothing stored) for a fact that no database can keep: a NUL in a name, half a surrogate.
        """
        rows = [codec.encode(event) for event in events]
        pairs = dict.fromkeys(row.owner for row in rows)
        quantities: dict[tuple[str, str], set[str]] = {pair: set() for pair in pairs}
        for row in rows:
            quantities[row.owner].add(row.quantity)

        def job(work: Work) -> Receipt:
            owners = {pair: self._begin(work, SourcePatient(*pair), grant) for pair in pairs}
            before = {pair: owner.events for pair, owner in owners.items()}
            receipt = facts.append(work, self._access.names, owners, rows)
            named: dict[str | None, set[str]] = {}
            counts: dict[str | None, int] = {}
            for pair, owner in owners.items():
                named.setdefault(owner.patient, set()).update(quantities[pair])
                counts[owner.patient] = counts.get(owner.patient, 0) + owner.events - before[pair]
            for patient in named:
                self._audit(work, grant, "append", patient, quantities=named[patient], count=counts[patient])
            return receipt

        if not rows:
            return Receipt(self.sequence(), (), 0, 0)
        receipt: Receipt = self._access.write(grant, "append", job, weight=len(rows))
        return receipt

    def _audit(
        self, work: Work, grant: Grant, verb: str, patient: str | None, *, quantities: Iterable[str] = (), count: int
    ) -> None:
        work.entries.append(
            self._access.entry(grant, verb, patient, quantities=quantities, count=count, sequence=work.sequence)
        )
        if patient is not None:
            work.patients.add(patient)

    def record(self, patient: str, grant: Grant, *quantities: str) -> Record:
        """The patient's whole history (or that of the named quantities only) as a value."""
        with self._access.read(grant, "record", patient, quantities=quantities, snapshot=True) as read:
            names = self._access.read_names
            numbers = names.quantity_numbers(read.connection, quantities) if quantities else None
            history = facts.history(read.connection, names, read.owners, numbers)
            read.count = len(history)
            return Record(patient, history, read.zone, read.epoch)

    def signal(
        self, patient: str, quantity: str, since: datetime, until: datetime, grant: Grant
    ) -> Sequence[tuple[datetime, float]]:
        """Current numeric values with ``since <= instant < until`` (UTC), straight from the clustered table.

        What is planned, ordered or only stated is left out; a bound (``<5``) stands with its number.
        """
        window = microseconds(since), microseconds(until)
        with self._access.read(grant, "signal", patient, quantities=(quantity,)) as read:
            numbers = self._access.read_names.quantity_numbers(read.connection, (quantity,))
            if not numbers:
                return ()
            found = facts.signal(read.connection, [number for number, _ in read.owners], numbers[0], *window)
            read.count = len(found)
            return codec.points(found)

    def sequence_at(self, moment: datetime) -> int:
        """The newest commit sequence at that wall time (what this home knew then); 0 before the first."""
        with self._access.database.reading() as connection:
            rows = connection.rows(
                "SELECT COALESCE(MAX(sequence), 0) FROM batch WHERE time <= ?", (microseconds(moment),)
            )
            return int(rows[0][0])

    # subscribers

    def tail(self, subscriber: str, grant: Grant, limit: int = 1000) -> Iterator[tuple[str, Event]]:
        """(patient, event) pairs after the subscriber's durable cursor, in commit order; advance with ``acknowledge``.

        Facts of an owner that is not linked yet come with patient "". Linking an owner later does not bring its older
        facts again: the listeners are told of the patient (:meth:`listen`), who is then read afresh.
        """
        with self._access.read(grant, "tail", snapshot=True) as read:
            cursor = read.connection.rows("SELECT sequence FROM cursor WHERE subscriber = ?", (subscriber,))
            rows = read.connection.rows(
                f"SELECT {codec.COLUMNS}, owner.system, owner.value, owner.patient FROM fact"
                " JOIN owner ON owner.id = fact.owner LEFT JOIN patient ON patient.id = owner.patient"
                " WHERE fact.sequence > ? AND patient.withdrawn IS NULL ORDER BY fact.sequence LIMIT ?",
                (int(cursor[0][0]) if cursor else 0, limit),
            )
            pairs = [(row[:10], SourcePatient(row[10], row[11])) for row in rows]
            found = facts.events(read.connection, self._access.read_names, pairs)
            read.count = len(found)
        return iter([(row[12] or "", event) for row, event in zip(rows, found, strict=True)])

    def cursor(self, subscriber: str) -> int:
        """The commit sequence that the subscriber acknowledged last; 0 for a new one."""
        with self._access.database.reading() as connection:
            rows = connection.rows("SELECT sequence FROM cursor WHERE subscriber = ?", (subscriber,))
            return int(rows[0][0]) if rows else 0

    def acknowledge(self, subscriber: str, sequence: int, grant: Grant) -> None:
        """Advance the subscriber's durable cursor; it never goes back."""
        check_text(subscriber, what="the name of a subscriber")

        def job(work: Work) -> None:
            self._access.allow(work, grant, Action.READ, None)
            work.connection.run(
                "INSERT INTO cursor (subscriber, sequence) VALUES (?, ?) ON CONFLICT (subscriber) DO UPDATE SET"
                " sequence = excluded.sequence WHERE excluded.sequence > cursor.sequence",
                (subscriber, min(sequence, work.sequence)),
            )
            self._audit(work, grant, "acknowledge", None, count=0)

        self._access.write(grant, "acknowledge", job)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener(sequence, patients)`` after each commit, in the committing thread: return at once, never
        write.

        ``patients`` is empty when another process committed. The result ends the subscription.
        """
        return self._access.listen(listener)

    def wait(self, after: int, timeout: float) -> int:
        """The newest commit sequence, as soon as it is above ``after``, at the latest after ``timeout`` seconds."""
        return self._access.wait(after, timeout)

    # who is who

    def describe(self, owner: SourcePatient, demographics: Demographics, grant: Grant) -> None:
        """Keep what a source says of a person, sealed under the owner's key; the newest statement stands."""

        def job(work: Work) -> None:
            whose = self._begin(work, owner, grant)
            key = self._access.names.owner_key(work.connection, whose.id)
            sealed = key.seal(_encode(demographics), b"demographics:%d" % whose.id)
            work.connection.run("UPDATE owner SET demographics = ? WHERE id = ?", (sealed, whose.id))
            self._audit(work, grant, "describe", whose.patient, count=1)

        self._access.write(grant, "describe", job)

    def link(self, owner: SourcePatient, patient: str, grant: Grant, *, zone: str | None = None) -> None:
        """Make ``owner`` one of the keys of ``patient``, which is made when new. An unlinked owner is unassigned.

        Raises :class:`StoreError` for an owner that is linked to somebody else: ``unlink`` it first.
        """
        check_text(patient, zone or "", what="a patient's name here")
        if not patient:
            raise FormatError("an empty patient", expected="an id")

        def job(work: Work) -> None:
            whose = self._begin(work, owner, grant)
            self._access.allow(work, grant, Action.WRITE, patient)
            if whose.patient not in (None, patient):
                raise StoreError(
                    "a source's key that is linked to another patient", remedy="unlink it first, if that was wrong"
                )
            if not work.connection.rows("SELECT 1 FROM patient WHERE id = ?", (patient,)):
                wrapped = self._access.names.new_patient_key(patient)
                work.connection.run(
                    "INSERT INTO patient (id, zone, withdrawn, wrapped) VALUES (?, NULL, NULL, ?)", (patient, wrapped)
                )
            if zone is not None:
                work.connection.run("UPDATE patient SET zone = ? WHERE id = ?", (zone, patient))
            work.connection.run("UPDATE owner SET patient = ? WHERE id = ?", (patient, whose.id))
            self._audit(work, grant, "link", patient, count=1)

        self._access.write(grant, "link", job, patient=patient)

    def unlink(self, owner: SourcePatient, grant: Grant) -> None:
        """Undo a link: the owner's facts wait unassigned again. No row moves."""

        def job(work: Work) -> None:
            whose = self._access.names.find_owner(work.connection, owner)
            self._access.allow(work, grant, Action.WRITE, None if whose is None else whose.patient)
            if whose is None or whose.patient is None:
                raise StoreError("a source's key that is not linked")
            work.connection.run("UPDATE owner SET patient = NULL WHERE id = ?", (whose.id,))
            self._audit(work, grant, "unlink", whose.patient, count=1)

        self._access.write(grant, "unlink", job)

    def patients(self, grant: Grant) -> tuple[PatientEntry, ...]:
        """The patients that the grant covers, by id. ``events`` counts all ever recorded, superseded ones too;
        ``first`` and ``last`` are of facts that happened (plans and times in the future do not count)."""
        with self._access.read(grant, "patients", everyone=True, snapshot=True) as read:
            rows = read.connection.rows(
                "SELECT patient.id, patient.zone, owner.id, owner.system, owner.value, owner.demographics,"
                " owner.events, owner.first, owner.last, owner.sequence"
                " FROM patient JOIN owner ON owner.patient = patient.id"
                " WHERE patient.withdrawn IS NULL ORDER BY patient.id, owner.id"
            )
            grouped: dict[str, list[Sequence[Any]]] = {}
            for row in rows:
                if grant.patients is None or row[0] in grant.patients:
                    grouped.setdefault(row[0], []).append(row)
            read.count = len(grouped)
            return tuple(self._entry(read.connection, patient, grouped[patient]) for patient in sorted(grouped))

    def _entry(self, connection: Any, patient: str, rows: Sequence[Sequence[Any]]) -> PatientEntry:
        told = [self._told(connection, row[2], row[5]) for row in rows if row[5] is not None]
        firsts, lasts = [row[7] for row in rows if row[7] is not None], [row[8] for row in rows if row[8] is not None]
        return PatientEntry(
            id=patient, name=next((one.name for one in told if one.name), ""), zone=rows[0][1],
            synthetic=any(one.synthetic for one in told), keys=tuple(SourcePatient(row[3], row[4]) for row in rows),
            events=sum(int(row[6]) for row in rows), first=moment(min(firsts)) if firsts else None,
            last=moment(max(lasts)) if lasts else None, sequence=max(int(row[9]) for row in rows),
        )  # fmt: skip

    def _told(self, connection: Any, owner: int, sealed: bytes) -> Demographics:
        key = self._access.read_names.owner_key(connection, owner)
        return _demographics(key.open(bytes(sealed), b"demographics:%d" % owner))

    def demographics(self, patient: str, grant: Grant) -> Demographics:
        """What the sources say of a person, the longest known source first; empty fields filled by the next one."""
        with self._access.read(grant, "demographics", patient) as read:
            told = []
            for number, _ in read.owners:
                rows = read.connection.rows("SELECT demographics FROM owner WHERE id = ?", (number,))
                if rows and rows[0][0] is not None:
                    told.append(self._told(read.connection, number, rows[0][0]))
            read.count = len(told)
        identifiers = dict.fromkeys(identifier for one in told for identifier in one.identifiers)
        return Demographics(
            name=next((one.name for one in told if one.name), ""),
            birth_date=next((one.birth_date for one in told if one.birth_date), ""),
            sex=next((one.sex for one in told if one.sex), ""),
            synthetic=any(one.synthetic for one in told), identifiers=tuple(identifiers),
        )  # fmt: skip

    def unassigned(self, grant: Grant) -> tuple[SourcePatient, ...]:
        """Source's keys of people whose patient is not known, oldest first."""
        with self._access.read(grant, "unassigned") as read:
            rows = read.connection.rows("SELECT system, value FROM owner WHERE patient IS NULL ORDER BY id")
            read.count = len(rows)
            return tuple(SourcePatient(system, value) for system, value in rows)

    # quarantine

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
            self._audit(work, grant, "quarantine", patient, count=1)
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
                "SELECT quarantine.id, raw.hash, quarantine.size, quarantine.received, quarantine.resolved,"
                " quarantine.sealed, raw.owner FROM quarantine JOIN raw ON raw.id = quarantine.raw"
                + ("" if include_resolved else " WHERE quarantine.resolved IS NULL")
                + " ORDER BY quarantine.id"
            )
            read.count = len(rows)
            return tuple(self._item(read.connection, row) for row in rows)

    def _item(self, connection: Any, row: Sequence[Any]) -> Quarantined:
        number, raw, size, received, resolved, sealed, owner = row
        key = self._access.read_names.owner_key(connection, int(owner))
        file, dialect, locator, found, expected, remedy = _strings(key.open(bytes(sealed), b"quarantine:%d" % number))
        return Quarantined(
            id=int(number), file=file, dialect=dialect, raw=bytes(raw).hex(), locator=locator, found=found,
            expected=expected, remedy=remedy, size=int(size), received=moment(received),
            resolved=None if resolved is None else moment(resolved),
        )  # fmt: skip

    def resolve(self, quarantine_id: int, grant: Grant) -> None:
        """Close an item of the quarantine: it was replayed, or somebody looked at it."""

        def job(work: Work) -> None:
            self._access.allow(work, grant, Action.ADMINISTER, None)
            statement = "UPDATE quarantine SET resolved = ? WHERE id = ? AND resolved IS NULL"
            self._audit(
                work, grant, "resolve", None, count=work.connection.run(statement, (vault.now(), quarantine_id))
            )

        self._access.write(grant, "resolve", job)

    # artifacts

    def put_artifact(
        self,
        patient: str,
        kind: str,
        content: bytes,
        manifest: dict[str, object],
        grant: Grant,
        *,
        durable: bool = True,
    ) -> str:
        """Keep a large or derived thing (a snapshot, a volume) by content hash, encrypted under the patient's key.

        The name is BLAKE2b (16 bytes, hexadecimal) of kind and content; what is here already stays, with its manifest.
        ``durable=False`` returns before the commit, for what can be derived again (snapshots): it is lost if the
        process dies within the next few milliseconds. A refusal is then raised by :meth:`flush`.
        """
        digest = vault.content_hash(kind, content)
        packed = _encode(manifest)

        def job(work: Work) -> None:
            self._access.allow(work, grant, Action.WRITE, patient)
            self._access.known(work, patient)
            self._audit(work, grant, "put artifact", patient, count=len(content))
            if work.connection.rows("SELECT 1 FROM artifact WHERE patient = ? AND hash = ?", (patient, digest)):
                return
            number = work.number()
            key = self._access.names.patient_key(work.connection, patient)
            sealed = key.seal(packed, b"artifact:%d" % number)
            row = (number, patient, kind, digest, len(content), sealed)
            work.connection.insert("artifact", TABLES["artifact"], [row])
            vault.put_pieces(work, key, number, content)

        weight = 1 + len(content) // 500
        if durable:
            self._access.write(grant, "put artifact", job, patient=patient, weight=weight)
        else:
            grant.require(Action.WRITE, patient, self.epoch())
            self._deferred = [one for one in self._deferred if not one.done.is_set() or one.error is not None]
            self._deferred.append(self._access.write(grant, "put artifact", job, weight=weight, wait=False))
        return digest.hex()

    def artifact(self, patient: str, artifact_hash: str, grant: Grant) -> tuple[dict[str, object], bytes]:
        """(manifest, content); raises :class:`StoreError` when the patient has no such artifact."""
        self._settle()
        with self._access.read(grant, "artifact", patient, snapshot=True) as read:
            rows = read.connection.rows(
                "SELECT id, manifest, size FROM artifact WHERE patient = ? AND hash = ?",
                (patient, vault.bits(artifact_hash)),
            )
            if not rows:
                raise StoreError("no artifact of that name", expected="the hash of an artifact of this patient")
            number, sealed, size = rows[0]
            key = self._access.read_names.patient_key(read.connection, patient)
            content = b"".join(vault.pieces(read.connection, key, int(number)))
            if len(content) != int(size):
                raise StoreError("an artifact with a piece missing", remedy="restore a backup")
            read.count = len(content)
            return _manifest(key.open(bytes(sealed), b"artifact:%d" % number)), content

    def artifacts(self, patient: str, kind: str, grant: Grant) -> tuple[tuple[str, dict[str, object]], ...]:
        """(hash, manifest) of all artifacts of one kind, oldest first."""
        self._settle()
        with self._access.read(grant, "artifacts", patient) as read:
            rows = read.connection.rows(
                "SELECT id, hash, manifest FROM artifact WHERE patient = ? AND kind = ? ORDER BY id", (patient, kind)
            )
            key = self._access.read_names.patient_key(read.connection, patient)
            read.count = len(rows)
            return tuple(
                (bytes(digest).hex(), _manifest(key.open(bytes(sealed), b"artifact:%d" % number)))
                for number, digest, sealed in rows
            )

    def drop_artifact(self, patient: str, artifact_hash: str, grant: Grant) -> None:
        """Delete an artifact; one that is not here is no error."""

        def job(work: Work) -> None:
            self._access.allow(work, grant, Action.WRITE, patient)
            place = (patient, vault.bits(artifact_hash))
            for row in work.connection.rows("SELECT id FROM artifact WHERE patient = ? AND hash = ?", place):
                vault.drop(work.connection, int(row[0]))
                work.connection.run("DELETE FROM artifact WHERE id = ?", (row[0],))
            self._audit(work, grant, "drop artifact", patient, count=1)

        self._access.write(grant, "drop artifact", job, patient=patient)

    def _settle(self) -> None:
        """A deferred artifact is seen by whoever reads after it was put."""
        if any(not job.done.is_set() for job in self._deferred):
            self._access.writer.flush()

    # consent, erasure, audit

    def withdraw(self, patient: str, grant: Grant) -> int:
        """Take a patient's consent away: nobody reads or writes of them, and every grant issued so far is void.

        The new epoch. The facts stay until ``erase``; ``readmit`` undoes it.
        """
        return self._consent(patient, grant, "withdraw", vault.now())

    def readmit(self, patient: str, grant: Grant) -> int:
        """Give a withdrawn consent back; the new epoch."""
        return self._consent(patient, grant, "readmit", None)

    def _consent(self, patient: str, grant: Grant, verb: str, withdrawn: int | None) -> int:
        def job(work: Work) -> int:
            self._access.allow(work, grant, Action.ADMINISTER, patient)
            if not work.connection.run("UPDATE patient SET withdrawn = ? WHERE id = ?", (withdrawn, patient)):
                raise UnknownPatient("an unknown patient", remedy="see `medtwin patients`")
            work.epoch += 1
            self._audit(work, grant, verb, patient, count=1)
            return work.epoch

        epoch: int = self._access.write(grant, verb, job, patient=patient)
        return epoch

    def erase(self, patient: str, grant: Grant) -> dict[str, int | str]:
        """Destroy the patient's keys, facts, raw bytes and artifacts; says truthfully what was erased and what not.

        Every grant issued so far is void afterwards, so that nothing computed earlier can still be shown.
        """
        return erasure.erase(self._access, patient, grant)

    def verify_audit(self) -> tuple[int, int | None]:
        """(rows checked, number of the first altered row or None); limits: :mod:`medtwin.governance.audit`."""
        self._access.writer.flush()
        heads = []
        if (written := self._access.head_file.read()) is not None:
            heads.append(written if written[1] else (1, b""))
        with self._access.database.reading(snapshot=True) as connection:
            number, head = connection.rows("SELECT audit_number, audit_hash FROM head")[0]
            if number:
                heads.append((int(number), bytes(head)))
            lots = connection.stream(f"SELECT {', '.join(TABLES['audit'])} FROM audit ORDER BY number")
            rows = ((int(row[0]), tuple(row[1:11]), bytes(row[11])) for lot in lots for row in lot)
            return audit.verify(rows, self._access.audit_key, heads)

    def audit(self, grant: Grant, *, patient: str | None = None, limit: int = 100) -> tuple[AuditEntry, ...]:
        """The newest audit rows (of one patient), newest first; for a grant that may administer."""
        with self._access.read(grant, "audit", None, action=Action.ADMINISTER) as read:
            where, values = ("", ()) if patient is None else (" WHERE patient = ?", (self._access.pseudonym(patient),))
            columns = ", ".join(TABLES["audit"][1:11])
            rows = read.connection.rows(
                f"SELECT {columns} FROM audit{where} ORDER BY number DESC LIMIT ?", (*values, limit)
            )
            read.count = len(rows)
            return tuple(AuditEntry(**dict(zip(TABLES["audit"][1:11], row, strict=True))) for row in rows)
