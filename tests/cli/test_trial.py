"""trial plan."""

import xml.etree.ElementTree as ElementTree

import pytest

BASE = ["trial", "plan", "--endpoint", "continuous", "--effect", 0.3, "--sd", 1]


def test_a_trial_is_planned(run, tmp_path):
    figure, text = tmp_path / "power.svg", tmp_path / "plan.txt"
    said = run(*BASE, "--correlation", 0.5, "--looks", "0.5,1", "--figure", figure, "--text", text)
    assert "178 control and 178 treated patients: power 90" in said.stdout
    for word in ("Guenther-Schouten", "exact, quadrature", "controls saved at equal power", "total N saved", "2.9626"):
        assert word in said.stdout
    assert "savings are against no adjustment" in said.stderr
    assert ElementTree.parse(figure).getroot().tag.endswith("svg")
    assert "Interim analyses" in text.read_text()


def test_the_document(run):
    said = run.json("trial", "plan", *BASE[2:], "--correlation", 0.5)
    assert (said["n_control"], said["n_treated"]) == (177, 177)
    assert said["plan"]["correlation"] == 0.5
    assert {row["method"] for row in said["methods"]} >= {"Guenther-Schouten", "asymptotic normal"}
    assert all(number["method"] for number in said["numbers"])
    assert said["figures"][0]["curves"][0]["name"] == "with score"
    assert said["text"].startswith("Sample size")


@pytest.mark.parametrize(
    "more",
    [
        ["--endpoint", "binary", "--risk-control", 0.3, "--risk-treated", 0.45, "--scale", "odds-ratio"],
        ["--endpoint", "count", "--rate-control", 1.2, "--ratio", 0.7, "--dispersion", 0.6],
        ["--endpoint", "survival", "--ratio", 0.7, "--median-control", 12, "--accrual", 12, "--followup", 12],
        ["--endpoint", "repeated", "--effect", 3, "--sds", "8,9", "--visit-correlation", 0.7, "--retention", "1,0.9"],
    ],
)
def test_every_endpoint(run, more):
    assert 0.9 <= run.json("trial", "plan", *more)["power"] < 0.93


def test_options_replace_what_the_file_says(run, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("dialect: medtwin-trial-plan/1\nendpoint: continuous\neffect: 0.3\nsd: 1\ncorrelation: 0.5\n")
    assert run.json("trial", "plan", path)["n_control"] == 177
    assert run.json("trial", "plan", path, "--power", 0.8)["n_control"] < 140
    path.write_text("endpoint: continuous\n")
    assert "a file that is not a plan" in run("trial", "plan", path, code=1).stderr


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ([], "no endpoint"),
        (["--endpoint", "continuous"], "no effect, sd"),
        ([*BASE[2:], "--correlation", 1.0], "correlation 1"),
        ([*BASE[2:], "--power", 0.05], "power 0.05"),
        ([*BASE[2:], "--looks", "0.5,0.2,1"], "information rates"),
        ([*BASE[2:], "--risk-control", 0.5], "risk_control with endpoint continuous"),
        (["--endpoint", "count", "--rate-control", 0, "--ratio", 0.7], "a control rate of 0"),
    ],
)
def test_what_cannot_be_is_refused(run, more, found):
    assert found in run("trial", "plan", *more, code=1).stderr


def test_a_list_that_is_none_is_wrong_usage(run):
    run(*BASE, "--looks", "half", code=2)
