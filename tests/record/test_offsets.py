"""A wall clock whose offset nobody knows loses to one whose offset is known, in memory and in the database alike."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medtwin.record import Moment, Precision, Record, SourcePatient, Status
from medtwin.record.backup import restore, verify
from medtwin.record.event import version
from medtwin.record.facts import unfolded
from medtwin.record.home import open_store
from medtwin.record.schema import SINCE
from record.making import JANE, START, fact

TOKYO = timedelta(hours=9)
SCHEMA_1 = Path(__file__).parent / "schema_1.medtwin"  #: a backup that was written before offsets had a say


def read(minute=0, zone=None, value=100.0, **more):
    """A reading of a wall clock, available when it was true as far as the zone tells."""
    time = Moment(START + timedelta(minutes=minute), Precision.SECOND, None, zone)
    return fact(minute, value, **({"time": time, "available": time.instant} | more))


@pytest.mark.parametrize("zones", [(None, "Asia/Tokyo"), ("Asia/Tokyo", None), (None, "America/Lima")])
def test_the_same_fact_with_its_zone_stands_whichever_came_first(store, grant, zones):
    store.link(JANE, "P1", grant)
    for turn, zone in enumerate(zones):
        receipt = store.append([read(minute, zone) for minute in range(9)], grant)
        assert (len(receipt.new), receipt.superseded) == (9, 9 * turn)
    known = next(zone for zone in zones if zone)
    record = store.record("P1", grant)
    assert len(record.history) == 18
    assert [event.time.zone for event in record.events] == [known] * 9
    seen = store.signal("P1", "glucose", datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), grant)
    assert [moment for moment, _ in seen] == [event.instant for event in record.events]
    (entry,) = store.patients(grant)
    assert (entry.first, entry.last) == (record.events[0].instant, record.events[-1].instant)


def test_facts_of_the_future_are_no_end_of_a_patient_s_time(store, grant):
    store.link(JANE, "P1", grant)
    future = [fact(minute, quantity="heart_rate", flags=("future",)) for minute in range(900, 1100)]
    store.append([*future, fact(0, key="k"), fact(5), fact(30, key="m")], grant)
    store.append([fact(9, key="k", issued=99), fact(20, key="m", issued=99)], grant)
    (entry,) = store.patients(grant)
    assert [(end.hour, end.minute) for end in (entry.first, entry.last)] == [(8, 5), (8, 20)]
    store.append([fact(minute, key=key, status=Status.ENTERED_IN_ERROR, issued=999)
                  for minute, key in ((9, "k"), (20, "m"), (5, "5/glucose"))], grant)  # fmt: skip
    (entry,) = store.patients(grant)
    assert (entry.first, entry.last) == (None, None)


@pytest.mark.parametrize("status", [Status.CORRECTED, Status.ENTERED_IN_ERROR])
def test_an_old_statement_read_again_with_a_zone_undoes_no_correction(store, grant, status):
    store.link(JANE, "P1", grant)
    store.append([read(), read(value=9.0, status=status, available=datetime(2024, 3, 9, tzinfo=UTC))], grant)
    store.append([read(zone="Asia/Tokyo")], grant)
    assert [event.value for event in store.record("P1", grant).events] == ([9.0] if status == Status.CORRECTED else [])


def test_a_correction_read_again_with_its_zone_stands_whichever_came_first(store, grant):
    issued = {"status": Status.CORRECTED, "available": datetime(2024, 3, 9, tzinfo=UTC)}
    for number, zones in enumerate([(None, "Asia/Tokyo"), ("Asia/Tokyo", None)]):
        owner = SourcePatient("dexcom", str(number))
        store.link(owner, f"P{number}", grant)
        for zone in zones:
            store.append([read(zone=zone, owner=owner, **issued)], grant)
        assert [event.time.zone for event in store.record(f"P{number}", grant).events] == ["Asia/Tokyo"]


_versions = st.lists(
    st.tuples(
        st.integers(0, 2),  # the key
        st.sampled_from([(None, None), (None, "Asia/Tokyo"), (None, "America/Lima"), (0, None), (540, None)]),
        st.integers(-20, 20),  # hours after the wall clock at which it was issued
        st.sampled_from(Status),
        st.integers(0, 2),  # the value
    ),
    min_size=1,
    max_size=16,
    unique=True,
)


@given(_versions, st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_orders_of_versions_agree(store, versions, random, lot):
    grant, name = store.issue_grant(), uuid4().hex
    owner, patient = SourcePatient("dexcom", name), f"P-{name}"
    store.link(owner, patient, grant)
    events = [
        fact(0, float(value), owner=owner, key=f"k{key}", issued=60 * hours, status=status,
             time=Moment(START, Precision.SECOND, offset, zone))
        for key, (offset, zone), hours, status, value in versions
    ]  # fmt: skip
    random.shuffle(events)
    for start in range(0, len(events), lot):
        store.append(events[start : start + lot], grant)
    history = store.record(patient, grant).history
    with store.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == []
        standing = dict(connection.rows("SELECT sequence, standing FROM fact WHERE owner ="
                                        " (SELECT id FROM owner WHERE value = ?)", (name,)))  # fmt: skip
    for key in {event.key for event in history}:
        chain = sorted((event for event in history if event.key == key), key=version)
        assert [event.supersedes for event in chain] == [None, *(event.id for event in chain[:-1])]
        assert [standing[event.recorded] for event in chain[:-1]] == [0] * (len(chain) - 1)
        assert standing[chain[-1].recorded] == (2 if chain[-1].status is Status.ENTERED_IN_ERROR else 1)
        if any(event.status is not Status.PRELIMINARY for event in chain):
            assert chain[-1].status is not Status.PRELIMINARY
        if any(event.time.offset_known and event.status is not Status.PRELIMINARY for event in chain):
            assert chain[-1].time.offset_known or chain[-1].status is not Status.FINAL
    happened = [event.instant for event in history if standing[event.recorded] == 1]
    (entry,) = (entry for entry in store.patients(grant) if entry.id == patient)
    assert (entry.first, entry.last) == (min(happened, default=None), max(happened, default=None))
    current = {event.id for event in Record("x", history).events}
    assert current == {event.id for event in history if standing[event.recorded] == 1}


def back(connection, version):
    """The tables as an earlier version left them."""
    connection.run("DELETE FROM schema WHERE version > ?", (version,))
    for table, since in SINCE.items():
        if since > version:
            connection.run(f"DROP TABLE {table}")


def test_a_store_of_the_schema_before_is_folded_anew(opened, store, grant):
    """Facts as the version before left them: the one that was available later stands, and ends the patient's time."""
    store.link(JANE, "P1", grant)
    store.append([read(minute, zone) for zone in (None, "Asia/Tokyo") for minute in range(3)], grant)
    with store.access.database.writing() as connection:
        for minute in range(3):
            known, unknown = (read(minute, zone) for zone in ("Asia/Tokyo", None))
            for event, standing, supersedes in ((known, 0, None), (unknown, 1, bytes.fromhex(known.id))):
                connection.run("UPDATE fact SET standing = ?, supersedes = ? WHERE id = ?",
                               (standing, supersedes, bytes.fromhex(event.id)))  # fmt: skip
        connection.run("UPDATE owner SET last = ?", (int(unknown.instant.timestamp() * 1e6),))
        back(connection, 1)
    store.close()
    again = opened()
    grant = again.issue_grant()
    record = again.record("P1", grant)
    assert [event.time.zone for event in record.events] == ["Asia/Tokyo"] * 3
    assert [event.supersedes for event in record.events] == [read(minute).id for minute in range(3)]
    assert again.patients(grant)[0].last == record.events[-1].instant
    with again.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == []
        assert [row[0] for row in connection.rows("SELECT version FROM schema ORDER BY version")] == [1, 2, 3, 4]


