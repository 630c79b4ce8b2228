"""Sensors of about 2008: an autoregression through a Johnson law (Breton and Kovatchev 2008), as S2008 simulators have it.

Every 15 minutes ``e' = 0.7 (e + v)``, ``v`` standard normal; the error is ``xi + scale sinh((e - gamma)/delta)`` (mg/dL),
in between on a straight line. So a sensor errs by +0.8 mg/dL with a standard deviation of about 12.

Breton2008: Breton M, Kovatchev B. Analysis, modeling, and simulation of the accuracy of continuous glucose sensors. J
Diabetes Sci Technol 2008;2:853-862. Values as in simglucose's ``sensor_params.csv`` (table in
``shared/data/metabolism/reference/``), where three devices differ in time between readings and range alone; the same four
values, mean error 0.76 and sd 11 mg/dL stand in a reprint of the paper (Glucose Monitoring Devices, 2020, table 12.1).
The book states xi and gamma without their signs; with simglucose's signs the law's mean is the published 0.76.
simglucose interpolates by a cubic, stretch by stretch; the paper's line is ours.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.sensor_errors.error_model import Readings

SPACING = 15.0  # minutes between the values of the autoregression


class Breton(eqx.Module):
    """A device: its range (mg/dL) and the law of its error."""

    low: float = 39.0
    high: float = 600.0
    persistence: float = 0.7
    xi: float = -5.47  # mg/dL
    scale: float = 15.9574  # mg/dL (lambda)
    gamma: float = -0.5444
    delta: float = 1.6898

    def errors(self, key: Array, minutes: Float[Array, " times"], people: tuple[int, ...]) -> Float[Array, "times ..."]:
        """Errors (mg/dL) at these minutes after the first."""
        count = int(minutes[-1] // SPACING) + 2
        normal = jax.random.normal(key, (count, *people), dtype=float)
        knots = johnson(self, self.walk(normal))
        place = jnp.asarray(minutes) / SPACING
        left = place.astype(int)
        share = (place - jnp.floor(place)).reshape(-1, *(1,) * len(people))
        return (1 - share) * knots[left] + share * knots[left + 1]

    def walk(self, normal: Float[Array, "knots ..."]) -> Float[Array, "knots ..."]:
        """The autoregression, started at the stationary law: ``0.7 (e + v)`` has the variance ``r^2/(1 - r^2)``."""
        r = self.persistence

        def step(e: Array, v: Array) -> tuple[Array, Array]:
            return r * (e + v), r * (e + v)

        start = r / (1 - r**2) ** 0.5 * normal[0]
        return jnp.concatenate([start[None], jax.lax.scan(step, start, normal[1:])[1]])

    def readings(self, key: Array, interstitial: Readings, *, worn: float, step: float) -> Readings:
        """Interstitial glucose and the error, held in the device's range. How long it was worn plays no part."""
        minutes = jnp.arange(len(interstitial), dtype=float) * step
        return jnp.clip(interstitial + self.errors(key, minutes, interstitial.shape[1:]), self.low, self.high)


def johnson(law: Breton, e: Float[Array, "..."]) -> Float[Array, "..."]:
    """The unbounded Johnson law (SU) at deviate ``e``, mg/dL."""
    return law.xi + law.scale * jnp.sinh((e - law.gamma) / law.delta)


def dexcom() -> Breton:
    """As simglucose's Dexcom: a reading every 3 min."""
    return Breton()


def guardian() -> Breton:
    """As simglucose's GuardianRT: a reading every 5 min."""
    return Breton()


def navigator() -> Breton:
    """As simglucose's Navigator: a reading every minute, down to 32 mg/dL."""
    return Breton(low=32.0)
