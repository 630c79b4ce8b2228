"""Small dense algebra for many people at once: matrices ``[row, column, *batch]`` unless batch first is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from medtwin.inference import readings

#: Times n³ of matrices in one call of LAPACK. From about 8e5 on jaxlib (0.10.2) hands parts of a batch to the threads that
#: execute it and waits for them: two batches at once, in two threads or in one program, then wait for each other for ever.
TOGETHER = 400_000
Result = TypeVar("Result")
TINY = 1e-10  #: standard deviation (in units of a variable's scale) below which a direction counts as known exactly


def gram(*rows: Float[Array, "n column ..."]) -> Float[Array, "... n n"]:
    """Sum of R Rᵀ over ``rows``, batch first: LAPACK and the matrix products that lead to it want it so."""
    first = [jnp.moveaxis(r, (0, 1), (-2, -1)) for r in rows]
    return sum(r @ jnp.swapaxes(r, -1, -2) for r in first[1:]) + first[0] @ jnp.swapaxes(first[0], -1, -2)


def cholesky(
    covariance: Float[Array, "... n n"],
) -> tuple[Float[Array, "n n ..."], Int[Array, "..."]]:
    """Lower roots (batch last) of covariances (batch first) that may be singular; and which had to be mended.

    A variable known exactly has a zero row, so a floor is always added: ``64 eps`` of each variance (of the order of
    the rounding error of the factorisation itself, Higham 2002 theorem 10.7) plus ``TINY``². Where that is not enough
    the matrix is not a covariance to working precision: it is factored again with a floor of ``1e4`` times that, and
    failing this its correlations are dropped; each such matrix is counted.
    """
    n, dtype = covariance.shape[-1], covariance.dtype
    unit = jnp.eye(n, dtype=dtype).reshape((1,) * (covariance.ndim - 2) + (n, n))
    variance = jnp.diagonal(covariance, axis1=-2, axis2=-1)
    floor = 64 * jnp.finfo(dtype).eps

    def factor(times: float) -> Array:
        raised = times * (floor * variance + TINY**2)
        return _factor(covariance + raised[..., None] * unit)

    def mend(root: Array) -> Array:
        second = factor(1e4)
        apart = jnp.sqrt(jnp.maximum(jnp.where(jnp.isfinite(variance), variance, 1.0), 0.0))[..., None] * unit
        second = jnp.where(jnp.isfinite(second).all((-2, -1), keepdims=True), second, apart)
        return jnp.where(jnp.isfinite(root).all((-2, -1), keepdims=True), root, second)

    root = factor(1.0)
    bad = ~jnp.isfinite(root).all((-2, -1))
    root = jax.lax.cond(bad.any(), mend, lambda r: r, root)
    return jnp.moveaxis(root, (-2, -1), (0, 1)), bad.astype(jnp.int32)


def _factor(matrices: Float[Array, "... n n"]) -> Float[Array, "... n n"]:
    """Lower factors, a few matrices at a time (see ``TOGETHER``); not a number where one is not positive definite."""
    n = matrices.shape[-1]
    flat = matrices.reshape(-1, n, n)
    size = max(TOGETHER // n**3, 1)
    one = lambda matrix: jax.lax.linalg.cholesky(matrix, symmetrize_input=False)  # noqa: E731
    lower = one(flat) if len(flat) <= size else jax.lax.map(one, flat, batch_size=size)
    return lower.reshape(matrices.shape)


def few(
    function: Callable[..., Result],
    matrices: Float[Array, "batch n n"],
    *others: Float[Array, "batch ..."],
    copies: int = 1,
) -> Result:
    """``function`` of each matrix and what goes with it, as under ``vmap`` but a few at a time (see ``TOGETHER``).

    For every call of LAPACK on a batch: Cholesky, solve, triangular solve, inverse. ``function`` takes one matrix ``[n, n]`` and
    one of each of the others; results are stacked along a first axis. ``copies``: in how many directions at once the caller
    differentiates through it, since each multiplies the batch; where ``copies`` n³ is beyond the limit, one goes at a time.
    """
    size = max(TOGETHER // (matrices.shape[-1] ** 3 * copies), 1)
    if len(matrices) <= size:
        made: Result = jax.vmap(function)(matrices, *others)
        return made
    return cast(Result, jax.lax.map(lambda one: function(*one), (matrices, *others), batch_size=size))


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

        mean' = mean + K shift
        rows' = rows (I - gamma seen seenᵀ)       (1 - gamma |seen|²)² = 1 - (1 - ratio) |seen|²/s

    the square-root form of Potter (1963): no difference of covariances is taken.
    """
    gain = jnp.sum(rows * seen[None], axis=1)
    size = jnp.sum(seen**2, axis=0)
    shrink = (1.0 - gaussian.ratio) / variance
    # gamma = (1 - sqrt(1 - shrink size)) / size, written without the quotient 0/0
    gamma = shrink / (1.0 + jnp.sqrt(jnp.maximum(1.0 - shrink * size, 0.0)))
    moved = mean + gain * (gaussian.shift / variance)[None]
    return moved, rows - gain[:, None] * (gamma[None] * seen)[None]


def choose(mask: Bool[Array, "..."], new: Float[Array, "..."], old: Float[Array, "..."]) -> Float[Array, "..."]:
    """``new`` where ``mask`` (over the last axes) holds, else ``old``."""
    return jnp.where(mask.reshape((1,) * (new.ndim - mask.ndim) + mask.shape), new, old)
