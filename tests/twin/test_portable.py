"""One patient as one archive: everything is in it, and another home makes the same of it."""

import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from medtwin.errors import FormatError, StoreError
from medtwin.record import Code, Comparator, Event, Intent, Moment, Source, SourcePatient, Status
from medtwin.record.home import open_store
from medtwin.record.moment import Precision
from medtwin.record.store import Demographics
from medtwin.twin.patients import Patients
from medtwin.twin.portable_export import export
from medtwin.twin.portable_import import bring_in
from twin.people import NOW

OWNER = SourcePatient("world", "ada")


@pytest.fixture(scope="module")
def first(short, tmp_path_factory):
    """A home with ada in it: raw bytes, quarantine, facts of every kind in several commits, a belief."""
    with open_store(tmp_path_factory.mktemp("first")) as store:
        grant = store.issue_grant()
        store.keep_raw(b"a,b\n1,2\n", OWNER, grant, media_type="text/csv", file="../week 1.csv", source="world")
        kept = store.keep_raw(b"?", OWNER, grant, media_type="text/csv", file="week 2.csv", source="world")
        store.link(OWNER, "ada", grant, zone="Europe/Berlin")
        said = Demographics(name="Ada", birth_date="1985-10-12", sex="female", synthetic=True)
        store.describe(OWNER, said, grant)
        store.quarantine(
            kept.hash, file="week 2.csv", dialect="table/1", locator="line 1", found="the value '?'",
            expected="a number", remedy="ask", size=1, grant=grant,
        )  # fmt: skip
        half = len(short.events) // 2
        store.append([_with_raw(e, kept.hash) for e in short.events[:half]], grant)
        store.append([_with_raw(e, kept.hash) for e in short.events[half:]], grant)
        store.append(list(odd(short.events[0].source)), grant)
        yield store, grant


def _with_raw(event, raw):
    from dataclasses import replace

    return replace(event, source=replace(event.source, raw=raw))


def odd(source: Source):
    """Facts with everything that a fact can have."""
    at = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    fold = Moment(datetime(2025, 10, 26, 2, 30, fold=1), Precision.MINUTE, None, "Europe/Berlin", True)  # noqa: DTZ001
    common = {"subject": OWNER, "source": source, "available": at}
    yield Event(
        quantity="hba1c", value=4.0, text="<4", comparator=Comparator.BELOW, time=Moment.of(at), key="1", **common
    )
    yield Event(quantity="hba1c", value=5.1, sd=0.2, group="panel", time=fold, key="2", **common)
    yield Event(quantity="hba1c", value=float("nan"), time=Moment.of(at), key="3", **common)
    yield Event(
        quantity="allergy", value=Code("s", "c", "Latex", negated=True), time=Moment(at.replace(tzinfo=None), Precision.DAY),
        key="4", intent=Intent.STATED, **common,
    )  # fmt: skip
    yield Event(
        quantity="insulin_bolus", value=2.0, time=Moment.of(at + timedelta(days=90)), key="5", intent=Intent.PLANNED,
        **common,
    )  # fmt: skip
    wrong = {"quantity": "body_weight", "time": Moment.of(at), "key": "6", "subject": OWNER, "source": source}
    yield Event(value=700.0, available=at, **wrong)
    yield Event(value=70.0, available=at + timedelta(hours=1), status=Status.CORRECTED, **wrong)
    yield Event(quantity="note", value=None, text="felt \N{SNOWMAN} cold", time=Moment.of(at), key="7", **common)


@pytest.fixture(scope="module")
def archive(first, tmp_path_factory):
    store, grant = first
    path = tmp_path_factory.mktemp("archive") / "ada.zip"
    return path, export(store, "ada", path, grant, at=NOW)


def test_the_archive_holds_everything(archive, first):
    path, said = archive
    store, grant = first
    with zipfile.ZipFile(path) as opened:
        names = opened.namelist()
        assert opened.read("provided/0001-week-1.csv") == b"a,b\n1,2\n"
        events = [json.loads(line) for line in opened.read("observed/events.jsonl").splitlines()]
        manifest = json.loads(opened.read("manifest.json"))
        audit = opened.read("audit.jsonl").splitlines()
        forecast = json.loads(opened.read("inferred/forecast.json"))
        summary = json.loads(opened.read("inferred/summary.json"))
        assert json.loads(opened.read("patient.json"))["demographics"]["name"] == "Ada"
    assert not any(".." in name or name.startswith("/") for name in names)
    assert set(manifest["entries"]) == set(names) - {"manifest.json"}
    assert len(events) == said.facts == len(store.record("ada", grant).history)
    assert [e["recorded"] for e in events] == sorted(e["recorded"] for e in events)
    assert len(audit) > 5
    assert forecast["hash"] or forecast["withheld"]
    assert summary["snapshot"] == said.snapshot
    assert said.artifacts >= 4
    assert (path.stat().st_mode & 0o077) == 0


