"""One reading against one Gaussian prediction: exact values, and bounds such as "<5", "Low" or "High".

For a prediction y ~ N(m, s) (s the variance, reading error included):

- exact value v: y is known; mean moves by v - m, the variance of y goes to r / s of what the error leaves. In terms of y
  itself the ratio is 0: all of its variance is explained.
- bound y < c: with a = (c - m)/sqrt(s), h = phi(a)/Phi(a): E[y] = m - sqrt(s) h, var[y] = s (1 - a h - h²), log Phi(a).
- bound y > c: the mirror image.

Moments of the truncated normal: Johnson, Kotz, Balakrishnan (1994), section 13.10. For a linear-Gaussian state the
mean and covariance that follow are exact.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import log_ndtr, ndtr
from jaxtyping import Array, Float, Int

from medtwin.inference.tape import EXACT, UPPER

LOG_SQRT_2PI = 0.9189385332046727


class Moved(NamedTuple):
    """What a reading does to its own prediction."""

    shift: Float[Array, "..."]  #: new mean of y minus old
    ratio: Float[Array, "..."]  #: new variance of y over old
    log_density: Float[Array, "..."]
    below: Float[Array, "..."]  #: predictive probability of less than the value


def met(
    value: Float[Array, "..."], kind: Int[Array, "..."], mean: Float[Array, "..."], variance: Float[Array, "..."]
) -> Moved:
    """Meet a reading (or bound) ``value`` of that kind with the prediction N(mean, variance); elementwise."""
    sd = jnp.sqrt(variance)
    a = (value - mean) / sd
    sign = jnp.where(kind == UPPER, 1.0, -1.0).astype(a.dtype)
    b = sign * a
    log_mass = log_ndtr(b)
    # hazard phi(b)/Phi(b) from logarithms: stable far in the tail, where it tends to -b
    h = jnp.exp(-0.5 * b**2 - LOG_SQRT_2PI - log_mass)
    left = jnp.clip(1.0 - b * h - h**2, 0.0, 1.0)
    exact = kind == EXACT
    return Moved(
        shift=jnp.where(exact, value - mean, -sign * sd * h),
        ratio=jnp.where(exact, 0.0, left),
        log_density=jnp.where(exact, -0.5 * a**2 - LOG_SQRT_2PI - jnp.log(sd), log_mass),
        below=ndtr(a),
    )
