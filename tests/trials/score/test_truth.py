"""Scores of histories whose R2 and partial R2 are known: the figures are honest, every kind and endpoint."""

import math
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.cox import cox_fit
from medtwin.trials.score import train
from medtwin.trials.score.arms import within_arms
from medtwin.trials.score.figures import FEW, NARROW, area, figures, fisher, r_squared
from medtwin.trials.score.history import History, Known
from medtwin.trials.score.linear import PENALTIES, _partial
from medtwin.trials.score.outcomes import martingale, partial_correlation
from trials.score.simulated import BASELINE_R, PARTIAL, R2, asked, patients


def test_both_figures_of_a_linear_score_are_the_true_ones():
    made = train(patients(4000, 1), asked())
    told = made.figures
    assert told.r_squared.value == pytest.approx(R2, abs=0.04)
    assert told.r_squared.low < R2 < told.r_squared.high
    assert told.beyond_baseline.low < PARTIAL < told.beyond_baseline.high
    assert told.beyond_baseline.value == pytest.approx(PARTIAL, abs=0.04)
    assert told.baseline_correlation == pytest.approx(BASELINE_R, abs=0.03)
    assert told.saved.value == told.correlation.value**2
    assert told.controls_saved == pytest.approx(1 - 1 / (2 / (1 - told.saved.value) - 1))
    assert "beyond base" in told.sentence
    assert np.array(made.model.coefficients) == pytest.approx([0.6, 0.4, 0.0], abs=0.04)


def test_intervals_hold_the_truth_as_often_as_they_say():
    hits = np.zeros(2)
    for seed in range(100):
        told = train(patients(300, 100 + seed), asked()).figures
        hits += [
            told.beyond_baseline.low <= PARTIAL <= told.beyond_baseline.high,
            told.saved.low <= R2 <= told.saved.high,
        ]
    # 100 draws: a share of 0.95 has a standard error of 0.02; the history's own error makes it a little less
    assert (hits / 100 > 0.88).all(), hits


def test_few_patients_are_told_as_the_evidence_found_them():
    assert NARROW in train(patients(FEW - 1, 1), asked()).figures.sentence
    assert "narrow" not in train(patients(FEW, 1), asked()).figures.sentence
    page = (Path(__file__).parents[3] / "docs" / "evidence" / "prognostic-score.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| 100 |"))
    held = sorted(round(float(share)) for share in re.findall(r"([\d.]+)% \(", row))
    assert f"100 patients those said to be 95 % held the truth in {held[0]} to {held[-1]} %" in NARROW


def test_a_score_that_says_nothing_saves_nothing():
    saved = [train(patients(150, seed), asked(covariates=["idle"])).figures for seed in range(20)]
    assert np.mean([one.saved.value for one in saved]) < 0.02
    assert np.mean([one.r_squared.value for one in saved]) < 0.01
    assert np.mean([one.apparent for one in saved]) > 0.0


def test_without_a_baseline_it_is_said_that_the_gain_beyond_it_is_unknown():
    told = train(patients(200, 3), asked(baseline=None)).figures
    assert told.beyond_baseline is None
    assert "unknown" in told.sentence


def test_boosting_finds_what_a_line_cannot():
    table = patients(400, 4)
    y = np.abs(table["base"].to_numpy()) + 0.5 * np.random.default_rng(0).normal(size=400)
    table = table.with_columns(pl.Series("y", y))
    line, trees = (train(table, asked(kind, covariates=["base"], folds=3)).figures for kind in ("linear", "boosting"))
    truth = (1 - 2 / math.pi) / (1 - 2 / math.pi + 0.25)
    assert line.saved.value < 0.05
    assert trees.r_squared.value == pytest.approx(truth, abs=0.12)


def test_a_binary_score():
    table = patients(3000, 5)
    risk = special.expit(1.5 * table["base"].to_numpy())
    event = (np.random.default_rng(1).random(3000) < risk).astype(int)
    table = table.with_columns(pl.Series("y", event))
    made = train(table, asked(endpoint="binary"))
    assert made.unit == "log odds of the event"
    assert made.model.coefficients[0] == pytest.approx(1.5, abs=0.15)
    assert made.figures.auc.low < area(event, risk) < made.figures.auc.high
    assert made.figures.brier.low < ((event - risk) ** 2).mean() < made.figures.brier.high
    assert made.figures.measure == "R2 of the Brier score"
    assert made.figures.beyond_baseline.value < 0.03  # only that a probability bends


