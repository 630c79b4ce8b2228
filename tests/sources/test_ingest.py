"""Ingest end to end on a real store: links, duplicates, corrections, quarantine, replay, the report."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from medtwin.errors import AccessDenied, FormatError, StoreError
from medtwin.governance.grant import Grant, Purpose, Role
from medtwin.record.event import Event, SourcePatient
from medtwin.record.sql import SqlStore
from medtwin.record.store import Receipt
from medtwin.sources.ingest import ingest, ingest_bytes, replay
from medtwin.sources.mapping import Table, parse
from medtwin.sources.report import Report, schema
from sources.test_dexcom_clarity import HEADER, row, table
from sources.test_fhir_r4 import bundle, observation, person
from sources.test_libreview import row as libre_row
from sources.test_libreview import table as libre_table
from sources.test_table import mapping


def put(folder: Path, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("_dot_", ".")).write_bytes(content)
    return folder


def posted(**fields: Any) -> bytes:
    return json.dumps(observation(**fields)).encode()


def test_a_bundle_becomes_a_patient_of_its_own(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    raw = bundle(person("p1", name=[{"text": "Ann Lee"}]), observation(subject={"reference": "urn:uuid:p1"}))
    report = ingest([put(tmp_path / "in", a=raw)], store, grant)
    assert (report.exit_code, report.files, report.new, report.patients) == (0, 1, 2, ["p1"])
    (entry,) = store.patients(grant)
    assert (entry.id, entry.name) == ("p1", "Ann Lee")
    (row,) = report.sources
    assert (row.source, row.dialect, row.quantities) == ("fhir", "fhir_r4/1", {"sex": 1, "blood_glucose": 1})
    glucose = store.record("p1", grant).of("blood_glucose")[0]
    assert store.raw("p1", glucose.source.raw, grant) == raw


def test_the_same_file_again_is_a_duplicate(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    folder = put(tmp_path / "in", a=table(row(glucose="103")))
    ingest([folder], store, grant)
    again = ingest([folder], store, grant)
    assert (again.new, again.sources[0].duplicate, again.raw_kept, again.raw_duplicate) == (0, 1, 0, 1)


def test_a_correction_supersedes_and_a_retraction_hides(store: SqlStore, grant: Grant) -> None:
    ingest_bytes(posted(), "one", store, grant)
    later = {"meta": {"lastUpdated": "2024-01-03T00:00:00Z"}}
    corrected = posted(status="corrected", valueQuantity={"value": 99, "unit": "mg/dL"}, **later)
    report = ingest_bytes(corrected, "two", store, grant)
    assert report.sources[0].superseded == 1
    assert [event.value for event in store.record("p1", grant).events] == [99]
    ingest_bytes(posted(status="entered-in-error", meta={"lastUpdated": "2024-01-04T00:00:00Z"}), "three", store, grant)
    assert store.record("p1", grant).events == ()
    assert len(store.record("p1", grant).history) == 3


EXPORTS = {
    "clarity": table(
        row(glucose="103"), row(glucose="Low").replace("05:06:07", "05:11:07"),
        row("Insulin", "Fast-Acting", insulin="4"), row("Note", "ran"),
    ),
    "libreview": libre_table(
        libre_row("26-03-2020 17:16", 0, historic="6.3"), libre_row("26-03-2020 17:31", 0, historic="6.0"),
        libre_row("26-03-2020 17:40", 1, scan="5.8"), libre_row("26-03-2020 17:45", 4, rapid="3"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("zones", [(None, "Asia/Tokyo"), ("Asia/Tokyo", None), (None, "America/Lima")])
@pytest.mark.parametrize("export", EXPORTS)
def test_a_wall_clock_read_again_with_its_zone_stands(
    store: SqlStore, grant: Grant, export: str, zones: tuple[str | None, str | None]
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for turn, zone in enumerate(zones):
        report = ingest_bytes(EXPORTS[export], "export.csv", store, grant, patient="jane", zone=zone, now=now)
        (source,) = report.sources
        assert (report.new, source.duplicate, source.superseded) == (4, 0, 4 * turn)
    record = store.record("jane", grant)
    (known,) = {zone for zone in zones if zone}
    assert (len(record.history), len(record.events)) == (8, 4)
    assert {event.time.zone for event in record.events} == {known}
    assert all(event.available >= event.instant for event in record.events)
    (entry,) = store.patients(grant)
    assert (entry.first, entry.last) == (record.events[0].instant, record.events[-1].instant)
    again = ingest_bytes(EXPORTS[export], "export.csv", store, grant, patient="jane", zone=zones[0], now=now)
    assert (again.new, again.sources[0].duplicate) == (0, 4)
    assert store.record("jane", grant).events == record.events


def test_an_export_that_names_nobody_waits_unassigned(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    folder = put(tmp_path / "in", a=table(row(glucose="103"), person=""))
    report = ingest([folder], store, grant)
    assert (report.sources[0].unassigned, report.patients) == (1, [])
    (owner,) = store.unassigned(grant)
    assert owner.value.startswith("anonymous-")
    assigned = ingest([folder], store, grant, patient="ann", zone="Europe/Paris")
    assert assigned.patients == ["ann"]
    assert store.unassigned(grant) == ()
    (entry,) = store.patients(grant)
    assert (entry.zone, entry.keys) == ("Europe/Paris", (owner,))


def test_the_zone_that_all_facts_state_becomes_the_patients(store: SqlStore, grant: Grant) -> None:
    """As ``--timezone`` does it, where a mapping states the zone; several zones settle nothing, a stated one stands."""

    def come_in(own: str, day: int, patient: str | None, zone: str | None = None) -> Report:
        text = f"when,level\n2024-05-{day:02d}T08:00,110\n".encode()
        return ingest_bytes(text, f"{day}.csv", store, grant, patient=patient, mapping=_mapped(own), zone=zone)

    def zones() -> dict[str, str | None]:
        return {entry.id: entry.zone for entry in store.patients(grant)}

    said = come_in("Europe/London", 1, "ann")
    assert zones() == {"ann": "Europe/London"}
    assert any("Europe/London" in note for note in said.notes)
    come_in("Asia/Tokyo", 2, "ann")
    assert zones()["ann"] == "Europe/London"
    come_in("Europe/London", 1, "ben", zone="Asia/Tokyo")
    assert zones()["ben"] == "Asia/Tokyo"
    waiting = come_in("Europe/London", 1, None)
    assert waiting.patients == []
    come_in("Asia/Tokyo", 2, None)
    owners = store.unassigned(grant)
    for owner in owners:  # facts of two zones, linked by hand
        store.link(owner, "cay", grant)
    come_in("Asia/Tokyo", 3, "cay")
    assert zones()["cay"] is None


def _mapped(zone: str) -> Table:
    """One column of glucose, with the zone of its wall clock."""
    level = {"column": "level", "quantity": "blood_glucose", "unit": "mg/dL"}
    when = {"column": "when", "zone": zone}
    readings = {"name": "readings", "match": {"columns": ["when", "level"]}, "time": when, "values": [level]}
    (made,) = parse({"dialect": "medtwin-mapping/1", "source": "meter", "tables": [readings]})
    return made


def test_overlapping_exports_of_one_patient_meet_in_one_key(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    first, second = (
        table(row(glucose="103"), person=""),
        table(row(glucose="103"), row(glucose="99").replace("06:07", "11:07"), person=""),
    )
    ingest([put(tmp_path / "a", x=first)], store, grant, patient="ann")
    report = ingest([put(tmp_path / "b", x=second)], store, grant, patient="ann")
    assert (report.new, report.sources[0].duplicate) == (1, 1)
    assert len(store.record("ann", grant).events) == 2


def test_two_people_in_one_file_are_not_both_the_stated_patient(store: SqlStore, grant: Grant) -> None:
    both = bundle(person("p1"), person("p2"))
    report = ingest_bytes(both, "both", store, grant, patient="ann")
    assert sorted(report.patients) == ["p1", "p2"]
    assert any("several people" in note for note in report.notes)
    one = ingest_bytes(bundle(person("p3")), "one", store, grant, patient="ann")
    assert one.patients == ["ann"]
    before = store.sequence()
    moved = ingest_bytes(bundle(person("p3")), "one", store, grant, patient="bob")
    assert (moved.patients, moved.exit_code, store.sequence()) == ([], 1, before)
    (lost,) = moved.not_stored
    assert "who is patient ann here; expected bob" in lost.reason
    assert not lost.again
    assert "bob" not in {entry.id for entry in store.patients(grant)}


def test_two_people_of_one_first_name_stay_two(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    """Exports that state a first name alone: told apart by the transmitter, and kept until somebody says whose they are."""
    first = "1,,FirstName,,Ann,,,,,,,\n"

    def export(serial: str, glucose: str) -> bytes:
        header = HEADER.rstrip("\n") + ",Transmitter ID\n"
        return table(row(glucose=glucose) + f",{serial}", person=first, header=header)

    files = put(tmp_path / "in", a=export("80AAAA", "101"), b=export("80BBBB", "202"), c=export("80AAAA", "101"))
    report = ingest([files], store, grant)
    assert report.patients == []
    assert len(store.unassigned(grant)) == 2
    assert report.sources[0].duplicate == 1
    assert all("keyed by that and the serial number of the device" in note for note in report.notes)
    without = ingest([put(tmp_path / "more", d=table(row(glucose="103"), person=first))], store, grant)
    assert "keyed by its own content" in without.notes[0]
    assert len(store.unassigned(grant)) == 3
    told = ingest([put(tmp_path / "told", e=export("80AAAA", "101"))], store, grant, patient="ann")
    assert told.patients == ["ann"]
    other = ingest([put(tmp_path / "other", f=export("80BBBB", "202"))], store, grant, patient="ann-too")
    assert other.patients == ["ann-too"]
    assert [e.value for e in store.record("ann-too", grant).of("glucose")] == [202]
    wrong = ingest([put(tmp_path / "wrong", g=export("80BBBB", "203"))], store, grant, patient="ann")
    assert wrong.exit_code == 1
    assert [e.value for e in store.record("ann", grant).of("glucose")] == [101]
    named = ingest([put(tmp_path / "named", h=table(row(glucose="104")))], store, grant)
    assert "keyed by the name and the date of birth in it" in named.notes[0]
    assert len(named.patients) == 1


def test_ids_of_new_patients_never_collide(store: SqlStore, grant: Grant) -> None:
    for base in ("http://a.org/fhir", "http://b.org/fhir"):
        ingest_bytes(bundle(person("p1"), url=base + "/{type}/{}"), base, store, grant)
    assert len({entry.id for entry in store.patients(grant)}) == 2


def test_raw_bytes_of_two_people_are_kept_apart(store: SqlStore, grant: Grant) -> None:
    both = bundle(person("p1", name=[{"text": "Alpha"}]), person("p2", name=[{"text": "Beta"}]))
    ingest_bytes(both, "both", store, grant)
    kept = {entry.owner.value: store.raw(None, entry.hash, grant) for entry in store.raw_entries(None, grant)}
    assert b"Beta" not in kept["p1"]
    assert b"Alpha" not in kept["p2"]


# quarantine


def test_what_is_not_understood_is_kept_with_its_reason(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    folder = put(
        tmp_path / "in",
        a_dot_csv=b"when,value\n06/11/2023 00:01,5\n",
        b_dot_json=posted(),
        c_dot_pdf=b"%PDF-1.4\n\x00\xff",
    )
    report = ingest([folder], store, grant)
    assert (report.exit_code, report.new) == (0, 1)
    waiting = {item.file: item for item in store.quarantined(grant)}
    assert set(waiting) == {"in/a.csv", "in/c.pdf"}
    assert "mapping" in waiting["in/a.csv"].remedy
    assert store.raw(None, waiting["in/c.pdf"].raw, grant) == b"%PDF-1.4\n\x00\xff"
    again = ingest([folder], store, grant)
    assert len(store.quarantined(grant)) == 2
    assert sorted(again.quarantine) == sorted(report.quarantine)


def test_replay_after_a_mapping_was_written(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    ingest([put(tmp_path / "in", a_dot_csv=b"when,value\n06/11/2023 00:01,5\n")], store, grant)
    (item,) = store.quarantined(grant)
    assert replay([item.id], store, grant).new == 0
    assert len(store.quarantined(grant)) == 1
    report = replay([item.id], store, grant, mapping=mapping(), patient="ann")
    assert report.new == 1
    assert store.quarantined(grant) == ()
    assert len(store.record("ann", grant).events) == 1


def test_replay_of_a_row_keeps_person_zone_and_the_good_rows(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    what = [{"column": "value", "quantity": "glucose", "unit": "mmol/L"}]
    raw = b"when,value\n06/06/2023 12:00,5\n06/06/2023 12:05,off\n"
    ingest(
        [put(tmp_path / "in", a_dot_csv=raw)],
        store,
        grant,
        mapping=mapping(values=what),
        patient="ann",
        zone="Europe/Paris",
    )
    (item,) = store.quarantined(grant)
    assert (item.locator, item.dialect) == ("line 3", "table/1")
    what[0]["missing"] = ["off"]
    report = replay(None, store, grant, mapping=mapping(values=what))
    assert (report.new, report.sources[0].duplicate) == (0, 1)
    assert store.quarantined(grant) == ()
    assert store.record("ann", grant).events[0].instant.hour == 10


def test_many_rows_with_one_fault_make_few_items(store: SqlStore, grant: Grant) -> None:
    raw = b"when,value\n" + b"06/11/2023 00:01,five\n" * 1000
    report = ingest_bytes(raw, "x", store, grant, mapping=mapping())
    assert report.sources[0].quarantined == 1000
    assert len(report.quarantine) == 101
    assert any(item.found.startswith("900 more") for item in store.quarantined(grant))


class Picky:
    """A store that cannot write down one fact."""

    def __init__(self, store: SqlStore, key: str) -> None:
        self._store, self._key = store, key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, events: Iterable[Event], grant: Grant) -> Receipt:
        events = list(events)
        if any(event.key == self._key for event in events):
            raise FormatError("half a surrogate pair in a text")
        return self._store.append(events, grant)


def test_a_fact_that_no_database_can_keep_takes_no_other_with_it(store: SqlStore, grant: Grant) -> None:
    many = bundle(*(observation(id=f"o{index}") for index in range(9)))
    report = ingest_bytes(many, "x", Picky(store, "Observation/o5"), grant)
    assert (report.new, report.sources[0].read, report.sources[0].quarantined, report.exit_code) == (8, 8, 1, 0)
    assert [item.locator for item in store.quarantined(grant)] == ["entry[5]"]


def test_a_person_whose_key_no_database_can_keep_harms_no_other(store: SqlStore, grant: Grant) -> None:
    odd = observation(id="bad", subject={"identifier": {"system": "s", "value": "a\x00b"}})
    report = ingest_bytes(bundle(odd, observation(id="a")), "x", store, grant)
    assert (report.new, report.sources[0].quarantined, report.exit_code) == (1, 1, 0)
    assert "NUL" in store.quarantined(grant)[0].found


# archives


def zipped(**files: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


def tarred(**files: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def test_archives_are_walked_by_content(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    inner = zipped(**{"deep/a.json": posted(id="1")})
    folder = put(
        tmp_path / "in", one=gzip.compress(posted(id="2")),
        two=tarred(**{"x.json": posted(id="3"), "y": table(row(glucose="103"))}),
        three=zipped(**{"inner.zip": inner, "../../evil.json": posted(id="4"), ".DS_Store": b"x"}),
    )  # fmt: skip
    report = ingest([folder], store, grant)
    assert (report.exit_code, report.new, len(report.quarantine)) == (0, 5, 0)
    files = {event.source.file for event in store.record("p1", grant).events}
    assert files == {"in/one", "in/two!x.json", "in/three!inner.zip!deep/a.json", "in/three!../../evil.json"}
    assert {path.name for path in tmp_path.rglob("*")} == {"in", "one", "two", "three"}


def test_progress_is_told(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folder = put(tmp_path / "in", a=posted(), b=posted(id="o2"))
    ingest([folder], store, grant, progress=lambda *said: told.append(said))
    total = len(posted()) * 2
    assert told[0] == ("in/a", 0, total)
    assert told[-1] == ("", total, total)


# the report, and what fails


def test_the_report_is_versioned_json_with_a_schema(store: SqlStore, grant: Grant) -> None:
    report = ingest_bytes(posted(), "x", store, grant)
    assert msgspec.json.decode(report.to_json(), type=Report) == report
    assert json.loads(report.to_json())["dialect"] == "medtwin-ingest-report/1"
    assert "SourceRow" in json.dumps(schema())


def test_a_path_that_is_not_there_is_not_stored(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    report = ingest([tmp_path / "none", put(tmp_path / "in", a=posted())], store, grant)
    assert (report.exit_code, report.new) == (1, 1)
    assert "no such file" in report.not_stored[0].reason


class Failing:
    """A store whose appends or raw bytes fail, and all else is real."""

    def __init__(self, store: SqlStore, verb: str) -> None:
        self._store, self._verb = store, verb

    def __getattr__(self, name: str) -> Any:
        if name == self._verb:
            return self._refuse
        return getattr(self._store, name)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise StoreError("a full disk", remedy="free space")


@pytest.mark.parametrize("verb", ["append", "keep_raw"])
def test_a_store_that_fails_is_reported_and_never_leaves_facts_without_raw(
    store: SqlStore, grant: Grant, tmp_path: Path, verb: str
) -> None:
    report = ingest([put(tmp_path / "in", a=posted())], Failing(store, verb), grant)
    assert report.exit_code == 1
    assert "full disk" in report.not_stored[0].reason
    assert store.sequence() == 0


class Watching:
    """A store that records the order of raw bytes and facts."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.kept: set[str] = set()
        self.appended: list[Event] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def keep_raw(self, *given: Any, **stated: Any) -> Any:
        kept = self._store.keep_raw(*given, **stated)
        self.kept.add(kept.hash)
        return kept

    def append(self, events: Iterable[Event], grant: Grant) -> Receipt:
        events = list(events)
        assert {event.source.raw for event in events} <= self.kept
        self.appended += events
        return self._store.append(events, grant)


