"""Checks that run a model: on draws of its prior, over the scenario that it declares.

Each returns what it measured, the limit, and the worst offender by name. Draws come from fixed keys: a report repeats.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from medtwin.physiology.balance import exponents, scale
from medtwin.physiology.check_result import NotDeclared, Outcome, Result, listed
from medtwin.physiology.exposures import Exposure, Grid
from medtwin.physiology.exposures import inputs as exposed
from medtwin.physiology.model import (
    Model,
    Scenario,
    Sign,
    draw,
    parameters_at,
    priors,
    rk4,
    simulate,
    variables,
)
from medtwin.physiology.prior import Fixed
from medtwin.quantities import Kind, registry

DRAWS = 1000
KEY = 20240501
ROUNDING = 1e-9
ORDER_TOLERANCE = 0.3
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


def _every(steps: int) -> int:
    return next(k for k in range(max(1, -(-steps // MOST_SEEN)), steps + 1) if steps % k == 0)


@eqx.filter_jit
def _simulated(model: Model, start: Any, parameters: Any, held: Held, steps: int) -> Any:
    return simulate(model, start, parameters, held, every=_every(steps), steps=steps)


def _run(model: Model, parameters: Any, start: Any = None) -> tuple[Any, dict[str, Array]]:
    steps, held = scenario_inputs(model, parameters)
    return _simulated(model, model.initial(parameters) if start is None else start, parameters, held, steps)


@eqx.filter_jit
def _end(model: Model, start: Any, parameters: Any, held: Held, dt: Array, steps: Array, each: Array) -> Any:
    """The state after ``steps`` steps of ``dt``; the inputs of a row of ``held`` hold for ``each`` of them."""

    def advance(i: Array, state: Any) -> Any:
        now = {name: value[i // each] for name, value in held.items()}
        return model.step(i.astype(dt.dtype) * dt, dt, state, parameters, now)

    return jax.lax.fori_loop(jnp.zeros_like(steps), steps, advance, start)


def _broadcast(model: Model, parameters: Any) -> Any:
    """The state at rest, every leaf with the draws' shape."""
    shape = jnp.broadcast_shapes(*[leaf.shape for leaf in jax.tree.leaves(parameters)])
    return jax.tree.map(lambda x: jnp.broadcast_to(x, shape), model.initial(parameters))


def _names(declared: type) -> list[str]:
    return [variable.name for variable in variables(declared)]


def finite(model: Model) -> Outcome:
    """Initial state, noise, final state and every observation of prior draws."""
    parameters = draw(model, jax.random.key(KEY), DRAWS)
    start = model.initial(parameters)
    final, seen = _run(model, parameters)
    where = {f"parameter {name}": getattr(parameters, name) for name in _names(model.Parameters)}
    for label, state in (("at rest", start), ("noise of", model.noise(start, parameters)), ("at the end", final)):
        where |= {f"{label} {name}": getattr(state, name) for name in _names(model.State)}
    where |= {f"observed {name}": value for name, value in seen.items()}
    bad = {label: int((~np.isfinite(np.asarray(value))).sum()) for label, value in where.items()}
    faults = [label for label, count in bad.items() if count]
    return Result(f"{sum(bad.values())} values not finite", f"0 of {DRAWS} draws", listed(faults)), not faults


def plausible(model: Model) -> Outcome:
    """Every observation of prior draws over the scenario, against its quantity's range."""
    _, seen = _run(model, draw(model, jax.random.key(KEY), DRAWS))
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


def _shaken(model: Model, parameters: Any) -> Any:
    """States away from rest: each by up to a third of its value, and by up to its scale upward."""
    start = _broadcast(model, parameters)
    leaves = {}
    for i, variable in enumerate(variables(model.State)):
        value, key = getattr(start, variable.name), jax.random.fold_in(jax.random.key(KEY), i)
        factor, added = jax.random.uniform(key, (2, *value.shape))
        leaves[variable.name] = value * (2 / 3 + 2 / 3 * factor) + variable.scale * added
    return model.State(**leaves)


def _some_inputs(model: Model, parameters: Any) -> dict[str, Array]:
    return {name: value + 0.37 for name, value in model.resting(parameters).items()}


