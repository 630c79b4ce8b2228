"""The contract of a store: what comes in comes out, once, with the newest version current."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medtwin.errors import FormatError, StoreError, UnknownPatient
from medtwin.record import Code, Flag, Intent, SourcePatient, Status
from medtwin.record.store import QUARANTINE, Demographics
from record.making import JANE, START, fact, odd_events, readings

BOB = SourcePatient("dexcom", "bob-2")
UTC_START = START.replace(tzinfo=UTC)


def test_facts_come_back_as_a_record(store, grant):
    events = readings(50)
    receipt = store.append(events, grant)
    assert (receipt.sequence, receipt.new) == (50, tuple(event.id for event in events))
    store.link(JANE, "P1", grant, zone="Europe/Berlin")
    record = store.record("P1", grant)
    assert record.zone == "Europe/Berlin"
    assert record.epoch == store.epoch()
    assert record.events == tuple(event.committed(at, None) for at, event in enumerate(events, 1))


@given(st.lists(odd_events, max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_odd_facts_survive_both_databases(store, events):
    grant = store.issue_grant(who="tester")
    owners = {event.subject: SourcePatient("odd", uuid4().hex) for event in events}
    events = [replace(event, subject=owners[event.subject]) for event in events]
    events = list({event.id: event for event in reversed(events)}.values())  # an id does not cover flags: one fact
    start = store.sequence()
    store.append(events, grant)
    store.acknowledge("before", start, grant)
    seen = {event.id: event for _, event in store.tail("before", grant)}
    for event in events:
        back = seen[event.id]
        number = isinstance(event.value, int | float)
        # SQLite keeps whole numbers as integers, which have one zero
        assert repr(back.value + 0.0 if number else back.value) == repr(event.value + 0.0 if number else event.value)
        assert (back.time, back.until, back.key, back.text) == (event.time, event.until, event.key, event.text)
        assert (back.flags, back.sd, back.group) == (event.flags, event.sd, event.group)


def test_the_newest_fact_of_each_quantity_needs_no_history(store, grant):
    store.link(JANE, "P1", grant)
    store.link(BOB, "P1", grant)
    store.append([fact(0, 90.0), fact(10, 110.0), fact(10, 60.0, owner=BOB, quantity="heart_rate")], grant)
    store.append([fact(20, 120.0), fact(20, 120.0, status=Status.ENTERED_IN_ERROR, issued=30)], grant)
    store.append([fact(5, 100.0, owner=BOB), fact(60, 150.0), fact(15, 45.0, intent=Intent.PLANNED, key="plan")], grant)
    until = fact(30).instant
    assert [(e.quantity, e.value) for e in store.newest("P1", grant, until)] == [
        ("heart_rate", 60.0),
        ("glucose", 110.0),
    ]
    assert store.newest("P1", grant, fact(-1).instant) == ()


def stored(store, grant):
    """All facts, of whomever, in commit order."""
    return [event for _, event in store.tail("nobody", grant, limit=100_000)]


def test_the_same_facts_twice_are_counted_not_stored_twice(store, grant):
    events = readings(20)
    first = store.append(events[:12], grant)
    second = store.append(events, grant)
    assert (len(first.new), len(second.new), second.duplicate) == (12, 8, 12)
    again = store.append(events + events, grant)
    assert (again.sequence, again.new, again.duplicate, again.superseded) == (20, (), 40, 0)
    assert len(stored(store, grant)) == 20


def test_nothing_is_appended_by_an_empty_append(store, grant):
    assert store.append([], grant) == store.append([], grant)
    assert store.sequence() == 0


def test_a_correction_supersedes_its_original(store, grant):
    store.link(JANE, "P1", grant)
    original = fact(0, 100.0, key="k")
    correction = fact(0, 110.0, key="k", issued=9, status=Status.CORRECTED)
    assert store.append([original], grant).superseded == 0
    assert store.append([correction], grant).superseded == 1
    record = store.record("P1", grant)
    assert [event.value for event in record.events] == [110.0]
    assert [event.supersedes for event in record.history] == [None, original.id]
    assert values(store, grant) == [110.0]


def test_a_correction_that_arrives_first_still_wins(store, grant):
    store.link(JANE, "P1", grant)
    original = fact(0, 100.0, key="k")
    correction = fact(0, 110.0, key="k", issued=9, status=Status.CORRECTED)
    assert store.append([correction], grant).superseded == 0
    assert store.append([original], grant).superseded == 1
    assert [event.value for event in store.record("P1", grant).events] == [110.0]
    assert values(store, grant) == [110.0]


def values(store, grant, quantity="glucose"):
    window = UTC_START - timedelta(days=1), UTC_START + timedelta(days=1)
    return [value for _, value in store.signal("P1", quantity, *window, grant)]


def test_a_fact_entered_in_error_vanishes_from_view_not_from_history(store, grant):
    store.link(JANE, "P1", grant)
    store.append([fact(0, 100.0, key="k"), fact(0, 100.0, key="k", issued=5, status=Status.ENTERED_IN_ERROR)], grant)
    record = store.record("P1", grant)
    assert record.events == ()
    assert len(record.history) == 2
    assert values(store, grant) == []


def test_a_value_that_is_corrected_and_corrected_back_is_three_statements(store, grant):
    store.link(JANE, "P1", grant)
    versions = [fact(0, value, key="k", issued=issued) for value, issued in ((1.0, 0), (2.0, 5), (1.0, 9))]
    assert store.append(versions, grant).superseded == 2
    assert values(store, grant) == [1.0]
    assert store.append(versions, grant).duplicate == 3


def test_keys_of_different_systems_and_people_do_not_supersede_each_other(store, grant):
    other = fact(0, 2.0, key="k").source
    mine = [
        fact(0, 1.0, key="k"),
        fact(0, 2.0, key="k", source=type(other)("libre", "libre/1", other.raw, "line 1")),
        fact(0, 3.0, key="k", owner=BOB),
    ]
    assert store.append(mine, grant).superseded == 0


def test_what_waits_for_its_person_says_what_it_is(store, grant):
    store.link(BOB, "P2", grant)
    store.append([*readings(3), fact(0, owner=BOB)], grant)
    kept = store.keep_raw(
        b"?", SourcePatient(QUARANTINE, "8d25"), grant, media_type="", file="README", source="unknown"
    )
    store.quarantine(
        kept.hash, file="README", dialect=None, locator="", found="text", expected="", remedy="", size=1, grant=grant
    )
    (waits,) = store.waiting(grant)
    assert (waits.key, waits.sources, waits.files, waits.events) == (JANE, ("dexcom",), ("export.csv",), 3)
    assert (waits.first, waits.last) == (UTC_START, UTC_START + timedelta(minutes=10))
    assert store.unassigned(grant) == (JANE,)


def test_a_signal_is_a_window_of_current_numbers_that_happened(store, grant):
    store.link(JANE, "P1", grant)
    store.append(
        [
            *readings(10),
            fact(12, 500.0, intent=Intent.PLANNED),
            fact(13, 600.0, intent=Intent.ORDERED),
            fact(14, None, key="empty"),
            fact(15, float("nan"), key="nan"),
            fact(16, Code("s", "c"), key="code"),
            fact(5, 1.0, quantity="heart_rate"),
        ],
        grant,
    )
    found = store.signal("P1", "glucose", UTC_START + timedelta(minutes=5), UTC_START + timedelta(minutes=20), grant)
    assert list(found) == [(UTC_START + timedelta(minutes=5 * n), 80.0 + n) for n in (1, 2, 3)]
    assert list(store.signal("P1", "never heard of", UTC_START, UTC_START, grant)) == []


def test_a_patient_is_a_view_over_linked_keys(store, grant):
    store.append([fact(0, 1.0), fact(10, 2.0, owner=BOB)], grant)
    assert store.unassigned(grant) == (JANE, BOB)
    store.link(JANE, "P1", grant)
    store.link(BOB, "P1", grant)
    assert store.unassigned(grant) == ()
    assert values(store, grant) == [1.0, 2.0]
    store.unlink(BOB, grant)
    assert store.unassigned(grant) == (BOB,)
    assert values(store, grant) == [1.0]
    assert len(stored(store, grant)) == 2


def test_a_key_is_not_taken_from_one_patient_by_linking_it_to_another(store, grant):
    store.link(JANE, "P1", grant)
    store.link(JANE, "P1", grant, zone="Asia/Kolkata")
    with pytest.raises(StoreError, match="linked to another"):
        store.link(JANE, "P2", grant)
    with pytest.raises(UnknownPatient):
        store.record("P2", grant)
    with pytest.raises(StoreError, match="not linked"):
        store.unlink(BOB, grant)


def test_a_record_can_be_read_by_quantity(store, grant):
    store.link(JANE, "P1", grant)
    store.append([*readings(3), fact(0, 60.0, quantity="heart_rate"), fact(0, 1.0, quantity="body_weight")], grant)
    assert {event.quantity for event in store.record("P1", grant, "heart_rate", "body_weight").events} == {
        "heart_rate",
        "body_weight",
    }
    assert store.record("P1", grant, "never heard of").events == ()
    assert len(store.record("P1", grant).events) == 5


def test_the_worklist_says_who_is_here_and_how_fresh(store, grant):
    store.link(JANE, "P1", grant, zone="Europe/Berlin")
    store.link(BOB, "P2", grant)
    store.describe(JANE, Demographics(name="Jane Doe", birth_date="1990-01-01", synthetic=True), grant)
    future = fact(10**6, flags=(Flag.FUTURE,), key="future")
    store.append([*readings(3), fact(600, intent=Intent.PLANNED, key="plan"), future], grant)
    jane, bob = store.patients(grant)
    assert (jane.id, jane.name, jane.zone, jane.synthetic, jane.keys) == (
        "P1",
        "Jane Doe",
        "Europe/Berlin",
        True,
        (JANE,),
    )
    assert (jane.events, jane.first, jane.last) == (5, UTC_START, UTC_START + timedelta(minutes=10))
    assert jane.sequence == store.sequence()
    assert (bob.id, bob.name, bob.events, bob.first, bob.last, bob.sequence) == ("P2", "", 0, None, None, 0)


def test_demographics_of_several_sources_fill_each_other(store, grant):
    store.link(JANE, "P1", grant)
    store.link(BOB, "P1", grant)
    store.describe(JANE, Demographics(name="Jane Doe"), grant)
    store.describe(BOB, Demographics(name="J. Doe", sex="female", identifiers=(BOB,)), grant)
    assert store.demographics("P1", grant) == Demographics(name="Jane Doe", sex="female", identifiers=(BOB,))
    store.describe(JANE, Demographics(name="Jane Roe"), grant)
    assert store.demographics("P1", grant).name == "Jane Roe"


def test_what_was_known_at_a_wall_time(store, grant):
    before = datetime.now(UTC)
    store.append(readings(3), grant)
    between = datetime.now(UTC)
    store.append([fact(100)], grant)
    after = datetime.now(UTC)
    assert [store.sequence_at(time) for time in (before, between, after)] == [0, 3, 4]


def test_everything_is_still_there_after_reopening(opened, store, grant):
    store.append(readings(5), grant)
    store.link(JANE, "P1", grant)
    store.close()
    again = opened()
    assert len(again.record("P1", again.issue_grant()).events) == 5
    assert again.verify_audit()[1] is None


@pytest.mark.parametrize("owner", [SourcePatient("a\x00b", "1"), SourcePatient("a", "\ud800")])
def test_an_owner_that_cannot_be_named_stores_nothing(store, grant, owner):
    with pytest.raises(FormatError):
        store.append([fact(0), fact(5, owner=owner)], grant)
    assert stored(store, grant) == []
    store.append([fact(0)], grant)
    assert len(stored(store, grant)) == 1


def test_odd_names_do_not_stop_the_audit_trail(store, grant):
    store.link(JANE, "P1", grant)
    store.record("P1", grant, "\ud800\x00", "q" * 10_000)
    store.flush()
    assert store.verify_audit()[1] is None
