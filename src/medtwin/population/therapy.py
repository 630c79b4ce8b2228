"""Settings of insulin therapy, found on each virtual person as a clinic would find them by trial.

* ``basal``: the rate that holds glucose at rest.
* ``correction_factor``: the greatest fall of plasma glucose within six hours of one small bolus (0.5 % of the body
  weight in U), per unit.
* ``carbohydrate_ratio``: the grams per unit at which plasma glucose five hours after 50 g, eaten with the bolus, is what
  it was before (bisection of the bolus).

Real settings are never that right: ``misjudged`` multiplies each by a log-normal error.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.model import Model

HOURS = 60  #: minutes
TEST_MEAL = 50.0  #: g
EATEN_IN = 10  #: minutes, 5 g/min
HALVINGS = 12
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

        def advance(carry: Any, minute: Array) -> tuple[Any, None]:
            state, lowest = carry
            eats = jnp.where(minute < EATEN_IN, grams / EATEN_IN, 0.0).astype(weight.dtype)
            given = resting | {
                "carbohydrate_intake": jnp.broadcast_to(eats, weight.shape),
                "insulin_bolus": jnp.where(minute < 1, bolus, jnp.zeros_like(bolus)),
            }
            state = model.step(minute.astype(weight.dtype), jnp.ones((), weight.dtype), state, parameters, given)
            seen = model.observe(jnp.zeros(()), state, parameters)["blood_glucose"]
            return (state, jnp.minimum(lowest, seen)), None

        (final, lowest), _ = jax.lax.scan(advance, (start, began), jnp.arange(minutes))
        return lowest, model.observe(jnp.zeros(()), final, parameters)["blood_glucose"]

    small = 0.005 * weight
    lowest, _ = lived(small, 0.0, 6 * HOURS)
    correction = (began - lowest) / small

    def halve(_: Any, ends: tuple[Number, Number]) -> tuple[Number, Number]:
        low, high = ends
        middle = 0.5 * (low + high)
        _, after = lived(middle, TEST_MEAL, 5 * HOURS)
        too_little = after > began
        return jnp.where(too_little, middle, low), jnp.where(too_little, high, middle)

    ends = (jnp.zeros_like(weight), jnp.full_like(weight, 40.0))
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, ends)
    return Therapy(
        body_weight=weight, basal=resting["insulin_basal_rate"], carbohydrate_ratio=2.0 * TEST_MEAL / (low + high),
        correction_factor=correction, target=jnp.full_like(weight, TARGET),
    )  # fmt: skip


def misjudged(therapy: Therapy, deviates: Float[Array, "three n"], sd: float) -> Therapy:
    """Basal, ratio and factor each wrong by ``exp(sd deviate)``; the same deviates give every controller the same errors."""
    factor = jnp.exp(sd * deviates)
    return eqx.tree_at(
        lambda t: (t.basal, t.carbohydrate_ratio, t.correction_factor), therapy,
        (therapy.basal * factor[0], therapy.carbohydrate_ratio * factor[1], therapy.correction_factor * factor[2]),
    )  # fmt: skip
