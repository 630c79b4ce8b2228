"""From a durable queue to facts: one supervised thread, which goes on whatever a message, the disk or a policy does.

Messages are read in lots, in the order in which they came; the cursor moves when the facts of a lot are durable. A lot that could
not be stored is tried again, first message by message, later with growing pauses; meanwhile the queue grows to its limit and
senders wait. A message of somebody whose consent is withdrawn is not kept: it is counted, and goes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from medtwin.errors import AccessDenied, StoreError
from medtwin.governance.grant import Grant
from medtwin.record.sql import SqlStore
from medtwin.sources.item import Dialect
from medtwin.sources.run import Run, held
from medtwin.sources.spool import Spool, Waiting

LOT = 128  #: messages of one lot
PAUSES = (0.05, 0.2, 1.0, 5.0, 15.0, 60.0)  #: seconds between attempts


@dataclass(slots=True)
class Standing:
    """What a live intake has done so far, for people and for metrics."""

    received: int = 0  #: messages acknowledged with AA
    refused: int = 0  #: answered with AR: kept in quarantine, not understood as a message
    failed: int = 0  #: answered with AE: not kept, the sender has them still
    read: int = 0  #: messages whose facts are durable
    facts: int = 0  #: new facts
    duplicate: int = 0  #: facts that were there already
    quarantined: int = 0  #: items in quarantine
    denied: int = 0  #: messages of people whose consent is withdrawn
    attempts: int = 0  #: lots that had to be tried again
    turned_away: int = 0  #: connections for which there was no room
    closed: int = 0  #: connections that said nothing and made room for another
    timed_out: int = 0  #: connections that said nothing, ended no message or took no answer in time
    skipped: int = 0  #: bytes outside any frame, and of frames that were given up
    last_error: str = ""
    last_read: float = 0.0  #: time.time() when facts were last made durable
    notes: list[str] = field(default_factory=list)


class Follower:
    """Follows ``spool`` in a thread of its own until :meth:`stop`; ``name`` names messages in quarantine."""

    def __init__(
        self, store: SqlStore, spool: Spool, name: str, *, zone: str | None = None, source: str | None = None,
        standing: Standing | None = None, grant: Callable[[], Grant] | None = None, likely: Dialect | None = None,
    ) -> None:  # fmt: skip
        self._likely = likely
        self.store, self.spool, self.name, self.zone, self.source = store, spool, name, zone, source
        self.standing = standing or Standing()
        self._grant = grant or store.issue_grant
        self._held: Grant | None = None
        self._more, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"medtwin-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Say that something was appended."""
        self._more.set()

    def stop(self, timeout: float = 30.0) -> None:
        """End after the lot at hand; what waits, waits for the next start."""
        self._stop.set()
        self._more.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def drain(self, timeout: float = 60.0) -> bool:
        """Wait until nothing waits; False where that took too long."""
        deadline = time.monotonic() + timeout
        while self.spool.backlog and time.monotonic() < deadline:
            time.sleep(0.005)
        return not self.spool.backlog

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._more.clear()
            try:
                lot = self.spool.take(LOT)
                if not lot:
                    self.spool.sweep()
                    self._more.wait(1.0)
                    continue
                self.once(lot, alone=failures > 0)
                failures = 0
            except Exception as error:  # whatever it is, the next attempt may succeed, and nothing is lost meanwhile
                self.standing.last_error = f"{type(error).__name__}: {error}"[:300]
                self.standing.attempts += 1
                self._held = None  # the policy may have moved on
                self._stop.wait(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1

    def once(self, lot: list[Waiting], *, alone: bool = False) -> None:
        """Read a lot, make its facts durable, move the cursor; ``alone``: one message after the other."""
        for piece in [[one] for one in lot] if alone else [lot]:
            try:
                self._take(piece)
            except AccessDenied:
                if not alone:
                    raise
                self._held = None
                self._again(piece)
            self.spool.done(piece)
            self.standing.read += len(piece)
            self.standing.last_read = time.time()

    def _again(self, piece: list[Waiting]) -> None:
        """With a grant of the present epoch; who is denied still has withdrawn their consent, others of the message have not."""
        try:
            denied = self._take(piece, careful=True)
        except AccessDenied as error:
            denied = 1
            self.standing.last_error = str(error)[:300]
        self.standing.denied += denied

    def _take(self, lot: list[Waiting], *, careful: bool = False) -> int:
        """Parts of people that were denied; raises at the first one unless ``careful``."""
        if self._held is None:
            self._held = self._grant()
        run = Run(self.store, self._held, None, self.zone, self.source, (), None, cached=True)
        run.denied = 0 if careful else None
        for one in lot:
            run.take(held(self.name, one.content), self._likely)
        report = run.finish()
        if report.not_stored:
            raise StoreError(report.not_stored[0].reason)
        standing = self.standing
        for row in report.sources:
            standing.facts += row.new
            standing.duplicate += row.duplicate
        standing.quarantined += len(report.quarantine)
        standing.notes = [*standing.notes, *report.notes][-100:]
        return run.denied or 0
