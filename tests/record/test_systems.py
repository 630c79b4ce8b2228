"""The systems that send, counted and dated; whoever may not see everybody sees none."""

from datetime import UTC, datetime, timedelta

import pytest

from medtwin.errors import AccessDenied
from medtwin.record import SourcePatient
from medtwin.record.store import QUARANTINE
from record.making import JANE, START, fact, readings

ABOUT = {"media_type": "text/csv", "file": "a.csv", "source": "dexcom"}
NOBODY = SourcePatient("libre", "42")


def test_each_system_is_counted_dated_and_its_newest_error_named(store, grant):
    assert store.systems(grant, datetime.now(UTC)) == ()
    store.append(readings(3), grant)
    between = datetime.now(UTC)
    store.link(JANE, "jane", grant)
    store.append([fact(60), fact(65), fact(0, owner=NOBODY, key="one")], grant)
    kept = store.keep_raw(b"a,b\n7,4", JANE, grant, **ABOUT)
    store.keep_raw(b"a,b\n7,4", JANE, grant, **ABOUT)
    about = {"file": "a.csv", "dialect": "csv/1", "expected": "a number", "remedy": "mend", "size": 7, "grant": grant}
    first = store.quarantine(kept.hash, locator="line 2", found="7,4", **about)
    second = store.quarantine(kept.hash, locator="line 3", found="7;4", **about)
    dexcom, libre = store.systems(grant, between)
    assert (dexcom.system, dexcom.patients, dexcom.unassigned, dexcom.facts, dexcom.recent) == ("dexcom", 1, 0, 5, 2)
    assert dexcom.newest == START.replace(tzinfo=UTC) + timedelta(minutes=65)
    assert between - timedelta(minutes=1) < dexcom.recorded <= datetime.now(UTC)
    assert (dexcom.raws, dexcom.bytes, dexcom.quarantined) == (1, 7, 2)
    assert (dexcom.last_error.id, dexcom.last_error.found) == (second, "7;4")
    assert (libre.system, libre.patients, libre.unassigned, libre.facts, libre.recent) == ("libre", 0, 1, 1, 1)
    assert (libre.received, libre.raws, libre.last_error) == (None, 0, None)
    store.resolve(second, grant)
    assert store.systems(grant, between)[0].last_error.id == first


def test_bytes_of_nobody_stand_under_their_own_name(store, grant):
    store.keep_raw(b"?", SourcePatient(QUARANTINE, "x"), grant, **ABOUT)
    (only,) = store.systems(grant, datetime.now(UTC))
    assert (only.system, only.facts, only.recorded, only.raws) == (QUARANTINE, 0, None, 1)


def test_a_grant_of_one_patient_sees_no_system(store, grant):
    store.append(readings(1), grant)
    store.link(JANE, "jane", grant)
    with pytest.raises(AccessDenied):
        store.systems(store.issue_grant(who="anna", patients=["jane"]), datetime.now(UTC))
