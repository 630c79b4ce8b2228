"""Store: the contract of whatever keeps facts. SQLite and PostgreSQL implement it and pass one test suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from medtwin.governance.grant import Grant
from medtwin.record.event import Event, SourcePatient
from medtwin.record.record import Record

QUARANTINE = "quarantine"  #: system of the owners under which bytes of unknown format are kept; nobody's key


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an append. It exists only after the commit reached the disk."""

    sequence: int  #: highest commit sequence of this append (unchanged when nothing was new)
    new: tuple[str, ...]  #: event ids
    duplicate: int
    superseded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RawKept:
    """Raw bytes after they were kept: their salted hash, and whether they were here already."""

    hash: str
    duplicate: bool


class RawPending(Protocol):
    """Raw bytes on their way to the disk, under the name that they will have."""

    @property
    def hash(self) -> str: ...

    def wait(self) -> RawKept:
        """Return when they are durable; raises what keeping them raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEntry:
    """What is known of raw bytes besides themselves."""

    hash: str
    owner: SourcePatient
    media_type: str
    file: str
    source: str
    size: int  #: bytes
    received: datetime
    times: int  #: how often the same bytes came in


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Bytes that could not be understood, kept with a reason; they can be replayed after a mend."""

    id: int
    file: str
    dialect: str | None
    raw: str
    locator: str
    found: str
    expected: str
    remedy: str
    size: int
    received: datetime
    resolved: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientEntry:
    """A patient as the worklist sees one."""

    id: str
    name: str
    zone: str | None
    synthetic: bool
    keys: tuple[SourcePatient, ...]
    events: int  #: all ever recorded, superseded ones too
    first: datetime | None  #: of current facts that happened
    last: datetime | None
    sequence: int  #: commit sequence of the newest event


