"""Event: a fact about a patient, with three times, never edited, only superseded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b

import msgspec

from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record.moment import Moment

_encode = msgspec.msgpack.Encoder().encode


class Intent(StrEnum):
    """Whether it happened. A planned treatment is a fact that has not happened yet."""

    HAPPENED = "happened"
    PLANNED = "planned"
    ORDERED = "ordered"
    STATED = "stated"  #: somebody said so (a medication list), without a time of taking


class Status(StrEnum):
    """What the source says of the fact's standing."""

    PRELIMINARY = "preliminary"  #: a first result that its source has yet to confirm
    FINAL = "final"
    CORRECTED = "corrected"
    ENTERED_IN_ERROR = "entered-in-error"


class Basis(StrEnum):
    """Observed facts correct models; derived facts are never assimilated again."""

    OBSERVED = "observed"
    DERIVED = "derived"


class Comparator(StrEnum):
    """The value is a bound, not a reading (``<5``, ``Low``, ``High``)."""

    BELOW = "<"
    AT_MOST = "<="
    AT_LEAST = ">="
    ABOVE = ">"


class Flag(StrEnum):
    """What intake noticed. A flag never changes a value."""

    IMPLAUSIBLE = "implausible"  #: outside the quantity's plausible range
    FUTURE = "future"  #: true time lies after the time of recording
    OFFSET_UNKNOWN = "offset-unknown"
    UNIT_ASSUMED = "unit-assumed"  #: the source wrote no unit; the mapping's or dialect's own was used
    TIME_ASSUMED = "time-assumed"  #: nobody stated its own time or offset; that of the message or document was used
    CONTRADICTED = "contradicted"  #: the same source states another value for the same moment


@dataclass(frozen=True, slots=True)
class SourcePatient:
    """A key under which some source knows a person. A patient is a view over linked keys."""

    system: str
    value: str


@dataclass(frozen=True, slots=True)
class Code:
    """A coded statement. ``negated`` is 'no known allergy', 'not pregnant': never store it as its opposite.

    ``unconfirmed`` is a suspicion: a provisional or differential diagnosis, an allergy that nobody has verified.
    """

    system: str
    code: str
    display: str = ""
    negated: bool = False
    unconfirmed: bool = False

    @property
    def content(self) -> tuple[str | bool, ...]:
        """Its parts in order, as they are stored and hashed; a confirmed one has four, as before there was the fifth."""
        said = (self.system, self.code, self.display, self.negated)
        return (*said, True) if self.unconfirmed else said


@dataclass(frozen=True, slots=True)
class ArtifactId:
    """Content hash of bytes kept as an artifact."""

    hash: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact came from, down to the bytes."""

    system: str  #: the sending system or device family, e.g. "dexcom"
    dialect: str  #: reader and version, e.g. "dexcom_clarity/1"
    raw: str  #: salted hash of the raw bytes that hold it
    locator: str  #: where in those bytes: "line 12", "entry[3].component[0]", "bytes 120-344"
    file: str = ""  #: name of the file or message as it came


@dataclass(frozen=True, kw_only=True)
class Event:
    """One fact.

    ``value`` is in the unit of the quantity named ``quantity``; ``text`` is the value as it was written. ``time`` is
    when it held in the body, ``available`` when it could have been known, ``recorded`` the commit sequence here
    (0 = not yet committed). ``key`` is the source's own name of the fact: a later event of the same source system with
    the same key supersedes the earlier one.
    """

    subject: SourcePatient
    quantity: str
    value: float | Code | ArtifactId | None
    time: Moment
    available: datetime
    source: Source
    key: str
    text: str | None = None
    unit_text: str | None = None  #: the unit as it was written
    comparator: Comparator | None = None
    sd: float | None = None
    until: Moment | None = None
    intent: Intent = Intent.HAPPENED
    status: Status = Status.FINAL
    basis: Basis = Basis.OBSERVED
    group: str | None = None
    flags: tuple[Flag, ...] = ()
    supersedes: str | None = None
    recorded: int = 0

    @cached_property
    def id(self) -> str:
        """Content hash (32 hex digits) over what the fact says; file name, raw hash and commit sequence do not count.

        The same fact exported twice has the same id, which makes intake idempotent. When it could be known does count: a
        value that a source corrects, and later corrects back, is three statements.
        """
        content = (
            self.subject.system,
            self.subject.value,
            self.source.system,
            self.key,
            self.quantity,
            _plain(self.value),
            self.text,
            self.unit_text,
            self.comparator,
            None if self.sd is None else float(self.sd),
            self.time.text,
            self.time.zone,
            self.until.text if self.until else None,
            self.available,
            self.intent,
            self.status,
            self.basis,
            self.group,
        )
        if self.time.settled or (self.until is not None and self.until.local.fold and self.until.offset is None):
            # two hours of one name: only a wall clock that was told apart says more than its text
            second = (self.time.local.fold, self.until.local.fold if self.until else 0)
            return blake2b(_encode((*content, *second)), digest_size=16).hexdigest()
        return blake2b(_encode(content), digest_size=16).hexdigest()

    @property
    def instant(self) -> datetime:
        """UTC instant at which the fact held (see :attr:`Moment.instant` for an unknown offset)."""
        return self.time.instant

    def committed(self, sequence: int, supersedes: str | None) -> Event:
        """The same fact after the store committed it."""
        return replace(self, recorded=sequence, supersedes=supersedes)


def _plain(value: float | Code | ArtifactId | None) -> object:
    if isinstance(value, Code):
        return value.content
    if isinstance(value, ArtifactId):
        return ("artifact", value.hash)
    return None if value is None else float(value) + 0.0  # 100 and 100.0 are one statement, and so are 0.0 and -0.0


_STANDING = {Status.PRELIMINARY: -1, Status.FINAL: 0, Status.CORRECTED: 1, Status.ENTERED_IN_ERROR: 2}


def version(event: Event) -> tuple[bool, bool, datetime, int, bool, int, str]:
    """Sort key of the versions of one fact (same subject, source system and key): the last one is current.

    A preliminary result loses to whatever its source says of it later, and a late message undoes no final one.
    A wall clock whose offset nobody knows loses to one whose offset is known: when it was available is then not known
    either, and the same fact read again with its zone must win, east of Greenwich too. What a source corrects or takes
    back does not lose so: it is issued at a time of its own, and an old statement that is read again with a zone must
    not undo it. Then the source's issue time decides, so that a correction which overtakes its original on the wire
    still wins; where a source states none, the order of recording decides.

    The same order over stored rows: :func:`medtwin.record.facts.fold`.
    """
    known = event.time.offset_known
    return (
        event.status is not Status.PRELIMINARY, known or _STANDING[event.status] > 0, event.available,
        _STANDING[event.status], known, event.recorded, event.id,
    )  # fmt: skip


def order(event: Event) -> tuple[datetime, int, str]:
    """Sort key of events in true time: a read comes before a dose at one instant; ties break by content hash.

    Any order of arrival therefore gives the same order of assimilation.
    """
    quantity = registry.find(event.quantity)
    return (event.instant, 0 if quantity is not None and quantity.kind is Kind.LEVEL else 1, event.id)
