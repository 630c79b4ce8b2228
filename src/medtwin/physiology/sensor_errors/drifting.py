"""Sensors whose calibration drifts and whose noise has two parts: the form of Facchinetti 2014, used by later devices.

::

    reading = a(t) C + b(t) + v + w        a, b quadratic in the days t since calibration or insertion
    v, w autoregressions of second order: v the sensor's own, w common to all sensors on one body

The autoregressions step once a reading (``every`` minutes), not once a minute as in LoopInsighT1: only then does the error
stay correlated over a quarter of an hour (about 0.6), as Breton2008 found (0.7). The papers' sampling was not read.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from medtwin.errors import ModelError
from medtwin.physiology.sensor_errors.autoregression import Autoregression
from medtwin.physiology.sensor_errors.error_model import Readings, days


class Drifting(eqx.Module):
    """Gain (1, /d, /d^2), offset (mg/dL, /d, /d^2), the two noises ((mg/dL)^2), and how far sensors of one kind differ."""

    gain: tuple[float, float, float]
    offset: tuple[float, float, float]
    own: Autoregression
    common: Autoregression
    lifetime: float  # days; the drift repeats with each sensor or calibration
    gain_sd: float = 0.0
    offset_sd: float = 0.0  # mg/dL
    low: float = 40.0
    high: float = 400.0
    every: float = 5.0  # minutes

    def calibration(self, age: Array) -> tuple[Array, Array]:
        """Gain (1) and offset (mg/dL) of the mean sensor ``age`` days after it was calibrated or inserted."""
        a, b = self.gain, self.offset
        return a[0] + a[1] * age + a[2] * age**2, b[0] + b[1] * age + b[2] * age**2

    def readings(self, key: Array, interstitial: Readings, *, worn: float, step: float) -> Readings:
        """One sensor after another on each person; ``step`` is the sensor's own time between readings."""
        if step != self.every:
            raise ModelError(f"a reading every {step} min", expected=f"every {self.every} min, as the noise was fitted")
        count, people = len(interstitial), interstitial.shape[1:]
        own, common, gains, offsets = jax.random.split(key, 4)
        age = days(count, worn, step, interstitial)
        sensor = jnp.floor(age / self.lifetime)
        sensors = int((worn + (count - 1) * step / 1440.0) // self.lifetime) + 1
        a, b = self.calibration(age - sensor * self.lifetime)
        which = sensor.reshape(-1).astype(int)
        a = a + self.gain_sd * jax.random.normal(gains, (sensors, *people), dtype=float)[which]
        b = b + self.offset_sd * jax.random.normal(offsets, (sensors, *people), dtype=float)[which]
        noise = self.own.sample(own, interstitial.shape) + self.common.sample(common, interstitial.shape)
        return jnp.clip(a * interstitial + b + noise, self.low, self.high)
