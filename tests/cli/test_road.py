"""medtwin road."""

from datetime import UTC, datetime, timedelta

import pytest


@pytest.mark.slow
def test_road(run, tmp_path):
    plain = tmp_path / "plan.yaml"
    plain.write_text("intake: -300\ntaking: [metformin 2000 mg daily]\n")
    recently = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    run("state", "eva", "body_weight", "98 kg", "--at", recently)
    run("road", "eva", code=1)  # no HbA1c
    run("state", "eva", "hba1c", "7.4 %", "--at", recently)
    run("road", "eva", "--start", "aspirin 100 mg daily", code=1)
    both = ("--plan", plain, "--taking", "glimepiride 4 mg daily", "--step-down")
    said = run.json("road", "eva", "--months", "3", *both, "--out", tmp_path / "road.html")
    assert said["taking"]["metformin"] == {"mg": 2000.0, "every_days": 1}
    assert said["planned"]["weight"][1][-1] < said["as_now"]["weight"][1][-1]
    assert said["planned"]["withheld"] is None
    assert said["planned"]["hba1c"][1][-1] < said["as_now"]["hba1c"][1][-1]
    assert 0 <= said["planned"]["chance_interval"][0] <= said["planned"]["chance"] <= 1
    assert said["planned"]["direct_trial"]["people"] == 89
    ranked = said["step_down"]
    assert {step["stopped"] for step in ranked["steps"]} == {"metformin", "glimepiride"}
    middles = [step["hba1c"][1] for step in ranked["steps"]]  # ranked by the rise of HbA1c without each
    assert middles == sorted(middles)
    assert ranked["kept"]["hba1c"][1] <= middles[0]
    shown = (tmp_path / "road.html").read_text()
    assert shown.startswith("<!doctype html>")
    assert "Which drug to stop first" in shown
