"""Durable cursors, and waking up: within a process and from another one."""

import threading
import time

from medtwin.record import SourcePatient
from record.making import JANE, fact, readings

BOB = SourcePatient("dexcom", "bob-2")


def test_a_cursor_outlives_its_process(opened, store, grant):
    store.link(JANE, "P1", grant)
    store.append(readings(5), grant)
    first = list(store.tail("twin", grant, limit=3))
    assert [(patient, event.recorded) for patient, event in first] == [("P1", 1), ("P1", 2), ("P1", 3)]
    store.acknowledge("twin", 3, grant)
    store.close()
    again = opened()
    grant = again.issue_grant()
    assert again.cursor("twin") == 3
    assert [event.recorded for _, event in again.tail("twin", grant)] == [4, 5]
    assert [event.recorded for _, event in again.tail("another", grant)] == [1, 2, 3, 4, 5]


def test_a_cursor_never_goes_back_or_ahead_of_the_log(store, grant):
    store.append(readings(5), grant)
    for asked, stands in ((4, 4), (2, 4), (99, 5)):
        store.acknowledge("twin", asked, grant)
        assert store.cursor("twin") == stands


def test_unassigned_facts_come_without_a_patient(store, grant):
    store.link(JANE, "P1", grant)
    store.append([fact(0), fact(0, owner=BOB)], grant)
    assert [patient for patient, _ in store.tail("twin", grant)] == ["P1", ""]


def test_a_listener_hears_who_changed(store, grant):
    heard, called = [], threading.Event()

    def listener(sequence, patients):
        heard.append((sequence, patients))
        called.set()

    stop = store.listen(listener)
    store.link(JANE, "P1", grant)
    store.append(readings(2), grant)
    assert called.wait(5)
    assert (2, frozenset({"P1"})) in heard
    stop()
    stop()
    count = len(heard)
    store.append(readings(3), grant)
    assert len(heard) == count


def test_whoever_waits_is_woken_by_the_commit(store, grant):
    store.wait(0, 0)
    woken = []

    def sleeper():
        start = time.monotonic()
        woken.append((store.wait(0, 30), time.monotonic() - start))

    thread = threading.Thread(target=sleeper)
    thread.start()
    time.sleep(0.05)
    store.append(readings(4), grant)
    thread.join(30)
    assert woken[0][0] == 4
    assert woken[0][1] < 10
    assert store.wait(4, 0.01) == 4


def test_a_commit_of_another_process_is_heard(opened, store, grant):
    other = opened()
    heard = threading.Event()
    store.listen(lambda sequence, patients: heard.set() if sequence == 3 else None)
    deadline = time.monotonic() + 30
    other.append(readings(3), grant)
    while not heard.wait(0.5) and time.monotonic() < deadline:
        pass  # PostgreSQL's LISTEN may start a moment after the commit; its start counts as news
    assert heard.is_set()
    assert store.wait(2, 10) == 3


def test_a_commit_while_the_watch_begins_is_heard(opened, store, grant, monkeypatch):
    """It fell between the sequence that was read at first and the first look at the file."""
    other, newest = opened(), store.access.newest

    def late():
        held = newest()
        monkeypatch.setattr(store.access, "newest", newest)
        other.append(readings(3), grant)
        return held

    monkeypatch.setattr(store.access, "newest", late)
    heard = threading.Event()
    store.listen(lambda sequence, patients: heard.set() if sequence == 3 else None)
    assert heard.wait(30)


def test_a_failing_listener_does_not_stop_the_store(store, grant, caplog):
    store.listen(lambda sequence, patients: 1 / 0)
    store.append(readings(1), grant)
    store.append(readings(2), grant)
    assert store.sequence() == 2
    assert "listener" in caplog.text
