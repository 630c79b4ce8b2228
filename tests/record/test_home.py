import os
import stat

import pytest

from medtwin.errors import StoreError
from medtwin.record import schema
from medtwin.record.home import home_path, open_store
from medtwin.record.schema import MIGRATIONS, Migration
from record.making import fact


def test_everything_in_a_home_is_private(tmp_path):
    old = os.umask(0)
    try:
        with open_store(tmp_path / "a" / "home") as store:
            store.append([fact(0)], store.issue_grant())
            home = tmp_path / "a" / "home"
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.rglob("*"))}
    finally:
        os.umask(old)
    assert len(modes) >= 6
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


def test_a_home_is_what_is_given_then_the_environment_then_the_platforms_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDTWIN_HOME", str(tmp_path / "environment"))
    assert home_path(tmp_path / "given") == tmp_path / "given"
    assert home_path() == tmp_path / "environment"
    monkeypatch.delenv("MEDTWIN_HOME")
    assert home_path().name == "medtwin"


def test_a_home_open_to_others_is_refused(own_home):
    open_store(own_home).close()
    own_home.chmod(0o755)
    with pytest.raises(StoreError, match="chmod 700"):
        open_store(own_home)
    own_home.chmod(0o700)
    (own_home / "master.key").chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        open_store(own_home)


def test_a_lost_key_is_not_replaced_by_a_new_one(opened, store, own_home):
    store.close()
    (own_home / "master.key").unlink()
    with pytest.raises(StoreError, match="no master key"):
        opened()
    assert not (own_home / "master.key").exists()


def test_two_homes_never_share_a_database(store, url, own_home, tmp_path):
    open_store(tmp_path / "other").close()
    if url is None:
        store.close()
        other = tmp_path / "other"
        (own_home / "store.sqlite").replace(other / "store.sqlite")
    with pytest.raises(StoreError, match="another home"):
        open_store(tmp_path / "other", url)


def test_a_home_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="no usable home"):
        open_store(tmp_path / "file")


def test_migrations_run_once_in_order_and_never_back(opened, store, grant, monkeypatch):
    store.append([fact(0)], grant)
    assert [step.version for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    store.close()
    newest = schema.latest()
    more = (
        *MIGRATIONS,
        Migration(newest + 1, "a column", ("ALTER TABLE patient ADD COLUMN note {blob}",)),
        Migration(
            newest + 2, "its content", ("UPDATE patient SET note = NULL", "CREATE INDEX noted ON patient (note)")
        ),
    )
    monkeypatch.setattr(schema, "MIGRATIONS", more)
    monkeypatch.setattr(schema.migrate, "__defaults__", (more,))
    monkeypatch.setattr(schema.latest, "__defaults__", (more,))
    again = opened()
    assert recorded(again) == [*range(1, newest + 3)]
    again.append([fact(1)], again.issue_grant())
    assert again.sequence() == 2
    again.close()
    once_more = opened()
    assert recorded(once_more) == [*range(1, newest + 3)]
    once_more.close()
    monkeypatch.setattr(schema.migrate, "__defaults__", (MIGRATIONS,))
    monkeypatch.setattr(schema.latest, "__defaults__", (MIGRATIONS,))
    with pytest.raises(StoreError, match="newer medtwin"):
        opened()


def recorded(store):
    with store.access.database.reading() as connection:
        return [row[0] for row in connection.rows("SELECT version FROM schema ORDER BY version")]


def test_a_migration_that_fails_changes_nothing(opened, store, monkeypatch):
    store.close()
    newest = schema.latest()
    bad = (*MIGRATIONS, Migration(newest + 1, "bad", ("CREATE TABLE half (id BIGINT)", "NO SUCH STATEMENT")))
    monkeypatch.setattr(schema.migrate, "__defaults__", (bad,))
    with pytest.raises(StoreError):
        opened()
    monkeypatch.setattr(schema.migrate, "__defaults__", (MIGRATIONS,))
    again = opened()
    assert recorded(again) == list(range(1, newest + 1))
    with again.access.database.reading() as connection, pytest.raises(StoreError):
        connection.rows("SELECT * FROM half")


def test_bytes_that_never_ended_are_swept_after_a_day(opened, store, own_home):
    with store.access.database.writing() as connection:
        for number, received in ((900, 0), (901, 2**60)):
            connection.run(
                "INSERT INTO raw (id, owner, hash, size, received, times, manifest) VALUES (?, 1, NULL, 0, ?, 1, ?)",
                (number, received, b""),
            )
            connection.run("INSERT INTO piece (whole, number, sealed) VALUES (?, 0, ?)", (number, b""))
    store.close()
    again = opened()
    with again.access.database.reading() as connection:
        assert [row[0] for row in connection.rows("SELECT id FROM raw")] == [901]
        assert [row[0] for row in connection.rows("SELECT whole FROM piece")] == [901]
