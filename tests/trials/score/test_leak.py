"""A leak planted in each way is found; honest scores of many trials are let through."""

from datetime import date, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import read_trial
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.score import train
from medtwin.trials.score.leak import leaks, refuse_leaks
from trials.score.simulated import asked, patients

FIRST = date(2024, 3, 1)


def dated(table, first, days=300):
    """A date of outcome for each row, ``days`` of them from ``first``."""
    when = [first + timedelta(days=int(k) % days) for k in range(table.height)]
    return table.with_columns(pl.Series("seen", when))


@pytest.fixture(scope="module")
def history():
    return dated(patients(300, 1), date(2022, 1, 1))


@pytest.fixture(scope="module")
def honest(history):
    return train(history, asked(outcome_date="seen", cut="2023-06-30"))


@pytest.fixture(scope="module")
def trial():
    table = patients(200, 2, arms=2, effect=0.3)
    days = [FIRST + timedelta(days=k % 90) for k in range(200)]
    return table.with_columns(pl.Series("randomised", days), pl.Series("drawn", [d - timedelta(days=3) for d in days]))


def found(report):
    return {(finding.kind, finding.certain) for finding in report.findings}


def test_an_honest_score_passes_and_says_what_was_looked_at(honest, trial):
    report = refuse_leaks(honest, trial, arm="arm", randomised="randomised", measured={"base": "drawn"})
    assert report.findings == ()
    assert report.not_looked_at == ()
    assert len(report.looked_at) == 5


def test_what_cannot_be_looked_at_is_said(honest, trial):
    report = leaks(honest, trial.drop("y"))
    assert report.findings == ()
    assert len(report.not_looked_at) == 3


@pytest.mark.parametrize("spec", [{"cut": "2024-03-01"}, {"cut": "2025-01-01"}, {}])
def test_training_data_of_the_trials_time(history, trial, spec):
    late = dated(history, FIRST if not spec else date(2022, 1, 1))
    made = train(late, asked(outcome_date="seen", **spec), evaluate=False)
    with pytest.raises(AnalysisError, match="first randomisation of 2024-03-01"):
        refuse_leaks(made, trial, arm="arm", randomised="randomised")
    with pytest.raises(AnalysisError, match="2024-03-01"):
        refuse_leaks(made, trial, arm="arm", randomised="2024-03-01")
    with pytest.raises(AnalysisError, match="2024-03-01"):
        train(late, asked(outcome_date="seen", not_after="2024-03-01", **spec))


def test_training_refuses_outcomes_after_the_cut_that_it_states(history):
    with pytest.raises(AnalysisError, match="after the cut"):
        train(history, asked(outcome_date="seen", cut="2022-02-01"))
    with pytest.raises(AnalysisError, match="not_after without a date"):
        train(history, asked(not_after="2024-03-01"))


def test_a_baseline_that_was_measured_after_randomisation(honest, trial):
    late = trial.with_columns(
        pl.when(pl.col("id") < 7)
        .then(pl.col("randomised") + timedelta(days=1))
        .otherwise(pl.col("randomised"))
        .alias("drawn")
    )
    with pytest.raises(AnalysisError, match="base was measured after randomisation in 7 patients"):
        refuse_leaks(honest, late, randomised="randomised", measured={"base": "drawn"})


def test_patients_of_the_trial_in_the_training_data(history, trial):
    shared = trial.filter(pl.col("arm") == 0).head(3)
    mixed = pl.concat([history.select("base", "x", "idle", "y"), shared.select("base", "x", "idle", "y")])
    made = train(mixed, asked())
    with pytest.raises(AnalysisError, match="3 of 200 patients of the trial are in the training data"):
        refuse_leaks(made, trial, arm="arm")
    # through another file format, in single precision
    single = trial.with_columns(pl.col("base", "x", "idle", "y").cast(pl.Float32))
    assert ("hash", True) in found(leaks(made, single, arm="arm"))
    # before their outcomes are known, or with other ones
    hidden = trial.drop("y")
    assert found(leaks(made, hidden)) == {("hash", True)}
    other = trial.with_columns(pl.col("y") * 1.1 + 0.01)
    assert any("3 of 200" in one.words and "same baseline values" in one.words for one in leaks(made, other).certain)
    silent = train(mixed, asked(keep_prints=False))
    assert any("keeps none" in one for one in leaks(silent, trial).not_looked_at)


def test_a_score_trained_on_the_trials_own_outcomes(trial):
    whole = train(trial, asked())
    controls = train(trial, asked(arm="arm", control=0))
    for made, name in ((whole, "the trial"), (controls, "arm 0")):
        report = leaks(made, trial, arm="arm")
        assert any(f"training outcomes are those of {name}" in one.words and one.certain for one in report.findings)
        with pytest.raises(AnalysisError, match="saw the outcome"):
            refuse_leaks(made, trial.sample(fraction=1.0, shuffle=True, seed=1), arm="arm")


