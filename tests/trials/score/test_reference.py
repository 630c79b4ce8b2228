"""ACTG175 and GBSG/Rotterdam: the scores of the reference files, made anew, and what they are worth."""

import json

import numpy as np
import polars as pl
import pytest

from medtwin.trials.analysis import read_trial
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.score import Context, ScoreSpecification, train
from medtwin.trials.score.arms import within_arms
from medtwin.trials.score.drift import drift
from medtwin.trials.score.leak import leaks
from medtwin.trials.score.outcomes import correlation, martingale

pytestmark = pytest.mark.shared

RAW = ["age", "wtkg", "hemo", "homo", "drugs", "karnof", "oprior", "preanti", "race", "gender", "str2", "symptom"]
RAW += ["cd40", "cd80"]
CONTEXT = Context(
    population="HIV-1, CD4 200 to 500", endpoint="CD4 count", time="20 weeks", unit="cells/mm3",
    intended_use="covariate of the primary analysis", not_for="care of a patient",
)  # fmt: skip


@pytest.fixture(scope="module")
def reference(shared_data):
    return json.loads((shared_data / "trials" / "reference_actg175.json").read_text())


@pytest.fixture(scope="module")
def whole(shared_data):
    return pl.read_csv(shared_data / "trials" / "actg175.csv", null_values="NA")


@pytest.fixture(scope="module")
def trial(shared_data, whole):
    return whole.join(pl.read_csv(shared_data / "trials" / "actg175_split_score.csv"), on="pidnum")


@pytest.fixture(scope="module")
def history(whole):
    """Odd-ranked patients of the control arm, as the reference file says."""
    return whole.filter(pl.col("arms") == 0).sort("pidnum").gather_every(2)


def actg(kind="linear", **more):
    return ScoreSpecification(name="CD4 at 20 weeks", kind=kind, endpoint="continuous", outcome="cd420", context=CONTEXT,
                              covariates=RAW, baseline="cd40", subject="pidnum", **more)  # fmt: skip


@pytest.fixture(scope="module")
def score(history):
    return train(history, actg())


def test_the_score_of_the_reference(score, trial, reference):
    theirs = reference["prognostic_model_coef"]
    assert score.model.intercept == pytest.approx(theirs["(Intercept)"], rel=1e-9)
    assert dict(zip(score.model.names, score.model.coefficients, strict=True)) == pytest.approx(
        {name: theirs[name] for name in RAW}, rel=1e-8
    )
    np.testing.assert_allclose(score.predict(trial), trial["score"].to_numpy(), rtol=1e-10)
    assert score.training.patients == reference["n"]["hist"]
    assert score.figures.apparent == pytest.approx(reference["prognostic_r2_hist"], rel=1e-10)
    # out of fold the figure is lower, and its interval holds the training figure's promise no more than that
    assert score.figures.r_squared.value < reference["prognostic_r2_hist"] - 0.03


def test_what_it_is_worth_in_the_trial(score, trial, reference):
    control, treated, both = within_arms(score, trial, arm="A")
    assert control.correlation.value == pytest.approx(reference["rho0"], rel=1e-9)
    assert treated.correlation.value == pytest.approx(reference["rho1"], rel=1e-9)
    # beyond the baseline value: what the residual variance falls by when the score joins arm and cd40
    linear = reference["linear"]
    alone, joined = (
        linear[name]["se_classical"] ** 2 * linear[name]["df"] for name in ("ancova_cd40", "procova_score_cd40")
    )
    assert both.beyond_baseline.value == pytest.approx(1 - joined / alone, abs=0.003)
    assert both.beyond_baseline.low < 0.036 < both.beyond_baseline.high
    assert score.figures.beyond_baseline.low < 0.036 < score.figures.beyond_baseline.high


def test_the_gain_beyond_the_baseline_value_is_the_published_one(score, trial):
    """HC3 variance, score against baseline value: 3.6 % less."""
    table = trial.with_columns(pl.Series("s", score.predict(trial)))
    errors = [
        ancova(read_trial(table, outcome="cd420", arm="A", control=0, covariates=[name]), variance="HC3")[
            "1 - 0"
        ].standard_error
        for name in ("s", "cd40")
    ]
    assert 1 - (errors[0] / errors[1]) ** 2 == pytest.approx(0.036, abs=0.0005)


def test_halves_of_one_trial_neither_leak_nor_drift(score, trial, history):
    assert leaks(score, trial, arm="A").findings == ()
    report = drift(score, trial, historical=history, arm="A", control=0)
    assert {one.measure for one in report.measures if one.flagged} <= {"together"}
    assert report.calibration.at_large.low < 0 < report.calibration.at_large.high
    assert not any("hash" in note for note in report.notes)
    # a trial that holds some of the historical patients
    assert leaks(score, pl.concat([trial.drop("score", "A"), history.head(5)])).certain[0].kind == "hash"


def test_the_cox_score_of_rotterdam_in_gbsg(shared_data):
    folder = shared_data / "trials"
    theirs = json.loads((folder / "reference_gbsg_rotterdam.json").read_text())
    table = pl.read_csv(folder / "gbsg_rotterdam.csv").with_columns(
        (pl.col("grade") >= 3).cast(pl.Int8).alias("grade3"), pl.col("nodes").log().alias("l_nodes"),
        pl.col("pgr").log1p().alias("l_pgr"), pl.col("er").log1p().alias("l_er"),
    )  # fmt: skip
    names = ["age", "meno", "sizec", "grade3", "l_nodes", "l_pgr", "l_er"]
    spec = ScoreSpecification(name="RFS", kind="linear", endpoint="survival", outcome="rfstime", event="status", folds=5,
                              context=CONTEXT, covariates=names, baseline="l_nodes")  # fmt: skip
    past = table.filter((pl.col("src") != "gbsg") & (pl.col("hormon") == 0))
    made = train(past, spec)
    assert made.training.patients == theirs["prog_model"]["n"]
    held = dict(zip(names, made.model.coefficients, strict=True))
    assert held == pytest.approx(theirs["prog_model"]["coef"], abs=2e-6)
    trial = table.filter(pl.col("src") == "gbsg")
    residual = martingale(trial["rfstime"].to_numpy().astype(float), trial["status"].to_numpy() == 1)
    squared = correlation(made.predict(trial), residual) ** 2
    assert squared == pytest.approx(theirs["corr2_score_vs_null_martingale_residual"], abs=5e-4)
    assert leaks(made, trial, arm="hormon").findings == ()
