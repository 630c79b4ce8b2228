"""A stationary autoregression of second order, started from its stationary law; order one where ``second`` is 0.

``x_k = first x_(k-1) + second x_(k-2) + e``, ``var e = innovation``. By Yule and Walker the variance is
``(1 - second) innovation / ((1 + second) ((1 - second)^2 - first^2))`` and the first autocorrelation
``first / (1 - second)`` (Box, Jenkins: Time series analysis, chapter 3).
"""

from __future__ import annotations

import equinox as eqx
import jax
from jaxtyping import Array, Float


class Autoregression(eqx.Module):
    """Coefficients (1) and variance of the innovation (in the variable's unit, squared)."""

    first: float
    second: float
    innovation: float

    @property
    def variance(self) -> float:
        """Stationary variance."""
        a, b = self.first, self.second
        return (1 - b) * self.innovation / ((1 + b) * ((1 - b) ** 2 - a**2))

    @property
    def correlation(self) -> float:
        """Autocorrelation of neighbours."""
        return self.first / (1 - self.second)

    def sample(self, key: Array, shape: tuple[int, ...]) -> Float[Array, "times ..."]:
        """``shape[0]`` steps for each of ``shape[1:]``."""
        normal = jax.random.normal(key, (shape[0] + 2, *shape[1:]), dtype=float)
        spread = self.variance**0.5
        before = spread * normal[0]
        last = self.correlation * before + spread * (1 - self.correlation**2) ** 0.5 * normal[1]
        return autoregressed(self, before, last, normal[2:])


def autoregressed(law: Autoregression, before: Array, last: Array, normal: Array) -> Float[Array, "times ..."]:
    """The values after ``before`` and ``last`` under these standard normal deviates."""
    shocks = law.innovation**0.5 * normal

    def step(held: tuple[Array, Array], shock: Array) -> tuple[tuple[Array, Array], Array]:
        older, newer = held
        value = law.first * newer + law.second * older + shock
        return (newer, value), value

    return jax.lax.scan(step, (before, last), shocks)[1]
