"""trial fair."""

import numpy as np
import polars as pl
import pytest

from trials.fair import simulated

ASKED = ["--outcome", "y", "--prediction", "p", "--groups", "group", "--draws", 20]


@pytest.fixture
def scored(tmp_path):
    path = tmp_path / "scored.csv"
    pl.DataFrame(simulated.binary(np.random.default_rng(1), 900, shift=0.9)).write_csv(path)
    return path


def test_a_score_is_reported(run, scored):
    said = run("trial", "fair", scored, *ASKED, "--threshold", "0.3")
    for word in ("everybody", "group b", "slope", "AUC", "coverage", "differs from the other groups"):
        assert word in said.stdout
    assert "no rates" not in said.stderr
    assert "by all others" in said.stderr


def test_the_document(run, scored):
    said = run.json("trial", "fair", scored, *ASKED, "--threshold", "0.3,0.5")
    assert len(said["sha256"]) == 64
    assert said["kind"] == "binary"
    row = next(row for row in said["groups"] if row["level"] == "b")
    assert {"AUC", "calibration slope", "true positive rate at 0.5"} <= {number["name"] for number in row["numbers"]}
    assert all(number["method"] for number in row["numbers"])
    assert said["decision_curves"][0]["thresholds"][0] == 0.05
    assert any(flag["kind"] == "difference" and flag["words"] for flag in said["flags"])
    assert {d["threshold"] for d in said["disparities"]} == {0.3, 0.5}


def test_every_option(run, tmp_path):
    data = simulated.continuous(np.random.default_rng(2), 300) | {"age": np.linspace(20, 80, 300)}
    path, target, margins = tmp_path / "t.parquet", tmp_path / "target.csv", tmp_path / "margins.yaml"
    pl.DataFrame(data).write_parquet(path)
    pl.DataFrame({"age": np.linspace(40, 90, 200)}).write_csv(target)
    margins.write_text("age: {mean: 60, sd: 12}\n")
    asked = [
        "trial", "fair", path, "--outcome", "y", "--prediction", "p", "--groups", "group,age", "--bands", "age=40,65",
        "--baseline", "y0", "--treatment", "arm", "--control", 0, "--subject", "subject", "--covariates", "age", "--draws", 0,
    ]  # fmt: skip
    for population in (target, margins):
        said = run.json(*asked, "--target", population)
        assert said["representativeness"]["rows"][0]["name"] == "age"
        assert "partial correlation beyond baseline" in {n["name"] for n in said["groups"][0]["numbers"]}
    assert "40 to below 65" in {row["level"] for row in said["groups"]}
    assert "against published" in run(*asked, "--target", margins).stdout


def test_faults_are_sentences(run, scored, tmp_path):
    assert "no column" in run("trial", "fair", scored, *ASKED[:4], "--groups", "sex", code=1).stderr
    assert "numbers with commas" in run("trial", "fair", scored, *ASKED, "--threshold", "x", code=2).stderr
    other = tmp_path / "scored.xyz"
    other.write_text("1")
    assert "found" in run("trial", "fair", other, *ASKED, code=1).stderr
