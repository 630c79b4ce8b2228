"""Calibration against closed forms and other implementations."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.fair import calibration, calibration_continuous
from medtwin.trials.fair.calibration_survival import observed_expected_at, observed_expected_by_exposure
from medtwin.trials.fair.smooth import Spline, integrated_index


@pytest.fixture(scope="module")
def risks():
    rng = np.random.default_rng(1)
    p = special.expit(rng.normal(-1.0, 1.0, 300))
    return (rng.random(300) < p).astype(float), p


def test_a_constant_risk_has_the_log_odds_ratio_of_observed_to_predicted():
    y = np.repeat([1.0, 0.0], [30, 70])
    ours = calibration.in_the_large(y, np.full(100, 0.2))
    assert ours.value == pytest.approx(math.log(0.3 / 0.7) - math.log(0.2 / 0.8), rel=1e-9)
    assert ours.scaled_error == pytest.approx(1.0 / math.sqrt(100 * 0.3 * 0.7), rel=1e-9)
    with pytest.raises(AnalysisError, match="same prediction"):
        calibration.slope(y, np.full(100, 0.2))
    assert calibration.observed_expected(y, np.full(100, 0.2)).value == pytest.approx(1.5)
    # with the prediction fixed, the error of log O:E is that of log of a share
    assert calibration.observed_expected(y, np.full(100, 0.2)).scaled_error == pytest.approx(
        math.sqrt(0.7 / 0.3 / 99), rel=1e-9
    )


def test_profile_intervals_end_where_the_likelihood_says(risks):
    """The deviance at each end, from a general optimiser, is the quantile of chi-squared."""
    y, p = risks
    eta = special.logit(p)
    top = glm.fit(np.column_stack([np.ones(300), eta]), y, "logistic").log_likelihood

    def likelihood(a, b):
        return float(y @ (a + b * eta) - np.logaddexp(0.0, a + b * eta).sum())

    limit = stats.chi2.ppf(0.95, 1)
    slope, intercept, large = (
        make(y, p) for make in (calibration.slope, calibration.intercept, calibration.in_the_large)
    )
    for end in (slope.low, slope.high):
        best = optimize.minimize_scalar(lambda a: -likelihood(a, end), bracket=(-1.0, 1.0), tol=1e-12)  # noqa: B023
        assert 2.0 * (top + best.fun) == pytest.approx(limit, abs=1e-6)
    for end in (intercept.low, intercept.high):
        best = optimize.minimize_scalar(lambda b: -likelihood(end, b), bracket=(0.0, 1.0), tol=1e-12)  # noqa: B023
        assert 2.0 * (top + best.fun) == pytest.approx(limit, abs=1e-6)
    for end in (large.low, large.high):
        assert 2.0 * (likelihood(large.value, 1.0) - likelihood(end, 1.0)) == pytest.approx(limit, abs=1e-6)
    # p by the likelihood ratio agrees with the interval
    inside = slope.low < 1.0 < slope.high
    assert inside == (slope.p_value > 0.05)


def test_separation_and_a_lone_outcome_are_refused():
    p = np.linspace(0.1, 0.9, 20)
    with pytest.raises(AnalysisError, match="without an error"):
        calibration.slope((p > 0.5).astype(float), p)
    for y in (np.zeros(20), np.ones(20)):
        with pytest.raises(AnalysisError, match=r"no event|nobody without"):
            calibration.in_the_large(y, p)


def test_measured_outcomes_against_ancova():
    """HC3 of a regression of y on p: a trial of which p is the only covariate, arms drawn without effect, told by algebra."""
    rng = np.random.default_rng(2)
    p = rng.normal(50.0, 10.0, 200)
    y = 3.0 + 0.8 * p + rng.normal(size=200) * (1.0 + np.abs(p - 50.0) / 5.0)
    design = np.column_stack([np.ones(200), p])
    inverse = np.linalg.inv(design.T @ design)
    left = y - design @ (inverse @ design.T @ y)
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    meat = (design * (left / (1.0 - leverage))[:, None] ** 2).T @ design
    sandwich = inverse @ meat @ inverse
    slope, intercept = calibration_continuous.slope(y, p), calibration_continuous.intercept(y, p)
    assert [intercept.value, slope.value] == pytest.approx((inverse @ design.T @ y).tolist(), rel=1e-9)
    assert [intercept.scaled_error, slope.scaled_error] == pytest.approx(np.sqrt(np.diag(sandwich)).tolist(), rel=1e-9)
    # a two-valued prediction is an arm: its slope is ANCOVA's difference
    arm = (np.arange(200) % 2).astype(float)
    theirs = ancova(TrialData.of(y, arm, control=0.0), variance="HC3", df="residual").estimates[0]
    ours = calibration_continuous.slope(y, arm)
    assert (ours.value, ours.scaled_error) == pytest.approx((theirs.value, theirs.standard_error), rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx(theirs.interval, rel=1e-9)
    t = stats.ttest_1samp(y - p, 0.0)
    large = calibration_continuous.in_the_large(y, p)
    assert large.p_value == pytest.approx(t.pvalue, rel=1e-9)
    assert (large.low, large.high) == pytest.approx(tuple(t.confidence_interval(0.95)), rel=1e-9)


def test_without_censoring_kaplan_meier_is_the_share():
    rng = np.random.default_rng(3)
    time = rng.exponential(10.0, 200)
    risk = np.full(200, 0.4)
    ours = observed_expected_at(time, np.ones(200), risk, 5.0)
    share = (time <= 5.0).mean()
    assert ours.value == pytest.approx(share / 0.4, rel=1e-12)
    assert ours.scaled_error == pytest.approx(math.sqrt((1.0 - share) / share / 200), rel=1e-9)
    assert ours.low < ours.value < ours.high


def test_time_at_risk_has_the_exact_poisson_interval():
    time = np.array([1.0, 2.0, 3.0, 8.0])
    event = np.array([1.0, 1.0, 0.0, 1.0])
    risk = 1.0 - np.exp(-np.full(4, 0.5))  # hazard 0.1 up to 5
    ours = observed_expected_by_exposure(time, event, risk, 5.0)
    expected = 0.1 * (1.0 + 2.0 + 3.0 + 5.0)
    assert ours.value == pytest.approx(2.0 / expected, rel=1e-12)
    # Garwood: the means at which two events or more, or two or fewer, have 2.5 %
    assert stats.poisson.sf(1, ours.low * expected) == pytest.approx(0.025, rel=1e-9)
    assert stats.poisson.cdf(2, ours.high * expected) == pytest.approx(0.025, rel=1e-9)


def test_spline_is_linear_beyond_its_knots():
    x = np.linspace(-3.0, 3.0, 200)
    basis = Spline.of(x)
    curve = basis.at(x) @ np.array([1.0, 2.0, -1.0, 0.5])
    assert basis.at(x).T @ basis.at(x) == pytest.approx(200.0 * np.eye(4), abs=1e-7)
    assert basis.at(x[:5]) == pytest.approx(basis.at(x)[:5])
    tails = np.abs(np.diff(curve, 2))
    assert tails[:8].max() < 1e-9
    assert tails[-8:].max() < 1e-9
    assert tails[60:140].max() > 1e-6


def test_index_is_the_distance_that_was_planted():
    """Predictions a tenth too high everywhere, of a large group: the index is a tenth, the perfect score's near nothing."""
    rng = np.random.default_rng(4)
    truth = rng.uniform(0.2, 0.7, 20_000)
    y = (rng.random(20_000) < truth).astype(float)
    ours, floor, curve = integrated_index(y, truth + 0.1, binary=True, draws=50)
    assert np.subtract(curve.predicted, curve.observed) == pytest.approx(0.1, abs=0.03)
    assert all(low < seen < high for low, seen, high in zip(curve.low, curve.observed, curve.high, strict=True))
    assert ours.value == pytest.approx(0.1, abs=0.012)
    assert ours.low < ours.value < ours.high
    assert floor.value < 0.01
    assert ours.p_value == pytest.approx(1.0 / 51.0)
    measured = truth * 10.0 + rng.normal(size=20_000)
    ours, floor, _ = integrated_index(measured, truth * 10.0 - 0.5, binary=False, draws=50)
    assert ours.value == pytest.approx(0.5, abs=0.03)
    assert floor.value < 0.05


def test_index_of_a_perfect_score_is_as_the_floor_says():
    """The p value of perfectly calibrated scores is uniform."""
    rng = np.random.default_rng(5)
    low = 0
    for repeat in range(200):
        p = special.expit(rng.normal(-0.5, 1.0, 120))
        y = (rng.random(120) < p).astype(float)
        ours, *_ = integrated_index(y, p, binary=True, draws=60, seed=repeat)
        low += ours.p_value <= 0.2
    assert 0.2 - 3.5 * 0.0283 < low / 200 < 0.2 + 3.5 * 0.0283