@dataclass(frozen=True, slots=True, kw_only=True)
class UnassignedEntry:
    """A source's key whose person is not known yet, and what came in under it."""

    key: SourcePatient
    sources: tuple[str, ...]  #: sending systems of its facts
    files: tuple[str, ...]  #: names of the files that they came in
    events: int  #: all ever recorded, superseded ones too
    first: datetime | None  #: of current facts that happened
    last: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demographics:
    """What a source says of a person; kept beside the link, not among the facts."""

    name: str = ""
    birth_date: str = ""
    sex: str = ""
    synthetic: bool = False
    identifiers: tuple[SourcePatient, ...] = field(default_factory=tuple)
    given: str = ""  #: where the source tells given names and surname apart
    family: str = ""
    street: str = ""  #: with the number of the house
    street_more: str = ""  #: a second line: building, district
    city: str = ""
    postal_code: str = ""
    state: str = ""  #: a part of a country
    phone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What came of a statement on a person: whose the key is now, keys that moved, and how many matches wait for a person."""

    patient: str | None
    moved: tuple[tuple[SourcePatient, str], ...] = ()
    possible: int = 0


class Store(Protocol):
    """All methods check the grant, leave an audit row and raise :class:`AccessDenied` or :class:`StoreError`."""

    def epoch(self) -> int: ...

    def keep_raw(
        self, content: bytes, owner: SourcePatient, grant: Grant, *, media_type: str, file: str, source: str
    ) -> RawKept:
        """Keep bytes encrypted under the owner's key. The same bytes of the same owner are counted, not kept twice."""

    def keep_raw_later(
        self, content: bytes, owner: SourcePatient, grant: Grant, *, media_type: str, file: str, source: str
    ) -> RawPending:
        """As :meth:`keep_raw` without waiting; nothing is acknowledged before the result's ``wait`` has returned."""

    def keep_raw_stream(
        self, chunks: Iterable[bytes], owner: SourcePatient, grant: Grant, *, media_type: str, file: str, source: str
    ) -> RawKept:
        """As :meth:`keep_raw` for bytes of any length, in whatever chunks they come, with flat memory.

        Nothing is acknowledged, and nothing stays, unless the last chunk came in.
        """

    def raw(self, patient: str | None, raw_hash: str, grant: Grant) -> bytes:
        """The bytes as they came in. ``patient`` None: whosever they are, for a grant that covers everybody."""

    def raw_entry(self, patient: str | None, raw_hash: str, grant: Grant) -> RawEntry:
        """What is known of raw bytes besides themselves: owner, media type, file, source, size, time and count."""

    def append(self, events: Iterable[Event], grant: Grant) -> Receipt:
        """Commit facts durably, idempotently (by event id), in one transaction; sets sequence and supersedes."""

    def describe(self, owner: SourcePatient, demographics: Demographics, grant: Grant) -> None: ...

    def identify(self, owner: SourcePatient, said: Demographics, grant: Grant) -> Identified:
        """As :meth:`describe`, and look for the same person under other keys: link, or note who must be looked at."""

    def key_of(self, owner: SourcePatient, said: Demographics, grant: Grant, *, keep: bool = True) -> SourcePatient:
        """The key under which a statement belongs: ``owner``, or one of its own where it does not go with what is known; a key
        that is new is kept for the statement at once (``keep``)."""

    def link(
        self, owner: SourcePatient, patient: str, grant: Grant, *, zone: str | None = None, why: str = "assigned",
        new: bool = False,
    ) -> None:  # fmt: skip
        """Make ``owner`` one of the keys of ``patient``, which is made when new. An unlinked owner is unassigned.

        ``new``: raise :class:`StoreError` where the patient is somebody already."""

    def whose(self, keys: Iterable[SourcePatient], grant: Grant) -> dict[SourcePatient, str]:
        """The patients of these keys, as far as they are linked, for whoever may write facts under them."""

    def unlink(self, owner: SourcePatient, grant: Grant, *, why: str = "released") -> None:
        """Undo a link: the owner's facts wait unassigned again. No row moves."""

    def refuse(self, one: str | SourcePatient, other: str | SourcePatient, grant: Grant, *, why: str = "") -> int:
        """Two patients or keys are not one person: no machine links them. The number of pairs of keys."""

    def demographics(self, patient: str, grant: Grant) -> Demographics:
        """What the sources say of a person."""

    def patients(self, grant: Grant) -> tuple[PatientEntry, ...]: ...

    def unassigned(self, grant: Grant) -> tuple[SourcePatient, ...]: ...

    def waiting(self, grant: Grant) -> tuple[UnassignedEntry, ...]:
        """The unassigned keys with what came in under them."""

    def record(self, patient: str, grant: Grant, *quantities: str) -> Record:
        """The patient's whole history (or that of the named quantities only) as a value."""

    def newest(self, patient: str, grant: Grant, until: datetime) -> tuple[Event, ...]:
        """The newest current fact of each quantity that happened by ``until``, newest first, without the history."""

    def signal(
        self, patient: str, quantity: str, since: datetime, until: datetime, grant: Grant
    ) -> Sequence[tuple[datetime, float]]:
        """Current numeric values of one quantity in a window, straight from the clustered table."""

    def sequence_at(self, moment: datetime) -> int: ...

    def tail(self, subscriber: str, grant: Grant, limit: int = 1000) -> Iterator[tuple[str, Event]]:
        """(patient, event) after the subscriber's durable cursor, in commit order; advance with ``acknowledge``."""

    def acknowledge(self, subscriber: str, sequence: int, grant: Grant) -> None: ...

    def quarantine(
        self, raw_hash: str, *, file: str, dialect: str | None, locator: str, found: str, expected: str, remedy: str,
        size: int, grant: Grant,
    ) -> int: ...  # fmt: skip

    def quarantined(self, grant: Grant, *, include_resolved: bool = False) -> tuple[Quarantined, ...]: ...

    def resolve(self, quarantine_id: int, grant: Grant) -> None: ...

    def put_artifact(self, patient: str, kind: str, content: bytes, manifest: dict[str, object], grant: Grant) -> str:
        """Keep a large or derived thing (a snapshot, a volume) by content hash, encrypted under the patient's key."""

    def artifact(self, patient: str, artifact_hash: str, grant: Grant) -> tuple[dict[str, object], bytes]: ...

    def artifacts(self, patient: str, kind: str, grant: Grant) -> tuple[tuple[str, dict[str, object]], ...]:
        """(hash, manifest) of all artifacts of one kind, oldest first."""

    def drop_artifact(self, patient: str, artifact_hash: str, grant: Grant) -> None: ...

    def erase(self, patient: str, grant: Grant) -> dict[str, int | str]:
        """Destroy the patient's keys, facts, raw bytes and artifacts; says truthfully what was erased and what not."""

    def verify_audit(self) -> tuple[int, int | None]:
        """(rows checked, number of the first altered row or None)."""
