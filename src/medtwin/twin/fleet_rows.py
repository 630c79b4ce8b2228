"""Beliefs of a fleet as rows of numbers: one row a patient, in one order of components, exactly the filter's numbers.

Filters work batch-last; a store, a restart and a change of company ask for one patient at a time. So a fleet keeps
``[patient, width]`` and turns a few hundred rows at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from medtwin.inference.belief import Mixture
from medtwin.inference.problem import Problem, problem
from medtwin.physiology.model import Model

_PARTS = ("log_probability", "mean", "memory", "root", "evidence")
Covariates = tuple[tuple[str, float], ...]


class Layout:
    """Where the parts of a mixture stand in a row, for people of whom the same covariates are known.

    A covariate that is not known is inferred, so others make another vector. Made of any such patient's belief.
    """

    def __init__(self, one: Mixture) -> None:
        self.differing: set[int] = set()  #: see :func:`together`
        self.names, self.hypotheses = one.names, one.hypotheses
        self.shapes = {part: tuple(np.shape(getattr(one, part))) for part in _PARTS}
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
        parts, begin = {}, 0
        for (part, shape), end in zip(self.shapes.items(), self._ends, strict=True):
            parts[part] = jnp.asarray(turned[begin:end].reshape(*shape, len(rows)))
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


def together(model: Model, covariates: Sequence[Covariates], differing: set[int]) -> Problem:
    """One problem for a batch of people: whatever differs between them gets a patient axis.

    ``differing`` remembers, by number, which arrays ever did, so that a later batch has the same structure.
    """
    place: Mapping[Covariates, int] = {one: i for i, one in enumerate(dict.fromkeys(covariates))}
    problems = [eqx.partition(posed(model, one), eqx.is_array) for one in place]
    leaves = [[np.asarray(leaf) for leaf in jax.tree.leaves(arrays)] for arrays, _ in problems]
    differing |= {k for k in range(len(leaves[0])) if any(not np.array_equal(leaves[0][k], own[k]) for own in leaves)}
    which = np.array([place[one] for one in covariates])
    made = [
        jnp.asarray(np.stack([own[k] for own in leaves], axis=-1)[..., which] if k in differing else leaves[0][k])
        for k in range(len(leaves[0]))
    ]
    structure = jax.tree.structure(problems[0][0])
    combined: Problem = eqx.combine(jax.tree.unflatten(structure, made), problems[0][1])
    return combined
