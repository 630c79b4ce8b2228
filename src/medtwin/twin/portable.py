"""Export and import: one patient as one archive, whole, readable without medtwin, and the same twin elsewhere.

A ZIP archive of three parts and their papers::

    README.txt              what lies where
    manifest.json           dialect, versions, the belief's hash, size and BLAKE2b hash of every entry
    patient.json            id, zone, demographics, keys of the sources
    provided/index.jsonl    raw bytes as they came in: name, sender, type, when
    provided/NNNN-NAME      ... and the bytes
    provided/quarantine.jsonl   what was not understood, and why
    observed/events.jsonl   every version of every fact, in the order of recording
    observed/batches.jsonl  (sequence, time) of the commits
    inferred/index.jsonl    snapshots (beliefs at the ends of pieces, with what they say) and other artifacts
    inferred/KIND/NAME      ... and the bytes
    inferred/forecast.json  the forecast at the moment of export
    inferred/summary.json   belief and parameters at that moment
    audit.jsonl             who read or wrote of the patient

Importing it into another home gives the same facts in the same order and the same belief hash. Hashes of raw bytes are
salted by each home and therefore change; facts point to the new ones. Into an empty home the times of the commits come
along too, so that ``--clock recorded`` answers as the first home did; a home that holds others keeps its own times.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

import medtwin
from medtwin.errors import FormatError, InferenceError, StoreError, UnknownPatient
from medtwin.governance.grant import Action, Grant
from medtwin.record import (
    ArtifactId,
    Basis,
    Code,
    Comparator,
    Event,
    Flag,
    Intent,
    Moment,
    Source,
    SourcePatient,
    Status,
)
from medtwin.record.codec import microseconds
from medtwin.record.moment import Precision
from medtwin.record.sql import SqlStore
from medtwin.record.store import Demographics
from medtwin.record.writer import Work
from medtwin.twin.patients import Life, Patients
from medtwin.twin.snapshot import code_digest

DIALECT = "medtwin-patient/1"
LARGEST = 4 << 30  #: bytes of one entry
_NAME = re.compile(r"[^A-Za-z0-9._-]+")
Progress = Callable[[str, int, int], None]

README = """One patient of medtwin, exported {created}.

provided/   the bytes as the sources sent them (index.jsonl says which is which), and what was not understood
observed/   every fact that was read from them, all versions, one JSON object a line, in the order of recording
inferred/   what the twin made of them: beliefs, a forecast, a summary; dialects stand in the manifest
audit.jsonl who read or wrote of this patient (patients stand there under a pseudonym)

Everything is plain: whoever holds this file can read it. `medtwin import FILE` brings it into another home.
"""


class _When(msgspec.Struct, omit_defaults=True):
    local: datetime
    precision: int
    offset: int | None = None
    zone: str | None = None
    fold: int = 0

    @classmethod
    def of(cls, m: Moment) -> _When:
        return cls(m.local, int(m.precision), m.offset, m.zone, m.local.fold)

    def moment(self) -> Moment:
        return Moment(self.local.replace(fold=self.fold), Precision(self.precision), self.offset, self.zone)


class _Fact(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One version of a fact, as a line of ``observed/events.jsonl``."""

    id: str
    recorded: int
    supersedes: str | None = None
    subject: SourcePatient
    quantity: str
    number: float | None = None
    not_a_number: bool = False
    code: Code | None = None
    artifact: str | None = None
    text: str | None = None
    unit_text: str | None = None
    comparator: Comparator | None = None
    sd: float | None = None
    time: _When
    until: _When | None = None
    available: datetime
    intent: Intent = Intent.HAPPENED
    status: Status = Status.FINAL
    basis: Basis = Basis.OBSERVED
    group: str | None = None
    flags: tuple[Flag, ...] = ()
    source: Source
    key: str

    @classmethod
    def of(cls, e: Event) -> _Fact:
        number = float(e.value) if isinstance(e.value, (int, float)) else None
        odd = number is not None and number != number
        return cls(
            id=e.id, recorded=e.recorded, supersedes=e.supersedes, subject=e.subject, quantity=e.quantity,
            number=None if odd else number, not_a_number=odd, code=e.value if isinstance(e.value, Code) else None,
            artifact=e.value.hash if isinstance(e.value, ArtifactId) else None, text=e.text, unit_text=e.unit_text,
            comparator=e.comparator, sd=e.sd, time=_When.of(e.time), until=_When.of(e.until) if e.until else None,
            available=e.available, intent=e.intent, status=e.status, basis=e.basis, group=e.group, flags=e.flags,
            source=e.source, key=e.key,
        )  # fmt: skip

    def event(self, raw: dict[str, str]) -> Event:
        value: float | Code | ArtifactId | None = self.code
        if self.artifact is not None:
            value = ArtifactId(self.artifact)
        elif value is None:
            value = float("nan") if self.not_a_number else self.number
        return Event(
            subject=self.subject, quantity=self.quantity, value=value, text=self.text, unit_text=self.unit_text,
            comparator=self.comparator, sd=self.sd, time=self.time.moment(),
            until=self.until.moment() if self.until else None, available=self.available, intent=self.intent,
            status=self.status, basis=self.basis, group=self.group, flags=self.flags, key=self.key,
            source=replace(self.source, raw=raw.get(self.source.raw, self.source.raw)),
        )  # fmt: skip


