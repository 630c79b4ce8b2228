"""Plans that contradict themselves or the table are refused with what to do; one failed analysis does not hide the others."""

import contextlib
import re

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.carry_out import carry_out
from medtwin.trials.analysis_plan.plan import plan_of, read_plan
from medtwin.trials.tables import ReadTable

ONE = {"name": "main", "role": "primary", "endpoint": "continuous", "outcome": "y", "method": "ancova"}
PLAN = {"title": "t", "subject": "id", "arm": "arm", "control": "a", "analyses": [ONE]}
TABLE = pl.DataFrame({
    "id": [f"p{k}" for k in range(24)], "arm": ["a", "b"] * 12, "x": [float(k * 5 % 7) for k in range(24)],
    "y": [float(k * 3 % 11) for k in range(24)], "event": [k % 3 % 2 for k in range(24)], "same": [1.0] * 24,
    "zero": [0] * 24, "time": [float(1 + k * 7 % 13) for k in range(24)],
})  # fmt: skip


def plan(**what):
    return plan_of({**PLAN, **what})


def one(**what):
    return plan(analyses=[{**ONE, **what}])


def carried(made, frame=TABLE):
    return carry_out(made, ReadTable(frame=frame, sha256="0" * 64, source="t.csv"))


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ({"analyses": []}, "without analyses"),
        ({"analyses": [ONE, ONE]}, "named twice"),
        ({"analyses": [{**ONE, "role": "secondary"}]}, "0 primary"),
        ({"analyses": [ONE, {**ONE, "name": "other"}]}, "2 primary"),
        ({"analyses": [{**ONE, "role": "main"}]}, "role 'main'"),
        ({"analyses": [{**ONE, "endpoint": "survival"}]}, "endpoint 'survival' with this method"),
        ({"analyses": [{**ONE, "event": "event"}]}, "columns of events"),
        ({"analyses": [{**ONE, "endpoint": "survival", "method": "cox"}]}, "columns of events"),
        ({"analyses": [{**ONE, "covariates": ["y"]}]}, "outcome, arm or subject among the covariates"),
        ({"analyses": [{**ONE, "exposure": "time"}]}, "exposure with endpoint"),
        ({"analyses": [{**ONE, "method": {"kind": "guess"}}]}, "cannot be read"),
        ({"analyses": [{**ONE, "method": {"kind": "ancova", "varianz": "HC2"}}]}, "varianz"),
        ({"colour": "red"}, "colour"),
        ({"confidence": 0.2}, "confidence 0.2"),
        ({"data_cut": "2024-01-01"}, "without the column of dates"),
        ({"dialect": "medtwin-analysis-plan/2"}, "dialect"),
    ],
)
def test_plans_that_are_refused(what, found):
    with pytest.raises(AnalysisError, match=found):
        plan(**what)


@pytest.mark.parametrize("content", ["", "a: [", "- 1", "dialect: other/1", "dialect: medtwin-analysis-plan/1", "\x00"])
def test_files_that_are_no_plan(tmp_path, content):
    (tmp_path / "p.yaml").write_text(content)
    with pytest.raises(AnalysisError):
        read_plan(tmp_path / "p.yaml")
    with pytest.raises(AnalysisError, match="no readable file"):
        read_plan(tmp_path / "gone.yaml")


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=6)
NESTED = st.recursive(LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3))


