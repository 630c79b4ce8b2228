"""Checks of the equations: they balance in units, and conserve what they declare.

Each returns what it measured, the limit, and the worst offender by name.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from medtwin.physiology.balance import exponents, scale
from medtwin.physiology.check_result import NotDeclared, Outcome, Result, listed
from medtwin.physiology.check_run import KEY, ROUNDING, at_rest, away_from_rest, names_of, scenario_inputs, some_inputs
from medtwin.physiology.model import Model, draw, rk4, variables
from medtwin.quantities import Kind, registry


def unit_balance(model: Model) -> Outcome:
    """Choose every base unit anew and evaluate again: rates, rest and observations must only change by their units."""
    if model.own_numbers:
        raise NotDeclared(f"the model states why it cannot be balanced: {model.own_numbers}")
    parameters = draw(model, jax.random.key(KEY), 16)
    state, given = away_from_rest(model, parameters), some_inputs(model, parameters)
    units = {v.name: v.unit for v in (*variables(model.Parameters), *variables(model.State))}
    kinds = {a.quantity: registry.get(a.quantity) for a in model.accepts}
    input_scale = {
        name: scale(quantity.unit, {"time": -1} if quantity.kind is Kind.AMOUNT else None)
        for name, quantity in kinds.items()
    }
    span = scale("1", {"time": 1})

    def again(record: Any, declared: type) -> Any:
        return declared(**{name: getattr(record, name) * scale(units[name]) for name in names_of(declared)})

    new_parameters, new_state = again(parameters, model.Parameters), again(state, model.State)
    new_given = {name: value * input_scale[name] for name, value in given.items()}
    t, dt = jnp.asarray(7.0), jnp.asarray(0.5)

    faults, compared = [], 0

    def compare(label: str, old: Array, new: Array, factor: float, size: float) -> None:
        nonlocal compared
        compared += 1
        expected = np.asarray(old) * factor
        allowed = 1e-7 * (np.abs(expected).max() + 1e-9 * size * factor)
        if not np.all(np.abs(np.asarray(new) - expected) <= allowed):
            faults.append(label)

    rates = model.rates(t, state, parameters, given)
    new_rates = model.rates(t * span, new_state, new_parameters, new_given)
    begun = model.begin(t, dt, state, parameters, given)
    new_begun = model.begin(t * span, dt * span, new_state, new_parameters, new_given)
    started, new_started = model.initial(parameters), model.initial(new_parameters)
    for v in variables(model.State):
        factor = scale(v.unit)
        compare(f"rate of {v.name}", getattr(rates, v.name), getattr(new_rates, v.name), factor / span, v.scale)
        compare(f"begin of {v.name}", getattr(begun, v.name), getattr(new_begun, v.name), factor, v.scale)
        compare(f"initial {v.name}", getattr(started, v.name), getattr(new_started, v.name), factor, v.scale)
    seen, new_seen = model.observe(t, state, parameters), model.observe(t * span, new_state, new_parameters)
    for name, value in seen.items():
        compare(f"observed {name}", value, new_seen[name], scale(registry.get(name).unit), 1.0)
    rested, new_rested = model.resting(parameters), model.resting(new_parameters)
    for name, value in rested.items():
        compare(f"resting {name}", value, new_rested[name], input_scale[name], 1.0)
    bases = {base for unit in units.values() for base in exponents(unit)}
    return Result(
        f"{compared - len(faults)} of {compared} scale with {', '.join(sorted(bases))}", "all", listed(faults)
    ), not faults


def conservation(model: Model) -> Outcome:
    """Each ledger twice: its rate at states away from rest, and its sum over the scenario, step by step."""
    if not model.ledgers:
        raise NotDeclared("ledgers = (Ledger(...), ...)")
    parameters = draw(model, jax.random.key(KEY), 50)
    worst: dict[str, float] = {}
    for ledger in model.ledgers:
        state, given = away_from_rest(model, parameters), some_inputs(model, parameters)
        rates = model.rates(jnp.asarray(0.0), state, parameters, given)
        amount, change = jax.jvp(lambda s, ledger=ledger: ledger.amount(s, parameters), (state,), (rates,))
        flow = ledger.flow(state, parameters, given)
        size = np.abs(np.asarray(amount)).max() / model.clock.step + np.abs(np.asarray(flow)).max()
        worst[f"rate of {ledger.name}"] = float(np.abs(np.asarray(change - flow)).max() / size)
        if type(model).step is Model.step:
            worst[f"sum of {ledger.name}"] = _summed(model, parameters, ledger)
    name = max(worst, key=lambda label: worst[label])
    return Result(f"{worst[name]:.1e} of the amount", f"{ROUNDING:g}", name), worst[name] <= ROUNDING


class _Counted:
    """A model beside the running total of a ledger's flow, so that both pass through the same stages of a step."""

    def __init__(self, model: Model, ledger: Any) -> None:
        self.model, self.ledger = model, ledger

    def rates(self, t: Any, state: Any, parameters: Any, inputs: Any) -> Any:
        return self.model.rates(t, state[0], parameters, inputs), self.ledger.flow(state[0], parameters, inputs)


def _summed(model: Model, parameters: Any, ledger: Any) -> float:
    steps, held = scenario_inputs(model, parameters)
    h = model.clock.step / model.clock.substeps
    counted: Any = _Counted(model, ledger)

    def step(carry: Any, now: Any) -> Any:
        state, total, i = carry
        t = i * model.clock.step
        state = model.begin(t, jnp.asarray(model.clock.step), state, parameters, now)
        for k in range(model.clock.substeps):
            state, total = rk4(counted, t + k * h, h, (state, total), parameters, now)
            state = model.project(state, parameters)
        return (state, total, i + 1), None

    start = at_rest(model, parameters)
    first = ledger.amount(start, parameters)
    run = jax.jit(lambda s: jax.lax.scan(step, (s, jnp.zeros_like(first), jnp.asarray(0.0)), held, length=steps)[0])
    final, total, _ = run(start)
    last = ledger.amount(final, parameters)
    size = np.abs(np.asarray(first)).max() + np.abs(np.asarray(last)).max() + np.abs(np.asarray(total)).max()
    return float(np.abs(np.asarray(last - first - total)).max() / size)
