"""A store that cannot keep a fact says so, acknowledges nothing, and works again once the cause is gone."""

import os
import sqlite3
import subprocess

import pytest

from medtwin.errors import StoreError
from medtwin.record import sqlite as adapter
from medtwin.record.facts import unfolded
from medtwin.record.home import open_store
from record.making import JANE, fact, readings


@pytest.fixture
def embedded(own_home):
    with open_store(own_home, timeout=0.3) as store:
        yield store


def test_a_full_database_acknowledges_nothing(embedded):
    grant = embedded.issue_grant()
    embedded.append(readings(10), grant)
    writer = embedded.access.database._writer
    pages = writer.rows("PRAGMA page_count")[0][0]
    writer.rows(f"PRAGMA max_page_count={pages + 1}")
    with pytest.raises(StoreError, match=r"full.*nothing was acknowledged.*free space"):
        embedded.append([fact(number, text="x" * 500, key=f"big {number}") for number in range(500)], grant)
    assert embedded.sequence() == 10
    writer.rows("PRAGMA max_page_count=1000000")
    assert embedded.append(readings(12), grant).sequence == 12
    with embedded.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == []
    assert embedded.verify_audit()[1] is None


def until_refused(call, error=StoreError):
    """How often the call went well before it was refused."""
    for number in range(100_000):
        try:
            call(number)
        except error:
            return number
    pytest.fail("never refused")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_acknowledges_nothing_and_shows_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(disk)]).returncode:
        pytest.skip("this machine does not let root mount a disk")
    try:
        (disk / "ballast").write_bytes(bytes(1 << 20))
        with open_store(disk / "home") as store:
            grant = store.issue_grant()
            store.append(readings(10), grant)
            store.link(JANE, "P1", grant)
            acknowledged = until_refused(
                lambda number: store.append([fact(number, text="x" * 20_000, key=f"big {number}")], grant)
            )
            with open(disk / "filler", "wb", buffering=0) as filler:
                until_refused(lambda _: filler.write(b"x" * 512) == 512 or 1 / 0, (OSError, ZeroDivisionError))
            until_refused(lambda _: store.record("P1", grant))  # the journal has the rest of its last page
            (disk / "filler").unlink()
            (disk / "ballast").unlink()
            assert len(store.record("P1", grant).history) == 10 + acknowledged
            assert store.verify_audit()[1] is None
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_database_that_another_process_holds_is_a_clear_error(embedded, own_home):
    grant = embedded.issue_grant()
    holder = sqlite3.connect(own_home / "store.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"locked.*another process holds the store"):
        embedded.append([fact(0)], grant)
    holder.execute("ROLLBACK")
    holder.close()
    assert embedded.append([fact(0)], grant).sequence == 1


def test_a_read_only_database_is_a_clear_error(embedded):
    grant = embedded.issue_grant()
    writer = embedded.access.database._writer
    writer.run("PRAGMA query_only=ON")
    with pytest.raises(StoreError, match=r"readonly.*writable"):
        embedded.append([fact(0)], grant)
    writer.run("PRAGMA query_only=OFF")
    assert embedded.append([fact(0)], grant).sequence == 1


def test_a_file_that_is_no_database_is_a_clear_error(own_home):
    open_store(own_home).close()
    (own_home / "store.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 100)
    for name in ("store.sqlite-wal", "store.sqlite-shm"):
        (own_home / name).unlink(missing_ok=True)
    with pytest.raises(StoreError, match="restore"):
        open_store(own_home)


def test_a_closed_store_is_a_clear_error(store, grant):
    store.link(JANE, "P1", grant)
    store.close()
    store.close()
    for call in (lambda: store.append([fact(0)], grant), lambda: store.record("P1", grant), store.epoch):
        with pytest.raises(StoreError, match="closed"):
            call()


def test_a_fork_does_not_hang(embedded):
    grant = embedded.issue_grant()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            embedded.append([fact(0)], grant)
        except StoreError:
            os.write(write, b"refused")
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as said:
        assert said.read() == b"refused"


def test_a_write_from_inside_a_commit_is_refused_not_deadlocked(store, grant, caplog):
    store.listen(lambda sequence, patients: store.append([fact(99)], grant))
    store.append([fact(0)], grant)
    assert "a write from inside a commit" in caplog.text
    assert store.sequence() == 1


def test_no_driver_is_a_clear_error(own_home, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pg8000", None)
    monkeypatch.setitem(sys.modules, "pg8000.native", None)
    with pytest.raises(StoreError, match=r"medtwin\[postgres\]"):
        open_store(own_home, "postgresql://localhost/x")


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://h/d?schema=a-b", "postgresql://h:port/d"])
def test_an_address_that_cannot_be_meant_is_a_clear_error(own_home, url):
    with pytest.raises(StoreError, match="mend MEDTWIN_STORE"):
        open_store(own_home, url)


def test_an_absent_server_is_a_clear_error_without_the_password(own_home):
    with pytest.raises(StoreError, match="no PostgreSQL server") as caught:
        open_store(own_home, "postgresql://me:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)


TERMINATE = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE application_name = 'medtwin' AND pid <> pg_backend_pid()"
)


@pytest.mark.postgres
def test_a_server_that_closed_its_connections_is_found_again(own_home, postgres):
    with open_store(own_home, f"{postgres}&schema=closing") as store:
        grant = store.issue_grant()
        store.append([fact(0)], grant)
        with store.access.database.reading() as connection:
            connection.rows(TERMINATE)
        assert store.append([fact(1)], grant).sequence == 2


@pytest.mark.postgres
def test_a_connection_lost_within_a_commit_acknowledges_nothing(own_home, postgres):
    with open_store(own_home, f"{postgres}&schema=losing") as store:
        grant = store.issue_grant()
        database, waiting = store.access.database, []
        announce = database.announce

        def cut(connection, sequence):
            database.announce = announce
            waiting.append(sequence)
            with database.reading() as other:
                other.rows(TERMINATE)

        database.announce = cut
        with pytest.raises(StoreError, match="nothing was acknowledged"):
            store.append([fact(0)], grant)
        assert waiting == [1]
        assert store.sequence() == 0
        assert store.append([fact(0)], grant).sequence == 1
        assert store.verify_audit()[1] is None


def test_remedies_are_for_words_that_sqlite_says():
    said = ["database or disk is full", "attempt to write a readonly database", "database is locked",
            "unable to open database file", "disk I/O error", "database disk image is malformed",
            "file is not a database"]  # fmt: skip
    for words in said:
        assert "medtwin doctor" not in str(adapter._refused(sqlite3.OperationalError(words), ""))
