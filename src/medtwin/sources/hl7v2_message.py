"""HL7 version 2 as text: messages, segments, fields, split when somebody looks at them and not before.

Chapter 2 of the standard (2.5 and 2.8 read alike here): MSH-1 is the field separator and MSH-2 holds component, repetition,
escape and subcomponent separator, since 2.7 a truncation character too. Segments end with CR; files in circulation end
them with LF or both, and wrap text of a field over lines: a line that does not begin as a segment goes on with the one
before. MSH-18 names the code page (table 0211). Nothing is dropped: an unknown segment is a segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Union

from medtwin.errors import FormatError

#: HL7 table 0211 to Python's codecs; what is not here is read as UTF-8 and, where that fails, as ISO 8859-1
CODE_PAGES = {
    "ASCII": "utf-8", "UNICODE": "utf-8", "UNICODE UTF-8": "utf-8", "UTF-8": "utf-8", "UTF8": "utf-8", "8859/1": "iso8859-1",
    "8859/2": "iso8859-2", "8859/3": "iso8859-3", "8859/4": "iso8859-4", "8859/5": "iso8859-5", "8859/6": "iso8859-6",
    "8859/7": "iso8859-7", "8859/8": "iso8859-8", "8859/9": "iso8859-9", "8859/15": "iso8859-15", "GB 18030-2000": "gb18030",
    "BIG-5": "big5", "KS X 1001": "euc_kr", "ISO IR87": "iso2022_jp", "ISO IR14": "shift_jis",
}  # fmt: skip
_START = re.compile(rb"(?:^|[\r\n\x0b])[ \t]*(?=MSH[^\w\s])")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINES = re.compile(r"[\r\n\x0b\x1c]+")
_FORMATTING = {".br": "\n", ".sp": "\n", ".in": "", ".ti": "", ".fi": "", ".nf": "", ".ce": "\n", ".sk": " "}


#: text, or the pieces that a separator makes of it
Written = Union[str, "Sequence[Written]"]


class Separators(NamedTuple):
    """MSH-1 and MSH-2; an empty one separates nothing."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""


