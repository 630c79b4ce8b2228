"""A fleet: the living twins of many patients of one model, brought up to date together.

The record stays the one truth. A fleet reads what was committed after its cursor, whoever committed it; moves the beliefs
of all whom that concerns in batches; and keeps them durably now and then, the cursor last. A crash therefore loses
no fact: what was committed and is not in a kept belief is read again.

What comes in order goes the quick way: new readings, doses and meals at or after the step at which a belief stands.
Everything else (late, corrected or deleted facts, a covariate, a diagnosis) goes the ordinary way, from the record.
Either way the belief is that of :func:`medtwin.twin.twin.assimilate` at the moment of the patient's newest reading,
to rounding (``tests/twin/test_fleet.py`` says how near); it stands there until the next reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from medtwin.errors import InferenceError
from medtwin.governance.grant import Grant
from medtwin.inference.belief import Mixture
from medtwin.inference.problem import Problem
from medtwin.record import Event, Record, Status
from medtwin.record.many_verbs import Change
from medtwin.record.sql import SqlStore
from medtwin.twin import fleet_member
from medtwin.twin.axis import Axis
from medtwin.twin.choice import Choice, choose, told
from medtwin.twin.covariates import known as known_covariates
from medtwin.twin.covariates import quantities as followed
from medtwin.twin.fleet_fold import Fold, Met
from medtwin.twin.fleet_member import Member
from medtwin.twin.fleet_rows import posed
from medtwin.twin.snapshot import StoreShelf, code_digest
from medtwin.twin.tapes import facts
from medtwin.twin.twin import RESTART, assimilate

KIND = "fleet-standing"
SHORT = 12  #: pieces of a history up to which it is folded in a batch; a longer one goes piece by piece, and is kept so
LOT = 20_000  #: facts that are read at once
AT_ONCE = 4096  #: records of patients that are read before their beliefs are made
TOGETHER = 250_000  #: facts that are folded together, about: a meal that came with a reading is not to come after it
DECIDING = {
    "diagnosis", "glucose", "systolic_pressure", "diastolic_pressure", "insulin_bolus", "insulin_basal_rate",
    "insulin_long_acting", "carbohydrate_intake",
}  # fmt: skip
Progress = Callable[[str, int, int], None]  #: stage, done, in all (0: not known)


@dataclass
class Followed:
    """What one round of following did."""

    facts: int = 0  #: that were read
    quick: int = 0  #: patients who were carried on
    anew: int = 0  #: patients whose belief was made from the record
    without: int = 0  #: patients for whom this model does not speak, or of whom it was told nothing
    met: list[Met] = field(default_factory=list)


class Fleet:
    """Beliefs of all patients for whom ``choice``'s model speaks. ``renew`` gives a grant where the epoch moved on."""

    def __init__(
        self, store: SqlStore, grant: Grant, choice: Choice, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        renew: Callable[[], Grant] | None = None, threads: int = 2,
    ) -> None:  # fmt: skip
        if choice.model is None or choice.update is None:
            raise InferenceError(choice.reason, expected="a choice with a model, such as medtwin.twin.choice.glucose")
        self.store, self.grant, self.model, self.update = store, grant, choice.model, choice.update
        self.clock, self._renew = clock, renew
        self.like = Axis.of(self.model, None)
        self.fold = Fold(self.model, self.update, threads)
        self.members: dict[str, Member] = {}
        self.others: dict[str, frozenset[str]] = {}  #: for whom the model does not speak: the quantities held of them
        self.changed: set[str] = set()  #: members whose kept standing is an older one
        self.subscriber = f"medtwin-fleet/{self.model.name}"
        self.stamp = "|".join((code_digest(), self.model.name, repr(self.update)))
        self.sequence = 0

    # coming back

    def load(self, progress: Progress | None = None) -> int:
        """Take up the kept standings, and go on after the cursor; how many were taken up.

        A standing of other code, another setting or another time zone is left out: its patient is made anew by ``follow``.
        """
        self._check()
        zones = {entry.id: entry.zone for entry in self.store.patients(self.grant)}
        self.sequence = self.store.cursor(self.subscriber)
        stale: list[str] = []
        for patient, content in self.store.standings(KIND + "/" + self.model.name, self.grant):
            held = fleet_member.from_bytes(content, patient, self.stamp, self.like)
            if held is None or patient not in zones or held.axis.zone != zones[patient]:
                stale.append(patient)
                continue
            self.members[patient] = held
            if progress is not None:
                progress("load", len(self.members), len(zones))
        if stale:
            self.bring([patient for patient in stale if patient in zones], progress)
        return len(self.members)

    # going on

    def follow(self, progress: Progress | None = None) -> Followed:
        """Read all that was committed after the cursor and move the beliefs it concerns. Nothing is kept yet: ``keep``."""
        self._check()
        done = Followed()
        while True:
            changes: list[Change] = []
            looked = self.sequence
            while len(changes) < TOGETHER:
                more, upto = self.store.changes(looked, self.grant, LOT)
                if upto == looked:
                    break
                changes += more
                looked = upto
            if looked == self.sequence:
                return done
            self._took(changes, looked, done, progress)
            self.sequence = looked

    def bring(
        self, patients: Iterable[str], progress: Progress | None = None, done: Followed | None = None
    ) -> Followed:
        """Make the beliefs of these patients from their records, the ordinary way or, where histories are short, in batches."""
        done = done if done is not None else Followed()
        wanted = list(patients)
        for first in range(0, len(wanted), AT_ONCE):  # a whole record is held until its belief is there
            short: list[Member] = []
            for count, patient in enumerate(wanted[first : first + AT_ONCE], first + 1):
                self._drop(patient)
                member = self._begin(patient)
                if member is None:
                    done.without += 1
                else:
                    done.anew += 1
                    self.members[patient] = member
                    self.changed.add(patient)
                    if member.target(self._now(member)) > member.step:
                        short.append(member)
                if progress is not None:
                    progress("records", count, len(wanted))
            self._carry(short, "beliefs from records", progress)
            for member in short:
                self._settled(member)
        return done

    def keep(self, progress: Progress | None = None) -> int:
        """Keep the standings that changed, then the cursor; how many patients. Durable when it returns."""
        self._check()
        names = sorted(self.changed & set(self.members))

        def contents() -> Iterable[tuple[str, bytes]]:
            for count, patient in enumerate(names, 1):
                member = self.members[patient]
                member.sequence = self.sequence
                yield patient, fleet_member.to_bytes(member, self.stamp)
                if progress is not None:
                    progress("keep", count, len(names))

        kept = self.store.put_standings(KIND + "/" + self.model.name, iter(contents()), self.grant)
        self.store.acknowledge(self.subscriber, self.sequence, self.grant)
        self.changed.clear()
        return kept

    # looking

    def belief(self, patient: str) -> Mixture:
        """The belief of a patient; it stands at :meth:`at`. KeyError where the fleet holds nothing of them."""
        self._check()
        member = self.members[patient]
        layout = self.fold.layout(member.known(member.axis.piece(member.step)))
        return layout.one(layout.unpacked([member.row])[0], member.step)

    def at(self, patient: str) -> datetime:
        """The moment at which a patient's belief stands: the boundary of the newest reading in it."""
        member = self.members[patient]
        return member.axis.moment(member.step)

    def problem(self, patient: str) -> Problem:
        """What is inferred of a patient: read beliefs with it, through :func:`medtwin.inference.belief.members`."""
        member = self.members[patient]
        return posed(self.model, member.known(member.axis.piece(member.step)))

    # inside

    def _check(self) -> None:
        """Where the policy moved on (a consent withdrawn, a patient erased), only those who still may be read stay."""
        if self.store.epoch() == self.grant.epoch:
            return
        if self._renew is not None:
            self.grant = self._renew()
        allowed = {entry.id for entry in self.store.patients(self.grant)}
        for patient in set(self.members) - allowed:
            self._drop(patient)

    def _took(self, changes: Sequence[Change], looked: int, done: Followed, progress: Progress | None) -> None:
        done.facts += len(changes)
        by_patient: dict[str, list[Change]] = {}
        for change in changes:
            member = self.members.get(change.patient)
            if member is None or change.event.recorded > member.sequence:
                by_patient.setdefault(change.patient, []).append(change)
        anew: list[str] = []
        quick: list[Member] = []
        for patient, mine in by_patient.items():
            if not self._concerns(patient, mine):
                continue
            member = self.members.get(patient)
            spoken = None if member is None else self._spoken(member, mine)
            if member is None or spoken is None or not member.takes(spoken):
                anew.append(patient)
            elif spoken:
                quick.append(member)
        silent = RESTART.total_seconds() / self.like.length
        for member in quick:
            goal = member.target(self._now(member))
            if goal - member.last > silent or self.like.piece(max(goal - 1, member.step)) >= member.until:
                anew.append(member.patient)
        again = set(anew)
        quick = [member for member in quick if member.patient not in again]
        self._carry(quick, "beliefs", progress)
        done.met += self._met
        done.quick += len(quick)
        self.changed.update(member.patient for member in quick)
        if anew:
            self.bring(anew, progress, done)

    def _concerns(self, patient: str, changes: Sequence[Change]) -> bool:
        """Whether facts of somebody for whom the model does not speak may change that."""
        held = self.others.get(patient)
        return held is None or any(
            not change.alone or change.event.quantity == "diagnosis" or change.event.quantity not in held
            for change in changes
        )

    def _spoken(self, member: Member, changes: Sequence[Change]) -> list[Event] | None:
        """The facts of these that the model is told; None where one of them asks for the whole record."""
        events = [change.event for change in changes]
        if not all(change.alone and change.event.status is Status.FINAL for change in changes):
            return None
        heard = told(self.model, Record(member.patient, tuple(events), member.axis.zone))
        ids = {event.id for event in heard}
        own = {a.quantity for a in self.model.accepts} | set(self.model.observes)
        if any(event.quantity not in own for event in heard):  # a long-acting injection, which acts as a basal rate
            return None
        for event in events:
            if event.id in ids:
                continue
            deciding = event.quantity in DECIDING - own or event.quantity in followed(self.model)
            if deciding or (event.quantity in own and event.group is not None):
                return None
        return list(heard)

    def _carry(self, members: Sequence[Member], stage: str, progress: Progress | None) -> None:
        done = 0

        def told_of(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(stage, done, len(members))

        self._met = self.fold.carry(members, self._now, told_of)

    def _now(self, member: Member) -> int:
        return int(member.axis.position(self.clock()) + 0.5)

    def _begin(self, patient: str) -> Member | None:
        """A member from the record: with its belief where the history is long, at the beginning of it where it is short."""
        record = self.store.record(patient, self.grant)
        choice = choose(record)
        if choice.model != self.model or choice.update != self.update:
            self.others[patient] = frozenset(event.quantity for event in record.events)
            return None
        axis = Axis.of(self.model, record.zone)
        now = self.clock()
        known = facts(self.model, axis, told(self.model, record))
        boundaries = known.boundaries()
        past = boundaries[boundaries <= int(axis.position(now) + 0.5)]
        if not len(past):
            return None
        goal = int(past[-1])
        gaps = np.flatnonzero(np.diff(past, prepend=-np.inf) > RESTART.total_seconds() / axis.length)
        first = axis.piece(int(past[gaps[-1]]) - 1)
        changing = known_covariates(self.model, record)
        waiting = {
            q: [(int(b), float(v), float(s), int(k)) for b, v, s, k in zip(*columns, strict=True)]
            for q, columns in known.readings.items()
            if len(columns[0])
        }
        begin = first * axis.steps
        sequence = max((event.recorded for event in record.history), default=0)
        member = Member(patient, axis, begin, goal, b"", dict(known.doses), (), first, sequence, waiting, changing)
        if axis.piece(goal - 1) - first < SHORT:
            member.waiting = {q: [row for row in rows if row[0] > begin] for q, rows in waiting.items()}
            return member  # its belief begins with the batch
        at = max(
            axis.moment(goal), *(e.instant for e in record.of(*self.model.observes) if axis.boundary(e.instant) == goal)
        )
        twin, _ = assimilate(patient, choice, record, at, StoreShelf(self.store, patient, self.grant))
        assert isinstance(twin.belief, Mixture)
        layout = self.fold.layout(member.known(axis.piece(goal)))
        [member.row] = layout.packed(layout.row(twin.belief)[None])
        member.moved(goal, goal)
        self._settled(member)
        return member

    def _settled(self, member: Member) -> None:
        """A history was gone through: from now on its covariates are what they are at its end, until time changes them."""
        assert member.changing is not None
        piece = member.axis.piece(member.step)
        member.covariates = member.known(piece)
        member.until = fleet_member.lasting(member.changing, member.axis, piece)
        member.changing = None

    def _drop(self, patient: str) -> None:
        self.members.pop(patient, None)
        self.others.pop(patient, None)
        self.changed.discard(patient)
