"""Virtual lives for evidence: people drawn from a glucose model's own prior, who eat, dose and wear a sensor.

The truth is the model's own equations with its own process noise, its full joint prior (also of the parameters that no filter
infers) and the start-up spread: exactly what a filter assumes, so that a calibrated filter must be found calibrated
(Talts et al. 2018). It says nothing about other equations; a *world* does that.

Doses follow announced carbohydrate and the sensor's readings alone, by the same rule for everyone (basal rate and
corrections move with the last reading), so that a dose tells nothing of a person
beyond what readings tell. Otherwise doses would be
data about parameters which a filter, rightly, does not use, and no filter could be found calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from medtwin.inference import tape as tapes
from medtwin.inference.problem import Problem
from medtwin.inference.tape import Tape
from medtwin.physiology.model import draw

DAY = 1440
TARGET, REFERENCE_WEIGHT = 120.0, 75.0  # mg/dL, kg
GRAMS_PER_MINUTE = 5.0


@dataclass(frozen=True)
class Lives:
    """Lives of ``n`` people: the tape that a twin sees, and the truth that it never sees."""

    problem: Problem  #: with each person's body weight known
    tape: Tape
    deviates: NDArray[np.float64]  #: true deviates ``[inferred, n]`` at the end
    parameters: Any
    glucose: NDArray[np.float64]  #: what a faultless, noiseless sensor would state ``(steps, n)``
    meals: NDArray[np.float64]  #: g eaten, at the minute each meal begins ``(steps, n)``
    told: NDArray[np.bool_]  #: where a meal began and was announced


def meal_plan(rng: np.random.Generator, days: int, n: int) -> NDArray[np.float64]:
    """Grams at the minute a meal begins: three meals a day and now and then a snack; ``(minutes, n)``."""
    plan = np.zeros((days * DAY, n))
    for day in range(days):
        for hour, median, often in ((7.5, 45.0, 1.0), (12.75, 60.0, 1.0), (16.0, 18.0, 0.3), (19.0, 70.0, 1.0)):
            begins = (day * DAY + hour * 60 + 35 * np.clip(rng.standard_normal(n), -2, 2)).astype(int)
            grams = np.clip(median * np.exp(0.3 * rng.standard_normal(n)), 8.0, 120.0)
            eats = rng.random(n) < often
            plan[begins[eats], np.flatnonzero(eats)] = grams[eats]
    return plan


def eaten(plan: NDArray[np.float64]) -> NDArray[np.float64]:
    """Carbohydrate per minute: each meal is eaten at 5 g/min from its minute on."""
    rate, left = np.zeros_like(plan), np.zeros(plan.shape[1])
    for minute in range(plan.shape[0]):
        left += plan[minute]
        rate[minute] = np.minimum(left, GRAMS_PER_MINUTE)
        left -= rate[minute]
    return rate


def walks(rng: np.random.Generator, days: int, n: int) -> NDArray[np.float64]:
    """Heart rate by minute ``(minutes, n)``: 0 (at rest), and on six days of ten a walk of 20 to 60 min at 95 to 125."""
    heart = np.zeros((days * DAY, n))
    for day in range(days):
        begins = (day * DAY + rng.uniform(9.0, 19.0, n) * 60).astype(int).tolist()
        lasts, rates = rng.uniform(20.0, 60.0, n).astype(int).tolist(), rng.uniform(95.0, 125.0, n)
        for who in np.flatnonzero(rng.random(n) < 0.6).tolist():
            heart[begins[who] : begins[who] + lasts[who], who] = rates[who]
    return heart


@eqx.filter_jit
def _live(
    problem: Problem, state: Any, parameters: Any, told: Array, rate: Array, error: Array, factor: Array, heart: Array,
    lost: Array, key: Array, changing: tuple[str, ...], injects: bool,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Minutes of life in a closed loop: readings, what a faultless sensor states, basal rate, bolus; ``(minutes, n)``."""
    model = problem.model
    dt = jnp.asarray(model.clock.step, dtype=float)
    weight = parameters.body_weight / REFERENCE_WEIGHT
    noisy = np.asarray([problem.states.index(name) for name in problem.noisy])

    def minute(carry: tuple[Any, Array], now: tuple[Array, ...]) -> tuple[tuple[Any, Array], tuple[Array, ...]]:
        state, last = carry
        i, announced, eats, wrong, times, beats, leaks = now
        person = parameters
        for name in changing:
            person = eqx.tree_at(attrgetter(name), person, getattr(parameters, name) * times)
        basal = 0.9 * weight * jnp.clip(1.0 + (last - TARGET) / 90.0, 0.0, 3.0)
        correction = jnp.where(announced > 0, jnp.maximum(last - 150.0, 0.0) / 50.0, 0.0)
        bolus = weight * (announced / 12.0 + correction)
        if not injects:
            basal, bolus = jnp.zeros_like(basal), jnp.zeros_like(bolus)
        arrives = bolus * (1.0 - leaks)
        inputs = {
            "carbohydrate_intake": eats,
            "insulin_bolus": arrives,
            "insulin_basal_rate": basal,
            "heart_rate": beats,
        }
        inputs = {one.quantity: inputs[one.quantity] for one in model.accepts}
        t = i.astype(dt.dtype) * dt
        after = model.step(t, dt, state, person, inputs)
        shock = jax.random.normal(jax.random.fold_in(key, i), (len(noisy), eats.shape[0]))
        sd = problem.noise_sd(after, person, eats.shape)[noisy]
        moved = problem.pack(after, eats.shape).at[noisy].add(sd * jnp.sqrt(dt) * shock)
        after = model.project(problem.unpack(moved, problem.recall(after, eats.shape)), person)
        glucose = jnp.broadcast_to(model.observe(t + dt, after, person)["glucose"], eats.shape)
        reading = glucose + wrong
        last = jnp.where((i + 1) % 5 == 0, reading, last)
        return (after, last), (reading, glucose, basal, bolus)

    begin = (state, jnp.full(told.shape[1], TARGET))
    now = (jnp.arange(told.shape[0]), told, rate, error, factor, heart, lost)
    return jax.lax.scan(minute, begin, now)[1]  # type: ignore[return-value]


