"""The one door of all sensor error models: interstitial glucose on an even grid and a key in, readings out."""

from __future__ import annotations

from typing import Protocol

import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.errors import ModelError

Readings = Float[Array, "times ..."]


class SensorError(Protocol):
    """An error model. Arrays are [times, people...]; equal keys give equal readings."""

    def readings(self, key: Array, interstitial: Readings, *, worn: float, step: float) -> Readings:
        """Readings (mg/dL) of ``interstitial`` glucose (mg/dL) every ``step`` minutes, from ``worn`` days after insertion."""
        ...


def readings(
    model: SensorError, key: Array, interstitial: Readings, *, worn: float = 0.0, step: float = 5.0
) -> Readings:
    """What a sensor with these errors states (mg/dL), every ``step`` minutes from ``worn`` days after insertion.

    ``interstitial`` is the glucose where the sensor is (a model's observation ``glucose`` with ``sensor_bias`` at zero),
    so that the delay between blood and tissue is the model's, not the sensor's.
    """
    if step <= 0 or worn < 0:
        raise ModelError(f"a step of {step} min from day {worn}", expected="a positive step from day 0 or later")
    return model.readings(key, jnp.asarray(interstitial, dtype=float), worn=worn, step=step)


def days(count: int, worn: float, step: float, like: Array) -> Array:
    """Days after insertion of each reading, in a shape that broadcasts over people."""
    age = worn + jnp.arange(count, dtype=float) * step / 1440.0
    return age.reshape(-1, *(1,) * (like.ndim - 1))
