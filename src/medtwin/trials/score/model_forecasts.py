"""A column with what a shipped physiological model foretells from covariates alone, for a trial without records.

Each patient is the model's median person with these covariates (body weight, height, age and so on: what its priors follow), at
rest at baseline, with the inputs given added to the resting ones and held. Importing this file imports JAX.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.score.columns import numbers


def model_forecasts(
    table: pl.DataFrame, *, model: str, quantity: str, days: float, covariates: Mapping[str, str],
    inputs: Mapping[str, str] | None = None, column: str = "forecast",
) -> pl.DataFrame:  # fmt: skip
    """The table with ``column``: the observed ``quantity`` of the model after ``days``, in the quantity's unit.

    ``covariates``: quantity of the model's priors -> column in that quantity's unit; ``inputs``: accepted quantity -> column
    with the planned or usual amount per unit of model time (of rates and levels: the value) beyond rest, known at baseline.
    What is missing of a covariate is unknown to the model, which then takes its population's median; an input that is missing
    is refused.
    """
    import jax
    import jax.numpy as jnp

    from medtwin.physiology.model import covariates as asked_for
    from medtwin.physiology.model import parameters_at, simulate
    from medtwin.physiology.models import by_name

    chosen, given = by_name(model), dict(inputs or {})
    known = asked_for(chosen)
    accepted = [one.quantity for one in chosen.accepts]
    if unknown := sorted(set(covariates) - set(known)) + sorted(set(given) - set(accepted)):
        raise AnalysisError(f"{unknown}, of which {model} knows nothing",
                            expected=f"covariates {list(known)}, inputs {accepted}")  # fmt: skip
    if quantity not in chosen.observes or column in table.columns:
        raise AnalysisError(
            f"quantity {quantity!r}, column {column!r}", expected=f"one of {chosen.observes}; a new column"
        )
    seconds = chosen.clock.step * chosen.clock.unit
    steps = round(days * 86400.0 / seconds)
    if not 1 <= steps <= 20000:
        raise AnalysisError(f"{days:g} days, {steps} steps of {model}", expected="1 to 20000 steps")
    values = {name: numbers(table, place) for name, place in covariates.items()}
    added = {name: numbers(table, place) for name, place in given.items()}
    for name, held in added.items():
        if np.isnan(held).any():
            raise AnalysisError(f"{int(np.isnan(held).sum())} patients without {name}", expected="an input of each")
    people = [
        parameters_at(chosen, {}, {name: float(held[row]) for name, held in values.items() if np.isfinite(held[row])})
        for row in range(table.height)
    ]
    parameters = jax.tree.map(lambda *each: jnp.stack([jnp.asarray(one, float) for one in each]), *people)
    resting = chosen.resting(parameters)
    inputs_held = {
        name: jnp.broadcast_to(resting[name] + jnp.asarray(added.get(name, np.zeros(table.height))), (steps, table.height))
        for name in accepted
    }  # fmt: skip
    _, seen = jax.jit(lambda p, u: simulate(chosen, chosen.initial(p), p, u, every=steps, steps=steps))(
        parameters, inputs_held
    )
    made = np.broadcast_to(np.asarray(seen[quantity])[-1], (table.height,))
    if not np.isfinite(made).all():
        raise AnalysisError(f"{int((~np.isfinite(made)).sum())} forecasts that are not finite", expected="numbers",
                            where=model)  # fmt: skip
    return table.with_columns(pl.Series(column, made))
