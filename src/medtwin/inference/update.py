"""Update: how a belief is corrected by what happens. One verb, ``run``, compiled once for each problem and size.

An update gives the belief to start from and folds a tape into a belief. It is a configuration without data: frozen,
hashable, the same for every person. Implementations are siblings: :mod:`unscented`, :mod:`ensemble`.
"""

from __future__ import annotations

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from medtwin.errors import InferenceError
from medtwin.inference import tape as tapes
from medtwin.inference.belief import Belief
from medtwin.inference.problem import Problem
from medtwin.inference.tape import Tape
from medtwin.inference.trace import Trace


class Update(eqx.Module):
    """Abstract: a method of inference that corrects a belief event by event."""

    interval: eqx.AbstractVar[int]  #: steps after which a belief is settled even without a reading

    @abc.abstractmethod
    def start(self, problem: Problem, batch: tuple[int, ...] = ()) -> Belief:
        """The belief before anything is known: the prior, with the state at rest and a start-up spread."""

    @abc.abstractmethod
    def fold(self, problem: Problem, belief: Belief, tape: Tape) -> tuple[Belief, Trace]:
        """Fold a tape into a belief (not compiled; see :func:`run`). Arrays have the default float type."""


BLOCK = 64  #: people that are folded together; more of them fall out of a core's cache


@eqx.filter_jit
def _fold(update: Update, problem: Problem, belief: Belief, tape: Tape) -> tuple[Belief, Trace]:
    people = math.prod(tape.batch)
    block = max(size for size in range(1, BLOCK + 1) if people % size == 0)
    if people <= BLOCK or len(tape.batch) > 1 or block < BLOCK // 4:
        return update.fold(problem, belief, tape)
    # a large batch goes block by block: arrays that have the patient axis are cut along it, others are shared
    arrays, rest = eqx.partition((problem, belief, tape), eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    owned = [leaf.ndim > 0 and leaf.shape[-1] == people for leaf in leaves]

    def cut(leaf: Array) -> Array:
        return jnp.moveaxis(leaf.reshape(*leaf.shape[:-1], people // block, block), -2, 0)

    def one(mine: list[Array]) -> tuple[Belief, Trace]:
        left = iter(mine)
        whole = [next(left) if own else leaf for leaf, own in zip(leaves, owned, strict=True)]
        return update.fold(*eqx.combine(jax.tree.unflatten(structure, whole), rest))

    moved, trace = jax.lax.map(one, [cut(leaf) for leaf, own in zip(leaves, owned, strict=True) if own])

    def join(part: Array) -> Array:
        return part[0] if part.ndim == 1 else jnp.moveaxis(part, 0, -2).reshape(*part.shape[1:-1], people)

    return jax.tree.map(join, moved), jax.tree.map(join, trace)


@eqx.filter_jit
def _start(update: Update, problem: Problem, batch: tuple[int, ...]) -> Belief:
    return update.start(problem, batch)


def start(update: Update, problem: Problem, batch: tuple[int, ...] = ()) -> Belief:
    """The belief before anything is known, compiled."""
    return _start(update, problem, batch)


def run(update: Update, problem: Problem, belief: Belief, tape: Tape) -> tuple[Belief, Trace]:
    """Fold ``tape`` into ``belief``: the belief at the end of the last valid step, and what was seen on the way.

    Compiled once per problem structure and tape size: numbers go in as arrays of one float type, whatever type they
    come in. The same belief and tape give the same bits on the same machine.
    """
    tapes.check(tape, problem.model)
    if tape.steps % update.interval:
        raise InferenceError(
            f"a tape of {tape.steps} steps",
            expected=f"a multiple of the update's interval, {update.interval} steps",
            remedy="pad the tape and say how many of its steps are valid",
        )
    return _fold(update, problem, belief, tapes.typed(tape))
