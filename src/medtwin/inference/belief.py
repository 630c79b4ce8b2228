"""Beliefs: what a twin holds to be true of a person at a moment, in the coordinates of a :class:`Problem`.

``Mixture``: one Gaussian for each hypothesis, with its probability. ``Members``: equal-weight members of an ensemble.
Everything downstream looks through one door, :func:`members`, which gives equal-weight states and parameters.

Shapes: components first, patients last: mean ``[component, hypothesis, *batch]``, root ``[component, column, hypothesis,
*batch]`` (covariance = root rootᵀ), members ``[component, member, *batch]``.
"""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from medtwin.inference.problem import Problem


class Belief(eqx.Module):
    """Abstract. ``names`` are the components; the first ones are the problem's augmented vector."""

    names: eqx.AbstractVar[tuple[str, ...]]
    step: eqx.AbstractVar[Int[Array, ""]]
    evidence: eqx.AbstractVar[Float[Array, "..."]]

    @abc.abstractmethod
    def moments(self) -> tuple[Float[Array, "component ..."], Float[Array, "component component ..."]]:
        """Mean and covariance."""


class Mixture(Belief):
    """Gaussians with probabilities, one for each hypothesis."""

    names: tuple[str, ...] = eqx.field(static=True)
    hypotheses: tuple[str, ...] = eqx.field(static=True)
    log_probability: Float[Array, "hypothesis ..."]
    mean: Float[Array, "component hypothesis ..."]
    memory: Float[Array, "kept hypothesis ..."]  #: the model's bookkeeping
    root: Float[Array, "component column hypothesis ..."]
    evidence: Float[Array, "..."]  #: log predictive density of all readings so far
    step: Int[Array, ""]  #: absolute number of the next step

    @property
    def probability(self) -> Float[Array, "hypothesis ..."]:
        return jnp.exp(self.log_probability)

    def moments(self) -> tuple[Float[Array, "component ..."], Float[Array, "component component ..."]]:
        """Mean and covariance of the mixture."""
        weight = self.probability
        mean = jnp.sum(weight[None] * self.mean, axis=1)
        apart = self.mean - mean[:, None]
        within = jnp.einsum("h...,ich...,jch...->ij...", weight, self.root, self.root)
        return mean, within + jnp.einsum("h...,ih...,jh...->ij...", weight, apart, apart)


class Members(Belief):
    """Equal-weight members of an ensemble."""

    names: tuple[str, ...] = eqx.field(static=True)
    vectors: Float[Array, "component member ..."]
    memory: Float[Array, "kept member ..."]
    evidence: Float[Array, "..."]
    step: Int[Array, ""]

    def moments(self) -> tuple[Float[Array, "component ..."], Float[Array, "component component ..."]]:
        """Sample mean and covariance."""
        mean = jnp.mean(self.vectors, axis=1)
        apart = self.vectors - mean[:, None]
        return mean, jnp.einsum("in...,jn...->ij...", apart, apart) / (apart.shape[1] - 1)


def vectors(
    belief: Belief, n: int, key: PRNGKeyArray
) -> tuple[Float[Array, "component n ..."], Float[Array, "kept n ..."]]:
    """``n`` equal-weight draws of all components, and the bookkeeping that goes with each.

    A mixture gives each hypothesis its share of draws to within one (systematic resampling, Kitagawa 1996). An ensemble
    gives its own members: a random subset without repetition, or whole copies first when ``n`` exceeds its size.
    """
    if isinstance(belief, Members):
        size = belief.vectors.shape[1]
        order = jax.random.permutation(key, size)
        taken = order[jnp.arange(n) % size]
        return belief.vectors[:, taken], belief.memory[:, taken]
    assert isinstance(belief, Mixture)
    components, hypotheses, *batch = belief.mean.shape
    first, second, third = jax.random.split(key, 3)
    offset = jax.random.uniform(first, tuple(batch), dtype=belief.mean.dtype)
    ticks = (jnp.arange(n, dtype=belief.mean.dtype).reshape((n,) + (1,) * len(batch)) + offset[None]) / n
    edges = jnp.cumsum(belief.probability, axis=0)
    chosen = jnp.sum(ticks[None] >= edges[:, None], axis=0)  # [n, *batch]
    chosen = jax.random.permutation(third, jnp.minimum(chosen, hypotheses - 1), axis=0)
    normal = jax.random.normal(second, (belief.root.shape[1], n, *batch), dtype=belief.mean.dtype)
    out = jnp.zeros((components, n, *batch), belief.mean.dtype)
    kept = jnp.zeros((belief.memory.shape[0], n, *batch), belief.mean.dtype)
    for h in range(hypotheses):
        drawn = belief.mean[:, h][:, None] + jnp.einsum("ic...,cn...->in...", belief.root[:, :, h], normal)
        out = jnp.where((chosen == h)[None], drawn, out)
        kept = jnp.where((chosen == h)[None], belief.memory[:, h][:, None], kept)
    return out, kept


def members(problem: Problem, belief: Belief, n: int, key: PRNGKeyArray) -> tuple[Any, Any]:
    """``n`` equal-weight people as the belief sees them: ``(state, parameters)``, leaves ``(n, *batch)``.

    The one door through which everything downstream sees a belief. States are put where physics allows them.
    """
    return people(problem, *vectors(belief, n, key))


def people(
    problem: Problem, drawn: Float[Array, "component n ..."], memory: Float[Array, "kept n ..."]
) -> tuple[Any, Any]:
    """State and parameters of augmented vectors, each state projected onto what physics allows."""
    states = len(problem.states)
    parameters = problem.parameters(problem.values(drawn[states : problem.size]), drawn[0])
    state = problem.model.project(problem.unpack(drawn[:states], memory), parameters)
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, drawn.shape[1:]), state), parameters
