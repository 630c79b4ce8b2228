"""Drift is flagged where it was planted, seldom where there is none; calibration among controls tells the truth."""

import numpy as np
import polars as pl
import pytest
from scipy import special, stats

from medtwin.errors import AnalysisError
from medtwin.trials.score import train
from medtwin.trials.score.calibration import calibration
from medtwin.trials.score.drift import _beyond, _stability, drift
from trials.score.simulated import asked, patients


@pytest.fixture(scope="module")
def history():
    table = patients(400, 1)
    return table.with_columns(pl.when(pl.col("id") % 10 == 0).then(None).otherwise(pl.col("x")).alias("x"))


@pytest.fixture(scope="module")
def score(history):
    return train(history, asked(covariates=["base", "x", "site"], unseen="usual"))


def holed(n, seed, share=0.1):
    table = patients(n, seed, arms=2)
    keep = np.random.default_rng(seed).random(n) > share
    return table.with_columns(pl.when(pl.Series(keep)).then(pl.col("x")).otherwise(None).alias("x"))


def flagged(report):
    return {(one.column, one.measure) for one in report.measures if one.flagged}


def test_without_drift_each_family_flags_at_most_one_in_twenty():
    """100 pairs of history and trial; 12 of them with the historical table. Three Monte Carlo errors on top of 5 %."""
    counts, runs = {}, {}
    for seed in range(100):
        past = patients(200, 3 * seed)
        made = train(past, asked(covariates=["base", "x", "site"], keep_prints=False), evaluate=False)
        report = drift(made, patients(150, 3 * seed + 1), historical=past if seed < 12 else None)
        for name in {one.measure for one in report.measures}:
            runs[name] = runs.get(name, 0) + 1
        for name in {measure for _, measure in flagged(report)}:
            counts[name] = counts.get(name, 0) + 1
    assert runs == {
        "missing": 100,
        "stability": 100,
        "difference": 100,
        "range": 100,
        "distribution": 12,
        "together": 12,
    }
    for name, count in counts.items():
        assert count / runs[name] <= 0.05 + 3.0 * (0.05 * 0.95 / runs[name]) ** 0.5, counts


def test_a_shifted_mean(score, history):
    moved = holed(300, 2).with_columns(pl.col("base") + 0.6)
    report = drift(score, moved, historical=history)
    assert {
        ("base", "difference"),
        ("base", "stability"),
        ("base", "distribution"),
        ("score", "difference"),
    } <= flagged(report)
    assert ("x", "difference") not in flagged(report)
    assert ("all columns", "together") in flagged(report)
    told = next(one for one in report.measures if (one.column, one.measure) == ("base", "difference"))
    assert told.value == pytest.approx(0.6, abs=0.15)
    assert any("base: difference" in line for line in report.flags)


def test_more_missing_values_and_a_new_level(score):
    report = drift(score, holed(300, 3, share=0.4))
    assert flagged(report) >= {("x", "missing")}
    assert ("base", "missing") not in flagged(report)
    table = holed(300, 4).with_columns(
        pl.when(pl.col("id") < 90).then(pl.lit("east")).otherwise(pl.col("site")).alias("site")
    )
    assert ("site", "stability") in flagged(drift(score, table))
    strict = train(holed(200, 1), asked(covariates=["base", "x", "site"]), evaluate=False)
    report = drift(strict, table)
    assert ("site", "stability") in flagged(report)
    assert any("90 of 300 patients with a level of site" in note for note in report.notes)


def test_values_out_of_the_training_range(score):
    wild = holed(300, 5).with_columns(pl.when(pl.col("id") % 20 == 0).then(9.0).otherwise(pl.col("base")).alias("base"))
    assert ("base", "range") in flagged(drift(score, wild))


def test_few_patients_are_not_judged(score):
    report = drift(score, holed(20, 6))
    assert report.measures == ()
    assert "not judged" in report.notes[0]