def unit_balance(model: Model) -> Outcome:
    """Choose every base unit anew and evaluate again: rates, rest and observations must only change by their units."""
    if model.own_numbers:
        raise NotDeclared(f"the model states why it cannot be balanced: {model.own_numbers}")
    parameters = draw(model, jax.random.key(KEY), 16)
    state, given = _shaken(model, parameters), _some_inputs(model, parameters)
    units = {v.name: v.unit for v in (*variables(model.Parameters), *variables(model.State))}
    kinds = {a.quantity: registry.get(a.quantity) for a in model.accepts}
    input_scale = {
        name: scale(quantity.unit, {"time": -1} if quantity.kind is Kind.AMOUNT else None)
        for name, quantity in kinds.items()
    }
    span = scale("1", {"time": 1})

    def again(record: Any, declared: type) -> Any:
        return declared(**{name: getattr(record, name) * scale(units[name]) for name in _names(declared)})

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


def order(model: Model) -> Outcome:
    """Observed order on the declared smooth case; on the scenario, kinks and all, it is stated without a verdict."""
    case = model.smooth_case
    if case is None:
        raise NotDeclared("smooth_case = SmoothCase(...)")
    parameters = parameters_at(model, {})
    start = model.initial(parameters)
    units = {v.name: v.scale for v in variables(model.State)}
    start = model.State(**{n: getattr(start, n) + case.displaced.get(n, 0.0) * units[n] for n in _names(model.State)})
    held = {name: value + case.given.get(name, 0.0) for name, value in model.resting(parameters).items()}
    duration = case.duration / model.clock.unit
    rows = {name: value[None] for name, value in held.items()}

    def end(steps: int) -> np.ndarray:
        size = jnp.asarray(duration / steps, dtype=float)
        final = _end(model, start, parameters, rows, size, jnp.asarray(steps), jnp.asarray(steps))
        return np.array([float(getattr(final, name)) / units[name] for name in _names(model.State)])

    reference = end(case.steps * 32)
    errors = [float(np.abs(end(case.steps * k) - reference).max()) for k in (1, 2, 4)]
    if errors[-1] < 1e-13:
        return Result("errors at rounding", f"{case.order:g}", "take fewer steps in smooth_case"), False
    measured = float(np.log2(errors[1] / errors[2]))
    detail = (
        f"errors {errors[0]:.1e}, {errors[1]:.1e}, {errors[2]:.1e} of scale; with kinks {_kinked(model, parameters)}"
    )
    return Result(f"{measured:.2f}", f"{case.order:g} ± {ORDER_TOLERANCE:g}", detail), abs(
        measured - case.order
    ) <= ORDER_TOLERANCE


def _kinked(model: Model, parameters: Any) -> str:
    steps, held = scenario_inputs(model, parameters)
    sizes = {v.name: v.scale for v in variables(model.State)}

    def end(fine: int) -> np.ndarray:
        size = jnp.asarray(model.clock.step / fine, dtype=float)
        start = model.initial(parameters)
        final = _end(model, start, parameters, held, size, jnp.asarray(steps * fine), jnp.asarray(fine))
        return np.array([float(getattr(final, name)) / scale for name, scale in sizes.items()])

    one, two, four = (end(k) for k in (1, 2, 4))
    coarse, fine = np.abs(one - two).max(), np.abs(two - four).max()
    return f"{np.log2(coarse / fine):.1f}" if fine > 1e-13 else "at rounding"


class _Counted:
    """A model beside the running total of a ledger's flow, so that both pass through the same stages of a step."""

    def __init__(self, model: Model, ledger: Any) -> None:
        self.model, self.ledger = model, ledger

    def rates(self, t: Any, state: Any, parameters: Any, inputs: Any) -> Any:
        return self.model.rates(t, state[0], parameters, inputs), self.ledger.flow(state[0], parameters, inputs)


def conservation(model: Model) -> Outcome:
    """Each ledger twice: its rate at states away from rest, and its sum over the scenario, step by step."""
    if not model.ledgers:
        raise NotDeclared("ledgers = (Ledger(...), ...)")
    parameters = draw(model, jax.random.key(KEY), 50)
    worst: dict[str, float] = {}
    for ledger in model.ledgers:
        state, given = _shaken(model, parameters), _some_inputs(model, parameters)
        rates = model.rates(jnp.asarray(0.0), state, parameters, given)
        amount, change = jax.jvp(lambda s, ledger=ledger: ledger.amount(s, parameters), (state,), (rates,))
        flow = ledger.flow(state, parameters, given)
        size = np.abs(np.asarray(amount)).max() / model.clock.step + np.abs(np.asarray(flow)).max()
        worst[f"rate of {ledger.name}"] = float(np.abs(np.asarray(change - flow)).max() / size)
        if type(model).step is Model.step:
            worst[f"sum of {ledger.name}"] = _summed(model, parameters, ledger)
    name = max(worst, key=lambda label: worst[label])
    return Result(f"{worst[name]:.1e} of the amount", f"{ROUNDING:g}", name), worst[name] <= ROUNDING


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

    start = _broadcast(model, parameters)
    first = ledger.amount(start, parameters)
    run = jax.jit(lambda s: jax.lax.scan(step, (s, jnp.zeros_like(first), jnp.asarray(0.0)), held, length=steps)[0])
    final, total, _ = run(start)
    last = ledger.amount(final, parameters)
    size = np.abs(np.asarray(first)).max() + np.abs(np.asarray(last)).max() + np.abs(np.asarray(total)).max()
    return float(np.abs(np.asarray(last - first - total)).max() / size)


