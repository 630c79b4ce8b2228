"""Bad input: each file ends in quarantine with a clear reason, every good file beside it comes in, nothing is raised."""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from medtwin.governance.grant import Grant
from medtwin.record.sql import SqlStore
from medtwin.sources import archives
from medtwin.sources import run as module
from medtwin.sources.ingest import ingest, ingest_bytes
from sources.test_dexcom_clarity import row, table
from sources.test_fhir_r4 import bundle, observation, person
from sources.test_fit import RIDE
from sources.test_ingest import put, tarred, zipped
from sources.test_table import mapping

GOOD = json.dumps(observation(id="good", subject={"reference": "Patient/good"})).encode()
WHOLE = bundle(person("p1"), observation(subject={"reference": "urn:uuid:p1"}))
CLARITY = table(row(glucose="103"))
APPLE = b'<HealthData locale="en"><Record type="HKQuantityTypeIdentifierHeartRate" unit="count/min" '


def zip_bomb() -> bytes:
    return zipped(**{"bomb.json": b'{"resourceType":"Observation","id":"' + b"0" * (80 << 20)})


def nested_zip(depth: int) -> bytes:
    inner = GOOD
    for _ in range(depth):
        inner = zipped(a=inner)
    return inner


def lying_zip() -> bytes:
    """A member whose stated size and checksum are not those of its bytes."""
    held = bytearray(zipped(**{"a.json": GOOD}))
    place = held.index(b"PK\x01\x02")
    held[place + 16 : place + 20] = struct.pack("<I", 0xDEADBEEF)
    return bytes(held)