def test_another_home_makes_the_same_of_it(archive, first, tmp_path):
    path, said = archive
    store, grant = first
    with open_store(tmp_path) as other:
        permit = other.issue_grant()
        found = bring_in(path, other, permit)
        assert found.same is True
        assert found.snapshot == said.snapshot == Patients(other, permit).as_of("ada", NOW).twin.snapshot
        there, here = store.record("ada", grant), other.record("ada", permit)
        by_order = [sorted(r.history, key=lambda e: e.recorded) for r in (there, here)]
        assert [e.id for e in by_order[0]] == [e.id for e in by_order[1]]
        for one, two in zip(*by_order, strict=True):
            same = (
                "quantity",
                "time",
                "until",
                "available",
                "comparator",
                "sd",
                "intent",
                "status",
                "flags",
                "supersedes",
            )
            assert all(getattr(one, field) == getattr(two, field) for field in same)
            assert (one.time.local.fold, one.time.settled) == (two.time.local.fold, two.time.settled)
            assert one.value == two.value or one.value != one.value
        assert here.zone == "Europe/Berlin"
        assert other.demographics("ada", permit).name == "Ada"
        raws = {entry.file: other.raw("ada", entry.hash, permit) for entry in other.raw_entries("ada", permit)}
        assert raws == {"../week 1.csv": b"a,b\n1,2\n", "week 2.csv": b"?"}
        mine = {entry.hash for entry in other.raw_entries("ada", permit)}
        assert {e.source.raw for e in here.history} & mine  # facts point to the bytes under their new names
        (item,) = other.quarantined(permit)
        assert (item.found, item.file) == ("the value '?'", "week 2.csv")
        again = bring_in(path, other, permit, check=False)
        assert (again.facts, again.duplicate) == (0, said.facts)


def test_the_recorded_clock_comes_along_into_an_empty_home(archive, first, tmp_path):
    path, _ = archive
    store, grant = first
    with store.access.database.reading() as connection:
        times = [int(row[0]) for row in connection.rows("SELECT time FROM batch ORDER BY sequence")]
    with open_store(tmp_path) as other:
        permit = other.issue_grant()
        bring_in(path, other, permit, check=False)
        for time in times:
            moment = datetime.fromtimestamp(time / 1e6 + 1e-4, UTC)
            then = [
                {e.id for e in s.record("ada", g).known_by(s.sequence_at(moment), "recorded").events}
                for s, g in ((store, grant), (other, permit))
            ]
            assert then[0] == then[1]
        assert other.sequence_at(datetime.fromtimestamp(times[0] / 1e6 - 1, UTC)) == 0


def test_a_home_that_holds_others_keeps_its_own_times(archive, tmp_path):
    path, _ = archive
    with open_store(tmp_path) as other:
        permit = other.issue_grant()
        subject = SourcePatient("x", "ben")
        other.link(subject, "ben", permit)
        at = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
        source = Source("x", "x/1", "0" * 32, "line 1")
        other.append(
            [
                Event(
                    subject=subject,
                    quantity="heart_rate",
                    value=60.0,
                    time=Moment.of(at),
                    available=at,
                    source=source,
                    key="1",
                )
            ],
            permit,
        )
        before = other.sequence_at(datetime.now(UTC))
        found = bring_in(path, other, permit, check=False)
        assert "held facts before" in found.note
        assert other.sequence_at(datetime.now(UTC)) > before
        with other.access.database.reading() as connection:
            times = [int(row[0]) for row in connection.rows("SELECT time FROM batch ORDER BY sequence")]
        assert times == sorted(times)


def test_a_person_of_the_same_id_is_not_mixed_up(archive, tmp_path):
    path, _ = archive
    with open_store(tmp_path) as other:
        permit = other.issue_grant()
        other.link(SourcePatient("x", "somebody"), "ada", permit)
        with pytest.raises(StoreError, match="--as ID"):
            bring_in(path, other, permit, check=False)
        assert bring_in(path, other, permit, patient="ada-2", check=False).facts > 500
        assert {e.id for e in other.patients(permit)} == {"ada", "ada-2"}


@pytest.mark.parametrize("entry", ["observed/events.jsonl", "provided/0001-week-1.csv", "patient.json"])
def test_a_touched_entry_is_noticed_before_anything_is_stored(archive, tmp_path, entry):
    path, _ = archive
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "bad.zip", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b" " if name == entry else b""))
    with open_store(tmp_path / "home") as other:
        permit = other.issue_grant()
        with pytest.raises(FormatError, match=entry.replace(".", r"\.")):
            bring_in(tmp_path / "bad.zip", other, permit)
        assert other.patients(permit) == ()
        assert other.raw_entries(None, permit) == ()


def test_another_dialect_is_refused(archive, tmp_path):
    path, _ = archive
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "new.zip", "w") as new:
        said = json.loads(old.read("manifest.json")) | {"dialect": "medtwin-patient/9"}
        new.writestr("manifest.json", json.dumps(said))
    with open_store(tmp_path / "home") as other, pytest.raises(FormatError, match="medtwin-patient/9"):
        bring_in(tmp_path / "new.zip", other, other.issue_grant())
