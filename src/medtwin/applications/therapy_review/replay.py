"""The person's own days lived again under other settings.

Each day of the record is lived by the twin's members twice: with the insulin that was given, and with the changed one; the
same members, the same noise. They begin twelve hours before the day with what the twin believed then, and the change acts in
those hours too: a setting is changed for good, so the night after a dinner belongs to it as the evening does. The paired
difference, widened by the model's own error of an effect (:mod:`medtwin.twin.effects`), is added to the readings of that day:
what the model does not know of the day (a meal that nobody told of) stays in them. It holds for changes that are small; food
and exercise stay as they were, and so does what the person did against a low.

Days run from one end of a piece of the twin's life to another (two hours, UTC), since there its beliefs are kept. A day
counts that has readings for 70 % of the time and for half of each quarter: lows of a night without readings are unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from medtwin.inference.forecasts import forecast_alternatives
from medtwin.record import Record
from medtwin.twin import serial
from medtwin.twin.effects import with_model_error
from medtwin.twin.readings import exact_readings
from medtwin.twin.twin import Twin

Array = NDArray[np.float64]
MEMBERS = 60
DAY = timedelta(days=1)
LEAD = timedelta(hours=12)  #: in which a change acts before the day that is judged; with six, effects came out smaller
WIDTHS = (9, 33)  #: alternatives that run side by side: two functions are compiled, not one for each number of settings
NEAR = timedelta(minutes=45)  #: of a meal, in which a bolus belongs to it
LEAST_OF_DAY, LEAST_OF_QUARTER = 0.7, 0.5  #: of readings that a day and each quarter of it must have
LOWEST, HIGHEST = 39.0, 401.0  #: mg/dL: "Low" and "High" of a sensor
BOLUS, BASAL, CARBS = "insulin_bolus", "insulin_basal_rate", "carbohydrate_intake"
Kind = Literal["basal", "meal bolus", "other bolus"]


@dataclass(frozen=True)
class Change:
    """``factor`` times the insulin of one kind within hours ``begin`` to ``end`` of the person's clock (17 to 4: over
    midnight)."""

    kind: Kind
    begin: float
    end: float
    factor: float


@dataclass(frozen=True)
class Day:
    """One day of the record: its readings, and the inputs of each step from ``lead`` steps before it on."""

    begin: datetime
    minute: Array  #: of each reading, from the day's beginning
    glucose: Array  #: mg/dL
    inputs: dict[str, Array]
    hour: Array  #: of each step's beginning, on the person's clock
    fed: NDArray[np.bool_]  #: whether a told meal lies within NEAR of a step
    lead: int
    length: float = 60.0  #: seconds a step

    def hours(self, begin: float, end: float) -> NDArray[np.bool_]:
        """Steps within these hours of the person's clock."""
        if begin < end:
            return (self.hour >= begin) & (self.hour < end)
        return (self.hour >= begin) | (self.hour < end)

    def units(self, quantity: str, where: NDArray[np.bool_] | None = None) -> float:
        """What was given of a bolus or a basal rate on the day itself, U; of carbohydrate, g."""
        unit = 3600.0 if quantity == BASAL else 60.0  # a rate stands in U/h, an amount per minute of the model
        given = self.inputs[quantity] if where is None else self.inputs[quantity] * where
        return float(given[self.lead :].sum()) * self.length / unit


def days(twin: Twin, record: Record, at: datetime, count: int) -> list[Day]:
    """Of the last ``count`` days before ``at`` those with readings enough and a belief to begin from, oldest first."""
    readings, origin = exact_readings(record, "glucose", at)
    moment = origin.timestamp() + readings.time
    axis = twin.axis
    steps, lead, near = (round(span.total_seconds() / axis.length) for span in (DAY, LEAD, NEAR))
    end = axis.piece(axis.boundary(at)) * axis.steps
    slot = max(readings.interval, axis.length)
    held = {piece.piece for piece in twin.pieces}
    made = []
    for first in range(end - count * steps, end, steps):
        begin = axis.moment(first)
        low, high = np.searchsorted(moment, [begin.timestamp(), (begin + DAY).timestamp()])
        since = moment[low:high] - begin.timestamp()
        if axis.piece(first - lead) - 1 not in held or not _seen(since, slot):
            continue
        given = {q: d.held(first - lead, lead + steps) for q, d in twin.facts.doses.items()}
        hour = np.array([axis.since_midnight(s) for s in range(first - lead, first + steps)]) * axis.unit / 3600.0
        wide = twin.facts.doses[CARBS].held(first - lead - near, lead + steps + 2 * near)
        made.append(
            Day(
                begin, since / 60.0, readings.value[low:high], given, hour, near_food(wide, near)[near:-near], lead,
                axis.length,
            )
        )  # fmt: skip
    return made