def live(
    problem: Problem,
    n: int,
    days: int,
    seed: int,
    *,
    sensor_sd: float = 7.0,
    unannounced: float = 0.0,
    faults: NDArray[np.float64] | None = None,
    change: tuple[str | tuple[str, ...], float, int] | None = None,
    injects: bool = True,
    lost: NDArray[np.bool_] | None = None,
) -> Lives:
    """``n`` people for ``days`` days from midnight, a reading every 5 minutes with independent error ``sensor_sd`` mg/dL.

    ``unannounced``: share of meals that are eaten and told to nobody. ``faults``: what the sensor adds ``(minutes, n)``.
    ``change``: (parameter or several, factor, minute): from that minute on they are multiplied. ``lost (minutes, n)``: where a
    bolus that is recorded does not arrive. ``injects``: whether insulin is given; a model that takes a heart rate hears of a
    walk on six days of ten.
    """
    model = problem.model
    rng = np.random.default_rng(seed)
    parameters = draw(model, jax.random.PRNGKey(seed), n)
    own = problem.at(body_weight=parameters.body_weight)
    z = np.stack([np.asarray(own.curves[name].deviate(getattr(parameters, name))) for name in own.inferred])
    rest = model.initial(parameters)
    spread = np.asarray(own.spread)[:, None] * rng.standard_normal((len(own.states), n))
    state = model.project(own.unpack(own.pack(rest, (n,)) + spread, own.recall(rest, (n,))), parameters)
    plan = meal_plan(rng, days, n)
    told = (plan > 0) & (rng.random(plan.shape) >= unannounced)
    error = sensor_sd * rng.standard_normal(plan.shape) + (0.0 if faults is None else faults)
    factor = np.ones(plan.shape[0])
    if change is not None:
        factor[change[2] :] = change[1]
    heart = walks(rng, days, n) if any(one.quantity == "heart_rate" for one in model.accepts) else np.zeros(plan.shape)
    reading, glucose, basal, bolus = _live(
        own, state, parameters, jnp.asarray(plan * told), jnp.asarray(eaten(plan)), jnp.asarray(error),
        jnp.asarray(factor), jnp.asarray(heart), jnp.asarray(np.zeros(plan.shape) if lost is None else lost, float),
        jax.random.PRNGKey(seed + 1), _several(change[0]) if change else (), injects,
    )  # fmt: skip
    tape = tapes.blank(model, plan.shape[0], (n,))
    tape.inputs["carbohydrate_intake"][...] = eaten(plan * told)
    given = {"insulin_bolus": np.asarray(bolus), "insulin_basal_rate": np.asarray(basal), "heart_rate": heart}
    for quantity, value in given.items():
        if quantity in tape.inputs:
            tape.inputs[quantity][...] = value
    seen = tape.readings["glucose"]
    seen.value[...] = np.asarray(reading)
    seen.sd[...] = sensor_sd
    seen.present[4::5] = True
    return Lives(own, tape, z, parameters, np.asarray(glucose), plan, told)


def _several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