@given(st.dictionaries(st.sampled_from([*PLAN, "labels", "where", "score", "strata"]), NESTED))
def test_any_yaml_is_a_plan_or_an_error(content):
    written = yaml.safe_load(yaml.safe_dump(content))
    with contextlib.suppress(AnalysisError):
        assert plan_of({**PLAN, **written}).analyses


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (one(outcome="z"), "no column"), (one(covariates=["z"]), "no column"), (one(where={"arm": "c"}), "no row with arm"),
        (one(where={"x": 99}), "no row with x"), (one(control="c"), "nobody in arm"), (one(treated=["c"]), "nobody in arm"),
        (one(outcome="id"), "words or dates"), (one(method={"kind": "ancova", "variance": "HC9"}), "HC9"),
        (one(endpoint="binary", method="g-computation"), "0 and 1|logistic"),
        (one(endpoint="binary", outcome="zero", method="g-computation"), "."),
        (one(endpoint="survival", outcome="time", event="zero", method="cox"), "event"),
        (one(endpoint="survival", outcome="time", event="event", method={"kind": "survival"}), "neither times nor tau"),
        (one(endpoint="survival", outcome="time", event="event", method={"kind": "survival", "times": [99]}), "follow"),
        (one(endpoint="repeated", method={"kind": "mmrm", "visit": "v"}), "v"),
        (one(method={"kind": "weighted", "weights": "magic"}), "magic"),
        (one(method={"kind": "weighted", "weights": "ATT"}), "no covariate"),
        (one(method={"kind": "borrowed", "prior": "map"}), "history"),
        (one(method={"kind": "borrowed", "prior": "power", "external": ["a"]}), "its own history"),
        (one(method={"kind": "maic", "targets": {"x": {"mode": 1.0}}}), "targets"),
    ],
)  # fmt: skip
def test_what_one_analysis_cannot_do_is_its_own_failure(made, found):
    result = carried(made).results[0]
    assert result.analysis is None
    assert re.search(found, result.failure), result.failure


@pytest.mark.parametrize(
    "method",
    [
        {"kind": "imputed", "visit": "v", "seed": -1}, {"kind": "imputed", "visit": "v", "sets": 1},
        {"kind": "weighted", "weights": "matching", "caliper": float("nan")},
        {"kind": "weighted", "weights": "matching", "caliper": -1.0},
        {"kind": "borrowed", "prior": "power", "discount": float("inf"), "history": [{"patients": 3}]},
    ],
)  # fmt: skip
def test_options_that_mean_nothing(method):
    endpoint = "repeated" if method["kind"] == "imputed" else "continuous"
    with pytest.raises(AnalysisError):
        one(endpoint=endpoint, method=method)


ESTIMAND = {
    "treatment": {"treated": ["b"], "control": "a"}, "population": {"description": "all"},
    "variable": {"name": "y", "kind": "continuous"}, "events": [], "summary": "difference in means",
}  # fmt: skip


@pytest.mark.parametrize(
    ("estimand", "found"),
    [
        ({"treatment": {"treated": ["b"], "control": "c"}}, "control 'a'"),
        ({"variable": {"name": "y", "kind": "binary"}, "summary": "risk difference"}, "endpoint continuous"),
        ({"otherwise": "JR"}, "which imputes nothing"),
        ({"events": [{"name": "left", "handling": "treatment policy", "imputation": "JR"}]}, "which imputes nothing"),
    ],
)
def test_the_primary_analysis_answers_the_estimand(estimand, found):
    assert plan(estimand=ESTIMAND).estimand is not None
    with pytest.raises(AnalysisError, match=found):
        plan(estimand={**ESTIMAND, **estimand})


def test_the_summary_is_that_of_the_method():
    binary = {**ESTIMAND, "variable": {"name": "y", "kind": "binary"}, "summary": "odds ratio"}
    asked = {**ONE, "endpoint": "binary", "outcome": "event"}
    with pytest.raises(AnalysisError, match="a risk difference"):
        plan(estimand=binary, analyses=[{**asked, "method": "g-computation"}])
    plan(estimand=binary, analyses=[{**asked, "method": {"kind": "g-computation", "measures": ["odds ratio"]}}])
    times = {**ESTIMAND, "variable": {"name": "y", "kind": "time to event"}, "summary": "hazard ratio"}
    asked = {**ONE, "endpoint": "survival", "outcome": "time", "event": "event"}
    plan(estimand=times, analyses=[{**asked, "method": "log-rank"}])
    with pytest.raises(AnalysisError, match="difference in survival"):
        plan(estimand=times, analyses=[{**asked, "method": {"kind": "survival", "times": [5]}}])


