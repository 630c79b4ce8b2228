"""From a record to the page: periods, data rules, sentences, files."""

import io
import json
import math
import re
import subprocess
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest

from applications.glucose_report.people import START, reading, record, wave
from medtwin.applications.glucose_report.content import content
from medtwin.applications.glucose_report.figures.day import day
from medtwin.applications.glucose_report.figures.days import days
from medtwin.applications.glucose_report.figures.overview import overview
from medtwin.applications.glucose_report.report import glucose_report
from medtwin.applications.glucose_report.sentences import change, sufficiency
from medtwin.applications.glucose_report.write import document, save
from medtwin.errors import AnalysisError
from medtwin.record.event import Comparator, Flag
from medtwin.reports.figures.svg import svg
from medtwin.reports.html import page
from medtwin.reports.pdf import paginated
from medtwin.statistics.glucose.ranges import ranges

STAMP = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def fortnight():
    """A month: worse in its first half; a laboratory value at its end."""
    worse = wave(14, mean=190.0, seed=2)
    better = wave(14, start=START + timedelta(days=14), mean=140.0, seed=3)
    lab = reading(START + timedelta(days=27), 7.4, quantity="hba1c", system="laboratory")
    return record([*worse, *better, lab])


def test_a_fortnight_and_the_one_before(fortnight):
    made = glucose_report(fortnight, synthetic=True)
    assert made.now.enough
    assert made.now.active == pytest.approx(100.0, abs=0.1)
    values = [e.value for e in fortnight.of("glucose")][-14 * 288 :]
    assert made.now.ranges.in_range == pytest.approx(ranges(values).in_range, abs=0.1)
    assert made.changes["mean"].value == pytest.approx(-50.0, abs=10.0)
    assert "time in range (70-180 mg/dL) rose" in change(made)
    assert sufficiency(made) == ""
    assert made.gap is not None
    assert made.gap.gap.value == pytest.approx(7.4 - made.gap.indicator.value)
    assert not made.gap.enough  # four weeks of twelve
    assert made.notes == ("times of day are those of Europe/Berlin",)


def test_the_sentence_claims_no_change_that_chance_could_make():
    same = [*wave(14, seed=4), *wave(14, start=START + timedelta(days=14), seed=5)]
    said = change(glucose_report(record(same)))
    assert "time in range (70-180 mg/dL) shows no clear change" in said


def test_of_a_hundred_people_without_a_change_about_five_are_told_of_one():
    """The interval of the change holds zero where days come from one law: 14 days each, 300 people."""
    from medtwin.statistics.glucose.intervals import changes, resampled
    from medtwin.statistics.glucose.trace import DAY, Trace

    rng, told = np.random.default_rng(6), 0
    for number in range(300):
        days = rng.normal(165.0, 25.0, 28)
        value = np.clip(np.repeat(days, 24) + rng.normal(0.0, 30.0, 28 * 24), 40.0, 400.0)
        seconds = 20_000 * DAY + 3600.0 * np.arange(28 * 24)
        half = 14 * 24
        before = resampled(Trace.of(seconds[:half], value[:half]), 400, 2 * number)
        after = resampled(Trace.of(seconds[half:], value[half:]), 400, 2 * number + 1)
        moved = changes(before, after)["in_range"]
        told += not moved.low <= 0.0 <= moved.high
    assert 4 <= told <= 26  # 5 % of 300 are 15, three standard errors are 11


def test_what_never_happened_has_no_interval_of_zero_width():
    """Fourteen days without a low do not say how rare lows are."""
    high = [*wave(14, mean=200.0), *wave(14, start=START + timedelta(days=14), mean=200.0)]
    made = glucose_report(record(high))
    assert made.now.ranges.below_54 == 0.0
    assert math.isnan(made.now.intervals["below_54"].high)
    assert content(made)["period"]["ranges"]["below_54"]["upper"] is None
    assert "time below 70 mg/dL was 0.0 % in both periods." in change(made)
    assert not re.search(r"\bnan\b", page(document(made, STAMP)))


def test_too_little_is_said():
    few = [e for e in wave(14) if e.time.local.hour < 12]
    made = glucose_report(record(few))
    assert not made.now.enough
    assert "active 5" in sufficiency(made) and "70 % are asked for" in sufficiency(made)  # noqa: PT018
    assert "No comparison" in change(made)
    short = glucose_report(record(wave(14)), days=7)
    assert "the period is 7 days" in sufficiency(short)
    assert short.before is not None


