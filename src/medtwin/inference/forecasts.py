"""Members of a belief run into the future: the one way from a belief to what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from medtwin.inference.belief import Belief, members
from medtwin.inference.problem import Problem


@eqx.filter_jit
def forecast_members(
    problem: Problem,
    belief: Belief,
    inputs: Mapping[str, Float[Array, " steps"]],
    n: int,
    key: PRNGKeyArray,
    *,
    steps: int,
    t0: Float[Array, ""],
) -> dict[str, Float[Array, "steps n"]]:
    """Futures of ``n`` members under ``inputs`` held over each step, with the model's process noise.

    ``t0``: model time since local midnight at the beginning of the first step. The same key gives the same members and the
    same noise, so that two futures under different inputs can be compared member by member. Observations stand after
    each step, without reading error.
    """
    first, second = jax.random.split(key)
    state, parameters = members(problem, belief, n, first)
    dt = jnp.asarray(problem.model.clock.step, float)
    model = problem.model

    def advance(carry: tuple[Any, Array], now: Mapping[str, Array]) -> tuple[tuple[Any, Array], dict[str, Array]]:
        state, i = carry
        t = t0 + i * dt
        state = model.step(t, dt, state, parameters, {q: v[None] for q, v in now.items()})
        noise = model.noise(state, parameters)
        leaves, tree = jax.tree.flatten(state)
        drawn = jax.random.normal(jax.random.fold_in(second, i), (len(leaves), n))
        moved = [x + jnp.sqrt(dt) * s * e for x, s, e in zip(leaves, jax.tree.leaves(noise), drawn, strict=True)]
        state = model.project(jax.tree.unflatten(tree, moved), parameters)
        return (state, i + 1), model.observe(t + dt, state, parameters)

    _, seen = jax.lax.scan(advance, (state, jnp.asarray(0)), dict(inputs), length=steps)
    return seen
