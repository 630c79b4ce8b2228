"""Doses of one accepted quantity, ready to be read off for any window of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from medtwin.physiology.exposures import HOUR, PACE, Grid, hold, spread
from medtwin.quantities import Kind, registry
from medtwin.record import Event
from medtwin.twin.axis import EPOCH, Axis

SPOKEN = 15 * 60.0  #: seconds for which a level (a watch's heart rate) speaks; after them it is not known, and rests
FLAT = 24 * HOUR  #: a long-acting insulin is taken to act evenly over a day
BASAL, LONG_ACTING = "insulin_basal_rate", "insulin_long_acting"


@dataclass(frozen=True)
class Doses:
    """Seconds since the axis's origin: ``time``, ``until`` (inf: holds until the next); ``amount`` in the quantity's unit.

    ``steady`` are long-acting injections, which act as a basal rate.
    """

    quantity: str
    axis: Axis
    resting: float
    time: np.ndarray = field(repr=False)
    amount: np.ndarray = field(repr=False)
    until: np.ndarray = field(repr=False)
    steady: Doses | None = field(default=None, repr=False)

    def held(self, first: int, steps: int, begun_by: int | None = None) -> np.ndarray:
        """Input ``(steps,)`` from step ``first`` on; ``begun_by``: only doses that began before that boundary."""
        length = self.axis.length
        grid = Grid(start=first * length, step=length, count=steps)
        use = slice(None) if begun_by is None else slice(0, int(np.searchsorted(self.time, begun_by * length)))
        time, amount, until = self.time[use], self.amount[use], self.until[use]
        if registry.get(self.quantity).kind is Kind.AMOUNT:
            near = slice(int(np.searchsorted(time, grid.start - 2 * 86400.0)), int(np.searchsorted(time, grid.end)))
            rate = spread(time[near], amount[near], until[near] - time[near], grid)
            return self.resting + rate * self.axis.unit
        near = slice(
            max(int(np.searchsorted(time, grid.start, side="right")) - 1, 0), int(np.searchsorted(time, grid.end))
        )
        given = hold(time[near], amount[near], until[near], grid, self.resting)
        if self.steady is not None:
            given = given + self.steady.held(first, steps, begun_by) * HOUR / self.axis.unit
        return given

    def with_plans(self, plans: Sequence[Event], first: int, steps: int, begun_by: int) -> np.ndarray:
        """Input ``(steps,)`` from step ``first`` on as :meth:`held`, with ``plans`` carried out.

        Planned amounts add to what was given. A planned rate *replaces* the running one, as a pump does: from its time
        until its end or, where it states none, for good. A planned long-acting injection adds to the basal rate.
        """
        given = self.held(first, steps, begun_by)
        own = [e for e in plans if e.quantity == self.quantity]
        if registry.get(self.quantity).kind is Kind.AMOUNT:
            return given + doses(self.quantity, self.axis, own).held(first, steps) if own else given
        if own:
            rate = doses(self.quantity, self.axis, own)
            ones = Doses(self.quantity, self.axis, 0.0, rate.time, np.ones_like(rate.amount), rate.until)
            injected = 0.0 if self.steady is None else self.steady.held(first, steps, begun_by) * HOUR / self.axis.unit
            given = (given - injected) * (1.0 - ones.held(first, steps)) + rate.held(first, steps) + injected
        injections = [e for e in plans if e.quantity == LONG_ACTING]
        if self.quantity == BASAL and injections:
            given = given + doses(BASAL, self.axis, [], 0.0, injections).held(first, steps)
        return given

    def plus(self, events: Sequence[Event]) -> Doses:
        """These doses and more, in order of time."""
        more = doses(self.quantity, self.axis, events, self.resting)
        time = np.concatenate([self.time, more.time])
        order = np.argsort(time, kind="stable")
        joined = [np.concatenate(pair)[order] for pair in ((self.amount, more.amount), (self.until, more.until))]
        return Doses(self.quantity, self.axis, self.resting, time[order], joined[0], joined[1], self.steady)


def doses(
    quantity: str, axis: Axis, events: Sequence[Event], resting: float = 0.0, injections: Sequence[Event] = ()
) -> Doses:
    """Doses of ``events``. ``injections`` of long-acting insulin add to a basal rate."""
    events = sorted(events, key=lambda e: e.instant)
    time = np.array([(e.instant - EPOCH).total_seconds() for e in events])
    amount = np.array([e.value for e in events], float)
    if registry.get(quantity).kind is Kind.AMOUNT:
        pace = PACE.get(quantity)
        usual = np.abs(amount) / pace if pace else np.zeros_like(amount)
    else:
        usual = np.full_like(amount, SPOKEN if registry.get(quantity).kind is Kind.LEVEL else np.inf)
    ends = np.array([(e.until.instant - EPOCH).total_seconds() if e.until else np.inf for e in events])
    until = np.where(np.isfinite(ends), np.maximum(ends, time), time + usual)
    steady = None
    if quantity == BASAL and injections:
        flat = doses(LONG_ACTING, axis, injections)
        steady = Doses(LONG_ACTING, axis, 0.0, flat.time, flat.amount, flat.time + FLAT)
    return Doses(quantity, axis, resting, time, amount, until, steady)
