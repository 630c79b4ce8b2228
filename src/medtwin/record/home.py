"""A home: the one folder that holds all state of an installation, readable by one user only.

``MEDTWIN_HOME`` names it (default: the platform's user data folder); ``MEDTWIN_STORE=postgresql://...`` keeps the facts
on a server instead of in the home's own ``store.sqlite``. The keys stay in the home either way.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medtwin.errors import StoreError
from medtwin.governance import keys
from medtwin.governance.audit import START
from medtwin.governance.keys import MasterKey
from medtwin.record import facts, schema
from medtwin.record.access import Access
from medtwin.record.database import Connection, Database
from medtwin.record.identity.search import index_unindexed
from medtwin.record.sql import SqlStore
from medtwin.record.sqlite import SqliteDatabase
from medtwin.record.vault import now
from medtwin.record.writer import Work

KEY_FILE, STORE_FILE, HEAD_FILE, LOCK_FILE = "master.key", "store.sqlite", "audit.head", ".lock"
_ABANDONED = 24 * 3600 * 1_000_000  #: microseconds after which a raw that never ended is swept away


def home_path(home: str | Path | None = None) -> Path:
    """The folder: what is given, else ``MEDTWIN_HOME``, else the platform's user data folder."""
    chosen = home or os.environ.get("MEDTWIN_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("medtwin", appauthor=False)


def store_url(url: str | None = None) -> str | None:
    """The address of the server store: what is given, else ``MEDTWIN_STORE``; None for the home's own file."""
    return url or os.environ.get("MEDTWIN_STORE") or None


def open_store(home: str | Path | None = None, url: str | None = None, *, timeout: float = 30.0) -> SqlStore:
    """Open a home, making it when it is new and bringing its tables to the newest version.

    ``timeout``: seconds to wait for another process's write. Raises :class:`StoreError` for a home that is open to
    other users, has lost its key, belongs to a newer medtwin, or whose database is another home's.
    """
    with opening(home, url, timeout=timeout, keep=True) as (folder, database):
        master = _master(folder, database)
        with database.writing() as connection:
            before, _ = schema.migrate(connection)
            if schema.refolds(before):
                facts.refold_all(connection)
            _belong(connection, master)
    store = SqlStore(Access(database, master, folder))
    store.access.writer.do(_sweep)
    store.access.writer.do(lambda work: index_unindexed(store.access, work))
    return store


@contextmanager
def opening(
    home: str | Path | None, url: str | None, *, timeout: float = 30.0, keep: bool = False
) -> Iterator[tuple[Path, Database]]:
    """The folder, locked against others who open it, and its database; closed at the end unless ``keep``."""
    folder = _prepare(home_path(home))
    with locked(folder):
        database = _database(folder, store_url(url), timeout)
        try:
            yield folder, database
        except BaseException:
            database.close()
            raise
        if not keep:
            database.close()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user can read."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)


def _prepare(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_mode & 0o077:
            if status.st_uid != os.getuid() or (folder / KEY_FILE).exists():
                raise StoreError(
                    f"a home of mode {status.st_mode & 0o777:04o}", expected="0700", where=str(folder),
                    remedy=f"chmod 700 {folder}",
                )  # fmt: skip
            folder.chmod(0o700)
    except OSError as error:
        raise StoreError(f"no usable home ({error.strerror})", where=str(folder)) from error
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time makes, migrates or restores a home."""
    try:
        file = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"no usable home ({error.strerror})", where=str(folder)) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _database(folder: Path, url: str | None, timeout: float) -> Database:
    if url is None or url.startswith("sqlite:"):
        return SqliteDatabase(folder / STORE_FILE, timeout=timeout)
    from medtwin.record.postgresql import PostgresDatabase

    return PostgresDatabase(url, timeout=timeout)


def _master(folder: Path, database: Database) -> MasterKey:
    path = folder / KEY_FILE
    if path.exists():
        return keys.load(path)
    with database.writing() as connection:
        if schema.version(connection):
            raise StoreError(
                "a database with facts and no master key",
                where=str(path),
                remedy="restore this home from a backup; a new home needs a database (or PostgreSQL schema) of its own",
            )
    return keys.create(path)


def _belong(connection: Connection, master: MasterKey) -> None:
    """A database holds one home; make its head, or see that it is this home's."""
    rows = connection.rows("SELECT home FROM head")
    if not rows:
        connection.run(
            "INSERT INTO head (id, home, epoch, sequence, serial, audit_number, audit_hash)"
            " VALUES (1, ?, 1, 0, 0, 0, ?)",
            (master.home, START),
        )
    elif rows[0][0] != master.home:
        raise StoreError(
            "a database that belongs to another home",
            expected=f"the database of home {master.home}",
            remedy="give this home a database (or PostgreSQL schema) of its own, or use the home that it belongs to",
        )


def _sweep(work: Work) -> None:
    """Bytes that were still coming in when their process died, a day ago or more."""
    for row in work.connection.rows("SELECT id FROM raw WHERE hash IS NULL AND received < ?", (now() - _ABANDONED,)):
        work.connection.run("DELETE FROM piece WHERE whole = ?", row)
        work.connection.run("DELETE FROM raw WHERE id = ?", row)
