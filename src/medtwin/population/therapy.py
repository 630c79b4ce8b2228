"""Settings of insulin therapy, found on each virtual person as a clinic would find them by trial.

* ``basal``: the rate that holds glucose at rest.
* ``correction_factor``: the greatest fall of plasma glucose within six hours of one small bolus (0.5 % of the body
  weight in U), per unit.
* ``carbohydrate_ratio``: the grams per unit at which plasma glucose five hours after 50 g, eaten with the bolus, is what
  it was before (regula falsi, the Illinois form: Dowell and Jarratt, BIT 11 (1971): 168; between 2.5 and 50 g/U).

The model is stepped minute by minute while something is given and by two minutes afterwards.

Real settings are never that right: ``misjudged`` multiplies each by a log-normal error.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from medtwin.physiology.model import Model

HOURS = 60  #: minutes
TEST_MEAL = 50.0  #: g
EATEN_IN = 10  #: minutes, 5 g/min
LEAST, MOST = 1.0, 20.0  #: U for that meal
ROUNDS = 5  #: of regula falsi, after both ends; the last answer is one more interpolation
TARGET = 110.0  #: mg/dL, of corrections

Number = Float[Array, "..."]


class Therapy(eqx.Module):
    """Settings of each person, every leaf ``(n,)``. Controllers see these, never the person's parameters."""

    body_weight: Number  #: kg
    basal: Number  #: U/h
    carbohydrate_ratio: Number  #: g/U
    correction_factor: Number  #: mg/dL/U
    target: Number  #: mg/dL


def find_therapy(model: Model, parameters: Any) -> Therapy:
    """On the model itself; deterministic. The people's shape is kept."""
    start, resting = model.initial(parameters), model.resting(parameters)
    weight = parameters.body_weight
    began = model.observe(jnp.zeros(()), start, parameters)["blood_glucose"]

    def lived(bolus: Number, grams: float, minutes: int) -> tuple[Number, Number]:
        """Lowest and last plasma glucose after a bolus with a meal."""

        def advance(carry: Any, now: tuple[Array, Array]) -> tuple[Any, None]:
            (state, lowest), (minute, step) = carry, now
            eats = jnp.where(minute < EATEN_IN, grams / EATEN_IN, 0.0).astype(weight.dtype)
            given = resting | {
                "carbohydrate_intake": jnp.broadcast_to(eats, weight.shape),
                "insulin_bolus": jnp.where(minute < 1, bolus, jnp.zeros_like(bolus)),
            }
            state = model.step(minute.astype(weight.dtype), step.astype(weight.dtype), state, parameters, given)
            seen = model.observe(jnp.zeros(()), state, parameters)["blood_glucose"]
            return (state, jnp.minimum(lowest, seen)), None

        minute = np.concatenate([np.arange(EATEN_IN), np.arange(EATEN_IN, minutes, 2)])
        times = jnp.asarray(minute), jnp.asarray(np.diff(minute, append=minutes))
        (final, lowest), _ = jax.lax.scan(advance, (start, began), times)
        return lowest, model.observe(jnp.zeros(()), final, parameters)["blood_glucose"]

    small = 0.005 * weight
    lowest, _ = lived(small, 0.0, 6 * HOURS)
    correction = (began - lowest) / small

    def between(ends: Any) -> Number:
        (one, its), (other, others) = ends
        crossing = (one * others - other * its) / (others - its)
        return jnp.clip(jnp.where(jnp.isfinite(crossing), crossing, 0.5 * (one + other)), LEAST, MOST)

    def nearer(i: Array, ends: Any) -> Any:
        old, (new, news) = ends
        units = jnp.where(i == 0, least, jnp.where(i == 1, most, between(ends)))  # both ends come first
        found = lived(units, TEST_MEAL, 5 * HOURS)[1] - began
        across = (i < 2) | (found * news < 0.0)
        return (jnp.where(across, new, old[0]), jnp.where(across, news, 0.5 * old[1])), (units, found)

    least, most = jnp.full_like(weight, LEAST), jnp.full_like(weight, MOST)
    nothing = (least, jnp.zeros_like(weight))
    units = between(jax.lax.fori_loop(0, 2 + ROUNDS, nearer, (nothing, nothing)))
    return Therapy(
        body_weight=weight, basal=resting["insulin_basal_rate"], carbohydrate_ratio=TEST_MEAL / units,
        correction_factor=correction, target=jnp.full_like(weight, TARGET),
    )  # fmt: skip


def misjudged(therapy: Therapy, deviates: Float[Array, "three n"], sd: float) -> Therapy:
    """Basal, ratio and factor each wrong by ``exp(sd deviate)``; the same deviates give every controller the same errors."""
    factor = jnp.exp(sd * deviates)
    return eqx.tree_at(
        lambda t: (t.basal, t.carbohydrate_ratio, t.correction_factor), therapy,
        (therapy.basal * factor[0], therapy.carbohydrate_ratio * factor[1], therapy.correction_factor * factor[2]),
    )  # fmt: skip
