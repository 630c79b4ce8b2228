"""Tape: what happens to a person (or to a batch of people) in a fixed number of steps, as arrays of one size.

A tape covers ``steps`` steps of the model's clock, always the same number, so that one compiled function folds every
piece of every history. Step ``i`` runs from ``start + i dt`` to ``start + (i + 1) dt``:

- ``inputs[q][i]`` holds *during* step ``i`` (an amount as amount per unit of model time);
- a reading at place ``i`` was taken at the *end* of step ``i``, before the inputs of step ``i + 1`` act: a read comes
  before a dose of the same moment;
- only the first ``valid`` steps happen; what lies after them is not looked at, and the belief is that of the end of step
  ``valid - 1`` ("now" in the middle of a tape).

People of a batch who do not stand at one step have a ``start`` and a ``first`` each: their settlings without a reading then
fall on multiples of the update's interval on their own axes (:mod:`medtwin.inference.unscented` only).

Shapes: ``(steps, *batch)``; batch is ``()`` for one person or ``(patients,)``.
"""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from medtwin.errors import InferenceError
from medtwin.physiology.model import Model

EXACT, UPPER, LOWER = 0, 1, 2  #: a value; the truth lies below the value ("<5", "Low"); above it (">", "High")


class Readings(eqx.Module):
    """Readings of one observable. ``sd`` is the error of the reading; a value that is not finite counts as absent."""

    value: Float[Array, "steps ..."]
    sd: Float[Array, "steps ..."]
    present: Bool[Array, "steps ..."]
    kind: Int[Array, "steps ..."]


class Tape(eqx.Module):
    """Inputs and readings of a fixed number of steps. The arrays that :func:`blank` makes are NumPy's: write into them."""

    inputs: dict[str, Float[Array, "steps ..."]]
    readings: dict[str, Readings]
    start: Float[Array, "..."]  #: model time since local midnight at the beginning of step 0; ``()``, or one a person
    first: Int[Array, "..."]  #: absolute number of step 0 on this person's axis; random numbers are counted by it
    valid: Int[Array, "..."]  #: steps that happen

    @property
    def steps(self) -> int:
        return next(iter(self.readings.values())).value.shape[0]

    @property
    def batch(self) -> tuple[int, ...]:
        return tuple(next(iter(self.readings.values())).value.shape[1:])


def blank(model: Model, steps: int, batch: tuple[int, ...] = (), *, start: float = 0.0, first: int = 0) -> Tape:
    """A tape on which nothing is recorded: inputs at rest, no readings, all steps valid."""
    shape = (steps, *batch)
    return Tape(
        inputs={a.quantity: np.full(shape, a.resting) for a in model.accepts},  # type: ignore[misc]
        readings={
            name: Readings(np.zeros(shape), np.ones(shape), np.zeros(shape, bool), np.zeros(shape, np.int32))  # type: ignore[arg-type]
            for name in model.observes
        },
        start=np.asarray(start, float),  # type: ignore[arg-type]
        first=np.asarray(first, np.int32),  # type: ignore[arg-type]
        valid=np.full(batch, steps, np.int32),  # type: ignore[arg-type]
    )


def cut(tape: Tape, steps: int, dt: float) -> tuple[Tape, ...]:
    """The same happenings as tapes of ``steps`` steps each, in order; the length must be a multiple."""
    if tape.steps % steps:
        raise InferenceError(f"a tape of {tape.steps} steps", expected=f"a multiple of {steps}", where="inference.cut")

    def piece(k: int) -> Tape:
        part = slice(k * steps, (k + 1) * steps)
        return Tape(
            inputs={q: v[part] for q, v in tape.inputs.items()},
            readings={
                q: Readings(r.value[part], r.sd[part], r.present[part], r.kind[part]) for q, r in tape.readings.items()
            },
            start=np.asarray(tape.start + k * steps * dt, float),  # type: ignore[arg-type]
            first=np.asarray(tape.first + k * steps, np.int32),  # type: ignore[arg-type]
            valid=np.clip(np.asarray(tape.valid) - k * steps, 0, steps).astype(np.int32),
        )

    return tuple(piece(k) for k in range(tape.steps // steps))


def check(tape: Tape, model: Model) -> None:
    """Raise InferenceError when a tape does not fit the model."""
    _same(tape.inputs, {a.quantity for a in model.accepts}, "inputs", model)
    _same(tape.readings, set(model.observes), "readings", model)


def _same(found: Mapping[str, object], expected: set[str], what: str, model: Model) -> None:
    if set(found) != expected:
        raise InferenceError(
            f"{what} {sorted(found)} on the tape", expected=f"{sorted(expected)}, as {model.name} declares them"
        )


def typed(tape: Tape) -> Tape:
    """The same tape with every number as an array of its own type, whatever type it came in: nothing stays static."""

    def real(value: object) -> Array:
        return jnp.asarray(np.asarray(value), float)

    def whole(value: object) -> Array:
        return jnp.asarray(np.asarray(value), jnp.int32)

    return Tape(
        inputs={name: real(value) for name, value in tape.inputs.items()},
        readings={
            name: Readings(real(r.value), real(r.sd), jnp.asarray(np.asarray(r.present), bool), whole(r.kind))
            for name, r in tape.readings.items()
        },
        start=real(tape.start),
        first=whole(tape.first),
        valid=whole(tape.valid),
    )