def test_nothing_at_all_is_an_error_that_says_what_to_do():
    with pytest.raises(AnalysisError, match="no sensor glucose"):
        glucose_report(record([]))
    with pytest.raises(AnalysisError, match="--until"):
        glucose_report(record(wave(2)), until=datetime(2025, 1, 1, tzinfo=UTC))


def test_what_is_left_out_is_counted_and_said():
    events = wave(3)
    events[5] = reading(events[5].time.local, 900.0, flags=(Flag.IMPLAUSIBLE,))
    events[6] = reading(events[6].time.local, 40.0, comparator=Comparator.BELOW)
    other = [reading(e.time.local + timedelta(minutes=2), 300.0, system="other") for e in events[:100]]
    made = glucose_report(record([*events, *other]), days=3)
    assert any("1 reading outside the plausible range" in note for note in made.notes)
    assert any("1 reading beyond the sensor's range" in note for note in made.notes)
    assert any("two sensors or exports at once (other, sensor): 100 readings" in note for note in made.notes)
    assert made.now.trace.glucose.max() < 290.0
    assert made.now.trace.glucose.min() == 40.0


def test_scans_between_readings_are_said():
    scans = [reading(START + timedelta(hours=number, minutes=3), 250.0) for number in range(72)]
    made = glucose_report(record([*wave(3, every=15), *scans]), days=3)
    assert any(note.startswith("72 readings nearer than half the usual 15 min") for note in made.notes)


def test_the_day_is_the_person_s_across_a_change_of_the_clock():
    """Europe/Berlin goes forward on 29 March 2026: lunch at 12 stays at 12."""
    start = datetime(2026, 3, 22)  # noqa: DTZ001
    events = []
    for number in range(14 * 96):
        at = start + timedelta(minutes=15 * number)
        if at.date().isoformat() == "2026-03-29" and at.hour == 2:
            continue  # an hour that no clock showed
        events.append(reading(at, 220.0 if at.hour == 12 else 110.0))
    made = glucose_report(record(events))
    median = made.profile.glucose[2]
    assert median[50] == 220.0  # 12:30
    assert median[44] == 110.0  # 11:00
    assert median[54] == 110.0  # 13:30
    assert {len(view.glucose) for view in made.daily[1:-1]} <= {96, 92}


def test_content_is_json_with_units_and_intervals(fortnight):
    said = json.loads(json.dumps(content(glucose_report(fortnight)), default=str, allow_nan=False))
    mean = said["period"]["mean"]
    assert mean["unit"] == "mg/dL"
    assert mean["lower"] < mean["value"] < mean["upper"]
    assert said["period"]["ranges"]["in_range"]["goal"] == 70.0
    assert said["summary"].startswith("Against the 14 days before")
    assert len(said["profile"]["percentiles"]["50"]) == 97
    assert sum(view["readings"] for view in said["daily"]) == said["period"]["readings"]


def test_goals_are_those_of_whom_they_are_for(fortnight):
    older = glucose_report(fortnight, goals="older")
    said = content(older)["period"]["ranges"]
    assert (said["in_range"]["goal"], said["below_70"]["goal"]) == (50.0, 1.0)
    assert "goal" not in said["above_180"]
    assert "older people and those at high risk" in page(document(older, STAMP))
    with pytest.raises(AnalysisError, match="goals of 'young'"):
        glucose_report(fortnight, goals="young")


def test_one_reading_is_reported_without_a_false_number():
    made = glucose_report(record([reading(START, 100.0)]))
    json.dumps(content(made), default=str, allow_nan=False)
    page(document(made, STAMP))
    assert math.isnan(made.now.standard_deviation)


@pytest.mark.parametrize(
    "draw", [overview, lambda r: day(r.profile, r.now.days, r.unit), lambda r: days(r.daily, r.unit)]
)
def test_figures_are_well_formed_and_stay_within_their_frame(fortnight, draw):
    scene = draw(glucose_report(fortnight))
    root = ElementTree.fromstring(svg(scene))
    numbers = []
    for shape in root.iter():
        for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", shape.get("points", "")):
            numbers.append((float(x), float(y)))
        if shape.get("x1"):
            numbers.append((float(shape.get("x1")), float(shape.get("y1"))))
    assert all(-0.01 <= x <= scene.width + 0.01 and -0.01 <= y <= scene.height + 0.01 for x, y in numbers)


