"""Dexcom Clarity: header rows, Low and High, doses, and wall clocks without an offset."""

import pytest

from medtwin.errors import FormatError
from medtwin.record.event import Comparator, Flag
from medtwin.sources.dexcom_clarity import LATENCY, Reader
from sources.reading import events, named, parts, reasons, unmapped

CLARITY = Reader()
HEADER = (
    "\ufeffIndex,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Event Subtype,Patient Info,Device Info,Source Device ID,"
    "Glucose Value (mg/dL),Insulin Value (u),Carb Value (grams),Duration (hh:mm:ss),Glucose Rate of Change (mg/dL/min)\n"
)
PERSON = (
    "1,,FirstName,,Ann,,,,,,,\n2,,LastName,,Lee,,,,,,,\n3,,DateOfBirth,,1980-02-03,,,,,,,\n6,,Alert,High,,,x,200,,,,\n"
)


def table(*rows: str, person: str = PERSON, header: str = HEADER) -> bytes:
    return (header + person + "".join(f"{row}\n" for row in rows)).encode()


def row(
    kind: str = "EGV", sub: str = "", glucose: str = "", insulin: str = "", carbs: str = "", lasted: str = ""
) -> str:
    return f"9,2024-03-04T05:06:07,{kind},{sub},,,iPhone,{glucose},{insulin},{carbs},{lasted},"


def test_a_reading() -> None:
    (event,) = events(table(row(glucose="103")), CLARITY)
    assert (event.quantity, event.value, event.text, event.unit_text) == ("glucose", 103, "103", "mg/dL")
    assert event.key == "glucose@2024-03-04T05:06:07"
    assert event.flags == (Flag.OFFSET_UNKNOWN,)
    assert event.available == event.instant + LATENCY
    assert event.source.locator == "line 6"


def test_a_stated_zone_makes_an_instant() -> None:
    (event,) = events(table(row(glucose="103")), CLARITY, zone="America/New_York")
    assert event.flags == ()
    assert event.instant.hour == 10


@pytest.mark.parametrize(("word", "value", "bound"), [("Low", 40, Comparator.BELOW), ("High", 400, Comparator.ABOVE)])
def test_low_and_high_are_bounds_that_keep_their_word(word: str, value: float, bound: Comparator) -> None:
    (event,) = events(table(row(glucose=word)), CLARITY)
    assert (event.value, event.comparator, event.text) == (value, bound, word)


def test_millimoles_by_the_title() -> None:
    (event,) = events(table(row(glucose="5.5"), header=HEADER.replace("(mg/dL)", "(mmol/L)")), CLARITY)
    assert event.value == pytest.approx(99.0858)


def test_doses_meals_and_bouts() -> None:
    raw = table(
        row("Insulin", "Fast-Acting", insulin="4"), row("Insulin", "Long-Acting", insulin="16"),
        row("Carbs", carbs="45"), row("Exercise", "Light", lasted="0:30:00"), row("Calibration", glucose="110"),
    )  # fmt: skip
    assert [(event.quantity, event.value) for event in events(raw, CLARITY)] == [
        ("insulin_bolus", 4), ("insulin_long_acting", 16), ("carbohydrate_intake", 45), ("physical_activity", 30),
        ("blood_glucose", 110),
    ]  # fmt: skip


def test_alert_rows_are_counted_though_they_hold_numbers() -> None:
    raw = table(row(glucose="103"), row("Device"))
    assert unmapped(raw, CLARITY) == {
        "row FirstName without a time": 1, "row LastName without a time": 1, "row DateOfBirth without a time": 1,
        "row Alert without a time": 1, "row device": 1,
    }  # fmt: skip


def test_the_person_is_who_the_file_names_whatever_the_file_is_called() -> None:
    (one,) = parts(table(row(glucose="103")), CLARITY, "a.csv")
    (two,) = parts(table(row(glucose="99")), CLARITY, "b.csv")
    assert one.owner == two.owner
    assert one.named
    assert one.people[0][1].name == "Ann Lee"
    assert "Ann" not in one.owner.value
    (nobody,) = parts(table(row(glucose="103"), person=""), CLARITY, anonymous="anonymous-7")
    assert (nobody.named, nobody.owner.value) == (False, "anonymous-7")


def test_a_cut_off_row_and_an_impossible_time() -> None:
    raw = table(row(glucose="103"), row(glucose="104").replace("03-04", "13-44"), "12,2024-03-04T05:11:07,EGV,,,,iPh")
    assert len(events(raw, CLARITY)) == 1
    assert [reason.where for reason in reasons(raw, CLARITY)] == ["line 7", "line 8"]


def test_the_same_moment_twice() -> None:
    same = events(table(row(glucose="103"), row(glucose="103")), CLARITY)
    assert same[0].id == same[1].id
    differing = events(table(row(glucose="103"), row(glucose="90")), CLARITY)
    assert [event.key for event in sorted(differing, key=lambda event: event.key)] == [
        "glucose@2024-03-04T05:06:07", "glucose@2024-03-04T05:06:07#2",
    ]  # fmt: skip
    assert all(Flag.CONTRADICTED in event.flags for event in differing)


def test_recognised_by_its_header() -> None:
    assert named(table(row(glucose="1")), "x.txt") == "dexcom_clarity"
    assert named(b"Index,Timestamp,Glucose\n1,2,3\n") is None
    with pytest.raises(FormatError):
        parts(b"", CLARITY)
