"""The one thread that writes: group commit.

Whoever writes hands a job to a queue and sleeps. The thread takes what waits there into one transaction, commits (one
fsync for all), and only then wakes the senders. While one group is being committed the next one gathers, so no timer is
needed. A job that fails undoes itself alone; a commit that fails acknowledges nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread, current_thread
from typing import Any

from medtwin.errors import StoreError
from medtwin.governance import audit
from medtwin.governance.audit import AuditEntry, HeadFile
from medtwin.record.database import Connection, Database
from medtwin.record.journal import Journal
from medtwin.record.schema import TABLES

_WEIGHT = 20_000  #: facts in one transaction, about
_LAG = 0.05  #: seconds that a read's audit row may wait for company


class Work:
    """One write transaction as a job sees it: the connection, and the head that the commit will write."""

    def __init__(self, connection: Connection, audit_key: bytes) -> None:
        self.connection = connection
        self._key = audit_key
        (row,) = connection.rows("SELECT epoch, sequence, serial, audit_number, audit_hash FROM head")
        self.epoch, self.sequence, self.serial, self.audit_number = (int(value) for value in row[:4])
        self.audit_hash = bytes(row[4])
        self.entries: list[AuditEntry] = []
        self.patients: set[str] = set()  #: whom this transaction touched
        self._before = self.state()

    def state(self) -> tuple[Any, ...]:
        return self.epoch, self.sequence, self.serial, len(self.entries), frozenset(self.patients)

    def restore(self, state: tuple[Any, ...]) -> None:
        self.epoch, self.sequence, self.serial, entries, patients = state
        del self.entries[entries:]
        self.patients = set(patients)

    def number(self) -> int:
        """The next id of an owner, source, raw, artifact, quantity or quarantine item; never given twice."""
        self.serial += 1
        return self.serial

    def finish(self) -> None:
        """Chain the audit entries, note the time of the new facts, write the head."""
        rows = []
        for entry in self.entries:
            self.audit_number += 1
            fields = entry.fields()
            self.audit_hash = audit.chain(self.audit_number, fields, self.audit_hash, self._key)
            rows.append((self.audit_number, *fields, self.audit_hash))
        if rows:
            self.connection.insert("audit", TABLES["audit"], rows)  # type: ignore[arg-type]
        if self.sequence > self._before[1]:
            last = self.connection.rows("SELECT time FROM batch ORDER BY sequence DESC LIMIT 1")
            now = max(time.time_ns() // 1000, int(last[0][0]) if last else 0)  # a clock that went back does not count
            self.connection.run("INSERT INTO batch (sequence, time) VALUES (?, ?)", (self.sequence, now))
        self.connection.run(
            "UPDATE head SET epoch = ?, sequence = ?, serial = ?, audit_number = ?, audit_hash = ?",
            (self.epoch, self.sequence, self.serial, self.audit_number, self.audit_hash),
        )


class Job:
    """Something to do inside a write transaction, and later its result."""

    __slots__ = ("action", "done", "error", "result", "weight")

    def __init__(self, action: Callable[[Work], Any], weight: int) -> None:
        self.action, self.weight = action, weight
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = Flag()

    def wait(self) -> Any:
        """The result, after the commit; raises what the job or the commit raised."""
        self.done.wait()
        if self.error is not None:
            raise self.error
        return self.result


class Writer:
    """In its thread it calls ``committed(sequence, patients)`` after each commit, ``failed()`` after an undone job."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        head_file: HeadFile,
        audit_key: bytes,
        committed: Callable[[int, frozenset[str]], None],
        failed: Callable[[], None],
    ) -> None:
        self._database, self._journal, self._head_file, self._key = database, journal, head_file, audit_key
        self._committed, self._failed = committed, failed
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._closing = False
        self._process = os.getpid()
        self._thread = Thread(target=self._run, name="medtwin-store-writer", daemon=True)
        self._thread.start()

    def submit(self, action: Callable[[Work], Any], weight: int = 1) -> Job:
        """Queue a job. Raises :class:`StoreError` when the store is closed or this is a fork of its process."""
        if self._closing or self._process != os.getpid():
            raise StoreError("a store that was closed, or is of the parent process", remedy="open it again")
        if current_thread() is self._thread:
            raise StoreError("a write from inside a commit", remedy="write from another thread")
        job = Job(action, weight)
        self._queue.put(job)
        return job

    def do(self, action: Callable[[Work], Any], weight: int = 1) -> Any:
        """Queue a job and wait until it is durable."""
        return self.submit(action, weight).wait()

    def note(self, entry: AuditEntry) -> None:
        """Put a read's audit entry on its way; see :mod:`medtwin.record.journal` for the rule."""
        if self._journal.note(entry):
            self._queue.put(None)

    def flush(self) -> None:
        """Return when everything queued or noted so far is durable."""
        self.do(lambda work: None)

    def close(self) -> None:
        if not self._closing:
            if self._process == os.getpid():
                last = self.submit(lambda work: None)
                self._closing = True
                last.done.wait()
                self._queue.put(None)
                self._thread.join()
            self._closing = True
            self._journal.close()

    def _run(self) -> None:
        while True:
            group = self._gather()
            if group or not self._closing:
                self._commit(group)
            if self._closing and self._queue.empty():
                return

    def _gather(self) -> list[Job]:
        """Jobs for one transaction: all that wait, or (for read entries only) what comes within the lag."""
        first = self._queue.get()
        if first is None and not self._closing:
            deadline = time.monotonic() + _LAG
            while first is None and (left := deadline - time.monotonic()) > 0:
                try:
                    first = self._queue.get(timeout=left)
                except Empty:
                    break
        group: list[Job] = [] if first is None else [first]
        weight = sum(job.weight for job in group)
        while weight < _WEIGHT:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is not None:
                group.append(job)
                weight += job.weight
        return group

    def _commit(self, group: list[Job]) -> None:
        notes = self._journal.take()
        if not group and not notes:
            return
        try:
            with self._database.writing() as connection:
                work = Work(connection, self._key)
                begun = work.audit_number, work.audit_hash
                work.entries.extend(notes)
                for job in group:
                    self._attempt(work, job, alone=len(group) == 1 and not notes)
                work.finish()
                self._database.announce(connection, work.sequence)
        except BaseException as error:
            self._journal.back(notes)
            self._failed()
            for job in group:
                job.error = job.error or error
                job.done.set()
            return
        self._journal.kept()
        try:
            if work.audit_number > begun[0] and self._holds(*begun):
                self._head_file.write(work.audit_number, work.audit_hash)
        except (OSError, StoreError):
            pass  # the head file may lag; the next commit writes it
        try:
            self._committed(work.sequence, frozenset(work.patients))
        finally:
            for job in group:
                job.done.set()

    def _holds(self, number: int, head: bytes) -> bool:
        """Whether the chain, which ended at ``number`` before this commit, holds the row that the head file promises.

        A head file that this home did not seal, or that promises another row than the one that is there (the database
        was put back to an earlier state, and grew again), is evidence: it is left alone.
        """
        written = self._head_file.read()
        if written is None or written == (number, head):
            return True
        if not written[1] or written[0] >= number:
            return False
        with self._database.reading() as connection:  # the file lags
            rows = connection.rows("SELECT hash FROM audit WHERE number = ?", (written[0],))
        return bool(rows) and bytes(rows[0][0]) == written[1]

    def _attempt(self, work: Work, job: Job, *, alone: bool) -> None:
        state = work.state()
        if not alone:
            work.connection.run("SAVEPOINT job")
        try:
            job.result = job.action(work)
        except BaseException as error:
            job.error = error
            if alone:
                raise
            work.connection.run("ROLLBACK TO SAVEPOINT job")
            work.restore(state)
            self._failed()
        if not alone:
            work.connection.run("RELEASE SAVEPOINT job")
