"""Bad input that can be read: recognised, said, handled, and never repaired in silence."""

from datetime import datetime, timedelta

import pytest

from medtwin.errors import MedtwinError
from medtwin.record.event import Flag
from medtwin.record.home import open_store
from medtwin.sources.ingest import ingest

START = datetime(2026, 3, 1)  # noqa: DTZ001 - the wall clock of a file
CLARITY = (
    "Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Event Subtype,Patient Info,Device Info,Source Device ID,"
    "Glucose Value (mg/dL),Insulin Value (u),Carb Value (grams),Duration (hh:mm:ss),"
    "Glucose Rate of Change (mg/dL/min),Transmitter Time (Long Integer)\n"
)
MAPPING = """dialect: medtwin-mapping/1
source: clinic
tables:
  - name: a
    match: {{columns: [when]}}
    time: {{column: when, format: '{format}', zone: Europe/Berlin}}
    {more}
    values:
{values}
"""


@pytest.fixture
def taken(tmp_path):
    """Ingest a text, with a mapping where one is given; the report and the record."""
    store = open_store(tmp_path / "home")
    grant = store.issue_grant()
    count = 0

    def take(text, mapping=None, **more):
        nonlocal count
        count += 1
        path = tmp_path / f"file-{count}.csv"
        path.write_text(text)
        if mapping is not None:
            (tmp_path / f"mapping-{count}.yaml").write_text(mapping)
            more["mapping"] = tmp_path / f"mapping-{count}.yaml"
        report = ingest([path], store, grant, patient="anna", zone="Europe/Berlin", **more)
        return report, store.record("anna", grant)

    yield take
    store.close()


def clarity(values, every=5):
    rows = [
        f"{n + 1},{START + timedelta(minutes=every * n):%Y-%m-%dT%H:%M:%S},EGV,,,,A,{value},,,,,\n"
        for n, value in enumerate(values)
    ]
    return CLARITY + "".join(rows)


def mapped(values, format="%Y-%m-%d %H:%M", more=""):
    lines = "\n".join(f"      - {{column: {c}, quantity: {q}, unit: {u}}}" for c, q, u in values)
    return MAPPING.format(format=format, values=lines, more=more)


def said(report, word):
    return [note for note in report.notes if word in note]


def test_sound_files_raise_no_suspicion(taken):
    report, _ = taken(clarity([120 + n % 40 for n in range(300)]))
    assert report.notes == []


def test_a_column_in_the_other_unit_is_said_and_left_as_written(taken):
    text = clarity([6.1 + n % 40 / 18 for n in range(300)])
    report, record = taken(text)
    (note,) = said(report, "mmol/L")
    assert "300 of 300" in note
    assert "--unit glucose=mmol/L" in note
    first = record.of("glucose")[0]
    assert first.value == pytest.approx(6.1)
    assert Flag.IMPLAUSIBLE in first.flags
    # and handled: the same bytes read again as the user says they are
    report, record = taken(text, units={"glucose": "mmol/L"})
    assert report.sources[0].superseded == 300
    first = record.of("glucose")[0]
    assert first.value == pytest.approx(6.1 * 18.0156)
    assert first.flags == (Flag.UNIT_ASSUMED,)
    assert not said(report, "look like")


def test_the_stated_unit_leaves_the_words_low_and_high_alone(taken):
    _, record = taken(clarity(["Low", 6.0, "High"]), units={"glucose": "mmol/L"})
    assert [e.value for e in record.of("glucose")] == [40.0, pytest.approx(108.0936), 400.0]


def test_a_unit_that_cannot_be_is_refused_before_anything_is_read(taken):
    with pytest.raises(MedtwinError, match="kg"):
        taken(clarity([100]), units={"glucose": "kg"})
    with pytest.raises(MedtwinError, match="glucoze"):
        taken(clarity([100]), units={"glucoze": "mmol/L"})


def test_mixed_units_are_counted_and_the_first_is_named(taken):
    report, record = taken(clarity([6.5 if n % 10 == 3 else 130 for n in range(300)]))
    (note,) = said(report, "among values in mg/dL")
    assert "30 of 300" in note
    assert "line 5" in note
    assert sum(Flag.IMPLAUSIBLE in e.flags for e in record.of("glucose")) == 30


