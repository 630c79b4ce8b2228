"""Problem: a model and a person's covariates, as the vector that filters work on.

The augmented vector of a person is ``[state / scale, z]``: every declared state variable divided by its ``scale``, then
one standard normal deviate for each inferred parameter (see :mod:`medtwin.physiology.prior`). In these coordinates
the prior of ``z`` is N(0, C) with C from ``model.correlations``, and all numbers are of order one::

    x' = step(x, parameters(z)) + noise      z' = z + walk sqrt(days) e      y = observe(x, parameters(z)) + reading error

Beside the parameters that a model declares as ``inferred`` and that are shown, the others with a prior are carried too
(``hidden``): nobody knows them either, and a belief that takes them for known is too sure of those that it shows. A
parameter that is neither stands at its prior's median. What a model keeps as bookkeeping (the size of the meal
being eaten) is no part of the vector: it is carried beside it as ``memory``, one value for each belief.
The numbers of priors are arrays here, never Python
floats, so that people with different covariates share one compiled function.

Shapes: a vector is ``[component, ...]``; what trails (points, hypotheses, members, patients) is batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from medtwin.errors import InferenceError
from medtwin.physiology.model import Model, Variable, priors, variables
from medtwin.physiology.prior import Covariates, Fixed, LogNormal, Normal, Prior, Uniform

DAY = 86400.0
WALK = 0.15  #: default random walk of a deviate: standard deviation per square root of a day
FAR = 5.0  #: deviates beyond are cut off there; one person in two million has one
SPREAD = 0.25  #: default start-up spread of a state variable, as a fraction of its scale


class Curve(eqx.Module):
    """A prior's map from deviate to value with its numbers as arrays: one compiled function serves every person."""

    kind: str = eqx.field(static=True)
    first: Float[Array, "..."]
    second: Float[Array, "..."]
    other: Prior | None = eqx.field(static=True, default=None)

    def value(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """Value in the parameter's unit at deviate ``z`` (elementwise, increasing)."""
        if self.other is not None:
            return self.other.from_deviate(z)
        first, second = align(self.first, z), align(self.second, z)
        if self.kind == "normal":
            return first + second * z
        if self.kind == "log-normal":
            return first * jnp.exp(second * z)
        return first + second * jax.scipy.special.ndtr(z)

    def deviate(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """Inverse of :meth:`value`."""
        if self.other is not None:
            return self.other.to_deviate(value)
        first, second = align(self.first, value), align(self.second, value)
        if self.kind == "normal":
            return (value - first) / second
        if self.kind == "log-normal":
            return jnp.log(value / first) / second
        return jax.scipy.special.ndtri((value - first) / second)


def curve(prior: Prior) -> Curve:
    """The curve of a resolved prior; a prior of another family keeps its own map."""
    if isinstance(prior, Normal):
        return Curve("normal", jnp.asarray(prior.mean, float), jnp.asarray(prior.sd, float))
    if isinstance(prior, LogNormal):
        return Curve("log-normal", jnp.asarray(prior.median, float), jnp.asarray(prior.sigma, float))
    if isinstance(prior, Uniform):
        width = jnp.asarray(prior.high, float) - jnp.asarray(prior.low, float)
        return Curve("uniform", jnp.asarray(prior.low, float), width)
    return Curve("other", jnp.zeros(()), jnp.zeros(()), prior)


def align(value: Array, like: Array) -> Array:
    """``value`` of shape () or (patients,) with the rank of ``like``, whose last axis is patients."""
    return value if value.ndim == 0 else value.reshape((1,) * (like.ndim - value.ndim) + value.shape)


class Problem(eqx.Module):
    """What is inferred of one person (or of a batch of people who share a model). Make it with :func:`problem`."""

    model: Model
    states: tuple[str, ...] = eqx.field(static=True)
    shown: tuple[str, ...] = eqx.field(static=True)  #: inferred parameters that a person gets to see
    hidden: tuple[str, ...] = eqx.field(static=True)  #: carried beside them, so that the shown ones are honest
    memory: tuple[str, ...] = eqx.field(static=True)  #: bookkeeping states
    noisy: tuple[str, ...] = eqx.field(static=True)  #: states that the model gives process noise
    curves: dict[str, Curve]
    constants: dict[str, Float[Array, "..."]]
    scale: Float[Array, " states"]
    memory_scale: Float[Array, " memory"]
    spread: Float[Array, " states"]  #: start-up sd, in units of ``scale``
    walk: Float[Array, " inferred"]  #: sd of each deviate per square root of model time
    prior_mean: Float[Array, "inferred ..."]  #: of the deviates: 0, but for what known parameters say of the others
    prior_root: Float[Array, "inferred inferred"]  #: lower Cholesky factor of the deviates' prior covariance

    @property
    def inferred(self) -> tuple[str, ...]:
        """All parameters whose deviates are in the augmented vector: the shown ones first."""
        return self.shown + self.hidden

    @property
    def size(self) -> int:
        """Length of the augmented vector."""
        return len(self.states) + len(self.inferred)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the components of the augmented vector."""
        return self.states + self.inferred

    def pack(self, state: Any, shape: tuple[int, ...]) -> Float[Array, "states ..."]:
        """A State without its bookkeeping as a scaled vector ``[states, *shape]``."""
        return _stack(state, self.states, shape) / _column(self.scale, len(shape))

    def recall(self, state: Any, shape: tuple[int, ...]) -> Float[Array, "memory ..."]:
        """The bookkeeping of a State, scaled, ``[memory, *shape]``."""
        return _stack(state, self.memory, shape) / _column(self.memory_scale, len(shape))

    def unpack(self, vector: Float[Array, "states ..."], memory: Float[Array, "memory ..."]) -> Any:
        """The State of a scaled vector and bookkeeping (broadcast to it); leaves have the vector's batch shape."""
        rows = vector * _column(self.scale, vector.ndim - 1)
        kept = memory * _column(self.memory_scale, memory.ndim - 1)
        named = {name: rows[i] for i, name in enumerate(self.states)}
        named |= {name: jnp.broadcast_to(kept[i], rows.shape[1:]) for i, name in enumerate(self.memory)}
        return self.model.State(**named)

    def values(self, z: Float[Array, "inferred ..."]) -> dict[str, Array]:
        """Values of the inferred parameters at deviates ``z``, each in its own unit.

        Nobody is taken to lie more than ``FAR`` standard deviations out: absurd data would else drive a rate to where
        the model's step is unstable.
        """
        return {name: self.curves[name].value(jnp.clip(z[i], -FAR, FAR)) for i, name in enumerate(self.inferred)}

    def parameters(self, values: Mapping[str, Array], like: Array) -> Any:
        """Parameters of the model from :meth:`values`; constants take the rank of ``like``."""
        fixed = {name: align(value, like) for name, value in self.constants.items()}
        return self.model.Parameters(**fixed, **values)

    def observe(self, t: Array, state: Any, parameters: Any, shape: tuple[int, ...]) -> Float[Array, "observed ..."]:
        """All observables in the order of ``model.observes``, broadcast to ``shape``."""
        seen = self.model.observe(t, state, parameters)
        return jnp.stack([jnp.broadcast_to(seen[name], shape) for name in self.model.observes])

    def rest(self, like: Float[Array, "..."]) -> tuple[Array, Array]:
        """Prior mean ``[inferred, ...]`` with the rank of one component ``like``, and prior variance of that rank."""
        ones = (1,) * (like.ndim - self.prior_mean.ndim + 1)
        mean = self.prior_mean.reshape(self.prior_mean.shape[:1] + ones + self.prior_mean.shape[1:])
        return mean, jnp.sum(self.prior_root**2, axis=1).reshape((-1,) + (1,) * like.ndim)

    def noise_sd(self, state: Any, parameters: Any, shape: tuple[int, ...]) -> Float[Array, "states ..."]:
        """Process noise of the scaled state per square root of model time."""
        return self.pack(self.model.noise(state, parameters), shape)

    def at(self, **values: Float[Array, "..."]) -> Problem:
        """The same problem with these parameters known (in their own unit): constants now, no longer inferred.

        The prior of the others becomes what it is given these: a correlated one moves and narrows.
        """
        unknown = set(values) - set(self.inferred) - set(self.constants)
        if unknown:
            raise InferenceError(f"parameters {sorted(unknown)}", expected=f"parameters of {self.model.name}")
        keep = np.asarray([i for i, name in enumerate(self.inferred) if name not in values], int)
        gone = np.asarray([i for i, name in enumerate(self.inferred) if name in values], int)
        known = {name: jnp.asarray(value, float) for name, value in values.items()}
        covariance = self.prior_root @ self.prior_root.T
        mean, left = self.prior_mean[keep], covariance[np.ix_(keep, keep)]
        if len(gone):
            deviates = [self.curves[n].deviate(known[n]) for n in self.inferred if n in known]
            apart = [z - align(m, z) for z, m in zip(deviates, self.prior_mean[gone], strict=True)]
            gain = jnp.linalg.solve(covariance[np.ix_(gone, gone)], covariance[np.ix_(gone, keep)]).T
            shape = jnp.broadcast_shapes(*(a.shape for a in apart))
            moved = gain @ jnp.stack([jnp.broadcast_to(a, shape) for a in apart])
            mean = jnp.broadcast_to(mean.reshape(mean.shape + (1,) * (moved.ndim - mean.ndim)), moved.shape) + moved
            left = left - gain @ covariance[np.ix_(gone, keep)]
        return dataclasses.replace(
            self,
            shown=tuple(name for name in self.shown if name not in values),
            hidden=tuple(name for name in self.hidden if name not in values),
            curves={name: c for name, c in self.curves.items() if name not in values},
            constants=self.constants | known,
            walk=self.walk[keep],
            prior_mean=mean,
            prior_root=jnp.linalg.cholesky(left) if len(keep) else left,
        )


def problem(
    model: Model,
    covariates: Covariates | None = None,
    *,
    hidden: Sequence[str] | None = None,
    walk: float | Mapping[str, float] = WALK,
    spread: float | Mapping[str, float] = SPREAD,
) -> Problem:
    """Resolve ``model`` for a person with these covariates (quantity name -> value).

    ``hidden``: parameters carried beside the shown ones (default: all others that have a
    prior). ``walk``: random walk of the deviates, sd per square root of a day, for all or by parameter name. ``spread``:
    start-up sd of the state (nobody need be at rest when records begin) as a fraction of each variable's scale, for
    all or by state name (others take the default).
    """
    resolved = priors(model, covariates)
    declared: tuple[Variable, ...] = variables(model.State)
    open_ = [name for name, prior in resolved.items() if not isinstance(prior, Fixed)]
    shown = tuple(name for name in model.inferred if name in open_)
    beside = [name for name in open_ if name not in model.inferred] if hidden is None else hidden
    inferred = shown + tuple(name for name in beside if name in open_)
    states = tuple(variable.name for variable in declared if variable.name not in model.bookkeeping)
    scales = {variable.name: variable.scale for variable in declared}
    walks = [float(walk.get(n, WALK)) if isinstance(walk, Mapping) else float(walk) for n in inferred]
    spreads = [float(spread.get(n, SPREAD)) if isinstance(spread, Mapping) else float(spread) for n in states]
    correlation = np.eye(len(inferred))
    for a, b, rho in model.correlations:
        if a in inferred and b in inferred:
            i, j = inferred.index(a), inferred.index(b)
            correlation[i, j] = correlation[j, i] = rho
    zero = jnp.zeros(())
    made = Problem(
        model=model,
        states=states,
        shown=shown,
        hidden=inferred[len(shown) :],
        memory=tuple(model.bookkeeping),
        noisy=(),
        curves={name: curve(resolved[name]) for name in inferred},
        constants={name: prior.from_deviate(zero) for name, prior in resolved.items() if name not in inferred},
        scale=jnp.asarray([scales[name] for name in states], float),
        memory_scale=jnp.asarray([scales[name] for name in model.bookkeeping], float),
        spread=jnp.asarray(spreads, float),
        walk=jnp.asarray(walks, float) * (model.clock.unit / DAY) ** 0.5,
        prior_mean=jnp.zeros(len(inferred)),
        prior_root=jnp.asarray(np.linalg.cholesky(correlation), float).reshape(len(inferred), len(inferred)),
    )
    return dataclasses.replace(made, noisy=_noisy(made))


def _noisy(made: Problem) -> tuple[str, ...]:
    """Names of the states whose process noise is not zero, looked up at rest and away from rest."""
    z = jnp.zeros((len(made.inferred), 1))
    parameters = made.parameters(made.values(z), jnp.zeros((1,)))
    start = made.model.initial(parameters)
    rest, memory = made.pack(start, (1,)), made.recall(start, (1,))
    found: set[str] = set()
    for away in (0.0, 1.0):
        sd = made.noise_sd(made.unpack(rest + away, memory), parameters, (1,))
        found |= {name for name, value in zip(made.states, np.asarray(sd)[:, 0], strict=True) if value > 0}
    return tuple(name for name in made.states if name in found)


def _stack(state: Any, names: tuple[str, ...], shape: tuple[int, ...]) -> Array:
    if not names:
        return jnp.zeros((0, *shape))
    return jnp.stack([jnp.broadcast_to(getattr(state, name), shape) for name in names])


def _column(scale: Array, batch: int) -> Array:
    return scale.reshape((-1,) + (1,) * batch)
