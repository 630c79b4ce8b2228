"""Changes of the clock: the order of rows tells which hour is meant, and where it does not, nothing is invented."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medtwin.governance.grant import Grant
from medtwin.record.event import Event, Flag
from medtwin.record.sql import SqlStore
from medtwin.sources.dexcom_clarity import LATENCY
from medtwin.sources.ingest import ingest_bytes
from medtwin.sources.recognise import dialects
from sources.reading import events, reasons
from sources.test_dexcom_clarity import row as clarity_row
from sources.test_dexcom_clarity import table as clarity_table
from sources.test_libreview import row as libre_row
from sources.test_libreview import table as libre_table
from sources.test_table import mapping

READERS = {dialect.name: dialect for dialect in dialects()}
ZONES = ["Europe/London", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tehran",
         "America/Havana", "Pacific/Chatham"]  # fmt: skip
LONDON = "Europe/London"
BACK = datetime(2025, 10, 26, 1, tzinfo=UTC)  #: London sets its clock back
TABLES = mapping(values=[{"column": "value", "quantity": "glucose", "unit": "mg/dL"}])


def changes(zone: str) -> list[datetime]:
    """The instants of some years at which a zone changed its clock."""
    found, hour = [], timedelta(hours=1)
    moment, place = datetime(2018, 1, 1, tzinfo=UTC), ZoneInfo(zone)
    while moment < datetime(2026, 1, 1, tzinfo=UTC):
        if moment.astimezone(place).utcoffset() != (moment + 24 * hour).astimezone(place).utcoffset():
            minute = timedelta(minutes=1)
            while moment.astimezone(place).utcoffset() == (moment + minute).astimezone(place).utcoffset():
                moment += 30 * minute if (moment + 30 * minute).astimezone(place).utcoffset() == moment.astimezone(
                    place).utcoffset() else minute  # fmt: skip
            found.append(moment + minute)
            moment += 24 * hour
        moment += 24 * hour
    return found


CHANGES = [(zone, change) for zone in ZONES for change in changes(zone)]


def written(instants: list[datetime], zone: str, dialect: str) -> bytes:
    """The wall clocks of instants as a source writes them; a reading's value is its place from 0 on."""
    walls = [instant.astimezone(ZoneInfo(zone)) for instant in instants]
    if dialect == "dexcom_clarity":
        rows = [
            clarity_row(glucose=str(100 + i)).replace("2024-03-04T05:06:07", f"{wall:%Y-%m-%dT%H:%M:%S}")
            for i, wall in enumerate(walls)
        ]
        return clarity_table(*rows)
    if dialect == "libreview":
        return libre_table(
            *(libre_row(f"{wall:%d-%m-%Y %H:%M}", 1, scan=str(100 + i)) for i, wall in enumerate(walls)),
            header=libre_table().decode().replace("mmol/L", "mg/dL"),
        )
    lines = [f"{wall:%d/%m/%Y %H:%M},{100 + i}" for i, wall in enumerate(walls)]
    return "\n".join(["when,value", *lines, ""]).encode()


def read(
    instants: list[datetime], zone: str | None, dialect: str = "table", clock: str = ""
) -> list[tuple[Event, datetime]]:
    """Each fact that was read, beside the instant at which it was true."""
    raw = written(instants, clock or zone or "", dialect)
    stated: dict[str, Any] = {"zone": zone, "tables": TABLES}
    assert reasons(raw, READERS[dialect], **stated) == []
    found = events(raw, READERS[dialect], **stated)
    return [(event, instants[int(event.text or "") - 100]) for event in found]


