"""Living twins behind the requests: each patient is brought up to date in a worker thread, one change at a time.

A request reads a :class:`Standing`, a value that nobody changes. Work that needs JAX runs here, never in the event loop:
beliefs in one thread, so that they come in order and are never behind a forecast; forecasts in another; reviews, which take
seconds, in a third. What was begun before the policy moved on is not kept.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from medtwin.governance.grant import Grant
from medtwin.record import Event, Record
from medtwin.record.sql import SqlStore

if TYPE_CHECKING:
    from medtwin.applications.therapy_review.review import Review
    from medtwin.twin.choice import Choice
    from medtwin.twin.columns import Surprise
    from medtwin.twin.forecast import Effect
    from medtwin.twin.patients import Life, Patients
    from medtwin.twin.residual import Residual
    from medtwin.twin.snapshot import Shelf, Snapshot
    from medtwin.twin.twin import Twin

STALE = timedelta(seconds=150)  #: a belief older than this is carried on to the present before it is shown
KEPT = 8  #: pieces under way that are remembered, per patient
T = TypeVar("T")


@dataclass(frozen=True)
class Standing:
    """One patient as last brought up to date."""

    patient: str
    record: Record = field(repr=False)
    choice: Choice = field(repr=False)
    twin: Twin | None = field(repr=False)
    surprises: tuple[Surprise, ...] = field(repr=False)
    at: datetime
    sequence: int  #: newest commit sequence in ``record``
    silent: bool = False  #: shown as of ``at``, the last reading, since nothing was heard for long

    def present(self, now: datetime) -> datetime:
        """The moment that is "now" for this patient."""
        return self.at if self.silent else now


@dataclass(frozen=True)
class Moved:
    """What new facts did: the standing before (None: not held here before) and after; ``moved`` where a belief changed."""

    before: Standing | None
    after: Standing
    moved: bool


class PieceShelf:
    """Whole pieces stand in the store; the piece under way, made anew with each fact, only here."""

    def __init__(self, inner: Shelf, steps: int, later: Callable[[Callable[[], None]], object]) -> None:
        self.inner, self.steps, self._later = inner, steps, later
        self.waiting: dict[str, Snapshot] = {}
        self.recent: OrderedDict[str, Snapshot] = OrderedDict()

    def get(self, name: str) -> Snapshot | None:
        return self.recent.get(name) or self.waiting.get(name) or self.inner.get(name)

    def put(self, snapshot: Snapshot) -> None:
        boundary = snapshot.columns["boundary"]
        if len(boundary) and int(boundary[-1]) == (snapshot.piece + 1) * self.steps:
            self.waiting[snapshot.name] = snapshot
            self._later(lambda: self._keep(snapshot))
            return
        self.recent[snapshot.name] = snapshot
        while len(self.recent) > KEPT:
            self.recent.popitem(last=False)

    def _keep(self, snapshot: Snapshot) -> None:
        """Can be made again, so a belief need not wait for the disk."""
        try:
            self.inner.put(snapshot)
        finally:
            self.waiting.pop(snapshot.name, None)


class Living:
    """All patients that this server holds. ``renew`` gives a new grant where the policy's epoch has moved on."""

    def __init__(
        self, store: SqlStore, grant: Grant, clock: Callable[[], datetime], renew: Callable[[], Grant] | None = None
    ) -> None:
        self.store, self.grant, self.clock, self._renew = store, grant, clock, renew
        self.warm = self.closed = False
        self.beliefs = ThreadPoolExecutor(1, "medtwin-belief")
        self.forecasts = ThreadPoolExecutor(1, "medtwin-forecast")
        self.reviewing = ThreadPoolExecutor(1, "medtwin-review")
        self.reads = ThreadPoolExecutor(4, "medtwin-read")
        self.intake = ThreadPoolExecutor(2, "medtwin-intake")
        self._held: dict[str, Standing] = {}
        self._patients: Patients | None = None
        self._learnt: dict[str, tuple[Residual | None, datetime | None]] = {}
        self._effects: OrderedDict[tuple[Any, ...], Effect] = OrderedDict()
        self._reviews: OrderedDict[tuple[Any, ...], Review] = OrderedDict()
        self._lock = threading.RLock()
        self._moved = store.moved()[0]
        self._stale: set[str] = set()  #: patients whose keys changed since they were brought up to date

    def close(self) -> None:
        self.closed = True
        for pool in (self.intake, self.beliefs, self.forecasts, self.reviewing, self.reads):
            pool.shutdown(wait=True, cancel_futures=True)

    # the event loop's side

    async def read(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a read of the store in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.reads, work, *arguments)

    async def standing(self, patient: str) -> Standing:
        """The patient, brought up to the present where that is minutes away."""
        held = self._held.get(patient)
        if held is not None and patient not in self._stale and self.current(held):
            return held
        return await asyncio.get_running_loop().run_in_executor(self.beliefs, self.bring, patient)

    async def effect(self, standing: Standing, hours: float, planned: Sequence[Event] = ()) -> Effect:
        """The future of that standing, without and with plans."""
        return await asyncio.get_running_loop().run_in_executor(
            self.forecasts, self.forecast, standing, hours, tuple(planned)
        )

    async def review(self, standing: Standing, days: int, synthetic: bool) -> Review:
        """The settings of insulin reviewed on the last days of that standing."""
        return await asyncio.get_running_loop().run_in_executor(
            self.reviewing, self.reviewed, standing, days, synthetic
        )

    def held(self, patient: str) -> Standing | None:
        """What is held of a patient right now, however old."""
        return self._held.get(patient)

    def current(self, standing: Standing) -> bool:
        if standing.silent:
            return True
        return self.clock() - standing.at <= STALE or not standing.choice.physiological

    # the grant

    def check(self) -> None:
        """Where the policy moved on (a consent withdrawn, a patient erased), nothing computed before is shown again.

        Nor is what was made of a patient whose keys were linked or unlinked since.
        """
        newest, whose = self.store.moved(self._moved)
        with self._lock:
            self._moved = max(self._moved, newest)
            self._stale |= whose
        if self.store.epoch() == self.grant.epoch:
            return
        with self._lock:
            self._held.clear()
            self._effects.clear()
            self._reviews.clear()
            self._learnt.clear()
            self._patients = None
            if self._renew is not None:
                self.grant = self._renew()

    # the worker's side: nothing below runs in the event loop

    def patients(self) -> Patients:
        with self._lock:
            if self._patients is None:
                from medtwin.twin.patients import Patients

                self._patients = Patients(self.store, self.grant, self.clock)
            return self._patients

    def bring(self, patient: str) -> Standing:
        """Read a patient for the first time, or carry a belief on to the present."""
        self._anew(patient)
        held = self._held.get(patient)
        if held is not None and self.current(held):
            return held
        if held is None:
            return self._first(patient)
        return self._stand(patient, self.patients().took(patient, ()))

    def took(self, patient: str, events: Sequence[Event]) -> Moved:
        """New committed facts, in commit order. Facts that say nothing to the model only join the record."""
        self._anew(patient)
        before = self._held.get(patient)
        if before is None:
            after = self._first(patient)
            return Moved(None, after, after.twin is not None)
        fresh = [event for event in events if event.recorded > before.sequence]
        if not fresh:
            return Moved(before, before, False)
        silent = [event for event in fresh if self._silent(before, event)]
        spoken = [event for event in fresh if event not in silent]
        from medtwin.twin.patients import standpoint

        life = self.patients().held(patient)
        if silent:
            life.record = life.record.grown(silent)
            if life.twin is None:  # nothing to carry on: a new reading ends a silence all the same
                life.at, life.silent = standpoint(life.record, life.choice, self.clock())
        if spoken:
            life = self.patients().took(patient, spoken)
            self._shelve(life)
        after = self._stand(patient, life)
        return Moved(before, after, bool(spoken) and after.twin is not None)

    def forecast(self, standing: Standing, hours: float, planned: tuple[Event, ...]) -> Effect:
        from medtwin.twin.patients import Life

        key = (standing.patient, standing.sequence, standing.at, hours, tuple(e.id for e in planned))
        if (known := self._effects.get(key)) is not None:
            return known
        learnt = self._learnt.get(standing.patient, (None, None))
        if learnt[1] is not None and standing.at < learnt[1]:  # a look back must not know what was learnt later
            learnt = (None, None)
        mine = Life(
            standing.record, standing.choice, standing.twin, (), *learnt, at=standing.at if standing.silent else None
        )
        effect = self.patients().forecast(standing.patient, mine, hours=hours, planned=planned)
        with self._lock:
            if self._still(standing.record):
                if standing.patient not in self._learnt or learnt[1] is not None:
                    self._learnt[standing.patient] = (mine.residual, mine.learnt)
                self._effects[key] = effect
                while len(self._effects) > 64:
                    self._effects.popitem(last=False)
        return effect

    def reviewed(self, standing: Standing, days: int, synthetic: bool) -> Review:
        """Made once for each settled piece of a life: its days end where that piece does."""
        from medtwin.applications.therapy_review.review import review
        from medtwin.twin.fit import misfit

        assert standing.twin is not None
        under_way = standing.twin.axis.piece(standing.twin.axis.boundary(standing.at))
        settled = next((piece.name for piece in reversed(standing.twin.pieces) if piece.piece < under_way), "")
        key = (standing.patient, settled, days, standing.record.zone, misfit(standing.twin) is None)
        if (known := self._reviews.get(key)) is not None:
            return known
        made = review(standing.twin, standing.record, standing.at, count=days, synthetic=synthetic)
        with self._lock:
            if self._still(standing.record):
                self._reviews[key] = made
                while len(self._reviews) > 64:
                    self._reviews.popitem(last=False)
        return made

    def as_of(self, patient: str, moment: datetime) -> Standing:
        """The patient as could be known at ``moment``; nothing of it is kept."""
        life = self.patients().as_of(patient, moment)
        sequence = max((event.recorded for event in life.record.history), default=0)
        return Standing(patient, life.record, life.choice, life.twin, life.surprises, moment, sequence)

    def warm_up(self, told: Callable[[str, float], None] | None = None) -> None:
        """Compile: bring every patient up to date and make one forecast of each. One patient's fault stops no other."""
        for entry in self.store.patients(self.grant):
            begun = time.perf_counter()
            try:
                standing = self.beliefs.submit(self.bring, entry.id).result()
                self.forecasts.submit(self.forecast, standing, 6.0, ()).result()
            except (Exception, CancelledError) as error:
                if self.closed:
                    return
                print(f"medtwin: {type(error).__name__} while a patient was brought up to date")
            if told is not None:
                told(entry.id, time.perf_counter() - begun)
        self.warm = True

    def _anew(self, patient: str) -> None:
        """Let go of what was made of a patient whose keys changed."""
        with self._lock:
            if patient not in self._stale:
                return
            self._stale.discard(patient)
            self._held.pop(patient, None)
            self._learnt.pop(patient, None)
            for made in (self._effects, self._reviews):
                for key in [key for key in made if key[0] == patient]:
                    made.pop(key, None)
            self.patients().forget(patient)

    def _first(self, patient: str) -> Standing:
        life = self.patients().life(patient)
        self._shelve(life)
        return self._stand(patient, life)

    def _shelve(self, life: Life) -> None:
        if life.twin is not None and not isinstance(life.shelf, PieceShelf):
            life.shelf = PieceShelf(life.shelf, life.twin.axis.steps, self.reads.submit)

    def _stand(self, patient: str, life: Life) -> Standing:
        sequence = max((event.recorded for event in life.record.history), default=0)
        assert life.at is not None
        standing = Standing(
            patient, life.record, life.choice, life.twin, life.surprises, life.at, sequence, life.silent
        )
        with self._lock:
            if self._still(life.record):
                self._held[patient] = standing
        return standing

    def _still(self, record: Record) -> bool:
        """Whether the policy is the one under which this was read; what came of an older one is not kept."""
        return record.epoch == self.store.epoch()

    @staticmethod
    def _silent(standing: Standing, event: Event) -> bool:
        """Whether a fact can change neither the belief nor the choice of model."""
        from medtwin.twin.choice import told
        from medtwin.twin.covariates import quantities as followed

        model = standing.choice.model
        if event.quantity == "diagnosis":
            return False
        if model is None:
            return bool(standing.record.of(event.quantity))
        if event.quantity in followed(model):
            return False
        quantities = set(model.observes) | {a.quantity for a in model.accepts} | {"insulin_long_acting"}
        if event.quantity in quantities:
            alone = Record(standing.patient, (event,), standing.record.zone, standing.record.epoch)
            known = (event.subject, event.source.system, event.key) in standing.record.keys
            return not known and event.group is None and not told(model, alone)
        return True
