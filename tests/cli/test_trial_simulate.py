"""trial simulate."""

import xml.etree.ElementTree as ElementTree

import pytest

SCENARIO = """dialect: medtwin-trial-scenario/1
title: A small trial
n_control: 20
n_treated: 40
effect: 0.8
correlation: 0.5
looks: [0.5, 1]
analyses: [{method: ancova}, {method: ancova, adjust: none, variance: classical}]
"""
GRID = """dialect: medtwin-trial-grid/1
base: {endpoint: survival, n_control: 30, n_treated: 30, hazard_control: 0.1, accrual: 6, followup: 12}
vary: {hazard_ratio: [0.5, 1.0], correlation: [0.0, 0.5]}
analyses: [{method: logrank}, {method: kaplan-meier, tau: 10}]
trials: 300
"""


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    return path


def test_a_scenario(run, scenario, tmp_path):
    figure = tmp_path / "figure.svg"
    said = run("trial", "simulate", scenario, "--trials", 400, "--figure", figure)
    for words in ("A small trial", "Monte Carlo", "classical", "rejected", "ends at look"):
        assert words in " ".join(said.stdout.split())
    assert ElementTree.parse(figure).getroot().tag.endswith("svg")


def test_the_document(run, scenario):
    said = run.json("trial", "simulate", scenario, "--trials", 400, "--seed", 3)
    assert said["seed"] == 3
    first, second = said["results"]
    assert first["analysis"].startswith("ANCOVA I, HC2")
    assert first["trials"] == 400
    assert first["rejection"]["value"] > second["rejection"]["value"]
    assert 0.0 < first["rejection"]["error"] < 0.03
    assert sum(first["stopping"]) == pytest.approx(1.0)
    assert run.json("trial", "simulate", scenario, "--trials", 400, "--seed", 3, "--processes", 1) == said


def test_a_grid(run, tmp_path):
    path, store, figure = tmp_path / "grid.yaml", tmp_path / "done.jsonl", tmp_path / "figure.svg"
    path.write_text(GRID)
    said = run.json("trial", "simulate", "--grid", path, "--store", store, "--processes", 1, "--figure", figure)
    assert len(said["cells"]) == 4
    assert said["cells"][0]["varied"] == {"hazard_ratio": 0.5, "correlation": 0.0}
    assert len(store.read_text().splitlines()) == 5  # what it is, and four cells
    again = run("trial", "simulate", "--grid", path, "--store", store, "--processes", 1)
    assert "4 cells of 300 trials" in again.stdout
    assert ElementTree.parse(figure).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("text", "words"),
    [("n_control: 3", "dialect"), (SCENARIO.replace("n_control", "n_contrl"), "n_contrl"), (SCENARIO + "  - [", "YAML"),
     (SCENARIO.replace("ancova", "anova"), "one of")],
)  # fmt: skip
def test_bad_files(run, tmp_path, text, words):
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    said = run("trial", "simulate", path, code=1)
    assert words in said.stderr


def test_one_of_the_two(run, scenario):
    assert "grid" in run("trial", "simulate", code=2).stderr
    run("trial", "simulate", scenario, "--grid", scenario, code=2)