def test_a_gap_is_a_gap_in_the_daily_view():
    events = [e for e in wave(4) if not (e.time.local.day == 3 and 8 <= e.time.local.hour < 14)]
    made = glucose_report(record(events), days=4)
    lines = [s for s in days(made.daily, made.unit).shapes if getattr(s, "key", "") == f"day {made.daily[1].day}"]
    assert len(lines) == 2
    missing = [e for e in wave(4) if e.time.local.day != 3]
    names = [getattr(s, "words", "") for s in days(glucose_report(record(missing), days=4).daily, made.unit).shapes]
    assert "no readings" in names


def test_page_and_pdf_say_the_same_and_what_is_synthetic(fortnight, tmp_path):
    made = glucose_report(fortnight, synthetic=True)
    html = page(document(made, STAMP))
    assert html.count("SYNTHETIC DATA") >= 2
    assert change(made).split(";")[0] in html
    assert "<script" not in html
    pdf = paginated(document(made, STAMP))
    assert pdf == paginated(document(made, STAMP))
    assert pdf.startswith(b"%PDF")
    save(made, tmp_path / "a.html", STAMP)
    save(made, tmp_path / "a.pdf", STAMP)
    assert (tmp_path / "a.html").read_text() == html
    assert (tmp_path / "a.pdf").read_bytes() == pdf
    assert (tmp_path / "a.pdf").stat().st_mode & 0o777 == 0o600


def test_the_report_is_one_page(fortnight, tmp_path):
    """The table of numbers begins the second page, with the longest head that there can be."""
    made = glucose_report(fortnight, days=13, synthetic=True)
    path = tmp_path / "a.pdf"
    save(made, path, STAMP)
    try:
        text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True).stdout.decode()
    except FileNotFoundError:
        pytest.skip("pdftotext is not installed")
    first, second = text.split("\f")[:2]
    assert "Figure 3." in first and "Not enough data" in first  # noqa: PT018
    assert "The same in numbers" in second


def test_hostile_names_stay_words():
    made = glucose_report(record(wave(3)), days=3)
    from dataclasses import replace

    hostile = replace(made, patient="<script>alert(1)</script>", notes=("\u202e<b>bold</b>",))
    html = page(document(hostile, STAMP))
    assert "<script>" not in html
    assert "<b>" not in html
    assert io.BytesIO(paginated(document(hostile, STAMP))).read(4) == b"%PDF"


def test_the_same_in_millimoles(fortnight):
    """Every figure of glucose and every limit is in the unit; what has no glucose in it stays."""
    milligrams, millimoles = (content(glucose_report(fortnight, unit=name)) for name in ("mg/dL", "mmol/L"))
    was, now = milligrams["period"], millimoles["period"]
    for name in ("mean", "standard_deviation", "mage", "modd", "conga_24h"):
        assert now[name]["unit"] == "mmol/L"
        assert now[name]["value"] == pytest.approx(was[name]["value"] / 18.0156)
    assert now["mean"]["lower"] == pytest.approx(was["mean"]["lower"] / 18.0156)
    assert now["ranges"] == was["ranges"]
    assert now["coefficient_of_variation"] == was["coefficient_of_variation"]
    assert millimoles["changes"]["mean"]["value"] == pytest.approx(milligrams["changes"]["mean"]["value"] / 18.0156)
    assert millimoles["changes"]["in_range"] == milligrams["changes"]["in_range"]
    assert "time in range (3.9-10.0 mmol/L) rose" in millimoles["summary"]
    shown = page(document(glucose_report(fortnight, unit="mmol/L"), STAMP))
    body = shown[: shown.rindex("How it was calculated")]
    assert "mg/dL" not in body
    for limit in ("above 13.9", "10.1-13.9", "3.9-10.0", "3.0-3.8", "below 3.0", "3.9-7.8 mmol/L"):
        assert limit in body, limit
    with pytest.raises(AnalysisError, match="mg/dL or mmol/L"):
        glucose_report(fortnight, unit="g/L")
