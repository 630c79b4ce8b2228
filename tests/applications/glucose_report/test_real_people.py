"""Real people whose GMI is far from their laboratory's HbA1c, or who wore sensors in periods far apart."""

import csv
from datetime import UTC, datetime, timedelta

import pytest

from applications.glucose_report.people import reading, record
from medtwin.applications.glucose_report.report import glucose_report
from medtwin.applications.glucose_report.sentences import change, sufficiency

pytestmark = pytest.mark.shared


def rows(path):
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_a_gap_of_points_between_laboratory_and_sensor_is_shown(shared_data):
    """ShanghaiT2DM 2074: mean 114 mg/dL, HbA1c 11.5 %."""
    folder = shared_data / "metabolism" / "shanghai_t2dm"
    events = [
        reading(
            datetime.fromisoformat(row["timestamp"]), row["glucose_value_mg_dl"], zone="Asia/Shanghai", system="libre"
        )
        for row in rows(folder / "2074.csv")
    ]
    end = events[-1].time.local
    lab = reading(end, 11.5, quantity="hba1c", zone="Asia/Shanghai", system="laboratory")
    made = glucose_report(record([*events, lab], "Asia/Shanghai"), days=28)
    assert made.now.mean == pytest.approx(114.14, abs=0.01)
    assert made.gap is not None
    assert made.gap.gap.value == pytest.approx(11.5 - 6.0, abs=0.2)
    assert made.gap.gap.low > 4.0
    assert not made.gap.enough


def test_periods_of_wear_fourteen_months_apart_are_not_one(shared_data):
    """Hall 1636-69-001: over both together the sensor would be active 1.5 % of the time; of a week it is most of it."""
    events = [
        reading(datetime.fromisoformat(row["time"]), row["gl"], zone="America/Los_Angeles", system="dexcom")
        for row in rows(shared_data / "metabolism" / "hall2018" / "hall2018_cgm.csv")
        if row["id"] == "1636-69-001"
    ]
    late = glucose_report(record(events, "America/Los_Angeles"), days=3)
    assert late.now.active > 70.0
    assert late.now.since > datetime(2015, 1, 1, tzinfo=UTC)
    early = min(e.instant for e in events)
    first = glucose_report(record(events, "America/Los_Angeles"), until=early + timedelta(days=3), days=3)
    assert first.now.until < datetime(2014, 3, 1, tzinfo=UTC)
    assert "No comparison" in change(first)
    assert "the period is 3 days" in sufficiency(first)
