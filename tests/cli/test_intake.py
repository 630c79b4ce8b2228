"""ingest, quarantine, replay, assign, state."""

import json

import pytest
from typer.testing import CliRunner

from cli import files
from cli.conftest import taken_in
from medtwin.cli.main import app
from medtwin.record.home import open_store
from sources.test_dexcom_clarity import row, table


def test_ingest_ends_with_a_table_per_source(run, tmp_path):
    glucose, given, mapping = files.write(tmp_path, days=0.25)
    done = run("ingest", glucose, given, "--patient", "anna", "--mapping", mapping)
    assert "diary" in done.stdout
    assert "Patients: anna" in done.stdout
    again = run.json("ingest", glucose, given, "--patient", "anna", "--mapping", mapping)
    (row,) = again["sources"]
    assert row["new"] == 0
    assert row["duplicate"] == row["read"] == 72 + 1
    assert again["exit_code"] == 0


@pytest.mark.parametrize("zones", [("", "Asia/Tokyo"), ("Asia/Tokyo", "")])
def test_an_export_read_again_with_its_zone_supersedes(run, tmp_path, zones):
    glucose, _, mapping = files.write(tmp_path, days=0.25)
    readings = table(row(glucose="103"), row(glucose="99").replace("05:06:07", "05:11:07"), person="")
    (tmp_path / "clarity.csv").write_bytes(readings)
    line = "ingest", tmp_path / "clarity.csv", glucose, "--patient", "anna", "--mapping", mapping
    for turn, zone in enumerate(zones):
        said = run.json(*line, *(["--timezone", zone] if zone else []))
        assert sum(source["new"] for source in said["sources"]) == 74
        assert sum(source["superseded"] for source in said["sources"]) == 74 * turn
    with open_store(run.home) as store:
        record = store.record("anna", store.issue_grant())
    assert len(record.history) == 148
    assert [event.time.zone for event in record.events] == ["Asia/Tokyo"] * 74
    assert f"{record.events[0].instant:%H:%M}" == "20:06"  # of the day before
    (latest,) = run.json("show", "anna", "--as-of", "2026-03-02T00:00Z")["latest"]
    assert latest["offset_known"]
    assert latest["time"].startswith("2026-02-28T20:55:00")


def test_what_is_not_stored_ends_with_one(run, tmp_path):
    assert "no such file" in run("ingest", tmp_path / "missing.csv", code=1).stderr
    said = run.json("ingest", tmp_path / "missing.csv", code=1)
    assert said["not_stored"][0]["reason"] == "found no such file"


def test_what_is_not_understood_is_kept_shown_and_replayed(run, tmp_path):
    glucose, _, mapping = files.write(tmp_path, days=0.25)
    done = run("ingest", glucose, "--patient", "anna")
    assert "In quarantine" in done.stdout
    (item,) = run.json("quarantine", "list")["items"]
    shown = run.json("quarantine", "show", item["id"])
    assert shown["head"].startswith("when,glucose")
    assert run("quarantine", "show", item["id"], "--raw").stdout == glucose.read_text()
    assert "mapping" in run("quarantine", "show", item["id"]).stdout
    (row,) = [r for r in run.json("replay", "--all", "--mapping", mapping)["sources"] if r["read"]]
    assert row["new"] == 72
    assert run.json("quarantine", "list")["items"] == []
    assert len(run.json("quarantine", "list", "--resolved")["items"]) == 1


def test_quarantine_lists_unless_told_otherwise(run, tmp_path, monkeypatch):
    (tmp_path / "odd.bin").write_bytes(b"\x00\x01 neither this nor that")
    run("ingest", tmp_path / "odd.bin")
    assert "odd.bin" in run("quarantine").stdout
    said = json.loads(run("quarantine", "--json").stdout)
    assert said == json.loads(run("quarantine", "list", "--json").stdout)
    (item,) = said["items"]
    elsewhere = CliRunner().invoke(app, ["quarantine", "--home", str(tmp_path / "none"), "list"])
    assert "no home" in elsewhere.stderr
    monkeypatch.setenv("MEDTWIN_HOME", str(tmp_path / "none"))
    before = CliRunner().invoke(app, ["quarantine", "--home", str(run.home), "--json", "show", str(item["id"])])
    assert json.loads(before.stdout)["item"] == item


def test_replay_wants_items_or_all(run, anna):
    assert anna("replay", code=2)
    assert anna("replay", "1", "--all", code=2)
    assert "quarantine item 99" in anna("quarantine", "show", 99, code=1).stderr


def test_unassigned_facts_wait_and_are_assigned(run, tmp_path):
    glucose, _, mapping = files.write(tmp_path, days=0.25)
    assert "assign" in run("ingest", glucose, "--mapping", mapping).stdout
    (tmp_path / "README").write_text("neither this nor that")
    run("ingest", tmp_path / "README")  # in quarantine: nobody's key
    (key,) = run.json("assign")["unassigned"]
    assert (key["sources"], key["files"], key["facts"]) == (["diary"], ["glucose.csv"], 72)
    assert (key["first"], key["last"]) == ("2026-03-01T00:00:00+00:00", "2026-03-01T05:55:00+00:00")
    shown = run("assign").stdout
    assert "glucose.csv" in shown
    assert "README" not in shown
    assert run.json("patients")["unassigned"] == [{"system": key["system"], "value": key["value"]}]
    run("assign", key["value"], code=2)  # to whom?
    assert "0 unassigned keys" in run("assign", "nobody", "--patient", "anna", code=1).stderr
    assert "IANA" in run("assign", key["value"], "--patient", "anna", "--timezone", "Mars", code=1).stderr
    run("assign", key["value"], "--patient", "anna", "--timezone", "Europe/Berlin")
    (entry,) = run.json("patients")["patients"]
    assert (entry["id"], entry["zone"], entry["events"]) == ("anna", "Europe/Berlin", 72)


