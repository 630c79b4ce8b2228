"""The mixed model and physiology: against the law that made the data, and against least squares where they must agree."""

import sys

import msgspec
import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials.score import ScoreSpecification, freeze, read_score, specification, train
from trials.score.simulated import CONTEXT, asked, patients

LAW = np.array([[1.0, 0.6, 0.5], [0.6, 1.2, 0.7], [0.5, 0.7, 1.5]])
SLOPES = np.array([[0.2, 0.0], [0.4, 0.3], [0.5, 0.6]])


def visits(n, seed, missing=0.0):
    """One row for each patient and visit: screening, week 6, week 12."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    y = x @ SLOPES.T + np.array([5.0, 6.0, 7.0]) + rng.normal(size=(n, 3)) @ np.linalg.cholesky(LAW).T
    gone = rng.random((n, 3)) < missing
    gone[:, 0] = False
    names = ["screening", "week 6", "week 12"]
    return pl.DataFrame({
        "id": np.repeat(np.arange(n), 3), "visit": names * n, "base": np.repeat(x[:, 0], 3), "x": np.repeat(x[:, 1], 3),
        "y": np.where(gone, np.nan, y).ravel(),
    }).with_columns(pl.col("y").fill_nan(None)), x, y  # fmt: skip


def mixed(**more):
    given = {"covariates": ["base", "x"], "subject": "id", "visit": "visit", "at": "week 12", "folds": 4}
    return asked("mixed_model", **{**given, **more})


def test_the_mixed_model_of_complete_data_is_least_squares_at_the_visit():
    table, x, y = visits(300, 1)
    made = train(table, mixed())
    new = pl.DataFrame({"base": x[:, 0], "x": x[:, 1]})
    design = np.column_stack([np.ones(300), x])
    assert made.predict(new) == pytest.approx(design @ np.linalg.lstsq(design, y[:, 2], rcond=None)[0], abs=1e-6)
    assert made.unit == "points"


def test_with_an_earlier_visit_it_is_the_conditional_mean_of_the_law():
    table, _, _ = visits(4000, 2, missing=0.2)
    made = train(table, mixed(earlier={"screening": "y0"}), evaluate=False)
    _, x, y = visits(500, 3)
    new = pl.DataFrame({"base": x[:, 0], "x": x[:, 1], "y0": y[:, 0]})
    mean = x @ SLOPES.T + np.array([5.0, 6.0, 7.0])
    truth = mean[:, 2] + LAW[2, 0] / LAW[0, 0] * (y[:, 0] - mean[:, 0])
    assert made.predict(new) == pytest.approx(truth, abs=0.2)
    assert made.predict(new.drop("y0")) == pytest.approx(mean[:, 2], abs=0.2)
    visits_, means = made.predict_visits(new)
    assert visits_ == ("screening", "week 6", "week 12")
    assert means[:, 2] == pytest.approx(made.predict(new))
    assert means[:, 0] == pytest.approx(y[:, 0])  # what was seen is known
    assert means[:, 1] == pytest.approx(mean[:, 1] + LAW[1, 0] / LAW[0, 0] * (y[:, 0] - mean[:, 0]), abs=0.2)
    with pytest.raises(AnalysisError, match="visits of a linear"):
        train(patients(50, 1), asked(), evaluate=False).predict_visits(patients(5, 1))
    half = new.with_columns(pl.when(pl.int_range(500) < 250).then(None).otherwise(pl.col("y0")).alias("y0"))
    assert made.predict(half)[:250] == pytest.approx(made.predict(new.drop("y0"))[:250])
    assert made.predict(half)[250:] == pytest.approx(made.predict(new)[250:])


def test_an_earlier_visit_raises_what_the_score_is_worth(tmp_path):
    table, _, _ = visits(400, 4, missing=0.1)
    without, with_ = train(table, mixed()), train(table, mixed(earlier={"screening": "y0"}))
    assert with_.figures.saved.value > without.figures.saved.value + 0.05
    # of the residual 0.25/1.5 at the visit, of all variance of y: 0.61 explained + 0.25 of 2.11
    assert with_.figures.r_squared.value == pytest.approx((0.61 + 0.25) / 2.11, abs=0.1)
    assert any("patients without the outcome" in note for note in with_.notes)
    freeze(with_, tmp_path / "s.json")
    assert read_score(tmp_path / "s.json") == with_


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"earlier": {"week 12": "y0"}}, "earlier visits"),
        ({"earlier": {"week 3": "y0"}}, "earlier visits"),
        ({"at": "week 24"}, "no row at visit"),
    ],
)
def test_visits_that_are_none(more, message):
    with pytest.raises(AnalysisError, match=message):
        train(visits(60, 5)[0], mixed(**more))


def test_a_covariate_that_moves_is_no_baseline_covariate():
    table, _, _ = visits(60, 6)
    moving = table.with_columns((pl.col("x") + pl.col("y").fill_null(0.0)).alias("x"))
    with pytest.raises(AnalysisError, match="differs from row to row"):
        train(moving, mixed())


def forecasted(n, seed):
    """A forecast that is half of y less three, and covariates that know some of the rest."""
    table = patients(n, seed)
    return table.with_columns(((pl.col("base") + 6.0) / 2.0).alias("twin"))


def physiological(correction, **more):
    return asked("physiology", forecast="twin", forecast_made_by="simulated", correction=correction,
                 covariates=["x", "idle"], **more)  # fmt: skip


def test_physiology_recalibrates_and_corrects(tmp_path):
    table = forecasted(3000, 7)
    alone = train(table, physiological("none"))
    line = alone.model.recalibration
    assert (line.intercept, line.coefficients[0]) == pytest.approx((-3.6, 1.2), abs=0.3)
    assert alone.figures.r_squared.value == pytest.approx(0.36, abs=0.04)
    both = train(table, physiological("linear"))
    assert both.figures.r_squared.value == pytest.approx(0.52, abs=0.04)
    trees = train(table, physiological("boosting"), evaluate=False)
    assert np.corrcoef(trees.predict(table), both.predict(table))[0, 1] > 0.97
    for score in (alone, both, trees):
        freeze(score, tmp_path / "s.json")
        np.testing.assert_array_equal(read_score(tmp_path / "s.json").predict(table), score.predict(table))


def test_a_forecast_that_was_withheld_is_filled_and_counted():
    table = forecasted(200, 8)
    holes = table.with_columns(pl.when(pl.col("id") < 20).then(None).otherwise(pl.col("twin")).alias("twin"))
    made = train(holes, physiological("linear"), evaluate=False)
    assert any("without a forecast" in note for note in made.notes)
    assert made.apply(holes).counted[-1].missing == 20
    assert np.isfinite(made.predict(holes)).all()


@pytest.mark.parametrize("endpoint", ["binary", "count", "survival"])
def test_physiology_of_other_endpoints(endpoint):
    table = forecasted(800, 9)
    rng = np.random.default_rng(1)
    eta = table["base"].to_numpy()
    y = {"binary": rng.random(800) < 1 / (1 + np.exp(-eta)), "count": rng.poisson(np.exp(eta)),
         "survival": rng.exponential(np.exp(-eta))}[endpoint]  # fmt: skip
    table = table.with_columns(pl.Series("y", y.astype(float)), pl.lit(1).alias("event"))
    more = {"event": "event"} if endpoint == "survival" else {}
    for correction in ("none", "linear"):
        made = train(table, physiological(correction, endpoint=endpoint, **more), evaluate=False)
        assert made.model.recalibration.coefficients[-1] == pytest.approx(2.0, abs=0.5)
    with pytest.raises(AnalysisError, match="boosted correction"):
        train(table, physiological("boosting", endpoint=endpoint, **more))


def test_constant_and_collinear_columns_have_no_part_and_are_named():
    table = patients(100, 10).with_columns(pl.lit(1.0).alias("one"), (2 * pl.col("x") + 1).alias("twice"))
    made = train(table, asked(covariates=["base", "one", "x", "twice"]), evaluate=False)
    plain = train(table, asked(covariates=["base", "x"]), evaluate=False)
    assert made.predict(table) == pytest.approx(plain.predict(table))
    told = " ".join(made.notes)
    assert "one is the same for every" in told
    assert "twice is a linear function" in told


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"covariates": ["base", "y"]}, "among the covariates"),
        ({"covariates": []}, "no covariates"),
        ({"kind": "magic"}, "kind 'magic'"),
        ({"endpoint": "survival"}, "the column of events"),
        ({"visit": "v"}, "visits without a mixed model"),
        ({"forecast": "f"}, "the column of the forecast"),
        ({"cut": "yesterday"}, "the date"),
        ({"kind": "ensemble", "candidates": ["linear"]}, "candidates"),
        ({"covariates": ["base", "nowhere"]}, "no column"),
        ({"arm": "arm", "control": 7}, "no row with arm"),
        ({"outcome": "site"}, "numbers"),
    ],
)
def test_specifications_that_contradict_themselves_or_the_table(more, message):
    with pytest.raises(AnalysisError, match=message):
        train(patients(60, 11), asked(**more))


def test_patients_twice_and_identifiers_are_refused():
    table = patients(60, 12)
    with pytest.raises(AnalysisError, match="a row already"):
        train(pl.concat([table, table]), asked(subject="id"))
    with pytest.raises(AnalysisError, match="levels of 'id'"):
        train(table.with_columns(pl.col("id").cast(pl.String)), asked(covariates=["base", "id"]))


def test_only_controls_are_learnt_from():
    table = patients(400, 13, effect=5.0, arms=2)
    made = train(table, asked(arm="arm", control=0), evaluate=False)
    alone = train(table.filter(pl.col("arm") == 0), asked(), evaluate=False)
    assert made.model == alone.model
    assert "200 rows of other arms" in made.notes[0]


PLAIN = msgspec.to_builtins(asked())
ANY = (
    st.none()
    | st.integers(-3, 60)
    | st.floats()
    | st.text(max_size=6)
    | st.lists(st.text(max_size=3), max_size=3)
    | st.booleans()
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(ScoreSpecification.__struct_fields__)) | st.text(max_size=5), ANY, max_size=4
    )
)
def test_any_specification_is_read_or_refused(changes):
    try:
        made = specification({**PLAIN, **changes})
    except AnalysisError:
        return
    assert made.context == CONTEXT


def test_the_example_of_the_specification_is_one():
    text = sys.modules["medtwin.trials.score.specification"].__doc__.partition("::\n\n")[2]
    made = specification(yaml.safe_load(text))
    assert (made.not_after, made.kind, made.baseline) == ("2024-03-01", "linear", "cd40")


def test_the_order_of_rows_and_columns_does_not_matter_to_a_prediction():
    table = patients(150, 14)
    made = train(table, asked(covariates=["base", "x", "site"]), evaluate=False)
    turned = table.select(sorted(table.columns, reverse=True)).reverse()
    np.testing.assert_array_equal(made.predict(turned)[::-1], made.predict(table))
    again = train(turned, asked(covariates=["base", "x", "site"]), evaluate=False)
    assert again.predict(table) == pytest.approx(made.predict(table))
