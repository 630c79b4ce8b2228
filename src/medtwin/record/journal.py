"""The journal of reads: audit entries on their way into the chain.

A read must leave its audit row, but a durable commit for each read would cost more than the read. The rule: an entry is
written to this file *before* the data is returned (it then survives the death of the process), and joins the chain with
the next commit, at the latest 50 ms later (it then survives a loss of power). Whoever opens the home next takes over
what a dead process left behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import msgspec

from medtwin.errors import StoreError
from medtwin.governance.audit import AuditEntry

DIALECT = b'{"dialect":"medtwin-pending-audit/1"}\n'
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AuditEntry).decode


class Journal:
    """One process's file in ``folder``, locked while the process lives."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._path = folder / f"{os.getpid()}-{os.urandom(4).hex()}.audit"
        self._lock = Lock()
        self._pending: list[AuditEntry] = []
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            os.write(self._file, DIALECT)
        except OSError as error:
            raise StoreError(f"no room for the audit journal ({error.strerror})", where=str(folder)) from error
        self._size = len(DIALECT)

    def note(self, entry: AuditEntry) -> bool:
        """Write an entry; True when it is the first that waits. Raises :class:`StoreError` when it cannot be kept."""
        line = _encode(entry) + b"\n"
        with self._lock:
            try:
                written = os.write(self._file, line)
                if written != len(line):
                    raise OSError(28, "No space left on device")
            except OSError as error:
                self._cut(self._size)
                raise StoreError(
                    f"an audit row that could not be written ({error.strerror})",
                    where=str(self._path),
                    remedy="nothing was returned; free space on this disk",
                ) from error
            self._size += written
            self._pending.append(entry)
            return len(self._pending) == 1

    def take(self) -> list[AuditEntry]:
        """All entries that wait; hand them to :meth:`kept` after the commit, to :meth:`back` when it failed."""
        with self._lock:
            taken, self._pending = self._pending, []
            return taken

    def kept(self) -> None:
        """What was taken is in the chain: empty the file, unless newer entries wait in it."""
        with self._lock:
            if not self._pending and self._size > len(DIALECT):
                self._cut(len(DIALECT))

    def back(self, entries: list[AuditEntry]) -> None:
        with self._lock:
            self._pending[:0] = entries

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._file, size)
            self._size = size
        except OSError:
            pass  # entries read twice stand in the chain once

    def close(self) -> None:
        with self._lock:
            if not self._pending:
                self._path.unlink(missing_ok=True)
            os.close(self._file)


def leftovers(folder: Path) -> Iterator[tuple[Path, list[AuditEntry]]]:
    """(file, entries) of each process that is gone; the caller removes the file once the entries are in the chain."""
    for path in sorted(folder.glob("*.audit")):
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                yield path, _entries(path.read_bytes())
        except BlockingIOError:
            continue  # its process lives
        finally:
            os.close(file)


def _entries(content: bytes) -> list[AuditEntry]:
    found = []
    for line in content.split(b"\n")[1:]:
        try:
            found.append(_decode(line))
        except msgspec.MsgspecError:
            continue  # the end of a file that a dying process left
    return found