def test_milligrams_in_a_column_of_millimoles(taken):
    rows = "".join(f"{START + timedelta(minutes=5 * n):%Y-%m-%d %H:%M},{110 + n % 50}\n" for n in range(50))
    report, _ = taken("when,value\n" + rows, mapped([("value", "glucose", "mmol/L")]))
    (note,) = said(report, "look like mg/dL")
    assert "--unit glucose=mg/dL" in note


@pytest.mark.parametrize(
    ("quantity", "unit", "value", "flags"),
    [
        ("glucose", "mmol/L", lambda n: 48 + n % 60, 300),  # 48 to 55 lie within the plausible range as mmol/L
        ("blood_glucose", "mmol/L", lambda n: 48 + n % 60, 300),
        ("blood_glucose", "mg/dL", lambda n: 11 + n % 9, 300),
        ("glucose", "mmol/L", lambda n: 50 if n % 10 == 3 else 6, 30),
        ("blood_glucose", "mg/dL", lambda n: 11 if n % 10 == 3 else 100, 30),
    ],
)
def test_what_is_said_to_be_flagged_is_flagged_and_its_quantity_named(taken, quantity, unit, value, flags):
    rows = "".join(f"{START + timedelta(minutes=5 * n):%Y-%m-%d %H:%M},{value(n)}\n" for n in range(300))
    report, record = taken("when,value\n" + rows, mapped([("value", quantity, unit)]))
    (note,) = said(report, "look like")
    assert f"{flags} of 300 {quantity} values" in note
    assert f"{flags} flagged implausible" in note
    assert "reckoned with as they stand" not in note
    if flags == 300:
        assert f"--unit {quantity}=" in note
    assert sum(Flag.IMPLAUSIBLE in e.flags for e in record.of(quantity)) == flags
    assert all(e.flags.count(Flag.IMPLAUSIBLE) < 2 for e in record.of(quantity))


def test_a_laboratory_may_measure_forty_and_it_is_said(taken):
    """A crisis of 45 mmol/L in blood stays: said, counted, and reckoned with; 120 lies beyond the plausible range."""
    odd = {10: 45, 20: 45, 30: 120}
    rows = "".join(f"{START + timedelta(hours=n):%Y-%m-%d %H:%M},{odd.get(n, 8)}\n" for n in range(100))
    report, record = taken("when,value\n" + rows, mapped([("value", "blood_glucose", "mmol/L")]))
    (note,) = said(report, "look like mg/dL")
    assert "1 flagged implausible so that nothing reckons with them, the other 2 reckoned with as they stand" in note
    assert sum(Flag.IMPLAUSIBLE in e.flags for e in record.of("blood_glucose")) == 1


def test_each_quantity_is_looked_at_by_itself(taken):
    rows = "".join(f"{START + timedelta(hours=n):%Y-%m-%d %H:%M},120,6.{n % 10}\n" for n in range(50))
    report, record = taken("when,a,b\n" + rows, mapped([("a", "glucose", "mg/dL"), ("b", "blood_glucose", "mg/dL")]))
    (note,) = said(report, "look like")
    assert "50 of 50 blood_glucose values" in note
    assert "--unit blood_glucose=mmol/L" in note
    assert not any(e.flags for e in record.of("glucose") if Flag.IMPLAUSIBLE in e.flags)


def test_the_stated_unit_holds_for_a_decimal_comma_and_not_for_words(taken):
    rows = "".join(f"{START + timedelta(minutes=5 * n):%Y-%m-%d %H:%M};6,{n % 10}\n" for n in range(30))
    more = "decimal: ','\n    delimiter: ';'"
    mapping = mapped([("value", "glucose", "mg/dL")], more=more).replace("mg/dL}", "mg/dL, words: {LO: '<40'}}")
    _, record = taken(f"when;value\n{rows}2026-03-02 08:00;LO\n", mapping, units={"glucose": "mmol/L"})
    values = [e.value for e in record.of("glucose")]
    assert values[1] == pytest.approx(6.1 * 18.0156)
    assert values[-1] == 40.0
    assert record.of("glucose")[1].unit_text == "mmol/L"