def test_raw_bytes_come_before_facts(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    watched = Watching(store)
    rows = [
        row(glucose=str(100 + index % 50))
        .replace("05:06:07", f"{index // 60 % 24:02d}:{index % 60:02d}:07")
        .replace("03-04", f"03-{1 + index // 1440:02d}")
        for index in range(9000)
    ]
    ingest([put(tmp_path / "in", a=posted(), b=table(*rows))], watched, grant)
    assert len(watched.appended) == 9001


def test_a_wrong_zone_or_mapping_is_the_callers_fault(store: SqlStore, grant: Grant, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="IANA"):
        ingest([tmp_path], store, grant, zone="Mars/Base")
    with pytest.raises(FormatError, match="mapping"):
        ingest([tmp_path], store, grant, mapping=tmp_path / "none.yaml")


def test_a_grant_that_may_not_write_is_refused(store: SqlStore, tmp_path: Path) -> None:
    reader = Grant(who="r", role=Role.RESEARCHER, purpose=Purpose.RESEARCH, epoch=store.epoch())
    with pytest.raises(AccessDenied):
        ingest([put(tmp_path / "in", a=posted())], store, reader)
    assert store.sequence() == 0


def test_a_device_may_write_without_reading_the_worklist(store: SqlStore) -> None:
    device = Grant(who="pump", role=Role.DEVICE, purpose=Purpose.TREATMENT, epoch=store.epoch())
    assert ingest_bytes(posted(), "x", store, device).new == 1


def device(store: SqlStore) -> Grant:
    return Grant(who="pump", role=Role.DEVICE, purpose=Purpose.OPERATIONS, epoch=store.epoch())


def test_a_device_reaches_whoever_its_key_was_linked_to(store: SqlStore, grant: Grant) -> None:
    """The key p1 is assigned, then moved, between deliveries: the facts follow, and nothing is refused."""
    key = SourcePatient("fhir", "p1")
    for number, patient in enumerate(("anna", "bea", None, "carl")):
        if number:
            store.unlink(key, grant)
        if patient:
            store.link(key, patient, grant)
        report = ingest_bytes(bundle(observation(id=f"o{number}"), url=""), "x", store, device(store))
        assert (report.not_stored, report.new) == ([], 1)
        assert report.patients == [patient or "p1"]
    assert {entry.id: entry.events for entry in store.patients(grant)} == {"carl": 4}


def test_whose_keys_are_is_told_to_whoever_may_write_and_of_these_keys_only(store: SqlStore, grant: Grant) -> None:
    one, two, three = (SourcePatient("fhir", name) for name in ("1", "2", "3"))
    store.link(one, "anna", grant)
    store.link(two, "bea", grant)
    assert store.whose([one, three], device(store)) == {one: "anna"}
    assert store.whose([one, two], replace(grant, patients=frozenset({"bea"}))) == {two: "bea"}
    for refused in (replace(grant, role=Role.RESEARCHER), replace(grant, epoch=grant.epoch + 1)):
        with pytest.raises(AccessDenied):
            store.whose([one], refused)


def test_a_new_key_of_a_device_is_not_taken_for_somebody_of_that_name(store: SqlStore, grant: Grant) -> None:
    """The patient ``p1`` is somebody of another source: whom a device must not be told of, and must not be joined to."""
    store.link(SourcePatient("scale", "7"), "p1", grant)
    report = ingest_bytes(posted(), "x", store, device(store))
    assert (report.not_stored, report.new) == ([], 1)
    (made,) = report.patients
    assert made.startswith("p1-")
    assert {entry.id: entry.events for entry in store.patients(grant)} == {"p1": 0, made: 1}
    with pytest.raises(StoreError, match="somebody already"):
        store.link(SourcePatient("scale", "8"), "p1", grant, new=True)
    store.link(SourcePatient("scale", "7"), "p1", grant, new=True)  # their own key


def test_a_new_key_is_not_taken_for_somebody_who_withdrew(store: SqlStore, grant: Grant) -> None:
    store.link(SourcePatient("scale", "7"), "p1", grant)
    store.withdraw("p1", grant)
    report = ingest_bytes(posted(), "x", store, device(store))
    assert report.new == 1
    assert report.patients[0].startswith("p1-")


def test_a_device_moves_no_keys(store: SqlStore, grant: Grant) -> None:
    for name in ("anna", "bob"):
        store.link(SourcePatient("fhir", name), name, grant)
    merge = (
        "MSH|^~\\&|fhir|H|X|Y|20240101080000||ADT^A40|M9|P|2.5\rEVN|A40|20240101\r"
        "PID|1||anna^^^fhir||Schmidt^Anna\rMRG|bob^^^fhir\r"
    )
    report = ingest_bytes(merge.encode(), "x", store, device(store), zone="UTC", source="fhir")
    assert (report.not_stored, len(report.quarantine)) == ([], 1)
    (item,) = store.quarantined(grant)
    assert item.found.startswith("A40")
    assert {entry.id for entry in store.patients(grant)} >= {"anna", "bob"}


def test_now_decides_what_lies_in_the_future(store: SqlStore, grant: Grant) -> None:
    ingest_bytes(posted(), "x", store, grant, now=datetime(2023, 1, 1, tzinfo=UTC))
    (event,) = store.record("p1", grant).events
    assert "future" in event.flags


def test_the_key_of_a_live_message_is_the_key_of_the_file(store: SqlStore, grant: Grant) -> None:
    ingest_bytes(posted(), "posted", store, grant)
    report = ingest_bytes(bundle(observation(), url=""), "bundle", store, grant)
    assert (report.new, report.sources[0].duplicate) == (0, 1)
    assert store.patients(grant)[0].keys == (SourcePatient("fhir", "p1"),)
