"""Forecasts of the past: what physiology would have said at each earlier reading, knowing nothing later.

From the filter's mean at an origin the model runs on with the inputs known at that origin: a meal that is being eaten is
eaten up, the basal rate holds, nothing else is given. The change of the headline quantity from origin to horizon is the column
that :mod:`medtwin.twin.residual` weighs.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from medtwin.inference.belief import people
from medtwin.inference.problem import Problem
from medtwin.physiology.model import simulate
from medtwin.twin.twin import Twin

BATCH = 256  #: origins in one compiled call


@eqx.filter_jit
def _ahead(
    problem: Problem, vectors: Float[Array, "component n"], memory: Float[Array, "kept n"], inputs: dict[str, Array],
    t0: Array, quantity: str,
) -> Float[Array, "steps n"]:  # fmt: skip
    state, parameters = people(problem, vectors, memory)
    begin = problem.model.observe(t0, state, parameters)[quantity]
    _, seen = simulate(problem.model, state, parameters, inputs, t0=t0)
    return seen[quantity] - begin[None]


def held_after(twin: Twin, origins: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """Inputs ``(steps, origins)`` after each origin (a step boundary) of doses that had begun by then."""
    return {
        quantity: np.stack([doses.held(int(b), steps, begun_by=int(b)) for b in origins], axis=1)
        for quantity, doses in twin.facts.doses.items()
    }


def setting_out(
    twin: Twin, origins: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """From where forecasts at ``origins`` set out: vectors ``(origins, component)``, memory ``(origins, kept)``, model time
    since midnight ``(origins,)`` and inputs ``(steps, origins)``. NaN where the history has no belief."""
    history = twin.history()
    place = np.searchsorted(history["boundary"], origins)
    place = np.minimum(place, len(history["boundary"]) - 1)
    there = (history["boundary"][place] == origins)[:, None]
    vectors = np.where(there, history["vector"][place], np.nan)
    hours = np.array([twin.axis.since_midnight(int(origin)) for origin in origins], float)
    return vectors, np.where(there, history["memory"][place], np.nan), hours, held_after(twin, origins, steps)


def moved(
    problem: Problem, quantity: str, vectors: np.ndarray, memory: np.ndarray, since_midnight: np.ndarray,
    inputs: dict[str, np.ndarray], ends: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Change of ``quantity`` (its unit) from each origin to each end, in steps: ``(origins, ends)``. ``since_midnight
    (origins,)``: model time of each origin, which a model whose parameters follow the hour needs."""
    count = len(vectors)
    result = np.full((count, len(ends)), np.nan)
    for begin in range(0, count, BATCH):
        part = np.arange(begin, min(begin + BATCH, count))
        padded = np.concatenate([part, np.full(BATCH - len(part), part[-1])])
        given: dict[str, Any] = {q: jnp.asarray(v[:, padded]) for q, v in inputs.items()}
        start = jnp.asarray(vectors[padded].T), jnp.asarray(memory[padded].T)
        seen = np.asarray(_ahead(problem, *start, given, jnp.asarray(since_midnight[padded]), quantity))
        result[part] = seen[ends - 1, : len(part)].T
    result[~np.isfinite(vectors).all(1)] = np.nan
    return result


def changes(twin: Twin, quantity: str, origins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Change of ``quantity`` (its unit) from each origin to each end: ``(origins, ends)``.

    ``origins``: settled boundaries of the twin's history; ``ends``: steps ahead. NaN where the history has no belief.
    """
    return moved(twin.problem, quantity, *setting_out(twin, origins, int(ends.max())), ends)
