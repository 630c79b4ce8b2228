"""Scores, coverage, ranks and conformal bands against numbers that are known otherwise."""

import numpy as np
import pytest
from scipy import integrate, stats

from medtwin.statistics import conformal, coverage, ranks, scores


def test_exact_interval_of_a_share():
    # textbook: 8 of 10, Clopper-Pearson 95 %: 0.444 to 0.975
    found = coverage.share(8, 10)
    assert (round(found.low, 4), round(found.high, 4)) == (0.4439, 0.9748)
    for k in (0, 3, 50):
        found, exact = coverage.share(k, 50), stats.binomtest(k, 50).proportion_ci(0.95, "exact")
        np.testing.assert_allclose([found.low, found.high], [exact.low, exact.high], atol=1e-12)
    with pytest.raises(ValueError, match="n >= 1"):
        coverage.share(0, 0)


def test_coverage_counts_bounds_and_skips_what_is_unknown():
    found = coverage.coverage([0.0, 1.0, 2.0, np.nan, 5.0], 0.0, [1.0, 1.0, 1.0, 1.0, np.nan])
    assert (found.successes, found.trials) == (2, 3)
    found = coverage.central([0.04, 0.05, 0.5, 0.95, 0.96])
    assert (found.successes, found.trials) == (3, 5)


@pytest.mark.parametrize("outcome", [-1.0, 0.3, 4.0])
def test_crps_of_a_normal_is_its_integral(outcome):
    integral, _ = integrate.quad(
        lambda x: (stats.norm.cdf(x, 0.5, 1.3) - (x >= outcome)) ** 2, -12, 12, points=[outcome], limit=200
    )
    np.testing.assert_allclose(scores.crps_normal(0.5, 1.3, outcome), integral, atol=1e-8)


def test_crps_of_members():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 4)), rng.normal(size=4)
    pairs = np.abs(x[:, None] - x[None]).sum((0, 1))
    np.testing.assert_allclose(scores.crps_members(x, y), np.abs(x - y).mean(0) - pairs / (2 * 7 * 6), atol=1e-12)
    np.testing.assert_allclose(
        scores.crps_members(x, y, fair=False), np.abs(x - y).mean(0) - pairs / (2 * 49), atol=1e-12
    )
    # the fair score of 20 members is unbiased for the distribution's own: within four standard errors of 4,000 cases
    fair = scores.crps_members(rng.normal(size=(20, 4000)), np.full(4000, 0.7))
    assert abs(fair.mean() - scores.crps_normal(0, 1, 0.7)) < 4 * fair.std() / np.sqrt(4000)


def test_crps_of_quantiles_tends_to_that_of_the_distribution():
    levels = (np.arange(2000) + 0.5) / 2000
    found = scores.crps(stats.norm.ppf(levels)[None], levels, np.array([0.7]))[0]
    np.testing.assert_allclose(found, scores.crps_normal(0, 1, 0.7), rtol=2e-3)


def test_log_score_and_rmse():
    np.testing.assert_allclose(scores.log_score_normal(1.0, 2.0, 0.3), stats.norm.logpdf(0.3, 1.0, 2.0))
    assert scores.rmse(np.array([3.0, 4.0])) == pytest.approx(np.sqrt(12.5))


def test_ranks_of_a_further_draw_are_uniform_and_of_a_shifted_one_are_not():
    rng = np.random.default_rng(1)
    draws, truth = rng.integers(0, 5, size=(9, 3000)), rng.integers(0, 5, size=3000)  # with many ties
    good = ranks.uniformity(ranks.among(draws, truth, rng))
    bad = ranks.uniformity(ranks.among(draws, truth + 0.6, rng))
    assert good.chi_squared_p > 0.001
    assert good.deviation_p > 0.001
    assert bad.chi_squared_p < 1e-6
    assert bad.deviation_p < 1e-6
    assert sum(good.counts) == 3000


def test_uniformity_against_scipy():
    rank = np.random.default_rng(2).random(500) ** 1.1
    found = ranks.uniformity(rank, bins=8)
    reference = stats.chisquare(np.histogram(rank, bins=8, range=(0, 1))[0])
    np.testing.assert_allclose([found.chi_squared, found.chi_squared_p], reference, rtol=1e-10)
    kolmogorov = stats.kstest(rank, "uniform")
    np.testing.assert_allclose(found.deviation, kolmogorov.statistic, rtol=1e-10)
    np.testing.assert_allclose(found.deviation_p, kolmogorov.pvalue, rtol=0.02)


def test_conformal_quantile_is_the_promised_order_statistic():
    assert conformal.quantile(np.arange(1, 20), 0.9) == 18  # ceil(20 * 0.9)
    assert conformal.quantile(np.arange(1, 9), 0.9) == np.inf  # eight scores cannot promise 90 %


def test_conformal_band_covers_what_it_promises():
    rng = np.random.default_rng(3)
    hits, cases, past = 0, 4000, 59
    for _ in range(cases):
        drawn = rng.exponential(size=past + 1) - 1.0  # skewed residuals
        low, high = conformal.band(drawn[:-1]).interval(0.0, 1.0)
        hits += int(low <= drawn[-1] <= high)
    # between 0.9 and 0.9 + 2/60, give or take four standard errors
    assert 0.9 - 4 * np.sqrt(0.09 / cases) < hits / cases < 0.9 + 2 / 60 + 4 * np.sqrt(0.09 / cases)


def test_adaptive_band_keeps_its_promise_when_residuals_grow():
    rng = np.random.default_rng(4)
    state, missed, past = conformal.Adaptive(rate=0.02), [], list(rng.normal(size=100))
    frozen = conformal.band(past)
    missed_frozen = []
    for k in range(3000):
        now = rng.normal() * (1 + k / 1000)
        low, high = state.band(past[-200:]).interval(0.0, 1.0)
        missed.append(not low <= now <= high)
        missed_frozen.append(not -frozen.below <= now <= frozen.above)
        state = state.after(not missed[-1])
        past.append(now)
    # Gibbs & Candes, proposition 4.1: |mean miss - 0.1| <= (max(alpha, 1 - alpha) + rate)/(T rate)
    assert abs(np.mean(missed) - 0.1) <= (0.9 + 0.02) / (3000 * 0.02) + 1e-12
    assert np.mean(missed_frozen) > 0.25
