"""SQLite: the embedded store. Write-ahead log, ``synchronous=FULL``: acknowledged is what is on the disk."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Lock

from medtwin.errors import StoreError
from medtwin.record.database import Connection, Row, Value

_WORDS = {"blob": "BLOB", "real": "REAL", "clustered": " WITHOUT ROWID", "cover": ""}
_IN_MEMORY = 512 << 20  #: bytes up to which a rebuild needs no temporary file
_REMEDIES = {
    "full": "free space on this disk, or move the home with --home, then send the facts again",
    "readonly": "make the home writable for this user",
    "locked": "another process holds the store: close it or try again",
    "busy": "another process holds the store: close it or try again",
    "unable to open": "check that the home exists and is writable for this user",
    "disk i/o": "check the disk",
    "malformed": "restore this home from a backup",
    "not a database": "restore this home from a backup",
}


def _refused(error: Exception, where: str) -> StoreError:
    said = str(error)
    remedy = next((remedy for words, remedy in _REMEDIES.items() if words in said.lower()), "see `medtwin doctor`")
    return StoreError(f"a database that refused ({said})", where=where, remedy=f"nothing was acknowledged; {remedy}")


class SqliteConnection:
    """One SQLite connection in autocommit mode; transactions are opened by :class:`SqliteDatabase`."""

    words = _WORDS

    def __init__(self, path: Path, *, cache_mib: int, timeout: float) -> None:
        self._where = str(path)
        try:
            self._raw = sqlite3.connect(
                path, timeout=timeout, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            for pragma in (
                "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", f"cache_size=-{cache_mib * 1024}",
                "wal_autocheckpoint=4000", "temp_store=MEMORY", "trusted_schema=OFF",
            ):  # fmt: skip
                self._raw.execute(f"PRAGMA {pragma}").fetchall()
        except sqlite3.Error as error:
            raise _refused(error, self._where) from error

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        try:
            return self._raw.execute(statement, values).fetchall()
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            raise _refused(error, self._where) from error

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        try:
            return self._raw.execute(statement, values).rowcount
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            raise _refused(error, self._where) from error

    def stream(self, statement: str, values: Sequence[Value] = (), size: int = 5000) -> Iterator[list[Row]]:
        try:
            cursor = self._raw.execute(statement, values)
            while lot := cursor.fetchmany(size):
                yield lot
        except sqlite3.Error as error:
            raise _refused(error, self._where) from error

    def pairs(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[int, float]]:
        return self.rows(statement, values)  # type: ignore[return-value]

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        try:
            self._raw.executemany(statement, rows)
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            raise _refused(error, self._where) from error

    def undo(self) -> None:
        """Roll back whatever is open; a failed transaction may have rolled back by itself."""
        if self._raw.in_transaction:
            try:
                self._raw.execute("ROLLBACK")
            except sqlite3.Error:
                self._raw.close()

    def close(self) -> None:
        self._raw.close()


class SqliteDatabase:
    """The database file ``path``. One connection writes, a pool of others reads beside it."""

    dialect = "sqlite"

    def __init__(self, path: Path, *, timeout: float = 30.0) -> None:
        self._path, self._timeout = path, timeout
        if not path.exists():
            try:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            except OSError as error:
                raise _refused(error, str(path)) from error
        self._write_lock, self._pool_lock = Lock(), Lock()
        self._writer = SqliteConnection(path, cache_mib=64, timeout=timeout)
        self._idle: list[SqliteConnection] = []
        self._closed = False

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._write_lock:
            connection = self._writer
            try:
                connection.run("BEGIN IMMEDIATE")
                yield connection
                connection.run("COMMIT")
            except BaseException:
                connection.undo()
                raise

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[Connection]:
        with self._pool_lock:
            if self._closed:
                raise StoreError("a store that was closed", remedy="open it again")
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = SqliteConnection(self._path, cache_mib=16, timeout=self._timeout)
        try:
            if snapshot:
                connection.run("BEGIN")
            yield connection
        finally:
            connection.undo()
            with self._pool_lock:
                if self._closed or len(self._idle) >= 16:
                    connection.close()
                else:
                    self._idle.append(connection)

    def announce(self, connection: Connection, sequence: int) -> None:
        """Other processes see the file change; nothing to tell."""

    def watch(self, stop: Flag) -> Iterator[None]:
        """Asks every 20 ms whether another connection changed the file (about 10 microseconds a question)."""
        connection = SqliteConnection(self._path, cache_mib=1, timeout=self._timeout)
        try:
            seen = connection.rows("PRAGMA data_version")
            yield  # a commit before this first look would be no change to it: the start counts as news
            while not stop.wait(0.02):
                now = connection.rows("PRAGMA data_version")
                if now != seen:
                    seen = now
                    yield
        finally:
            connection.close()

    def scrub(self) -> str:
        """Rebuild the file (deleted cells were zeroed at once, moved ones do not come along), cut the log to zero."""
        with self._pool_lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        with self._write_lock:
            self._writer.rows("PRAGMA wal_checkpoint(TRUNCATE)")
            if self._path.stat().st_size > _IN_MEMORY:
                self._writer.run("PRAGMA temp_store=FILE")
            self._writer.run("VACUUM")
            self._writer.run("PRAGMA temp_store=MEMORY")
            busy = self._writer.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]
        if busy:
            return "the write-ahead log of the database, while another process reads it (close it and erase again)"
        return "blocks that the file system or the disk has set free"

    def place(self) -> str:
        return str(self._path)

    def close(self) -> None:
        with self._pool_lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        with self._write_lock:
            self._writer.close()
