"""Scenarios: read strictly, converted at the door, refused with a sentence that helps."""

from datetime import UTC, datetime, timedelta

import pytest

from medtwin.errors import FormatError, MedtwinError
from medtwin.record import Intent
from medtwin.twin import scenario as scenarios
from medtwin.twin.choice import Choice

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
HEAD = "dialect: medtwin-scenario/1\nevents:\n"


def plan(line):
    return scenarios.events(scenarios.read(HEAD + f"  - {line}\n"), NOW, "Europe/Berlin")


def test_the_example_of_the_page_reads():
    lines = scenarios.__doc__.partition("::")[2].splitlines()
    text = "\n".join(line[4:] for line in lines if line.startswith("    ") or not line.strip())
    scenario = scenarios.read(text)
    assert scenario.name == "lunch, bolus ten minutes before it"
    bolus, meal, walk = scenarios.events(scenario, NOW)
    assert (bolus.quantity, bolus.value, bolus.instant) == ("insulin_bolus", 3.5, NOW + timedelta(minutes=10))
    assert (meal.value, meal.until.instant) == (45.0, NOW + timedelta(minutes=35))
    assert (walk.quantity, walk.value, walk.instant) == ("heart_rate", 110.0, NOW.replace(hour=14, minute=0))
    assert walk.until.instant == walk.instant + timedelta(minutes=45)
    assert {bolus.intent, meal.intent, walk.intent} == {Intent.PLANNED}
    assert bolus.available == NOW
    assert bolus.key != meal.key


def test_units_are_converted_at_the_door():
    (meal,) = plan("{quantity: carbohydrate_intake, value: 0.045 kg, at: +20m}")
    assert meal.value == pytest.approx(45.0)
    assert (meal.text, meal.unit_text) == ("0.045", "kg")


def test_a_time_without_an_offset_is_the_patients_wall_clock():
    (meal,) = plan("{quantity: carbohydrate_intake, value: 45 g, at: 2026-03-04T12:00}")
    assert meal.instant == datetime(2026, 3, 4, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("{quantity: carbohydrate_intake, value: 45, at: +20m}", "a number and its unit"),
        ("{quantity: carbohydrate_intake, value: much, at: +20m}", "the value 'much'"),
        ("{quantity: carbohydrate_intake, value: 45 mmHg, at: +20m}", "mmHg"),
        ("{quantity: carbohydrate_intake, value: 4500 g, at: +20m}", "0 to 1000"),
        ("{quantity: carbohydrates, value: 45 g, at: +20m}", "carbohydrate_intake"),
        ("{quantity: glucose, value: 100 mg/dL, at: +20m}", "which is a level"),
        ("{quantity: carbohydrate_intake, value: 45 g, at: -20m}", "20 min before the forecast"),
        ("{quantity: carbohydrate_intake, value: 45 g, at: later}", "the time 'later'"),
        ("{quantity: carbohydrate_intake, value: 45 g, at: +20m, until: +10m}", "an end before its beginning"),
        ("{quantity: carbohydrate_intake, value: 45 g}", "`at`"),
        ("{quantity: heart_rate, value: 110 /min, at: +20m}", "add `lasts: 45min`"),
        ("{quantity: heart_rate, value: 110 /min, at: +20m, lasts: 0m}", "an end before its beginning"),
        ("{quantity: heart_rate, value: 110 /min, at: +20m, until: +60m, lasts: 40m}", "until or lasts"),
        ("{quantity: heart_rate, value: 900 /min, at: +20m, lasts: 40m}", "15 to 300"),
        ("{quantity: carbohydrate_intake, value: 45 g, at: +20m, when: noon}", "`when`"),
        ("[carbohydrate_intake]", "events[0]"),
    ],
)
def test_what_cannot_be_planned_is_refused(line, found):
    with pytest.raises(MedtwinError, match="found ") as error:
        plan(line)
    assert found in str(error.value)


@pytest.mark.parametrize(
    ("at", "meant"),
    [
        ("10:45", datetime(2026, 3, 4, 9, 45, tzinfo=UTC)),
        ("10:30", NOW),  # this very minute
        ("10:29", datetime(2026, 3, 5, 9, 29, tzinfo=UTC)),  # gone by: tomorrow's
        ("0:05", datetime(2026, 3, 4, 23, 5, tzinfo=UTC)),
    ],
)
def test_a_time_of_the_clock_is_the_next_one_where_the_patient_is(at, meant):
    (walk,) = plan("{quantity: heart_rate, value: 110 /min, at: '%s', lasts: 30m}" % at)  # noqa: UP031 - braces
    assert walk.instant == meant


@pytest.mark.parametrize(
    ("text", "planned"),
    [
        ("45min", ("110 /min", "+20m", "45min")),
        ("14:00/45min@120bpm", ("120 /min", "14:00", "45min")),
        ("+1h/30m@95", ("95 /min", "+1h", "30m")),
        ("2026-03-04T14:00+01:00/1h30m", ("110 /min", "2026-03-04T14:00+01:00", "1h30m")),
    ],
)
def test_a_walk_is_read_as_it_is_typed(text, planned):
    made = scenarios.walk(text, "+20m")
    assert (made.quantity, (made.value, made.at, made.lasts)) == ("heart_rate", planned)


@pytest.mark.parametrize("text", ["", "14:00/", "/45min", "45", "45min@", "45min@fast", "14:00/45min@110kg"])
def test_what_is_no_walk_is_refused(text):
    with pytest.raises(FormatError, match="such as"):
        scenarios.walk(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dialect: medtwin-scenario/9\nevents: []", "medtwin-scenario/9"),
        ("events: []", "dialect"),
        ("", "null"),
        ("dialect: [unclosed", "line 1"),
        ("dialect: !!python/object/apply:os.system [true]\nevents: []", "dialect"),
        (HEAD + "  - {quantity: carbohydrate_intake, value: 45 g, at: +1m}\n" * 1001, "1001 planned events"),
        ("x" * (scenarios.LIMIT + 1), "at most"),
    ],
)
def test_what_is_no_scenario_is_refused(text, found):
    with pytest.raises(FormatError) as error:
        scenarios.read(text)
    assert found in str(error.value)


def test_a_file_is_read_and_a_large_one_is_not(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(HEAD + "  - {quantity: insulin_bolus, value: 2 U, at: +5m}\n")
    assert scenarios.load(path).events[0].value == "2 U"
    path.write_bytes(b" " * (scenarios.LIMIT + 1))
    with pytest.raises(FormatError):
        scenarios.load(path)


def test_plans_that_a_model_does_not_take_are_named():
    (meal,) = plan("{quantity: carbohydrate_intake, value: 45 g, at: +20m}")
    assert scenarios.unheard([meal], Choice("glucose", "no model")) == ("carbohydrate_intake",)
