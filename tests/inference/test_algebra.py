"""Roots of covariances that are singular, or none at all."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.inference import algebra


def covariances(n=6, count=5):
    rng = np.random.default_rng(0)
    half = rng.normal(size=(count, n, n))
    return half @ np.swapaxes(half, 1, 2)


def test_root_of_a_covariance():
    given = covariances()
    root, mended = algebra.cholesky(jnp.asarray(given))
    assert root.shape == (6, 6, 5)
    np.testing.assert_allclose(np.einsum("icb,jcb->bij", root, root), given, rtol=1e-10, atol=1e-10)
    assert int(mended.sum()) == 0


def test_what_is_known_exactly_needs_no_mending():
    given = covariances()
    given[:, 2, :] = given[:, :, 2] = 0.0  # a variable without uncertainty
    given[1] = np.outer(np.arange(6.0), np.arange(6.0))  # all of one piece
    given[2] = 0.0
    root, mended = algebra.cholesky(jnp.asarray(given))
    np.testing.assert_allclose(np.einsum("icb,jcb->bij", root, root), given, atol=1e-9)
    assert int(mended.sum()) == 0


def test_what_is_no_covariance_is_mended_and_counted():
    given = covariances()
    given[3] = np.eye(6)
    given[3, 0, 1] = given[3, 1, 0] = 2.0  # a correlation of two
    root, mended = algebra.cholesky(jnp.asarray(given))
    assert np.isfinite(root).all()
    np.testing.assert_array_equal(mended, [0, 0, 0, 1, 0])
    np.testing.assert_allclose(root[:, :, 3], np.eye(6), atol=1e-6)  # variances kept, correlations dropped
    np.testing.assert_allclose(np.asarray(root[:, :, 0]) @ np.asarray(root[:, :, 0]).T, given[0], atol=1e-9)


def test_large_batches_are_what_small_ones_are():
    given = covariances(n=25, count=61)  # more than go together, and no multiple of it
    root, mended = algebra.cholesky(jnp.asarray(given))
    few = [algebra.cholesky(jnp.asarray(given[k : k + 20]))[0] for k in (0, 20, 40, 60)]
    np.testing.assert_array_equal(root, np.concatenate(few, -1))
    assert mended.shape == (61,)


THREE_AT_ONCE = """
import threading, jax, jax.numpy as jnp, numpy as np
from medtwin.inference import algebra
half = np.random.default_rng(0).normal(size=(64, 25, 40))
given = jnp.asarray(half @ np.swapaxes(half, 1, 2))
again = lambda i, x: x + 1e-9 * jnp.moveaxis(algebra.cholesky(x)[0], -1, 0)
often = jax.jit(lambda x: jax.lax.fori_loop(0, 100, again, x))
often(given).block_until_ready()
work = [threading.Thread(target=lambda: [often(given).block_until_ready() for _ in range(12)]) for _ in range(3)]
[one.start() for one in work]
[one.join() for one in work]
"""


@pytest.mark.crash
def test_three_threads_do_not_wait_for_each_other_for_ever():
    """A child process, since threads that wait for ever cannot be ended; the batches are such as stood still before."""
    subprocess.run([sys.executable, "-c", THREE_AT_ONCE], check=True, timeout=180)


HESSIANS_AT_ONCE = """
import threading, jax, jax.numpy as jnp, numpy as np
from medtwin.inference.algebra import few
from medtwin.inference.mismatch import _rooted
half = np.random.default_rng(0).normal(size=(64, 35, 60))
given, pull = jnp.asarray(half @ np.swapaxes(half, 1, 2)), jnp.asarray(half[..., 0])
def evidence(t):
    root, way = ROOTED
    return jnp.sum(way ** 2, axis=1) + jnp.log(root[:, 0, 0])
bend = lambda i, t: t + 1e-9 * jax.jacfwd(jax.jacfwd(evidence))(t).sum((0, 1))
often = jax.jit(lambda: jax.lax.fori_loop(0, 20, bend, jnp.zeros(3)))
often().block_until_ready()
work = [threading.Thread(target=lambda: [often().block_until_ready() for _ in range(2)]) for _ in range(3)]
[one.start() for one in work]
[one.join() for one in work]
"""
MATRICES = "given * (1.0 + t[0] + t[1] ** 2) + t[2] * jnp.eye(35)[None], pull"


@pytest.mark.crash
def test_neither_do_second_derivatives_of_roots():
    """One program is enough here: its directions are solved side by side."""
    script = HESSIANS_AT_ONCE.replace("ROOTED", f"few(_rooted, {MATRICES}, copies=9)")
    subprocess.run([sys.executable, "-c", script], check=True, timeout=180)


def test_a_few_at_a_time_is_all_at_once():
    given = jnp.asarray(covariances(n=35, count=23) + np.eye(35))
    pull = jnp.asarray(np.random.default_rng(1).normal(size=(23, 35)))
    made = jax.jit(lambda a, b: algebra.few(jnp.linalg.solve, a, b, copies=3))(given, pull)
    np.testing.assert_allclose(made, np.linalg.solve(given, np.asarray(pull)[..., None])[..., 0], rtol=1e-9, atol=1e-12)
