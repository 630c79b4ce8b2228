"""Shares, means and ranks of people seen more than once, and scores of joint forecasts."""

import numpy as np
import pytest
from scipy import stats

from medtwin.statistics.binomial import exact_interval
from medtwin.statistics.clustered import clustered_mean, clustered_share, clustered_uniformity
from medtwin.statistics.joint_scores import energy_score, variogram_score
from medtwin.statistics.scores import crps_members


def correlated(rng, people, each, share):
    """Standard normals that are alike within a person: correlation ``share``."""
    common = np.repeat(rng.standard_normal(people), each)
    return np.sqrt(share) * common + np.sqrt(1 - share) * rng.standard_normal(people * each)


def test_of_one_outcome_a_person_the_share_is_nearly_the_exact_binomial():
    success = np.arange(200) < 176
    ours = clustered_share(success, np.arange(200))
    low, high = exact_interval(176, 200)
    assert ours.effective == pytest.approx(199.0, abs=0.1)  # m / (m - 1) in the variance
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=5e-4)


def test_people_who_always_repeat_themselves_count_once():
    success = np.arange(60) < 40
    once = clustered_share(success, np.arange(60))
    twice = clustered_share(np.repeat(success, 2), np.repeat(np.arange(60), 2))
    assert twice.low == pytest.approx(once.low, abs=0.004)
    assert twice.high == pytest.approx(once.high, abs=0.004)


def test_all_or_none_is_as_sure_as_there_are_people():
    ours = clustered_share(np.ones(90), np.repeat(np.arange(30), 3))
    assert ours.low == pytest.approx(exact_interval(30, 30)[0], abs=0.01)
    assert ours.high == 1.0


def test_clustered_share_holds_the_truth_and_the_independent_one_does_not():
    rng = np.random.default_rng(1)
    held = naive = 0
    for _ in range(400):
        success = stats.norm.cdf(correlated(rng, 60, 5, 0.7)) < 0.9
        ours = clustered_share(success, np.repeat(np.arange(60), 5))
        held += ours.low <= 0.9 <= ours.high
        n, k = len(success), int(success.sum())
        naive += stats.beta.ppf(0.025, k, n - k + 1) <= 0.9 <= stats.beta.ppf(0.975, k + 1, n - k)
    assert held >= 370
    assert naive < held - 15


def test_clustered_mean_is_students_of_the_people_where_each_has_as_many():
    rng = np.random.default_rng(2)
    values = correlated(rng, 30, 4, 0.5)
    ours = clustered_mean(values, np.repeat(np.arange(30), 4))
    theirs = stats.ttest_1samp(values.reshape(30, 4).mean(1), 0.0)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-10)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-10)


def test_uniformity_of_clustered_ranks_keeps_its_level_and_sees_a_narrow_forecast():
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(80), 4)
    level = [clustered_uniformity(stats.norm.cdf(correlated(rng, 80, 4, 0.6)), person) < 0.05 for _ in range(600)]
    assert 0.025 < np.mean(level) < 0.085
    power = [clustered_uniformity(stats.norm.cdf(1.6 * correlated(rng, 80, 4, 0.6)), person) < 0.05 for _ in range(60)]
    assert np.mean(power) > 0.9


def test_energy_score_of_one_number_is_the_crps():
    rng = np.random.default_rng(4)
    draws = rng.standard_normal(50)
    for fair in (True, False):
        assert energy_score(draws[:, None], [0.7], fair=fair) == pytest.approx(
            crps_members(draws, 0.7, fair=fair), rel=1e-12
        )


def test_joint_scores_by_their_double_sums_with_what_is_missing_left_out():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((7, 4)), np.array([0.3, np.nan, -1.0, 2.0])
    seen = [0, 2, 3]
    pairs = [np.linalg.norm(a - b) for a in x[:, seen] for b in x[:, seen]]
    expected = np.mean([np.linalg.norm(a - y[seen]) for a in x[:, seen]]) - np.sum(pairs) / 2 / 49
    assert energy_score(x, y, fair=False) == pytest.approx(expected, rel=1e-12)
    total = 0.0
    for j in seen:
        for k in seen:
            total += (abs(y[j] - y[k]) ** 0.5 - np.mean(np.abs(x[:, j] - x[:, k]) ** 0.5)) ** 2
    assert variogram_score(x, y) == pytest.approx(total, rel=1e-12)
    assert np.isnan(variogram_score(x, [1.0, np.nan, np.nan, np.nan]))


def test_joint_scores_prefer_the_right_dependence():
    rng = np.random.default_rng(6)
    root = np.linalg.cholesky([[1.0, 0.8], [0.8, 1.0]])
    better = np.zeros(2)
    for _ in range(150):
        y = root @ rng.standard_normal(2)
        right, wrong = rng.standard_normal((200, 2)) @ root.T, rng.standard_normal((200, 2))
        better += [
            energy_score(wrong, y) - energy_score(right, y), variogram_score(wrong, y) - variogram_score(right, y),
        ]  # fmt: skip
    assert (better > 0.0).all()
