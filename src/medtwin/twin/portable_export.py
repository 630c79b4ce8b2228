"""Export: write everything of one patient to one archive; :mod:`~medtwin.twin.portable` says what lies in it."""

from __future__ import annotations

import os
import re
import zipfile
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

import medtwin
from medtwin.errors import InferenceError, StoreError, UnknownPatient
from medtwin.governance.grant import Grant
from medtwin.record import Event, Intent
from medtwin.record.sql import SqlStore
from medtwin.twin.patients import Life, Patients
from medtwin.twin.portable import DIALECT, Artifact, Entry, Fact, Manifest, Person, Progress, Raw, Refused
from medtwin.twin.snapshot import code_digest

_NAME = re.compile(r"[^A-Za-z0-9._-]+")

README = """One patient of medtwin, exported {created}.

provided/   the bytes as the sources sent them (index.jsonl says which is which), and what was not understood
observed/   every fact that was read from them, all versions, one JSON object a line, in the order of recording
inferred/   what the twin made of them: beliefs, a forecast, a summary; dialects stand in the manifest
audit.jsonl who read or wrote of this patient (patients stand there under a pseudonym)

Everything is plain: whoever holds this file can read it. `medtwin import FILE` brings it into another home.
"""


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
        raise StoreError(f"an archive that could not be written ({error.strerror})", where=str(target),
                         remedy="look at the folder, its rights and the room on the disk") from error  # fmt: skip
    finally:
        part.unlink(missing_ok=True)


class _Out:
    def __init__(self, archive: zipfile.ZipFile, progress: Progress | None) -> None:
        self.archive, self.tell, self.entries = archive, progress or (lambda name, done, total: None), {}  # type: ignore[var-annotated]

    def put(self, name: str, content: bytes) -> None:
        self.archive.writestr(name, content)
        self.entries[name] = Entry(len(content), blake2b(content, digest_size=32).hexdigest())

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
    person = Person(id=patient, zone=record.zone, demographics=store.demographics(patient, grant), keys=entry.keys)
    out.put("patient.json", msgspec.json.encode(person))
    raws = _provided(out, store, patient, grant)
    history = sorted(record.history, key=lambda e: e.recorded)
    out.lines("observed/events.jsonl", [Fact.of(event) for event in history])
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
            Raw(name=name, **{field: getattr(entry, field) for field in Raw.__struct_fields__ if field != "name"})
        )
        out.tell("raw bytes", number, len(entries))
    out.lines("provided/index.jsonl", index)
    mine = {entry.hash for entry in entries}
    items = [item for item in store.quarantined(grant, include_resolved=True) if item.raw in mine]
    out.lines(
        "provided/quarantine.jsonl",
        [
            Refused(
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
            index.append(Artifact(name=name, hash=mark, kind=kind, manifest=manifest))
            out.tell(f"{kind}s", number, len(listed))
    out.lines("inferred/index.jsonl", index)
    return len(index)
