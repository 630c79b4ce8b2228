"""MLLP (HL7 Minimal Lower Layer Protocol, release 1): frames, and the answers that go back in them.

A frame is VT (0x0B), one message, FS (0x1C), CR. The answer is an ACK whose MSA-1 says AA (accepted), AE (an error: nothing is
kept, send again) or AR (refused: sending it again will not help), MSA-2 names the message, and MSA-3 and ERR say why.
"""

from __future__ import annotations

from datetime import UTC, datetime

from medtwin.errors import FormatError
from medtwin.sources.hl7v2_message import Separators, decoded, plain, separators_of

VT, FS, END = b"\x0b", b"\x1c", b"\x1c\r"
MOST = 64 * 1024 * 1024  #: bytes of one message
ACCEPTED, ERROR, REFUSED = "AA", "AE", "AR"


class Frames:
    """Messages out of a stream of bytes, whatever pieces they come in."""

    __slots__ = ("_buffer", "_seen", "most")

    def __init__(self, most: int = MOST) -> None:
        self._buffer = bytearray()
        self._seen = 0  #: bytes that hold no FS
        self.most = most

    def feed(self, piece: bytes) -> list[bytes]:
        """Whole messages that ended with ``piece``; raises :class:`FormatError` for one that is too long.

        What stands outside a frame is skipped; a VT inside one begins it anew, since the sender gave the first one up.
        """
        self._buffer += piece
        found = []
        while (end := self._buffer.find(FS, self._seen)) >= 0:
            start = self._buffer.rfind(VT, 0, end)
            if start >= 0:
                found.append(bytes(self._buffer[start + 1 : end]))
            del self._buffer[: end + 1]
            self._seen = 0
        self._seen = len(self._buffer)
        if self._seen > self.most:
            raise FormatError(f"a message of more than {self.most} bytes", expected="a message that ends with FS CR")
        if self._seen and VT not in self._buffer:
            self._buffer.clear()
            self._seen = 0
        return found


def framed(message: bytes) -> bytes:
    return VT + message + END


def header_of(message: bytes) -> tuple[Separators, list[str]]:
    """Separators and MSH fields (index as in the standard); raises :class:`FormatError`."""
    first = plain(message).lstrip(b"\r\n\t ")
    for mark in (b"\r", b"\n"):
        first = first.partition(mark)[0]
    if first[:3] in (b"FHS", b"BHS"):  # a batch is answered by its own header
        first = b"MSH" + first[3:]
    text = decoded(first)
    if not text.startswith("MSH"):
        raise FormatError(f"a message that begins with {text[:3]!r}", expected="MSH")
    separators = separators_of(text)
    fields = text.split(separators.field)
    fields.insert(1, separators.field)
    return separators, fields


def answer(message: bytes, code: str, said: str = "", now: datetime | None = None) -> bytes:
    """The ACK of ``message``, in its own separators where it has a header; ``said`` is the reason for people."""
    try:
        marks, fields = header_of(message)
    except FormatError:
        marks, fields = Separators(), ["MSH", "|"]
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
    segments = [marks.field.join(head), marks.field.join(["MSA", code, fields[10], *([clean] if clean else [])])]
    if code != ACCEPTED and fields[12] >= "2.5":
        table = marks.component.join(("207", "Application internal error", "HL70357"))
        segments.append(marks.field.join(["ERR", "", "", table, "E", "", "", "", clean]))
    return ("\r".join(segments) + "\r").encode("ascii", "replace")