def test_a_count_score_with_time_at_risk():
    table = patients(2000, 6)
    rng = np.random.default_rng(2)
    exposure = rng.uniform(0.5, 2.0, size=2000)
    events = rng.poisson(exposure * np.exp(0.3 + 0.5 * table["base"].to_numpy()))
    table = table.with_columns(pl.Series("y", events), pl.Series("years", exposure))
    for kind in ("linear", "boosting"):
        made = train(
            table, asked(kind, endpoint="count", exposure="years", covariates=["base"]), evaluate=kind == "linear"
        )
        assert made.figures.r_squared.value > 0.15
        rate = np.exp(made.predict(table)) if kind == "linear" else made.predict(table)
        assert (rate * exposure).sum() == pytest.approx(events.sum(), rel=0.05)
    assert made.unit == "rate per unit of exposure"


def test_a_survival_score_by_cox_and_by_martingale_residuals():
    rng = np.random.default_rng(3)
    table = patients(800, 7)
    time = rng.exponential(1.0 / (0.1 * np.exp(0.8 * table["base"].to_numpy())))
    censored = rng.uniform(2, 20, size=800)
    table = table.with_columns(
        pl.Series("y", np.minimum(time, censored)), pl.Series("event", (time <= censored).astype(int))
    )
    cox = train(table, asked(endpoint="survival", event="event", covariates=["base"]))
    trees = train(table, asked("boosting", endpoint="survival", event="event", covariates=["base"], folds=3))
    assert cox.model.coefficients[0] == pytest.approx(0.8, abs=0.15)
    assert cox.predict(table).mean() == pytest.approx(0.0, abs=1e-9)
    assert trees.figures.saved.value == pytest.approx(cox.figures.saved.value, abs=0.08)
    assert trees.unit.startswith("events above")
    assert "martingale" in cox.figures.sentence


def test_martingale_residuals_are_events_less_cumulative_hazard():
    time, event = np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([True, True, False, True, False])
    hazard = np.array([1 / 5, 1 / 5 + 1 / 4, 1 / 5 + 1 / 4, 1 / 5 + 1 / 4 + 1 / 2, 1 / 5 + 1 / 4 + 1 / 2])
    assert martingale(time, event) == pytest.approx(event - hazard)
    assert martingale(time, event).sum() == pytest.approx(0.0, abs=1e-12)


def test_ridge_is_least_squares_with_a_penalty():
    table = patients(60, 8)
    made = train(table, asked(ridge=True, covariates=["base", "x", "idle"]), evaluate=False).model
    x = table.select("base", "x", "idle").to_numpy()
    z = (x - x.mean(0)) / x.std(0)
    y = table["y"].to_numpy()
    slopes = np.linalg.solve(z.T @ z + made.penalty * 60 * np.eye(3), z.T @ (y - y.mean())) / x.std(0)
    assert np.array(made.coefficients) == pytest.approx(slopes, rel=1e-8)
    assert made.penalty > 0.0
    larger = train(table.with_columns(pl.col("y") * 1000.0 + 5.0), asked(ridge=True), evaluate=False).model
    assert np.array(larger.coefficients) == pytest.approx(1000.0 * slopes, rel=1e-8)
    assert larger.penalty == made.penalty


@pytest.mark.parametrize("endpoint", ["binary", "count", "survival"])
def test_ridge_learns_where_there_are_more_columns_than_patients(endpoint):
    rng = np.random.default_rng(9)
    z = rng.normal(size=40)
    x = z[:, None] + rng.normal(size=(40, 45))
    table = pl.DataFrame({f"x{k}": x[:, k] for k in range(45)})
    y = {"binary": z > 0, "count": rng.poisson(np.exp(z)), "survival": rng.exponential(np.exp(-z))}[endpoint]
    table = table.with_columns(pl.Series("y", y.astype(float)), pl.lit(1).alias("event"))
    more = {"event": "event"} if endpoint == "survival" else {}
    spec = asked(endpoint=endpoint, covariates=[f"x{k}" for k in range(45)], baseline=None, ridge=True, **more)
    made = train(table, spec)
    assert made.figures.correlation.value > (0.2 if endpoint == "survival" else 0.5)
    assert made.model.penalty < PENALTIES[-1]
    with pytest.raises(AnalysisError):
        train(table, asked(endpoint=endpoint, covariates=[f"x{k}" for k in range(45)], baseline=None, **more))


