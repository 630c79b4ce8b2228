"""What a dialect yields: facts, reasons why something is no fact, and counts of what it does not map.

A dialect splits a payload into *parts*, one for each person in it, since raw bytes are kept per person; reading a part
is a pure function of its bytes and of :class:`Origin`, which names where those bytes were kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, Protocol

from medtwin.record.event import Event, SourcePatient
from medtwin.record.store import Demographics

if TYPE_CHECKING:
    from medtwin.sources.mapping import Table

#: Dialects that must hold a payload whole refuse a larger one; streamed dialects have no such limit.
WHOLE_LIMIT = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why something did not become a fact: found, expected, where, and what to do. It goes to quarantine."""

    found: str
    expected: str
    where: str  #: locator in the raw bytes of the part, such as ``line 12`` or ``entry[3]``
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Something understood that has no quantity here. It is kept in the raw bytes, and counted."""

    kind: str
    count: int = 1


Item = Event | Reason | Unmapped


class Same(StrEnum):
    """What a source says of two of its keys."""

    MERGED = "merged"  #: ``gone`` is dead, whatever comes under it belongs to ``stands``
    LINKED = "linked"  #: both stand, and are one person
    UNLINKED = "unlinked"  #: they are not one person after all


@dataclass(frozen=True, slots=True)
class Identity:
    """A statement of a source on who is whom, such as an HL7v2 merge. It moves keys, never facts, and can be undone."""

    same: Same
    stands: SourcePatient
    gone: SourcePatient
    said: str  #: in the source's own words, such as ``A40``


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What the caller states about a payload, and what is the same for all of its facts."""

    file: str  #: name as it came, for people
    now: datetime  #: UTC; a true time after it is flagged
    zone: str | None = None  #: IANA zone that the user states for wall clocks without offset
    source: str | None = None  #: name of the sending system, when the user states one
    anonymous: str = ""  #: key of the person of a payload that names none
    tables: tuple[Table, ...] = ()  #: mappings of tables
    units: Mapping[str, str] = field(
        default_factory=dict
    )  #: quantity -> unit that the user states against the source's


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a part was kept: goes into the ``Source`` of each of its events."""

    raw: str
    file: str


@dataclass(slots=True, kw_only=True)
class Part:
    """The bytes of one person in a payload, and how to read them."""

    owner: SourcePatient
    system: str  #: the sending system
    raw: bytes
    read: Callable[[Origin], Iterable[Item]]
    named: bool  #: whether the payload itself says who it is; otherwise the facts wait unassigned
    media_type: str
    people: tuple[tuple[SourcePatient, Demographics], ...] = field(default_factory=tuple)
    identities: tuple[Identity, ...] = ()  #: said of the keys, carried out once, after the facts of the part are read
    keyed: str = ""  #: what its key rests on, in words for the report
    several: bool = (
        False  #: one of several people whom nothing in the payload tells apart by key: a stated patient is none
    )


class Payload(Protocol):
    """Bytes of one file, archive member or message."""

    name: str
    size: int  #: in bytes; -1 when unknown before reading

    def open(self) -> BinaryIO: ...

    def read(self) -> bytes:
        """All bytes; raises :class:`medtwin.errors.FormatError` beyond :data:`WHOLE_LIMIT`."""


class Dialect(Protocol):
    """One format. ``recognise`` looks at the first 64 KiB and gives 0 (no) to 1 (certainly)."""

    name: str
    version: int

    def recognise(self, head: bytes, name: str, intake: Intake) -> float: ...

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        """Raises :class:`medtwin.errors.FormatError` for bytes that are not what they promise."""
