"""AUC, errors, correlations and proportions against other implementations."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score

from medtwin.errors import AnalysisError
from medtwin.statistics.binomial import exact_interval
from medtwin.trials.fair.discrimination import auc, brier, delong, root_mean_square_error
from medtwin.trials.fair.proportion import clopper_pearson, correlation, difference, wilson


def test_auc_by_its_definition():
    """Placement values by comparing every event with every other patient, ties counted half."""
    rng = np.random.default_rng(1)
    y = (rng.random(80) < 0.4).astype(float)
    score = np.round(rng.normal(y, 1.0), 1)
    apart = score[y == 1.0][:, None] - score[y == 0.0][None]
    wins = (apart > 0.0) + 0.5 * (apart == 0.0)
    variance = wins.mean(axis=1).var(ddof=1) / wins.shape[0] + wins.mean(axis=0).var(ddof=1) / wins.shape[1]
    area, error = delong(y, score)
    assert area == pytest.approx(roc_auc_score(y, score), rel=1e-12)
    assert area == pytest.approx(wins.mean(), rel=1e-12)
    assert error == pytest.approx(math.sqrt(variance), rel=1e-12)
    made = auc(y, score)
    assert 0.0 < made.low < area < made.high < 1.0
    assert auc(1.0 - y, score).value == pytest.approx(1.0 - area, rel=1e-12)


def test_a_perfect_separation_has_no_interval():
    y = np.repeat([0.0, 1.0], 10)
    with pytest.raises(AnalysisError, match="without spread"):
        auc(y, np.arange(20.0))


def test_brier_and_rmse():
    rng = np.random.default_rng(2)
    p = rng.random(200)
    y = (rng.random(200) < p).astype(float)
    assert brier(y, p).value == pytest.approx(brier_score_loss(y, p), rel=1e-12)
    made = root_mean_square_error(y, p)
    assert made.value == pytest.approx(math.sqrt(brier_score_loss(y, p)), rel=1e-12)
    # of normal errors with mean 0 the log of RMSE has standard error 1 / sqrt(2 n)
    normal = rng.normal(size=20_000)
    assert root_mean_square_error(normal, np.zeros(20_000)).scaled_error == pytest.approx(
        1.0 / math.sqrt(40_000), rel=0.05
    )


@pytest.mark.parametrize("k, n", [(0, 10), (1, 10), (7, 20), (20, 20), (109, 646)])
def test_intervals_of_a_share(k, n):
    theirs = stats.binomtest(k, n)
    assert wilson(k, n) == pytest.approx(tuple(theirs.proportion_ci(0.95, "wilson")), rel=1e-9, abs=1e-12)
    assert clopper_pearson(k, n, 0.9) == pytest.approx(tuple(theirs.proportion_ci(0.9, "exact")), rel=1e-9, abs=1e-12)
    assert clopper_pearson(k, n) == pytest.approx(exact_interval(k, n), rel=1e-9, abs=1e-12)


def test_difference_of_shares():
    """Newcombe's own example, 56/70 against 48/80 (Stat Med 1998;17:873, table II, method 10), four decimals."""
    assert difference((56, 70), (48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_correlation_of_two_columns():
    rng = np.random.default_rng(3)
    a = rng.normal(size=60)
    b = a + rng.normal(size=60)
    made, theirs = correlation("r", a, b), stats.pearsonr(a, b)
    assert made.value == pytest.approx(theirs.statistic, rel=1e-12)
    assert (made.low, made.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)), rel=1e-9)
    with pytest.raises(AnalysisError, match="same value"):
        correlation("r", a, np.ones(60))


def test_distribution_free_error_is_fishers_for_normal_values():
    rng = np.random.default_rng(4)
    a = rng.normal(size=50_000)
    b = 0.6 * a + 0.8 * rng.normal(size=50_000)
    free, fisher = correlation("r", a, b, normal=False), correlation("r", a, b)
    assert free.scaled_error == pytest.approx(fisher.scaled_error, rel=0.02)
