"""The slow and the quick error against dense multivariate normals."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from medtwin.inference.mismatch import (
    OUTLIER,
    Linear,
    Mismatch,
    bounds,
    elapsed_of,
    gains,
    inflation,
    learn,
    spread,
    whiten,
)
from medtwin.inference.tape import UPPER

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
    _, evidence = learn(settled, jnp.asarray(eta), Linear(*(jnp.asarray(x) for x in given)))
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
    linear = Linear(jnp.asarray(error), *nothing, elapsed, ones > 0, ones)
    eta, evidence = learn(MISMATCH, start, linear)
    _, before = learn(Mismatch(settled=True), start, linear)
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


@pytest.mark.slow
def test_the_spread_holds_what_is_not_known_of_the_mismatch():
    """Against the posterior on a grid of all three sizes, parameters exact at each: a level and a slope of few readings."""
    rng = np.random.default_rng(4)
    n, narrow = 24, Mismatch(slow_sd=(10.0, 0.5), slow_time=(40.0, 0.5), white_sd=(2.5, 0.5))
    place = np.arange(0, 15 * n, 15)[:, None]
    slopes = np.stack([np.full((n, 1), 8.0), 8.0 * np.linspace(-1, 1, n)[:, None]], axis=1)
    at = place[:, 0].astype(float)

    def covariance(a, b, c):
        size, time, white = 10.0 * np.exp(0.5 * a), 40.0 * np.exp(0.5 * b), 2.5 * np.exp(0.5 * c)
        return size**2 * np.exp(-np.abs(at[:, None] - at) / time) + white**2 * np.eye(n)

    error = np.linalg.cholesky(covariance(0.5, 0.5, 0.0)) @ rng.standard_normal((n, 1))
    linear = Linear(
        *(jnp.asarray(x) for x in (error, slopes, np.zeros((2, 1)), np.eye(2), elapsed_of(place, 1.0),
                                   np.ones((n, 1), bool), np.ones((n, 1))))
    )  # fmt: skip
    eta, _ = learn(narrow, jnp.zeros((3, 1)), linear)
    found = np.asarray(spread(narrow, eta, linear))[0]
    alone = np.asarray(spread(Mismatch(narrow.slow_sd, narrow.slow_time, narrow.white_sd, settled=True), eta, linear))[
        0
    ]
    grid, logs, moments = np.linspace(-3.0, 3.0, 9), [], []
    bent = slopes[:, :, 0]

    def solved(noise):
        precision = bent.T @ np.linalg.solve(noise, bent) + np.eye(2)
        return np.linalg.inv(precision), np.linalg.solve(precision, bent.T @ np.linalg.solve(noise, error[:, 0]))

    _, likeliest = solved(covariance(*np.asarray(eta)[:, 0]))
    for a in grid:
        for b in grid:
            for c in grid:
                noise = covariance(a, b, c)
                inside, step = solved(noise)
                whole = noise + bent @ bent.T
                logs.append(
                    -0.5 * (np.linalg.slogdet(whole)[1] + error[:, 0] @ np.linalg.solve(whole, error[:, 0]))
                    - 0.5 * (a**2 + b**2 + c**2)
                )
                moments.append(inside + np.outer(step - likeliest, step - likeliest))
    weight = np.exp(np.array(logs) - max(logs))
    exact = np.einsum("a,akl->kl", weight / weight.sum(), np.array(moments))
    np.testing.assert_allclose(np.sqrt(np.diagonal(found)), np.sqrt(np.diagonal(exact)), rtol=0.05)
    assert (np.diagonal(found) > 1.02 * np.diagonal(alone)).all()


def test_a_bound_says_what_it_can_say_and_no_more(case):
    """Far within the bound: nothing. Across it: towards it. And its probability, its slope and its bend, by differences."""
    place, present, eta, error = case
    elapsed, ones = jnp.asarray(elapsed_of(place, 1.0)), np.ones(place.shape)
    kind = np.zeros(place.shape, int)
    kind[-1, 0] = UPPER  # the last of the first person: nothing after it hears of it

    def said(last, inflated=ones, kind=kind):
        moved = error.copy()
        moved[-1, 0] = last
        given = (jnp.asarray(x) for x in (present, inflated, kind, moved))
        return moved, bounds(MISMATCH, jnp.asarray(eta), elapsed, *given)

    def density(error, inflated):
        made = found(case, inflated)
        white = np.asarray(whiten(made, jnp.asarray(error)))
        return -0.5 * (np.sum(white[:, 0] ** 2) + float(made.log_det[0]) + 30 * np.log(2 * np.pi))

    _, far = said(400.0)
    assert float(far.inflation[-1, 0]) > 1e3
    exact = np.delete(np.arange(30), -1)
    covariance = dense(place, eta, 0)
    weights = np.linalg.solve(covariance[np.ix_(exact, exact)], covariance[exact, -1])
    mean = weights @ error[exact, 0]
    sd = np.sqrt(covariance[-1, -1] - weights @ covariance[exact, -1])
    before = multivariate_normal(np.zeros(29), covariance[np.ix_(exact, exact)]).logpdf(error[exact, 0])
    for last in (mean - 2 * sd, mean, mean + sd):
        moved, here = said(last)
        stands, wide = np.asarray(here.error), np.asarray(here.inflation)
        np.testing.assert_array_equal(stands[:-1, 0], moved[:-1, 0])
        log_mass = lambda x: norm.logcdf((x - mean) / sd)  # noqa: E731
        assert density(stands, wide) + float(here.worth[0]) == pytest.approx(before + log_mass(last), abs=1e-6)
        # the replay moves, the bound and what stands for it stay: both densities move alike, to second order
        step, apart = 1e-3, []
        for way in (step, -step):
            shifted = stands.copy()
            shifted[-1, 0] += way
            apart.append((density(shifted, wide) - density(stands, wide), log_mass(last + way) - log_mass(last)))
        (up, true_up), (down, true_down) = apart
        assert up - down == pytest.approx(true_up - true_down, rel=1e-4)
        assert up + down == pytest.approx(true_up + true_down, rel=1e-3)