class _Entry(msgspec.Struct, frozen=True):
    size: int
    hash: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself."""

    dialect: str
    created: datetime
    medtwin: str
    code: str  #: digest of the code that turns facts into beliefs
    patient: str
    at: datetime | None  #: the moment of belief, forecast and summary
    clock: str = "available"
    snapshot: str | None = None  #: the belief's hash
    facts: int = 0
    raw: int = 0
    artifacts: int = 0
    entries: dict[str, _Entry]


class _Person(msgspec.Struct, kw_only=True):
    id: str
    zone: str | None
    demographics: Demographics
    keys: tuple[SourcePatient, ...]


class _Raw(msgspec.Struct, kw_only=True):
    name: str
    hash: str
    owner: SourcePatient
    media_type: str
    file: str
    source: str
    size: int
    received: datetime
    times: int


class _Artifact(msgspec.Struct, kw_only=True):
    name: str
    hash: str
    kind: str
    manifest: dict[str, Any]


class _Refused(msgspec.Struct, kw_only=True):
    raw: str
    file: str
    dialect: str | None
    locator: str
    found: str
    expected: str
    remedy: str
    size: int
    resolved: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an import. ``same`` is None where no belief could be compared."""

    patient: str
    facts: int
    duplicate: int
    raw: int
    artifacts: int
    snapshot: str | None
    same: bool | None
    note: str


def export(
    store: SqlStore, patient: str, target: str | Path, grant: Grant, *, at: datetime | None = None,
    progress: Progress | None = None,
) -> Manifest:  # fmt: skip
    """Write everything of a patient to the new file ``target`` (mode 0600).

    ``at`` is the moment of belief and forecast (None: that at which the newest fact was known). Raises
    :class:`StoreError` when the target exists; nothing is left behind where it fails.
    """
    target = Path(target).absolute()
    if target.exists():
        raise StoreError("a file of that name", where=str(target), remedy="choose another name")
    part = target.with_name(target.name + ".part")
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                said = _write(_Out(archive, progress), store, patient, grant, at)
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
        return said
    except OSError as error:
        raise StoreError(f"an archive that could not be written ({error.strerror})", where=str(target)) from error
    finally:
        part.unlink(missing_ok=True)


class _Out:
    def __init__(self, archive: zipfile.ZipFile, progress: Progress | None) -> None:
        self.archive, self.tell, self.entries = archive, progress or (lambda name, done, total: None), {}  # type: ignore[var-annotated]

    def put(self, name: str, content: bytes) -> None:
        self.archive.writestr(name, content)
        self.entries[name] = _Entry(len(content), blake2b(content, digest_size=32).hexdigest())

    def lines(self, name: str, things: list[Any]) -> None:
        self.put(name, b"".join(msgspec.json.encode(one) + b"\n" for one in things))


