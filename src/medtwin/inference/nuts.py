"""The no-U-turn sampler over a window: the reference against which faster methods are checked (blackjax).

Hoffman & Gelman, JMLR 2014;15:1593; window adaptation of step size and mass matrix as in Stan. It works in whitened
coordinates u, z = mean + root u, of a Gaussian that is near the posterior (Laplace's, else the prior's).
"""

from __future__ import annotations

from typing import Any, Protocol

import blackjax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from medtwin.inference.posterior import forward
from medtwin.inference.reanchor import Anchored


class Target(Protocol):
    """What can be sampled: :class:`medtwin.inference.posterior.Posterior`, or any other density with a Gaussian prior."""

    @property
    def names(self) -> tuple[str, ...]: ...
    def prior(self) -> tuple[Array, Array]: ...
    def __call__(self, z: Array) -> Array: ...


class Draws(eqx.Module):
    """Draws of the named deviates, and whether to trust them."""

    names: tuple[str, ...] = eqx.field(static=True)
    z: Float[Array, "chains draws named"]
    divergences: Float[Array, ""]  #: count; more than a few: the posterior has corners
    r_hat: Float[Array, " named"]  #: potential scale reduction; above 1.01: chains disagree
    effective: Float[Array, " named"]  #: effective number of independent draws


def nuts(
    posterior: Target,
    key: PRNGKeyArray,
    *,
    around: Anchored | None = None,
    chains: int = 4,
    warm_up: int = 300,
    draws: int = 500,
) -> Draws:
    """Sample the posterior; ``around`` gives the coordinates to work in."""
    mean, covariance = posterior.prior() if around is None else (around.mode, around.covariance)
    # blackjax mixes types and ranks on purpose
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        z, divergent = _sample(posterior, mean, jnp.linalg.cholesky(covariance), key, chains, warm_up, draws)
        r_hat = blackjax.diagnostics.potential_scale_reduction(z)
        effective = blackjax.diagnostics.effective_sample_size(z)
    return Draws(
        names=posterior.names,
        z=z,
        divergences=jnp.sum(divergent, dtype=jnp.int32),
        r_hat=r_hat,
        effective=effective,
    )


@eqx.filter_jit
def _sample(
    posterior: Target, mean: Array, root: Array, key: PRNGKeyArray, chains: int, warm_up: int, draws: int
) -> tuple[Array, Array]:
    density = forward(lambda u: posterior(mean + root @ u))

    def chain(key: PRNGKeyArray) -> tuple[Array, Array]:
        first, second, third = jax.random.split(key, 3)
        adaptation = blackjax.window_adaptation(blackjax.nuts, density)
        begin = jax.random.normal(first, mean.shape)
        (state, tuned), _ = adaptation.run(second, begin, num_steps=warm_up)
        kernel = blackjax.nuts(density, **tuned)

        def step(state: Any, key: PRNGKeyArray) -> tuple[Any, tuple[Array, Array]]:
            state, info = kernel.step(key, state)
            return state, (state.position, info.is_divergent)

        _, (u, divergent) = jax.lax.scan(step, state, jax.random.split(third, draws))
        return mean[None] + u @ root.T, divergent

    return jax.lax.map(chain, jax.random.split(key, chains))
