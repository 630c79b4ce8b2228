"""Checks of what comes out: finite, plausible, steady at rest, and moved the declared way.

Each returns what it measured, the limit, and the worst offender by name.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from medtwin.physiology.check_result import NotDeclared, Outcome, Result, listed
from medtwin.physiology.check_run import (
    DRAWS,
    KEY,
    ROUNDING,
    at_rest,
    names_of,
    run_scenario,
    scenario_inputs,
    simulated,
)
from medtwin.physiology.exposures import Exposure
from medtwin.physiology.model import Model, Sign, draw, parameters_at, priors, variables
from medtwin.physiology.prior import Fixed
from medtwin.quantities import Kind, registry


def finite(model: Model) -> Outcome:
    """Initial state, noise, final state and every observation of prior draws."""
    parameters = draw(model, jax.random.key(KEY), DRAWS)
    start = model.initial(parameters)
    final, seen = run_scenario(model, parameters)
    where = {f"parameter {name}": getattr(parameters, name) for name in names_of(model.Parameters)}
    for label, state in (("at rest", start), ("noise of", model.noise(start, parameters)), ("at the end", final)):
        where |= {f"{label} {name}": getattr(state, name) for name in names_of(model.State)}
    where |= {f"observed {name}": value for name, value in seen.items()}
    bad = {label: int((~np.isfinite(np.asarray(value))).sum()) for label, value in where.items()}
    faults = [label for label, count in bad.items() if count]
    return Result(f"{sum(bad.values())} values not finite", f"0 of {DRAWS} draws", listed(faults)), not faults


def plausible(model: Model) -> Outcome:
    """Every observation of prior draws over the scenario, against its quantity's range."""
    _, seen = run_scenario(model, draw(model, jax.random.key(KEY), DRAWS))
    faults, outside, total = [], 0, 0
    spans = []
    for name, value in seen.items():
        quantity, values = registry.get(name), np.asarray(value)
        out = (values < quantity.low) | (values > quantity.high)
        outside, total = outside + int(out.sum()), total + out.size
        spans.append(f"{name} {values.min():.4g} to {values.max():.4g}")
        if out.any():
            faults.append(
                f"{name} {values.min():.4g} to {values.max():.4g}, range {quantity.low:g} to {quantity.high:g}"
            )
    return Result(f"{outside} of {total} outside", "0", listed(faults or spans)), not faults


def rest(model: Model) -> Outcome:
    """Rates at rest, as a share of each state's scale in one step."""
    if not model.rests:
        raise NotDeclared("rests = True")
    parameters = draw(model, jax.random.key(KEY), 200)
    rates = model.rates(jnp.asarray(0.0), model.initial(parameters), parameters, model.resting(parameters))
    moved = {
        v.name: float(np.abs(np.asarray(getattr(rates, v.name))).max()) * model.clock.step / v.scale
        for v in variables(model.State)
    }
    worst = max(moved, key=lambda name: moved[name])
    return Result(f"{moved[worst]:.1e} of scale", f"{ROUNDING:g}", worst), moved[worst] <= ROUNDING


def signs(model: Model) -> Outcome:
    """Each declared sign on every one of 100 draws."""
    if not model.signs:
        raise NotDeclared("signs = (Sign(...), ...)")
    names = [name for name, prior in priors(model).items() if not isinstance(prior, Fixed)]
    z = dict(zip(names, jax.random.normal(jax.random.key(KEY), (len(names), 100)), strict=True))
    parameters = parameters_at(model, z)
    start = at_rest(model, parameters)
    _, base = run_scenario(model, parameters, start)
    faults, shown = [], []
    for sign in model.signs:
        more = _more(model, sign, z, parameters, start)
        moved = np.asarray(more[sign.effect] - base[sign.effect]).mean(0) * sign.direction
        label = f"{sign.cause} {'raises' if sign.direction > 0 else 'lowers'} {sign.effect}"
        shown.append(label)
        if not (moved > 0).all():
            faults.append(f"{label}: not in {int((~(moved > 0)).sum())} of 100")
    return Result(f"{len(shown) - len(faults)} of {len(shown)} hold", "all draws", listed(faults or shown)), not faults


def _more(model: Model, sign: Sign, z: dict[str, Array], parameters: Any, start: Any) -> dict[str, Array]:
    accepted = {a.quantity for a in model.accepts}
    steps, held = scenario_inputs(model, parameters)
    if sign.cause in accepted:
        step = model.clock.step * model.clock.unit
        if registry.get(sign.cause).kind is Kind.AMOUNT:
            early = Exposure(quantity=sign.cause, time=0.0, amount=sign.size, until=step * max(1, steps // 8))
            _, raised = scenario_inputs(model, parameters, (early,))
        else:
            raised = held | {sign.cause: held[sign.cause] + sign.size}
    else:
        parameters = parameters_at(model, z | {sign.cause: z[sign.cause] + sign.size})
        raised = held  # the same inputs and the same start: what differs is the parameter alone
    return simulated(model, start, parameters, raised, steps)[1]
