"""Mode and Laplace covariance of many small least-squares problems side by side, each with a state that is carried along.

In deviates ``z`` with the prior N(0, I) and readings ``y`` with independent errors ::

    cost(z) = 1/2 |z|^2 + 1/2 sum over readings of ((y - model(z))/sd)^2
    (I + J'J + damping I) dz = -z + J'(y - model(z))/sd         J = d model/dz over sd

A step is kept where the cost falls, person by person: then the damping falls threefold, else it grows fourfold. ``model`` takes
what the last kept step left (a periodic state), so that every step starts from a neighbour's solution, and returns all that
it can observe, read or not; a reading that is absent has weight 0. A model that is not yet sound (its state has not
closed) is asked again at the same place with what it left. The number of iterations is fixed, so that one compiled function
serves everybody;
whoever has settled stays. Covariance: (I + J'J)^-1 at the mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from medtwin.inference.algebra import few

FALLS, GROWS = 1.0 / 3.0, 4.0  #: damping after a step that was kept, or not
FIRST, LEAST, GREATEST = 0.1, 1e-6, 1e6  #: damping
TRIES = 3  #: how often a model that is not yet sound is asked again at one place
SETTLED = 5e-3  #: fall of the cost that an undamped step promises below which a person has settled
LONGEST = 1.5  #: greatest change of one deviate in one step


class Seen(NamedTuple):
    """What a model says at deviates: observables, their slopes, what it carries on, and whether it can be trusted."""

    value: Float[Array, "seen people"]
    slope: Float[Array, "seen deviate people"]
    carried: Any
    sound: Bool[Array, "people"]


class Mode(NamedTuple):
    """Where each person's climb ended."""

    z: Float[Array, "deviate people"]
    covariance: Float[Array, "people deviate deviate"]
    seen: Seen
    cost: Float[Array, "people"]
    settled: Bool[Array, "people"]
    misfit: Float[Array, "people"]  #: sum over readings of the squared standardised errors


class _Climb(NamedTuple):
    z: Array
    proposed: Array
    near: Any  #: what the model is to start from at the proposed place
    tries: Array  #: how often it was asked there
    seen: Seen
    cost: Array
    damping: Array
    promised: Array


def _choose(keep: Array, new: Any, old: Any) -> Any:
    def of(a: Array, b: Array) -> Array:
        return jnp.where(keep.reshape((1,) * (a.ndim - 1) + keep.shape), a, b)

    return jax.tree.map(of, new, old)


def _first(array: Array) -> Array:
    return jnp.moveaxis(array, -1, 0)


def mode(
    model: Callable[[Array, Any], Seen],
    start: Float[Array, "deviate people"],
    carried: Any,
    reading: Float[Array, "seen people"],
    weight: Float[Array, "seen people"],
    *,
    iterations: int,
) -> Mode:
    """The mode of each person. ``weight``: one over the sd of each reading, 0 where there is none."""
    held = jnp.where(weight > 0.0, reading, 0.0)
    eye = jnp.eye(len(start), dtype=start.dtype)[None]

    def residual(seen: Seen) -> Array:
        return weight * (held - jnp.where(weight > 0.0, seen.value, 0.0))

    def cost(z: Array, seen: Seen) -> Array:
        total = 0.5 * jnp.sum(z * z, axis=0) + 0.5 * jnp.sum(residual(seen) ** 2, axis=0)
        return jnp.where(seen.sound & jnp.isfinite(total), total, jnp.inf)

    def information(seen: Seen) -> tuple[Array, Array]:
        slope = jnp.where(weight[:, None] > 0.0, weight[:, None] * seen.slope, 0.0)
        by_person = _first(slope)
        return jnp.swapaxes(by_person, 1, 2) @ by_person, slope

    def step(at: _Climb, _: None) -> tuple[_Climb, None]:
        asked = model(at.proposed, at.near)
        now = cost(at.proposed, asked)
        again = ~asked.sound & ((at.tries < TRIES) | jnp.isinf(at.cost))
        keep = now < at.cost
        z, seen = _choose(keep, (at.proposed, asked), (at.z, at.seen))
        best = jnp.where(keep, now, at.cost)
        damping = jnp.clip(jnp.where(keep, FALLS, GROWS) * at.damping, LEAST, GREATEST)
        damping = jnp.where(again, at.damping, damping)
        curvature, slope = information(seen)
        downhill = -z + jnp.sum(slope * residual(seen)[:, None], axis=0)
        system = curvature + (1.0 + damping)[:, None, None] * eye
        move = few(jnp.linalg.solve, system, _first(downhill)).T
        move = move / jnp.maximum(jnp.max(jnp.abs(move), axis=0, keepdims=True) / LONGEST, 1.0)
        move = jnp.where(jnp.isfinite(best)[None], move, 0.0)
        newton = few(jnp.linalg.solve, curvature + eye, _first(downhill)).T
        promised = jnp.where(jnp.isfinite(best), 0.5 * jnp.sum(downhill * newton, axis=0), jnp.inf)
        ahead, near = _choose(again, (at.proposed, asked.carried), (z + move, seen.carried))
        return _Climb(z, ahead, near, jnp.where(again, at.tries + 1, 0), seen, best, damping, promised), None

    shape = jax.eval_shape(model, start, carried)
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)._replace(carried=carried)
    none = jnp.full_like(start[0], jnp.inf)
    climb = _Climb(
        start, start, carried, jnp.zeros(start.shape[1], int), nothing, none, jnp.full_like(none, FIRST), none
    )  # fmt: skip
    climb = jax.lax.scan(step, climb, None, length=iterations)[0]
    curvature, _ = information(climb.seen)
    covariance = few(jnp.linalg.inv, curvature + eye)
    misfit = jnp.sum(residual(climb.seen) ** 2, axis=0)
    return Mode(climb.z, covariance, climb.seen, climb.cost, climb.promised < SETTLED, misfit)