def series(change: datetime, minutes: int, phase: int) -> list[datetime]:
    start = change - timedelta(minutes=180 - phase)
    return [start + timedelta(minutes=minutes * i) for i in range(360 // minutes)]


@given(
    st.sampled_from(CHANGES), st.sampled_from(["table", "dexcom_clarity", "libreview"]), st.integers(1, 10),
    st.integers(0, 9), st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_series_over_a_change_of_the_clock_is_read_back(
    change: tuple[str, datetime], dialect: str, minutes: int, phase: int, backwards: bool
) -> None:
    zone, when = change
    instants = series(when, minutes, phase)
    if backwards:
        instants.reverse()
    found = read(instants, zone, dialect)
    assert len({event.key for event, _ in found}) == len({event.id for event, _ in found}) == len(instants)
    for event, true in found:
        assert event.instant == true
        assert event.time.offset_known
        assert event.flags == ((Flag.UNIT_ASSUMED,) if dialect == "table" else ())
        assert event.available >= true


@given(
    st.sampled_from(CHANGES), st.sampled_from(["table", "dexcom_clarity", "libreview"]), st.booleans(),
    st.sets(st.integers(0, 71), min_size=1, max_size=30), st.integers(0, 4),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_offset_is_invented(
    change: tuple[str, datetime], dialect: str, backwards: bool, kept: set[int], phase: int
) -> None:
    """Whichever rows of a series an export holds, a fact lies at its instant or says that its offset is unknown."""
    zone, when = change
    whole = series(when, 5, phase)
    instants = [whole[place] for place in sorted(kept, reverse=backwards)]
    found = read(instants, zone, dialect)
    assert len(found) == len(instants)
    for event, true in found:
        assert event.available >= true
        assert event.time.offset_known == (Flag.OFFSET_UNKNOWN not in event.flags)
        assert Flag.CONTRADICTED not in event.flags
        if event.time.offset_known:
            assert event.instant == true
        else:
            assert abs(event.instant - true) <= timedelta(hours=1)


@pytest.mark.parametrize("dialect", ["table", "dexcom_clarity", "libreview"])
def test_a_single_row_of_an_hour_that_is_shown_twice_stays_unknown(dialect: str) -> None:
    hour = timedelta(hours=1)
    for instants in ([BACK - hour / 2], [BACK - 4 * hour, BACK - hour / 2, BACK + 4 * hour], [BACK + 2 * hour, BACK]):
        found = [event for event, _ in read(instants, LONDON, dialect) if event.time.local.hour == 1]
        assert [Flag.OFFSET_UNKNOWN in event.flags for event in found] == [True]
        assert not found[0].time.offset_known


def test_rows_in_no_order_do_not_tell() -> None:
    instants = series(BACK, 5, 0)
    random.Random(1).shuffle(instants)
    found = read(instants, LONDON)
    unknown = [event for event, _ in found if not event.time.offset_known]
    assert len(unknown) == 24
    assert {event.time.local.hour for event in unknown} == {1}
    assert all(Flag.CONTRADICTED not in event.flags for event in unknown)  # one in each hour is no contradiction


def test_two_values_in_one_of_the_two_hours_contradict_each_other() -> None:
    instants = series(BACK, 5, 0)
    twice = [*instants[:40], instants[39], *instants[40:]]
    found = read(twice, LONDON)
    assert {true for event, true in found if Flag.CONTRADICTED in event.flags} == {instants[39]}
    assert all(event.instant == true for event, true in found)
    assert len({event.key for event, _ in found}) == len(twice)


@pytest.mark.parametrize("dialect", ["table", "dexcom_clarity", "libreview"])
def test_a_wall_clock_that_no_clock_showed_keeps_its_offset_unknown(dialect: str) -> None:
    spring = datetime(2025, 3, 30, 1, 30, tzinfo=UTC)
    ((event, _),) = read([spring], LONDON, dialect, clock="UTC")
    assert event.time.text.startswith("2025-03-30T01:30")
    assert not event.time.offset_known
    assert Flag.OFFSET_UNKNOWN in event.flags


def test_streams_that_are_in_order_each_tell_for_themselves() -> None:
    """LibreView may list what a sensor stored after what was scanned."""
    instants = series(BACK, 15, 0)
    scans = [libre_row(f"{wall:%d-%m-%Y %H:%M}", 1, scan=f"{5 + i / 10:.1f}") for i, wall in enumerate(
        instant.astimezone(ZoneInfo(LONDON)) for instant in instants)]  # fmt: skip
    stored = [text.replace(",1,,", ",0,", 1) for text in scans]
    found = events(libre_table(*scans, *stored), READERS["libreview"], zone=LONDON)
    assert sorted(event.instant for event in found) == sorted([*instants, *instants])
    assert all(event.time.offset_known for event in found)


def test_an_interval_lasts_as_long_as_it_was_measured() -> None:
    tables = mapping(
        match={"columns": ["when", "value", "lasted"]}, duration={"column": "lasted", "unit": "min"},
        values=[{"column": "value", "quantity": "step_count", "unit": "{steps}"}],
    )  # fmt: skip
    for wall, minutes, end in (
        ("26/10/2025 00:30", 60, BACK + timedelta(minutes=-30)), ("26/10/2025 00:30", 120, BACK + timedelta(minutes=30)),
        ("30/03/2025 00:30", 60, datetime(2025, 3, 30, 1, 30, tzinfo=UTC)),
    ):  # fmt: skip
        raw = f"when,value,lasted\n{wall},5,{minutes}\n".encode()
        (event,) = events(raw, READERS["table"], tables=tables, zone=LONDON)
        assert event.until is not None
        assert event.until.instant == end


@pytest.mark.parametrize("zones", [(None, LONDON), (LONDON, None)])
@pytest.mark.parametrize("dialect", ["table", "dexcom_clarity", "libreview"])
def test_the_two_hours_read_again_with_their_zone_stand(
    store: SqlStore, grant: Grant, dialect: str, zones: tuple[str | None, str | None]
) -> None:
    instants, now = series(BACK, 5, 0), BACK + timedelta(days=9)
    raw = written(instants, LONDON, dialect)
    for zone in zones:
        ingest_bytes(raw, "x.csv", store, grant, patient="jane", zone=zone, mapping=TABLES, now=now)
    (patient,) = {entry.id for entry in store.patients(grant)}
    assert [event.instant for event in store.record(patient, grant).events] == instants
    again = ingest_bytes(raw, "x.csv", store, grant, patient="jane", zone=LONDON, mapping=TABLES, now=now)
    assert again.new == 0


def test_a_row_that_a_later_export_tells_apart_is_superseded(store: SqlStore, grant: Grant) -> None:
    """An export that ends within the hour does not tell; the next one, which goes on, does."""
    instants, now = series(BACK, 5, 0), BACK + timedelta(days=9)
    for raw in (written(instants[:30], LONDON, "dexcom_clarity"), written(instants, LONDON, "dexcom_clarity")):
        ingest_bytes(raw, "x.csv", store, grant, patient="jane", zone=LONDON, now=now)
        record = store.record(store.patients(grant)[0].id, grant)
        unknown = [event for event in record.events if not event.time.offset_known]
    assert unknown == []
    assert [event.instant for event in record.events] == instants
    assert all(event.available == event.instant + LATENCY for event in record.events)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(CHANGES), st.sets(st.integers(0, 71), min_size=3))
def test_what_was_told_apart_survives_the_store(
    store: SqlStore, grant: Grant, change: tuple[str, datetime], kept: set[int]
) -> None:
    zone, when = change
    whole = series(when, 5, 0)
    found = {event.id: event for event, _ in read([whole[place] for place in sorted(kept)], zone)}
    (owner,) = {event.subject for event in found.values()}
    store.link(owner, "jane", grant)
    store.append(list(found.values()), grant)
    for event in store.record("jane", grant).history:
        if event.id in found:
            before = found[event.id].time
            assert repr(event.time) == repr(before)
            assert (event.instant, event.time.offset_known) == (before.instant, before.offset_known)
