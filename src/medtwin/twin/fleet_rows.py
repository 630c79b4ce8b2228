"""Beliefs of a fleet as rows of numbers: one row a patient, in one order of components, exactly the filter's numbers.

Filters work batch-last; a store, a restart and a change of company ask for one patient at a time. So a fleet keeps
``[patient, width]`` and turns a few hundred rows at a time.
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

    def row(self, belief: Mixture) -> Float[np.ndarray, " width"]:
        """The row of one patient's belief."""
        return np.concatenate([np.asarray(getattr(belief, part), np.float64).ravel() for part in _PARTS])

    def rows(self, belief: Mixture) -> Float[np.ndarray, "patient width"]:
        """The rows of a batch."""
        parts = [np.asarray(getattr(belief, part)) for part in _PARTS]
        return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts]).T

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
