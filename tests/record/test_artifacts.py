import time

import pytest

from medtwin.errors import StoreError
from medtwin.record import SourcePatient
from medtwin.record.vault import PIECE
from record.making import JANE


@pytest.fixture
def full(store, grant):
    store.link(JANE, "P1", grant)
    store.link(SourcePatient("dexcom", "bob"), "P2", grant)
    return store


def test_artifacts_come_back_by_hash_and_kind(full, grant):
    names = [full.put_artifact("P1", "snapshot", b"%d" % n, {"at": n, "units": ["mg/dL"]}, grant) for n in range(3)]
    full.put_artifact("P1", "volume", b"0", {}, grant)
    assert full.artifact("P1", names[1], grant) == ({"at": 1, "units": ["mg/dL"]}, b"1")
    assert full.artifacts("P1", "snapshot", grant) == tuple(
        (name, {"at": n, "units": ["mg/dL"]}) for n, name in enumerate(names)
    )
    assert full.artifacts("P1", "mesh", grant) == ()


def test_the_name_is_the_content_and_its_kind(full, grant):
    first = full.put_artifact("P1", "snapshot", b"same", {"n": 1}, grant)
    assert full.put_artifact("P1", "snapshot", b"same", {"n": 2}, grant) == first
    assert full.put_artifact("P1", "mesh", b"same", {}, grant) != first
    assert full.put_artifact("P2", "snapshot", b"same", {"n": 3}, grant) == first
    assert full.artifact("P1", first, grant)[0] == {"n": 1}
    assert full.artifact("P2", first, grant)[0] == {"n": 3}


def test_a_dropped_artifact_is_gone(full, grant):
    name = full.put_artifact("P1", "snapshot", b"x" * (PIECE + 1), {}, grant)
    full.drop_artifact("P1", name, grant)
    full.drop_artifact("P1", name, grant)
    with pytest.raises(StoreError, match="no artifact"):
        full.artifact("P1", name, grant)
    with full.access.database.reading() as connection:
        assert connection.rows("SELECT COUNT(*) FROM piece")[0][0] == 0


def test_nobody_reads_another_patients_artifact(full, grant):
    name = full.put_artifact("P1", "snapshot", b"x", {}, grant)
    with pytest.raises(StoreError, match="no artifact"):
        full.artifact("P2", name, grant)


def test_large_artifacts_come_in_pieces(full, grant):
    content = bytes(range(256)) * (PIECE // 100)
    assert full.artifact("P1", full.put_artifact("P1", "volume", content, {}, grant), grant)[1] == content


def test_an_artifact_that_was_not_waited_for_is_seen_by_the_next_read(full, grant):
    for number in range(20):
        name = full.put_artifact("P1", "snapshot", b"%d" % number, {"n": number}, grant, durable=False)
        assert full.artifact("P1", name, grant) == ({"n": number}, b"%d" % number)
    full.put_artifact("P1", "snapshot", b"last", {}, grant, durable=False)
    assert len(full.artifacts("P1", "snapshot", grant)) == 21


def test_a_refusal_of_an_artifact_that_was_not_waited_for_is_not_lost(full, grant):
    full.put_artifact("P1", "snapshot", b"1", {}, grant, durable=False)
    full.flush()
    with full.access.database.writing() as connection:
        connection.run("ALTER TABLE artifact RENAME TO hidden")
    full.put_artifact("P1", "snapshot", b"2", {}, grant, durable=False)
    with pytest.raises(StoreError):
        full.flush()
    with full.access.database.writing() as connection:
        connection.run("ALTER TABLE hidden RENAME TO artifact")
    full.flush()


def test_a_snapshot_costs_less_than_a_millisecond(full, grant):
    taken = []
    for number in range(60):
        content = b"%d" % number * 3000
        start = time.thread_time()
        full.put_artifact("P1", "snapshot", content, {"n": number}, grant, durable=False)
        taken.append(time.thread_time() - start)
    full.flush()
    assert sorted(taken)[30] < 1e-3