def test_a_statement_is_a_fact_with_its_source(run):
    said = run.json("state", "anna", "body_weight", "154 lb", "--at", "2026-03-01T08:00+01:00")
    assert said["event"]["value"] == pytest.approx(69.85, abs=0.01)
    assert said["event"]["text"] == "154"
    assert said["event"]["source"]["system"] == "stated"
    assert said["new"] == 1
    assert run.json("state", "anna", "body_weight", "154 lb", "--at", "2026-03-01T08:00+01:00")["new"] == 0
    assert run.json("show", "anna", "--as-of", "2026-03-02T00:00Z")["latest"][0]["value"] == pytest.approx(
        69.85, abs=0.01
    )


@pytest.mark.parametrize(
    ("value", "at", "found"),
    [
        ("7200 kg", "2026-03-01T08:00Z", "implausible: 7200 kg lies outside"),
        ("72 kg", "2099-03-01T08:00Z", "future: "),
        ("72 kg", "2026-03-01T08:00", "read as UTC"),
    ],
)
def test_what_is_odd_about_a_statement_is_said(run, value, at, found):
    done = run("state", "anna", "body_weight", value, "--at", at)
    assert "recorded, flagged." in done.stdout
    assert found in done.stderr
    (said,) = run.json("state", "anna", "body_weight", value, "--at", at)["notes"]
    assert found in said
    assert run.json("state", "anna", "body_weight", "72 kg", "--at", "2026-03-01T08:00Z")["notes"] == []


def test_a_statement_can_be_taken_back(run):
    run("state", "anna", "body_weight", "70 kg", "--at", "2026-03-01T08:00Z")
    run("state", "anna", "heart_rate", "60 /min", "--at", "2026-03-01T08:00Z")
    run("state", "anna", "body_weight", "70 kg", "--at", "2026-03-01T08:00Z", "--retract")
    latest = run.json("show", "anna", "--as-of", "now")["latest"]
    assert [one["quantity"] for one in latest] == ["heart_rate"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["body_weight", "70"], "without a unit"),
        (["body_weight", "heavy"], "the value 'heavy'"),
        (["body_weight", "70 mmHg"], "the unit 'mmHg'"),
        (["body_wait", "70 kg"], "body_weight"),
        (["body_weight", "70 kg", "--at", "yesterday"], "the time 'yesterday'"),
    ],
)
def test_a_statement_that_cannot_be_read_says_why(run, arguments, found):
    assert found in run("state", "anna", *arguments, code=1).stderr


def test_a_folder_is_walked(tmp_path, tmp_path_factory):
    run = taken_in(tmp_path_factory.mktemp("home"), tmp_path, days=0.1)
    done = run.json("ingest", tmp_path, "--patient", "anna", "--mapping", tmp_path / "mapping.yaml")
    assert done["files"] == 3
    assert json.dumps(done)


def test_a_statement_is_taken_back_without_its_time(run):
    """What was stated at some time is found by its value; where several match they are listed with their times."""
    run("state", "cy", "body_weight", "70 kg")
    assert "recorded" in run("state", "cy", "body_weight", "70 kg", "--retract").stdout
    assert "no statement of body_weight" in run("state", "cy", "body_weight", "70 kg", "--retract", code=1).stderr
    run("state", "cy", "body_weight", "71 kg", "--at", "2026-03-01T08:00Z")
    run("state", "cy", "body_weight", "71000 g", "--at", "2026-03-02T08:00Z")
    asked = run("state", "cy", "body_weight", "71 kg", "--retract", code=1).stderr
    assert "2 statements of body_weight that match" in asked
    assert "71 kg --at 2026-03-01T08:00+00:00, 71000 g --at 2026-03-02T08:00+00:00" in asked
    run("state", "cy", "body_weight", "71 kg", "--retract", "--at", "2026-03-01T09:00+01:00")
    run("state", "cy", "body_weight", "71 kg", "--retract")  # the one that is left, said in another unit
    with open_store(run.home) as store:
        assert store.record("cy", store.issue_grant()).of("body_weight") == ()
    run("state", "cy", "diagnosis", "46635009", "--at", "2010")
    wrong = run("state", "cy", "diagnosis", "44054006", "--retract", code=1).stderr
    assert "stated are: 46635009 --at 2010" in wrong
    run("state", "cy", "diagnosis", "46635009", "--retract")


def test_a_stated_patient_who_is_another_is_an_error(run, tmp_path):
    rows = ["1,,FirstName,,Ann,,,,,,,", "2,,LastName,,Lee,,,,,,,", "3,,DateOfBirth,,1980-02-03,,,,,,,",
            "9,2024-03-04T05:06:07,EGV,,,,iPhone,103,,,,"]  # fmt: skip
    head = ("Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Event Subtype,Patient Info,Device Info,Source Device ID,"
            "Glucose Value (mg/dL),Insulin Value (u),Carb Value (grams),Duration (hh:mm:ss),Rate")  # fmt: skip
    (tmp_path / "clarity.csv").write_text("\n".join([head, *rows]) + "\n")
    done = run("ingest", tmp_path / "clarity.csv", "--patient", "ann")
    assert "keyed by the name and the date of birth" in done.stderr
    said = run("ingest", tmp_path / "clarity.csv", "--patient", "ben", code=1)
    assert "not stored" in said.stderr
    assert "who is patient ann here; expected ben" in said.stderr
    assert [one["id"] for one in run.json("patients")["patients"]] == ["ann"]
