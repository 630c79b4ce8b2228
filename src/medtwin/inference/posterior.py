"""The posterior of a person's parameters over a window, as a function: what optimisers and samplers work on.

For deviates z of the named parameters, with everything else (state, process noise, the other parameters) integrated out by
the sigma-point filter::

    log p(z | readings) = log N(z; prior) + log p(readings | z) + constant

The second term is the evidence of a filter in which these parameters are known. It is exact for a linear model and as good as
sigma points otherwise; process noise is in it, so a long window does not make the posterior falsely sharp.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from medtwin.errors import InferenceError
from medtwin.inference.hypotheses import SINGLE
from medtwin.inference.problem import Problem
from medtwin.inference.tape import Tape, typed
from medtwin.inference.unscented import Unscented

LOG_2PI = 1.8378770664093453
Density = Callable[[Float[Array, " named"]], Float[Array, ""]]


class Posterior(eqx.Module):
    """Log posterior density (up to the evidence of the window) of the deviates of ``names``; call it with ``z``."""

    problem: Problem
    update: Unscented
    tape: Tape
    names: tuple[str, ...] = eqx.field(static=True)

    def prior(self) -> tuple[Float[Array, " named"], Float[Array, "named named"]]:
        """Prior mean and covariance of the named deviates."""
        place = np.asarray([self.problem.inferred.index(name) for name in self.names], int)
        covariance = self.problem.prior_root @ self.problem.prior_root.T
        return self.problem.prior_mean[place], covariance[np.ix_(place, place)]

    def log_likelihood(self, z: Float[Array, " named"]) -> Float[Array, ""]:
        """Log density of all readings of the window, these deviates known."""
        values = {name: self.problem.curves[name].value(z[i]) for i, name in enumerate(self.names)}
        known = self.problem.at(**values)
        belief, _ = self.update.fold(known, self.update.start(known), self.tape)
        return belief.evidence

    def __call__(self, z: Float[Array, " named"]) -> Float[Array, ""]:
        mean, covariance = self.prior()
        root = jnp.linalg.cholesky(covariance)
        apart = jax.scipy.linalg.solve_triangular(root, z - mean, lower=True)
        log_prior = -0.5 * jnp.sum(apart**2) - jnp.sum(jnp.log(jnp.diagonal(root))) - 0.5 * len(self.names) * LOG_2PI
        return log_prior + self.log_likelihood(z)


def posterior(problem: Problem, update: Unscented, tape: Tape, names: tuple[str, ...] | None = None) -> Posterior:
    """The posterior of ``names`` (default: the shown parameters) over one person's tape, parameters standing still.

    ``update`` lends its interval and noise; of its bank only "as expected" is used. What was asked and answered in
    between (a missed meal) belongs on the tape.
    """
    if tape.batch:
        raise InferenceError(f"a tape of batch {tape.batch}", expected="one person", where="inference.posterior")
    names = problem.shown if names is None else names
    unknown = set(names) - set(problem.inferred)
    if unknown:
        raise InferenceError(f"parameters {sorted(unknown)}", expected=f"among {problem.inferred}")
    single = Unscented(bank=SINGLE, interval=update.interval, reach=update.reach, noise=update.noise, walk=0.0)
    return Posterior(problem, single, typed(tape), tuple(names))


def forward(density: Density) -> Density:
    """The same function with its gradient by forward differentiation.

    A window is some thousand steps and the parameters are few: one pass with a tangent for each costs less than storing
    all steps for a backward pass.
    """

    @jax.custom_vjp
    def value(z: Array) -> Array:
        return density(z)

    def ahead(z: Array) -> tuple[Array, Array]:
        found, pushed = jax.vmap(lambda way: jax.jvp(density, (z,), (way,)), out_axes=(None, 0))(jnp.eye(z.shape[0]))
        return found, pushed

    def back(slope: Array, upstream: Array) -> tuple[Array]:
        return (upstream * slope,)

    value.defvjp(ahead, back)
    return value