def test_another_historical_table_is_noticed(score, history):
    assert not any("hash differs" in note for note in drift(score, holed(100, 7), historical=history).notes)
    assert any("hash differs" in note for note in drift(score, holed(100, 7), historical=history.head(399)).notes)


def test_beyond_the_largest_against_counting():
    rng = np.random.default_rng(8)
    draws = rng.random((40000, 12))
    count = (draws[:, 5:] > draws[:, :5].max(axis=1, keepdims=True)).sum(axis=1)
    for k in (1, 2, 4):
        assert _beyond(k, 7, 5) == pytest.approx((count >= k).mean(), abs=0.008)
    assert _beyond(0, 7, 5) == 1.0


def test_the_chance_distribution_of_the_stability_index():
    rng = np.random.default_rng(9)
    p = np.array([0.1, 0.2, 0.3, 0.4])
    values = [_stability(rng.multinomial(400, p), rng.multinomial(250, p)) for _ in range(4000)]
    assert np.mean([chance < 0.05 for _, chance, _ in values]) == pytest.approx(0.05, abs=0.012)
    value = _stability(np.array([100, 300]), np.array([30, 70]))[0]
    shares = np.array([100.5 / 401, 300.5 / 401]), np.array([30.5 / 101, 70.5 / 101])
    assert value == pytest.approx(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def test_outcomes_are_not_looked_at_unless_controls_are_named(score):
    hidden = holed(100, 10).drop("y", "arm")
    assert drift(score, hidden).calibration is None
    with pytest.raises(AnalysisError, match="an arm without its control"):
        drift(score, holed(100, 10), arm="arm")


def test_calibration_of_controls(score):
    trial = holed(800, 11)
    good = drift(score, trial, arm="arm", control=0).calibration
    assert good.patients == 400
    assert good.flags == ()
    # treated outcomes may be anything
    other = trial.with_columns(pl.when(pl.col("arm") == 1).then(99.0).otherwise(pl.col("y")).alias("y"))
    assert drift(score, other, arm="arm", control=0).calibration == good
    worse = trial.with_columns(pl.col("y") * 2.0 + 1.0)
    flags = drift(score, worse, arm="arm", control=0).flags
    assert any("seen less foretold" in flag for flag in flags)
    assert any("slope" in flag for flag in flags)


def test_the_slope_and_level_of_least_squares(score):
    trial = holed(100, 12)
    made = calibration(score, trial, arm="arm", control=1)
    mine = (trial["arm"] == 1).to_numpy()
    s, y = score.predict(trial)[mine], trial["y"].to_numpy()[mine]
    assert made.slope.value == pytest.approx(stats.linregress(s, y).slope)
    assert made.at_large.value == pytest.approx((y - s).mean())


@pytest.mark.parametrize("endpoint", ["binary", "count", "survival"])
def test_calibration_intervals_hold_the_truth(endpoint):
    """A score with the true slopes: both intervals hold (0, 1) in about 95 % of 100 trials."""
    rng = np.random.default_rng(13)

    def outcome(table):
        eta = 0.8 * table["base"].to_numpy()
        if endpoint == "binary":
            y = rng.random(len(eta)) < special.expit(eta)
        else:
            y = rng.poisson(np.exp(eta)) if endpoint == "count" else rng.exponential(np.exp(-eta))
        return table.with_columns(pl.Series("y", y.astype(float)), pl.lit(1).alias("event"))

    more = {"event": "event"} if endpoint == "survival" else {}
    made = train(
        outcome(patients(5000, 14)), asked(endpoint=endpoint, covariates=["base"], folds=2, **more), evaluate=False
    )
    hits = np.zeros(2)
    for seed in range(100):
        told = calibration(made, outcome(patients(150, 2000 + seed)), arm="arm", control=0)
        hits += [
            told.at_large is None or told.at_large.low <= 0 <= told.at_large.high,
            told.slope.low <= 1 <= told.slope.high,
        ]
    assert (hits >= 88).all(), hits