def test_an_ensemble_takes_the_kind_with_the_least_loss_and_tells_all():
    table = patients(200, 10)
    bent = table.with_columns((pl.col("base").abs() * 2 + pl.col("y") * 0.2).alias("y"))
    spec = asked("ensemble", candidates=["linear", "boosting"], covariates=["base"], folds=2)
    made = train(bent, spec, evaluate=False)
    assert made.model.chosen == "boosting"
    assert set(made.model.cross_validated) == {"linear", "boosting"}
    assert train(table, spec, evaluate=False).model.chosen == "linear"
    assert any("least cross-validated loss" in note for note in made.notes)


def test_within_arms_the_arm_is_taken_out():
    trial = patients(3000, 11, effect=2.0, arms=2)
    made = train(patients(3000, 12), asked())
    first, second, whole = within_arms(made, trial, arm="arm")
    for one in (first, second, whole):
        assert one.correlation.low < math.sqrt(R2) < one.correlation.high
        assert one.beyond_baseline.low < PARTIAL < one.beyond_baseline.high
    assert (first.patients, second.patients, whole.patients) == (1500, 1500, 3000)
    y, s, given = (trial[c].to_numpy() for c in ("y", "x", "base"))
    assert abs(partial_correlation(y, s, np.column_stack([given, trial["arm"]]))) > 0.4


def test_fishers_interval_of_a_partial_correlation():
    # z 0.5493, standard error 1/sqrt(41 - 3 - 2): 0.2226 to 0.8760
    held = fisher(0.5, 41, 2)
    assert (math.atanh(held.low), math.atanh(held.high)) == pytest.approx(
        (0.5493 - 1.96 / 6, 0.5493 + 1.96 / 6), abs=1e-3
    )


@pytest.mark.parametrize("endpoint", ["continuous", "binary", "count"])
def test_the_bootstrap_by_sums_is_that_of_the_measures_themselves(endpoint):
    rng = np.random.default_rng(14)
    s = rng.normal(size=60)
    y = {"continuous": s + rng.normal(size=60), "binary": (s + rng.normal(size=60) > 0).astype(float),
         "count": rng.poisson(np.exp(s)).astype(float)}[endpoint]  # fmt: skip
    exposure = rng.uniform(0.5, 1.5, size=60) if endpoint == "count" else None
    scale = {"continuous": "outcome", "binary": "log odds", "count": "log rate"}[endpoint]
    history = History(known=Known(design=np.zeros((60, 0)), names=()), endpoint=endpoint, outcome=y, exposure=exposure)
    told = figures(history, scale, s, how="", baseline=None, seed=5)
    assert told.r_squared.value == pytest.approx(r_squared(history, scale, s))
    again, draws = np.random.default_rng(5), []
    for _ in range(1000):
        rows = again.integers(0, 60, size=60)
        draws.append(r_squared(history.rows(rows), scale, s[rows]))
    assert (told.r_squared.low, told.r_squared.high) == pytest.approx(tuple(np.quantile(draws, (0.025, 0.975))))


def test_a_separated_history_is_told_to_take_a_penalty():
    table = patients(80, 16).with_columns((pl.col("base") > 0).cast(pl.Int8).alias("y"))
    with pytest.raises(AnalysisError, match="ridge: true"):
        train(table, asked(endpoint="binary", covariates=["base"]))
    assert train(table, asked(endpoint="binary", covariates=["base"], ridge=True)).figures.auc.value > 0.99


def test_the_area_against_counting_pairs():
    event, values = np.array([1.0, 0, 1, 0, 1]), np.array([3.0, 1, 1, 2, 5])
    assert area(event, values) == pytest.approx((2 + 0.5 + 2) / 6)
    assert area(event, values, np.array([2.0, 1, 1, 1, 1])) == pytest.approx((2 * 2 + 0.5 + 2) / 8)


def test_the_partial_likelihood_of_a_log_hazard_is_coxs():
    rng = np.random.default_rng(15)
    x = rng.normal(size=50)
    time, event = np.round(rng.exponential(np.exp(-x)) + 0.05, 1), rng.random(50) < 0.7
    held = cox_fit(time, event, x[:, None], ties="breslow")
    assert _partial(time, event, held.coefficients[0] * x) == pytest.approx(held.log_likelihood)
