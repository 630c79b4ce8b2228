"""Priors of a mean that learn how much of history to believe: against sums over grids and over all allocations."""

import itertools

import numpy as np
import pytest
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.external.hybrid import hybrid_mean_difference
from medtwin.trials.external.normal_learnt import (
    normal_commensurate_prior,
    normal_leap_prior,
    normal_normalised_power_prior,
)
from medtwin.trials.external.normal_prior import NormalMixture
from medtwin.trials.external.tipping import check_no_borrowing
from medtwin.trials.external.worth import effective_patients_of_mean


def test_normalised_power_prior_by_brute_force():
    prior = normal_normalised_power_prior(1.0, 0.3, mean=0.0, standard_deviation=4.0, discount=(2.0, 1.0))
    a0 = (np.arange(800) + 0.5) / 800
    theta = np.linspace(-12.0, 12.0, 2401)[:, None]
    given = np.exp(-0.5 * (theta / 4.0) ** 2 - 0.5 * a0 * ((theta - 1.0) / 0.3) ** 2)
    given = given / given.sum(axis=0) * 2.0 * a0  # each normalised, times Beta(2, 1)
    joint = given / given.sum()
    assert prior.discount_mean == pytest.approx(2.0 / 3.0)
    assert prior.value.mean() == pytest.approx(float((joint * theta).sum()), abs=1e-4)
    now = given * stats.norm.pdf(1.4, theta, 0.5)
    now = now / now.sum()
    after = prior.updated(1.4, 0.5)
    assert after.discount_mean == pytest.approx(float((now * a0).sum()), abs=1e-4)
    assert after.value.mean() == pytest.approx(float((now * theta).sum()), abs=1e-4)
    grid, mass = theta[:, 0], now.sum(axis=1)
    below = mass[grid < 1.2 - 1e-9].sum() + mass[np.abs(grid - 1.2) < 1e-9].sum() / 2.0
    assert after.value.cdf(1.2) == pytest.approx(float(below), abs=5e-4)
    assert prior.updated(9.0, 0.5).discount_mean < 0.25  # history contradicted


def test_commensurate_prior_by_brute_force():
    prior = normal_commensurate_prior(2.0, 0.4, scale=0.7)
    assert prior.mean() == pytest.approx(2.0)
    assert prior.standard_deviation() == pytest.approx(np.hypot(0.4, 0.7), rel=1e-6)  # E sigma^2 = scale^2
    sigma = (np.arange(20_000) + 0.5) * 7.0 * 0.7 / 20_000
    weight = np.exp(-0.5 * (sigma / 0.7) ** 2)
    for at in (0.5, 1.7, 2.0, 3.3):
        below = float(weight @ stats.norm.cdf((at - 2.0) / np.hypot(0.4, sigma)) / weight.sum())
        assert prior.cdf(at) == pytest.approx(below, abs=1e-6)
    assert prior.updated(2.1, 0.3).standard_deviation() < 0.3
    assert prior.updated(7.0, 0.3).mean() > 6.5  # lets go


@pytest.mark.parametrize("outcomes", [[0.2, -0.4, 1.1, 0.5, 0.3], [0.1, 0.3, -0.2, 5.2, 4.8]])
def test_leap_is_the_sum_over_all_allocations(outcomes):
    y, v, m, s, m2, s2 = np.array(outcomes), 1.0, 0.5, 2.0, 0.0, 3.0
    weights, centres, spreads = [], [], []
    for allocation in itertools.product((True, False), repeat=len(y)):
        mine = np.array(allocation)
        k = int(mine.sum())
        log = np.log(stats.betabinom.pmf(k, len(y), 2.0, 1.0) / stats.binom(len(y), 0.5).pmf(k) / 2.0 ** len(y))
        for rows, centre, spread in ((y[mine], m, s), (y[~mine], m2, s2)):
            if len(rows):
                log += stats.multivariate_normal.logpdf(
                    rows, np.full(len(rows), centre), v**2 * np.eye(len(rows)) + spread**2
                )
        total = s**-2 + k * v**-2
        weights.append(np.exp(log))
        centres.append((m * s**-2 + y[mine].sum() * v**-2) / total)
        spreads.append(total**-0.5)
    exact = NormalMixture(np.array(weights) / np.sum(weights), np.array(centres), np.array(spreads))
    ours = normal_leap_prior(y, v, mean=m, spread=s, other=(m2, s2), exchangeable=(2.0, 1.0))
    assert ours.mean() == pytest.approx(exact.mean(), abs=2e-3)
    assert ours.standard_deviation() == pytest.approx(exact.standard_deviation(), rel=5e-3)
    for at in (-0.5, 0.4, 1.5):
        assert ours.cdf(at) == pytest.approx(exact.cdf(at), abs=3e-3)
    now, then = ours.updated(0.8, 0.4), exact.updated(0.8, 0.4)
    assert now.mean() == pytest.approx(then.mean(), abs=2e-3)
    assert now.standard_deviation() == pytest.approx(then.standard_deviation(), rel=5e-3)


