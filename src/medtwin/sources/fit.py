"""FIT files (Garmin and whoever else writes Flexible and Interoperable Data Transfer): activities, days, scales, cuffs.

A file names its device (``file_id``: maker and serial number), never its wearer: the device is the key of the person, so
that somebody says once whose watch it is. A scale or a cuff that several people use says which of its users stood on it;
their messages are kept apart, each in a FIT file of their own.

Files may follow each other in one payload ("chained FIT files"). Each is read on its own: where one breaks off or its
bytes are no FIT, what was read before is facts and the rest is a reason, and the next file is read all the same. A
checksum that does not fit says that some byte is wrong, not which: the facts come in beside that reason.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from fitdecode import CrcCheck, ErrorHandling, FitCRC, FitDataMessage, FitDefinitionMessage, FitHeader, FitReader
from fitdecode.utils import compute_crc

from medtwin.errors import FormatError
from medtwin.record.event import SourcePatient
from medtwin.sources.fact import Facts
from medtwin.sources.fit_facts import Message, facts_of
from medtwin.sources.item import Intake, Item, Origin, Part, Payload, Reason

DIALECT = "fit/1"
_MAGIC = b".FIT"
_AGAIN = "copy the file from the device again"
_CHECKED = frozenset(("weight_scale", "blood_pressure"))  #: messages that say which user they are of
_USER = "user_profile_index"


@dataclass(slots=True)
class _File:
    """One FIT file: its bytes, what was read of it, and what could not be."""

    start: int  #: in the payload
    raw: bytes
    chunks: list[tuple[bytes, Message | None]] = field(default_factory=list)  #: definitions have no message
    reasons: list[Reason] = field(default_factory=list)

    @property
    def messages(self) -> list[Message]:
        return [message for _, message in self.chunks if message is not None]

    @property
    def users(self) -> list[object]:
        """Indices of the users of a shared device, in order; None for a reading of nobody in particular."""
        said = [message.values.get(_USER) for message in self.messages if message.name in _CHECKED]
        return sorted(set(said), key=str)


class Reader:
    """Dialect ``fit``."""

    name, version = "fit", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        return 0.99 if head[8:12] == _MAGIC and head[:1] and head[0] >= 12 else 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        content = payload.read()
        files, left = _files(content)
        if not files:
            raise FormatError("a file without a FIT header", expected="'.FIT' at byte 8", remedy=_AGAIN)
        system = intake.source or "fit"
        owners: dict[tuple[SourcePatient, str], list[tuple[_File, object]]] = {}
        for file in files:
            for user in file.users or [None]:
                owners.setdefault(_owner(file, user, system, intake), []).append((file, user))
        for (owner, keyed), own in owners.items():
            raw, read = content, [(file.messages, file.start) for file in files]
            reasons = [reason for file in files for reason in file.reasons] + left
            if len(owners) > 1:
                raw, read, reasons = b"", [], []
                for file, user in own:
                    alone = len(file.users) < 2
                    cut = file if alone else _of_user(file, user)
                    read.append((cut.messages, len(raw)))
                    reasons += cut.reasons if alone else []
                    raw += cut.raw
            yield Part(
                owner=owner, system=system, raw=raw, named=False, media_type="application/vnd.ant.fit", keyed=keyed,
                several=len(owners) > 1, read=partial(_read, read, reasons, owner, intake),
            )  # fmt: skip
        if len(owners) > 1:  # what belongs to nobody: the whole payload is kept for it
            lost = [reason for file in files if len(file.users) > 1 for reason in file.reasons] + left
            for reason in lost[:1]:
                raise FormatError(reason.found, expected=reason.expected, where=reason.where, remedy=reason.remedy)


def _read(
    files: list[tuple[list[Message], int]], reasons: list[Reason], owner: SourcePatient, intake: Intake, origin: Origin
) -> Iterator[Item]:
    yield from facts_of(files, Facts(owner, owner.system, DIALECT, origin, intake))
    yield from reasons


def _owner(file: _File, user: object, system: str, intake: Intake) -> tuple[SourcePatient, str]:
    """The device as key, with its user where it says so; and what a key rests on that is no plain device, in words."""
    said = next((message for message in file.messages if message.name == "file_id"), None)
    serial = said.values.get("serial_number") if said else None
    if said is None or not isinstance(serial, int):
        return SourcePatient(system, intake.anonymous), (
            "the file names no device by a serial number: keyed by its own content, say whose with --patient"
        )
    if user is None:
        return SourcePatient(system, f"{said.raw_maker}-{serial}"), ""
    profile = next(
        (message for message in file.messages if message.name == "user_profile" and message.values.get("message_index") == user),
        None,
    )  # fmt: skip
    local = profile.values.get("local_id") if profile else None
    who = f"user {user}" if local is None else f"local user {local}"
    return SourcePatient(system, f"{said.raw_maker}-{serial}-{who.replace(' ', '-')}"), (
        f"keyed by {who} of the device with serial number {serial} by {said.values.get('manufacturer')}, which says not who "
        "that is: `medtwin assign`"
    )


def _files(content: bytes) -> tuple[list[_File], list[Reason]]:
    """The FIT files of a payload one after the other, by the lengths that their headers state, and what is none."""
    files: list[_File] = []
    place = 0
    while place < len(content):
        header = content[place : place + 12]
        if len(header) < 12 or header[8:12] != _MAGIC or header[0] < 12:
            break
        (size,) = struct.unpack("<I", header[4:8])
        end = min(place + header[0] + size + 2, len(content))
        files.append(_decode(content[place:end], place))
        place = end
    left = content[place:]
    if not left:
        return files, []
    return files, [
        Reason(
            found=f"{len(left)} bytes that begin no FIT file", expected="a FIT header or the end of the payload",
            where=f"byte {place}", remedy=_AGAIN,
        )
    ]  # fmt: skip


def _decode(raw: bytes, start: int) -> _File:
    """All messages of one FIT file up to where it breaks."""
    file = _File(start, raw)
    place = 0
    try:
        with FitReader(
            raw, processor=None, check_crc=CrcCheck.READONLY, error_handling=ErrorHandling.IGNORE, keep_raw_chunks=True
        ) as reader:
            for frame in reader:
                chunk = frame.chunk.bytes
                if isinstance(frame, FitDefinitionMessage):
                    file.chunks.append((chunk, None))
                elif isinstance(frame, FitDataMessage):
                    file.chunks.append((chunk, _message(frame, place)))
                elif isinstance(frame, FitHeader) and frame.body_size == 0 and len(raw) <= frame.header_size + 2:
                    file.reasons.append(_broken("a FIT header that states no content: it was never closed", start))
                elif isinstance(frame, (FitCRC, FitHeader)) and _mismatched(frame):
                    file.reasons.append(
                        Reason(
                            found="a checksum that does not fit: some byte of this FIT file is wrong",
                            expected="the checksum of its bytes", where=f"byte {start + place}",
                            remedy=f"{_AGAIN}; until then look at its values with doubt",
                        )
                    )  # fmt: skip
                place += len(chunk)
    except Exception as error:  # what the library makes of hostile bytes; facts before it stand
        kind = (
            "ends too early" if type(error).__name__ in ("FitEOFError", "FitHeaderError") else "cannot be read further"
        )
        file.reasons.append(_broken(f"a FIT file that {kind} ({type(error).__name__})", start + place))
    return file


def _mismatched(frame: FitCRC | FitHeader) -> bool:
    return frame.matched is False if isinstance(frame, FitCRC) else frame.crc_matched is False


def _broken(found: str, place: int) -> Reason:
    return Reason(found=found, expected="messages up to the length in its header", where=f"byte {place}", remedy=_AGAIN)


def _message(frame: FitDataMessage, place: int) -> Message:
    values: dict[str, object] = {}
    maker: object = None
    for one in frame.fields:
        if one.value is None or (isinstance(one.value, tuple) and all(value is None for value in one.value)):
            continue
        name = str(one.name)
        values[name] = one.value  # a field that was written comes after the one that was reckoned from components
        if name == "manufacturer":
            maker = one.raw_value
    return Message(str(frame.name), values, place, maker)


def _of_user(file: _File, user: object) -> _File:
    """A FIT file of one user of a shared device: its own readings and whatever is of nobody."""
    chunks = [
        (chunk, message) for chunk, message in file.chunks
        if message is None
        or (message.name in _CHECKED and message.values.get(_USER) == user)
        or (message.name == "user_profile" and message.values.get("message_index") == user)
        or message.name not in (*_CHECKED, "user_profile")
    ]  # fmt: skip
    body = b"".join(chunk for chunk, _ in chunks)
    raw = b"\x0c" + file.raw[1:4] + struct.pack("<I", len(body)) + _MAGIC + body
    return _decode(raw + struct.pack("<H", compute_crc(raw)), 0)