def test_coarse_rows_that_agree_by_chance_are_no_leak():
    """Two yes-or-no covariates and a yes-or-no outcome: every row is in the training data."""

    def coarse(n, seed):
        rng = np.random.default_rng(seed)
        a, b = rng.integers(0, 2, size=(2, n))
        return pl.DataFrame({"base": a, "x": b, "y": (rng.random(n) < 0.3 + 0.3 * a).astype(int)})

    made = train(coarse(200, 1), asked(endpoint="binary", covariates=["base", "x"]))
    report = refuse_leaks(made, coarse(100, 2))
    assert report.findings == ()


def test_patients_are_counted_not_rows(history, trial):
    made = train(history, asked(subject="id"), evaluate=False)
    with pytest.raises(AnalysisError, match="200 rows of patients who have a row already"):
        leaks(made, pl.concat([trial, trial]))


def test_two_columns_that_are_one_do_not_make_a_match_certain():
    """Forty integers, told twice: they share rows by chance far more often than two independent columns would."""

    def coarse(n, seed):
        a = np.random.default_rng(seed).integers(0, 40, size=n)
        return pl.DataFrame({"base": a, "x": a * 3 + 1, "y": (a % 2 == 0).astype(int)})

    made = train(coarse(150, 1), asked(endpoint="binary", covariates=["base", "x"], ridge=True), evaluate=False)
    assert leaks(made, coarse(100, 2)).certain == ()


def test_columns_that_go_together_are_one_to_chance():
    """Four coarse readings of one thing: other people share them, and nobody is accused."""

    def coarse(n, rng):
        z = rng.normal(size=n)
        read = {f"x{k}": np.round(8.0 * (z + 0.05 * rng.normal(size=n))) for k in range(4)}
        return pl.DataFrame({**read, "y": np.round(8.0 * (z + rng.normal(size=n)))})

    spec = asked(covariates=[f"x{k}" for k in range(4)], baseline=None)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        assert leaks(train(coarse(200, rng), spec, evaluate=False), coarse(200, rng)).certain == ()


def test_a_score_that_correlates_beyond_belief(honest, trial):
    told = trial.with_columns(pl.Series("y", 3.0 * honest.predict(trial) + 1.0))
    with pytest.raises(AnalysisError, match=r"correlates 1\.000000 with the outcome in arm 0"):
        refuse_leaks(honest, told, arm="arm")


def test_a_covariate_that_is_the_outcome(honest, history, trial):
    with pytest.raises(AnalysisError, match="that is the outcome"):
        train(history.with_columns((2 * pl.col("y") - 1).alias("x")), asked())
    report = leaks(honest, trial.with_columns(pl.col("y").alias("x")), arm="arm")
    assert any("column x is the outcome" in one.words and one.certain for one in report.findings)


def test_a_correlation_far_above_the_cross_validated_one_is_a_suspicion(honest, trial):
    noise = np.random.default_rng(3).normal(size=200) * 0.1
    told = trial.with_columns(pl.Series("y", honest.predict(trial) + noise))
    report = refuse_leaks(honest, told, arm="arm")
    assert found(report) == {("value", False)}


def test_fifty_honest_scores_raise_no_finding():
    for seed in range(50):
        made = train(patients(120, 500 + seed), asked())
        assert leaks(made, patients(120, 900 + seed, arms=2, effect=0.5), arm="arm").findings == ()


def test_the_analysis_with_a_frozen_score_keeps_its_type_one_error():
    """1000 null trials of 30 + 30, ANCOVA with the score; Monte Carlo error of 5 %: 0.7 points."""
    frozen = train(patients(300, 77), asked(), evaluate=False)
    rejected = 0
    for seed in range(1000):
        trial = patients(60, 5000 + seed, arms=2)
        trial = trial.with_columns(pl.Series("score", frozen.predict(trial)))
        data = read_trial(trial, outcome="y", arm="arm", control=0, covariates=["score"])
        rejected += ancova(data)["1 - 0"].p_value < 0.05
    assert 0.05 - 3 * 0.0069 < rejected / 1000 < 0.05 + 3 * 0.0069


def test_prints_do_not_join_two_files(history):
    one, two = (train(history, asked(name=name), evaluate=False).prints for name in ("a", "b"))
    assert len(one.rows) == 300
    assert not set(one.rows) & set(two.rows)
    assert one.outcomes != two.outcomes
    assert "0.5" not in msgspec.json.encode(one.rows).decode()
