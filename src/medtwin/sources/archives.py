"""Folders and archives become a flat row of payloads; nothing is ever unpacked to a path.

Zip, gzip and tar are walked by content, nested at most three deep. Limits guard against bombs: what comes out in all,
how many times larger than its archive, how many members. A member's name is only shown: ``../`` in it leads nowhere.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from medtwin.errors import FormatError
from medtwin.sources.item import WHOLE_LIMIT

HEAD = 1 << 16
_SPOOL = 32 * 1024 * 1024
_BROKEN = (zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError,
           NotImplementedError, RuntimeError, ValueError)  # fmt: skip


@dataclass(slots=True)
class Limits:
    """What archives may grow to; ``left`` counts down over one whole walk."""

    left: int = 16 * 1024**3
    ratio: int = 250  #: above ``free`` bytes, out of one member, against its compressed size
    free: int = 64 * 1024**2
    members: int = 200_000
    depth: int = 3


@dataclass(slots=True)
class Plain:
    """A file, or a member of an archive, that ``opener`` opens afresh each time."""

    name: str
    size: int
    opener: Callable[[], BinaryIO]
    container: Plain | None = None  #: the archive that holds it
    within: int = 0  #: bytes of the file on disk that it counts for, for a progress bar

    def open(self) -> BinaryIO:
        return self.opener()

    def read(self) -> bytes:
        with self.open() as stream:
            content = stream.read(WHOLE_LIMIT + 1)
        if len(content) > WHOLE_LIMIT:
            raise FormatError(
                f"more than {WHOLE_LIMIT >> 20} MiB",
                expected="a smaller file",
                remedy="split the export and send parts",
            )
        return content


@dataclass(slots=True)
class Refused:
    """Something of a walk that is no payload, and why; ``payload`` is what holds it."""

    payload: Plain
    error: FormatError


class _Guarded(io.RawIOBase):
    """A member's stream that counts what comes out, and turns its archive's errors into ours."""

    def __init__(self, stream: BinaryIO, packed: int, limits: Limits, name: str, under: BinaryIO | None) -> None:
        self._stream, self._packed, self._limits, self._name, self._out = stream, packed, limits, name, 0
        self._under = under

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        try:
            chunk = self._stream.read(len(view))
        except _BROKEN as error:
            raise FormatError(
                f"a broken archive member ({type(error).__name__})", expected="a whole archive", where=self._name[:80],
                remedy="copy or export it again",
            ) from error  # fmt: skip
        self._out += len(chunk)
        self._limits.left -= len(chunk)
        if self._limits.left < 0 or (self._out > self._limits.free and self._out > self._packed * self._limits.ratio):
            raise FormatError(
                "an archive that grows without bound", expected=f"at most {self._limits.ratio} times its packed size",
                where=self._name[:80], remedy="if it is honest, unpack it and send the files",
            )  # fmt: skip
        view[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        if self._under is not None:
            self._under.close()
        super().close()


def _guarded(stream: BinaryIO, packed: int, limits: Limits, name: str, under: BinaryIO | None = None) -> BinaryIO:
    """``under`` is what ``stream`` reads from, where closing ``stream`` leaves it open (gzip)."""
    return cast(BinaryIO, io.BufferedReader(_Guarded(stream, packed, limits, name, under), 1 << 16))


def files(paths: Iterable[Path | str]) -> Iterator[Plain]:
    """Files of the given paths, folders walked in order of name; hidden files and links are left out."""
    for given in paths:
        path = Path(given)
        if path.is_dir():
            for folder, folders, names in os.walk(path, followlinks=False):
                folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
                for name in sorted(names):
                    file = Path(folder, name)
                    if not name.startswith(".") and file.is_file() and not file.is_symlink():
                        yield _file(file, str(file.relative_to(path.parent if path.name else path)))
        else:
            yield _file(path, path.name)


def _file(path: Path, name: str) -> Plain:
    size = path.stat().st_size
    return Plain(os.fsencode(name).decode("utf-8", "replace"), size, lambda: path.open("rb"), None, size)


def walk(payload: Plain, limits: Limits | None = None, depth: int = 0) -> Iterator[Plain | Refused]:
    """The payload itself, or what is in it when it is an archive."""
    limits = limits or Limits()
    try:
        with payload.open() as stream:
            head = stream.read(512)
    except (FormatError, OSError) as error:
        yield Refused(payload, _plain(error))
        return
    opener = _kind(head)
    if opener is None:
        yield payload
        return
    if depth >= limits.depth:
        yield Refused(payload, FormatError(f"archives nested {depth + 1} deep", expected=f"at most {limits.depth}"))
        return
    try:
        yield from opener(payload, limits, depth)
    except FormatError as error:
        yield Refused(payload, error)
    except (*_BROKEN, OSError) as error:
        yield Refused(payload, _plain(error))


def _nothing() -> BinaryIO:
    raise FormatError("no bytes", expected="a file")


def _plain(error: Exception) -> FormatError:
    if isinstance(error, FormatError):
        return error
    what = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return FormatError(f"bytes that cannot be read ({what})", expected="a whole file", remedy="copy it again")


def _kind(head: bytes) -> Callable[[Plain, Limits, int], Iterator[Plain | Refused]] | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip
    if head.startswith(b"\x1f\x8b\x08"):
        return _gzip
    return _tar if head[257:262] == b"ustar" else None


def _spooled(payload: Plain) -> BinaryIO:
    """The payload as a seekable stream."""
    stream = payload.open()
    if stream.seekable():
        return stream
    with stream:
        held = SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 - the caller closes it
        while chunk := stream.read(1 << 20):
            held.write(chunk)
    held.seek(0)
    return cast(BinaryIO, held)


def _zip(payload: Plain, limits: Limits, depth: int) -> Iterator[Plain | Refused]:
    with closing(_spooled(payload)) as stream, zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            name = f"{payload.name}!{info.filename}"
            if info.is_dir() or _hidden(info.filename):
                continue
            _count(limits)
            share = int(payload.within * info.compress_size / max(payload.size, 1)) if payload.size > 0 else 0

            def opener(info: zipfile.ZipInfo = info, name: str = name) -> BinaryIO:
                try:
                    member = archive.open(info)
                except _BROKEN as error:
                    raise FormatError(
                        f"a zip member that cannot be opened ({type(error).__name__})",
                        expected="a whole member without a password",
                    ) from error
                return _guarded(cast(BinaryIO, member), info.compress_size, limits, name)

            yield from walk(Plain(name, info.file_size, opener, payload, share), limits, depth + 1)


def _gzip(payload: Plain, limits: Limits, depth: int) -> Iterator[Plain | Refused]:
    name = payload.name.removesuffix(".gz").removesuffix(".tgz")

    def opener() -> BinaryIO:
        packed = payload.open()
        return _guarded(cast(BinaryIO, gzip.GzipFile(fileobj=packed)), max(payload.size, 1), limits, name, packed)

    yield from walk(Plain(name, -1, opener, payload, payload.within), limits, depth + 1)


def _tar(payload: Plain, limits: Limits, depth: int) -> Iterator[Plain | Refused]:
    """Members are held one at a time, since a tar within a gzip cannot be sought."""
    with payload.open() as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            name = f"{payload.name}!{member.name}"
            if member.isdir() or _hidden(member.name):
                continue
            _count(limits)
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                error = FormatError("a link or a device in an archive", expected="files", where=name[:80])
                yield Refused(Plain(name, 0, _nothing, payload), error)
                continue
            with SpooledTemporaryFile(max_size=_SPOOL) as held:
                with _guarded(cast(BinaryIO, content), member.size, limits, name) as guarded:
                    while chunk := guarded.read(1 << 20):
                        held.write(chunk)
                if held.tell() != member.size:
                    raise FormatError("a tar that is cut off", expected=f"{member.size} bytes", where=name[:80])

                def opener(held: BinaryIO = cast(BinaryIO, held)) -> BinaryIO:
                    held.seek(0)
                    return cast(BinaryIO, io.BufferedReader(_Kept(held), 1 << 16))

                yield from walk(Plain(name, member.size, opener, payload), limits, depth + 1)


class _Kept(io.RawIOBase):
    """A view of a held file whose ``close`` leaves the file open for the next reader."""

    def __init__(self, held: BinaryIO) -> None:
        self._held = held

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._held.seek(offset, whence)

    def tell(self) -> int:
        return self._held.tell()

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        chunk = self._held.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)


def _count(limits: Limits) -> None:
    limits.members -= 1
    if limits.members < 0:
        raise FormatError("an archive of very many members", expected="fewer", remedy="split it")


def _hidden(name: str) -> bool:
    parts = name.split("/")
    return parts[-1].startswith(".") or "__MACOSX" in parts