def test_what_is_imputed_cannot_be_refused():
    with pytest.raises(AnalysisError, match="this method imputes"):
        one(endpoint="binary", missing_outcome="refuse", method="imputed-binary")


def test_a_patient_in_two_arms_is_refused():
    frame = pl.concat([TABLE, TABLE.head(1).with_columns(arm=pl.lit("b"))])
    with pytest.raises(AnalysisError, match="1 patients in more than one arm"):
        carried(one(), frame)


@pytest.mark.parametrize("file", ["/etc/passwd", "../score.json", "a/../../b.json"])
def test_a_score_lies_beside_its_plan(file):
    with pytest.raises(AnalysisError, match="a file beside the plan"):
        carried(plan(score={"file": file}))


def test_the_worth_of_the_score_is_that_of_the_primary_rows():
    other = TABLE.with_columns(id=pl.col("id") + "x", part=pl.lit("b"), y=-TABLE["x"] * 9)
    both = pl.concat([TABLE.with_columns(part=pl.lit("a"), score=pl.col("x")), other.with_columns(score=pl.col("x")).select(
        *TABLE.columns, "part", "score")])  # fmt: skip
    made = plan(score={"column": "score", "baseline": "time"}, analyses=[{**ONE, "where": {"part": "a"}}])
    found = carried(made, both).historical["R2 in the trial, by arm"]
    assert {arm: row["patients"] for arm, row in found.items()} == {"a": 12.0, "b": 12.0}
    mine = TABLE.filter(pl.col("arm") == "a")
    assert found["a"]["R2 of the score"] == pytest.approx(np.corrcoef(mine["x"], mine["y"])[0, 1] ** 2)


def test_the_others_go_on():
    lost = {**ONE, "name": "lost", "role": "secondary", "outcome": "nowhere"}
    made = plan(analyses=[ONE, lost, {**ONE, "name": "kept", "role": "sensitivity"}])
    done = carried(made)
    assert [bool(one.failure) for one in done.results] == [False, True, False]


def test_a_constant_covariate_is_named_in_a_note():
    result = carried(one(covariates=["same", "x"])).results[0]
    assert "covariate same is the same for every patient" in " ".join(result.analysis.notes)


@pytest.mark.parametrize(
    ("what", "frame", "found"),
    [
        ({"subject": "nobody"}, TABLE, "no column 'nobody'"), ({"arm": "leg"}, TABLE, "no column 'leg'"),
        ({}, TABLE.with_columns(id=pl.lit(None, dtype=pl.String)), "rows without 'id'"),
        ({"where": {"x": 99}}, TABLE, "no row with x"),
        ({"dated": "x", "data_cut": "2024-01-01"}, TABLE, "without dates"),
        ({"score": {}}, TABLE, "no column 'prognostic_score'"), ({"score": {"file": "no.json"}}, TABLE, "no score 'no.json'"),
    ],
)  # fmt: skip
def test_what_nothing_can_be_analysed_without(what, frame, found):
    with pytest.raises(AnalysisError, match=found):
        carried(plan(**what), frame)


def test_a_patient_twice_is_refused():
    result = carried(one(), pl.concat([TABLE, TABLE.head(1)])).results[0]
    assert "row already" in result.failure


def test_labels_numbers_and_truths_of_the_arm():
    frame = TABLE.with_columns(arm=(pl.col("arm") == "b").cast(pl.Float64))
    made = plan(control=0, labels={0: "off", "1": "on"})
    assert carried(made, frame).results[0].analysis.estimates[0].name == "on - off"
    truths = plan(control=False)
    assert (
        carried(truths, frame.with_columns(arm=pl.col("arm") == 1.0)).results[0].analysis.estimates[0].name
        == "true - false"
    )
