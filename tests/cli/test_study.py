"""evaluate, check-model, quantities."""

import pytest


def test_evaluate_scores_beside_baselines(anna, tmp_path):
    page = tmp_path / "page.md"
    said = anna.json("evaluate", "anna", "--horizons", "30m", "--train", 0.6, "--markdown", page)
    (result,) = said["results"]
    assert (result["patient"], result["horizon_minutes"], result["physiological"]) == ("anna", 30.0, True)
    methods = {score["method"]: score for score in result["scores"]}
    assert set(methods) == {"medtwin", "statistical", "ridge", "persistence"}
    assert len({score["n"] for score in methods.values()}) == 1
    assert methods["medtwin"]["rmse"] < methods["persistence"]["rmse"]
    assert "| anna | medtwin |" in page.read_text()
    assert "in 90 %" in anna("evaluate", "anna", "--horizons", "30m", "--train", 0.6).stdout


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (["--train", "1.5"], "a training share of 1.5"),
        (["--horizons", "9h"], "a horizon"),
        (["--horizons", "soon"], "the time span"),
        (["--quantity", "glucse"], "glucose"),
        (["--quantity", "heart_rate"], "0 readings of heart_rate"),
    ],
)
def test_evaluate_refuses_what_makes_no_sense(anna, more, found):
    assert found in anna("evaluate", "anna", *more, code=1).stderr


def test_quantities_are_listed(run):
    said = run.json("quantities", "glucose", "insulin_bolus")
    assert [q["unit"] for q in said["quantities"]] == ["mg/dL", "[iU]"]
    assert "LOINC" in said["notice"]
    assert {q["kind"] for q in run.json("quantities", "--kind", "rate")["quantities"]} == {"rate"}
    assert "near" not in run("quantities").stdout
    assert "glucose" in run("quantities", "glucse", code=1).stderr
    run("quantities", "--kind", "colour", code=2)


MODEL = '''
"""A model of nothing that keeps its contract badly."""
from medtwin.physiology.body_weight import BodyWeight


class Undocumented(BodyWeight):
    name = "undocumented"
    observes = ("body_weight", "unheard_of")
'''


def test_a_broken_model_is_told_what_is_wrong(run, tmp_path):
    (tmp_path / "mine.py").write_text(MODEL)
    said = run.json("check-model", f"{tmp_path / 'mine.py'}:Undocumented", code=1)
    assert not said["passed"]
    assert "failed" in {check["verdict"] for check in said["models"][0]["checks"]}
    assert "no model at" in run("check-model", f"{tmp_path / 'mine.py'}:Nothing", code=1).stderr
    assert "body_weight" in run("check-model", "nothing", code=1).stderr


@pytest.mark.slow
def test_a_shipped_model_passes(run):
    said = run.json("check-model", "body_weight")
    assert said["passed"]
    assert said["models"][0]["model"] == "body_weight"
