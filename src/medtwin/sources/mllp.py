"""MLLP (HL7 Minimal Lower Layer Protocol, release 1): frames, and the answers that go back in them.

A frame is VT (0x0B), one message, FS (0x1C), CR. The answer is an ACK whose MSA-1 says AA (accepted), AE (an error: nothing is
kept, send again) or AR (refused: sending it again will not help), MSA-2 names the message, and MSA-3 and ERR say why.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from medtwin.errors import FormatError
from medtwin.sources.hl7v2_message import Separators, plain, read_as, separators_of

VT, FS, CR, END = b"\x0b", b"\x1c", b"\r", b"\x1c\r"
MOST = 64 * 1024 * 1024  #: bytes of one message
ACCEPTED, ERROR, REFUSED = "AA", "AE", "AR"


class Frames:
    """Messages out of a stream of bytes, whatever pieces they come in.

    A message ends with FS CR; an FS without its CR ends one only where a VT or nothing more follows, since text may hold an FS.
    A VT with the beginning of a message behind it begins a frame anew: the sender gave the first one up.
    """

    __slots__ = ("_buffer", "_seen", "most", "skipped")

    def __init__(self, most: int = MOST) -> None:
        self._buffer = bytearray()  #: empty, or from the VT of a frame on
        self._seen = 0  #: bytes that hold no end of a frame
        self.most = most
        self.skipped = 0  #: bytes outside any frame, and of frames that were given up

    @property
    def pending(self) -> int:
        """Bytes of a frame that has begun."""
        return len(self._buffer)

    @property
    def ended(self) -> bool:
        """Whether what is there ends with an FS whose CR may yet come, or never."""
        return self._buffer.endswith(FS)

    @property
    def head(self) -> bytes:
        """The beginning of a message that has not ended."""
        return bytes(self._buffer[1:4096])

    def feed(self, piece: bytes) -> list[bytes]:
        """Whole messages that ended with ``piece``; raises :class:`FormatError` for one that is too long."""
        self._buffer += piece
        found = []
        self._begin()
        while (end := self._buffer.find(FS, self._seen)) >= 0:
            after = self._buffer[end + 1 : end + 2]
            if not after:  # the next piece decides
                break
            self._seen = end + 1
            if after in (CR, VT):
                found.append(self._message(end))
                del self._buffer[: end + 1 + (after == CR)]
                self._seen = 0
                self._begin()
        else:
            self._seen = len(self._buffer)
        if not found and len(self._buffer) > self.most:
            raise FormatError(f"a message of more than {self.most} bytes", expected="a message that ends with FS CR")
        return found

    def finish(self) -> list[bytes]:
        """The message that an FS ended behind which nothing came; what else has begun has no end and is skipped."""
        found = [self._message(len(self._buffer) - 1)] if self.ended else []
        self.skipped += 0 if found else len(self._buffer)
        self._buffer.clear()
        self._seen = 0
        return found

    def _begin(self) -> None:
        """Skip what stands before a frame."""
        start = self._buffer.find(VT)
        noise = start if start >= 0 else len(self._buffer)
        if noise:
            self.skipped += noise
            del self._buffer[:noise]
            self._seen = 0

    def _message(self, end: int) -> bytes:
        start = max(0, *(self._buffer.rfind(VT + name, 0, end) for name in (b"MSH", b"FHS", b"BHS")))
        self.skipped += start
        return bytes(self._buffer[start + 1 : end])


def framed(message: bytes) -> bytes:
    return VT + message + END


class Header(NamedTuple):
    """What an answer repeats of a message."""

    separators: Separators
    fields: list[str]  #: of MSH, index as in the standard
    codec: str  #: that the header was read as


def header_of(message: bytes) -> Header:
    """Separators and MSH fields; raises :class:`FormatError`.

    A batch is answered by its own header: its control id is FHS-11 or BHS-11 (2.14.7, 2.14.2), and it names no version.
    """
    first = plain(message).lstrip(b"\r\n\t ")
    for mark in (b"\r", b"\n"):
        first = first.partition(mark)[0]
    batch = first[:3] in (b"FHS", b"BHS")
    if batch:
        first = b"MSH" + first[3:]
    text, codec = read_as(first)
    if not text.startswith("MSH"):
        raise FormatError(f"a message that begins with {text[:3]!r}", expected="MSH")
    separators = separators_of(text)
    fields = text.split(separators.field)
    fields.insert(1, separators.field)
    if batch:
        fields = [*fields[:9], *[""] * (9 - len(fields)), "", *(fields[11:12] or [""]), "P", "2.5"]
    return Header(separators, fields, codec)


def answer(message: bytes, code: str, said: str = "", now: datetime | None = None) -> bytes:
    """The ACK of ``message``, in its own separators and code page where it has a header; ``said`` is the reason for people."""
    try:
        marks, fields, codec = header_of(message)
    except FormatError:
        marks, fields, codec = Separators(), ["MSH", "|"], "ascii"
    fields += [""] * (13 - len(fields))
    written = "".join(marks[1:])
    clean = "".join(" " if one in "\r\n" or one in written + marks.field else one for one in said)[:200]
    trigger = fields[9].split(marks.component)[1:2] if marks.component else []
    kind = marks.component.join(["ACK", *trigger]) if trigger else "ACK"
    time = (now or datetime.now(UTC)).strftime("%Y%m%d%H%M%S+0000")
    head = [
        "MSH",
        written,
        *fields[5:7],
        *fields[3:5],
        time,
        "",
        kind,
        fields[10],
        fields[11] or "P",
        fields[12] or "2.3",
    ]
    if len(fields) > 18 and not "".join(fields[3:19]).isascii():
        head += ["", "", "", "", "", fields[18]]
    segments = [marks.field.join(head), marks.field.join(["MSA", code, fields[10], *([clean] if clean else [])])]
    if code != ACCEPTED and fields[12] >= "2.5":
        table = marks.component.join(("207", "Application internal error", "HL70357"))
        segments.append(marks.field.join(["ERR", "", "", table, "E", "", "", "", clean]))
    return ("\r".join(segments) + "\r").encode(codec, "replace")
