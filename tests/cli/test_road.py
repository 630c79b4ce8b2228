"""medtwin road."""

from datetime import UTC, datetime, timedelta


def test_road(run, tmp_path):
    plain = tmp_path / "plan.yaml"
    plain.write_text("intake: -300\ntaking: [metformin 2000 mg daily]\n")
    recently = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    run("state", "eva", "body_weight", "98 kg", "--at", recently)
    run("road", "eva", code=1)  # no HbA1c
    run("state", "eva", "hba1c", "7.4 %", "--at", recently)
    run("road", "eva", "--start", "aspirin 100 mg daily", code=1)
    said = run.json("road", "eva", "--months", "3", "--plan", plain, "--out", tmp_path / "road.html")
    assert said["taking"] == {"metformin": {"mg": 2000.0, "every_days": 1}}
    assert said["planned"]["weight"][1][-1] < said["as_now"]["weight"][1][-1]
    assert said["planned"]["withheld"] is None
    assert said["planned"]["hba1c"][1][-1] < said["as_now"]["hba1c"][1][-1]
    assert 0 <= said["planned"]["chance_interval"][0] <= said["planned"]["chance"] <= 1
    assert said["step_down"] is None
    assert said["planned"]["direct_trial"]["people"] == 89
    assert (tmp_path / "road.html").read_text().startswith("<!doctype html>")
    run("road", "eva", "--months", "3", "--plan", plain, "--step-down", code=1)  # one drug: no order
    both = ("--taking", "glimepiride 4 mg daily", "--months", "3", "--plan", plain, "--step-down")
    ranked = run.json("road", "eva", *both)["step_down"]
    assert {step["stopped"] for step in ranked["steps"]} == {"metformin", "glimepiride"}
    chances = [step["chances"][1] for step in ranked["steps"]]
    assert chances == sorted(chances, reverse=True)
    assert ranked["kept"]["chances"][1] >= chances[0]
