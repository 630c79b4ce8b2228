import threading
import zipfile
from datetime import UTC, datetime

import pytest

from medtwin.errors import AccessDenied, FormatError, StoreError
from medtwin.governance.grant import Role
from medtwin.record.backup import backup, restore, verify
from medtwin.record.facts import unfolded
from medtwin.record.home import open_store
from medtwin.record.store import Demographics
from record.making import JANE, START, fact, readings


def fill(store, grant):
    raw = store.keep_raw(b"raw" * 500_000, JANE, grant, media_type="text/csv", file="f", source="s")
    store.append([*readings(50), fact(0, 1.0, key="k"), fact(0, 2.0, key="k", issued=9)], grant)
    store.link(JANE, "P1", grant, zone="Asia/Kolkata")
    store.describe(JANE, Demographics(name="Jane Doe"), grant)
    store.acknowledge("twin", 20, grant)
    store.quarantine(
        raw.hash, file="f", dialect=None, locator="l", found="x", expected="y", remedy="z", size=1, grant=grant
    )
    return raw, store.put_artifact("P1", "snapshot", b"snap", {"n": 1}, grant)


def assert_same(store, raw, artifact):
    grant = store.issue_grant()
    record = store.record("P1", grant)
    assert (len(record.history), len(record.events), record.zone) == (52, 51, "Asia/Kolkata")
    assert store.raw("P1", raw.hash, grant) == b"raw" * 500_000
    assert store.artifact("P1", artifact, grant) == ({"n": 1}, b"snap")
    assert store.demographics("P1", grant).name == "Jane Doe"
    assert store.cursor("twin") == 20
    assert len(store.quarantined(grant)) == 1
    assert len(store.signal("P1", "glucose", START.replace(tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), grant)) == 51
    assert store.verify_audit()[1] is None
    with store.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == []
    assert store.append(readings(50), grant).duplicate == 50
    assert store.append([fact(999)], grant).sequence == 53


def test_what_was_backed_up_is_restored(store, grant, url, tmp_path):
    kept = fill(store, grant)
    said = backup(store, tmp_path / "b.medtwin", grant)
    assert said == verify(tmp_path / "b.medtwin")
    assert (said.backend, said.sequence, said.entries["tables/fact"].rows) == (store.access.database.dialect, 52, 52)
    assert (tmp_path / "b.medtwin").stat().st_mode & 0o077 == 0
    elsewhere = None if url is None else url + "_restored"
    restore(tmp_path / "b.medtwin", tmp_path / "new", elsewhere)
    with open_store(tmp_path / "new", elsewhere) as restored:
        assert_same(restored, *kept)
    assert_same(store, *kept)


@pytest.mark.postgres
def test_a_home_can_move_between_back_ends(own_home, postgres, tmp_path):
    url = f"{postgres}&schema=moved"
    with open_store(own_home) as store:
        kept = fill(store, store.issue_grant())
        backup(store, tmp_path / "one", store.issue_grant())
    restore(tmp_path / "one", tmp_path / "server", url)
    with open_store(tmp_path / "server", url) as store:
        backup(store, tmp_path / "two", store.issue_grant())
        assert_same(store, *kept)
    restore(tmp_path / "two", tmp_path / "laptop")
    with open_store(tmp_path / "laptop") as store:
        assert_same(store, *kept)


def test_a_backup_is_one_moment_while_the_store_goes_on(store, grant, tmp_path):
    done = threading.Event()

    def go_on():
        number = 0
        while not done.is_set():
            store.append([fact(number, key=f"{number}")], grant)
            number += 1

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        while store.sequence() < 20:
            pass
        backup(store, tmp_path / "b", grant)
    finally:
        done.set()
        thread.join()
    said = restore(tmp_path / "b", tmp_path / "new")
    with open_store(tmp_path / "new") as restored:
        assert restored.sequence() == said.sequence >= 20
        assert said.entries["tables/fact"].rows == said.sequence


def test_a_damaged_backup_is_found_before_anything_is_written(store, grant, tmp_path):
    fill(store, grant)
    backup(store, tmp_path / "b", grant)
    whole = (tmp_path / "b").read_bytes()
    for at in (10, len(whole) // 3, len(whole) // 2, len(whole) - 30):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            verify(tmp_path / "damaged")
        except FormatError:
            with pytest.raises(FormatError):
                restore(tmp_path / "damaged", tmp_path / "new")
            assert not (tmp_path / "new").exists()
        else:
            assert at == 10  # the date of a member is not content
    for content in (b"", b"nonsense", whole[: len(whole) // 2]):
        (tmp_path / "damaged").write_bytes(content)
        with pytest.raises(FormatError):
            restore(tmp_path / "damaged", tmp_path / "new")


def test_a_backup_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("manifest.json", b'{"dialect": "other"}')
    with pytest.raises(FormatError):
        restore(tmp_path / "z", tmp_path / "new")
    with pytest.raises(StoreError, match="no readable backup"):
        verify(tmp_path / "absent")


def test_nothing_is_overwritten(store, grant, url, own_home, tmp_path):
    fill(store, grant)
    backup(store, tmp_path / "b", grant)
    with pytest.raises(StoreError, match="another name"):
        backup(store, tmp_path / "b", grant)
    store.close()
    with pytest.raises(StoreError, match="holds facts already"):
        restore(tmp_path / "b", own_home, url)
    open_store(tmp_path / "other").close()
    with pytest.raises(StoreError, match="a key already"):
        restore(tmp_path / "b", tmp_path / "other")


def test_only_who_may_administer_may_take_a_backup(store, grant, tmp_path):
    with pytest.raises(AccessDenied):
        backup(store, tmp_path / "b", store.issue_grant(role=Role.CLINICIAN))
    assert list(tmp_path.iterdir()) == []
    backup(store, tmp_path / "b", grant)
    store.flush()
    assert store.audit(grant, limit=1)[0].action == "backup"


def test_a_forged_trail_is_found_by_the_restore(store, grant, tmp_path):
    fill(store, grant)
    store.flush()
    with store.access.database.writing() as connection:
        connection.run("UPDATE audit SET who = 'forged' WHERE number = 2")
    backup(store, tmp_path / "b", grant)
    with pytest.raises(StoreError, match="altered at row 2"):
        restore(tmp_path / "b", tmp_path / "new")
