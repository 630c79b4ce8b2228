"""What is given, eaten or done, written once, acting on every model that accepts it.

An :class:`Exposure` is one quantity, when, and how much. :func:`inputs` turns exposures into the arrays that a model's
steps read: for each step the average over that step, so that what was given is conserved whatever the grid is. Where a
meal begins or a basal rate changes within a step, the step gets its share.

========  ================================  ===========================================================================
kind      what the model reads              over time
========  ================================  ===========================================================================
amount    amount per unit of model time     evenly from ``time`` to ``until``; without ``until`` at the quantity's
                                            usual pace (``PACE``: a meal at 5 g/min), or else within one step
rate      the rate, in its own unit         holds until the next statement, or until ``until`` where that comes first
level     the level, in its own unit        the same
========  ================================  ===========================================================================

Times are in seconds from any origin; numpy only, so that a server can prepare inputs without JAX.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medtwin.errors import ModelError
from medtwin.quantities import Kind
from medtwin.quantities.registry import get

Array = NDArray[np.float64]
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

#: Amount per second at which a quantity is taken when its end is not known.
PACE = {
    "carbohydrate_intake": 5.0 / MINUTE,
    "protein_intake": 5.0 / MINUTE,
    "fat_intake": 5.0 / MINUTE,
    "energy_intake": 20.0 / MINUTE,  # 5 g/min of carbohydrate
}
#: Energy of one gram, kcal (Atwater).
ENERGY = {"carbohydrate_intake": 4.0, "protein_intake": 4.0, "fat_intake": 9.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """``amount`` of a quantity (in its own unit) at ``time``, to ``until``; both in seconds."""

    quantity: str
    time: float
    amount: float
    until: float | None = None


class Accepted(Protocol):
    """What a model says of one input (``Accepts``)."""

    @property
    def quantity(self) -> str: ...
    @property
    def resting(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """``count`` steps of ``step`` seconds from ``start``."""

    start: float
    step: float
    count: int

    @property
    def end(self) -> float:
        """Where the last step ends."""
        return self.start + self.step * self.count

    @property
    def edges(self) -> NDArray[np.floating]:
        """Where the steps begin and end."""
        return self.start + self.step * np.arange(self.count + 1, dtype=np.float64)


def meal(
    time: float,
    *,
    carbohydrate: float = 0.0,
    protein: float = 0.0,
    fat: float = 0.0,
    energy: float | None = None,
    until: float | None = None,
) -> tuple[Exposure, ...]:
    """Food: grams of each nutrient, and its energy (kcal; from the grams where it is not stated)."""
    grams = {"carbohydrate_intake": carbohydrate, "protein_intake": protein, "fat_intake": fat}
    given = {name: amount for name, amount in grams.items() if amount}
    total = sum(ENERGY[name] * amount for name, amount in given.items()) if energy is None else energy
    if total:
        given["energy_intake"] = total
    return tuple(Exposure(quantity=name, time=time, amount=amount, until=until) for name, amount in given.items())


def bolus(time: float, units: float, *, until: float | None = None) -> Exposure:
    """Rapid-acting insulin, at once; or evenly until ``until`` (an extended bolus)."""
    return Exposure(quantity="insulin_bolus", time=time, amount=units, until=until)


def basal(time: float, units_per_hour: float, *, until: float | None = None) -> Exposure:
    """A basal rate that holds from ``time`` until the next one, or until ``until``."""
    return Exposure(quantity="insulin_basal_rate", time=time, amount=units_per_hour, until=until)


def activity(
    time: float,
    *,
    until: float,
    steps: float = 0.0,
    energy: float = 0.0,
    heart_rate: float | None = None,
) -> tuple[Exposure, ...]:
    """A walk, a ride: steps and energy (kcal) spread over it, and the heart rate that holds during it."""
    given = {"step_count": steps, "active_energy": energy, "physical_activity": (until - time) / MINUTE}
    done = [Exposure(quantity=name, time=time, amount=amount, until=until) for name, amount in given.items() if amount]
    if heart_rate is not None:
        done.append(Exposure(quantity="heart_rate", time=time, amount=heart_rate, until=until))
    return tuple(done)


def spread(time: Array, amount: Array, duration: Array, grid: Grid) -> Array:
    """Amount per second in each step. What falls before or after the grid stays out of it.

    A duration of zero puts the whole amount into the step that holds ``time`` (a time on an edge: the step it begins).
    """
    time, amount, duration = (np.atleast_1d(np.asarray(x, dtype=float)) for x in (time, amount, duration))
    if np.any(duration < 0):
        raise ModelError("an exposure that ends before it begins", expected="a duration of at least zero")
    given = np.zeros(grid.count)
    at_once = time + duration == time
    step = np.floor((time[at_once] - grid.start) / grid.step).astype(np.int64)
    inside = (step >= 0) & (step < grid.count)
    np.add.at(given, step[inside], amount[at_once][inside])

    begin, whole = time[~at_once], amount[~at_once]
    end = begin + duration[~at_once]
    first = np.clip(np.floor((begin - grid.start) / grid.step), 0, grid.count).astype(np.int64)
    last = np.clip(np.ceil((end - grid.start) / grid.step), 0, grid.count).astype(np.int64)
    spans = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(spans)), spans)
    step = np.arange(spans.sum()) - np.repeat(np.cumsum(spans) - spans, spans) + first[which]

    def share(
        edge: NDArray[np.floating],
    ) -> NDArray[np.floating]:  # of each exposure given by then; differences of it add up to exactly 1
        length = (end - begin)[which]
        return np.clip(edge - begin[which], 0.0, length) / length

    edges = grid.edges
    np.add.at(given, step, whole[which] * (share(edges[step + 1]) - share(edges[step])))
    return given / grid.step


def hold(time: Array, value: Array, until: Array, grid: Grid, otherwise: float = 0.0) -> Array:
    """Average value in each step, where each value holds until the next statement or its ``until`` (may be inf).

    Of two statements at one time the later in the array holds. Outside all statements the value is ``otherwise``.
    """
    time, value, until = (np.atleast_1d(np.asarray(x, dtype=float)) for x in (time, value, until))
    order = np.argsort(time, kind="stable")
    time, value, until = time[order], value[order], until[order]
    ends = np.minimum(until, np.append(time[1:], np.inf)) if len(time) else time
    begin, end = np.clip(time, grid.start, grid.end), np.clip(ends, grid.start, grid.end)
    length = end - begin
    holds = length > 0
    # the departure from ``otherwise`` is an amount like any other
    return otherwise + spread(begin[holds], ((value - otherwise) * length)[holds], length[holds], grid)


def inputs(
    exposures: Iterable[Exposure], accepts: Iterable[Accepted], grid: Grid, *, unit: float
) -> dict[str, NDArray[np.float64]]:
    """The inputs of each step of a model that ``accepts`` them; ``unit`` is the seconds in a unit of its time.

    What the model does not accept is passed over: the same exposures serve every model.
    """
    by_quantity: dict[str, list[Exposure]] = {}
    for exposure in exposures:
        by_quantity.setdefault(exposure.quantity, []).append(exposure)
    read = {}
    for accepted in accepts:
        kind, given = get(accepted.quantity).kind, by_quantity.get(accepted.quantity, [])
        time = np.array([e.time for e in given], dtype=float)
        amount = np.array([e.amount for e in given], dtype=float)
        if kind is Kind.AMOUNT:
            pace = PACE.get(accepted.quantity)
            usual = np.abs(amount) / pace if pace else np.zeros_like(amount)
            ends = np.array([np.nan if e.until is None else e.until for e in given], dtype=float)
            duration = np.where(np.isnan(ends), usual, ends - time)
            read[accepted.quantity] = spread(time, amount, duration, grid) * unit + accepted.resting
        elif kind in (Kind.RATE, Kind.LEVEL):
            until = np.array([np.inf if e.until is None else e.until for e in given], dtype=float)
            read[accepted.quantity] = hold(time, amount, until, grid, accepted.resting)
        else:
            raise ModelError(f"the input {accepted.quantity!r} of kind {kind}", expected="an amount, a rate or a level")
    return read
