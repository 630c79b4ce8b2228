"""Many senders of one patient at once: nothing doubled, nothing lost, one commit for many."""

import threading
from concurrent.futures import ThreadPoolExecutor

from medtwin.errors import AccessDenied
from medtwin.governance.grant import Grant, Purpose, Role
from medtwin.record.facts import unfolded
from record.making import JANE, fact, readings


def test_sixty_four_senders_of_the_same_patient(store, grant):
    events = readings(300)
    gate = threading.Barrier(64)
    receipts = []

    def send(thread):
        gate.wait(30)
        for start in range(thread % 7, 300, 25):  # every fact is sent by many, each lot overlaps others
            receipts.append(store.append(events[start : start + 30], grant))

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(send, range(64)))
    store.link(JANE, "P1", grant)
    history = store.record("P1", grant).history
    sent = {event.id for event in events}
    assert sorted(event.id for event in history) == sorted(sent)
    assert sorted(event.recorded for event in history) == list(range(1, len(history) + 1))
    new = [identity for receipt in receipts for identity in receipt.new]
    assert sorted(new) == sorted(sent), "a fact was acknowledged as new twice, or never"
    with store.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == []
    assert store.verify_audit()[1] is None


def test_two_processes_worth_of_stores_share_one_home(opened, store, grant):
    other = opened()
    events = readings(200)

    def send(which):
        for start in range(0, 200, 10):
            which.append(events[start : start + 10], grant)

    threads = [threading.Thread(target=send, args=(which,)) for which in (store, other, store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.link(JANE, "P1", grant)
    assert sorted(event.id for event in other.record("P1", grant).history) == sorted(event.id for event in events)
    other.flush()
    assert store.verify_audit()[1] is None


def test_one_bad_write_among_many_undoes_itself_alone(store, grant):
    stranger = Grant(who="x", role=Role.OWNER, purpose=Purpose.SELF, epoch=grant.epoch + 1)
    outcomes = []

    def send(thread):
        try:
            store.append([fact(thread)], grant if thread % 3 else stranger)
            outcomes.append((thread, True))
        except AccessDenied:
            outcomes.append((thread, False))

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(send, range(96)))
    assert sorted(outcomes) == [(thread, thread % 3 != 0) for thread in range(96)]
    assert store.sequence() == 64
    assert store.verify_audit()[1] is None


def test_senders_that_come_together_share_a_commit(store, grant):
    with store.access.database.writing():  # holds the thread up, so that a crowd gathers
        threads = [threading.Thread(target=store.append, args=([fact(number)], grant)) for number in range(50)]
        for thread in threads:
            thread.start()
        while store.access.writer._queue.qsize() < 40:
            pass
    for thread in threads:
        thread.join()
    with store.access.database.reading() as connection:
        assert connection.rows("SELECT COUNT(*) FROM batch")[0][0] < 25
    assert store.sequence() == 50


def test_readers_do_not_wait_for_a_writer(store, grant):
    store.append(readings(3), grant)
    store.link(JANE, "P1", grant)
    with store.access.database.writing() as connection:
        connection.run("UPDATE patient SET zone = 'Asia/Kolkata'")
        assert len(store.record("P1", grant).history) == 3
        assert store.record("P1", grant).zone is None