def gradients(model: Model) -> Outcome:
    """Of all observations over the scenario, by every deviate and every state at the start; far from the median too."""
    names = [name for name, prior in priors(model).items() if not isinstance(prior, Fixed)]
    kept = [name for name in _names(model.State) if name not in model.bookkeeping]
    sizes = {v.name: v.scale for v in variables(model.State)}
    points = jnp.concatenate(
        [
            jnp.asarray([0.0, 2.0, -2.0])[:, None] * jnp.ones((1, len(names))),
            jax.random.normal(jax.random.key(KEY), (9, len(names))),
        ]
    )
    steps, _ = scenario_inputs(model, parameters_at(model, {}))

    def total(z: Array, moved: Array) -> Array:
        parameters = parameters_at(model, {name: z[:, i] for i, name in enumerate(names)})
        start = _broadcast(model, parameters)
        start = model.State(
            **{n: getattr(start, n) for n in _names(model.State) if n not in kept},
            **{n: getattr(start, n) + sizes[n] * moved[:, i] for i, n in enumerate(kept)},
        )
        _, held = scenario_inputs(model, parameters)
        _, seen = simulate(model, start, parameters, held, every=_every(steps), steps=steps)
        return sum((value.mean(0) / _size(name) for name, value in seen.items()), jnp.zeros(len(z))).sum()

    by_parameter, by_state = jax.jit(jax.grad(total, (0, 1)))(points, jnp.zeros((len(points), len(kept))))
    faults = [name for i, name in enumerate(names) if not np.isfinite(np.asarray(by_parameter[:, i])).all()]
    faults += [f"start of {name}" for i, name in enumerate(kept) if not np.isfinite(np.asarray(by_state[:, i])).all()]
    count = len(names) + len(kept)
    return Result(f"{count - len(faults)} of {count} finite at {len(points)} points", "all", listed(faults)), not faults


def _size(name: str) -> float:
    quantity = registry.get(name)
    return quantity.high - quantity.low if np.isfinite(quantity.high - quantity.low) else 1.0


def traces(model: Model) -> Outcome:
    """Each verb three times, with new numbers and with its own output as input."""
    counts = {"initial": 0, "step": 0, "observe": 0}

    def initial(parameters: Any) -> Any:
        counts["initial"] += 1
        return model.initial(parameters)

    def step(t: Any, state: Any, parameters: Any, given: Any) -> Any:
        counts["step"] += 1
        return model.step(t, dt, state, parameters, given)

    def observe(t: Any, state: Any, parameters: Any) -> Any:
        counts["observe"] += 1
        return model.observe(t, state, parameters)

    dt = jnp.asarray(model.clock.step, dtype=float)
    started, stepped, observed = jax.jit(initial), jax.jit(step), jax.jit(observe)
    state = None
    for i in range(3):
        parameters = draw(model, jax.random.key(KEY + i), 2)
        fresh = started(parameters)
        state = fresh if state is None else state
        t = jnp.asarray(i * model.clock.step, dtype=float)
        observed(t, state, parameters)
        state = stepped(t, state, parameters, model.resting(parameters))
    most = max(counts.values())
    return Result(f"{most} traces", "1", listed([f"{verb} {n}" for verb, n in counts.items() if n > 1])), most == 1


def signs(model: Model) -> Outcome:
    """Each declared sign on every one of 100 draws."""
    if not model.signs:
        raise NotDeclared("signs = (Sign(...), ...)")
    names = [name for name, prior in priors(model).items() if not isinstance(prior, Fixed)]
    z = dict(zip(names, jax.random.normal(jax.random.key(KEY), (len(names), 100)), strict=True))
    parameters = parameters_at(model, z)
    start = _broadcast(model, parameters)
    _, base = _run(model, parameters, start)
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
    return _simulated(model, start, parameters, raised, steps)[1]