def test_effective_patients_of_a_mean():
    one = NormalMixture.of(3.0, 0.5)
    for method in ("moment", "ELIR"):
        assert effective_patients_of_mean(one, 2.0, method) == pytest.approx(16.0, rel=1e-6)
    robust = one.mixed(0.3, NormalMixture.of(3.0, 4.0))
    assert effective_patients_of_mean(robust, 2.0, "moment") < 2.0 < effective_patients_of_mean(robust, 2.0)
    # predictively consistent: n more patients add n, on average over what they may show
    n, error = 20, 2.0 / 20**0.5
    seen = np.linspace(-20.0, 26.0, 2301)
    spread = np.hypot(robust.spread, error)
    chance = (robust.weight * stats.norm.pdf(seen[:, None], robust.centre, spread)).sum(axis=1)
    some = np.arange(0, len(seen), 10)
    worth = [effective_patients_of_mean(robust.updated(float(seen[k]), error), 2.0) for k in some]
    average = float(np.average(worth, weights=chance[some]))
    assert average - n == pytest.approx(effective_patients_of_mean(robust, 2.0), rel=2e-3)


def test_hybrid_mean():
    prior = NormalMixture.of(10.0, 1.0)
    found = hybrid_mean_difference((14.0, 1.5), (12.0, 1.0), prior, unit="mmHg")
    assert found["difference"].value == pytest.approx(14.0 - 11.0)
    assert found["difference"].standard_error == pytest.approx((0.5 + 2.25) ** 0.5)
    assert found["difference"].unit == "mmHg"
    chance = stats.norm.cdf(3.0 / (0.5 + 2.25) ** 0.5)
    assert f"{chance:.4f}" in found.notes[0]
    vague = NormalMixture.of(0.0, 1e6)
    check_no_borrowing(
        lambda drift: hybrid_mean_difference((14.0, 1.5), (12.0, 1.0), vague)["difference"], [-3.0, 0.0, 3.0]
    )
    learnt = normal_commensurate_prior(10.0, 0.3, scale=0.5)
    assert 11.5 < 14.0 - hybrid_mean_difference((14.0, 1.5), (13.0, 0.5), learnt)["difference"].value < 13.0


def test_what_is_refused():
    with pytest.raises(AnalysisError, match="above 0"):
        normal_commensurate_prior(1.0, 0.0, scale=0.5)
    with pytest.raises(AnalysisError, match="scale"):
        normal_commensurate_prior(1.0, 0.2, scale=0.0)
    with pytest.raises(AnalysisError, match="error above 0"):
        normal_normalised_power_prior(np.nan, 0.2, mean=0.0, standard_deviation=1.0)
    with pytest.raises(AnalysisError, match="one finite outcome"):
        normal_leap_prior([1.0, np.nan], 1.0, mean=0.0, spread=1.0)
    with pytest.raises(AnalysisError, match="grid"):
        normal_leap_prior(np.zeros(50), 1.0, mean=0.0, spread=1.0, points=21)
    with pytest.raises(AnalysisError, match="ELIR or moment"):
        effective_patients_of_mean(NormalMixture.of(0.0, 1.0), 1.0, "other")
    with pytest.raises(AnalysisError, match="error above 0"):
        hybrid_mean_difference((1.0, 0.0), (1.0, 1.0), NormalMixture.of(0.0, 1.0))