def _write(out: _Out, store: SqlStore, patient: str, grant: Grant, at: datetime | None) -> Manifest:
    entry = next((e for e in store.patients(grant) if e.id == patient), None)
    if entry is None:
        raise UnknownPatient("an unknown patient", remedy="see `medtwin patients`")
    record = store.record(patient, grant)
    life, at = _life(store, patient, grant, record.history, at)
    created = datetime.now(UTC)
    out.put("README.txt", README.format(created=f"{created:%Y-%m-%d %H:%M} UTC").encode())
    person = _Person(id=patient, zone=record.zone, demographics=store.demographics(patient, grant), keys=entry.keys)
    out.put("patient.json", msgspec.json.encode(person))
    raws = _provided(out, store, patient, grant)
    history = sorted(record.history, key=lambda e: e.recorded)
    out.lines("observed/events.jsonl", [_Fact.of(event) for event in history])
    out.lines("observed/batches.jsonl", _batches(store, {e.recorded for e in history}))
    if life is not None and at is not None:
        _inferred(out, store, patient, grant, life, at)
    artifacts = _artifacts(out, store, patient, grant)
    out.lines("audit.jsonl", list(reversed(store.audit(grant, patient=patient, limit=1 << 40))))
    said = Manifest(
        dialect=DIALECT, created=created, medtwin=medtwin.__version__, code=code_digest(), patient=patient, at=at,
        snapshot=life.twin.snapshot if life is not None and life.twin is not None else None, facts=len(history),
        raw=raws, artifacts=artifacts, entries=dict(out.entries),
    )  # fmt: skip
    out.archive.writestr("manifest.json", msgspec.json.format(msgspec.json.encode(said), indent=1))
    return said


def _life(
    store: SqlStore, patient: str, grant: Grant, history: tuple[Event, ...], at: datetime | None
) -> tuple[Life | None, datetime | None]:
    """The life at ``at``, by default when the newest fact that happened was known; what lies ahead is left out."""
    now = datetime.now(UTC)
    when = at or max((e.available for e in history if e.intent is Intent.HAPPENED and e.available <= now), default=None)
    return (None, None) if when is None else (Patients(store, grant).as_of(patient, when), when)


def _provided(out: _Out, store: SqlStore, patient: str, grant: Grant) -> int:
    entries = store.raw_entries(patient, grant)
    index = []
    for number, entry in enumerate(entries, 1):
        name = f"provided/{number:04d}-{_NAME.sub('-', Path(entry.file).name)[-80:] or 'bytes'}"
        out.put(name, store.raw(patient, entry.hash, grant))
        index.append(
            _Raw(name=name, **{field: getattr(entry, field) for field in _Raw.__struct_fields__ if field != "name"})
        )
        out.tell("raw bytes", number, len(entries))
    out.lines("provided/index.jsonl", index)
    mine = {entry.hash for entry in entries}
    items = [item for item in store.quarantined(grant, include_resolved=True) if item.raw in mine]
    out.lines(
        "provided/quarantine.jsonl",
        [
            _Refused(
                raw=i.raw, file=i.file, dialect=i.dialect, locator=i.locator, found=i.found, expected=i.expected,
                remedy=i.remedy, size=i.size, resolved=i.resolved is not None,
            )
            for i in items
        ],
    )  # fmt: skip
    return len(entries)


def _batches(store: SqlStore, sequences: set[int]) -> list[tuple[int, int]]:
    """(last sequence of these facts, time in microseconds) of each commit that brought some of them."""
    with store.access.database.reading() as connection:
        rows = connection.rows("SELECT sequence, time FROM batch ORDER BY sequence")
    found, remaining = [], sorted(sequences)
    at = 0
    for last, time in rows:
        here = at
        while at < len(remaining) and remaining[at] <= int(last):
            at += 1
        if at > here:
            found.append((remaining[at - 1], int(time)))
    return found


def _inferred(out: _Out, store: SqlStore, patient: str, grant: Grant, life: Life, at: datetime) -> None:
    from medtwin.twin.summary import summary

    said = summary(life, at)
    plain = {
        "at": at, "snapshot": said.snapshot, "model": said.model, "reason": said.reason, "belief": said.belief,
        "parameters": said.parameters, "explanations": said.explanations,
    }  # fmt: skip
    out.put("inferred/summary.json", msgspec.json.encode(plain))
    try:
        future = Patients(store, grant).forecast(patient, life).baseline
    except InferenceError as error:
        out.put("inferred/forecast.json", msgspec.json.encode({"withheld": str(error)}))
        return
    content = {
        "quantity": future.quantity, "unit": future.unit, "made_at": future.made_at, "label": future.label,
        "withheld": future.withheld, "widened": future.widened, "times": future.times,
        "levels": future.levels.tolist(), "quantiles": future.quantiles.tolist(),
    }  # fmt: skip
    mark = blake2b(msgspec.json.encode(content), digest_size=20).hexdigest()
    out.put("inferred/forecast.json", msgspec.json.encode({"hash": mark, **content}))


