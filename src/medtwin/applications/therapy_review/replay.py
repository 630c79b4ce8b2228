"""The person's own days lived again under other settings.

For each day of the record the twin's belief at its beginning lives the day twice: with the insulin that was given, and with
the changed one; the same members, the same noise. The paired difference, widened by the model's own error of an effect
(:mod:`medtwin.twin.effects`), is added to the readings of that day: what the model does not know of the day (a meal that
nobody told of) stays in them. It holds for changes that are small; food and exercise stay as they were, and so does what
the person would have done against a low.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from medtwin.inference.belief import Belief
from medtwin.inference.forecasts import forecast_members
from medtwin.record import Record
from medtwin.twin import serial
from medtwin.twin.effects import with_model_error
from medtwin.twin.readings import exact_readings
from medtwin.twin.twin import Twin

Array = NDArray[np.float64]
MEMBERS = 60
DAY = timedelta(days=1)
NEAR = timedelta(minutes=45)  #: of a meal, in which a bolus belongs to it
BOLUS, BASAL, CARBS = "insulin_bolus", "insulin_basal_rate", "carbohydrate_intake"
Kind = Literal["basal", "meal bolus", "correction"]


@dataclass(frozen=True)
class Change:
    """``factor`` times the insulin of one kind within hours ``begin`` to ``end`` of the person's clock."""

    kind: Kind
    begin: float
    end: float
    factor: float


@dataclass(frozen=True)
class Day:
    """One day of the record: readings (minutes from its beginning, mg/dL) and the inputs of each step."""

    begin: datetime
    minute: Array
    glucose: Array
    inputs: dict[str, Array]
    hour: Array  #: of each step's beginning, on the person's clock
    fed: NDArray[np.bool_]  #: whether a meal lies within NEAR of a step


def days(twin: Twin, record: Record, at: datetime, count: int, least: float = 0.7) -> list[Day]:
    """The last ``count`` whole days before ``at`` with at least this share of readings, oldest first."""
    readings, start = exact_readings(record, "glucose", at)
    moment = np.array([start.timestamp() + s for s in readings.time])
    steps = round(DAY.total_seconds() / twin.axis.length)
    every = max(readings.interval, twin.axis.length)
    made = []
    for back in range(count, 0, -1):
        begin = at - back * DAY
        first = twin.axis.boundary(begin)
        low, high = np.searchsorted(moment, [begin.timestamp(), (begin + DAY).timestamp()])
        if high - low < least * DAY.total_seconds() / every:
            continue
        given = {q: d.held(first, steps) for q, d in twin.facts.doses.items()}
        hour = (
            twin.axis.since_midnight(first) * twin.axis.unit / 3600.0 + np.arange(steps) * twin.axis.length / 3600.0
        ) % 24.0
        made.append(
            Day(
                begin, (moment[low:high] - begin.timestamp()) / 60.0, readings.value[low:high], given, hour,
                _fed(given[CARBS], round(NEAR.total_seconds() / twin.axis.length)),
            )
        )  # fmt: skip
    return made


def changed(day: Day, changes: Sequence[Change]) -> dict[str, Array]:
    """The inputs of a day with some of its insulin multiplied."""
    given = {q: v.copy() for q, v in day.inputs.items()}
    for one in changes:
        hours = _within(day.hour, one.begin, one.end)
        if one.kind == "basal":
            given[BASAL][hours] *= one.factor
        else:
            given[BOLUS][hours & (day.fed == (one.kind == "meal bolus"))] *= one.factor
    return given


def touched(day: Day, change: Change) -> float:
    """Insulin that a change of this kind and time acts on, U."""
    hours = _within(day.hour, change.begin, change.end)
    if change.kind == "basal":
        return float(day.inputs[BASAL][hours].sum()) / 60.0
    return float(day.inputs[BOLUS][hours & (day.fed == (change.kind == "meal bolus"))].sum())


def lived(
    twin: Twin,
    every: Sequence[Day],
    alternatives: Sequence[Sequence[Change]],
    progress: Callable[[int, int], None] | None = None,
) -> list[list[Array]]:
    """For each alternative, for each day, predicted readings ``(readings, members)``, mg/dL; the first alternative's
    readings are the measured ones where it changes nothing."""
    begun = list(_beliefs(twin, every))
    made: list[list[Array]] = [[] for _ in alternatives]
    for n, (day, belief) in enumerate(zip(every, begun, strict=True)):
        first = twin.axis.boundary(day.begin)
        t0 = jnp.asarray(twin.axis.since_midnight(first), float)
        place = np.clip((day.minute * 60.0 / twin.axis.length).astype(int) - 1, 0, None)

        def run(given: dict[str, Array], belief: Belief = belief, t0: jax.Array = t0, place: Any = place) -> Array:
            steps = len(next(iter(given.values())))
            held = {q: jnp.asarray(v, float) for q, v in given.items()}
            seen = forecast_members(twin.problem, belief, held, MEMBERS, jax.random.key(0), steps=steps, t0=t0)[
                "glucose"
            ]
            return np.asarray(seen, np.float64)[np.minimum(place, steps - 1)]

        as_it_was = run(day.inputs)
        for k, changes in enumerate(alternatives):
            effect = run(changed(day, changes)) - as_it_was if changes else np.zeros_like(as_it_was)
            since = np.maximum(day.minute / 60.0, 2.0)
            effect = with_model_error(effect, since)
            made[k].append(np.clip(day.glucose[:, None] + effect, 39.0, 401.0))
        if progress is not None:
            progress(n + 1, len(every))
    return made


def _beliefs(twin: Twin, every: Sequence[Day]) -> Iterator[Belief]:
    """What the twin believed at the beginning of each day (at the last piece that ended before it)."""
    ends = np.array([(piece.piece + 1) * twin.axis.steps for piece in twin.pieces])
    for day in every:
        place = int(np.searchsorted(ends, twin.axis.boundary(day.begin), side="right")) - 1
        yield serial.from_bytes(twin.pieces[max(place, 0)].belief)


def _within(hour: Array, begin: float, end: float) -> NDArray[np.bool_]:
    return (hour >= begin) & (hour < end) if begin < end else (hour >= begin) | (hour < end)


def _fed(carbs: Array, near: int) -> NDArray[np.bool_]:
    """Steps within ``near`` steps of carbohydrate."""
    eaten = (carbs > 0.0).astype(float)
    return np.convolve(eaten, np.ones(2 * near + 1), mode="same") > 0.5
