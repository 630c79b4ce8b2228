"""Beliefs of a fleet as rows of numbers: one row a patient, in one order of components, exactly the filter's numbers.

Filters work batch-last; a store, a restart and a change of company ask for one patient at a time. So a fleet keeps
``[patient, width]`` and turns a few hundred rows at a time.

A row at rest is bytes (:meth:`Layout.packed`). A belief stands where the filter settled: its roots are Cholesky's, lower
triangles, but for what readings of that moment added above the diagonal, in the columns that the reading's own row of the root
reaches (the first 17 of 41 for a glucose sensor). What lies above and beyond is zero and is left out: 41 kB instead of 69 kB,
and every bit comes back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from medtwin.errors import InferenceError
from medtwin.inference.belief import Mixture
from medtwin.inference.problem import Problem, problem
from medtwin.physiology.model import Model

_met: dict[Any, Any] = {}  #: structures of problems, each once
_PARTS = ("log_probability", "mean", "memory", "root", "evidence")
Covariates = tuple[tuple[str, float], ...]


class Layout:
    """Where the parts of a mixture stand in a row, for people of whom the same covariates are known.

    A covariate that is not known is inferred, so others make another vector. Made of any such patient's belief, or of its
    shapes.
    """

    def __init__(self, one: Mixture) -> None:
        self.names, self.hypotheses = one.names, one.hypotheses
        self.shapes = {part: tuple(getattr(one, part).shape) for part in _PARTS}
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        self.width = sum(sizes)
        self._ends = np.cumsum(sizes)
        begin = sum(sizes[: _PARTS.index("root")])
        self._roots = np.arange(begin, begin + math.prod(self.shapes["root"])).reshape(self.shapes["root"])
        self._rest = np.concatenate([np.arange(begin), np.arange(self._roots.max() + 1, self.width)])
        self._places: dict[int, np.ndarray] = {}

    def row(self, belief: Mixture) -> Float[np.ndarray, " width"]:
        """The row of one patient's belief."""
        return np.concatenate([np.asarray(getattr(belief, part), np.float64).ravel() for part in _PARTS])

    def rows(self, belief: Mixture) -> Float[np.ndarray, "patient width"]:
        """The rows of a batch."""
        parts = [np.asarray(getattr(belief, part)) for part in _PARTS]
        return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts]).T

    def packed(self, rows: Float[np.ndarray, "patient width"]) -> list[bytes]:
        """Rows at rest: how many columns reach above the diagonal (two bytes), then the numbers that need not be zero."""
        n = self.shapes["root"][0]
        above = rows[:, self._roots] != 0.0
        above &= np.triu(np.ones((n, n), bool), 1)[None, :, :, None]
        used = above.any(axis=(1, 3)) * np.arange(1, n + 1)
        reach = used.max(axis=1)
        made: list[bytes] = [b""] * len(rows)
        for columns in np.unique(reach):
            mine = np.flatnonzero(reach == columns)
            kept = np.ascontiguousarray(rows[np.ix_(mine, self._kept(int(columns)))])
            for i, one in zip(mine, kept, strict=True):
                made[i] = int(columns).to_bytes(2, "little") + one.tobytes()
        return made

    def unpacked(self, packed: Sequence[bytes]) -> Float[np.ndarray, "patient width"]:
        """Inverse of :meth:`packed`."""
        rows = np.zeros((len(packed), self.width))
        for row, one in zip(rows, packed, strict=True):
            row[self._kept(int.from_bytes(one[:2], "little"))] = np.frombuffer(one, np.float64, offset=2)
        return rows

    def _kept(self, columns: int) -> np.ndarray:
        """Places of the numbers that are kept where so many columns reach above the diagonal."""
        if columns not in self._places:
            n = self.shapes["root"][0]
            i, j = np.indices((n, n))
            self._places[columns] = np.concatenate([self._rest, self._roots[(i >= j) | (j < columns)].ravel()])
        return self._places[columns]

    def batch(self, rows: Float[np.ndarray, "patient width"], step: np.ndarray) -> Mixture:
        """The mixture of some rows, patients last."""
        turned = np.ascontiguousarray(rows.T)
        parts: dict[str, Any] = {}
        begin = 0
        for (part, shape), end in zip(self.shapes.items(), self._ends, strict=True):
            parts[part] = turned[begin:end].reshape(*shape, len(rows))
            begin = int(end)
        return Mixture(names=self.names, hypotheses=self.hypotheses, step=jnp.asarray(step, jnp.int32), **parts)

    def one(self, row: Float[np.ndarray, " width"], step: int) -> Mixture:
        """One patient's mixture."""
        parts, begin = {}, 0
        for (part, shape), end in zip(self.shapes.items(), self._ends, strict=True):
            parts[part] = jnp.asarray(row[begin:end].reshape(shape))
            begin = int(end)
        return Mixture(names=self.names, hypotheses=self.hypotheses, step=jnp.asarray(step, jnp.int32), **parts)


@lru_cache(maxsize=4096)
def posed(model: Model, covariates: Covariates) -> Problem:
    """The problem of a person with these covariates."""
    return problem(model, dict(covariates))


@lru_cache(maxsize=1 << 18)
def numbers(model: Model, covariates: Covariates) -> tuple[Any, Float[np.ndarray, " own"]]:
    """The structure of a person's problem, and in one row the numbers of it that they may have to themselves."""
    made = posed(model, covariates)
    row = np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(_own(made))])
    structure = jax.tree.structure(made)
    return _met.setdefault(structure, structure), row


def together(model: Model, covariates: Sequence[Covariates]) -> Problem:
    """One problem for a batch of people of whom the same covariates are known.

    Whatever covariates can decide has a patient axis, whether these people differ in it or not: every batch is one
    compilation. Raises InferenceError where people differ in what is no number (a prior of a family of its own).
    """
    place = {one: i for i, one in enumerate(dict.fromkeys(covariates))}
    structures, rows = zip(*(numbers(model, one) for one in place), strict=True)
    if any(one is not structures[0] for one in structures):
        raise InferenceError(f"covariates that decide more of {model.name} than numbers", expected="one structure")
    table = np.stack(rows, axis=-1)[:, [place[one] for one in covariates]]
    first = posed(model, covariates[0])
    leaves, structure = jax.tree.flatten(_own(first))
    made, begin = [], 0
    for leaf in leaves:
        made.append(table[begin : begin + leaf.size].reshape(*leaf.shape, len(covariates)))
        begin += leaf.size
    whole: Problem = eqx.tree_at(_own, first, jax.tree.unflatten(structure, made))
    return whole


def _own(problem: Problem) -> tuple[Any, ...]:
    """What covariates can decide. The rest (scales, walks, correlations) is the model's."""
    return problem.curves, problem.constants, problem.prior_mean
