"""The tutorial's way through a trial: example, score, plan, lock, analysis, report, deviation, amendment."""

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from cli.conftest import Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("trial_home"))


@pytest.fixture(scope="module")
def study(run, tmp_path_factory):
    """The example with its frozen score."""
    folder = tmp_path_factory.mktemp("trial") / "study"
    files = run.json("trial", "example", folder)
    assert files["synthetic"] is True
    assert len(files["files"]) == 9
    run(
        "trial",
        "score",
        "train",
        folder / "historical.csv",
        "--spec",
        folder / "score.yaml",
        "--out",
        folder / "score.json",
    )
    return folder


def test_the_example_is_not_written_over(run, study):
    assert "files that are there already" in run("trial", "example", study, code=1).stderr


def test_the_same_seed_gives_the_same_files(run, study, tmp_path):
    run("trial", "example", tmp_path / "again")
    for name in ("trial.csv", "historical.csv", "visits.csv", "truth.json"):
        assert (tmp_path / "again" / name).read_bytes() == (study / name).read_bytes()
    run("trial", "example", tmp_path / "other", "--seed", 2)
    assert (tmp_path / "other" / "trial.csv").read_bytes() != (study / "trial.csv").read_bytes()


def test_not_locked_locked_deviating_amended(run, study, tmp_path):
    plan = study / "plan.yaml"
    loose = run.json("trial", "analyse", study / "trial.csv", "--plan", plan)
    assert loose["locked"] is False
    assert loose["synthetic"] is True
    locked = run.json("trial", "lock", plan)
    assert len(locked["sha256"]) == 64
    assert "a lock that is there already" in run("trial", "lock", plan, code=1).stderr
    told = run("trial", "analyse", study / "trial.csv", "--plan", plan, "--report", tmp_path / "report")
    assert "SYNTHETIC" in told.stderr
    assert "as locked at" in told.stderr
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {
        "report.html",
        "report.pdf",
        "report.json",
        "report.ars.json",
        "report.ard.csv",
        "report.ard.parquet",
    }
    page = (tmp_path / "report" / "report.html").read_text()
    assert locked["sha256"] in page
    assert "partial R2" in page
    truth = json.loads((study / "truth.json").read_text())
    primary = loose["results"][0]["analysis"]["estimates"][0]
    effect = truth["effect on the CD4 count at week 20, mean over the trial's patients, cells/mm3"]
    assert abs(primary["value"] - effect) < 3.0 * primary["standard_error"]
    text = plan.read_text()
    try:
        plan.write_text(text.replace("variance: HC2", "variance: HC3"))
        other = run.json("trial", "analyse", study / "trial.csv", "--plan", plan)
        assert [one["words"] for one in other["deviations"]] == [
            'analyses.primary.method.variance was locked as "HC2" and is "HC3".'
        ]
        run("trial", "lock", plan, "--amend", "the statistician asked for it")
        assert run.json("trial", "analyse", study / "trial.csv", "--plan", plan)["deviations"] == []
    finally:
        plan.write_text(text)
        plan.with_name("plan.lock.json").unlink()


def test_the_primary_analysis_fails_loudly(run, study, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text((study / "plan_visits.yaml").read_text().replace("visit: visit", "visit: nowhere"))
    result = run("trial", "analyse", study / "visits.csv", "--plan", plan, code=1)
    assert "the primary analysis could not be made" in result.stderr
    assert "FAILED" in result.stdout


def test_visits(run, study):
    done = run.json("trial", "analyse", study / "visits.csv", "--plan", study / "plan_visits.yaml")
    by_name = {one["name"]: one for one in done["results"]}
    assert by_name["all visits"]["analysis"]["estimates"][0]["name"] == "combination - monotherapy at week 48"
    assert by_name["jump to reference"]["tipping"]


@pytest.mark.parametrize("name", ["trial", "visits"])
def test_the_example_is_labelled_synthetic(study, name):
    assert "SYNTHETIC" in (study / "README.txt").read_text()
    assert "synthetic: true" in (study / f"plan{'_visits' if name == 'visits' else ''}.yaml").read_text()


def test_every_command_of_the_tutorial_works_in_its_order(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/tutorial-trials.md").read_text()
    lines = re.findall(r"^    medtwin (.*)$", text, re.MULTILINE)
    assert len(lines) > 8
    for line in lines:
        run(*shlex.split(line))
    assert (tmp_path / "study/report/report.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "study/report_visits/report.html").exists()
    [code] = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "tutorial", "exec"), {})
    assert said.getvalue().count("\n") == 2
