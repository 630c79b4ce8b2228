"""Roots of covariances that are singular, or none at all."""

import jax.numpy as jnp
import numpy as np

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
