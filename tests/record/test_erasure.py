"""Erased is erased: no byte of the patient is left in any file of the home, and the report says what is beyond reach."""

import pytest

from medtwin.errors import AccessDenied, StoreError, UnknownPatient
from medtwin.governance.grant import Purpose
from medtwin.record import Code, SourcePatient
from medtwin.record.home import open_store
from medtwin.record.store import Demographics
from record.making import JANE, fact, readings

BOB = SourcePatient("dexcom", "bob-2")
#: byte sequences that only Jane's data holds
TRACES = [
    b"Jane Q. Distinctive",
    b"JD-4711-MRN",
    b"a most distinctive text",
    b"RAWCONTENT-0815",
    b"jane_q.csv",
    b"snapXYZshot",
]


def fill(store, grant):
    jane = SourcePatient("hospital", "JD-4711-MRN")
    raw = store.keep_raw(b"RAWCONTENT-0815" * 3000, jane, grant, media_type="text/csv", file="jane_q.csv", source="h")
    store.link(jane, "patient-jane", grant)
    store.link(BOB, "patient-bob", grant)
    store.describe(jane, Demographics(name="Jane Q. Distinctive"), grant)
    mixed = []
    for number in range(400):  # between Bob's facts, so that they share pages
        mixed.append(fact(number, owner=jane, text=f"a most distinctive text {number}", key=f"JD-4711-MRN/{number}"))
        mixed.append(fact(number, owner=BOB, value=1.0))
    store.append(mixed, grant)
    store.append([fact(0, Code("s", "c", "a most distinctive text"), owner=jane, quantity="condition")], grant)
    store.put_artifact("patient-jane", "snapshot", b"snapXYZshot" * 1000, {"of": "Jane Q. Distinctive"}, grant)
    store.put_artifact("patient-bob", "snapshot", b"bob", {}, grant)
    store.quarantine(
        raw.hash, file="jane_q.csv", dialect=None, locator="a most distinctive text", found="Jane Q. Distinctive",
        expected="", remedy="", size=3, grant=grant,
    )  # fmt: skip
    store.record("patient-jane", grant)
    return raw


def traces(folder):
    """(file, trace) of whatever is found in the bytes of all files."""
    return [
        (path.name, trace)
        for path in folder.rglob("*")
        if path.is_file()
        for trace in [*TRACES, b"patient-jane"]
        if trace in path.read_bytes()
    ]


def test_no_byte_is_left_in_the_home(own_home):
    with open_store(own_home) as store:
        grant = store.issue_grant()
        fill(store, grant)
        store.flush()
        assert {trace for _, trace in traces(own_home)} >= {b"JD-4711-MRN", b"a most distinctive text", b"patient-jane"}
        store.erase("patient-jane", grant)
        assert traces(own_home) == []
    assert traces(own_home) == []


def test_names_and_raw_bytes_are_never_in_the_clear(own_home):
    with open_store(own_home) as store:
        fill(store, store.issue_grant())
        store.flush()
        found = {trace for _, trace in traces(own_home)}
    assert not found & {b"Jane Q. Distinctive", b"RAWCONTENT-0815", b"jane_q.csv", b"snapXYZshot"}


def test_the_report_counts_and_the_rest_stands(store, grant):
    raw = fill(store, grant)
    said = store.erase("patient-jane", grant)
    assert {name: count for name, count in said.items() if name != "not erased"} == {
        "facts": 401, "sources": 1, "raw": 1, "quarantine": 1, "keys": 2, "artifacts": 1,
    }  # fmt: skip
    assert "backups" in said["not erased"]
    grant = store.issue_grant()
    for read in (
        lambda: store.record("patient-jane", grant),
        lambda: store.demographics("patient-jane", grant),
        lambda: store.artifacts("patient-jane", "snapshot", grant),
        lambda: store.erase("patient-jane", grant),
    ):
        with pytest.raises(UnknownPatient):
            read()
    with pytest.raises(StoreError):
        store.raw(None, raw.hash, grant)
    assert store.quarantined(grant, include_resolved=True) == ()
    assert len(store.record("patient-bob", grant).events) == 400
    assert store.artifacts("patient-bob", "snapshot", grant)
    with store.access.database.reading() as connection:
        left = {
            table: connection.rows(f"SELECT COUNT(*) FROM {table}")[0][0]
            for table in ("owner", "patient", "fact", "source", "raw", "piece", "artifact", "quarantine")
        }
    assert left == {
        "owner": 1, "patient": 1, "fact": 400, "source": 1, "raw": 0, "piece": 1, "artifact": 1, "quarantine": 0,
    }  # fmt: skip


def test_the_trail_stays_whole_and_names_nobody(store, grant):
    fill(store, grant)
    store.erase("patient-jane", grant)
    assert store.verify_audit()[1] is None
    rows = store.audit(store.issue_grant(), patient="patient-jane")
    assert [row.action for row in rows][:2] == ["erase", "record"]
    assert all("jane" not in row.patient for row in rows)


def test_every_grant_issued_before_is_void(store, grant):
    fill(store, grant)
    store.erase("patient-jane", grant)
    with pytest.raises(AccessDenied, match="epoch"):
        store.record("patient-bob", grant)


def test_an_erased_person_who_comes_again_is_new(store, opened, grant):
    other = opened()
    fill(store, grant)
    other.append([fact(7, owner=SourcePatient("hospital", "JD-4711-MRN"))], grant)  # it has looked up the owner
    store.erase("patient-jane", grant)
    again = other.issue_grant(purpose=Purpose.TREATMENT)
    owner = SourcePatient("hospital", "JD-4711-MRN")
    other.append([fact(1, owner=owner)], again)
    kept = other.keep_raw(b"new", owner, again, media_type="", file="", source="")
    other.link(owner, "patient-jane", again)
    assert len(store.record("patient-jane", again).history) == 1
    assert store.raw("patient-jane", kept.hash, again) == b"new"


def test_facts_of_an_unlinked_owner_are_not_erased_with_another(store, grant):
    store.append(readings(3), grant)
    fill(store, grant)
    store.erase("patient-jane", grant)
    assert store.unassigned(store.issue_grant()) == (JANE,)


@pytest.mark.postgres
def test_what_postgresql_cannot_erase_is_said(own_home, postgres):
    with open_store(own_home, f"{postgres}&schema=erased") as store:
        fill(store, store.issue_grant())
        said = store.erase("patient-jane", store.issue_grant())
    assert "write-ahead log" in said["not erased"]