def _seen(since: Array, slot: float) -> bool:
    """Whether readings (seconds from the day's beginning) cover it, each slot of a usual interval counted once."""
    slots = np.unique(since // slot) * slot
    whole = DAY.total_seconds()
    if len(slots) < LEAST_OF_DAY * whole / slot:
        return False
    quarters = np.bincount((slots // (whole / 4)).astype(int), minlength=4)
    return bool((quarters >= LEAST_OF_QUARTER * whole / 4 / slot).all())


def acts_on(day: Day, change: Change) -> NDArray[np.bool_]:
    """Steps whose insulin a change of this kind and time multiplies."""
    hours = day.hours(change.begin, change.end)
    return hours if change.kind == "basal" else hours & (day.fed == (change.kind == "meal bolus"))


def changed(day: Day, changes: Sequence[Change]) -> dict[str, Array]:
    """The inputs of a day with some of its insulin multiplied."""
    given = {q: v.copy() for q, v in day.inputs.items()}
    for one in changes:
        given[BASAL if one.kind == "basal" else BOLUS][acts_on(day, one)] *= one.factor
    return given


def touched(day: Day, change: Change) -> float:
    """Insulin of the day that a change of this kind and time acts on, U."""
    return day.units(BASAL if change.kind == "basal" else BOLUS, acts_on(day, change))


def lived(
    twin: Twin,
    every: Sequence[Day],
    alternatives: Sequence[Sequence[Change]],
    progress: Callable[[int, int], None] | None = None,
) -> list[list[Array]]:
    """For each alternative, for each day, predicted readings ``(readings, members)``, mg/dL. An alternative without a
    change gives the measured ones."""
    pieces = {piece.piece: piece for piece in twin.pieces}
    made: list[list[Array]] = [[] for _ in alternatives]
    for n, day in enumerate(every):
        first = twin.axis.boundary(day.begin) - day.lead
        belief = serial.from_bytes(pieces[twin.axis.piece(first) - 1].belief)
        given = [day.inputs, *(changed(day, changes) for changes in alternatives)]
        given += [day.inputs] * (next((w for w in WIDTHS if w >= len(given)), len(given)) - len(given))
        futures = forecast_alternatives(
            twin.problem, belief, {q: jnp.asarray(np.stack([one[q] for one in given], 1), float) for q in day.inputs},
            MEMBERS, jax.random.key(0), quantity="glucose", steps=len(day.hour),
            t0=jnp.asarray(twin.axis.since_midnight(first), float),
        )  # fmt: skip
        place = day.lead + (day.minute * 60.0 / day.length).astype(int) - 1  # observations stand after their step
        seen = np.asarray(futures[place], np.float64)
        since = LEAD.total_seconds() / 3600.0 + day.minute / 60.0
        for k in range(len(alternatives)):
            effect = with_model_error(seen[:, :, k + 1] - seen[:, :, 0], since, twin.model.name)
            made[k].append(np.clip(day.glucose[:, None] + effect, LOWEST, HIGHEST))
        if progress is not None:
            progress(n + 1, len(every))
    return made


def near_food(carbs: Array, near: int) -> NDArray[np.bool_]:
    """Steps within ``near`` steps of carbohydrate."""
    eaten = (carbs > 0.0).astype(float)
    return np.convolve(eaten, np.ones(2 * near + 1), mode="full")[near:-near] > 0.5
