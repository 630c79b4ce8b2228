"""Raw bytes: kept under their owner's key, once, and readable to the byte; what was not understood points into them."""

import tracemalloc

import pytest

from medtwin.errors import StoreError
from medtwin.record import SourcePatient
from medtwin.record.vault import PIECE
from record.making import JANE

BOB = SourcePatient("dexcom", "bob-2")
ABOUT = {"media_type": "text/csv", "file": "jane_doe.csv", "source": "dexcom"}


def test_bytes_come_back(store, grant):
    content = bytes(range(256)) * 100
    kept = store.keep_raw(content, JANE, grant, **ABOUT)
    store.link(JANE, "P1", grant)
    assert store.raw("P1", kept.hash, grant) == content
    assert store.raw(None, kept.hash, grant) == content
    assert store.raw_range("P1", kept.hash, 250, 260, grant) == content[250:260]
    entry = store.raw_entry("P1", kept.hash, grant)
    assert (entry.owner, entry.media_type, entry.file, entry.source) == (JANE, "text/csv", "jane_doe.csv", "dexcom")
    assert (entry.size, entry.times, entry.hash) == (len(content), 1, kept.hash)


def test_the_same_bytes_twice_are_counted(store, grant):
    first = store.keep_raw(b"same", JANE, grant, **ABOUT)
    again = store.keep_raw(b"same", JANE, grant, **(ABOUT | {"file": "copy.csv"}))
    streamed = store.keep_raw_stream([b"sa", b"me"], JANE, grant, **ABOUT)
    assert (first.duplicate, again.duplicate, streamed.duplicate) == (False, True, True)
    assert first.hash == again.hash == streamed.hash
    (entry,) = store.raw_entries(None, grant)
    assert (entry.times, entry.file) == (3, "jane_doe.csv")
    with store.access.database.reading() as connection:
        assert connection.rows("SELECT COUNT(*) FROM piece")[0][0] == 1


def test_the_same_bytes_of_two_people_are_two(store, grant):
    kept = [store.keep_raw(b"same", owner, grant, **ABOUT) for owner in (JANE, BOB)]
    assert kept[0].hash != kept[1].hash
    assert not kept[1].duplicate
    store.link(JANE, "P1", grant)
    with pytest.raises(StoreError, match="no raw bytes"):
        store.raw("P1", kept[1].hash, grant)
    assert [entry.hash for entry in store.raw_entries("P1", grant)] == [kept[0].hash]


