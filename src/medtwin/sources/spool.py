"""A durable queue of messages between a sender and the record: what was acknowledged is here until its facts are kept.

A live sender waits for its answer, and reading a message takes longer than keeping it. So its bytes are written here first,
sealed and synced (many senders share one sync), then it is acknowledged, and facts follow. A cursor of its own moves only after
the facts are durable; a process that dies goes on from it, and what is read twice gives the same facts. Files that the
cursor has passed are removed, and an empty queue leaves its file for a new one, so that no message stays behind its facts.

One folder, one process. Dialect ``medtwin-spool/2``: segment files ``00000001.spool`` of a header (dialect, salt of the key) and
records (mark, length, checksum of length and place, nonce, sealed bytes); ``cursor`` (segment, offset). A tail that a crash cut
short was never acknowledged and is dropped. A record that does not open is kept aside as ``.damaged``, and said; where its
length is what is damaged, the next mark with its own checksum is where records go on.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

from medtwin.errors import StoreError
from medtwin.governance.keys import DataKey
from medtwin.record.sql import SqlStore

DIALECT = b"medtwin-spool/2\n"
_SALT = 16
_HEAD = len(DIALECT) + _SALT
_RECORD = struct.Struct(">4sII")  # mark, length of the sealed bytes, checksum
_MARK = b"\x1eREC"
SEGMENT = 16 * 1024 * 1024  #: bytes after which a new file is begun
REST = 1.0  #: seconds that a file lives at least before an empty queue leaves it


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the queue: which file, and where in it."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Bytes that wait, and the place after them: give that to :meth:`Spool.done` when their facts are kept."""

    content: bytes
    after: Place
    lost: int = 0  #: damaged records before it


def spool_of(store: SqlStore, name: str) -> Spool:
    """The queue ``name`` of a home, in its folder ``intake``, sealed under the home's master key."""
    access = store.access
    return Spool(access.folder / "intake" / name, access.master.derived(b"spool"))


def _head(place: int, length: int) -> bytes:
    return _RECORD.pack(_MARK, length, crc32(b"%d:%d" % (place, length)))


def _whole(file: int, place: int, end: int) -> tuple[int, int] | None:
    """Where the sealed bytes of the record at ``place`` begin and end; None where no whole record stands."""
    head = os.pread(file, _RECORD.size, place)
    if len(head) < _RECORD.size:
        return None
    length, start = _RECORD.unpack(head)[1], place + _RECORD.size
    return (start, start + length) if head == _head(place, length) and start + length <= end else None


def _next_whole(file: int, place: int, end: int) -> int:
    """The place of the next whole record; ``end`` where none follows."""
    content = os.pread(file, end - place, place)
    at = content.find(_MARK)
    while at >= 0:
        if _whole(file, place + at, end) is not None:
            return place + at
        at = content.find(_MARK, at + 1)
    return end


def _unfinished(tail: bytes, place: int) -> bool:
    """Whether a tail is what a crash leaves of a record: nothing but zeros, or the beginning of one."""
    if not tail.strip(b"\0"):
        return True
    if len(tail) < _RECORD.size:
        return tail[: len(_MARK)] == _MARK[: len(tail)]
    return tail[: _RECORD.size] == _head(place, _RECORD.unpack_from(tail)[1])


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _failed(error: OSError, folder: Path) -> StoreError:
    full = error.errno == 28  # ENOSPC
    return StoreError(
        f"a queue that could not be written ({error.strerror})", where=str(folder),
        remedy="nothing was acknowledged; " + ("free space on this disk, then send again" if full else "check the disk"),
    )  # fmt: skip


