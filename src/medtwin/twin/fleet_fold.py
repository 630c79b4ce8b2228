"""The fold of a fleet: many patients, each from where their belief stands to their newest reading, in batches.

The same filter and the same settlings as one patient's fold (:mod:`medtwin.twin.twin`): a belief of a fleet stands only
where the whole piece settles anyway, at a reading or at a multiple of the update's interval. A tape begins at each
patient's own step. Patients whose readings fall on like steps go together, so that few settle for the others' sake.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from threading import Lock

import equinox as eqx
import numpy as np

from medtwin.inference import tape as tapes
from medtwin.inference.belief import Mixture
from medtwin.inference.tape import Tape
from medtwin.inference.update import BLOCK, Update, run, start
from medtwin.physiology.model import Model
from medtwin.quantities import Kind, registry
from medtwin.twin.doses import Doses
from medtwin.twin.fleet_member import Member
from medtwin.twin.fleet_rows import Covariates, Layout, posed, together

STRIDE = 2  #: intervals of the update in one tape
SIZE = BLOCK  #: people of a batch, always: one compilation; more at once fall out of a core's cache


@dataclass(frozen=True, slots=True)
class Met:
    """How a reading met its prediction, of one patient."""

    patient: str
    quantity: str
    boundary: int
    innovation: float
    sd: float
    log_density: float


class Fold:
    """Carries members of one model on, ``threads`` batches at once: most of a batch runs on one core."""

    def __init__(self, model: Model, update: Update, threads: int = 2) -> None:
        self.model, self.update = model, update
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self.spent = {"cpu_s": 0.0, "wall_s": 0.0}  #: in :meth:`carry`, of this process
        self._compiled: set[Layout] = set()
        self._lock = Lock()
        self.pool = ThreadPoolExecutor(threads, "medtwin-fleet")
        self.threads = threads

    def layout(self, covariates: Covariates) -> Layout:
        """The layout of rows of people of whom these covariates are known."""
        names = tuple(name for name, _ in covariates)
        with self._lock:
            if names not in self._layouts:
                like = eqx.filter_eval_shape(self.update.start, posed(self.model, covariates), ())
                assert isinstance(like, Mixture)
                self._layouts[names] = Layout(like)
            return self._layouts[names]

    def carry(
        self, members: Sequence[Member], now: Callable[[Member], int], progress: Callable[[int], None] | None = None
    ) -> list[Met]:
        """Fold every member up to the newest reading by ``now`` (a boundary)."""
        begun = time.process_time(), time.monotonic()
        goals = [(member, goal) for member in members if (goal := member.target(now(member))) > member.step]
        interval = self.update.interval
        alike: dict[Layout, list[tuple[Member, int]]] = {}
        for member, goal in goals:
            layout = self.layout(member.known(member.axis.piece(member.step)))
            alike.setdefault(layout, []).append((member, goal))
        found: list[Met] = []
        for layout, mine in alike.items():
            mine.sort(key=lambda one: (one[1] - one[0].step, one[0].step % interval))
            lots = [mine[i : i + SIZE] for i in range(0, len(mine), SIZE)]
            alone = 0 if layout in self._compiled else 1  # compiled by one lot, before others run side by side
            self._compiled.add(layout)
            for done, lot in zip(
                chain(map(self._lot, lots[:alone]), self.pool.map(self._lot, lots[alone:])), lots, strict=True
            ):
                found += done
                if progress is not None:
                    progress(len(lot))
        self.spent["cpu_s"] += time.process_time() - begun[0]
        self.spent["wall_s"] += time.monotonic() - begun[1]
        return found

    def expected(
        self, members: Sequence[Member], steps: int, quantity: str, progress: Callable[[int], None] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd ``[member]`` of an observable ``steps`` after where each belief stands, if nothing is told till then.

        Doses that act are acted out, no new ones. The points are carried there in one go and settled once; a reading's own
        error is not in it. ``steps``: a multiple of the update's interval.
        """
        update = dataclasses.replace(self.update, interval=steps)
        alike: dict[Layout, list[int]] = {}
        for i, member in enumerate(members):
            alike.setdefault(self.layout(member.known(member.axis.piece(member.step))), []).append(i)
        mean, sd = np.full(len(members), np.nan), np.full(len(members), np.nan)
        for layout, places in alike.items():
            for begin in range(0, len(places), SIZE):
                own = places[begin : begin + SIZE]
                lot = [members[i] for i in own]
                fill = [*range(len(lot)), *([0] * (SIZE - len(lot)))]
                tape = self._tape(lot, [member.step + steps for member in lot], steps)
                covariates = [member.known(member.axis.piece(member.step)) for member in lot]
                before = layout.batch(layout.unpacked([one.row for one in lot])[fill], np.asarray(tape.first))
                _, trace = run(update, together(self.model, [covariates[i] for i in fill]), before, tape)
                mean[own] = np.asarray(trace.predicted_mean[quantity])[-1, : len(lot)]
                sd[own] = np.asarray(trace.predicted_sd[quantity])[-1, : len(lot)]
                if progress is not None:
                    progress(len(own))
        return mean, sd

    def _lot(self, lot: Sequence[tuple[Member, int]]) -> list[Met]:
        found: list[Met] = []
        left = list(lot)
        while left:
            found += self._stride(left)
            left = [(member, goal) for member, goal in left if member.step < goal]
        return found

    def _stride(self, lot: Sequence[tuple[Member, int]]) -> list[Met]:
        members = [member for member, _ in lot]
        ends = [self._end(member, goal) for member, goal in lot]
        tape = self._tape(members, ends, STRIDE * self.update.interval)
        fill = [*range(len(lot)), *([0] * (SIZE - len(lot)))]
        covariates = [member.known(member.axis.piece(member.step)) for member in members]
        layout = self.layout(covariates[0])
        problem = together(self.model, [covariates[i] for i in fill])
        if any(not member.row for member in members):
            begun = layout.rows(start(self.update, problem, (SIZE,)))  # type: ignore[arg-type]
            for member, row in zip(members, layout.packed(begun[: len(members)]), strict=True):
                member.row = member.row or row
        rows = layout.unpacked([member.row for member in members])
        before = layout.batch(rows[fill], np.asarray(tape.first))
        after, trace = run(self.update, problem, before, tape)
        moved = layout.rows(after)  # type: ignore[arg-type]
        found: list[Met] = []
        for quantity, reading in tape.readings.items():
            met = trace.surprise[quantity]
            innovation, sd, density = np.asarray(met.innovation), np.asarray(met.sd), np.asarray(met.log_density)
            for step, i in zip(*np.nonzero(np.asarray(reading.present)[:, : len(members)]), strict=True):
                boundary = members[i].step + int(step) + 1
                if boundary <= ends[i]:
                    numbers = (float(innovation[step, i]), float(sd[step, i]), float(density[step, i]))
                    found.append(Met(members[i].patient, quantity, boundary, *numbers))
        for member, end, row in zip(members, ends, layout.packed(moved[: len(members)]), strict=True):
            member.row = row
            last = max(
                (row[0] for rows in member.waiting.values() for row in rows if row[0] <= end), default=member.last
            )
            member.moved(end, last)
        return found

    def _end(self, member: Member, goal: int) -> int:
        """Where this tape leaves the belief: at the goal, or at a boundary at which a whole piece settles too."""
        interval, steps = self.update.interval, member.axis.steps
        grid = (member.step // interval + STRIDE) * interval
        return min(goal, grid, (member.axis.piece(member.step) + 1) * steps)

    def _tape(self, members: Sequence[Member], ends: Sequence[int], steps: int) -> Tape:
        made = tapes.blank(self.model, steps, (SIZE,))
        start, first = np.zeros(SIZE), np.zeros(SIZE, np.int32)
        valid = np.zeros(SIZE, np.int32)
        for i, (member, end) in enumerate(zip(members, ends, strict=True)):
            at = member.step
            start[i], first[i], valid[i] = member.axis.since_midnight(at), at % (1 << 30), end - at
            for quantity, given in member.doses.items():
                if not idle(given, at * member.axis.length):
                    made.inputs[quantity][:, i] = given.held(at, steps)
            for quantity, rows in member.waiting.items():
                reading = made.readings[quantity]
                for boundary, value, sd, kind in rows:
                    if at < boundary <= end:
                        k = boundary - at - 1
                        reading.value[k, i], reading.sd[k, i], reading.kind[k, i] = value, sd, kind
                        reading.present[k, i] = True
        return Tape(made.inputs, made.readings, start, first, valid)  # type: ignore[arg-type]


def idle(given: Doses, now: float) -> bool:
    """Whether nothing of these doses acts from ``now`` (seconds) on, nor will begin to."""
    if given.steady is not None and len(given.steady.time):
        return False
    if registry.get(given.quantity).kind is not Kind.AMOUNT:
        return not len(given.time)
    return not len(given.time) or (float(given.until.max()) <= now and float(given.time[-1]) < now)