def _artifacts(out: _Out, store: SqlStore, patient: str, grant: Grant) -> int:
    with store.access.read(grant, "export", patient) as read:
        rows = read.connection.rows("SELECT DISTINCT kind FROM artifact WHERE patient = ? ORDER BY kind", (patient,))
        read.count = len(rows)
    index = []
    for (kind,) in rows:
        listed = store.artifacts(patient, kind, grant)
        for number, (mark, manifest) in enumerate(listed, 1):
            name = f"inferred/{_NAME.sub('-', kind)}/{mark}"
            out.put(name, store.artifact(patient, mark, grant)[1])
            index.append(_Artifact(name=name, hash=mark, kind=kind, manifest=manifest))
            out.tell(f"{kind}s", number, len(listed))
    out.lines("inferred/index.jsonl", index)
    return len(index)


class _In:
    def __init__(self, archive: zipfile.ZipFile, path: str) -> None:
        self.archive, self.path = archive, path
        try:
            self.said = msgspec.json.decode(self._bytes("manifest.json", 64 << 20), type=Manifest)
        except (KeyError, msgspec.MsgspecError) as error:
            raise self.damaged(f"no manifest ({error})") from error
        if self.said.dialect != DIALECT:
            raise FormatError(f"an archive of dialect {self.said.dialect[:40]}", expected=DIALECT, where=path)

    def damaged(self, what: str) -> FormatError:
        return FormatError(what, expected="an export as it was written", where=self.path, remedy="use another copy")

    def _bytes(self, name: str, most: int) -> bytes:
        info = self.archive.getinfo(name)
        if info.file_size > most:
            raise self.damaged(f"an entry {name} of {info.file_size} bytes")
        with self.archive.open(info) as file:
            return file.read(most + 1)

    def get(self, name: str) -> bytes:
        """The bytes of an entry that the manifest vouches for."""
        entry = self.said.entries.get(name)
        try:
            content = b"" if entry is None else self._bytes(name, min(entry.size, LARGEST))
        except KeyError:
            entry, content = None, b""
        if entry is None or blake2b(content, digest_size=32).hexdigest() != entry.hash:
            raise self.damaged(f"an entry {name} that is not what the manifest says")
        return content

    def lines(self, name: str, kind: Any) -> Iterator[Any]:
        decode = msgspec.json.Decoder(kind).decode
        try:
            for line in io.BytesIO(self.get(name)):
                yield decode(line)
        except msgspec.MsgspecError as error:
            raise self.damaged(f"a line of {name} that cannot be read ({error})") from error


