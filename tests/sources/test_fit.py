"""FIT: facts against the device's own totals and against tables that others decoded; clocks, counts, breaks, users."""

import csv
import struct
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fitdecode import FitDataMessage, FitReader

from medtwin.governance.grant import Grant
from medtwin.record.event import Event, Flag
from medtwin.record.sql import SqlStore
from medtwin.sources.fit import Reader
from medtwin.sources.fit_facts import EPOCH
from medtwin.sources.ingest import ingest_bytes
from sources.reading import events, named, parts, reasons, unmapped

FIT = Reader()
#: numbers of the profile: message -> (global number, field -> (definition number, struct format))
PROFILE = {
    "file_id": (0, {"type": (0, "B"), "manufacturer": (1, "H"), "serial_number": (3, "I"), "time_created": (4, "I")}),
    "user_profile": (3, {"message_index": (254, "H"), "local_id": (22, "H")}),
    "record": (20, {"timestamp": (253, "I"), "heart_rate": (3, "B"), "distance": (5, "I")}),
    "session": (18, {"timestamp": (253, "I"), "start_time": (2, "I"), "total_elapsed_time": (7, "I"),
                     "total_timer_time": (8, "I"), "total_distance": (9, "I"), "total_calories": (11, "H")}),
    "lap": (19, {"timestamp": (253, "I"), "start_time": (2, "I"), "total_elapsed_time": (7, "I"), "total_distance": (9, "I")}),
    "activity": (34, {"timestamp": (253, "I"), "local_timestamp": (5, "I")}),
    "weight_scale": (30, {"timestamp": (253, "I"), "weight": (0, "H"), "percent_fat": (1, "H"), "user_profile_index": (12, "H")}),
    "blood_pressure": (51, {"timestamp": (253, "I"), "systolic_pressure": (0, "H"), "diastolic_pressure": (1, "H"),
                            "mean_arterial_pressure": (2, "H"), "heart_rate": (6, "B"), "status": (8, "B")}),
    "monitoring_info": (103, {"timestamp": (253, "I"), "local_timestamp": (0, "I")}),
    "monitoring": (55, {"timestamp": (253, "I"), "timestamp_16": (26, "H"), "cycles": (3, "I"), "activity_type": (5, "B"),
                        "heart_rate": (27, "B")}),
    "monitoring_hr_data": (211, {"timestamp": (253, "I"), "resting_heart_rate": (0, "B"),
                                 "current_day_resting_heart_rate": (1, "B")}),
    "spo2_data": (269, {"timestamp": (253, "I"), "reading_spo2": (0, "B")}),
    "hrv": (78, {"time": (0, "H")}),
    "sleep_level": (275, {"timestamp": (253, "I"), "sleep_level": (0, "B")}),
    "unknown": (65280, {"timestamp": (253, "I")}),
}  # fmt: skip
TYPES = {"B": 0x02, "H": 0x84, "I": 0x86}
NOON = int((datetime(2024, 5, 1, 12, tzinfo=UTC) - EPOCH).total_seconds())
MIDNIGHT = NOON - 12 * 3600
WATCH = ("file_id", {"type": 4, "manufacturer": 1, "serial_number": 4711, "time_created": NOON})


def checksum(raw: bytes) -> int:
    """CRC-16 of the FIT protocol, bit by bit (polynomial 0xA001), not by the table that fitdecode has."""
    crc = 0
    for byte in raw:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def fit(*messages: tuple[str, dict[str, int]]) -> bytes:
    """A FIT file of these messages, each behind its own definition."""
    body = b""
    for name, values in messages:
        number, fields = PROFILE[name]
        used = [(*fields[field], value) for field, value in values.items()]
        body += struct.pack("<BBBHB", 0x40, 0, 0, number, len(used))
        body += b"".join(struct.pack("<BBB", field, struct.calcsize(form), TYPES[form]) for field, form, _ in used)
        body += b"\0" + b"".join(struct.pack("<" + form, value) for _, form, value in used)
    header = struct.pack("<BBHI4s", 14, 0x10, 2000, len(body), b".FIT")
    raw = header + struct.pack("<H", checksum(header)) + body
    return raw + struct.pack("<H", checksum(raw))


