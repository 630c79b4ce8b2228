"""Twin and its verb ``assimilate``: a patient's belief over a model at a moment, with its provenance.

A life is folded piece by piece (:mod:`medtwin.twin.axis`). Each piece is a pure function of the belief before it and of its
tape, and its snapshot is named by the hash of both. So there is one mechanism for everything that can happen to a fact:
an event in order, a late one, a corrected or deleted one, a rollback, a look at what was known then. Find the snapshots
whose names still hold, and fold the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from medtwin.errors import InferenceError
from medtwin.inference.belief import Belief
from medtwin.inference.problem import Problem, problem
from medtwin.inference.update import run, start
from medtwin.physiology.model import Model, priors
from medtwin.record import Event, Record, Status
from medtwin.twin import serial
from medtwin.twin.axis import Axis
from medtwin.twin.choice import Choice, told
from medtwin.twin.columns import Surprise, columns, surprises
from medtwin.twin.covariates import known as known_covariates
from medtwin.twin.snapshot import BEGINNING, MemoryShelf, Shelf, Snapshot, name_of
from medtwin.twin.tapes import Facts, facts

RESTART = timedelta(days=21)  #: after a silence this long a belief begins anew from the prior
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Twin:
    """What is believed of one patient at ``at``. ``snapshot`` names the inputs that made it; ``pieces`` is the way here."""

    patient: str
    choice: Choice
    axis: Axis
    at: datetime
    belief: Belief = field(repr=False)
    problem: Problem = field(repr=False)
    snapshot: str
    pieces: tuple[Snapshot, ...] = field(repr=False)
    facts: Facts = field(repr=False)
    epoch: int = 0
    covariates: dict[str, float] = field(default_factory=dict)  #: what the priors follow, as known at ``at``

    @property
    def model(self) -> Model:
        assert self.choice.model is not None
        return self.choice.model

    @property
    def step(self) -> int:
        """The step boundary at which the belief stands."""
        return int(self.axis.position(self.at))

    def history(self) -> dict[str, np.ndarray]:
        """Columns of all pieces joined: ``boundary`` and, per settled step, what the filter believed."""
        names = self.pieces[0].columns.keys() if self.pieces else ()
        return {name: np.concatenate([piece.columns[name] for piece in self.pieces]) for name in names}


def assimilate(
    patient: str,
    choice: Choice,
    record: Record,
    at: datetime,
    shelf: Shelf | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[Twin, tuple[Surprise, ...]]:
    """The twin that ``record`` makes of this patient at ``at`` (UTC), and how each reading of its last piece met its
    prediction.

    Facts after ``at`` are not looked at. ``shelf`` keeps snapshots between calls; with one that already holds this life's
    snapshots only what changed is folded. The result does not depend on the shelf, on the order of arrival, or on how
    often it was called before. Raises :class:`InferenceError` when no model speaks for the person or nothing was measured.
    """
    if choice.model is None or choice.update is None:
        raise InferenceError(
            choice.reason, expected="a person for whom a model speaks", remedy="use the statistical forecast"
        )
    shelf = shelf if shelf is not None else MemoryShelf()
    axis = Axis.of(choice.model, record.zone)
    known = facts(choice.model, axis, (e for e in told(choice.model, record) if e.instant <= at))
    if known.first is None:
        raise InferenceError(
            "no reading", expected=f"readings of {', '.join(choice.model.observes)}", where=f"patient {patient}"
        )
    return _fold(patient, choice, record, known, at, shelf, (), progress)


def advance(
    twin: Twin, before: Record, after: Record, new: Sequence[Event], at: datetime, shelf: Shelf
) -> tuple[Twin, tuple[Surprise, ...]] | None:
    """The same as :func:`assimilate` of ``after``, reusing the pieces that ``new`` events cannot have touched.

    None where that cannot be told cheaply (a correction, a covariate, a fact that changes the choice of model): then
    assimilate. The result is the same to the bit.
    """
    keys = before.keys
    plain = all(
        e.status is Status.FINAL and (e.subject, e.source.system, e.key) not in keys and e.instant <= at for e in new
    )
    heard = told(twin.model, Record(after.patient, tuple(new), after.zone, after.epoch))
    if not plain or len(heard) != len(new) or after.zone != before.zone or at < twin.at or not twin.pieces:
        return None
    known = twin.facts.plus(heard)
    if known is None:
        return None
    touched = min(
        (min(twin.axis.boundary(e.instant) - 1, int(twin.axis.position(e.instant))) for e in heard), default=None
    )
    first = twin.axis.piece(twin.step) if touched is None else min(twin.axis.piece(touched), twin.axis.piece(twin.step))
    kept = tuple(piece for piece in twin.pieces if piece.piece < first)
    return _fold(twin.patient, twin.choice, after, known, at, shelf, kept, None)


def _fold(
    patient: str, choice: Choice, record: Record, known: Facts, at: datetime, shelf: Shelf,
    kept: tuple[Snapshot, ...], progress: Progress | None,
) -> tuple[Twin, tuple[Surprise, ...]]:  # fmt: skip
    assert choice.model is not None
    assert choice.update is not None
    model, update, axis, settings = choice.model, choice.update, known.axis, repr(choice.update)
    now = int(axis.position(at))
    covariates_at = known_covariates(model, record)
    plan = list(_plan(known, axis, now))
    same = len(kept) if [p.piece for p in kept] == [piece for piece, _ in plan[: len(kept)]] else 0
    pieces = list(kept[:same])
    name = pieces[-1].name if pieces else BEGINNING
    belief: Belief | None = None
    for done, (piece, fresh) in enumerate(plan[same:], same):
        until = now if piece == axis.piece(now) else None
        tape = known.tape(piece, until)
        covariates = covariates_at(axis.moment(piece * axis.steps))
        if fresh:
            name, belief = BEGINNING, None
        parent, name = name, name_of(name, piece, tape, covariates, settings)
        held = shelf.get(name)
        if held is None:
            posed = _problem(model, tuple(sorted(covariates.items())))
            if belief is None:
                belief = serial.from_bytes(pieces[-1].belief) if parent != BEGINNING else start(update, posed)
            belief, trace = run(update, posed, belief, tape)
            made = columns(posed, trace, tape, piece * axis.steps)
            held = Snapshot(name, parent, piece, serial.to_bytes(belief), made)
            shelf.put(held)
        else:
            belief = None
        pieces.append(held)
        if progress is not None:
            progress(done + 1, len(plan))
    if belief is None:
        belief = serial.from_bytes(pieces[-1].belief)
    covariates = covariates_at(axis.moment(now))
    posed = _problem(model, tuple(sorted(covariates.items())))
    twin = Twin(patient, choice, axis, at, belief, posed, name, tuple(pieces), known, record.epoch, covariates)
    return twin, surprises(pieces[-1], axis, tuple(getattr(belief, "hypotheses", ())))


def _plan(known: Facts, axis: Axis, now: int) -> Iterator[tuple[int, bool]]:
    """(piece, whether the belief begins anew there), from the first reading to ``now``; long silences are left out.

    A silence that is still going on is left out too: after ``RESTART`` without a reading the belief at ``now`` is the prior's.
    """
    boundaries = known.boundaries()
    silent = RESTART.total_seconds() / axis.length
    starts = boundaries[np.flatnonzero(np.diff(boundaries, prepend=-np.inf) > silent)]
    for i, begin in enumerate(starts):
        last = boundaries[np.searchsorted(boundaries, starts[i + 1]) - 1] if i + 1 < len(starts) else boundaries[-1]
        end = last if i + 1 < len(starts) or now - last > silent else now
        for piece in range(axis.piece(int(begin) - 1), axis.piece(max(int(end) - 1, int(begin) - 1)) + 1):
            yield piece, piece == axis.piece(int(begin) - 1)
    if len(boundaries) and now - boundaries[-1] > silent:
        yield axis.piece(now - 1), True


@lru_cache(maxsize=256)
def _problem(model: Model, covariates: tuple[tuple[str, float], ...]) -> Problem:
    return problem(model, dict(covariates))


def prior_intervals(twin: Twin, level: float = 0.9) -> dict[str, tuple[float, float, float]]:
    """(lower, median, upper) of each inferred parameter before any reading, of a person with these covariates."""
    resolved: dict[str, Any] = priors(twin.model, twin.covariates)
    tail = (1.0 - level) / 2.0
    return {n: tuple(resolved[n].quantile(p) for p in (tail, 0.5, 1.0 - tail)) for n in twin.model.inferred}
