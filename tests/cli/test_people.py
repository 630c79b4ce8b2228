"""patients, show, forecast, what-if."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from cli.conftest import taken_in
from medtwin.cli.plot import plot
from medtwin.errors import FormatError
from medtwin.evidence import calibrated
from medtwin.sources.times import instant, span, spans

NOW = datetime(2026, 3, 4, 23, 0, tzinfo=UTC)


def test_patients_are_listed(anna):
    (entry,) = anna.json("patients")["patients"]
    assert (entry["id"], entry["zone"]) == ("anna", "Europe/London")
    assert entry["events"] == 4 * 288 + 1 + 4 * 6 + 1
    assert "Europe/London" in anna("patients").stdout


def test_show_says_what_is_known_and_how_surely(anna):
    said = anna.json("show", "anna", "--as-of", "last")
    assert said["model"] == {
        "name": "glucose_insulin", "reason": "type 1 diabetes with insulin records", "physiological": True
    }  # fmt: skip
    assert said["newest_reading"] == "2026-03-04T23:55:00+00:00"
    belief = said["belief"]["glucose"]
    assert belief["lower"] < belief["median"] < belief["upper"]
    assert belief["unit"] == "mg/dL"
    assert said["latest"][0]["quantity"] == "glucose"
    assert belief["lower"] < said["latest"][0]["value"] < belief["upper"]
    names = [p["name"] for p in said["parameters"]]
    assert "insulin_sensitivity" in names
    for one in said["parameters"]:
        assert (one["posterior"] is None) == (one["withheld"] is not None)
        assert one["prior"]["unit"]
    assert sum(e["probability"] for e in said["explanations"]) == pytest.approx(1.0)
    assert len(said["snapshot"]) == 40
    assert said["diagnoses"][0]["code"] == "46635009"


def test_show_withholds_what_no_calibration_stands_behind(anna, monkeypatch):
    good, bad = (
        calibrated.Calibration(coverage=share, level=0.9, n=400, days=3.0, even=True) for share in (0.90, 0.71)
    )
    known = {"glucose_insulin": {"insulin_sensitivity": good, "sensor_bias": bad}}
    monkeypatch.setattr(calibrated, "_evidence", lambda: known)
    told = {p["name"]: p for p in anna.json("show", "anna")["parameters"]}
    seen = told["insulin_sensitivity"]["posterior"]
    assert seen["lower"] < seen["median"] < seen["upper"]
    assert told["sensor_bias"]["posterior"] is None
    assert "cover 71 %" in told["sensor_bias"]["withheld"]
    assert told["meal_absorption"]["withheld"].startswith("not yet calibrated")
    page = anna("show", "anna").stdout
    assert "Withheld (sensor_bias): 90 % intervals cover 71 % of 400" in page


def test_show_for_people(anna):
    done = anna("show", "anna")
    assert "days old" in done.stderr  # long silent: as of the last reading, and it says so
    for words in ("Newest facts", "Belief now", "Prior against posterior", "Why readings", "diagnosis"):
        assert words in done.stdout


def test_a_refuted_diagnosis_is_shown_as_no_diagnosis(run, tmp_path):
    condition = {
        "resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/anna"},
        "verificationStatus": {"coding": [{"code": "refuted"}]},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "84114007", "display": "Heart failure"}]},
        "onsetDateTime": "2026-03-01T08:00:00Z", "recordedDate": "2026-03-01T08:00:00Z",
    }  # fmt: skip
    (tmp_path / "condition.json").write_text(json.dumps(condition))
    run("ingest", tmp_path / "condition.json", "--patient", "anna")
    run("state", "anna", "heart_rate", "60 /min", "--at", "2026-03-01T08:05Z")
    latest = {one["quantity"]: one for one in run.json("show", "anna", "--as-of", "2026-03-02T00:00Z")["latest"]}
    assert (latest["diagnosis"]["value"], latest["diagnosis"]["negated"]) == ("84114007", True)
    assert latest["heart_rate"]["negated"] is False
    assert "no Heart failure" in run("show", "anna", "--as-of", "2026-03-02T00:00Z").stdout


def test_show_as_of_knows_nothing_later(anna):
    said = anna.json("show", "anna", "--as-of", "2026-03-02T12:00Z")
    assert max(one["time"] for one in said["latest"]) <= "2026-03-02T12:00:00+00:00"
    assert said["snapshot"] != anna.json("show", "anna", "--as-of", "last")["snapshot"]


def test_the_recorded_clock_asks_what_this_home_held(anna):
    """Before the import this home held nothing, however old the facts are."""
    said = anna.json("show", "anna", "--as-of", "-1w", "--clock", "recorded")
    assert (said["latest"], said["newest_reading"], said["snapshot"]) == ([], None, None)
    assert "nothing was known here" in anna("show", "anna", "--as-of", "-1w", "--clock", "recorded").stdout
    assert anna("show", "anna", "--clock", "seen", code=2)


def test_forecast_widens_with_time(anna):
    said = anna.json("forecast", "anna", "--hours", 3, "--as-of", "last")
    assert said["quantity"] == "glucose"
    assert said["physiological"]
    assert len(said["times"]) == len(said["quantiles"]) == 36
    assert said["levels"] == [0.05, 0.25, 0.5, 0.75, 0.95]
    widths = [row[4] - row[0] for row in said["quantiles"]]
    assert 0 < widths[0] < widths[11]
    assert all(row == sorted(row) for row in said["quantiles"])
    assert said["held_out_coverage_of_90"]["outcomes"] > 100


def test_forecast_of_the_present_of_a_silent_person_is_refused(anna):
    done = anna("forecast", "anna", code=1)
    assert "--as-of last" in done.stderr


def test_forecast_for_people_has_a_table_and_a_plot(anna):
    done = anna("forecast", "anna", "--as-of", "last", "--hours", 2)
    assert "median" in done.stdout
    assert "┤" in done.stdout


def test_what_if_is_a_paired_difference(anna):
    said = anna.json("what-if", "anna", "--carbs", 45, "--in", "20m", "--as-of", "last", "--hours", 3)
    middle = [row[2] for row in said["difference"]["quantiles"]]
    assert middle[0] == 0.0
    assert middle[-1] > 10.0
    (plan,) = said["planned"]
    assert (plan["quantity"], plan["value"], plan["unit"]) == ("carbohydrate_intake", 45.0, "g")
    lower = anna.json("what-if", "anna", "--bolus", 4, "--as-of", "last", "--hours", 3)
    assert lower["difference"]["quantiles"][-1][2] < -5.0
    done = anna("what-if", "anna", "--carbs", 45, "--bolus", 4, "--as-of", "last", "--hours", 3)
    assert "Planned: insulin_bolus 4 U" in done.stdout
    assert "difference" in done.stdout


@pytest.mark.slow
def test_two_structures_beside_each_other(anna):
    """Model-form uncertainty: the same plan under another structure, and how far apart the two are."""
    ask = ("what-if", "anna", "--carbs", 45, "--as-of", "last", "--hours", 3)
    both = anna.json(*ask, "--beside", "glucose_meals")
    alone = anna.json(*ask, "--model", "glucose_meals")
    assert both["beside"]["label"].startswith("glucose_meals")
    assert both["beside"]["quantiles"] == alone["difference"]["quantiles"]
    middle = [[row[2] for row in said] for said in (both["difference"]["quantiles"], both["beside"]["quantiles"])]
    assert both["beside"]["apart"] == pytest.approx([b - a for a, b in zip(*middle, strict=True)])
    assert max(abs(one) for one in both["beside"]["apart"]) > 0.0
    assert "glucose_insulin or glucose_meals" in anna(*ask, "--model", "nobody", code=1).stderr
    # a walk on top of the meal, of the structure that knows exercise: at five past midnight, five minutes from the reading
    walked = anna.json(*ask, "--model", "glucose_meals", "--walk", "0:05/45min@120bpm")
    assert [(p["quantity"], p["at"], p["until"]) for p in walked["planned"][1:]] == [
        ("heart_rate", "2026-03-05T00:05:00+00:00", "2026-03-05T00:50:00+00:00")
    ]
    assert walked["difference"]["quantiles"][-1][2] < alone["difference"]["quantiles"][-1][2] - 3.0
    other = anna.json(*ask, "--model", "glucose_meals", "--walk", "45min@120bpm", "--in", "0m")
    assert other["planned"][1]["unit"] == "/min"
    shown = anna(*ask, "--model", "glucose_meals", "--walk", "45min")
    assert "Planned: heart_rate 110 /min at" in shown.stdout


def test_a_decision_is_about_the_present_and_a_word_of_three(anna):
    anna("what-if", "anna", "--carbs", 45, "--decide", "maybe", code=2)
    anna("what-if", "anna", "--carbs", 45, "--decide", "accepted", "--as-of", "last", code=2)
    assert anna.json("decisions", "anna")["decisions"] == []


def test_a_scenario_file_is_the_same_as_options(anna, tmp_path):
    file = tmp_path / "lunch.yaml"
    file.write_text(
        "dialect: medtwin-scenario/1\nevents:\n  - {quantity: carbohydrate_intake, value: 45 g, at: +20m}\n"
    )
    one = anna.json("what-if", "anna", "--scenario", file, "--as-of", "last", "--hours", 3)
    other = anna.json("what-if", "anna", "--carbs", 45, "--in", "20m", "--as-of", "last", "--hours", 3)
    assert one["difference"] == other["difference"]
    planned = anna.json("forecast", "anna", "--scenario", file, "--as-of", "last", "--hours", 3)
    assert planned["quantiles"] == one["with"]["quantiles"]


@pytest.mark.parametrize(
    ("arguments", "code", "found"),
    [
        ([], 2, "--carbs"),
        (["--carbs", "45", "--scenario", "x.yaml"], 2, ""),
        (["--plan", "insulin"], 1, "QUANTITY=VALUE"),
        (["--plan", "step_count=100 {steps}"], 1, "does not take"),
        (["--walk", "30m"], 1, "ask a model that takes it: --model glucose_meals"),
        (["--walk", "noon/30m@fast"], 1, "14:00/45min@110bpm"),
        (["--carbs", "45", "--in", "9h"], 1, "look further: --hours"),
        (["--carbs", "45", "--in", "soon"], 1, "the time span 'soon'"),
        (["--carbs", "4500"], 1, "0 to 1000"),
        (["--scenario", "missing.yaml"], 1, "missing.yaml"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(anna, arguments, code, found):
    assert found in anna("what-if", "anna", "--as-of", "last", *arguments, code=code).stderr


def test_someone_for_whom_no_model_speaks(tmp_path, tmp_path_factory):
    """No diagnosis: a statistical forecast, labelled so; the present is shown; a plan cannot be judged."""
    recent = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0) - timedelta(days=3)
    run = taken_in(tmp_path_factory.mktemp("home"), tmp_path, days=3.0, start=recent - timedelta(minutes=recent.minute))
    said = run.json("show", "anna")
    assert not said["model"]["physiological"]
    assert "no physiological model" in said["model"]["reason"]
    assert said["belief"] == {}
    assert run.json("show", "anna", "--as-of", "now", "--clock", "recorded")["newest_reading"]
    assert run.json("show", "anna", "--as-of", "-1h", "--clock", "recorded")["latest"] == []
    future = run.json("forecast", "anna", "--as-of", "last")
    assert future["label"] == "statistical forecast"
    assert future["quantiles"]
    done = run("what-if", "anna", "--carbs", 40, "--as-of", "last", code=1)
    assert "no model speaks" in done.stderr
    done = run("what-if", "anna", "--carbs", 40, "--decide", "accepted", code=1)
    assert "no model speaks" in done.stderr
    assert run.json("decisions", "anna")["decisions"] == []  # nothing was kept of it


LONDON = """dialect: medtwin-mapping/1
source: meter
tables:
  - name: readings
    match: {columns: [when, glucose]}
    time: {column: when, format: '%Y-%m-%d %H:%M'ZONE}
    values:
      - {column: glucose, quantity: glucose, unit: mg/dL}
