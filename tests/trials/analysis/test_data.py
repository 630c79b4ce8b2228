"""The trial as the analyses read it: what is refused, what is left out and said, what becomes an indicator."""

import numpy as np
import polars as pl
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData, read_trial

TABLE = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d", "e", "f", "g", "h"],
        "arm": ["new", "old", "new", "old", "new", "old", "new", "old"],
        "y": [1.0, 2.0, None, 4.0, 5.0, float("nan"), 7.0, 8.0],
        "x": [0.5, None, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0],
        "sex": ["f", "m", "f", "m", "f", "m", "m", "f"],
        "site": [1, 1, 2, 2, 1, 1, 2, 2],
        "time": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        "event": [1, 0, 1, 1, 0, 1, 1, 0],
    }
)


def test_rows_left_out_are_counted_by_arm_and_reason():
    trial = read_trial(TABLE, outcome="y", arm="arm", control="old", covariates=["x", "sex"], subject="id")
    assert trial.patients == {"old": 2, "new": 3}
    assert trial.covariate_names == ("x", "sex=m")
    assert trial.notes == (
        "2 patients left out, without y: 1 of arm new, 1 of arm old",
        "1 patients left out, without x: 1 of arm old",
    )


def test_mean_of_all_arms_stands_in_for_a_covariate_and_is_said():
    trial = read_trial(TABLE, outcome="time", arm="arm", control="old", covariates=["x"], missing_covariate="mean")
    assert trial.covariates[1, 0] == pytest.approx(np.mean([0.5, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]))
    assert "1 patients without x: the mean over all arms was put in" in trial.notes


def test_strata_of_several_columns_and_control_first():
    trial = read_trial(TABLE, outcome="time", arm="arm", control="old", strata=["site", "sex"], event="event")
    assert trial.arm_names == ("old", "new")
    assert trial.strata_names == ("1, f", "1, m", "2, f", "2, m")
    assert list(trial.arm) == [1, 0, 1, 0, 1, 0, 1, 0]
    assert list(trial.strata) == [0, 1, 2, 3, 0, 1, 3, 2]
    assert trial.event.sum() == 5
    assert trial.with_strata_as_covariates().covariates.shape == (8, 3)


@pytest.mark.parametrize(
    "asked, words",
    [
        ({"outcome": "z"}, "no column"),
        ({"missing_outcome": "refuse"}, "2 patients without y"),
        ({"outcome": "time", "covariates": ["x"], "missing_covariate": "refuse"}, "1 patients without x"),
        ({"control": "placebo"}, "control arm placebo"),
        ({"missing_outcome": "guess"}, "drop or refuse"),
    ],
)
def test_what_is_refused_of_a_table(asked, words):
    with pytest.raises(AnalysisError, match=words):
        read_trial(TABLE, **{"outcome": "y", "arm": "arm", "control": "old", **asked})


def test_words_as_outcome_are_refused():
    with pytest.raises(AnalysisError, match="column sex holds words"):
        read_trial(TABLE, outcome="sex", arm="arm", control="old")


def test_dates_as_covariates_are_refused():
    dated = TABLE.with_columns(day=pl.lit("2024-01-02").str.to_date())
    with pytest.raises(AnalysisError, match="dates or lists"):
        read_trial(dated, outcome="time", arm="arm", control="old", covariates=["day"])


def test_a_patient_twice_is_refused():
    twice = TABLE.with_columns(id=pl.Series(["a", "a", "c", "d", "e", "f", "g", "h"]))
    with pytest.raises(AnalysisError, match="1 rows of patients who have a row already"):
        read_trial(twice, outcome="time", arm="arm", control="old", subject="id")


def test_a_patient_without_an_arm_is_refused():
    lost = TABLE.with_columns(arm=pl.Series([None, "old", "new", "old", "new", "old", "new", "old"]))
    with pytest.raises(AnalysisError, match="1 patients without arm"):
        read_trial(lost, outcome="time", arm="arm", control="old")


@pytest.mark.parametrize(
    "given, words",
    [
        ({"outcome": [1.0, np.nan, 2.0]}, "missing or not finite"),
        ({"outcome": ["a", "b", "c"]}, "not numbers"),
        ({"arm": [0, 0, 0]}, "another"),
        ({"arm": [1, 1, 1]}, "control arm 0"),
        ({"arm": [0.0, 1.0, np.nan]}, "label is missing"),
        ({"arm": ["x", None, "y"]}, "several kinds"),
        ({"arm": [0, 1]}, "2 rows"),
        ({"outcome": [1.0, -2.0, 3.0], "event": [1, 1, 0]}, "1 negative times, first in row 1"),
        ({"event": [1, 2, 0]}, "other than 0 and 1"),
        ({"exposure": [1.0, 0.0, 2.0]}, "without time at risk"),
        ({"covariates": [1.0, 2.0, 3.0]}, "1 dimensions"),
        ({"covariates": [[1.0], [2.0], [3.0]], "covariate_names": ["a", "b"]}, "names"),
        ({"subject": [1, 1, 2]}, "a row already"),
    ],
)
def test_what_is_refused_of_arrays(given, words):
    with pytest.raises(AnalysisError, match=words):
        TrialData.of(**{"outcome": [1.0, 2.0, 3.0], "arm": [0, 1, 1], **given})


def test_constant_and_collinear_covariates_are_named():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2))
    table = np.column_stack([x[:, 0], np.full(30, 7.0), x[:, 1], 3.0 * x[:, 0] - x[:, 1] + 2.0])
    trial = TrialData.of(
        x[:, 0], np.arange(30) % 2, covariates=table, covariate_names=["a", "b", "c", "d"]
    ).independent()
    assert trial.covariate_names == ("a", "c")
    assert "b is the same for every patient" in trial.notes[0]
    assert "d is a linear function" in trial.notes[1]
