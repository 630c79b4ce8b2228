"""medtwin coronary: tables for people, JSON for programs, errors that tell the way out."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medtwin.cli.main import app

TREE = {
    "dialect": "medtwin-vessel-tree/1", "label": "one lesion", "synthetic": True, "aortic_pressure_mmhg": 93,
    "segments": [
        {"name": "LAD", "parent": None, "arc_length_mm": [0, 10, 14, 18, 60], "radius_mm": [1.8, 1.8, 0.9, 1.8, 1.8],
         "reference_radius_mm": 1.8}
    ],
}  # fmt: skip


@pytest.fixture
def coronary(tmp_path):
    path = tmp_path / "tree.json"
    path.write_text(json.dumps(TREE))

    def run(verb, *arguments, code=0):
        line = ["coronary", verb, str(path), "--samples", "100", *arguments]
        result = CliRunner().invoke(app, line, env={"COLUMNS": "160"})
        assert result.exit_code == code, f"{result.stdout}{result.stderr}{result.exception!r}"
        return result

    return run


def test_flow(coronary):
    said = json.loads(coronary("flow", "--mass", "60", "--json").stdout)
    assert said["schema"] == "medtwin/coronary-flow/1"
    assert said["synthetic"] is True
    (segment,), (lesion,) = said["segments"], said["lesions"]
    assert len(segment["ffr"]) == 5
    assert segment["ffr_low"][-1] < segment["ffr"][-1] < segment["ffr_high"][-1]
    assert lesion["diameter_stenosis"] == pytest.approx(50.0)
    assert said["outlets"]["LAD"]["median"] == pytest.approx(segment["ffr"][-1])
    shown = coronary("flow", "--mass", "60")
    assert "(SYNTHETIC DATA)" in shown.stdout
    assert "chance of 0.80 or less" in shown.stdout
    assert "It would narrow most by" in shown.stdout
    assert "Research output" in shown.stderr


def test_plan(coronary):
    said = json.loads(coronary("plan", "--mass", "60", "--json").stdout)
    assert [one["words"] for one in said["options"]] == ["no stent", "LAD 8 to 20 mm"]
    assert said["options"][1]["gain"]["median"] > 0
    assert "best of as many stents" in coronary("plan", "--mass", "60", "--stent", "LAD:11-17:3.5").stdout


def test_the_example_of_the_documentation_runs(tmp_path):
    text = (Path(__file__).resolve().parents[2] / "docs/coronary.md").read_text()
    path = tmp_path / "tree.json"
    path.write_text(text.split("```json\n")[1].split("```")[0])
    made = CliRunner().invoke(app, ["coronary", "flow", str(path), "--json"])
    assert json.loads(made.stdout)["lowest"] == "LAD"


def test_the_pressure_of_the_record_is_taken_where_the_tree_states_none(run, tmp_path):
    run("state", "anna", "body_weight", "70 kg")
    path = tmp_path / "tree.json"
    path.write_text(json.dumps({key: value for key, value in TREE.items() if key != "aortic_pressure_mmhg"}))
    line = ["coronary", "flow", path, "--mass", "60", "--samples", "100", "--patient", "anna"]
    assert "no blood pressure within 180 days" in run(*line, code=1).stderr
    now = datetime.now(UTC).isoformat(timespec="minutes")
    run("state", "anna", "systolic_pressure", "121 mm[Hg]", "--at", now)
    run("state", "anna", "diastolic_pressure", "79 mm[Hg]", "--at", now)
    assert "93 mmHg" in run(*line).stderr


def test_what_is_missing_is_said_with_the_way_out(coronary):
    assert "--mass GRAMS" in coronary("flow", code=1).stderr
    assert "within 0 to 60 mm" in coronary("plan", "--mass", "60", "--stent", "LAD:50-70", code=1).stderr
    assert "no segment 'RCA'" in coronary("plan", "--mass", "60", "--stent", "RCA:5-7", code=1).stderr
