"""medtwin glucose report and medtwin glucose grid."""

import json
import os
import subprocess
import sys

from cli import files


def test_report(anna, tmp_path):
    said = json.loads(anna("glucose", "report", "anna", "--days", "4", "--json", "--out", tmp_path / "a.html").stdout)
    assert said["schema"] == "medtwin/glucose-report/1"
    assert said["patient"] == "anna"
    assert said["enough_data"] is False
    assert said["zone"] == "Europe/London"
    assert said["period"]["readings"] == 4 * 288
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    shown = anna("glucose", "report", "anna", "--out", tmp_path / "a.pdf")
    assert "in range, 70-180 mg/dL" in shown.stdout
    assert "2026-02-19 00:00 to 2026-03-05 00:00 (Europe/London)" in shown.stdout
    assert "research output" in shown.stderr
    high = [one for one in said["period"]["episode_list"] if one["kind"] == "hyper_1"]
    assert len(high) == said["period"]["episodes"]["hyper_1"]["count"]
    assert "These numbers may not speak for the person" in shown.stdout
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_report_goes_into_a_folder_that_is_not_there_yet(anna, tmp_path):
    shown = anna("glucose", "report", "anna", "--out", tmp_path / "new" / "a.html")
    assert (tmp_path / "new" / "a.html").is_file()
    assert "wrote " in shown.stderr


def test_readings_that_are_all_implausible_advise_a_unit(run, tmp_path):
    """5.4 mmol/L read as mg/dL: flagged, left out, and what to do is said."""
    mapping = tmp_path / "map.yaml"
    mapping.write_text(files.MAPPING)
    rows = [
        f"2026-03-01 {hour:02d}:{minute:02d},{5.4 + minute / 100:.1f}"
        for hour in range(6)
        for minute in range(0, 60, 5)
    ]
    (tmp_path / "g.csv").write_text("\n".join(["when,glucose", *rows]) + "\n")
    run("ingest", tmp_path / "g.csv", "--patient", "cy", "--mapping", mapping)
    said = run("glucose", "report", "cy", code=1).stderr
    assert "72 readings in the 14 days" in said
    assert "--patient cy --unit glucose=mmol/L" in said
    run("ingest", tmp_path / "g.csv", "--patient", "cy", "--mapping", mapping, "--unit", "glucose=mmol/L")
    assert run("glucose", "report", "cy").exit_code == 0


def test_the_report_needs_no_jax():
    """The command must answer at once, and JAX takes two seconds to import."""
    code = "import sys, medtwin.applications.glucose_report.write as w; sys.exit('jax' in sys.modules)"
    path = os.pathsep.join(sys.path)
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}).returncode == 0


def test_report_of_another_time(anna):
    said = json.loads(anna("glucose", "report", "anna", "--days", "1", "--until", "2026-03-03T00:00", "--json").stdout)
    assert said["period"]["readings"] == 288
    assert said["period_before"]["readings"] == 288
    assert said["changes"] == {}  # of one day there is no spread
    anna("glucose", "report", "anna", "--until", "2020-01-01", code=1)
    anna("glucose", "report", "anna", "--out", "a.txt", code=2)


def test_grid(run, tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("reference,estimate,unit\n100,105,mg/dL\n3.0,10.5,mmol/L\n")
    said = json.loads(run("glucose", "grid", path, "--json").stdout)
    assert said["pairs"] == 2
    assert said["grids"]["clarke"]["A"] == {"pairs": 1, "percent": 50.0}
    assert said["grids"]["clarke"]["E"]["pairs"] == 1
    assert "Parkes, type 2" in run("glucose", "grid", path).stdout
    path.write_text("reference,estimate\n1,2\n")
    assert "no column unit" in run("glucose", "grid", path, code=1).stderr


def test_doses(anna):
    said = json.loads(
        anna("glucose", "doses", "anna", "--carbs", "40", "--units", "0,2,9", "--in", "10m", "--json").stdout
    )
    assert said["schema"] == "medtwin/glucose-doses/1"
    assert [one["units"] for one in said["options"]] == [0.0, 2.0, 9.0]
    lowest = [one["lowest"][1] for one in said["options"]]
    assert lowest == sorted(lowest, reverse=True)
    assert said["limit"] == {"below_70": 0.05, "below_54": 0.01}
    named = [one for one in said["options"] if one["units"] == said["named_U"]]
    assert all(one["within"] for one in named)
    assert (said["synthetic"], said["research_only"]) == (False, True)
    shown = anna("glucose", "doses", "anna", "--carbs", "40", "--units", "2", "--hours", "2")
    assert "no dose is named" in shown.stdout
    assert "dose in 0m, 2 h ahead" in shown.stdout
    other = anna("glucose", "doses", "anna", "--carbs", "40", "--units", "2", "--hours", "2", "--unit", "mmol/L").stdout
    assert "< 3.9" in other
    assert "Glucose in 2 h, mmol/L" in other
    assert "SYNTHETIC" not in shown.stdout
    assert "not a prescription" in shown.stderr
    anna("glucose", "doses", "anna", "--units", "two", code=1)
    anna("glucose", "doses", "anna", "--units", "nan", code=1)
    anna("glucose", "doses", "anna", "--units", "2", "--bolus-in", "soon", code=1)


def test_doses_for_a_made_up_person_are_labelled(anna, monkeypatch):
    monkeypatch.setattr("medtwin.cli.glucose.is_synthetic", lambda store, grant, patient: patient == "anna")
    asked = ("glucose", "doses", "anna", "--units", "2", "--hours", "2")
    assert json.loads(anna(*asked, "--json").stdout)["synthetic"] is True
    assert "anna: doses of rapid insulin (SYNTHETIC DATA)" in anna(*asked).stdout


def test_review_asks_for_a_week(anna):
    failed = anna("glucose", "review", "anna", code=1)
    assert "at least 7" in failed.stderr
    anna("glucose", "review", "anna", "--out", "a.txt", code=2)
