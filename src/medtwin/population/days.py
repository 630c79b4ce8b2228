"""Days that virtual people live: when and how much they eat, what they say of it, how one day differs from the next.

Every number is a setting with a default that is judgement, in the range of published in-silico protocols: three meals of
about 45, 70 and 80 g and sometimes a snack; carbohydrate counted with an error of about 25 %; one bolus in thirty forgotten;
insulin sensitivity that differs by 15 % and absorption by 20 % from day to day. When a sensor reads below 65 mg/dL a
person eats 15 g, at most every 20 min (the usual rule of fifteen), unless ``rescue`` is zero.

Amounts are per kilogram of 75 kg people: a meal scales with body weight.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

SLOT = 5.0  #: minutes between readings, doses and decisions
SLOTS = 288  #: a day
PACE = 5.0  #: g/min, as a meal is eaten
EARLIEST, LATEST = 5.0, 1380.0  #: minutes after midnight


class Meal(eqx.Module):
    """``at``: minutes after midnight; ``grams`` at 75 kg; sds of time (min) and of the logarithm of the amount."""

    at: float = eqx.field(static=True)
    grams: float = eqx.field(static=True)
    chance: float = eqx.field(static=True, default=1.0)
    time_sd: float = eqx.field(static=True, default=30.0)
    amount_sd: float = eqx.field(static=True, default=0.25)


class Exercise(eqx.Module):
    """A walk or a run on some days: reaches models that accept a heart rate."""

    at: float = eqx.field(static=True, default=1020.0)
    minutes: float = eqx.field(static=True, default=45.0)
    heart_rate: float = eqx.field(static=True, default=120.0)
    chance: float = eqx.field(static=True, default=0.4)


class Scenario(eqx.Module):
    """Settings of the days. All static: another scenario is compiled anew."""

    meals: tuple[Meal, ...] = eqx.field(
        static=True,
        default=(Meal(450.0, 45.0), Meal(750.0, 70.0), Meal(1140.0, 80.0), Meal(960.0, 20.0, chance=0.5)),
    )
    count_sd: float = eqx.field(static=True, default=0.25)  #: of the logarithm of counted over eaten carbohydrate
    missed: float = eqx.field(static=True, default=1 / 30)  #: chance that a meal is not said to the pump
    sensitivity_sd: float = eqx.field(static=True, default=0.15)  #: of the logarithm, from day to day
    absorption_sd: float = eqx.field(static=True, default=0.20)  #: of the logarithm, from day to day
    settings_sd: float = eqx.field(static=True, default=0.10)  #: of the logarithm of each therapy setting
    rescue: float = eqx.field(static=True, default=15.0)  #: g
    rescue_below: float = eqx.field(static=True, default=65.0)  #: mg/dL on the sensor
    rescue_every: float = eqx.field(static=True, default=20.0)  #: min
    exercise: Exercise | None = eqx.field(static=True, default=None)


class Day(eqx.Module):
    """One day of each person; the last axis is people. ``said``: grams as counted, zero where it was forgotten."""

    begins: Float[Array, "meals n"]  #: minutes after midnight, on a slot
    grams: Float[Array, "meals n"]
    said: Float[Array, "meals n"]
    sensitivity: Float[Array, "n"]  #: factors of the day
    absorption: Float[Array, "n"]
    exercises: Float[Array, "n"]  #: 1 or 0
    noise: Float[Array, "slots n"]  #: for the sensor


def day_of(scenario: Scenario, keys: Array, number: Array, body_weight: Float[Array, "n"]) -> Day:
    """Day ``number`` of the people with these keys (n,). Every person's day depends on their own key only."""
    meals = len(scenario.meals)

    def one(key: Array) -> tuple[Array, Array]:
        first, second = jax.random.split(jax.random.fold_in(key, number))
        normal = jax.random.normal(first, (3 * meals + 2 + SLOTS,), dtype=body_weight.dtype)
        return normal, jax.random.uniform(second, (2 * meals + 1,), dtype=body_weight.dtype)

    normal, uniform = (drawn.T for drawn in jax.vmap(one)(keys))
    begins, grams, said = [], [], []
    for i, meal in enumerate(scenario.meals):
        at = jnp.clip(meal.at + meal.time_sd * jnp.clip(normal[3 * i], -2.5, 2.5), EARLIEST, LATEST)
        begins.append(SLOT * jnp.floor(at / SLOT))
        eaten = meal.grams * (body_weight / 75.0) * jnp.exp(meal.amount_sd * jnp.clip(normal[3 * i + 1], -2.5, 2.5))
        eaten = jnp.where(uniform[2 * i] < meal.chance, eaten, 0.0)
        grams.append(eaten)
        counted = eaten * jnp.exp(scenario.count_sd * jnp.clip(normal[3 * i + 2], -2.5, 2.5))
        said.append(jnp.where(uniform[2 * i + 1] < scenario.missed, 0.0, counted))
    rest = normal[3 * meals :]
    active = 0.0 if scenario.exercise is None else scenario.exercise.chance
    return Day(
        begins=_stacked(begins, body_weight), grams=_stacked(grams, body_weight), said=_stacked(said, body_weight),
        sensitivity=jnp.exp(scenario.sensitivity_sd * jnp.clip(rest[0], -2.5, 2.5)),
        absorption=jnp.exp(scenario.absorption_sd * jnp.clip(rest[1], -2.5, 2.5)),
        exercises=(uniform[2 * meals] < active).astype(body_weight.dtype), noise=rest[2:],
    )  # fmt: skip


def _stacked(rows: list[Array], like: Array) -> Array:
    return jnp.stack(rows) if rows else jnp.zeros((0, *like.shape), like.dtype)


def eaten_in(day: Day, minute: Array) -> Float[Array, "n"]:
    """g/min, the average of the slot that begins at this minute. A meal lasts grams / PACE; nothing is lost before midnight."""
    minute = jnp.broadcast_to(minute, day.begins.shape)
    ends = day.begins + jnp.maximum(day.grams / PACE, 1e-3)
    shared = jnp.clip(ends, minute, minute + SLOT) - jnp.clip(day.begins, minute, minute + SLOT)
    return jnp.sum(day.grams * shared / (ends - day.begins), axis=0) / SLOT


def said_in(day: Day, minute: Array) -> Float[Array, "n"]:
    """Grams that are said to the pump in the slot that begins at this minute."""
    minute = jnp.broadcast_to(minute, day.begins.shape)
    return jnp.sum(jnp.where(day.begins == minute, day.said, 0.0), axis=0)
