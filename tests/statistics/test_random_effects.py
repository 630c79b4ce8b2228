"""One person's regression with a prior of others: against the exact answer, and calibrated."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.statistics.random_effects import CoefficientPrior, learn, posterior

PRIOR = CoefficientPrior(np.array([1.0, -2.0]), np.array([2.0, 1.0]), 3.0)


def drawn(rng, prior, n):
    b = prior.mean + prior.sd * rng.standard_normal(len(prior.mean))
    x = np.column_stack([np.ones(n), rng.standard_normal(n)])
    return b, x, x @ b + prior.noise * rng.standard_normal(n)


def test_without_outcomes_it_is_the_prior():
    found = posterior(PRIOR, np.zeros((0, 2)), np.zeros(0))
    np.testing.assert_allclose(found.mean, PRIOR.mean)
    np.testing.assert_allclose(found.covariance, np.diag(PRIOR.sd**2))
    assert found.noise == PRIOR.noise


def test_with_the_noise_known_it_is_the_exact_gaussian_answer():
    rng = np.random.default_rng(1)
    sure = CoefficientPrior(PRIOR.mean, PRIOR.sd, PRIOR.noise, degrees=1e12)
    _, x, y = drawn(rng, PRIOR, 7)
    found = posterior(sure, x, y)
    # the joint normal of (b, y), conditioned on y
    cross = np.diag(PRIOR.sd**2) @ x.T
    within = x @ np.diag(PRIOR.sd**2) @ x.T + PRIOR.noise**2 * np.eye(7)
    mean = PRIOR.mean + cross @ np.linalg.solve(within, y - x @ PRIOR.mean)
    np.testing.assert_allclose(found.mean, mean, atol=1e-9)
    np.testing.assert_allclose(
        found.covariance, np.diag(PRIOR.sd**2) - cross @ np.linalg.solve(within, cross.T), atol=1e-9
    )


def test_intervals_hold_what_they_promise():
    """2,000 people of 12 outcomes: 90 % intervals of each coefficient, whose own noise is not that of the prior."""
    rng = np.random.default_rng(2)
    held = np.zeros(2)
    for _ in range(2000):
        noise = PRIOR.noise * (10.0 / rng.chisquare(10.0)) ** 0.5
        b, x, y = drawn(rng, CoefficientPrior(PRIOR.mean, PRIOR.sd, noise), 12)
        found = posterior(PRIOR, x, y)
        held += [low <= b[k] <= high for k in range(2) for low, high in [found.interval(k)]]
    np.testing.assert_allclose(held / 2000, 0.9, atol=0.025)


def test_many_people_teach_the_prior():
    rng = np.random.default_rng(3)
    people = [drawn(rng, PRIOR, 25)[1:] for _ in range(300)]
    start = CoefficientPrior(np.zeros(2), np.full(2, 5.0), 10.0)
    found = learn(people, start)
    np.testing.assert_allclose(found.mean, PRIOR.mean, atol=0.35)
    np.testing.assert_allclose(found.sd, PRIOR.sd, rtol=0.2)
    assert found.noise == pytest.approx(PRIOR.noise, rel=0.05)


def test_nobody_teaches_nothing():
    assert learn([], PRIOR) is PRIOR


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(AnalysisError, match="do not fit"):
        posterior(PRIOR, np.ones((3, 2)), np.ones(2))
    with pytest.raises(AnalysisError, match="not finite"):
        posterior(PRIOR, np.array([[1.0, np.nan]]), np.ones(1))