BERLIN = datetime(2024, 10, 27, 2, 30)  # noqa: DTZ001  (shown twice)


def turned(fold=None, zone="Europe/Berlin", local=BERLIN, **more):
    """A reading of the hour that is shown twice: ``fold`` is which of the two, None where nobody knows."""
    time = Moment(local.replace(fold=fold or 0), Precision.MINUTE, None, zone, fold is not None)
    return fact(0, **({"time": time, "available": time.latest, "key": "k"} | more))


def test_an_hour_that_is_shown_twice_is_known_where_it_was_told_apart(store, grant):
    store.link(JANE, "P1", grant)
    first, second, either = turned(0), turned(1), turned()
    assert [event.time.offset_known for event in (first, second, either)] == [True, True, False]
    assert second.instant - first.instant == timedelta(hours=1)
    assert (either.instant, either.available) == (first.instant, second.instant)
    assert len({first.id, second.id, either.id}) == 3
    for event, stands in ((either, either), (first, first), (second, second), (turned(value=7.0), second)):
        store.append([event], grant)
        assert [now.id for now in store.record("P1", grant).events] == [stands.id]
    with store.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == []


def test_an_hour_that_is_never_shown_is_not_known():
    for fold in (None, 0, 1):
        never = turned(fold, local=datetime(2024, 3, 31, 2, 30)).time  # noqa: DTZ001
        assert not never.offset_known
    assert Moment(datetime(2024, 3, 31), Precision.DAY, None, "America/Havana").offset_known  # noqa: DTZ001


def test_a_store_that_took_either_hour_for_the_first_is_folded_anew(opened, store, grant):
    """The schema before held every stated zone for known: a later reading that nobody could place stood."""
    store.link(JANE, "P1", grant)
    known = turned(1, zone="Europe/Berlin")
    other = fact(0, time=Moment(BERLIN, Precision.MINUTE, 60), available=known.available - timedelta(hours=9), key="k")
    either = turned()
    store.append([other, either], grant)
    with store.access.database.writing() as connection:
        for event, standing, supersedes in ((other, 0, None), (either, 1, bytes.fromhex(other.id))):
            connection.run("UPDATE fact SET standing = ?, supersedes = ? WHERE id = ?",
                           (standing, supersedes, bytes.fromhex(event.id)))  # fmt: skip
        back(connection, 2)
    store.close()
    again = opened()
    assert [event.id for event in again.record("P1", again.issue_grant()).events] == [other.id]
    with again.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == []


def test_a_backup_of_the_schema_before_is_brought_along(tmp_path, url):
    assert verify(SCHEMA_1).schema == 1
    restore(SCHEMA_1, tmp_path / "home", url)
    with open_store(tmp_path / "home", url) as store:
        record = store.record("p1", store.issue_grant())
        assert [event.time.zone for event in record.events] == ["Asia/Tokyo"] * 2
        assert [event.time.zone for event in record.history] == ["Asia/Tokyo"] * 2 + [None] * 2
        with store.access.database.reading(snapshot=True) as connection:
            assert unfolded(connection) == []
