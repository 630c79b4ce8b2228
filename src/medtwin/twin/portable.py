"""One patient as one archive, whole, readable without medtwin, and the same twin elsewhere: what lies in it.

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

:mod:`~medtwin.twin.portable_export` writes it, :mod:`~medtwin.twin.portable_import` reads it; the structs here are what
its files hold. Importing it into another home gives the same facts in the same order and the same belief hash. Hashes of
raw bytes are salted by each home and therefore change; facts point to the new ones. Into an empty home the times of the
commits come along too, so that ``--clock recorded`` answers as the first home did; a home that holds others keeps its own
times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

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
from medtwin.record.moment import Precision
from medtwin.record.store import Demographics

DIALECT = "medtwin-patient/1"
Progress = Callable[[str, int, int], None]  #: what is done, how many of it, of how many


class Entry(msgspec.Struct, frozen=True):
    """Size and hash of one file in the archive."""

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
    entries: dict[str, Entry]


class Person(msgspec.Struct, kw_only=True):
    """``patient.json``."""

    id: str
    zone: str | None
    demographics: Demographics
    keys: tuple[SourcePatient, ...]


class Raw(msgspec.Struct, kw_only=True):
    """One line of ``provided/index.jsonl``."""

    name: str
    hash: str
    owner: SourcePatient
    media_type: str
    file: str
    source: str
    size: int
    received: datetime
    times: int


class Refused(msgspec.Struct, kw_only=True):
    """One line of ``provided/quarantine.jsonl``."""

    raw: str
    file: str
    dialect: str | None
    locator: str
    found: str
    expected: str
    remedy: str
    size: int
    resolved: bool


class When(msgspec.Struct, omit_defaults=True):
    """A moment as the source told it."""

    local: datetime
    precision: int
    offset: int | None = None
    zone: str | None = None
    fold: int = 0
    settled: bool = False

    @classmethod
    def of(cls, m: Moment) -> When:
        return cls(m.local, int(m.precision), m.offset, m.zone, m.local.fold, m.settled)

    def moment(self) -> Moment:
        local = self.local.replace(fold=self.fold)
        return Moment(local, Precision(self.precision), self.offset, self.zone, self.settled)


class Fact(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One line of ``observed/events.jsonl``: a version of a fact."""

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
    time: When
    until: When | None = None
    available: datetime
    intent: Intent = Intent.HAPPENED
    status: Status = Status.FINAL
    basis: Basis = Basis.OBSERVED
    group: str | None = None
    flags: tuple[Flag, ...] = ()
    source: Source
    key: str

    @classmethod
    def of(cls, e: Event) -> Fact:
        number = float(e.value) if isinstance(e.value, (int, float)) else None
        odd = number is not None and number != number
        return cls(
            id=e.id, recorded=e.recorded, supersedes=e.supersedes, subject=e.subject, quantity=e.quantity,
            number=None if odd else number, not_a_number=odd, code=e.value if isinstance(e.value, Code) else None,
            artifact=e.value.hash if isinstance(e.value, ArtifactId) else None, text=e.text, unit_text=e.unit_text,
            comparator=e.comparator, sd=e.sd, time=When.of(e.time), until=When.of(e.until) if e.until else None,
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


class Artifact(msgspec.Struct, kw_only=True):
    """One line of ``inferred/index.jsonl``."""

    name: str
    hash: str
    kind: str
    manifest: dict[str, Any]
