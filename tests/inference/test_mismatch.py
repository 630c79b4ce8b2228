"""The slow and the quick error against dense multivariate normals."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from medtwin.inference.mismatch import OUTLIER, Mismatch, elapsed_of, gains, inflation, learn, whiten

MISMATCH = Mismatch()


@pytest.fixture(scope="module")
def case():
    """Two people's readings at uneven times; the second has three fewer."""
    rng = np.random.default_rng(1)
    place = np.sort(rng.choice(400, (30, 2), replace=False), axis=0)
    present = np.ones((30, 2), bool)
    present[27:, 1] = False
    eta = np.array([[0.4, -0.3], [0.2, 0.5], [-0.6, 0.1]])
    return place, present, eta, 12.0 * rng.standard_normal((30, 2))


def dense(place, eta, j, inflated=1.0):
    slow, time, white = (np.asarray(v)[j] for v in MISMATCH.values(jnp.asarray(eta)))
    at = place[:, j].astype(float)
    return slow**2 * np.exp(-np.abs(at[:, None] - at) / time) + white**2 * inflated * np.eye(len(at))


def found(case, inflated=None):
    place, present, eta, _ = case
    ones = np.ones(place.shape) if inflated is None else inflated
    return gains(
        *(jnp.asarray(x) if i else x for i, x in enumerate((MISMATCH, eta, elapsed_of(place, 1.0), present, ones)))
    )


def test_whitened_errors_have_the_density_of_the_dense_covariance(case):
    place, present, eta, error = case
    made = found(case)
    white = np.asarray(whiten(made, jnp.asarray(error)))
    for j in range(2):
        here = present[:, j]
        covariance = dense(place, eta, j)[np.ix_(here, here)]
        exact = multivariate_normal(np.zeros(here.sum()), covariance).logpdf(error[here, j])
        ours = -0.5 * (np.sum(white[:, j] ** 2) + float(made.log_det[j]) + here.sum() * np.log(2 * np.pi))
        assert ours == pytest.approx(exact, abs=1e-8)
    assert (white[27:, 1] == 0).all()


def test_the_evidence_is_that_of_the_linear_model(case):
    place, present, eta, error = case
    rng = np.random.default_rng(2)
    slopes = 5.0 * rng.standard_normal((30, 3, 2))
    precision = np.linalg.inv(np.array([[1.0, 0.3, 0.0], [0.3, 1.0, 0.0], [0.0, 0.0, 0.5]]))
    apart = 0.7 * rng.standard_normal((3, 2))
    settled = Mismatch(settled=True)
    elapsed = elapsed_of(place, 1.0)
    given = (error, slopes, apart, precision, elapsed, present, np.ones(place.shape))
    _, evidence = learn(settled, jnp.asarray(eta), *(jnp.asarray(x) for x in given))
    for j in range(2):
        here = present[:, j]
        bent = slopes[here, :, j]
        covariance = dense(place, eta, j)[np.ix_(here, here)] + bent @ np.linalg.inv(precision) @ bent.T
        # readings minus replay at the prior's mean
        centred = error[here, j] + bent @ apart[:, j]
        exact = multivariate_normal(np.zeros(here.sum()), covariance).logpdf(centred) - 0.5 * np.sum(eta[:, j] ** 2)
        assert float(evidence[j]) == pytest.approx(exact, abs=1e-7)


def test_learning_raises_the_evidence_and_finds_the_sizes():
    rng = np.random.default_rng(3)
    people, n = 8, 300
    place = np.tile(np.arange(0, 5 * n, 5)[:, None], (1, people))
    true = dense(place, np.array([[0.5], [1.0], [1.5]]), 0)
    error = np.linalg.cholesky(true) @ rng.standard_normal((n, people))
    nothing = jnp.zeros((n, 1, people)), jnp.zeros((1, people)), jnp.eye(1)
    elapsed, ones = jnp.asarray(elapsed_of(place, 1.0)), jnp.ones((n, people))
    start = jnp.zeros((3, people))
    eta, evidence = learn(MISMATCH, start, jnp.asarray(error), *nothing, elapsed, ones > 0, ones)
    _, before = learn(Mismatch(settled=True), start, jnp.asarray(error), *nothing, elapsed, ones > 0, ones)
    assert (np.asarray(evidence) > np.asarray(before) + 1.0).all()
    # people's mean near the truth, not at the prior's zero (a white error far below the slow one's steps would stay there)
    mean, error_of = np.asarray(eta).mean(1), np.asarray(eta).std(1) / np.sqrt(people)
    assert (np.abs(mean - [0.5, 1.0, 1.5]) < 3.5 * error_of + 0.1).all(), mean


def test_an_outlier_gets_the_variance_that_makes_it_plausible(case):
    place, _, eta, error = case
    error = error.copy()
    error[10, 0] += 300.0
    inflated = np.ones(place.shape)
    for _ in range(5):
        plain = found(case, inflated)
        inflated = np.asarray(inflation(MISMATCH, jnp.asarray(eta), plain, jnp.asarray(error)))
    assert inflated[10, 0] > 50.0
    white = np.asarray(whiten(found(case, inflated), jnp.asarray(error)))
    assert np.abs(white).max() < OUTLIER * 1.05
    assert inflated[27:, 1].max() == 1.0
