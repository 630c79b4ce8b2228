"""The cycle that repeats itself, by Newton's method, where a slow mode would take hundreds of cycles to settle.

One cycle maps a state x to f(x); sought is f(x) = x. What the model conserves (a ledger without flow, linear in the state)
makes the cycle's Jacobian J singular in exactly one direction, since every amount has a periodic state of its own. With ``w``
the gradient of the amount and ``u = w/|w|^2``, the amount that is wanted picks one of them ::

    (I - J + u w') dx = f(x) - x + u (wanted - amount(x))

because ``w'(I - J) = 0``: the added term carries the amount alone. States count in units of their scale. ``shoot`` takes a
fixed number of Newton steps (after some plain cycles, where asked) and says how far the cycle before the last of them was
from closing. A step that would empty a volume is shortened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from medtwin.errors import ModelError
from medtwin.physiology.cycle import Cyclic, stride, table
from medtwin.physiology.model import variables

NUDGE = 1e-5  #: of a state in units of its scale, or of a deviate
SHORTEST = 0.7  #: share of what a state holds that one Newton step may take from it


class Periodic(NamedTuple):
    """A state at phase 0 that repeats itself; ``open_by`` in units of the states' scales, the greatest."""

    state: Any
    open_by: Float[Array, "..."]


class Frame(NamedTuple):
    """States as rows of one array ``[state, ...]`` in units of their scale, and back."""

    model: Cyclic
    scales: tuple[float, ...]
    signed: tuple[bool, ...]  #: whether the state may be negative or zero (a flow); such a one shortens no step

    def stack(self, state: Any) -> Float[Array, "state ..."]:
        """The rows of a state."""
        return jnp.stack([leaf / scale for leaf, scale in zip(jax.tree.leaves(state), self.scales, strict=True)])

    def unstack(self, rows: Float[Array, "state ..."]) -> Any:
        """The state of these rows."""
        names = (v.name for v in variables(self.model.State))
        return self.model.State(**{n: rows[i] * s for i, (n, s) in enumerate(zip(names, self.scales, strict=True))})


def frame(model: Cyclic) -> Frame:
    """The frame of a model; a state whose unit is per second is a flow."""
    declared = variables(model.State)
    return Frame(model, tuple(v.scale for v in declared), tuple(v.unit.endswith("/s") for v in declared))


def cycle_of(model: Cyclic, state: Any, parameters: Any, *, steps: int) -> Any:
    """The state one cycle later."""
    rows, h = (
        table(model, steps, jnp.result_type(*jax.tree.leaves(state)), parameters),
        model.period(parameters) / steps,
    )
    step = lambda current, drive: (stride(model, drive, h, current, parameters), None)  # noqa: E731
    return jax.lax.scan(step, state, rows)[0]


def conserved(model: Cyclic) -> Callable[[Any, Any], Array]:
    """The amount that cycles keep. Raises ModelError unless the model declares one ledger."""
    if len(model.ledgers) != 1:
        raise ModelError(f"{len(model.ledgers)} ledgers of {model.name}", expected="one amount that a cycle conserves")
    return model.ledgers[0].amount


def slopes(f: Callable[[Array], Any], x: Float[Array, "n ..."]) -> tuple[Any, Any]:
    """``f(x)`` and its derivatives by each row of ``x``, which stand on a new first axis.

    By differences over :data:`NUDGE`, all rows as one batch: ``f`` is asked with ``[n, 1 + n, ...]`` and returns arrays
    ``[k, 1 + n, ...]``. In 64 bit the error is about 1e-5 of a slope's own change over a unit, so that each Newton step
    gains five digits; a cycle differentiated forward runs no faster and takes ten times as long to compile.
    """
    n = len(x)
    nudges = jnp.concatenate([jnp.zeros((n, 1), x.dtype), NUDGE * jnp.eye(n, dtype=x.dtype)], axis=1)
    out = f(x[:, None] + nudges.reshape(n, n + 1, *(1 for _ in x.shape[1:])))
    value = jax.tree.map(lambda leaf: leaf[:, 0], out)
    return value, jax.tree.map(lambda leaf: jnp.swapaxes(leaf[:, 1:] - leaf[:, :1], 0, 1) / NUDGE, out)


def newton_step(
    x: Float[Array, "n ..."], after: Float[Array, "n ..."], slope: Float[Array, "by n ..."], w: Float[Array, "n ..."],
    short: Float[Array, "..."], more: Float[Array, "n extra ..."] | None = None,
) -> Float[Array, "n columns ..."]:  # fmt: skip
    """Solve the bordered system above; the columns are dx and, of each column of ``more``, the same solve of that."""
    n = len(x)
    u = w / jnp.sum(w * w, axis=0, keepdims=True)
    eye = jnp.eye(n, dtype=x.dtype).reshape(n, n, *(1 for _ in x.shape[1:]))
    system = eye - jnp.swapaxes(slope, 0, 1) + u[:, None] * w[None, :]
    right = (after - x + u * short[None])[:, None]
    right = right if more is None else jnp.concatenate([right, more], axis=1)
    first = [jnp.moveaxis(m, (0, 1), (-2, -1)) for m in (system, right)]
    return jnp.moveaxis(jnp.linalg.solve(first[0], first[1]), (-2, -1), (0, 1))


def shorten(x: Float[Array, "n ..."], dx: Float[Array, "n ..."], signed: tuple[bool, ...]) -> Float[Array, "n ..."]:
    """``dx``, shorter where it would take more than :data:`SHORTEST` of what a state holds."""
    kept = np.array([i for i, free in enumerate(signed) if not free])
    held = SHORTEST * jnp.abs(x[kept])
    share = jnp.min(held / jnp.maximum(jnp.abs(dx[kept]), held), axis=0)
    return share[None] * dx


def shoot(
    model: Cyclic, state: Any, parameters: Any, *, wanted: Float[Array, "..."], steps: int, burn_in: int = 0, newton: int = 10
) -> Periodic:  # fmt: skip
    """The periodic state with the amount ``wanted``, from a state near it. In 64 bit."""
    at = frame(model)
    amount = conserved(model)
    apart = jax.tree.map(lambda leaf: leaf[None], parameters)  # beside the axis of the differences

    def after(x: Array, p: Any) -> Array:
        return at.stack(cycle_of(model, at.unstack(x), p, steps=steps))

    def held(x: Array) -> Array:
        return jnp.sum(amount(at.unstack(x), parameters))

    def step(x: Array, _: None) -> tuple[Array, Array]:
        value, slope = slopes(lambda rows: after(rows, apart), x)
        short = wanted - amount(at.unstack(x), parameters)
        dx = newton_step(x, value, slope, jax.grad(held)(x), short)[:, 0]
        moved = at.unstack(x + shorten(x, dx, at.signed))
        return at.stack(model.project(moved, parameters)), jnp.max(jnp.abs(value - x), axis=0)

    x = at.stack(state)
    if burn_in:
        x = jax.lax.scan(lambda x, _: (after(x, parameters), None), x, None, length=burn_in)[0]
    x, open_by = jax.lax.scan(step, x, None, length=newton)
    return Periodic(at.unstack(x), open_by[-1])