def test_two_homes_name_the_same_bytes_differently(store, grant, tmp_path):
    from medtwin.record.home import open_store

    with open_store(tmp_path / "other") as other:
        elsewhere = other.keep_raw(b"same", JANE, other.issue_grant(), **ABOUT)
    assert elsewhere.hash != store.keep_raw(b"same", JANE, grant, **ABOUT).hash


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 17])
def test_a_stream_is_kept_whole_and_read_in_part(store, grant, size):
    content = bytes(number * 7 % 251 for number in range(1000)) * (size // 1000 + 1)
    content = content[:size]
    kept = store.keep_raw_stream((content[at : at + 300_001] for at in range(0, size, 300_001)), JANE, grant, **ABOUT)
    assert kept.hash == store.keep_raw(content, JANE, grant, **ABOUT).hash
    assert store.raw(None, kept.hash, grant) == content
    for start, stop in ((0, 10), (size // 2, size // 2 + 10), (max(size - 5, 0), size + 100), (size, size)):
        assert store.raw_range(None, kept.hash, start, stop, grant) == content[start:stop]
    with pytest.raises(StoreError, match="range"):
        store.raw_range(None, kept.hash, 5, 4, grant)


def test_a_large_file_does_not_fill_the_memory(store, grant):
    tracemalloc.start()
    try:
        kept = store.keep_raw_stream((bytes([n]) * PIECE for n in range(40)), JANE, grant, **ABOUT)
        total = sum(len(chunk) for chunk in store.raw_chunks(None, kept.hash, grant))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 40 * PIECE
    assert peak < 25 * PIECE


def test_a_stream_that_breaks_off_leaves_nothing(store, grant):
    def broken():
        yield b"x" * (PIECE + 1)
        raise OSError("the cable")

    with pytest.raises(OSError, match="the cable"):
        store.keep_raw_stream(broken(), JANE, grant, **ABOUT)
    with store.access.database.reading() as connection:
        assert connection.rows("SELECT COUNT(*) FROM raw")[0][0] == 0
        assert connection.rows("SELECT COUNT(*) FROM piece")[0][0] == 0


def test_pieces_that_were_changed_or_exchanged_do_not_open(store, grant):
    kept = store.keep_raw_stream([b"a" * PIECE, b"b" * PIECE], JANE, grant, **ABOUT)
    with store.access.database.writing() as connection:
        connection.run("UPDATE piece SET number = 2 WHERE number = 0")
        connection.run("UPDATE piece SET number = 0 WHERE number = 1")
        connection.run("UPDATE piece SET number = 1 WHERE number = 2")
    with pytest.raises(StoreError, match="do not open"):
        store.raw(None, kept.hash, grant)


@pytest.mark.parametrize("name", ["", "xyz", "00" * 16])
def test_an_unknown_name_is_an_error(store, grant, name):
    with pytest.raises(StoreError):
        store.raw(None, name, grant)


def item(store, grant, raw, locator="line 3", found="7,4"):
    return store.quarantine(
        raw, file="jane_doe.csv", dialect="csv/1", locator=locator, found=found, expected="a number", remedy="mend",
        size=9, grant=grant,
    )  # fmt: skip


def test_what_was_not_understood_can_be_listed_replayed_and_resolved(store, grant):
    kept = store.keep_raw(b"a,b\n7,4", JANE, grant, **ABOUT)
    number = item(store, grant, kept.hash)
    (listed,) = store.quarantined(grant)
    assert (listed.id, listed.raw, listed.locator, listed.found) == (number, kept.hash, "line 3", "7,4")
    assert (listed.file, listed.dialect, listed.expected, listed.remedy) == (
        "jane_doe.csv",
        "csv/1",
        "a number",
        "mend",
    )
    assert (listed.size, listed.resolved) == (9, None)
    assert store.raw(None, listed.raw, grant) == b"a,b\n7,4"
    store.resolve(number, grant)
    assert store.quarantined(grant) == ()
    (resolved,) = store.quarantined(grant, include_resolved=True)
    assert resolved.resolved is not None


def test_the_same_item_again_is_the_same_item(store, grant):
    kept = store.keep_raw(b"a", JANE, grant, **ABOUT)
    number = item(store, grant, kept.hash)
    assert item(store, grant, kept.hash) == number
    assert item(store, grant, kept.hash, locator="line 4") != number
    store.resolve(number, grant)
    assert item(store, grant, kept.hash) == number
    assert {one.id for one in store.quarantined(grant)} >= {number}


def test_the_mark_of_the_quarantine_moves_with_it_and_leaves_no_audit_row(store, grant):
    kept = store.keep_raw(b"a", JANE, grant, **ABOUT)
    marks = [store.quarantine_mark()]
    number = item(store, grant, kept.hash)
    marks.append(store.quarantine_mark())
    store.resolve(number, grant)
    marks.append(store.quarantine_mark())
    item(store, grant, kept.hash)  # open again
    store.flush()
    rows = store.audit_rows()
    marks.append(store.quarantine_mark())
    assert store.quarantine_mark() == marks[-1]
    store.flush()
    assert store.audit_rows() == rows
    assert len(set(marks)) == 3
    assert marks[3] == marks[1]  # the same items are open


def test_an_item_needs_its_bytes(store, grant):
    with pytest.raises(StoreError, match="no raw bytes"):
        item(store, grant, "00" * 16)
