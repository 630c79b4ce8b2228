"""Insulin on board: how much of what was given has yet to act, by the exponential curve of Loop and oref0.

Of ``t`` minutes after a dose, ``d`` the duration and ``p`` the time of greatest action (LoopKit/Loop issue 388; oref0
``lib/iob/calculate.js``, MIT, commit 88cf032)::

    tau = p (1 - p/d)/(1 - 2 p/d)     a = 2 tau/d     S = 1/(1 - a + (1 + a) exp(-d/tau))
    activity  = S/tau² t (1 - t/d) exp(-t/tau)
    remaining = 1 - S (1 - a) ((t²/(tau d (1 - a)) - t/tau - 1) exp(-t/tau) + 1)

A controller remembers what was given slot by slot, the newest first; what was given within a slot counts as given in its
middle.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike, NDArray

from medtwin.population.days import SLOT

DURATION, PEAK = 300.0, 75.0  #: minutes; oref0's for rapid-acting insulin

Memory = Float[Array, "slots n"]


def remaining(minutes: ArrayLike, duration: float = DURATION, peak: float = PEAK) -> NDArray[np.float64]:
    """Share of a dose that has yet to act, 1 to 0."""
    t = np.clip(np.asarray(minutes, float), 0.0, duration)
    tau, a, scale = _constants(duration, peak)
    left = 1.0 - scale * (1.0 - a) * ((t**2 / (tau * duration * (1.0 - a)) - t / tau - 1.0) * np.exp(-t / tau) + 1.0)
    return np.asarray(np.where(t >= duration, 0.0, left), np.float64)


def activity(minutes: ArrayLike, duration: float = DURATION, peak: float = PEAK) -> NDArray[np.float64]:
    """Share of a dose that acts, per minute; minus the slope of :func:`remaining`."""
    t = np.clip(np.asarray(minutes, float), 0.0, duration)
    tau, _, scale = _constants(duration, peak)
    return np.asarray(scale / tau**2 * t * (1.0 - t / duration) * np.exp(-t / tau), np.float64)


def _constants(duration: float, peak: float) -> tuple[float, float, float]:
    tau = peak * (1.0 - peak / duration) / (1.0 - 2.0 * peak / duration)
    a = 2.0 * tau / duration
    return tau, a, 1.0 / (1.0 - a + (1.0 + a) * np.exp(-duration / tau))


def ages(duration: float = DURATION) -> NDArray[np.float64]:
    """Minutes since the middle of each remembered slot."""
    return np.asarray(SLOT * (np.arange(int(duration / SLOT)) + 0.5), np.float64)


def nothing(like: Float[Array, "n"], duration: float = DURATION) -> Memory:
    """Nothing was given."""
    return jnp.zeros((int(duration / SLOT), *like.shape), like.dtype)


def remember(memory: Memory, given: Float[Array, "n"]) -> Memory:
    """One slot later."""
    return jnp.concatenate([given[None], memory[:-1]])


def on_board(memory: Memory, duration: float = DURATION, peak: float = PEAK) -> Float[Array, "n"]:
    """U."""
    return jnp.asarray(remaining(ages(duration), duration, peak), memory.dtype) @ memory
