"""What cannot be answered honestly is an error that says what was found and what to do."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.missing import (
    Assumption,
    Delta,
    RepeatedTrial,
    Specification,
    bootstrap,
    complete,
    conditional_mean,
    jackknife,
    read_repeated,
    tipping_point,
)
from trials.missing.data import simulated

ROWS = pl.DataFrame(
    {
        "y": [1.0, 2.0, 3.0, 5.0, None, 4.0, 6.0, 1.0],
        "s": ["a", "a", "b", "b", "c", "c", "d", "d"],
        "v": ["week 2", "week 10"] * 4,
        "arm": ["x", "x", "y", "y", "x", "x", "y", "y"],
        "base": [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 5.0, 5.0],
        "sex": ["f", "f", "m", "m", "f", "f", "m", "m"],
        "day": [14, 70] * 4,
    }
)
COLUMNS = {"outcome": "y", "subject": "s", "visit": "v", "arm": "arm", "control": "x", "covariates": ["base", "sex"]}


def read(table=ROWS, **more):
    return read_repeated(table, **{**COLUMNS, **more})


def test_a_table_is_read_in_the_order_of_time():
    trial = read(day="day")
    assert trial.visits == ("week 2", "week 10")
    assert trial.covariate_names == ("base", "sex=m")
    np.testing.assert_array_equal(trial.outcome, [[1, 2], [3, 5], [np.nan, 4], [6, 1]])
    assert trial.before.tolist() == [2, 2, 2, 2]  # a gap is no event
    assert read(ROWS[:-1]).before.tolist() == [2, 2, 2, 1]  # a row that is not there


def test_events_of_a_column():
    event = pl.Series("event", [None, None, "week 10", "week 10", None, None, "week 2", "week 2"], dtype=pl.String)
    reason = pl.Series("why", [None, None, "ill", "ill", None, None, None, None], dtype=pl.String)
    trial = read(ROWS.with_columns(event, reason), event="event", reason="why")
    assert trial.before.tolist() == [2, 1, 2, 0]
    assert trial.reason == ("", "ill", "", "dropout")


def test_a_missing_baseline_is_refused_or_filled_in_by_the_mean_of_all_arms():
    gone = ROWS.with_columns(base=pl.when(pl.col("s") == "d").then(None).otherwise(pl.col("base")))
    with pytest.raises(AnalysisError, match="1 patients without a baseline value"):
        read(gone)
    filled = read(gone, missing_covariate="mean")
    assert filled.covariates[3, 0] == 2.0
    assert "1 patients without base: the mean over all arms was put in" in filled.notes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"table": ROWS.drop("base")}, "no column 'base'"),
        ({"table": ROWS[:0]}, "without rows"),
        ({"table": pl.concat([ROWS, ROWS[:1]])}, "1 rows of a patient and visit"),
        ({"visits": ["week 2"]}, "week 10"),
        ({"visits": ["week 10", "week 2"], "day": "day"}, "days that ascend"),
        ({"visits": ["week 2", "week 10", "week 20"]}, "no outcome at visits"),
        ({"visits": ["week 2", "week 10", "week 2"]}, "each once"),
        ({"control": "z"}, "control arm"),
        ({"table": ROWS.with_columns(arm=pl.Series(["x", "y"] * 4))}, "more than one arm"),
        ({"table": ROWS.with_columns(base=pl.Series(range(8)).cast(pl.Float64))}, "more than one base"),
        ({"table": ROWS.with_columns(sex=pl.Series([None] * 2 + ["m"] * 6))}, "without 'sex'"),
        ({"table": ROWS.with_columns(s=pl.Series([None, *"aabbccd"]))}, "without 's'"),
        ({"table": ROWS.with_columns(e=pl.lit("week 7")), "event": "e"}, "events at"),
        ({"table": ROWS.with_columns(y=pl.lit("bad"))}, "numbers"),
        ({"table": ROWS.with_columns(y=pl.lit(float("inf")))}, "infinite"),
        ({"missing_covariate": "guess"}, "refuse or mean"),
    ],
)  # fmt: skip
def test_tables(change, words):
    with pytest.raises(AnalysisError, match=words):
        read(**change)


@pytest.mark.parametrize("before", [[1, 2], [1, 2, 3, 9], [0.5, 1, 1, 1], [np.nan, 1, 1, 1]])
def test_events_out_of_range(before):
    with pytest.raises(AnalysisError, match="before the event"):
        RepeatedTrial.of(np.ones((4, 2)), [0, 0, 1, 1], visits=["1", "2"], before=before)


def test_assumptions():
    trial = simulated(20)
    with pytest.raises(AnalysisError, match="reference arm 'placebo'"):
        conditional_mean(trial, strategy="JR", reference="placebo")
    with pytest.raises(AnalysisError, match="LOCF"):
        conditional_mean(trial, strategy="LOCF")
    with pytest.raises(AnalysisError, match=r"without a strategy.*dropout"):
        conditional_mean(trial, strategy={"ill": "JR"})
    with pytest.raises(AnalysisError, match="delta arm 'drug'"):
        conditional_mean(trial, delta=Delta(by_arm={"drug": 1.0}))
    with pytest.raises(AnalysisError, match="finite"):
        conditional_mean(trial, delta=Delta(by_arm={"1": np.nan}))
    with pytest.raises(AnalysisError, match="guess"):
        complete(trial, seed=1, parameters="guess")
    with pytest.raises(AnalysisError, match="zero"):
        tipping_point(lambda d: conditional_mean(trial), Delta(by_arm={"1": 0.0}), estimate="x")
    with pytest.raises(AnalysisError, match="level 2"):
        tipping_point(lambda d: conditional_mean(trial), Delta(by_arm={"1": 1.0}), estimate="x", level=2.0)


def test_samples_of_another_model_are_refused():
    trial = simulated(30, gaps=0.0)
    told = RepeatedTrial.of(trial.outcome, trial.arm, visits=trial.visits, before=[3] * 30)
    held = jackknife(told, Assumption.of(told, "MAR"))
    with pytest.raises(AnalysisError, match="other outcomes"):
        conditional_mean(told, strategy="JR", samples=held)
    with pytest.raises(AnalysisError, match="at least 2"):
        bootstrap(trial, Assumption.of(trial), samples=1, seed=1)


def test_a_model_that_cannot_be_fitted_says_of_how_many_patients():
    trial = simulated(30)
    twice = replace(trial, covariates=np.repeat(trial.covariates, 2, 1), covariate_names=("base", "again"))
    with pytest.raises(AnalysisError, match=r"again at week 4 is a combination.*imputation model of 30 patients"):
        conditional_mean(twice)
    few = simulated(6, dropout=0.0, gaps=0.0)
    with pytest.raises(AnalysisError, match="imputation model of"):
        conditional_mean(few, specification=Specification(by_arm=True))


def test_an_arm_without_data_at_a_visit_is_named():
    trial = simulated(30, dropout=0.0, gaps=0.0)
    y = trial.outcome.copy()
    y[trial.arm == 1, 3] = np.nan
    with pytest.raises(AnalysisError, match=r"mean of 1 at week 16 is zero"):
        conditional_mean(RepeatedTrial.of(y, trial.arm, visits=trial.visits), strategy="JR")
