"""medtwin glucose report and medtwin glucose grid."""

import json
import os
import subprocess
import sys


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
    assert "These numbers may not speak for the person" in shown.stdout
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


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
