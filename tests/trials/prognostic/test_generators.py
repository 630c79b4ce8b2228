"""Resampled trajectories, the choice among generators, and what a trial takes from twins."""

import numpy as np
import polars as pl
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic import (
    Baseline,
    Cohort,
    Mean,
    Outcome,
    choose,
    draw,
    draw_visits,
    fit_boosted,
    fit_linear,
    fit_mixed,
    fit_persistence,
    planning_values,
    prognostic_score,
    read_cohort,
    synthetic_control_arm,
)
from trials.prognostic.simulated import BETA, EFFECTS, RESIDUAL, cohort


@pytest.fixture(scope="module")
def data():
    return cohort(1, patients=300, regular=True)


def with_persistence(seed, patients, leave=0.0, jump=0.0):
    """An outcome that stays at its baseline value but for noise of the patient; who is high leaves after visit 2."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal(patients)
    drift = 0.5 * rng.standard_normal(patients)
    subject, time = np.repeat(np.arange(patients), 4), np.tile(np.arange(1.0, 5.0), patients)
    y = first[subject] + drift[subject] * time + 0.1 * rng.standard_normal(len(time)) + jump
    gone = (time > 2) & (drift[subject] > 0.4) & (rng.random(patients)[subject] < leave)
    baseline = Baseline.of(range(patients), first[:, None], ["baseline y"])
    return Cohort.of(baseline, [Outcome("y")], subject[~gone], time[~gone], y[~gone, None])


def test_resampled_draws_keep_dependence_across_outcomes_and_visits(data):
    model = fit_linear(data, donors=250)
    drawn = draw(model, data.baseline, [1.0, 4.0], draws=60, seed=3)
    rest = drawn.working - model.predict(data.baseline, drawn.subject, drawn.time, None)
    cells = rest.reshape(60 * 300, 4)  # (visit 1: first, second; visit 4: first, second)
    z = np.concatenate([np.kron(np.eye(2), [1.0, t]) for t in (1.0, 4.0)])
    truth = z @ EFFECTS @ z.T + np.kron(np.eye(2), RESIDUAL)
    found = np.cov(cells.T)
    scale = np.sqrt(np.outer(np.diag(truth), np.diag(truth)))
    assert np.abs((found - truth) / scale).max() < 0.25


def test_least_squares_mean_is_near_the_truth(data):
    model = fit_linear(data)
    at = Baseline.of(["new"], [[1.5]], ["c"])
    mean = model.predict(at, np.array([0, 0]), np.array([1.0, 3.0]), None)
    x = np.array([[1.0, t, 1.5, 1.5 * t] for t in (1.0, 3.0)])
    np.testing.assert_allclose(mean, x @ BETA.T, atol=0.6)


def test_drawing_a_later_visit_too_does_not_change_what_is_drawn_before_it():
    data = with_persistence(2, 200, leave=0.9)
    model = fit_persistence(data)
    alone = draw(model, data.baseline, [1.0, 2.0], draws=50, seed=1)
    longer = draw(model, data.baseline, [1.0, 2.0, 4.0], draws=50, seed=1)
    np.testing.assert_array_equal(alone.of("7"), longer.of("7")[:, :2])


def test_who_leaves_goes_on_as_those_who_were_like_him():
    """High movers leave after visit 2: draws at visit 4 that rose by visit 2 still end above the others."""
    data = with_persistence(3, 400, leave=0.7)
    drawn = draw(fit_persistence(data, donors=300), data.baseline, [2.0, 4.0], draws=200, seed=1)
    change = (drawn.working - data.baseline.column("baseline y")[drawn.subject][:, None])[:, :, 0]
    early, late = change[:, 0::2].ravel(), change[:, 1::2].ravel()
    assert np.corrcoef(early, late)[0, 1] > 0.9
    stayed = with_persistence(4, 4000)  # the truth without leaving
    y = stayed.values[:, 0] - stayed.baseline.column("baseline y")[stayed.subject]
    assert late.std() == pytest.approx(y[stayed.time == 4.0].std(), rel=0.15)


def test_persistence_takes_the_mean_change_of_others():
    data = with_persistence(5, 300, jump=2.0)
    drawn = draw(fit_persistence(data), data.baseline, [1.0], draws=400, seed=1)
    assert (drawn.mean[:, 0] - data.baseline.column("baseline y")).mean() == pytest.approx(2.0, abs=0.1)


def test_boosting_finds_what_is_not_linear():
    rng = np.random.default_rng(6)
    c = rng.uniform(-1, 1, (400, 2))
    subject, time = np.repeat(np.arange(400), 2), np.tile([1.0, 2.0], 400)
    truth = 3.0 * (c[:, 0] * c[:, 1] > 0)[subject]
    y = truth + 0.5 * rng.standard_normal(800)
    data = Cohort.of(Baseline.of(range(400), c, ["a", "b"]), [Outcome("y")], subject, time, y[:, None])
    fresh = rng.uniform(-1, 1, (200, 2))
    at = Baseline.of(range(200), fresh, ["a", "b"])
    right = 3.0 * (fresh[:, 0] * fresh[:, 1] > 0)
    error = {
        name: np.sqrt(np.mean((draw(fit(data), at, [1.0], draws=200).mean[:, 0] - right) ** 2))
        for name, fit in (("boosted", fit_boosted), ("linear", fit_linear))
    }
    assert error["boosted"] < 0.6 * error["linear"]


def test_resampled_draws_do_not_take_a_history(data):
    with pytest.raises(AnalysisError, match="mixed model"):
        draw(fit_linear(data), data.baseline, [9.0], history=data, draws=5)


def test_the_choice_finds_the_generator_that_made_the_data(data):
    candidates = {
        "slopes": fit_mixed,
        "intercepts": lambda c: fit_mixed(c, random="intercept"),
        "no covariates": lambda c: fit_mixed(c, Mean(covariates=())),
    }
    for by in ("energy", "crps"):
        choice = choose(data.take(np.arange(150)), candidates, by=by, folds=2, draws=50)
        assert choice.winner == "slopes"
        assert choice.candidates[0].behind.value == 0.0
        assert choice.candidates[-1].name == "no covariates"
        assert choice.candidates[-1].behind.low > 0.0
    with pytest.raises(AnalysisError, match="score"):
        choose(data, candidates, by="likelihood")


def test_score_is_the_analytic_mean_and_tells_outcomes_apart(data):
    model = fit_mixed(data)
    fresh = cohort(9, patients=300, regular=True, missing=0.0)
    score = prognostic_score(model, fresh.baseline, 3.0, "second", draws=400)
    mean, covariance = model.moments(fresh.baseline, np.arange(300), np.full(300, 3.0))
    away = (score["score"].to_numpy() - mean[:, 1]) / score["monte_carlo_error"].to_numpy()
    assert np.abs(away).mean() < 2.0  # parameters are shared by all patients of a draw
    assert score["score_sd"].mean() == pytest.approx(np.sqrt(covariance[:, 1, 1]).mean(), rel=0.08)
    measured = fresh.values[fresh.time == 3.0, 1]
    assert np.corrcoef(measured, score["score"])[0, 1] > 0.5


def test_planning_values_of_a_synthetic_arm_are_those_of_real_patients(data):
    model = fit_mixed(data)
    arm = synthetic_control_arm(model, data.baseline, [3.0], draws=100)
    plan = planning_values(arm, data.baseline, 3.0, "first")
    fresh = cohort(10, patients=4000, regular=True, missing=0.0)
    y = fresh.values[fresh.time == 3.0, 0]
    assert plan.sd[1] < y.std() < plan.sd[2]
    assert plan.mean[1] < y.mean() < plan.mean[2]
    assert plan.patients == 300
    bigger = synthetic_control_arm(model, data.baseline, [3.0], patients=500, draws=20)
    assert bigger.working.shape == (20, 500, 2)
    assert bigger.subjects[0] == "synthetic 1"


@pytest.fixture
def table():
    return pl.DataFrame({
        "id": [1, 1, 2, 2, 2], "year": [0.0, 1.0, 0.0, 1.1, 2.0], "bili": [1.0, 2.0, 4.0, None, 8.0],
        "sex": ["f", "f", "m", "m", "m"], "age": [40.0, 41.0, 50.0, 51.0, 52.0],
    })  # fmt: skip


def test_a_table_is_read_as_baseline_and_visits(table):
    found = read_cohort(
        table, subject="id", time="year", outcomes=[Outcome("bili", "mg/dL", "log")], covariates=["age", "sex"]
    )
    assert found.baseline.names == ("baseline log of bili", "age", "sex=m")
    np.testing.assert_allclose(found.baseline.covariates, [[0.0, 40.0, 0.0], [np.log(4.0), 50.0, 1.0]])
    np.testing.assert_allclose(found.natural.ravel(), [2.0, 8.0])
    assert any("no outcome was measured" in note for note in found.notes)
    later = found.take([1])
    assert later.baseline.subjects == ("2",)
    np.testing.assert_array_equal(later.time, [2.0])


@pytest.mark.parametrize(
    "change, words",
    [
        (pl.col("year").replace(0.0, 0.5), "without a row at time 0"),
        (pl.col("year").replace(1.1, 0.0), "two rows at time 0"),
        (pl.col("bili").replace(1.0, 0.0), "have no log"),
        (pl.col("bili").replace(4.0, None), "every covariate of every patient"),
        (pl.col("year").replace(1.0, None), "a value in every row"),
    ],
)
def test_bad_tables_are_errors(table, change, words):
    with pytest.raises(AnalysisError, match=words):
        read_cohort(table.with_columns(change), subject="id", time="year", outcomes=[Outcome("bili", "mg/dL", "log")])


def test_bad_requests_are_errors(data):
    model = fit_mixed(data)
    for given, words in (
        ({"times": [2.0, 1.0]}, "out of order"),
        ({"times": []}, "times"),
        ({"times": [1.0], "outcomes": ["third"]}, "third"),
        ({"times": [1.0], "history": data}, "not after the history"),
        ({"times": [9.0], "history": cohort(3)}, "other patients"),
    ):
        with pytest.raises(AnalysisError, match=words):
            draw(model, data.baseline, given.pop("times"), draws=5, **given)


def test_draws_at_a_cohorts_visits_stand_as_its_visits_do(data):
    drawn = draw_visits(fit_mixed(data), data, draws=5)
    assert drawn.working.shape == (5, *data.values.shape)
    np.testing.assert_array_equal(drawn.subject, data.subject)


@pytest.mark.parametrize(
    "outcome", [Outcome("y"), Outcome("y", "s", "log", 8.0), Outcome("y", "s", "square root"), Outcome("y", "s", "log")]
)
def test_scales_go_there_and_back(outcome):
    values = np.array([9.0, 10.5, np.nan, 36.0])
    np.testing.assert_allclose(outcome.natural(outcome.working(values)), values, rtol=1e-12)


def test_scales_that_do_not_hold_are_errors():
    with pytest.raises(AnalysisError, match="above 8"):
        Outcome("y", "s", "log", 8.0).working([7.5])
    with pytest.raises(AnalysisError, match="floor"):
        Outcome("y", floor=2.0)
    with pytest.raises(AnalysisError, match="transform"):
        Outcome("y", transform="logit")
