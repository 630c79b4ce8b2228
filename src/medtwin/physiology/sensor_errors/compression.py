"""Compression lows: who lies on the sensor reads low. A rectangle through a linear system of first order.

``d' = (p(t) - d)/tau``, ``p`` the pressure: ``depth`` while it lasts, else 0; the reading falls by ``d``. Duration 45 min
(5 to 95 %: 30 to 70) and depth 24 mg/dL (10 to 48), mostly by night: Facchinetti2016, Facchinetti A, Del Favero S,
Sparacino G, Cobelli C. Modeling transient disconnections and compression artifacts of continuous glucose sensors. Diabetes
Technol Ther 2016;18:264-272, abstract, 72 people with a Dexcom G4. Its time constant and how often lows come were not read:
8 min and 0.3 a night are assumptions. Depth and duration are log-normal with that median and 5 to 95 % range.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from medtwin.physiology.sensor_errors.error_model import Readings, SensorError

RANGE = 2 * 1.6449  # standard deviations between the 5 and 95 % quantiles


class Compression(eqx.Module):
    """Compression lows on top of the readings of ``under``: whether, when in the night, how long, how deep."""

    under: SensorError
    per_night: float = 0.3  # assumption
    duration: float = 45.0  # minutes, median; Facchinetti2016
    duration_spread: float = 0.258  # log(70/30)/RANGE
    depth: float = 24.0  # mg/dL, median; Facchinetti2016
    depth_spread: float = 0.477  # log(48/10)/RANGE
    time_constant: float = 8.0  # minutes; assumption
    first: float = 0.0  # minute after a midnight of the first reading
    night_from: float = 1380.0  # minute of the day; 23 h
    night_hours: float = 7.0
    low: float = 40.0

    def lows(self, key: Array, count: int, people: tuple[int, ...], step: float) -> Array:
        """How far each reading is pressed down, mg/dL, zero or more; shape ``(count, *people)``."""
        minutes = self.first + jnp.arange(count, dtype=float) * step
        nights = int((count * step + self.first) // 1440) + 2  # the night before the first reading counts
        comes, begins, lasts, falls = jax.random.split(key, 4)
        shape = (nights, *people)
        happens = jax.random.bernoulli(comes, self.per_night, shape)
        night = (jnp.arange(nights, dtype=float) - 1).reshape(-1, *(1,) * len(people)) * 1440.0 + self.night_from
        begin = night + jax.random.uniform(begins, shape, dtype=float) * (self.night_hours * 60.0 - self.duration)
        last = self.duration * jnp.exp(self.duration_spread * jax.random.normal(lasts, shape, dtype=float))
        depth = self.depth * jnp.exp(self.depth_spread * jax.random.normal(falls, shape, dtype=float))
        depth = jnp.where(happens, depth, jnp.zeros_like(depth))
        at = minutes.reshape(-1, *(1,) * len(people))

        def add(total: Array, one: tuple[Array, Array, Array]) -> tuple[Array, None]:
            b, length, d = (x[None] for x in one)
            return total + d * pressed(at - b, length, self.time_constant), None

        return jax.lax.scan(add, jnp.zeros((count, *people), dtype=float), (begin, last, depth))[0]

    def readings(self, key: Array, interstitial: Readings, *, worn: float, step: float) -> Readings:
        """The readings of the sensor underneath, pressed down, not below the device's range."""
        beneath, pressing = jax.random.split(key)
        seen = self.under.readings(beneath, interstitial, worn=worn, step=step)
        lows = self.lows(pressing, len(interstitial), interstitial.shape[1:], step)
        return jnp.where(lows > 0, jnp.maximum(jnp.minimum(self.low, seen), seen - lows), seen)


def pressed(since: Array, length: Array, time_constant: float) -> Array:
    """Answer (0 to 1) of a first-order system to a pressure of 1 from 0 to ``length``, ``since`` minutes after its start."""
    during = jnp.maximum(since, 0.0)
    over = jnp.maximum(since - length, 0.0)
    return jnp.exp(-over / time_constant) - jnp.exp(-during / time_constant)