"""


@pytest.mark.parametrize("zone", ["Europe/London", None])
def test_a_time_without_an_offset_is_the_patients_wall_clock_or_says_that_it_is_not(run, tmp_path, zone):
    (tmp_path / "map.yaml").write_text(LONDON.replace("ZONE", f", zone: {zone}" if zone else ""))
    rows = [
        f"2024-06-20 {hour:02d}:{minute:02d},{100 + minute}" for hour in range(12, 22) for minute in range(0, 60, 5)
    ]
    (tmp_path / "g.csv").write_text("\n".join(["when,glucose", *rows]) + "\n")
    run("ingest", tmp_path / "g.csv", "--patient", "cy", "--mapping", tmp_path / "map.yaml")
    typed = "2024-06-20T18:00"
    for said, done in (
        (run.json("show", "cy", "--as-of", typed), run("show", "cy", "--as-of", typed)),
        (run.json("forecast", "cy", "--as-of", typed), run("forecast", "cy", "--as-of", typed)),
    ):
        assert said["at"] == ("2024-06-20T17:00:00+00:00" if zone else "2024-06-20T18:00:00+00:00")
        assert ["read as UTC" in one for one in said["notes"]] == ([] if zone else [True])
        assert ("was read as UTC" in done.stderr) is (zone is None)
    for offset in ("2024-06-20T18:00Z", "last"):
        assert run.json("show", "cy", "--as-of", offset)["notes"] == []
    assert run.json("patients")["patients"][0]["zone"] == zone


def test_assigned_facts_bring_their_zone(run, tmp_path):
    (tmp_path / "map.yaml").write_text(LONDON.replace("ZONE", ", zone: Europe/London"))
    (tmp_path / "g.csv").write_text("when,glucose\n2024-06-20 12:00,100\n")
    run("ingest", tmp_path / "g.csv", "--mapping", tmp_path / "map.yaml")
    (key,) = run.json("assign")["unassigned"]
    run("assign", key["value"], "--patient", "cy")
    assert run.json("patients")["patients"][0]["zone"] == "Europe/London"


def test_times_as_they_are_typed():
    assert instant("-2h", NOW) == NOW - timedelta(hours=2)
    assert instant("+1h30m", NOW) == NOW + timedelta(minutes=90)
    assert instant("now", NOW) == NOW
    assert instant("2026-07-01T12:00", NOW, "Europe/London") == datetime(2026, 7, 1, 11, tzinfo=UTC)
    assert instant("2026-07-01T12:00", NOW) == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert instant("2026-07-01T12:00-05:00", NOW) == datetime(2026, 7, 1, 17, tzinfo=UTC)
    assert spans("30m, 1h") == (timedelta(minutes=30), timedelta(hours=1))
    assert spans("45min, 20 sec") == (timedelta(minutes=45), timedelta(seconds=20))
    for wrong in ("", "5", "m", "5 parsecs", "-", "1e9d"):
        with pytest.raises(FormatError):
            span(wrong)
    for wrong in ("tomorrow", "2026-13-01", "+"):
        with pytest.raises(FormatError):
            instant(wrong, NOW)


def test_a_plot_shows_lines_within_their_band():
    times = [NOW + timedelta(minutes=5 * i) for i in range(12)]
    drawn = plot(times, [("o", [100.0] * 12)], [50.0] * 12, [150.0] * 12, "mg/dL", width=24, height=11)
    rows = drawn.splitlines()
    assert rows[0].strip() == "mg/dL"
    assert [row.count("o") for row in rows[1:12]].index(24) == 5
    assert rows[1].startswith("   150")
    assert "23:00" in rows[-1]
