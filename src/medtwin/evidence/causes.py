"""Planted causes: how often the filter names what really happened, how often it asks for nothing, and what it is worth.

Run: ``python -m medtwin.evidence.causes``; writes ``docs/evidence/planted-causes.md`` and ``.json``.

Lives (see :mod:`lives`) in which one thing is wrong that the record does not tell: a meal that nobody announced, a
sensor that is pressed at night, a sensor whose offset jumps, an insulin sensitivity that halves. Questions arise by the
rule that is shipped (:mod:`medtwin.twin.disagreements`). A planted cause counts as *named* when a question of its hypothesis
arises in time; a question is *false* when nothing that it names had happened. The forecast of glucose one hour ahead (future
announced meals and doses known) is compared with the same filter that has one hypothesis only: "doing nothing".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from medtwin.evidence.following import READING, Followed
from medtwin.evidence.lives import DAY, Lives
from medtwin.inference.belief import people
from medtwin.inference.problem import Problem
from medtwin.physiology.model import simulate
from medtwin.statistics.scores import rmse
from medtwin.twin.disagreements import APART, SURE, _stretches

Array = NDArray[np.float64]
HORIZON = 60  # minutes


@dataclass(frozen=True)
class Ask:
    """One question to one person, in minutes from the beginning."""

    person: int
    hypothesis: str
    begin: float
    end: float
    peak: float
    amount: float
    onset: float


def asks(followed: Followed) -> list[Ask]:
    """The questions that these beliefs raise, by the shipped rule."""
    found: list[Ask] = []
    for person in range(followed.probability.shape[-1]):
        probability = followed.probability[:, :, person]
        mine: list[Ask] = []
        for begin, end, _ in _stretches(probability[:, 0]):
            mass = probability[begin : end + 1, 1:].sum(0)
            winner = int(np.argmax(mass)) + 1
            peak = begin + int(np.argmax(probability[begin : end + 1, winner]))
            if probability[peak, winner] < SURE:
                continue
            name = followed.hypotheses[winner]
            at = ((begin + 1.0) * READING, (end + 1.0) * READING, (peak + 1.0) * READING)
            amount = onset = float("nan")
            if name in followed.amount:
                amount = float(followed.amount[name][peak, person])
                onset = at[2] - float(followed.minutes_ago[name][peak, person])
            last = mine[-1] if mine else None
            if last and last.hypothesis == name and at[0] - last.end <= APART.total_seconds() / 60:
                mine[-1] = replace(last, end=at[1])
            else:
                mine.append(Ask(person, name, *at, amount, onset))
        found += mine
    return found


@eqx.filter_jit
def _ahead(p: Problem, vector: Any, memory: Any, inputs: Any, t0: Any) -> Any:
    state, parameters = people(p, vector, memory)
    _, seen = simulate(p.model, state, parameters, inputs, t0=t0)
    return seen["glucose"][-1]


def hour_ahead(lives: Lives, followed: Followed, rows: NDArray[np.int64]) -> tuple[Array, Array]:
    """Forecast of what a faultless sensor would state an hour after each of ``rows``, and the truth; ``(rows, n)``."""
    forecast, truth = [], []
    for row in rows:
        at = (int(row) + 1) * READING
        part = slice(at, at + HORIZON)
        inputs = {name: jnp.asarray(values[part]) for name, values in lives.tape.inputs.items()}
        vector, memory = jnp.asarray(followed.vector[row])[:, None], jnp.asarray(followed.memory[row])[:, None]
        held = {name: values[:, None] for name, values in inputs.items()}
        forecast.append(np.asarray(_ahead(followed.problem, vector, memory, held, jnp.asarray(float(at))))[0])
        truth.append(lives.glucose[at + HORIZON - 1])
    return np.stack(forecast), np.stack(truth)


def hour_errors(lives: Lives, followed: Followed) -> float:
    """RMSE of the hour-ahead forecast on the second day, mg/dL."""
    last = lives.glucose.shape[0] - HORIZON
    rows = np.arange(DAY // READING, last // READING)
    forecast, truth = hour_ahead(lives, followed, rows)
    return rmse(forecast - truth)


@dataclass(frozen=True)
class Cause:
    """What was planted: of whom, when it began and until when a question about it comes in time (minutes)."""

    person: int
    hypothesis: str
    begin: float
    until: float
    amount: float = float("nan")


def missed_meals(lives: Lives, least: float = 20.0) -> list[Cause]:
    """Meals of at least ``least`` g that nobody announced; to be named within two and a half hours."""
    missed = (lives.meals >= least) & ~lives.told
    last = lives.meals.shape[0]
    return [
        Cause(int(who), "missed_meal", float(at), float(at) + 150.0, float(lives.meals[at, who]))
        for at, who in zip(*np.nonzero(missed), strict=True)
        if at + 150 < last and at > 240
    ]


def pressed(n: int, minutes: int, rng: np.random.Generator) -> tuple[Array, list[Cause]]:
    """A compressed sensor once each night: 35 to 60 mg/dL too low for 20 to 35 minutes, with ramps of one reading."""
    fault, causes = np.zeros((minutes, n)), []
    for who in range(n):
        for night in range(minutes // DAY):
            begin = night * DAY + READING * int(rng.integers(12, 66))  # between 1:00 and 5:30
            length = READING * int(rng.integers(4, 8))
            depth = -float(rng.uniform(35.0, 60.0))
            shape = np.full(length, depth)
            shape[:READING] /= 2
            shape[-READING:] /= 2
            fault[begin : begin + length, who] += shape
            causes.append(Cause(who, "sensor_low", float(begin), float(begin + length + 15)))
    return fault, causes


def shifted(n: int, minutes: int, rng: np.random.Generator) -> tuple[Array, list[Cause]]:
    """On the second day the offset of each sensor jumps by 20 to 35 mg/dL up or down, for 8 to 12 hours."""
    fault, causes = np.zeros((minutes, n)), []
    for who in range(n):
        begin = DAY + int(rng.integers(60, 600))
        end = begin + int(rng.integers(480, 720))
        fault[begin:end, who] += float(rng.choice([-1.0, 1.0]) * rng.uniform(20.0, 35.0))
        causes.append(Cause(who, "sensor_bias", float(begin), float(begin + 240)))
    return fault, causes


def named(causes: list[Cause], raised: list[Ask], early: float = 15.0) -> list[Ask | None]:
    """For each cause the first question of its hypothesis that overlaps its time, else None."""
    found: list[Ask | None] = []
    for cause in causes:
        hits = [
            ask
            for ask in raised
            if ask.person == cause.person
            and ask.hypothesis == cause.hypothesis
            and ask.begin <= cause.until
            and ask.end >= cause.begin - early
        ]
        found.append(min(hits, key=lambda a: a.begin) if hits else None)
    return found


def false_asks(causes: list[Cause], raised: list[Ask], after: float = 240.0, early: float = 15.0) -> list[Ask]:
    """Questions during which, and in the ``after`` minutes before which, nothing was planted in that person."""
    return [
        ask
        for ask in raised
        if not any(
            c.person == ask.person and ask.begin <= c.until + after and ask.end >= c.begin - early for c in causes
        )
    ]
