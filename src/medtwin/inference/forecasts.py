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
    return _lived(problem, state, parameters, inputs, second, (n,), steps, t0)


@eqx.filter_jit
def forecast_alternatives(
    problem: Problem,
    belief: Belief,
    inputs: Mapping[str, Float[Array, "steps alternatives"]],
    n: int,
    key: PRNGKeyArray,
    *,
    quantity: str,
    steps: int,
    t0: Float[Array, ""],
) -> Float[Array, "steps n alternatives"]:
    """One observable's futures of the same ``n`` members under several inputs at once, side by side.

    Each alternative is what :func:`forecast_members` with the same key gives for it alone, so that alternatives can be
    compared member by member; together they cost a fraction of one run each.
    """
    first, second = jax.random.split(key)
    state, parameters = members(problem, belief, n, first)
    count = next(iter(inputs.values())).shape[1]
    state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[:, None], (n, count)), state)
    parameters = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (n,))[:, None], parameters)
    return _lived(problem, state, parameters, inputs, second, (n, 1), steps, t0, (quantity,))[quantity]


def _lived(
    problem: Problem, state: Any, parameters: Any, inputs: Mapping[str, Array], key: PRNGKeyArray, noisy: tuple[int, ...],
    steps: int, t0: Array, wanted: tuple[str, ...] | None = None,
) -> dict[str, Array]:  # fmt: skip
    """The scan over steps; noise is drawn in shape ``noisy`` and shared along what follows the members."""
    dt = jnp.asarray(problem.model.clock.step, float)
    model = problem.model

    def advance(carry: tuple[Any, Array], now: Mapping[str, Array]) -> tuple[tuple[Any, Array], dict[str, Array]]:
        state, i = carry
        t = t0 + i * dt
        state = model.step(t, dt, state, parameters, {q: v[None] for q, v in now.items()})
        noise = model.noise(state, parameters)
        leaves, tree = jax.tree.flatten(state)
        drawn = jax.random.normal(jax.random.fold_in(key, i), (len(leaves), *noisy))
        moved = [x + jnp.sqrt(dt) * s * e for x, s, e in zip(leaves, jax.tree.leaves(noise), drawn, strict=True)]
        state = model.project(jax.tree.unflatten(tree, moved), parameters)
        seen = model.observe(t + dt, state, parameters)
        return (state, i + 1), {q: seen[q] for q in wanted or seen}

    _, seen = jax.lax.scan(advance, (state, jnp.asarray(0)), dict(inputs), length=steps)
    return seen
