"""What the checks that run a model share: draws of its prior, over the scenario that it declares.

Draws come from fixed keys: a report repeats.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.exposures import Exposure, Grid
from medtwin.physiology.exposures import inputs as exposed
from medtwin.physiology.model import Model, Scenario, simulate, variables
from medtwin.quantities import Kind, registry

DRAWS = 1000
KEY = 20240501
ROUNDING = 1e-9
MOST_SEEN = 480  #: observations kept of one run

Held = dict[str, Float[Array, "steps ..."]]


def scenario_inputs(model: Model, parameters: Any, extra: tuple[Exposure, ...] = ()) -> tuple[int, Held]:
    """Number of steps of the model's scenario, and the inputs of each step for these parameters."""
    chosen = model.scenario or Scenario(duration=24 * model.clock.step * model.clock.unit)
    step = model.clock.step * model.clock.unit
    steps = max(1, round(chosen.duration / step))
    given = (*chosen.given, *extra)
    read = exposed(given, model.accepts, Grid(start=0.0, step=step, count=steps), unit=model.clock.unit)
    resting, named = model.resting(parameters), {exposure.quantity for exposure in given}
    held = {}
    for accepted in model.accepts:
        rest = resting[accepted.quantity]
        column = jnp.asarray(read[accepted.quantity]).reshape(steps, *[1] * rest.ndim)
        if registry.get(accepted.quantity).kind is Kind.AMOUNT:
            held[accepted.quantity] = rest[None] + column - accepted.resting
        else:
            held[accepted.quantity] = jnp.zeros_like(rest)[None] + (
                column if accepted.quantity in named else rest[None]
            )
            held[accepted.quantity] = jnp.broadcast_to(held[accepted.quantity], (steps, *rest.shape))
    return steps, held


def kept_every(steps: int) -> int:
    """Every how many steps an observation is kept, so that few enough are and the last one is."""
    return next(k for k in range(max(1, -(-steps // MOST_SEEN)), steps + 1) if steps % k == 0)


@eqx.filter_jit
def simulated(model: Model, start: Any, parameters: Any, held: Held, steps: int) -> Any:
    return simulate(model, start, parameters, held, every=kept_every(steps), steps=steps)


def run_scenario(model: Model, parameters: Any, start: Any = None) -> tuple[Any, dict[str, Array]]:
    """The state at the end of the scenario, and what was seen on the way; from rest where no start is given."""
    steps, held = scenario_inputs(model, parameters)
    return simulated(model, model.initial(parameters) if start is None else start, parameters, held, steps)


def at_rest(model: Model, parameters: Any) -> Any:
    """The state at rest, every leaf with the draws' shape."""
    shape = jnp.broadcast_shapes(*[leaf.shape for leaf in jax.tree.leaves(parameters)])
    return jax.tree.map(lambda x: jnp.broadcast_to(x, shape), model.initial(parameters))


def away_from_rest(model: Model, parameters: Any) -> Any:
    """States away from rest: each by up to a third of its value, and by up to its scale upward."""
    start = at_rest(model, parameters)
    leaves = {}
    for i, variable in enumerate(variables(model.State)):
        value, key = getattr(start, variable.name), jax.random.fold_in(jax.random.key(KEY), i)
        factor, added = jax.random.uniform(key, (2, *value.shape))
        leaves[variable.name] = value * (2 / 3 + 2 / 3 * factor) + variable.scale * added
    return model.State(**leaves)


def some_inputs(model: Model, parameters: Any) -> dict[str, Array]:
    """Inputs a little off those at rest."""
    return {name: value + 0.37 for name, value in model.resting(parameters).items()}


def names_of(declared: type) -> list[str]:
    return [variable.name for variable in variables(declared)]
