"""Each judge against a forecast that is right and one that is wrong in the way it looks for."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.conformal import conformal, weighted_quantile
from medtwin.trials.prognostic.evaluation.accuracy import accuracy, better, squared_partial
from medtwin.trials.prognostic.evaluation.calibration import interval_coverage, rank_test
from medtwin.trials.prognostic.evaluation.dependence import dependence
from medtwin.trials.prognostic.evaluation.discriminator import discriminate
from medtwin.trials.prognostic.evaluation.jointness import trajectory_scores

ROOT = np.linalg.cholesky(np.array([[1.0, 0.6, 0.3], [0.6, 1.0, 0.5], [0.3, 0.5, 1.0]]))


def rows(rng, n, root=ROOT):
    return rng.standard_normal((n, 3)) @ root.T


def test_squared_partial_correlation_is_that_of_residuals():
    rng = np.random.default_rng(0)
    b, s = rng.standard_normal((2, 200))
    y = b + 0.5 * s + rng.standard_normal(200)
    line = np.column_stack([np.ones(200), b])
    rest = [one - line @ np.linalg.lstsq(line, one, rcond=None)[0] for one in (y, s)]
    assert squared_partial(y, s, b) == pytest.approx(np.corrcoef(rest)[0, 1] ** 2, rel=1e-10)
    assert squared_partial(y, 3.0 * b, b) == 0.0


def test_accuracy_leaves_out_what_was_not_measured():
    rng = np.random.default_rng(1)
    y = rng.standard_normal(50)
    y[:10] = np.nan
    mean = np.nan_to_num(y) + 0.5
    found = accuracy(mean, y, np.arange(50))
    assert (found.visits, found.rmse, found.bias.value) == (40, pytest.approx(0.5), pytest.approx(0.5))
    assert found.correlation == pytest.approx(1.0)
    assert accuracy(np.ones(50), y, np.arange(50)).correlation == 0.0
    assert better(np.zeros(50), np.where(np.isnan(y), np.nan, 1.0), np.arange(50)).value == -1.0


def test_coverage_and_ranks_tell_a_right_forecast_from_a_narrow_one():
    rng = np.random.default_rng(2)
    subject = np.repeat(np.arange(100), 3)
    y = rows(rng, 100).ravel()
    draws = rng.standard_normal((400, 300))
    for width, right in ((1.0, True), (0.6, False)):
        low, high = np.quantile(width * draws, [0.05, 0.95], axis=0)
        share = interval_coverage(low, high, y, subject)
        assert (share.low <= 0.9 <= share.high) is right
        assert (rank_test(width * draws, y, subject).p_value > 0.01) is right


def test_trajectory_scores_prefer_the_right_dependence_over_time():
    rng = np.random.default_rng(3)
    subject = np.repeat(np.arange(150), 3)
    y = rows(rng, 150).reshape(-1, 1)
    right = np.stack([rows(rng, 150).reshape(-1, 1) for _ in range(200)])
    wrong = rng.standard_normal(right.shape)
    _, energy, variogram = trajectory_scores(right, y, subject, [1.0])
    _, energy_wrong, variogram_wrong = trajectory_scores(wrong, y, subject, [1.0])
    assert energy.mean() < energy_wrong.mean()
    assert variogram.mean() < variogram_wrong.mean()


def test_discriminator_keeps_its_level_and_sees_a_wrong_dependence_and_a_lost_baseline():
    rng = np.random.default_rng(4)
    found = [
        discriminate(rows(rng, 60), rows(rng, 60), np.arange(60), permutations=99, seed=k).p_value for k in range(120)
    ]  # fmt: skip
    assert 0.0 < np.mean(np.array(found) <= 0.05) < 0.12
    independent = discriminate(rows(rng, 200), rows(rng, 200, np.eye(3)), np.arange(200))
    assert independent.auc > 0.6
    assert independent.p_value < 0.01
    baseline = rng.standard_normal((200, 1))
    tied = 0.8 * baseline + 0.6 * rng.standard_normal((200, 1))
    loose = rng.standard_normal((200, 1))  # right margin, no tie to baseline
    assert discriminate(tied, loose, np.arange(200)).p_value > 0.05
    assert discriminate(tied, loose, np.arange(200), baseline=baseline).p_value < 0.01


def test_discriminator_takes_visits_of_a_patient_together():
    rng = np.random.default_rng(5)
    subject = np.repeat(np.arange(40), 4)
    p = []
    for k in range(60):
        common, other = (np.repeat(rng.standard_normal((40, 2)), 4, 0) for _ in range(2))
        noise = 0.3 * rng.standard_normal((2, 160, 2))
        p.append(discriminate(common + noise[0], other + noise[1], subject, permutations=99, seed=k).p_value)
    assert np.mean(np.array(p) <= 0.05) < 0.15


def test_dependence_keeps_its_level_and_sees_independence():
    rng = np.random.default_rng(6)
    p = []
    for _ in range(100):
        y = rows(rng, 80)
        y[rng.random(y.shape) < 0.2] = np.nan
        p.append(dependence(np.stack([rows(rng, 80) for _ in range(60)]), y).correlation_p)
    assert 0.0 < np.mean(np.array(p) <= 0.1) < 0.2
    wrong = dependence(rng.standard_normal((60, 80, 3)), rows(rng, 80))
    assert wrong.correlation_p < 0.02
    assert wrong.correlation_error > 0.3


def test_dependence_without_holes_is_the_usual_covariance():
    rng = np.random.default_rng(7)
    y = rows(rng, 40)
    found = dependence(np.stack([rows(rng, 40) for _ in range(20)]), y)
    np.testing.assert_allclose(found.measured, np.corrcoef(y.T), rtol=1e-10)


def test_conformal_holds_what_it_promises_in_finite_samples():
    """Skewed errors, forecasts with a wrong sd, patients with one to five correlated visits, K = 40."""
    rng = np.random.default_rng(8)
    each, together = [], []
    for _ in range(1500):
        count = rng.integers(1, 6, 41)
        subject = np.repeat(np.arange(41), count)
        common = np.repeat(rng.exponential(size=41), count)[:, None]
        y = common + 0.5 * rng.exponential(size=(len(subject), 2))
        mean, sd = np.zeros_like(y), np.full_like(y, 0.2)
        inside = subject < 40
        bands = conformal(mean[inside], sd[inside], y[inside], subject[inside], 0.8)
        low, high = bands.interval(mean[~inside], sd[~inside])
        hit = (y[~inside] >= low) & (y[~inside] <= high)
        each.append(hit.mean(0))
        low, high = bands.band(mean[~inside], sd[~inside])
        together.append(((y[~inside] >= low) & (y[~inside] <= high)).all())
    error = 0.4 / np.sqrt(1500)
    assert (np.mean(each, 0) > 0.8 - 3 * error).all()
    assert 0.8 - 3 * error < np.mean(together) < 0.8 + 1 / 41 + 3 * error


def test_conformal_of_one_visit_a_patient_is_split_conformal_and_infinite_of_too_few():
    score = np.arange(1.0, 20.0)  # 19 scores: the 18th is the 90 % quantile
    assert weighted_quantile(score, np.arange(19), 0.9) == 18.0
    assert weighted_quantile(score[:8], np.arange(8), 0.9) == np.inf
    few = conformal(np.zeros((5, 1)), np.ones((5, 1)), np.ones((5, 1)), np.arange(5))
    assert few.all == np.inf


def test_too_little_to_judge_is_an_error():
    with pytest.raises(AnalysisError, match="patients"):
        discriminate(np.zeros((5, 2)), np.zeros((5, 2)), np.arange(5))
    with pytest.raises(AnalysisError, match="in common"):
        dependence(np.zeros((30, 5, 2)), np.zeros((5, 2)))
    with pytest.raises(AnalysisError, match="positive sd"):
        conformal(np.zeros((5, 1)), np.zeros((5, 1)), np.ones((5, 1)), np.arange(5))
