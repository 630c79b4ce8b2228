"""Small dense algebra for many people at once: matrices ``[row, column, *batch]``, batch last."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from medtwin.inference import readings

TINY = 1e-10  #: standard deviation (in units of a variable's scale) below which a direction counts as known exactly


def cholesky(
    covariance: Float[Array, "n n ..."],
) -> tuple[Float[Array, "n n ..."], Int[Array, "..."]]:
    """Lower root of covariances that may be singular, and how often one had to be mended.

    A variable known exactly has a zero row, so a floor is always added: ``64 eps`` of each variance (the rounding error of
    the factorisation itself, Higham 2002 theorem 10.7) plus ``TINY``². Where that is not enough the matrix is not
    a covariance to working precision: it is factored again with a floor of ``1e4`` times that, and failing this its
    correlations are dropped; each such matrix is counted.
    """
    batch = covariance.shape[2:]
    n = covariance.shape[0]
    flat = jnp.moveaxis(covariance.reshape(n, n, -1), -1, 0)
    flat = 0.5 * (flat + jnp.swapaxes(flat, 1, 2))
    variance = jnp.diagonal(flat, axis1=1, axis2=2)
    floor = 64 * jnp.finfo(flat.dtype).eps

    def factor(times: float) -> Array:
        raised = times * (floor * variance + TINY**2)
        return jax.lax.linalg.cholesky(
            flat + raised[:, :, None] * jnp.eye(n, dtype=flat.dtype)[None], symmetrize_input=False
        )

    def mend(root: Array) -> Array:
        second = factor(1e4)
        apart = jnp.sqrt(jnp.maximum(variance, 0.0))[:, :, None] * jnp.eye(n, dtype=flat.dtype)[None]
        second = jnp.where(jnp.isfinite(second).all((1, 2), keepdims=True), second, apart)
        return jnp.where(jnp.isfinite(root).all((1, 2), keepdims=True), root, second)

    root = factor(1.0)
    bad = ~jnp.isfinite(root).all((1, 2))
    root = jax.lax.cond(bad.any(), mend, lambda r: r, root)
    return jnp.moveaxis(root, 0, -1).reshape(covariance.shape), bad.astype(jnp.int32).reshape(batch)


def correct(
    rows: Float[Array, "row column ..."],
    mean: Float[Array, "row ..."],
    seen: Float[Array, "column ..."],
    variance: Float[Array, "..."],
    gaussian: readings.Moved,
) -> tuple[Float[Array, "row ..."], Float[Array, "row column ..."]]:
    """Correct means and square-root rows by one scalar reading.

    ``seen``: the reading's own row of the root; ``variance``: its whole predictive variance s. The predictive N(m, s)
    moves to mean m + ``gaussian.shift`` and variance s ``gaussian.ratio``; with K = rows seen / s this gives

        mean' = mean + K shift,    rows' = rows (I - gamma seen seenᵀ),  (1 - gamma |seen|²)² = 1 - (1 - ratio) |seen|²/s

    the square-root form of Potter (1963): no difference of covariances is taken.
    """
    gain = jnp.einsum("rc...,c...->r...", rows, seen)
    size = jnp.sum(seen**2, axis=0)
    shrink = (1.0 - gaussian.ratio) / variance
    # gamma = (1 - sqrt(1 - shrink size)) / size, written without the quotient 0/0
    gamma = shrink / (1.0 + jnp.sqrt(jnp.maximum(1.0 - shrink * size, 0.0)))
    moved = mean + gain * (gaussian.shift / variance)[None]
    return moved, rows - gain[:, None] * (gamma[None] * seen)[None]


def choose(mask: Bool[Array, "..."], new: Float[Array, "..."], old: Float[Array, "..."]) -> Float[Array, "..."]:
    """``new`` where ``mask`` (over the last axes) holds, else ``old``."""
    return jnp.where(mask.reshape((1,) * (new.ndim - mask.ndim) + mask.shape), new, old)