def beat(after: int, rate: int) -> tuple[str, dict[str, int]]:
    return "record", {"timestamp": NOON + after, "heart_rate": rate}


RIDE = fit(WATCH, beat(0, 71), beat(5, 74), beat(9, 80))


def shown(found: list[Event]) -> dict[str, list[float | None]]:
    said: dict[str, list[float | None]] = {}
    for event in found:
        assert isinstance(event.value, float)
        said.setdefault(event.quantity, []).append(event.value)
    return said


# what the device or somebody else says


@pytest.mark.shared
@pytest.mark.parametrize("name", ["run", "walk"])
def test_an_activity_agrees_with_the_table_that_others_decoded(name: str, shared_data: Path) -> None:
    folder = shared_data / "metabolism" / "exports"
    with (folder / f"garmin_fenix-5-{name}-records.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = events((folder / f"garmin_fenix-5-{name}.fit").read_bytes(), FIT)
    when = [datetime.strptime(row["timestamp"].replace("PDT ", ""), "%a %b %d %H:%M:%S %Y") for row in rows]  # noqa: DTZ007
    beats = [event for event in found if event.quantity == "heart_rate"]
    assert [(event.time.local, event.value) for event in beats] == [
        (time, float(row["heart_rate"])) for time, row in zip(when, rows, strict=True)
    ]
    pacific = ZoneInfo("America/Los_Angeles")
    assert [event.instant for event in beats] == [time.replace(tzinfo=pacific).astimezone(UTC) for time in when]
    # the last record is written up to a few seconds before the lap is closed
    metres = sum(event.value for event in found if event.quantity == "distance_travelled")  # type: ignore[misc]
    assert float(rows[-1]["distance"]) <= metres <= float(rows[-1]["distance"]) + 20


@pytest.mark.shared
def test_a_day_of_steps_agrees_with_the_days_total(shared_data: Path) -> None:
    """The last messages of the file state the totals of the day: 3142 steps of walking and 31 of running."""
    raw = (shared_data / "plumbing" / "fit_wearable" / "MonitoringFile.fit").read_bytes()
    steps = [event for event in events(raw, FIT) if event.quantity == "step_count"]
    by_kind = {kind: [event for event in steps if event.key.endswith(kind)] for kind in ("walking", "running")}
    assert {kind: sum(event.value for event in own) for kind, own in by_kind.items()} == {
        "walking": 3142,
        "running": 31,
    }  # type: ignore[misc]
    for own in by_kind.values():  # one after the other, from local midnight to local midnight
        assert own[0].time.text == "2014-12-27T00:00:00-06:00"
        assert own[-1].until is not None
        assert own[-1].until.text == "2014-12-28T00:00:00-06:00"
        assert all(one.until == two.time for one, two in pairwise(own))


@pytest.mark.shared
def test_short_times_lie_between_the_full_times_beside_them(shared_data: Path) -> None:
    """Events of the same file have full timestamps: 16-bit times that wrap within the day must fall in between."""
    raw = (shared_data / "plumbing" / "fit_wearable" / "MonitoringFile.fit").read_bytes()
    ends = {event.source.locator: event.until for event in events(raw, FIT)}
    before, met, counted = None, 0, 0
    with FitReader(raw, keep_raw_chunks=True) as reader:
        for frame in reader:
            if isinstance(frame, FitDataMessage) and frame.name == "event":
                before = frame.get_value("timestamp")
                continue
            if isinstance(frame, FitDataMessage) and frame.name == "monitoring":
                counted += frame.has_field("cycles") or frame.has_field("steps")
            if isinstance(frame, FitDataMessage) and (end := ends.get(f"byte {frame.chunk.offset}")) is not None:
                met += 1
                assert before is None or before <= end.instant
                assert before is None or end.instant - before < timedelta(hours=8)
    assert met == counted > 80


# each message


def test_heart_rate_and_the_offset_of_the_clock() -> None:
    assert named(RIDE) == "fit"
    plain = events(RIDE, FIT)
    assert [(event.value, event.time.text) for event in plain][:1] == [(71, "2024-05-01T12:00:00+00:00")]
    local = fit(WATCH, beat(0, 71), ("activity", {"timestamp": NOON + 9, "local_timestamp": NOON + 9 + 7200}))
    (event,) = events(local, FIT)
    assert (event.time.text, event.instant) == ("2024-05-01T14:00:00+02:00", plain[0].instant)
    assert event.key == plain[0].key  # the file that broke off before it said so names the fact alike
    odd = fit(WATCH, beat(0, 71), ("activity", {"timestamp": NOON, "local_timestamp": 1}))
    assert events(odd, FIT)[0].time.text == "2024-05-01T12:00:00+00:00"
    assert unmapped(odd, FIT)["activity.local_timestamp that fits no offset"] == 1


def test_a_bout_has_length_energy_and_the_distance_of_its_laps() -> None:
    session = {"timestamp": NOON + 700, "start_time": NOON, "total_elapsed_time": 660_500, "total_timer_time": 600_000,
               "total_distance": 200_000, "total_calories": 90}  # fmt: skip
    laps = [("lap", {"timestamp": NOON, "start_time": NOON + after, "total_elapsed_time": 330_000, "total_distance": 100_000})
            for after in (0, 330)]  # fmt: skip
    found = shown(events(fit(WATCH, *laps, ("session", session)), FIT))
    assert found == {"distance_travelled": [1000, 1000], "physical_activity": [10], "active_energy": [90]}
    (event,) = [
        event for event in events(fit(WATCH, ("session", session)), FIT) if event.quantity == "distance_travelled"
    ]
    assert event.value == 2000
    assert event.until is not None
    assert (event.until.instant - event.instant).total_seconds() == 660.5
    lacking = {name: value for name, value in session.items() if name != "start_time"}
    assert "without its start" in reasons(fit(WATCH, ("session", lacking)), FIT)[0].found


def test_a_cuff() -> None:
    reading = {"timestamp": NOON, "systolic_pressure": 131, "diastolic_pressure": 84, "mean_arterial_pressure": 100,
               "heart_rate": 66, "status": 0}  # fmt: skip
    found = events(fit(WATCH, ("blood_pressure", reading)), FIT)
    assert shown(found) == {
        "systolic_pressure": [131], "diastolic_pressure": [84], "mean_arterial_pressure": [100], "heart_rate": [66],
    }  # fmt: skip
    assert len({event.group for event in found}) == 1
    failed = fit(WATCH, ("blood_pressure", reading | {"status": 3}))
    assert events(failed, FIT) == []
    assert "error_data_out_of_range" in reasons(failed, FIT)[0].found


def test_what_a_night_says() -> None:
    raw = fit(
        WATCH, ("monitoring_hr_data", {"timestamp": NOON, "resting_heart_rate": 52, "current_day_resting_heart_rate": 50}),
        ("spo2_data", {"timestamp": NOON, "reading_spo2": 96}), ("sleep_level", {"timestamp": NOON, "sleep_level": 3}),
        ("hrv", {"time": 812}), ("unknown", {"timestamp": NOON}),
    )  # fmt: skip
    assert shown(events(raw, FIT)) == {"resting_heart_rate": [50], "oxygen_saturation": [96]}
    assert unmapped(raw, FIT) == {
        "message file_id": 1, "message hrv": 1, "message sleep_level": 1, "message unknown_65280": 1,
        "monitoring_hr_data.resting_heart_rate": 1,
    }  # fmt: skip


def test_no_contact_is_no_reading_and_255_is_invalid() -> None:
    raw = fit(WATCH, beat(0, 0), beat(1, 255), beat(2, 70))
    assert shown(events(raw, FIT)) == {"heart_rate": [70]}
    assert unmapped(raw, FIT)["record.heart_rate of 0 or less: no reading"] == 1
    calculating = fit(WATCH, ("weight_scale", {"timestamp": NOON, "weight": 0xFFFE}))
    assert events(calculating, FIT) == []
    assert unmapped(calculating, FIT)["weight_scale.weight calculating"] == 1


def test_clocks_that_were_never_set_are_a_reason() -> None:
    raw = fit(WATCH, ("record", {"timestamp": 5000, "heart_rate": 70}), ("record", {"heart_rate": 71}), beat(1, 72))
    assert shown(events(raw, FIT)) == {"heart_rate": [72]}
    first, second = reasons(raw, FIT)
    assert "switched on" in first.found
    assert "clock" in first.remedy
    assert "without a timestamp" in second.found
    assert (first.where, second.where) != ("", "")
    lost = fit(WATCH, ("monitoring", {"timestamp_16": 7, "heart_rate": 60}))
    assert "16 bits" in reasons(lost, FIT)[0].found


# counts that go on


def info(after: int = 0, hours: int = 0) -> tuple[str, dict[str, int]]:
    return "monitoring_info", {"timestamp": MIDNIGHT + after, "local_timestamp": MIDNIGHT + after + hours * 3600}


def walked(after: int, count: int) -> tuple[str, dict[str, int]]:
    return "monitoring", {"timestamp_16": MIDNIGHT + after & 0xFFFF, "cycles": count, "activity_type": 6}


def steps(raw: bytes) -> list[tuple[float, float, float]]:
    """(hour after midnight of start, of end, steps)"""
    found = []
    for event in events(raw, FIT):
        assert event.until is not None
        assert isinstance(event.value, float)
        begin = (event.instant - EPOCH).total_seconds() - MIDNIGHT
        found.append(
            (begin / 3600, begin / 3600 + (event.until.instant - event.instant).total_seconds() / 3600, event.value)
        )
    return found


def test_steps_are_differences_and_start_anew_at_midnight() -> None:
    day = fit(
        WATCH,
        info(),
        *(walked(3600 * hour, count) for hour, count in ((1, 200), (2, 350), (16, 350), (24, 351), (25, 400))),
    )
    assert steps(day) == [(0, 1, 200), (1, 2, 150), (2, 16, 0), (16, 24, 1), (24, 25, 400)]


def test_a_file_from_within_a_day_gives_no_count_twice() -> None:
    raw = fit(WATCH, info(36000), walked(36000, 5000), walked(39600, 5100))
    assert steps(raw) == [(10, 11, 100)]
    assert unmapped(raw, FIT)["monitoring: a first count of step_count, with nothing to take it from"] == 1


def test_a_day_that_begins_within_the_file_is_whole() -> None:
    run = ("monitoring", {"timestamp_16": MIDNIGHT + 90000 & 0xFFFF, "cycles": 70, "activity_type": 1})
    raw = fit(WATCH, info(36000), walked(36000, 5000), walked(86400, 5100), run, walked(93600, 300))
    assert steps(raw) == [(10, 24, 100), (24, 25, 70), (24, 26, 300)]


def test_a_count_that_falls_started_anew() -> None:
    raw = fit(WATCH, info(36000), walked(36000, 5000), walked(39600, 60))
    assert steps(raw) == [(10, 11, 60)]


# breaks


def test_every_message_before_a_break_is_a_fact_and_the_rest_a_reason() -> None:
    """Wherever it breaks off: each heart rate whose last byte is there is a fact."""
    beats = ((0, 71), (5, 74), (9, 80))
    ends = [RIDE.index(struct.pack("<IB", NOON + after, rate)) + 5 for after, rate in beats]
    whole = {event.id for event in events(RIDE, FIT)}
    for cut in range(len(RIDE)):
        if cut < 12:
            assert named(RIDE[:cut]) is None
            continue
        found = events(RIDE[:cut], FIT)
        assert [event.value for event in found] == [71, 74, 80][: sum(end <= cut for end in ends)]
        assert {event.id for event in found} <= whole
        (reason,) = reasons(RIDE[:cut], FIT)
        assert "ends too early" in reason.found
        assert reason.remedy


def test_a_break_harms_no_file_after_it_and_the_store_takes_it_all(store: SqlStore, grant: Grant) -> None:
    place = RIDE.index(struct.pack("<IB", NOON + 5, 74)) - 1
    wrong = bytearray(RIDE)
    wrong[place] = 0x07  # a message of which there is no definition
    chained = bytes(wrong) + fit(WATCH, beat(100, 90)) + b"rest"
    report = ingest_bytes(chained, "ride.fit", store, grant, patient="jane")
    assert [event.value for event in store.record("jane", grant).events] == [71, 90]
    found = sorted(item.found for item in store.quarantined(grant))
    assert report.exit_code == 0
    assert len(found) == 2
    assert found[0] == "4 bytes that begin no FIT file"
    assert "cannot be read further" in found[1]


def test_a_wrong_checksum_is_said() -> None:
    raw = RIDE[:-1] + bytes([RIDE[-1] ^ 1])
    assert len(events(raw, FIT)) == 3
    (reason,) = reasons(raw, FIT)
    assert "checksum" in reason.found
    head = RIDE[:2] + bytes([RIDE[2] ^ 1]) + RIDE[3:]
    assert any("checksum" in reason.found for reason in reasons(head, FIT))
    assert reasons(RIDE, FIT) == []


# whose


def test_the_device_is_the_key_of_the_person(store: SqlStore, grant: Grant) -> None:
    (part,) = parts(RIDE, FIT)
    assert (part.owner.system, part.owner.value, part.named) == ("fit", "1-4711", False)
    waiting = ingest_bytes(RIDE, "ride.fit", store, grant)
    assert [row.unassigned for row in waiting.sources] == [3]
    ingest_bytes(RIDE, "ride.fit", store, grant, patient="jane")
    ingest_bytes(fit(WATCH, beat(1000, 99)), "next.fit", store, grant)  # the same watch, nobody stated
    assert [event.value for event in store.record("jane", grant).events] == [71, 74, 80, 99]
    other = fit(("file_id", {"type": 4, "manufacturer": 2, "serial_number": 4711}), beat(0, 60))
    assert [row.unassigned for row in ingest_bytes(other, "other.fit", store, grant).sources] == [1]
    assert parts(fit(beat(0, 60)), FIT)[0].owner.value == "anonymous-1"


def weighed(user: int, grams: int) -> tuple[str, dict[str, int]]:
    return "weight_scale", {"timestamp": NOON + user, "weight": grams // 10, "user_profile_index": user}


def test_a_scale_keeps_its_users_apart(store: SqlStore, grant: Grant) -> None:
    profiles = [("user_profile", {"message_index": index, "local_id": local}) for index, local in ((0, 5), (1, 6))]
    raw = fit(WATCH, *profiles, weighed(0, 75_800), weighed(1, 58_200))
    found = {part.owner.value: part for part in parts(raw, FIT)}
    assert set(found) == {"1-4711-local-user-5", "1-4711-local-user-6"}
    for part, weight in zip(found.values(), (75.8, 58.2), strict=True):
        assert part.several
        assert "serial number 4711 by garmin" in part.keyed
        assert [event.value for event in events(part.raw, FIT)] == [weight]
        assert reasons(part.raw, FIT) == []
        assert [again.owner for again in parts(part.raw, FIT)] == [part.owner]
    report = ingest_bytes(raw, "scale.fit", store, grant, patient="jane")
    assert any("--patient was not used" in note for note in report.notes)
    (alone,) = parts(fit(WATCH, *profiles, weighed(1, 58_200)), FIT)
    assert alone.owner.value == "1-4711-local-user-6"
    broken = raw[:-10]
    ingest_bytes(broken, "scale.fit", store, grant)
    assert any("ends too early" in item.found for item in store.quarantined(grant))


def test_two_values_of_one_second_contradict_each_other() -> None:
    found = events(fit(WATCH, beat(0, 71), beat(0, 90), beat(0, 71)), FIT)
    assert {(event.value, Flag.CONTRADICTED in event.flags) for event in found} == {(71, True), (90, True)}
