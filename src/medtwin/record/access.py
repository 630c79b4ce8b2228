"""Who gets through: each read and write is checked against its grant at the store's epoch and leaves its audit row."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medtwin.errors import AccessDenied, UnknownPatient
from medtwin.governance.audit import AuditEntry, HeadFile, pseudonym
from medtwin.governance.grant import Action, Grant
from medtwin.governance.keys import MasterKey
from medtwin.record.database import Connection, Database
from medtwin.record.event import SourcePatient
from medtwin.record.identity.blocking import Census
from medtwin.record.journal import Journal, leftovers
from medtwin.record.names import Names, Owner
from medtwin.record.writer import Job, Work, Writer

_log = logging.getLogger(__name__)
_LONG = 2000  #: characters of one field of an audit row


def _plain(text: str) -> str:
    """Text that any database keeps, so that no caller's odd name can stop the trail."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "?")[:_LONG]


Listener = Callable[[int, frozenset[str]], None]


@dataclass(slots=True)
class Read:
    """One allowed read under way. Set ``count`` before the block is left; the audit row is written then."""

    connection: Connection
    epoch: int
    sequence: int
    patient: str | None
    zone: str | None
    owners: tuple[tuple[int, SourcePatient], ...]
    count: int = 0


class Access:
    """One open store: its database, keys and writer, and the door that every verb goes through."""

    def __init__(self, database: Database, master: MasterKey, folder: Path) -> None:
        self.database, self.master, self.folder = database, master, folder
        self.audit_key = master.derived(b"audit")
        self.salt = master.derived(b"raw")
        self._pseudonym_key = master.derived(b"pseudonym")
        self.blocking_key = master.derived(b"blocking")
        self.census = Census(self.blocking_key)
        self.names = Names(master)
        self.read_names = Names(master)  # a reader must not see what an undone transaction looked up
        self.head_file = HeadFile(folder / "audit.head", self.audit_key)
        self._journals = folder / "journal"
        self._journal = Journal(self._journals)
        self._changed = threading.Condition()
        self._sequence = 0
        self._listeners: list[Listener] = []
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self.writer = Writer(
            database, self._journal, self.head_file, self.audit_key, self._committed, self.names.forget
        )
        self._take_over()

    def _take_over(self) -> None:
        """Chain the audit entries that a dead process left in its journal, each once."""
        for path, entries in leftovers(self._journals):

            def job(work: Work, entries: list[AuditEntry] = entries) -> None:
                newest = work.audit_number - 100_000 - len(entries)
                known = {row[0] for row in work.connection.rows("SELECT entry FROM audit WHERE number > ?", (newest,))}
                work.entries.extend(entry for entry in entries if entry.entry not in known)

            if entries:
                self.writer.do(job)
            path.unlink(missing_ok=True)

    # the trail

    def entry(
        self, grant: Grant, verb: str, patient: str | None, *, quantities: Iterable[str] = (), count: int, sequence: int
    ) -> AuditEntry:
        return AuditEntry(
            time=time.time_ns() // 1000, who=_plain(grant.who), role=grant.role.value, purpose=grant.purpose.value,
            action=verb, patient=self.pseudonym(patient), quantities=_plain(",".join(sorted(quantities))), count=count,
            sequence=sequence,
            entry=os.urandom(8).hex(),
        )  # fmt: skip

    def pseudonym(self, patient: str | None) -> str | None:
        """The name under which a patient stands in the audit trail."""
        return pseudonym(patient, self._pseudonym_key)

    def denied(self, grant: Grant, verb: str, patient: str | None, sequence: int = 0) -> None:
        self.writer.note(self.entry(grant, f"denied {verb}", patient, count=0, sequence=sequence))

    # reads

    @contextmanager
    def read(
        self, grant: Grant, verb: str, patient: str | None = None, *, quantities: tuple[str, ...] = (),
        action: Action = Action.READ, snapshot: bool = False, everyone: bool = False,
    ) -> Iterator[Read]:  # fmt: skip
        """A connection for one allowed read. ``everyone``: the verb itself keeps to the grant's patients."""
        with self.database.reading(snapshot=snapshot) as connection:
            rows = connection.rows(
                "SELECT head.epoch, head.sequence, patient.id, patient.zone, patient.withdrawn, owner.id, owner.system,"
                " owner.value FROM head LEFT JOIN patient ON patient.id = ?"
                " LEFT JOIN owner ON owner.patient = patient.id ORDER BY owner.id",
                ("" if patient is None else patient,),
            )
            epoch, sequence, found, zone, withdrawn = rows[0][:5]
            try:
                if everyone and grant.patients:
                    for one in grant.patients:
                        grant.require(action, one, epoch)
                else:
                    grant.require(action, patient, epoch)
                if withdrawn is not None and action is not Action.ADMINISTER:
                    raise AccessDenied("a patient who withdrew consent", expected="consent")
            except AccessDenied:
                self.denied(grant, verb, patient, int(sequence))
                raise
            if patient is not None and found is None:
                self.denied(grant, verb, patient, int(sequence))
                raise UnknownPatient("an unknown patient", remedy="see `medtwin patients`")
            self.read_names.at(epoch)
            owners = tuple((int(row[5]), SourcePatient(row[6], row[7])) for row in rows if row[5] is not None)
            read = Read(connection, int(epoch), int(sequence), patient, zone, owners)
            yield read
            self.writer.note(
                self.entry(grant, verb, patient, quantities=quantities, count=read.count, sequence=read.sequence)
            )

    # writes

    def write(
        self, grant: Grant, verb: str, job: Callable[[Work], Any], *, patient: str | None = None, weight: int = 1,
        wait: bool = True,
    ) -> Any:  # fmt: skip
        """Run ``job`` in a write transaction and return its result once it is durable (``wait=False``: the job)."""

        def checked(work: Work) -> Any:
            self.names.at(work.epoch)
            return job(work)

        queued: Job = self.writer.submit(checked, weight)
        if not wait:
            return queued
        try:
            return queued.wait()
        except AccessDenied:
            self.denied(grant, verb, patient)
            raise

    def allow(self, work: Work, grant: Grant, action: Action, patient: str | None) -> None:
        """Raise :class:`AccessDenied` unless the grant allows it at this transaction's epoch and consent stands."""
        grant.require(action, patient, work.epoch)
        if patient is not None and action is not Action.ADMINISTER:
            rows = work.connection.rows("SELECT withdrawn FROM patient WHERE id = ?", (patient,))
            if rows and rows[0][0] is not None:
                raise AccessDenied("a patient who withdrew consent", expected="consent")

    def known(self, work: Work, patient: str) -> None:
        """Raise :class:`UnknownPatient` unless the patient is here."""
        if not work.connection.rows("SELECT 1 FROM patient WHERE id = ?", (patient,)):
            raise UnknownPatient("an unknown patient", remedy="see `medtwin patients`")

    def begin(self, work: Work, subject: SourcePatient, grant: Grant) -> Owner:
        """The owner that a write is about, made when new, after the grant was checked for its patient."""
        owner = self.names.owner(work, subject)
        self.allow(work, grant, Action.WRITE, owner.patient)
        return owner

    def audit(
        self, work: Work, grant: Grant, verb: str, patient: str | None, *, quantities: Iterable[str] = (), count: int
    ) -> None:
        """The audit row of a write, in the write's own transaction."""
        work.entries.append(
            self.entry(grant, verb, patient, quantities=quantities, count=count, sequence=work.sequence)
        )
        if patient is not None:
            work.patients.add(patient)

    def epoch(self) -> int:
        with self.database.reading() as connection:
            return int(connection.rows("SELECT epoch FROM head")[0][0])

    # waking whoever waits for news

    def _committed(self, sequence: int, patients: frozenset[str]) -> None:
        with self._changed:
            self._sequence = max(self._sequence, sequence)
            self._changed.notify_all()
        for listener in tuple(self._listeners):
            try:
                listener(sequence, patients)
            except Exception:
                _log.exception("a listener of the store failed")

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener(sequence, patients)`` after each commit; the result ends it."""
        self._watch()
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def wait(self, after: int, timeout: float) -> int:
        """The newest commit sequence, as soon as it is above ``after``, at the latest after ``timeout`` seconds."""
        self._watch()
        with self._changed:
            self._changed.wait_for(lambda: self._sequence > after or self._stop.is_set(), timeout)
            return self._sequence

    def _watch(self) -> None:
        with self._changed:
            if self._watcher is None:
                self._sequence = self.newest()
                self._watcher = threading.Thread(target=self._follow, name="medtwin-store-watch", daemon=True)
                self._watcher.start()

    def newest(self) -> int:
        """The newest commit sequence."""
        with self.database.reading() as connection:
            return int(connection.rows("SELECT sequence FROM head")[0][0])

    def _follow(self) -> None:
        """Commits of other processes; those of this one have been told already."""
        for _ in self.database.watch(self._stop):
            sequence = self.newest()
            if sequence > self._sequence:
                self._committed(sequence, frozenset())

    def close(self) -> None:
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._watcher is not None:
            self._watcher.join()
        self.writer.close()
        self.database.close()