class Segment:
    """One segment. Numbers are those of the standard: ``text(5, 2)`` of a PID is PID-5.2; absent is the empty string."""

    __slots__ = ("_fields", "line", "name", "number", "separators", "written")

    def __init__(self, name: str, written: str, separators: Separators, number: int, line: int) -> None:
        self.name, self.written, self.separators = name, written, separators
        self.number = number  #: which of the segments of this name in the message, from 1
        self.line = line  #: which segment of the message, from 1
        self._fields: list[str] | None = None

    @property
    def fields(self) -> list[str]:
        """Fields as they were written; index 0 is the segment's name."""
        if self._fields is None:
            self._fields = self.written.split(self.separators.field)
            if self.name in ("MSH", "FHS", "BHS"):
                self._fields.insert(1, self.separators.field)
        return self._fields

    def raw(self, field: int) -> str:
        fields = self.fields
        return fields[field] if field < len(fields) else ""

    def repeats(self, field: int) -> list[Repeat]:
        """Repetitions that hold something, in order."""
        written = self.raw(field)
        if not written or written == '""':
            return []
        mark = self.separators.repetition
        if not mark or mark not in written:
            return [Repeat(written, self.separators)]
        return [Repeat(one, self.separators) for one in written.split(mark) if one]

    def first(self, field: int) -> Repeat:
        """The first repetition, empty where there is none."""
        found = self.repeats(field)
        return found[0] if found else Repeat("", self.separators)

    def text(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """A subcomponent of the first repetition, its escapes read; the HL7 null ``""`` says nothing, too."""
        fields = self.fields
        if field >= len(fields):
            return ""
        written, marks = fields[field], self.separators
        if not written:
            return ""
        if marks.repetition and marks.repetition in written:
            return self.first(field).text(component, subcomponent)
        if marks.component and marks.component in written:
            pieces = written.split(marks.component, component)
            if component > len(pieces):
                return ""
            written = pieces[component - 1]
        elif component > 1:
            return ""
        return _part(written, subcomponent, marks)

    @property
    def place(self) -> str:
        return f"{self.name}[{self.number}]"


class Repeat:
    """One repetition of a field."""

    __slots__ = ("_components", "separators", "written")

    def __init__(self, written: str, separators: Separators) -> None:
        self.written, self.separators = written, separators
        self._components: list[str] | None = None

    @property
    def components(self) -> list[str]:
        if self._components is None:
            mark = self.separators.component
            self._components = self.written.split(mark) if mark else [self.written]
        return self._components

    def text(self, component: int = 1, subcomponent: int = 1) -> str:
        components = self.components
        if component > len(components):
            return ""
        return _part(components[component - 1], subcomponent, self.separators)

    @property
    def whole(self) -> str:
        """The whole repetition as text, its components joined as they stand (for ST, TX and FT, which have none)."""
        return "" if self.written == '""' else unescaped(self.written, self.separators)

    def __bool__(self) -> bool:
        return bool(self.written.strip()) and self.written != '""'


def _part(written: str, subcomponent: int, marks: Separators) -> str:
    """A subcomponent of a component as it was written."""
    if marks.subcomponent and marks.subcomponent in written:
        parts = written.split(marks.subcomponent)
        written = parts[subcomponent - 1] if subcomponent <= len(parts) else ""
    elif subcomponent > 1:
        return ""
    if written == '""':
        return ""
    if marks.escape and marks.escape in written:
        written = unescaped(written, marks)
    return written.strip()


def unescaped(written: str, separators: Separators) -> str:
    """Escape sequences read (chapter 2, "Use of escape sequences in text fields"); what is not one stays as it stands."""
    mark = separators.escape
    if not mark or mark not in written:
        return written
    known = {
        "F": separators.field, "S": separators.component, "T": separators.subcomponent, "R": separators.repetition,
        "E": mark, "P": separators.truncation, "H": "", "N": "",
    }  # fmt: skip
    pieces = written.split(mark)
    made, index = [pieces[0]], 1
    while index < len(pieces):
        code = pieces[index]
        if index + 1 >= len(pieces):  # an escape that nobody closed
            made += [mark, code]
            break
        read = known.get(code)
        if read is None and code[:1] == "X" and len(code) % 2 == 1:
            try:
                read = bytes.fromhex(code[1:]).decode("utf-8", "replace")
            except ValueError:
                read = None
        if read is None:
            read = _FORMATTING.get(code[:3].rstrip("0123456789+-"))
        if read is None:  # not an escape: its first character stands for itself
            made += [mark, code]
            index += 1
            continue
        made += [read, pieces[index + 1]]
        index += 2
    return "".join(made)


class Message:
    """One message: its separators and its segments in order."""

    __slots__ = ("_numbers", "segments", "separators")

    def __init__(self, segments: list[Segment], separators: Separators) -> None:
        self.segments, self.separators = segments, separators

    @property
    def header(self) -> Segment:
        return self.segments[0]

    def first(self, name: str) -> Segment | None:
        return next((segment for segment in self.segments if segment.name == name), None)

    def tree(self) -> list[list[Written]]:
        """Everything split: segments of fields of repetitions of components of subcomponents, as they were written.

        A level that does not divide is left out: a plain field is a string, not a list of lists.
        """
        _, component, repetition, _, subcomponent, _ = self.separators

        def low(text: str) -> Written:
            if component and component in text:
                if subcomponent and subcomponent in text:
                    return [one.split(subcomponent) if subcomponent in one else one for one in text.split(component)]
                return [*text.split(component)]
            return text.split(subcomponent) if subcomponent and subcomponent in text else text

        def high(text: str) -> Written:
            return [low(piece) for piece in text.split(repetition)] if repetition and repetition in text else low(text)

        made: list[list[Written]] = []
        for segment in self.segments:
            whole, fields = segment.written, segment.fields
            if (repetition and repetition in whole) or (subcomponent and subcomponent in whole):
                made.append([high(written) for written in fields])
            elif component and component in whole:
                made.append([written.split(component) if component in written else written for written in fields])
            else:
                made.append([*fields])
        if self.segments[0].name == "MSH":
            made[0][1:3] = self.segments[0].fields[1:3]
        return made

    @property
    def type(self) -> tuple[str, str]:
        """Message code and trigger event, such as ``("ADT", "A01")``; a version before 2.3.1 may join them by ``_``."""
        kind, trigger = self.header.text(9), self.header.text(9, 2)
        if not trigger and len(kind) == 7 and kind[3] == "_":
            kind, trigger = kind[:3], kind[4:]
        return kind.upper(), trigger.upper()

    @property
    def control_id(self) -> str:
        return self.header.text(10)


def separators_of(header: str) -> Separators:
    """MSH-1 and MSH-2 of a header segment; raises :class:`FormatError`."""
    if len(header) < 5 or header[3].isalnum() or header[3].isspace():
        raise FormatError("an MSH segment without separators", expected=r"MSH|^~\&|", where=header[:8])
    field = header[3]
    marks = header[4:].partition(field)[0]
    if len(set(marks)) != len(marks) or not 1 <= len(marks) <= 5 or any(one.isalnum() for one in marks):
        raise FormatError(
            f"the encoding characters {marks[:8]!r}", expected=r"up to five different ones, such as ^~\&", where="MSH-2"
        )
    return Separators(field, *marks)


def parse(text: str) -> Message:
    """One message of decoded text that begins with MSH; raises :class:`FormatError`."""
    text = text.lstrip("\ufeff\x0b \t\r\n")
    if not text.startswith("MSH"):
        raise FormatError(f"a message that begins with {text[:3]!r}", expected="MSH")
    end = len(text)
    for mark in "\r\n":
        place = text.find(mark)
        if 0 <= place < end:
            end = place
    separators = separators_of(text[:end])
    mark = separators.field
    written: list[tuple[str, list[str]]] = []  # a name, and the lines that a segment was wrapped over
    for line in _LINES.split(text) if ("\n" in text or "\x1c" in text or "\x0b" in text) else text.split("\r"):
        name = line[:3]
        bare = not line[3:]  # a segment without any field
        if (bare or line[3] == mark) and _SEGMENT.fullmatch(name):
            written.append((name, [line]))
        elif line.strip():
            indented = line.lstrip(" \t")
            if indented[3:4] == mark and _SEGMENT.fullmatch(indented[:3]):
                written.append((indented[:3], [indented]))
            else:  # text of a field that was wrapped over lines
                written[-1][1].append(line)
    numbers: dict[str, int] = {}
    segments = []
    for line_number, (name, lines) in enumerate(written, 1):
        numbers[name] = number = numbers.get(name, 0) + 1
        segments.append(Segment(name, "\n".join(lines), separators, number, line_number))
    return Message(segments, separators)


def code_page(raw: bytes) -> str:
    """The codec that MSH-18 of one message names; empty where it names none that is known."""
    header = raw.lstrip(b"\x0b \t\r\n").partition(b"\r")[0].partition(b"\n")[0]
    if len(header) < 5:
        return ""
    fields = header.split(header[3:4])
    if len(fields) < 18:
        return ""
    repetition = header[5:6] or b"~"
    return CODE_PAGES.get(fields[17].split(repetition)[0].decode("ascii", "replace").strip().upper(), "")


def read_as(raw: bytes) -> tuple[str, str]:
    """The text of one message and its codec: by MSH-18, else UTF-8, else ISO 8859-1 (in which every byte is a character)."""
    for codec in (code_page(raw), "utf-8"):
        if codec:
            try:
                return raw.decode(codec), codec
            except (UnicodeDecodeError, LookupError):
                continue
    return raw.decode("iso8859-1"), "iso8859-1"


def decoded(raw: bytes) -> str:
    """The text of one message."""
    return read_as(raw)[0]


def plain(content: bytes) -> bytes:
    """A payload without its byte order mark; UTF-16 becomes UTF-8."""
    if content.startswith(b"\xef\xbb\xbf"):
        return content[3:]
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace").encode()
    return content


def messages(content: bytes) -> Iterator[bytes]:
    """The bytes of each message of a payload: one message, several, or a batch (FHS, BHS, ..., BTS, FTS)."""
    starts = [found.end() for found in _START.finditer(content)]
    for index, start in enumerate(starts):
        end = starts[index + 1] if index + 1 < len(starts) else len(content)
        yield _without_trailer(content[start:end])


#: one separator only: a pattern that takes a whole run of them tries it anew from each of its bytes
_TRAILER = re.compile(rb"[\r\n\x1c](?:\xef\xbb\xbf)?(?:BTS|FTS|BHS|FHS)[^\w\s]")


def _without_trailer(raw: bytes) -> bytes:
    """A message without what its batch wrote after it."""
    found = _TRAILER.search(raw)
    return (raw[: found.start()] if found else raw).rstrip(b"\r\n\x0b\x1c \t\xef\xbb\xbf")
