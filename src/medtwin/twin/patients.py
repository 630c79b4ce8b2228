"""Patients: from a store to living twins. What the command line, the server and a notebook all stand on.

Nothing here knows of HTTP or terminals. Each call takes the patient's id and reads through the grant; twins are kept
warm between calls, and every fact that arrives advances them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from medtwin.errors import InferenceError
from medtwin.governance.grant import Grant
from medtwin.record import Event, Record
from medtwin.record.record import Clock
from medtwin.record.store import Store
from medtwin.twin.choice import Choice, choose
from medtwin.twin.columns import Surprise
from medtwin.twin.forecast import Effect, forecast, learn
from medtwin.twin.residual import Residual
from medtwin.twin.snapshot import MemoryShelf, Shelf, StoreShelf
from medtwin.twin.twin import RESTART, Progress, Twin, advance, assimilate

RELEARN = 6 * 3600.0  #: seconds after which a residual is learnt anew


@dataclass
class Life:
    """One patient as this process holds them: the record, the choice of model, the twin, what was learnt."""

    record: Record
    choice: Choice
    twin: Twin | None = None
    surprises: tuple[Surprise, ...] = ()
    residual: Residual | None = None
    learnt: datetime | None = None
    at: datetime | None = None  #: the moment up to which it was brought
    silent: bool = False  #: ``at`` is the last reading, for nothing was heard for long
    shelf: Shelf = field(default_factory=MemoryShelf)


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def standpoint(record: Record, choice: Choice, present: datetime) -> tuple[datetime, bool]:
    """(the moment as of which a patient is shown, whether it is not the present).

    After ``RESTART`` of silence it is the last reading: nothing is known any more of somebody who was silent that long,
    but much of who they were when last heard of.
    """
    spoken = [e for e in record.of(choice.headline) if e.instant <= present]
    if not spoken or present - spoken[-1].instant <= RESTART:
        return present, False
    return min(max(spoken[-1].available, spoken[-1].instant), present), True


class Patients:
    """All patients of a store under one grant. ``clock`` tells the present (a demo may run another one); ``model`` names the
    structure that speaks instead of the usual one (:data:`medtwin.twin.choice.STRUCTURES`), ``bank`` the hypotheses that its
    filter runs (:data:`medtwin.twin.choice.BANKS`)."""

    def __init__(
        self, store: Store, grant: Grant, clock: Callable[[], datetime] = now, model: str | None = None,
        bank: str = "usual",
    ) -> None:  # fmt: skip
        self.store, self.grant, self.clock, self.model, self.bank = store, grant, clock, model, bank
        self._lives: dict[str, Life] = {}

    def life(self, patient: str, *, at: datetime | None = None, progress: Progress | None = None) -> Life:
        """The patient's life, brought up to ``at``. Reading is checked against the grant each time.

        By default that is the present or, of somebody long silent, the last reading (see :func:`standpoint`).
        """
        life = self._lives.get(patient)
        if life is None or life.record.epoch != self.store.epoch():
            record = self.store.record(patient, self.grant)
            life = Life(
                record,
                choose(record, model=self.model, bank=self.bank),
                shelf=StoreShelf(self.store, patient, self.grant),
            )
            self._lives[patient] = life
        then, life.silent = (at, False) if at else standpoint(life.record, life.choice, self.clock())
        self._bring(life, patient, then, progress)
        return life

    def took(self, patient: str, events: Sequence[Event], *, at: datetime | None = None) -> Life:
        """New committed facts of a patient: the record grows and the belief moves; late ones replay their piece."""
        life = self._lives.get(patient)
        if life is None:
            return self.life(patient, at=at)
        record = life.record.grown(events)
        present = self.clock()
        if life.at is not None and not life.silent:
            present = max(present, life.at)  # a clock that was set back takes nobody back
        then, life.silent = (at, False) if at else standpoint(record, life.choice, present)
        if life.twin is not None:
            moved = advance(life.twin, life.record, record, events, then, life.shelf)
            if moved is not None:
                life.record, life.at = record, then
                life.twin, life.surprises = moved
                return life
        life.record, life.choice = record, choose(record, model=self.model, bank=self.bank)
        life.twin = None
        self._bring(life, patient, then, None)
        return life

    def held(self, patient: str) -> Life:
        """What this process holds of a patient, as it is; KeyError where it holds nothing."""
        return self._lives[patient]

    def forget(self, patient: str) -> None:
        """Drop what this process holds of a patient (erased, or relinked)."""
        self._lives.pop(patient, None)

    def as_of(
        self, patient: str, moment: datetime, clock: Clock = "available", progress: Progress | None = None
    ) -> Life:
        """The patient as known at ``moment``: what could be known (``available``) or what this home held (``recorded``)."""
        record = self.store.record(patient, self.grant)
        known = record.known_by(moment if clock == "available" else self.store.sequence_at(moment), clock)
        life = Life(
            known, choose(known, model=self.model, bank=self.bank), shelf=StoreShelf(self.store, patient, self.grant)
        )
        self._bring(life, patient, moment, progress)
        return life

    def forecast(self, patient: str, life: Life, *, hours: float = 6.0, planned: Sequence[Event] = ()) -> Effect:
        """What comes next for a life, without and with plans; learns the residual when it is missing or old."""
        at = life.twin.at if life.twin is not None else life.at or self.clock()
        if life.learnt is None or (at - life.learnt).total_seconds() > RELEARN or at < life.learnt:
            life.residual, life.learnt = learn(life.twin, life.choice, life.record, at), at
        return forecast(
            life.twin, life.choice, life.record, life.residual, at, hours=hours, planned=tuple(planned), patient=patient
        )

    def _bring(self, life: Life, patient: str, at: datetime, progress: Progress | None) -> None:
        life.at = at
        if not life.choice.physiological or (life.twin is not None and life.twin.at == at):
            return
        try:
            life.twin, life.surprises = assimilate(patient, life.choice, life.record, at, life.shelf, progress=progress)
        except InferenceError:
            if life.twin is None:
                life.choice = Choice(life.choice.headline, "nothing that the model can use is recorded yet")
            else:
                raise
