"""The error of a glucose sensor as a controller meets it, reading by reading.

A sensor is ``begin(like) -> state`` and ``read(state, glucose, normal) -> (state, reading)``: glucose and reading in mg/dL
and one standard normal number per person and reading, all ``(n,)``. So an error model with any memory fits.
"""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

Number = Float[Array, "n"]
LOWEST, HIGHEST = 40.0, 400.0  #: mg/dL that sensors state


class Sensor(eqx.Module):
    """Abstract."""

    @abc.abstractmethod
    def begin(self, like: Number) -> Any:
        """Memory at the start, of the people's shape."""

    @abc.abstractmethod
    def read(self, state: Any, glucose: Number, normal: Number) -> tuple[Any, Number]:
        """One reading of interstitial glucose."""


class Exact(Sensor):
    """States what is there."""

    def begin(self, like: Number) -> Any:
        return ()

    def read(self, state: Any, glucose: Number, normal: Number) -> tuple[Any, Number]:
        return state, glucose


class Autoregressive(Sensor):
    """A relative error whose memory fades: ``error' = memory error + sqrt(1 - memory²) sd normal``; 40 to 400 mg/dL.

    The sd of 10 % makes a mean absolute relative difference of 8 % (of a normal error: sd times 0.80), which makers
    state for sensors of the 2020s (from memory); that memory falls to 0.7 within 5 min is what Breton and Kovatchev,
    J Diabetes Sci Technol 2 (2008): 853, found for a sensor of their time (from memory).
    """

    sd: float = 0.10
    memory: float = 0.7

    def begin(self, like: Number) -> Any:
        return jnp.zeros_like(like)

    def read(self, state: Any, glucose: Number, normal: Number) -> tuple[Any, Number]:
        error = self.memory * state + (1.0 - self.memory**2) ** 0.5 * self.sd * normal
        return error, jnp.clip(glucose * (1.0 + error), LOWEST, HIGHEST)
