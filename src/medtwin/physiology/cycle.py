"""Fast models that repeat themselves, solved to their cycle: a beat, a breath, and what a slower model sees of it.

A *cyclic* model is driven by something that depends on the phase of its cycle alone (the activation of the heart
muscle). One cycle takes a fixed number of RK4 steps whatever its duration, so people with different periods run side
by side, and the drive is a table with three entries a step (its start, middle and end): a constant of the program where it
is everybody's, computed once before the cycles where it is a person's own.

``settle`` runs a fixed number of cycles from a warm start and sums up the last of them (the one before it as well, by
the same compiled body): mean, least and greatest value of what is watched. It costs the same for everybody, works in
32 and 64 bit, is differentiable in either mode (backward it keeps one cycle at a time), and says how far its last cycle
was from closing. Repetition is enough: the beat of a heart closes fourfold with every cycle.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from medtwin.physiology.model import Model, variables

Watched = Mapping[str, Float[Array, "..."]]


class Cyclic(Model):
    """Abstract: a model whose rates depend on time only through the phase of its cycle."""

    personal: ClassVar[bool] = False  #: whether what drives the cycle depends on the person: :meth:`drive_of`

    @abc.abstractmethod
    def period(self, parameters: Any) -> Float[Array, "..."]:
        """Duration of one cycle, in model time."""

    @abc.abstractmethod
    def drive(self, phase: Float[Array, "..."]) -> Any:
        """What drives the cycle at a phase (0 to 1): a tuple of arrays, the same for every person."""

    def drive_of(self, phase: Float[Array, "..."], parameters: Any) -> Any:
        """What drives the cycle of each person at a phase; what drives everybody's unless the model is ``personal``."""
        return self.drive(phase)

    @abc.abstractmethod
    def driven(self, drive: Any, state: Any, parameters: Any) -> Any:
        """Time derivative of the state under that drive, as a State."""


class Cycle(NamedTuple):
    """One cycle in sum. ``open_by`` is how far it was from closing: the greatest change of a state in units of its
    scale."""

    state: Any
    mean: dict[str, Float[Array, "..."]]
    low: dict[str, Float[Array, "..."]]
    high: dict[str, Float[Array, "..."]]
    open_by: Float[Array, "..."]


def table(model: Cyclic, steps: int, dtype: Any, parameters: Any = None) -> Any:
    """The drive at the start, middle and end of each step of a cycle.

    Constants of shape ``(steps, 3)``; of a ``personal`` model, whose ``parameters`` are needed, ``(steps, 3, ...)``.
    """
    if model.personal:
        shape = jnp.broadcast_shapes(*(jnp.shape(leaf) for leaf in jax.tree.leaves(parameters)))
        phase = jnp.asarray(np.arange(2 * steps) / (2.0 * steps), dtype).reshape(-1, *(1 for _ in shape))
        values = model.drive_of(phase, jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (1, *shape)), parameters))
    else:
        with jax.ensure_compile_time_eval():
            phase = jnp.asarray(np.arange(2 * steps) / (2.0 * steps))
            values = jax.tree.map(lambda value: np.asarray(value, dtype), model.drive(phase))
    index = (2 * np.arange(steps)[:, None] + np.arange(3)) % (2 * steps)
    return jax.tree.map(lambda value: value[index], values)


def stride(model: Cyclic, drive: Any, h: Float[Array, "..."], state: Any, parameters: Any) -> Any:
    """One RK4 step of duration ``h`` under the drive at its start, middle and end, then projected."""
    start, middle, end = (jax.tree.map(lambda value, i=i: value[i], drive) for i in range(3))

    def ahead(factor: Any, slope: Any) -> Any:
        return jax.tree.map(lambda x, k: x + factor * k, state, slope)

    k1 = model.driven(start, state, parameters)
    k2 = model.driven(middle, ahead(h / 2, k1), parameters)
    k3 = model.driven(middle, ahead(h / 2, k2), parameters)
    k4 = model.driven(end, ahead(h, k3), parameters)
    after = jax.tree.map(lambda x, a, b, c, d: x + h / 6 * (a + 2 * b + 2 * c + d), state, k1, k2, k3, k4)
    return model.project(after, parameters)


def trace(model: Cyclic, state: Any, parameters: Any, *, steps: int) -> Any:
    """The states after each step of one cycle that begins at phase 0: leaves of shape ``(steps, ...)``."""
    h = model.period(parameters) / steps

    def step(current: Any, drive: Any) -> tuple[Any, Any]:
        after = stride(model, drive, h, current, parameters)
        return after, after

    return jax.lax.scan(step, state, table(model, steps, _dtype(state), parameters))[1]


def settle(
    model: Cyclic,
    state: Any,
    parameters: Any,
    *,
    cycles: int,
    steps: int,
    watch: Callable[[Any], Watched] = lambda state: {},
) -> Cycle:
    """``cycles`` cycles from phase 0 of ``state``; the last one in sum. The cost is fixed: ``cycles * steps`` steps."""
    rows, h = table(model, steps, _dtype(state), parameters), model.period(parameters) / steps
    scales = model.State(**{variable.name: variable.scale for variable in variables(model.State)})

    def step(carry: tuple[Any, Any, Any, Any], drive: Any) -> tuple[tuple[Any, Any, Any, Any], None]:
        current, total, low, high = carry
        after = stride(model, drive, h, current, parameters)
        seen = dict(watch(after))
        total = jax.tree.map(jnp.add, total, seen)
        return (after, total, jax.tree.map(jnp.minimum, low, seen), jax.tree.map(jnp.maximum, high, seen)), None

    def one(carry: Any, _: None) -> tuple[Any, None]:
        before = carry[0]
        seen = dict(watch(before))
        (after, total, low, high), _ = jax.lax.scan(
            step, (before, jax.tree.map(jnp.zeros_like, seen), seen, seen), rows
        )
        mean = jax.tree.map(lambda value: value / steps, total)
        changes = jax.tree.map(lambda a, b, scale: jnp.abs(a - b) / scale, after, before, scales)
        return (after, mean, low, high, jax.tree.reduce(jnp.maximum, changes)), None

    seen = dict(watch(state))
    start = (state, seen, seen, seen, jnp.zeros_like(jax.tree.leaves(state)[0]))
    return Cycle(*jax.lax.scan(jax.checkpoint(one, prevent_cse=False), start, None, length=cycles)[0])


def _dtype(tree: Any) -> Any:
    return jnp.result_type(*jax.tree.leaves(tree))
