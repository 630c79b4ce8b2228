"""Many trials at once say what each alone says, and have the type I error that was found elsewhere."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.batch import VARIANCES, ancova_batch, logrank_batch
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.analysis.logrank import logrank


@pytest.mark.parametrize("variance", VARIANCES[:-1])
@pytest.mark.parametrize("columns, interactions", [(0, False), (3, False), (1, True), (3, True)])
def test_ancova_of_each_trial(variance, columns, interactions):
    rng = np.random.default_rng(0)
    x, y = rng.normal(3.0, 2.0, (2, 4, columns, 30)), rng.normal(size=(2, 4, 30))
    arm = rng.permuted(np.tile([0, 1, 1], (2, 4, 10)), axis=-1)
    got = ancova_batch(
        y,
        arm,
        x if columns else None,
        variance=variance,
        bell_mccaffrey=variance != "classical",
        interactions=interactions,
    )
    assert got.value.shape == (2, 4)
    assert got.failed == 0
    for place in np.ndindex(2, 4):
        data = TrialData.of(y[place], arm[place], covariates=x[place].T)
        alone = ancova(data, variance=variance, interactions=interactions, df="bell-mccaffrey")["1 - 0"]
        assert got.value[place] == pytest.approx(alone.value, rel=1e-9)
        assert got.standard_error[place] == pytest.approx(alone.standard_error, rel=1e-9)
        assert got.df[place] == pytest.approx(alone.df, rel=1e-9)


def test_shared_arms_and_covariates_and_many_chunks():
    rng = np.random.default_rng(1)
    arm, x, y = np.arange(50) % 2, rng.normal(size=(2, 50)), rng.normal(size=(3000, 50))
    got = ancova_batch(y, arm, x)
    spread = ancova_batch(y, np.broadcast_to(arm, y.shape), np.broadcast_to(x, (3000, 2, 50)))
    assert got.value == pytest.approx(spread.value)
    assert got.standard_error == pytest.approx(spread.standard_error)
    assert (got.df == 46.0).all()
    second = ancova(TrialData.of(y[0], arm, covariates=x.T), interactions=True)["1 - 0"]
    assert ancova_batch(y, arm, x, interactions=True).df[0] == pytest.approx(second.df)


def test_influence_function_by_its_definition():
    rng = np.random.default_rng(2)
    arm, x, y = np.arange(20) % 3 > 0, rng.normal(size=(1, 20)), rng.normal(size=20)
    design = np.column_stack([np.ones(20), arm, x[0]])
    e, share = y - design @ np.linalg.lstsq(design, y, rcond=None)[0], arm.mean()
    each = (arm / share - (1 - arm) / (1 - share)) * e
    got = ancova_batch(y, arm, x, variance="influence")
    assert float(got.standard_error) == pytest.approx(each.std(ddof=1) / math.sqrt(20))


def test_trials_that_cannot_be_estimated_are_counted_not_hidden():
    rng = np.random.default_rng(3)
    y, x = rng.normal(size=(6, 12)), rng.normal(size=(6, 2, 12))
    arm = np.tile(np.arange(12) % 2, (6, 1))
    arm[0] = 1  # nobody in control
    x[1, 1] = 2.0 * x[1, 0] + 1.0  # collinear
    x[2, 0] = 0.1  # constant
    x[3, 0] = arm[3]  # tells the arms apart
    x[4, 0] = np.arange(12) == 3  # one patient alone
    got = ancova_batch(y, arm, x)
    assert got.failed == 5
    assert np.isnan(got.standard_error).tolist() == [True] * 5 + [False]
    with pytest.raises(AnalysisError, match="more patients"):
        ancova_batch(y[:, :4], arm[:, :4], x[:, :, :4])
    assert np.isnan(got.value).tolist() == np.isnan(got.df).tolist() == [True] * 5 + [False]
    x[5, 0] = np.where(arm[5] == 1, 0.0, x[5, 0])  # the same for all of an arm
    assert ancova_batch(y, arm, x, interactions=True).failed == 6
    with pytest.raises(AnalysisError, match="influence"):
        ancova_batch(y, arm, x, interactions=True, variance="influence")
    with pytest.raises(AnalysisError, match="HC9"):
        ancova_batch(y, arm, x, variance="HC9")


@pytest.mark.parametrize("ties", [False, True])
def test_logrank_of_each_trial(ties):
    rng = np.random.default_rng(4)
    time, event = rng.exponential(size=(3, 5, 80)), rng.random((3, 5, 80)) < 0.6
    time = np.ceil(time * 8) if ties else np.minimum(time, 2.0)  # many censored at the same end
    event = event & (time < 2.0) if not ties else event
    arm = rng.permuted(np.tile([0, 1, 1, 0], (3, 5, 20)), axis=-1)
    got = logrank_batch(time, event, arm)
    for place in np.ndindex(3, 5):
        alone = logrank(TrialData.of(time[place], arm[place], event=event[place]))["log-rank 1"]
        assert got.excess[place] == pytest.approx(alone.value, abs=1e-12)
        assert got.statistic[place] == pytest.approx(alone.statistic)


def test_logrank_of_close_times_and_of_nothing():
    time = np.array([1.0, np.nextafter(1.0, 2.0), 2.0, 3.0])
    alone = logrank(TrialData.of(time, [0, 1, 1, 0], event=[1, 1, 1, 1]))["log-rank 1"]
    assert float(logrank_batch(time, np.ones(4), np.array([0, 1, 1, 0])).statistic) == pytest.approx(alone.statistic)
    silent = logrank_batch(np.ones((2, 4)), np.zeros((2, 4)), np.array([0, 1, 1, 0]))
    assert silent.uninformative == 2
    assert np.isnan(silent.statistic).all()
    with pytest.raises(AnalysisError, match="negative"):
        logrank_batch(-time, np.ones(4), np.array([0, 1, 1, 0]))


def rejected(rng, row, count, bell_mccaffrey=False):
    """Share of null trials that each variance rejects, with the reference's own design."""
    patients = row["n0"] + row["n1"]
    arm = np.arange(patients) >= row["n0"]
    x = rng.standard_normal((count, row["q"], patients))
    y = math.sqrt(row["R2"] / row["q"]) * x.sum(axis=1)
    y = (y + math.sqrt(1 - row["R2"]) * rng.standard_normal(y.shape)) * np.where(arm, row["sd_ratio_treated"], 1.0)
    names = {"classical": "cls", "influence": "IF"}
    out = {}
    for variance in VARIANCES:
        fit = ancova_batch(y, arm, x, variance=variance)
        limit = stats.norm.ppf(0.975) if variance == "influence" else stats.t.ppf(0.975, fit.df)
        out[names.get(variance, variance)] = float((np.abs(fit.value / fit.standard_error) > limit).mean())
    fit = ancova_batch(y, arm, variance="classical")
    out["unadj_t"] = float((np.abs(fit.value / fit.standard_error) > stats.t.ppf(0.975, fit.df)).mean())
    fit = ancova_batch(y, arm, x, bell_mccaffrey=True)
    out["default"] = float((np.abs(fit.value / fit.standard_error) > stats.t.ppf(0.975, fit.df)).mean())
    fit = ancova_batch(y, arm, x, interactions=True)
    out["default II"] = float((np.abs(fit.value / fit.standard_error) > stats.t.ppf(0.975, fit.df)).mean())
    return out


@pytest.mark.slow
@pytest.mark.shared
def test_type_one_error_of_small_trials(shared_data):
    reference = json.loads((shared_data / "trials" / "reference_type1_small_sample.json").read_text())
    rng = np.random.default_rng(20)
    away = []
    for row in reference["rows"]:
        ours = rejected(rng, row, 40_000)
        for name, theirs in row["type1"].items():
            error = math.sqrt(theirs * (1 - theirs) * (1 / 40_000 + 1 / row["B"]))
            away.append((ours[name] - theirs) / error)
            assert abs(away[-1]) < 4.0, (row, name)
        assert 0.044 <= ours["default"] <= 0.056, row  # HC2 with Bell-McCaffrey df
        assert 0.044 <= ours["default II"] <= 0.056, row  # HC2 with n-p
    assert np.mean(np.square(away)) < 2.0


def test_type_one_error_of_the_default_quickly():
    row = {"n0": 15, "n1": 30, "q": 5, "R2": 0.25, "sd_ratio_treated": 1.0}
    ours = rejected(np.random.default_rng(6), row, 8000)
    assert ours["default"] == pytest.approx(0.05, abs=3 * 0.0024)
    assert ours["IF"] > 0.08
