"""trial score: train, show, apply, drift."""

import json
import stat

import polars as pl
import pytest

from trials.score.simulated import patients

SPEC = """\
dialect: medtwin-score-specification/1
name: simulated
kind: linear
endpoint: continuous
outcome: y
covariates: [base, x, site]
baseline: base
cut: 2023-06-30
context:
  population: simulated adults
  endpoint: y
  time: week 12
  unit: points
  intended_use: covariate of the primary analysis
  not_for: care of a patient
"""


@pytest.fixture
def files(tmp_path):
    patients(200, 1).write_csv(tmp_path / "history.csv")
    patients(100, 2, arms=2).write_parquet(tmp_path / "trial.parquet")
    (tmp_path / "score.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def trained(run, files):
    run("trial", "score", "train", files / "history.csv", "--spec", files / "score.yaml", "--out", files / "score.json")
    return files


def document(run, *arguments):
    said = json.loads(run("trial", "score", *arguments, "--json").stdout)
    assert said["schema"] == f"medtwin/trial-score-{arguments[0]}/1"
    return said


def test_from_history_to_a_scored_trial(run, trained):
    shown = run("trial", "score", "show", trained / "score.json")
    for word in (
        "simulated, version 1",
        "beyond base",
        "care of a patient",
        "10-fold cross-validated",
        "cut 2023-06-30",
    ):
        assert word in " ".join(shown.stdout.split())
    said = document(
        run, "apply", trained / "score.json", trained / "trial.parquet", "--out", trained / "scored.csv", "--arm", "arm"
    )
    assert said["patients"] == 100
    assert said["unit"] == "points"
    assert said["leaks"]["findings"] == []
    scored = pl.read_csv(trained / "scored.csv")
    assert scored["score"].len() == 100
    assert document(run, "show", trained / "score.json")["sha256"] == said["sha256"]
    told = run(
        "trial", "score", "apply", trained / "score.json", trained / "trial.parquet", "--out", trained / "s.parquet"
    )
    assert "leaks not looked for" in told.stderr
    assert pl.read_parquet(trained / "s.parquet")["score"].to_list() == pytest.approx(scored["score"].to_list())


def test_a_score_that_saw_the_trial_ends_with_one(run, trained):
    apply = ("trial", "score", "apply", trained / "score.json")
    done = run(*apply, trained / "history.csv", "--out", trained / "s.csv", code=1)
    assert "saw the outcome" in done.stderr
    assert not (trained / "s.csv").exists()
    done = run(*apply, trained / "trial.parquet", "--out", trained / "s.csv", "--randomised", "2023-06-01", code=1)
    assert "2023-06-30" in done.stderr


def test_a_tampered_score_ends_with_one(run, trained):
    path = trained / "score.json"
    path.write_text(path.read_text().replace("simulated adults", "all adults"))
    assert "not that of its hash" in run("trial", "score", "show", path, code=1).stderr


def test_drift(run, trained):
    score, trial = trained / "score.json", trained / "trial.parquet"
    plain = run("trial", "score", "drift", score, trial)
    assert "No drift was flagged" in plain.stdout
    moved = pl.read_parquet(trial).with_columns(pl.col("base") + 1.0)
    moved.write_parquet(trained / "moved.parquet")
    more = ("--historical", trained / "history.csv", "--arm", "arm", "--control", "0")
    said = document(run, "drift", score, trained / "moved.parquet", *more)
    assert any(flag.startswith("base: difference") for flag in said["flags"])
    assert said["calibration"]["patients"] == 50
    assert "base: difference" in run("trial", "score", "drift", score, trained / "moved.parquet").stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\n", "is not a specification"),
        (SPEC + "more: 1\n", "more"),
        (SPEC.replace("linear", "magic"), "magic"),
        ("a: [", "not YAML"),
    ],
)
def test_a_specification_that_is_none(run, files, text, message):
    (files / "score.yaml").write_text(text)
    done = run(
        "trial",
        "score",
        "train",
        files / "history.csv",
        "--spec",
        files / "score.yaml",
        "--out",
        files / "s.json",
        code=1,
    )
    assert message in done.stderr
    assert not (files / "s.json").exists()


def test_measured_needs_both_names(run, trained):
    apply = ("trial", "score", "apply", trained / "score.json", trained / "trial.parquet", "--out", trained / "s.csv")
    assert "COLUMN=DATES" in run(*apply, "--measured", "base", code=2).stderr


@pytest.mark.slow
def test_forecasts_of_people_in_a_home(anna, tmp_path):
    newest = anna.json("show", "anna", "--as-of", "last")["at"]
    (tmp_path / "people.csv").write_text(f"patient,baseline\nanna,{newest}\nanna,2001-01-01T00:00:00+00:00\n")
    more = ("--quantity", "glucose", "--hours", 1, "--out", tmp_path / "made.csv")
    said = json.loads(anna("trial", "score", "forecasts", tmp_path / "people.csv", *more, "--json").stdout)
    assert (said["people"], said["without"]) == (2, 1)
    made = pl.read_csv(tmp_path / "made.csv")
    assert made["forecast"][0] > 0.0
    assert made["forecast"][1] is None
    assert made["forecast_withheld"][1]
    shown = anna("trial", "score", "forecasts", tmp_path / "people.csv", *more)
    assert "1 with a forecast of glucose 1 h after baseline" in shown.stdout
    assert "1 without" in shown.stderr


def test_no_input_is_written_over_and_every_file_is_private(run, trained):
    score, trial = trained / "score.json", trained / "trial.parquet"
    assert stat.S_IMODE(score.stat().st_mode) == 0o600
    before = {path: path.read_bytes() for path in (score, trial, trained / "history.csv")}
    for out, message in (
        (trial, "is the input"),
        (trained / "s.xlsx", ".csv or .parquet"),
        (score, ".csv or .parquet"),
    ):
        assert message in run("trial", "score", "apply", score, trial, "--out", out, code=1).stderr
    history = trained / "history.csv"
    spec = trained / "score.yaml"
    assert "is the input" in run("trial", "score", "train", history, "--spec", spec, "--out", history, code=1).stderr
    assert {path: path.read_bytes() for path in before} == before
    told = run("trial", "score", "train", "--help").stdout
    assert "prints" in told
    assert "keep_prints: false" in told