def encrypted_zip() -> bytes:
    held = bytearray(zipped(**{"a.json": GOOD}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        held[held.index(mark) + offset] |= 1
    return bytes(held)


def linked_tar() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        link = tarfile.TarInfo("../../etc/passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return held.getvalue()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "nul": lambda: b"\x00" * 4096,
    "random": lambda: bytes(range(256)) * 40,
    "truncated bundle": lambda: WHOLE[: len(WHOLE) // 2],
    "truncated utf-8": lambda: GOOD[:-40] + b"\xe2\x82",
    "json of another encoding": lambda: GOOD.decode().encode("utf-16"),
    "latin-1 json": lambda: GOOD.replace(b"Glucose", "Zucker für".encode("latin-1")),
    "deep json": lambda: b'{"resourceType":"Observation","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep bundle": lambda: b'{"resourceType":"Bundle","entry":[{"resource":' * 20_000,
    "json with a NUL": lambda: GOOD.replace(b"final", b"fi\x00nal"),
    "clarity with NULs": lambda: CLARITY.replace(b"103", b"1\x0003"),
    "clarity in latin-1": lambda: CLARITY.decode("utf-8-sig").replace("Ann", "Änn").encode("latin-1"),
    "clarity with an endless cell": lambda: CLARITY + b'13,"' + b"x" * 300_000,
    "truncated apple": lambda: APPLE,
    "apple with a NUL": lambda: APPLE + b'\x00value="1"/></HealthData>',
    "billion laughs": lambda: b'<!DOCTYPE HealthData [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><HealthData>&b;</HealthData>',
    "external entity": lambda: b'<!DOCTYPE HealthData [<!ENTITY x SYSTEM "file:///etc/passwd">]><HealthData>&x;</HealthData>',
    "deep xml": lambda: b"<HealthData>" + b"<a>" * 50_000,
    "long attribute": lambda: b'<HealthData a="' + b"x" * 5_000_000,
    "deep open mhealth": lambda: b'{"blood_glucose":' + b'{"a":' * 100_000,
    "nightscout cut off": lambda: b'[{"sgv":100,"date":1527924300000},{"sgv":',
    "deep nightscout": lambda: b'{"sgv":1,"date":1,"a":' + b"[" * 100_000,
    "nightscout of nonsense": lambda: (
        b'[{"sgv":1e999,"date":1e999},{"eventType":7,"created_at":[],"insulin":{}},{"sgv":"","date":{}}]'
    ),
    "fit cut off": lambda: RIDE[:-9],
    "fit of another length": lambda: RIDE[:4] + b"\xff\xff\xff\xff" + RIDE[8:],
    "fit of nothing": lambda: RIDE[:4] + bytes(4) + RIDE[8:14],
    "fit without an end of files": lambda: (RIDE[:4] + bytes(4) + RIDE[8:14] + b"\0\0") * 1_000,
    "zip bomb": zip_bomb,
    "zips in zips": lambda: nested_zip(6),
    "a zip cut off": lambda: zipped(**{"a.json": GOOD * 50})[:-30],
    "a zip that lies": lying_zip,
    "a zip with a password": encrypted_zip,
    "gzip cut off": lambda: gzip.compress(GOOD * 500)[:-20],
    "gzip bomb": lambda: gzip.compress(b'{"resourceType":"' + b"0" * (70 << 20)),
    "a tar of links": linked_tar,
    "a tar cut off": lambda: gzip.decompress(tarred(**{"a.json": GOOD}))[:700],
    "a table without a mapping": lambda: b"a,b\n1,2\n",
    "pdf": lambda: b"%PDF-1.7\n" + bytes(range(256)),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_quarantined_and_its_neighbours_come_in(
    name: str, store: SqlStore, grant: Grant, tmp_path: Path
) -> None:
    folder = put(tmp_path / "in", a=GOOD, b=HOSTILE[name](), c=CLARITY)
    report = ingest([folder], store, grant)
    assert report.not_stored == []
    assert report.exit_code == 0
    assert len(store.record("good", grant).events) == 1
    assert sum(row.quantities.get("glucose", 0) for row in report.sources) >= 1
    waiting = store.quarantined(grant)
    assert len(waiting) >= 1
    for item in waiting:
        assert item.file.startswith("in/b")
        assert item.found
        assert item.expected
        assert "the reader failed" not in item.found
        assert len(store.raw(None, item.raw, grant)) == item.size


def test_a_huge_file_is_refused_without_being_held(
    store: SqlStore, grant: Grant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "WHOLE_LIMIT", 1 << 20)
    monkeypatch.setattr(module, "_HELD", 1 << 18)
    huge = b'{"resourceType":"Observation","id":"' + b"0" * (2 << 20)
    report = ingest([put(tmp_path / "in", a=GOOD, b=huge)], store, grant)
    assert (report.exit_code, report.new) == (0, 1)
    (item,) = store.quarantined(grant)
    assert "more than 1 MiB" in item.found
    assert store.raw(None, item.raw, grant) == huge


def test_a_file_that_may_not_be_read_is_reported(
    store: SqlStore, grant: Grant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(tmp_path / "in", a=GOOD, b=b"secret")
    opened = Path.open

    def refusing(self: Path, *given: object, **stated: object) -> object:
        if self.name == "b":
            raise PermissionError(13, "Permission denied")
        return opened(self, *given, **stated)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refusing)
    report = ingest([folder], store, grant)
    assert (report.exit_code, report.new) == (1, 1)
    assert "Permission denied" in report.not_stored[0].reason


@pytest.mark.parametrize("value", ["-5", "0", "1e308", "99999999"])
def test_impossible_values_are_kept_and_flagged(value: str, store: SqlStore, grant: Grant) -> None:
    raw = GOOD.replace(b'"value": 95', b'"value": ' + value.encode())
    assert ingest_bytes(raw, "x", store, grant).new == 1
    (event,) = store.record("good", grant).events
    assert event.text == value
    assert "implausible" in event.flags


def test_clocks_in_the_future_are_kept_and_flagged(store: SqlStore, grant: Grant) -> None:
    raw = GOOD.replace(b"2024-01-01", b"2199-01-01")
    ingest_bytes(raw, "x", store, grant)
    assert "future" in store.record("good", grant).events[0].flags
    beyond = GOOD.replace(b"2024-01-01", b"9999-12-31").replace(b'"good"', b'"later"')
    report = ingest_bytes(beyond, "x", store, grant)
    assert (report.new, report.sources[0].quarantined) == (0, 1)


def test_a_reader_that_fails_is_named_and_harms_no_other(
    store: SqlStore, grant: Grant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medtwin.sources import dexcom_clarity

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(dexcom_clarity, "_read", broken)
    report = ingest([put(tmp_path / "in", a=CLARITY, b=GOOD)], store, grant)
    assert (report.exit_code, report.new) == (0, 1)
    assert "ZeroDivisionError" in store.quarantined(grant)[0].found


def test_a_table_of_lies_gives_a_reason_for_each_row(store: SqlStore, grant: Grant) -> None:
    raw = b"when,value\n" + b"".join(
        line + b"\n"
        for line in (b"06/11/2023 00:01,nan", b"06/11/2023 00:02,inf", b"06/11/2023 00:03,1e999", b"06/11/2023 00:04,0x5",
                     b"06/11/2023 00:05,1_0", b"99/99/9999 00:01,5", b"06/11/0001 00:01,5", b"=cmd|calc,5")
    )  # fmt: skip
    report = ingest_bytes(raw, "x", store, grant, mapping=mapping())
    assert report.new == 0
    assert report.sources[0].quarantined == 7  # "nan" says that there is no value


def test_a_quarantined_bomb_keeps_the_archive_not_what_it_grows_to(store: SqlStore, grant: Grant) -> None:
    raw = zip_bomb()
    ingest_bytes(raw, "bomb.zip", store, grant)
    (item,) = store.quarantined(grant)
    assert store.raw(None, item.raw, grant) == raw
    assert "grows without bound" in item.found


def test_many_members_are_bounded(monkeypatch: pytest.MonkeyPatch, store: SqlStore, grant: Grant) -> None:
    monkeypatch.setattr(archives, "Limits", partial(archives.Limits, members=3))
    report = ingest_bytes(zipped(**{f"{index}.json": GOOD for index in range(9)}), "x.zip", store, grant)
    assert report.new == 1
    assert any("very many members" in item.found for item in store.quarantined(grant))


def test_zip_with_a_huge_directory_entry_name(store: SqlStore, grant: Grant) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a/" * 3000 + "x.json", GOOD)
    assert ingest_bytes(held.getvalue(), "x.zip", store, grant).new == 1
