"""What a filter believed at each reading of a past, with nothing known then that came to be known later.

A forecast at a reading may use that reading, and facts that were true by then *and* available by the time at which the
reading was. Most facts are: they are available before the next reading is. One that came later (a meal told an hour
after it, a correction, a retraction) must be absent from the beliefs before its arrival and present in those after it.
So the past is cut into eras at such arrivals; in each era the record is the one that was known at its beginning plus
what came promptly, and the twin advances from era to era by replaying what the late fact touches. That is what a live
medtwin does; beliefs here are what it would have held.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from medtwin.inference.problem import Problem
from medtwin.record import Event, Record
from medtwin.twin.choice import Choice
from medtwin.twin.covariates import quantities
from medtwin.twin.rolling import moved, setting_out
from medtwin.twin.snapshot import MemoryShelf
from medtwin.twin.twin import Twin, advance, assimilate

Progress = Callable[[int, int], None]
ERAS = 1500  #: late arrivals beyond this many are bundled, each then entering later than it came, never earlier


@dataclass(frozen=True)
class Readings:
    """The readings of a quantity that serve as origins: true times, and when each was available; both ascending."""

    moments: tuple[datetime, ...] = field(repr=False)
    available: tuple[datetime, ...] = field(repr=False)


def arrivals(history: Sequence[Event], origins: Readings) -> list[int]:
    """For each version of a fact: the number of the first origin that may use it.

    An origin may use what was true by its own time and available when it was; facts of the far future get
    ``len(moments)``, which is never reached.
    """
    return [
        max(bisect_left(origins.moments, event.instant), bisect_left(origins.available, event.available))
        for event in history
    ]


def eras(history: Sequence[Event], origins: Readings, most: int = ERAS) -> tuple[list[int], int]:
    """(numbers of the origins at which an era begins, how many versions of facts came late).

    Late is what an origin after its true time could not know yet. The first era begins at 0.
    """
    late: set[int] = set()
    count = 0
    for event, first in zip(history, arrivals(history, origins), strict=True):
        if first > bisect_left(origins.moments, event.instant):
            count += 1
            late.add(first)
    begins = sorted({0, *(n for n in late if n < len(origins.moments))})
    if len(begins) > most:
        keep = np.unique(np.linspace(0, len(begins) - 1, most).round().astype(int))
        begins = [begins[i] for i in keep]
    return begins, count


def relevant(record: Record, choice: Choice, quantity: str) -> tuple[Event, ...]:
    """The versions of facts that can matter to this model: what it is told, its covariates, and the quantity."""
    assert choice.model is not None
    names = {quantity, *choice.model.observes, *(a.quantity for a in choice.model.accepts), "insulin_long_acting"}
    names |= quantities(choice.model)
    return tuple(event for event in record.history if event.quantity in names)


def changes_as_known(
    patient: str, choice: Choice, record: Record, quantity: str, origins: Readings, ends: Sequence[float],
    progress: Progress | None = None,
) -> tuple[np.ndarray, int, int]:  # fmt: skip
    """The model's own change of ``quantity`` from each origin to each end (seconds), as believed then: ``(origins, ends)``.

    Also the number of eras and of late versions. NaN where there was no belief yet. Inputs after an origin are those
    that had begun by then; nothing planned, nothing foreseen.
    """
    history = sorted(relevant(record, choice, quantity), key=lambda e: (e.instant, e.available))
    begins, late = eras(history, origins)
    # a late fact enters where an era begins: at its arrival or, where arrivals were bundled, after it
    enters: dict[int, list[Event]] = {n: [] for n in begins}
    prompt: dict[int, list[Event]] = {n: [] for n in begins}
    for event, first in zip(history, arrivals(history, origins), strict=True):
        if first >= len(origins.moments):
            continue  # no origin may use it
        if first == bisect_left(origins.moments, event.instant):
            prompt[begins[max(int(np.searchsorted(begins, first, side="right")) - 1, 0)]].append(event)
        else:
            place = int(np.searchsorted(begins, first))
            if place < len(begins):
                enters[begins[place]].append(event)
    shelf = MemoryShelf()
    known = Record(patient, (), record.zone, record.epoch)
    twin: Twin | None = None
    groups: list[_Group] = []  # eras that share a problem: a covariate that comes to be known makes another one
    for number, begin in enumerate(begins):
        end = begins[number + 1] if number + 1 < len(begins) else len(origins.moments)
        fresh = enters[begin] + prompt[begin]
        grown = known.grown(fresh)
        at = origins.moments[end - 1]
        twin = _moved_on(patient, choice, twin, known, grown, fresh, at, shelf)
        known = grown
        if twin is not None:
            reach = np.array([int(seconds / twin.axis.length) for seconds in ends])
            boundaries = np.array([twin.axis.boundary(m) for m in origins.moments[begin:end]])
            new = tuple(p for p in twin.pieces if p.piece >= twin.axis.piece(int(boundaries[0]) - 1))
            if not groups or groups[-1].problem is not twin.problem:
                groups.append(_Group(twin.problem, reach))
            groups[-1].where.append(np.arange(begin, end))
            groups[-1].parts.append(setting_out(replace(twin, pieces=new), boundaries, int(reach.max())))
        if progress is not None:
            progress(end, len(origins.moments))
    result = np.full((len(origins.moments), len(ends)), np.nan)
    for group in groups:
        result[np.concatenate(group.where)] = group.moved(quantity)
    return result, len(begins), late


@dataclass
class _Group:
    """Origins from which one problem's forecasts set out, gathered so that few calls are made."""

    problem: Problem
    reach: np.ndarray
    where: list[np.ndarray] = field(default_factory=list)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]] = field(default_factory=list)

    def moved(self, quantity: str) -> np.ndarray:
        vectors, memory, hours, inputs = zip(*self.parts, strict=True)
        joined = {q: np.concatenate([part[q] for part in inputs], axis=1) for q in inputs[0]}
        return moved(
            self.problem,
            quantity,
            np.concatenate(vectors),
            np.concatenate(memory),
            np.concatenate(hours),
            joined,
            self.reach,
        )


def _moved_on(
    patient: str, choice: Choice, twin: Twin | None, before: Record, after: Record, new: Sequence[Event], at: datetime,
    shelf: MemoryShelf,
) -> Twin | None:  # fmt: skip
    # a reading stands at the boundary nearest to it, which may lie half a step ahead of it
    assert choice.model is not None
    at = at + timedelta(seconds=choice.model.clock.unit * choice.model.clock.step / 2.0)
    if twin is not None:
        heard = advance(twin, before, after, new, at, shelf)
        if heard is not None:
            return heard[0]
    if not any(event.quantity in choice.model.observes and event.instant <= at for event in after.events):
        return None
    return assimilate(patient, choice, after, at, shelf)[0]
