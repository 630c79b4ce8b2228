"""Import: one exported patient into this home; :mod:`~medtwin.twin.portable` says what an archive holds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from medtwin.errors import FormatError, StoreError
from medtwin.governance.grant import Action, Grant
from medtwin.record.codec import microseconds
from medtwin.record.sql import SqlStore
from medtwin.record.writer import Work
from medtwin.twin.patients import Patients
from medtwin.twin.portable import DIALECT, Artifact, Fact, Manifest, Person, Progress, Raw, Refused
from medtwin.twin.snapshot import code_digest

LARGEST = 4 << 30  #: bytes of one entry


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
        raise StoreError(f"no readable archive ({error.strerror})", where=str(source),
                         remedy="look at the file's name and rights") from error  # fmt: skip


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


def _load(
    given: _In, store: SqlStore, grant: Grant, patient: str | None, check: bool, progress: Progress | None
) -> Imported:
    person = msgspec.json.decode(given.get("patient.json"), type=Person)
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
    facts = [fact.event(raw) for fact in given.lines("observed/events.jsonl", Fact)]
    recorded = [fact.recorded for fact in given.lines("observed/events.jsonl", Fact)]
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
    for one in given.lines("inferred/index.jsonl", Artifact):
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
    for one in given.lines("provided/index.jsonl", Raw):
        kept = store.keep_raw(
            given.get(one.name), one.owner, grant, media_type=one.media_type, file=one.file, source=one.source
        )
        raw[one.hash] = kept.hash
    for item in given.lines("provided/quarantine.jsonl", Refused):
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