def bring_in(
    source: str | Path, store: SqlStore, grant: Grant, *, patient: str | None = None, check: bool = True,
    progress: Progress | None = None,
) -> Imported:  # fmt: skip
    """Bring an exported patient into this home, under another id where ``patient`` is given.

    Every entry is read and its hash compared before anything is stored. What is here already is counted, not doubled.
    ``check`` makes the belief anew at the archive's moment and compares its hash. Raises :class:`FormatError` for a
    damaged archive, and :class:`StoreError` when the id belongs to somebody else here.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            given = _In(archive, str(source))
            for number, name in enumerate(given.said.entries):
                given.get(name)
                if progress is not None:
                    progress("checking", number + 1, len(given.said.entries))
            return _load(given, store, grant, patient, check, progress)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise FormatError(
            f"bytes that are no export ({error})", expected=DIALECT, where=str(source), remedy="use another copy"
        ) from error
    except OSError as error:
        raise StoreError(f"no readable archive ({error.strerror})", where=str(source)) from error


def _load(
    given: _In, store: SqlStore, grant: Grant, patient: str | None, check: bool, progress: Progress | None
) -> Imported:
    person = msgspec.json.decode(given.get("patient.json"), type=_Person)
    who = patient or person.id
    here = next((e for e in store.patients(grant) if e.id == who), None)
    if here is not None and not set(here.keys) & set(person.keys):
        raise StoreError(
            "a patient of that id who is somebody else", where=who, remedy="import under another id: --as ID"
        )
    empty = store.sequence() == 0
    for key in person.keys:
        store.link(key, who, grant, zone=person.zone)
    if person.keys:
        store.describe(person.keys[0], person.demographics, grant)
    raw = _bring_raw(given, store, grant)
    facts = [fact.event(raw) for fact in given.lines("observed/events.jsonl", _Fact)]
    recorded = [fact.recorded for fact in given.lines("observed/events.jsonl", _Fact)]
    new = duplicate = begin = 0
    batches: list[tuple[int, int]] = list(given.lines("observed/batches.jsonl", tuple[int, int]))
    if recorded and (not batches or batches[-1][0] < recorded[-1]):
        batches.append((recorded[-1], microseconds(given.said.created)))
    times: list[tuple[int, int]] = []
    for last, time in batches:
        end = begin
        while end < len(recorded) and recorded[end] <= last:
            end += 1
        receipt = store.append(facts[begin:end], grant)
        new, duplicate = new + len(receipt.new), duplicate + receipt.duplicate
        times.append((receipt.sequence, time))
        begin = end
        if progress is not None:
            progress("facts", end, len(facts))
    if empty:
        _keep_times(store, grant, who, times)
    artifacts = 0
    for one in given.lines("inferred/index.jsonl", _Artifact):
        mark = store.put_artifact(who, one.kind, given.get(one.name), one.manifest, grant)
        if mark != one.hash:
            raise given.damaged(f"an artifact {one.name} of another hash")
        artifacts += 1
    snapshot, same, note = _compare(given.said, store, grant, who, check)
    if not empty:
        note = f"{note}; this home held facts before, so the recorded clock begins with the import".lstrip("; ")
    return Imported(who, new, duplicate, len(raw), artifacts, snapshot, same, note)


def _bring_raw(given: _In, store: SqlStore, grant: Grant) -> dict[str, str]:
    """Raw bytes and quarantine; the new hash of each old one."""
    raw: dict[str, str] = {}
    for one in given.lines("provided/index.jsonl", _Raw):
        kept = store.keep_raw(
            given.get(one.name), one.owner, grant, media_type=one.media_type, file=one.file, source=one.source
        )
        raw[one.hash] = kept.hash
    for item in given.lines("provided/quarantine.jsonl", _Refused):
        number = store.quarantine(
            raw.get(item.raw, item.raw), file=item.file, dialect=item.dialect, locator=item.locator, found=item.found,
            expected=item.expected, remedy=item.remedy, size=item.size, grant=grant,
        )  # fmt: skip
        if item.resolved:
            store.resolve(number, grant)
    return raw


def _keep_times(store: SqlStore, grant: Grant, patient: str, times: list[tuple[int, int]]) -> None:
    """Give the commits of an import into an empty home the wall times that they had in the first one."""

    def job(work: Work) -> None:
        store.access.allow(work, grant, Action.ADMINISTER, patient)
        for sequence, time in times:
            work.connection.run("UPDATE batch SET time = ? WHERE sequence = ?", (time, sequence))
        work.entries.append(store.access.entry(grant, "import", patient, count=len(times), sequence=work.sequence))

    store.access.write(grant, "import", job, patient=patient)


def _compare(
    said: Manifest, store: SqlStore, grant: Grant, patient: str, check: bool
) -> tuple[str | None, bool | None, str]:
    if said.snapshot is None or said.at is None:
        return None, None, "the archive holds no belief of a model"
    if not check:
        return None, None, "the belief was not made anew"
    life = Patients(store, grant).as_of(patient, said.at)
    found = None if life.twin is None else life.twin.snapshot
    if found == said.snapshot:
        return found, True, "the same belief as in the first home"
    if said.code != code_digest():
        return found, None, f"written by another version of the models (medtwin {said.medtwin}); beliefs are made anew"
    return found, False, "another belief than in the first home: report this"
