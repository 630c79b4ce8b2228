"""Checks of the computation: the order of a step, finite gradients, one compilation of each verb.

Each returns what it measured, the limit, and the worst offender by name.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from medtwin.physiology.check_result import NotDeclared, Outcome, Result, listed
from medtwin.physiology.check_run import KEY, Held, at_rest, kept_every, names_of, scenario_inputs
from medtwin.physiology.model import Model, draw, parameters_at, priors, simulate, variables
from medtwin.physiology.prior import Fixed
from medtwin.quantities import registry

ORDER_TOLERANCE = 0.3


def order(model: Model) -> Outcome:
    """Observed order on the declared smooth case; on the scenario, kinks and all, it is stated without a verdict."""
    case = model.smooth_case
    if case is None:
        raise NotDeclared("smooth_case = SmoothCase(...)")
    parameters = parameters_at(model, {})
    start = model.initial(parameters)
    units = {v.name: v.scale for v in variables(model.State)}
    start = model.State(**{n: getattr(start, n) + case.displaced.get(n, 0.0) * units[n] for n in names_of(model.State)})
    held = {name: value + case.given.get(name, 0.0) for name, value in model.resting(parameters).items()}
    duration = case.duration / model.clock.unit
    rows = {name: value[None] for name, value in held.items()}

    def end(steps: int) -> np.ndarray:
        size = jnp.asarray(duration / steps, dtype=float)
        final = _end(model, start, parameters, rows, size, jnp.asarray(steps), jnp.asarray(steps))
        return np.array([float(getattr(final, name)) / units[name] for name in names_of(model.State)])

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


@eqx.filter_jit
def _end(model: Model, start: Any, parameters: Any, held: Held, dt: Array, steps: Array, each: Array) -> Any:
    """The state after ``steps`` steps of ``dt``; the inputs of a row of ``held`` hold for ``each`` of them."""

    def advance(i: Array, state: Any) -> Any:
        now = {name: value[i // each] for name, value in held.items()}
        return model.step(i.astype(dt.dtype) * dt, dt, state, parameters, now)

    return jax.lax.fori_loop(jnp.zeros_like(steps), steps, advance, start)


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


def gradients(model: Model) -> Outcome:
    """Of all observations over the scenario, by every deviate and every state at the start; far from the median too."""
    names = [name for name, prior in priors(model).items() if not isinstance(prior, Fixed)]
    kept = [name for name in names_of(model.State) if name not in model.bookkeeping]
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
        start = at_rest(model, parameters)
        start = model.State(
            **{n: getattr(start, n) for n in names_of(model.State) if n not in kept},
            **{n: getattr(start, n) + sizes[n] * moved[:, i] for i, n in enumerate(kept)},
        )
        _, held = scenario_inputs(model, parameters)
        _, seen = simulate(model, start, parameters, held, every=kept_every(steps), steps=steps)
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
