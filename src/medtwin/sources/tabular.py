"""What all tables share: text from bytes, rows with their lines, keys of facts that have no name of their own."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record.event import Event, Flag
from medtwin.record.moment import Moment, Shown
from medtwin.sources.suspicions import flagged


def encoding_of(content: bytes, stated: str = "utf-8") -> str:
    """The encoding that a byte order mark says, else the one that was stated."""
    for mark, marked in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return marked
    return stated


def text_of(content: bytes, encoding: str = "utf-8") -> str:
    """``content`` as text: a byte order mark wins, then ``encoding``, strictly; raises :class:`FormatError`."""
    encoding = encoding_of(content, encoding)
    try:
        text = content.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        where = f"byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise FormatError(
            f"bytes that are not {encoding}", expected="text", where=where, remedy="state `encoding` in a mapping"
        ) from error
    if "\0" in text:
        raise FormatError("NUL bytes in a table", expected="text", where=f"character {text.index(chr(0))}")
    return text


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, and the physical lines (counted from 1) that hold them."""

    cells: list[str]
    line: int
    last: int

    @property
    def where(self) -> str:
        return f"line {self.line}"


def rows_of(text: str, delimiter: str = ",", skip: int = 0) -> Iterator[Row]:
    """The rows of a CSV text (RFC 4180, any line end), empty ones left out; raises :class:`FormatError`."""
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines[skip:], delimiter=delimiter)
    last = skip
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise FormatError(
                f"a table that cannot be read ({error})", expected="CSV", where=f"line {skip + reader.line_num}"
            ) from error
        if cells is None:
            return
        first, last = last + 1, skip + reader.line_num
        if any(cell.strip() for cell in cells):
            yield Row(cells, first, last)


def key_of(quantity: str, time: Moment) -> str:
    """Tables give their facts no name: quantity and time as written are the key."""
    return f"{quantity}@{time.text}"


def settle(found: Iterable[tuple[Event, str]]) -> Iterator[Event]:
    """Give each fact of one payload its final key.

    ``found`` pairs an event with the text of its whole row. Glucose that looks like another unit is flagged. The same row
    twice collapses (the store counts it as a duplicate). Where the same moment has several values of a level or a rate, the
    source contradicts itself: all are kept under keys of their own, flagged. Several *amounts* at one moment are several
    (two foods, two boluses in a minute): kept apart, unflagged. Ordinals follow the content, not the order of rows.

    A time of day that is shown twice is two moments. Those of the first hour have odd ordinals and those of the second
    even ones, so that they take the places of two values that contradicted each other when no zone was known yet.
    """
    by_key: dict[str, list[tuple[Event, str]]] = {}
    for event, row in flagged(found):
        by_key.setdefault(event.key, []).append((event, row))
    for key, events in by_key.items():
        settled = any(event.time.settled for event, _ in events)
        if len(events) == 1 and not settled:
            yield events[0][0]
            continue
        quantity = registry.find(events[0][0].quantity)
        level = quantity is not None and quantity.kind in (Kind.LEVEL, Kind.RATE)
        for hour in (0, 1):
            distinct: dict[tuple[str, str], list[Event]] = {}
            for event, row in events:
                if event.time.local.fold == hour:
                    distinct.setdefault((f"{event.text}|{event.unit_text}", "" if level else row), []).append(event)
            for number, name in enumerate(sorted(distinct)):
                ordinal = 2 * number + hour + 1 if settled else number + 1
                for event in distinct[name]:
                    flags = event.flags
                    if level and len(distinct) > _moments(event.time):
                        flags = (*flags, Flag.CONTRADICTED)
                    yield replace(event, key=key if ordinal == 1 else f"{key}#{ordinal}", flags=flags)


def _moments(time: Moment) -> int:
    """How many moments a wall clock may be: two where its zone shows it twice and nothing tells them apart."""
    return 2 if time.shown is Shown.TWICE and not time.offset_known else 1
