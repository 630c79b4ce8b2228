"""Re-anchor: the mode of a person's parameters over a window and the Gaussian around it (MAP + Laplace).

The running filter sees each reading once. A scheduled look at a whole window finds its mode from several starts (personal
parameters can have more than one) and compares: a running belief that has gone astray shows as a distance.

    z* = argmax log p(z | readings);  covariance = H^-1,  H = - second derivatives at z*
    log evidence = log p(z*, readings) + k/2 log 2 pi - 1/2 log det H                       (Laplace; MacKay 2003 ch. 27)

Newton's method with second derivatives, damped as Levenberg and Marquardt do until a step improves; derivatives are forward.
Exact for a linear model.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpy.typing import NDArray

from medtwin.errors import InferenceError
from medtwin.inference.belief import Mixture
from medtwin.inference.posterior import LOG_2PI, Posterior
from medtwin.inference.problem import Problem

STEPS, TOLERANCE = 60, 1e-8


class Anchored(eqx.Module):
    """The mode and what surrounds it."""

    names: tuple[str, ...] = eqx.field(static=True)
    mode: Float[Array, " named"]  #: deviates
    covariance: Float[Array, "named named"]
    log_evidence: Float[Array, ""]
    modes: Float[Array, "starts named"]  #: where each start ended
    log_densities: Float[Array, " starts"]


@eqx.filter_jit
def _value(posterior: Posterior, z: Array) -> Array:
    return posterior(z)


@eqx.filter_jit
def _slopes(posterior: Posterior, z: Array) -> tuple[Array, Array]:
    first = jax.jacfwd(posterior)
    return first(z), jax.jacfwd(first)(z)


def _climb(posterior: Posterior, z: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """The local mode reached from ``z``."""
    height, damping = float(_value(posterior, jnp.asarray(z))), 1e-3
    for _ in range(STEPS):
        slope, bend = (np.asarray(x) for x in _slopes(posterior, jnp.asarray(z)))
        if not np.isfinite(slope).all():
            raise InferenceError("a posterior whose slope is not finite", expected="a model with finite gradients")
        values, ways = np.linalg.eigh(-bend)
        best, step = height, np.zeros_like(z)
        for _ in range(12):
            # directions that curve the wrong way are followed uphill by their size
            lengths = (ways.T @ slope) / (np.abs(values) + damping)
            tried = ways @ lengths * min(1.0, 2.0 / max(float(np.linalg.norm(lengths)), 1e-12))
            reached = float(_value(posterior, jnp.asarray(z + tried)))
            if reached > height:
                best, step, damping = reached, tried, damping / 10.0
                break
            damping = max(damping, 1e-6) * 10.0
        gained, z, height = best - height, z + step, best
        if float(np.linalg.norm(step)) < TOLERANCE or gained < TOLERANCE * 1e-2:
            break
    return z, height


def reanchor(posterior: Posterior, key: PRNGKeyArray, *, starts: int = 4) -> Anchored:
    """Climb from the prior's mean and from ``starts - 1`` draws of the prior; the highest mode wins."""
    mean, covariance = (np.asarray(x) for x in posterior.prior())
    normal = np.asarray(jax.random.normal(key, (max(starts - 1, 0), len(mean))))
    begins = [mean, *(mean + normal @ np.linalg.cholesky(covariance).T)]
    climbed = [_climb(posterior, begin) for begin in begins]
    mode, height = max(climbed, key=lambda found: found[1])
    _, bend = _slopes(posterior, jnp.asarray(mode))
    curvature = -0.5 * np.asarray(bend + bend.T)
    sign, log_det = np.linalg.slogdet(curvature)
    if sign <= 0 or np.linalg.eigvalsh(curvature)[0] <= 0:
        raise InferenceError(
            "a mode that is no maximum", expected="a posterior that curves down", remedy="use more starts, or NUTS"
        )
    return Anchored(
        names=posterior.names,
        mode=jnp.asarray(mode),
        covariance=jnp.asarray(np.linalg.inv(curvature)),
        log_evidence=jnp.asarray(height + 0.5 * len(mode) * LOG_2PI - 0.5 * log_det),
        modes=jnp.asarray(np.stack([z for z, _ in climbed])),
        log_densities=jnp.asarray([h for _, h in climbed]),
    )


def distance(problem: Problem, belief: Mixture, anchored: Anchored) -> dict[str, float]:
    """By how many standard deviations (of both together) the running belief and the anchor differ, by parameter."""
    mean, covariance = belief.moments()
    found = {}
    for i, name in enumerate(anchored.names):
        place = len(problem.states) + problem.inferred.index(name)
        both = float(covariance[place, place]) + float(anchored.covariance[i, i])
        found[name] = float(mean[place] - anchored.mode[i]) / both**0.5
    return found