class Spool:
    """The queue in ``folder``. One thread appends, one reads; both may be the same. Raises :class:`StoreError`."""

    def __init__(self, folder: Path, secret: bytes, *, segment: int = SEGMENT) -> None:
        self.folder, self._secret, self._segment = folder, secret, segment
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._begun = time.monotonic()
        self.damaged = 0  #: records that did not open
        self._holes: dict[int, set[int]] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(self._lock)
                raise StoreError(
                    "a queue that another process holds", where=str(folder), remedy="end the other listener first"
                ) from error
            self._keys: dict[int, DataKey] = {}
            self._read_files: dict[int, int] = {}
            self._cursor = self._load_cursor()
            numbers = self._numbers()
            self._write = -1
            if numbers:
                self._number = numbers[-1]
                self._write, self._size = self._recover(self._number)
            else:
                self._number = self._cursor.segment
                self._write, self._size = self._begin(self._number)
            self._cursor = self._settled(self._cursor, (numbers or [self._number])[0])
            self._backlog = self._count()
        except OSError as error:
            raise _failed(error, folder) from error

    def _settled(self, cursor: Place, first: int) -> Place:
        """A cursor that leads nowhere (files were taken away, a file was cut) begins where messages begin."""
        if not first <= cursor.segment <= self._number:
            return Place(first, _HEAD)
        size = self._size if cursor.segment == self._number else self._path(cursor.segment).stat().st_size
        return cursor if _HEAD <= cursor.offset <= size else Place(cursor.segment, min(max(cursor.offset, _HEAD), size))

    # writing

    def append(self, contents: Sequence[bytes]) -> None:
        """Keep messages durably, all of them or none; returns after the sync."""
        with self._writing:
            self._append(contents)

    def _append(self, contents: Sequence[bytes]) -> None:
        try:
            if self._size >= self._segment:
                self._roll()
            key, number, before = self._key(self._number), self._number, self._size
            records, place = [], before
            for content in contents:
                sealed = key.seal(content, b"spool:%d:%d" % (number, place))
                records.append(_head(place, len(sealed)) + sealed)
                place += _RECORD.size + len(sealed)
            block = b"".join(records)
            try:
                self._put(block)
            except OSError:
                os.ftruncate(self._write, before)  # what was written of it is nobody's promise
                os.lseek(self._write, before, os.SEEK_SET)
                raise
        except OSError as error:
            raise _failed(error, self.folder) from error
        with self._guard:
            self._size = place
            self._backlog += len(contents)

    def _roll(self) -> None:
        write, size = self._begin(self._number + 1)
        os.close(self._write)
        with self._guard:
            self._write, self._size, self._number = write, size, self._number + 1
        self._begun = time.monotonic()

    def _put(self, block: bytes) -> None:
        view = memoryview(block)
        while view:
            view = view[os.write(self._write, view) :]
        os.fdatasync(self._write)

    # reading

    @property
    def backlog(self) -> int:
        """Messages that wait for their facts."""
        return self._backlog

    def take(self, most: int, size: int = 8 * 1024 * 1024) -> list[Waiting]:
        """The next messages, at most ``most`` and about ``size`` bytes; the same ones again until :meth:`done`."""
        found: list[Waiting] = []
        total, lost, place = 0, 0, self._cursor
        while len(found) < most and total < size:
            with self._guard:
                end = self._size if place.segment == self._number else None
                newest = self._number
            if end is None:
                end = self._path(place.segment).stat().st_size
            if place.offset >= end:
                if place.segment >= newest:
                    break
                place = Place(place.segment + 1, _HEAD)
                continue
            content, place = self._read(place, end)
            if content is not None:
                found.append(Waiting(content, place, lost))
                total, lost = total + len(content), 0
            elif found:
                lost += 1
            else:
                self._move(place)
                self._passed(1)
        return found

    def done(self, waiting: Sequence[Waiting]) -> None:
        """The facts of these are durable: the cursor moves behind the last one, and files before it are removed."""
        if not waiting:
            return
        self._move(waiting[-1].after)
        self._passed(sum(1 + one.lost for one in waiting))

    def _passed(self, count: int) -> None:
        """What was counted as several messages may have been damaged into one: at the end, nothing waits."""
        with self._guard:
            self._backlog = 0 if self._ended() else max(1, self._backlog - count)

    def _ended(self) -> bool:
        """Whether nothing stands behind the cursor."""
        place = self._cursor
        while place.segment < self._number and place.offset >= self._path(place.segment).stat().st_size:
            place = Place(place.segment + 1, _HEAD)
        return place == Place(self._number, self._size)

    def sweep(self) -> bool:
        """Where nothing waits, leave the file for a new one and remove it; whether that was done. Of the reading thread.

        Messages of people who are erased or have withdrawn lie in the queue no longer than that. Does nothing while
        somebody writes, and not more than once in :data:`REST` seconds.
        """
        if time.monotonic() - self._begun < REST or not self._writing.acquire(blocking=False):
            return False
        try:
            if not self._ended() or self._cursor == Place(self._number, _HEAD):
                return False
            if self._size > _HEAD:
                self._roll()
            self._move(Place(self._number, _HEAD))
            return True
        except OSError as error:
            raise _failed(error, self.folder) from error
        finally:
            self._writing.release()

    def _move(self, place: Place) -> None:
        try:
            path = self.folder / "cursor"
            passed = [number for number in self._numbers() if number < place.segment]
            fresh = self.folder / "cursor.new"
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(file, b"%d %d\n" % (place.segment, place.offset))
                if passed:
                    os.fsync(file)
            finally:
                os.close(file)
            os.replace(fresh, path)  # else not synced: a cursor that is behind costs reading again, and no fact
            if passed:
                _sync_folder(self.folder)
            for number in passed:
                self._close(number)
                self._path(number).unlink()
        except OSError as error:
            raise _failed(error, self.folder) from error
        self._cursor = place

    def close(self) -> None:
        for number in list(self._read_files):
            self._close(number)
        os.close(self._write)
        os.close(self._lock)

    def _close(self, number: int) -> None:
        file = self._read_files.pop(number, None)
        if file is not None:
            os.close(file)
        self._keys.pop(number, None)

    def _read(self, place: Place, end: int) -> tuple[bytes | None, Place]:
        """The record at ``place`` (None: damaged) and the place after it."""
        file = self._file(place.segment)
        found = _whole(file, place.offset, end)
        if found is None:
            after = _next_whole(file, place.offset + 1, end)
            self._aside(place, os.pread(file, after - place.offset, place.offset))
            return None, Place(place.segment, after)
        start, after = found
        sealed = os.pread(file, after - start, start)
        try:
            content = self._key(place.segment).open(sealed, b"spool:%d:%d" % (place.segment, place.offset))
        except StoreError:
            self._aside(place, sealed)
            return None, Place(place.segment, after)
        return content, Place(place.segment, after)

    def _file(self, number: int) -> int:
        file = self._read_files.get(number)
        if file is None:
            file = self._read_files[number] = os.open(self._path(number), os.O_RDONLY)
        return file

    def _aside(self, place: Place, sealed: bytes) -> None:
        """Keep what does not open where a person can find it; it is counted once, however often it is met."""
        met = self._holes.setdefault(place.segment, set())
        if place.offset not in met:
            met.add(place.offset)
            self.damaged += 1
            with (self.folder / f"{place.segment:08d}-{place.offset}.damaged").open("wb") as stream:
                stream.write(sealed)
                stream.flush()
                os.fsync(stream.fileno())

    # files

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.spool"

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.spool") if path.stem.isdigit())

    def _begin(self, number: int) -> tuple[int, int]:
        file = os.open(self._path(number), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(file, DIALECT + os.urandom(_SALT))
            os.fsync(file)
            _sync_folder(self.folder)
        except OSError:
            os.close(file)
            self._path(number).unlink(missing_ok=True)
            raise
        return file, _HEAD

    def _key(self, number: int) -> DataKey:
        key = self._keys.get(number)
        if key is None:
            with self._path(number).open("rb") as stream:
                head = stream.read(_HEAD)
            if not head.startswith(DIALECT) or len(head) != _HEAD:
                raise StoreError(
                    "a file of a queue with another beginning", expected=DIALECT.decode().strip(),
                    where=str(self._path(number)), remedy="move the file away; the messages in it are to be sent again",
                )  # fmt: skip
            key = self._keys[number] = DataKey(blake2b(head[-_SALT:], key=self._secret, digest_size=32).digest())
        return key

    def _recover(self, number: int) -> tuple[int, int]:
        """Open the newest file and cut a record that was never finished."""
        path = self._path(number)
        size = path.stat().st_size
        if size < _HEAD:  # it died while the file was begun
            return self._begin(number)
        self._key(number)  # raises where the file is none of ours: nothing is cut from it
        file = os.open(path, os.O_RDWR)
        place, tail = _HEAD, _HEAD
        while place < size:
            found = _whole(file, place, size)
            place = _next_whole(file, place + 1, size) if found is None else found[1]
            tail = place if found is not None or place < size else tail
        if tail < size:
            content = os.pread(file, size - tail, tail)
            if not _unfinished(content, tail):
                self._aside(Place(number, tail), content)
            os.ftruncate(file, tail)
            os.fsync(file)
        os.lseek(file, tail, os.SEEK_SET)
        return file, tail

    def _load_cursor(self) -> Place:
        try:
            segment, offset = (self.folder / "cursor").read_bytes().split()
            return Place(int(segment), int(offset))
        except (OSError, ValueError):
            numbers = self._numbers()
            return Place(numbers[0] if numbers else 1, _HEAD)

    def _count(self) -> int:
        """Messages behind the cursor."""
        count = 0
        for number in self._numbers():
            if number < self._cursor.segment:
                continue
            place = self._cursor.offset if number == self._cursor.segment else _HEAD
            size = self._size if number == self._number else self._path(number).stat().st_size
            file = self._file(number)
            while place < size:
                found = _whole(file, place, size)
                place = _next_whole(file, place + 1, size) if found is None else found[1]
                count += 1
        return count