def test_low_readings_are_no_other_unit(taken):
    """Two low values are a low sensor, flagged each; no sentence about units."""
    report, _ = taken(clarity([18 if n < 2 else 100 for n in range(300)]))
    assert not said(report, "look like")


@pytest.mark.parametrize(("format", "wrong"), [("%d/%m/%Y %H:%M", True), ("%m/%d/%Y %H:%M", False)])
def test_day_and_month_exchanged(taken, format, wrong):
    """A file that writes the month first, read day first: what can be read goes on by months, the rest is refused."""
    rows = "".join(f"{START + timedelta(hours=6 * n):%m/%d/%Y %H:%M},120\n" for n in range(80))
    report, _ = taken("when,value\n" + rows, mapped([("value", "glucose", "mg/dL")], format))
    assert bool(said(report, "day and month may be exchanged")) is wrong
    assert bool(report.quarantine) is wrong


def test_a_pump_s_clock_that_was_set_back(taken):
    times = [START + timedelta(minutes=10 * n) for n in range(100)]
    times = times[:60] + [time - timedelta(minutes=47) for time in times[60:]]
    rows = "".join(f"{time:%Y-%m-%d %H:%M},0.8\n" for time in times)
    report, record = taken("when,rate\n" + rows, mapped([("rate", "insulin_basal_rate", "U/h")]))
    (note,) = said(report, "steps back")
    assert "1 time, first by 37 min at line 62" in note
    assert len(record.of("insulin_basal_rate")) == 100  # as the device wrote them


def test_summer_time_is_no_clock_that_was_set(taken):
    """Europe/Berlin, 25 October 2026: the hour from 2 to 3 is shown twice."""
    begin = datetime(2026, 10, 24, 22)  # noqa: DTZ001
    shown = [begin + timedelta(minutes=5 * n) for n in range(60)]  # to 2:55
    shown += [datetime(2026, 10, 25, 2) + timedelta(minutes=5 * n) for n in range(60)]  # noqa: DTZ001
    rows = "".join(f"{time:%Y-%m-%d %H:%M},120\n" for time in shown)
    report, _ = taken("when,value\n" + rows, mapped([("value", "glucose", "mg/dL")]))
    assert not said(report, "steps back")


def test_a_newest_first_file_is_no_clock_that_goes_back(taken):
    times = [START - timedelta(minutes=5 * n) for n in range(100)]
    rows = "".join(f"{time:%Y-%m-%d %H:%M},120\n" for time in times)
    report, _ = taken("when,value\n" + rows, mapped([("value", "glucose", "mg/dL")]))
    assert report.notes == []


def test_doses_read_as_rates_and_rates_read_as_doses(taken):
    rows = "when,basal\n" + "".join(f"{START + timedelta(hours=12 * n):%Y-%m-%d %H:%M},14\n" for n in range(20))
    report, _ = taken(rows, mapped([("basal", "insulin_basal_rate", "U/h")]))
    (note,) = said(report, "add up to 336 U a day")
    assert "insulin_long_acting" in note
    rows = "when,basal\n" + "".join(f"{START + timedelta(minutes=30 * n):%Y-%m-%d %H:%M},0.7\n" for n in range(96))
    report, _ = taken(rows, mapped([("basal", "insulin_long_acting", "U")]))
    (note,) = said(report, "long-acting injections a day")
    assert "insulin_basal_rate" in note


def test_meals_without_carbohydrate(taken):
    rows = "when,carbs,fat\n2026-03-01 08:00,40,10\n2026-03-01 12:00,,22\n2026-03-01 19:00,,\n"
    report, record = taken(
        rows, mapped([("carbs", "carbohydrate_intake", "g"), ("fat", "fat_intake", "g")], more="group: meal")
    )
    (note,) = said(report, "no carbohydrate")
    assert "1 of 2 meals" in note
    assert report.sources[0].unmapped == {"meal without figures": 1}
    assert len(record.of("carbohydrate_intake")) == 1


def test_duplicates_collapse_and_gaps_are_no_fault(taken):
    values = clarity([100 + n for n in range(50)])
    lines = values.splitlines(keepends=True)
    report, record = taken("".join([lines[0], *lines[1:20], *lines[1:20], *lines[40:]]))
    assert len(record.of("glucose")) == 30
    assert report.sources[0].duplicate == 19
