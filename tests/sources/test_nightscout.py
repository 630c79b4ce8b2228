"""Nightscout and oref0: readings, doses, meals, rates that are ended, times of several spellings, files without facts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from medtwin.governance.grant import Grant
from medtwin.record.event import Event, Flag, Status
from medtwin.record.sql import SqlStore
from medtwin.sources.ingest import ingest_bytes
from medtwin.sources.nightscout import Reader
from sources.reading import events, named, reasons, unmapped

NIGHT = Reader()
MILLISECONDS = 1527924300000  # 2018-06-02T07:25:00Z
TIME = datetime(2018, 6, 2, 7, 25, tzinfo=UTC)


def file(*documents: dict[str, Any]) -> bytes:
    return json.dumps(documents).encode()


def sgv(value: float = 101, after: int = 0, **stated: Any) -> dict[str, Any]:
    return {"_id": f"e{after}", "type": "sgv", "sgv": value, "date": MILLISECONDS + after * 60_000} | stated


def treatment(kind: str = "Meal Bolus", minute: int = 0, **stated: Any) -> dict[str, Any]:
    return {"_id": f"t{kind}{minute}", "eventType": kind, "created_at": f"2018-06-02T07:{minute:02d}:00.000Z"} | stated


def shown(found: list[Event]) -> list[tuple[str, object, str]]:
    return [(event.quantity, event.value, event.time.text) for event in found]


# readings


def test_a_reading_and_the_spellings_of_its_time() -> None:
    raw = file(
        sgv(dateString="2018-06-02T00:25:00-0700"), sgv(102, 5, utcOffset=120), sgv(103, 10, dateString="Sat Jun 02")
    )
    assert named(raw) == "nightscout"
    found = events(raw, NIGHT)
    assert shown(found) == [
        ("glucose", 101, "2018-06-02T00:25:00-07:00"), ("glucose", 102, "2018-06-02T09:30:00+02:00"),
        ("glucose", 103, "2018-06-02T07:35:00+00:00"),
    ]  # fmt: skip
    assert [event.instant - TIME for event in found] == [timedelta(minutes=after) for after in (0, 5, 10)]
    assert {event.flags for event in found} == {(Flag.UNIT_ASSUMED,)}


def test_units_as_stated() -> None:
    plain, mg, meter = events(
        file(
            sgv(5.6, units="mmol"), sgv(100, 5, units="mg"),
            {"type": "mbg", "mbg": 5.9, "units": "mmol/l", "date": MILLISECONDS, "device": "meter"},
        ), NIGHT,
    )  # fmt: skip
    assert (plain.quantity, plain.text, plain.value) == ("glucose", "5.6", pytest.approx(5.6 * 18.0156))
    assert (mg.value, mg.flags) == (100, ())
    assert (meter.quantity, meter.value) == ("blood_glucose", pytest.approx(5.9 * 18.0156))


def test_millimoles_without_a_unit_are_flagged_and_error_codes_are_no_glucose() -> None:
    raw = file(
        *(sgv(value, 5 * index) for index, value in enumerate((5.6, 6.1, 7.2, 6.6))),
        sgv(5, 40),
        {"type": "cal", **sgv(1, 45)},
    )
    assert [Flag.IMPLAUSIBLE in event.flags for event in events(raw, NIGHT)] == [True] * 4
    assert unmapped(raw, NIGHT) == {"entry sgv that is an error code of the sensor": 2}
    assert unmapped(file(sgv(type="cal")), NIGHT) == {"entry cal": 1}


def test_what_is_wrong_has_a_reason() -> None:
    raw = file(
        sgv("many"), sgv(100, 5, date=1527924300), sgv(100, 10, dateString="2018-06-02T07:25:00-0700"), sgv(101, 15),
        {"hello": 1}, treatment("Meal Bolus", created_at="yesterday", insulin=4), treatment("Meal Bolus", 9, insulin="lots"),
    )  # fmt: skip
    assert [event.value for event in events(raw, NIGHT)] == [101]
    found = reasons(raw, NIGHT)
    assert [reason.where for reason in found] == ["[0]", "[1]", "[2]", "[4]", "[5]", "[6]"]
    assert "milliseconds" in found[1].expected
    assert "two times" in found[2].found
    assert "lots" in found[5].found


def test_the_same_document_twice_is_one_fact_and_other_values_contradict() -> None:
    assert len({event.id for event in events(file(sgv(), sgv()), NIGHT)}) == 1
    other = events(file(sgv(), sgv(140, _id="another")), NIGHT)
    assert all(Flag.CONTRADICTED in event.flags for event in other)
    nameless = [{name: value for name, value in sgv(value).items() if name != "_id"} for value in (101, 140)]
    assert all(Flag.CONTRADICTED in event.flags for event in events(file(*nameless), NIGHT))


# treatments


def test_a_meal_and_its_bolus() -> None:
    raw = file(
        treatment(insulin=4.5, carbs=60, protein=20, fat=10, utcOffset=-420, notes="pasta"), treatment("Site Change", 5)
    )
    assert shown(events(raw, NIGHT)) == [
        ("insulin_bolus", 4.5, "2018-06-02T00:00:00.000000-07:00"),
        ("carbohydrate_intake", 60, "2018-06-02T00:00:00.000000-07:00"),
        ("protein_intake", 20, "2018-06-02T00:00:00.000000-07:00"), ("fat_intake", 10, "2018-06-02T00:00:00.000000-07:00"),
        ("note", events(raw, NIGHT)[4].value, "2018-06-02T00:00:00.000000-07:00"),
    ]  # fmt: skip
    assert events(raw, NIGHT)[4].text == "Meal Bolus: pasta"
    assert unmapped(raw, NIGHT) == {"treatment Site Change": 1}


def test_a_combo_bolus_has_two_parts() -> None:
    """10 U, 40 % now and the rest over two hours: 3 U/h."""
    now, extended = events(
        file(treatment("Combo Bolus", insulin=4, relative=3, duration=120, splitNow=40, splitExt=60)), NIGHT
    )
    assert (now.value, now.until, extended.value) == (4, None, 6)
    assert extended.until is not None
    assert extended.until.instant - extended.instant == timedelta(hours=2)
    assert now.key != extended.key


def test_finger_and_sensor_glucose() -> None:
    raw = file(
        treatment("BG Check", glucose=6, glucoseType="Finger", units="mmol"),
        treatment("Meal Bolus", 5, glucose=100, glucoseType="Sensor", insulin=1, units="mg/dl"),
        treatment("BG Check", 9, glucose=6.1, glucoseType="Finger"),
    )  # fmt: skip
    found = {event.quantity: event.value for event in events(raw, NIGHT)}
    assert found == {"blood_glucose": pytest.approx(6 * 18.0156), "insulin_bolus": 1}
    assert "without a unit" in reasons(raw, NIGHT)[0].found
    assert unmapped(raw, NIGHT) == {"treatment glucose Sensor": 1}


def test_exercise_switches_and_long_acting_insulin() -> None:
    raw = file(
        treatment("Exercise", duration=30), treatment("Profile Switch", 5, profile="Night", percentage=80),
        treatment("Note", 6, insulin=14, insulinInjections='[{"insulin":"Lantus","units":14}]'),
    )  # fmt: skip
    walk, switch = events(raw, NIGHT)
    assert (walk.quantity, walk.value) == ("physical_activity", 30)
    assert walk.until is not None
    assert walk.until.instant - walk.instant == timedelta(minutes=30)
    assert switch.text == "Profile Switch: Night"
    assert "names its insulin" in reasons(raw, NIGHT)[0].found


def test_a_deleted_document_takes_its_facts_back(store: SqlStore, grant: Grant) -> None:
    made = treatment(insulin=4.5, srvCreated=MILLISECONDS)
    ingest_bytes(file(made), "a.json", store, grant, patient="jane")
    ingest_bytes(
        file(made | {"isValid": False, "srvModified": MILLISECONDS + 1000}), "b.json", store, grant, patient="jane"
    )
    assert store.record("jane", grant).of("insulin_bolus") == ()


def test_what_was_entered_later_was_known_later() -> None:
    (event,) = events(file(treatment(carbs=40, srvCreated=MILLISECONDS)), NIGHT)
    assert (event.instant, event.available) == (datetime(2018, 6, 2, 7, tzinfo=UTC), TIME)


# rates


def rates(raw: bytes) -> list[tuple[object, int, Status]]:
    """(U/h, minutes, status)"""
    found = []
    for event in events(raw, NIGHT):
        assert event.quantity == "insulin_basal_rate"
        assert event.until is not None
        found.append((event.value, round((event.until.instant - event.instant).total_seconds() / 60), event.status))
    return found


def test_a_rate_ends_as_programmed_or_by_what_follows() -> None:
    raw = file(
        treatment("Temp Basal", 0, absolute=1.2, duration=30), treatment("Temp Basal", 10, rate=0, temp="absolute", duration=30),
        treatment("Temp Basal", 15, duration=0),
        treatment("Temp Basal", 40, absolute=0.4, durationInMilliseconds=600_000, duration=9),
    )  # fmt: skip
    assert rates(raw) == [
        (1.2, 30, Status.FINAL), (1.2, 10, Status.CORRECTED), (0, 30, Status.FINAL), (0, 5, Status.CORRECTED),
        (0.4, 10, Status.FINAL),
    ]  # fmt: skip
    assert unmapped(raw, NIGHT) == {"end of a temporary basal rate": 1}


def test_nobody_knew_the_end_before_it_came(store: SqlStore, grant: Grant) -> None:
    raw = file(treatment("Temp Basal", 0, absolute=1.2, duration=30), treatment("Temp Basal", 10, duration=0))
    ingest_bytes(raw, "a.json", store, grant, patient="jane")
    record = store.record("jane", grant)
    for minute, lasts in ((5, 30), (10, 10), (59, 10)):
        (event,) = record.known_by(datetime(2018, 6, 2, 7, minute, tzinfo=UTC)).of("insulin_basal_rate")
        assert event.until is not None
        assert event.until.instant - event.instant == timedelta(minutes=lasts)


def test_a_percentage_is_no_rate_unless_it_is_none() -> None:
    raw = file(
        treatment("Temp Basal", 0, percent=-100, duration=30), treatment("Temp Basal", 30, percent=50, duration=30),
        treatment("Temp Basal", 50, rate=80, temp="percent", duration=5), treatment("Temp Basal", 55, absolute=1),
    )  # fmt: skip
    (event,) = events(raw, NIGHT)
    assert (event.value, event.text) == (0, "-100")
    first, second = reasons(raw, NIGHT)
    assert ("50 %" in first.found, "80 %" in second.found, first.expected) == (True, True, "U/h")
    assert "schedule" in first.remedy


def pumped(kind: str, minute: int, **stated: Any) -> dict[str, Any]:
    return {"_type": kind, "timestamp": f"2018-06-02T07:{minute:02d}:00-07:00"} | stated


def test_a_pumps_history() -> None:
    raw = file(
        pumped("Bolus", 5, amount=0.4, duration=0), pumped("Bolus", 6, amount=2.0, duration=60),
        pumped("TempBasalDuration", 0, **{"duration (min)": 30}), pumped("TempBasal", 0, temp="absolute", rate=1.5),
        pumped("PumpSuspend", 20), pumped("PumpResume", 25), pumped("TempBasal", 40, temp="percent", rate=80),
        pumped("TempBasalDuration", 40, **{"duration (min)": 30}), pumped("BolusWizard", 50, carb_input=30, carb_units="grams"),
        pumped("BasalProfileStart", 55, rate=1.0), pumped("TempBasal", 57, temp="absolute", rate=2),
    )  # fmt: skip
    found = events(raw, NIGHT)
    said = [(event.quantity, event.value, event.until is not None) for event in found]
    assert said == [
        ("insulin_bolus", 0.4, False), ("insulin_bolus", 2, True), ("carbohydrate_intake", 30, False),
        ("insulin_basal_rate", 1.5, True), ("insulin_basal_rate", 1.5, True), ("insulin_basal_rate", 0, True),
    ]  # fmt: skip
    assert [event.until.instant - event.instant for event in found[3:] if event.until] == [
        timedelta(minutes=30), timedelta(minutes=20), timedelta(minutes=5),
    ]  # fmt: skip
    assert {reason.found for reason in reasons(raw, NIGHT)} == {
        "a temporary basal rate of 80 %", "a TempBasal without its TempBasalDuration",
    }  # fmt: skip
    assert "without its end" in reasons(file(pumped("PumpSuspend", 20)), NIGHT)[0].found


def test_a_wall_clock_stays_one_unless_a_zone_is_stated() -> None:
    old = file({"_type": "Bolus", "timestamp": "2014-11-25T18:03:28", "amount": 2})
    assert Flag.OFFSET_UNKNOWN in events(old, NIGHT)[0].flags
    assert events(old, NIGHT, zone="America/Los_Angeles")[0].instant == datetime(2014, 11, 26, 2, 3, 28, tzinfo=UTC)


# files


def test_lines_answers_of_the_interface_and_single_objects() -> None:
    two = [sgv(), sgv(102, 5)]
    lines = b"\n".join(json.dumps(one).encode() for one in two)
    answer = json.dumps({"status": 200, "result": two}).encode()
    assert {event.id for event in events(lines, NIGHT)} == {event.id for event in events(answer, NIGHT)}
    assert (named(lines), named(answer), named(json.dumps(sgv()).encode())) == ("nightscout",) * 3
    assert len(events(lines, NIGHT)) == 2


def test_every_document_before_a_break_is_a_fact() -> None:
    raw = file(*(sgv(100 + index, index) for index in range(3)))
    ends = [index + 1 for index, byte in enumerate(raw) if byte == ord("}")]
    for cut in range(ends[0], len(raw)):
        assert [event.value for event in events(raw[:cut], NIGHT)] == [100, 101, 102][: sum(end <= cut for end in ends)]
        assert "breaks off" in reasons(raw[:cut], NIGHT)[0].found
    assert reasons(raw, NIGHT) == []


@pytest.mark.shared
def test_files_of_settings_are_known_and_hold_no_facts(shared_data: Path) -> None:
    folder = shared_data / "metabolism" / "exports"
    for name in ("autosens", "basal_profile", "clock", "iob", "meal", "profile", "suggested", "temp_basal"):
        raw = (folder / f"oref0_{name}.json").read_bytes()
        assert named(raw) == "nightscout", name
        assert events(raw, NIGHT) == [], name
        assert reasons(raw, NIGHT) == [], name
        assert sum(unmapped(raw, NIGHT).values()) >= 1, name


@pytest.mark.shared
def test_oref0s_files_agree_with_what_oref0_made_of_them(shared_data: Path) -> None:
    """Its own outputs beside them: carbohydrate of 20 g, glucose of 101, a bolus of 0.4 U, the last rate 0 U/h since midnight."""
    folder = shared_data / "metabolism" / "exports"

    def said(name: str) -> list[Event]:
        return events((folder / f"oref0_{name}.json").read_bytes(), NIGHT)

    meal = json.loads((folder / "oref0_meal.json").read_bytes())
    suggested = json.loads((folder / "oref0_suggested.json").read_bytes())
    first = json.loads((folder / "oref0_iob.json").read_bytes())[0]
    assert sum(event.value for event in said("carbhistory")) == meal["carbs"]  # type: ignore[misc]
    last = max(said("glucose"), key=lambda event: event.instant)
    assert last.value == suggested["bg"]
    found = {event.quantity: event for event in said("pumphistory")}
    bolus, rate = found["insulin_bolus"], found["insulin_basal_rate"]
    assert bolus.value == first["bolusinsulin"]
    assert bolus.instant.timestamp() * 1000 == first["lastBolusTime"]
    assert (rate.value, rate.instant.timestamp() * 1000) == (first["lastTemp"]["rate"], first["lastTemp"]["date"])
    assert meal["lastCarbTime"] == max(event.instant for event in said("carbhistory")).timestamp() * 1000
