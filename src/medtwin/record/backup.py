"""Backup and restore: one file that holds everything, readable by either back end.

A backup is a ZIP archive: each table as frames of MessagePack rows (taken in one snapshot while the store goes on), the
master key, the audit head, and last a manifest with dialect, versions, row counts and a BLAKE2b hash of each entry. Since
the tables are written in neither database's own format, a home can move from SQLite to PostgreSQL and back.

The archive holds the keys: whoever has it can read everything in it. It is written with mode 0600.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

import medtwin
from medtwin.errors import FormatError, StoreError
from medtwin.governance import keys
from medtwin.governance.grant import Action, Grant
from medtwin.governance.keys import MasterKey
from medtwin.record import home as homes
from medtwin.record import schema
from medtwin.record.database import Connection, Database
from medtwin.record.sql import SqlStore

DIALECT = "medtwin-backup/1"
_MANIFEST, _KEY, _HEAD = "manifest.json", "master.key", "audit.head"
_FRAME = 64 << 20  #: bytes; a longer frame is not ours
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[list[Any]]).decode


class Entry(msgspec.Struct, frozen=True):
    """One member of the archive."""

    size: int
    hash: str
    rows: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """What the archive says of itself."""

    dialect: str
    created: str
    medtwin: str
    schema: int
    home: str
    backend: str
    sequence: int
    entries: dict[str, Entry]


class _Member:
    """One member being written, hashed on the way."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        info = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
        info.external_attr = 0o600 << 16
        info.compress_type = zipfile.ZIP_STORED if name == "tables/piece" else zipfile.ZIP_DEFLATED
        self._file = archive.open(info, "w", force_zip64=True)
        self._hash, self.size, self.rows = blake2b(digest_size=32), 0, 0

    def write(self, content: bytes, rows: int = 0) -> None:
        self._file.write(content)
        self._hash.update(content)
        self.size += len(content)
        self.rows += rows

    def done(self) -> Entry:
        self._file.close()
        return Entry(self.size, self._hash.hexdigest(), self.rows)


def backup(store: SqlStore, target: str | Path, grant: Grant) -> Manifest:
    """Write everything to the new file ``target`` while the store goes on, and read it again to be sure.

    Raises :class:`StoreError` when the target exists or cannot be written; nothing is left behind then.
    """
    target = Path(target).absolute()
    if target.exists():
        raise StoreError("a file of that name", where=str(target), remedy="choose another name")
    store.flush()
    access = store.access
    head = access.head_file.content()  # before the snapshot: the head may lag behind the rows, never run ahead of them
    part = target.with_name(target.name + ".part")
    try:
        with access.read(grant, "backup", action=Action.ADMINISTER, snapshot=True) as read:
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                with zipfile.ZipFile(file, "w", compresslevel=1) as archive:
                    entries = {}
                    for table, columns in schema.TABLES.items():
                        entries[f"tables/{table}"] = _dump(archive, read.connection, table, columns)
                    for name, content in ((_KEY, access.master.written()), (_HEAD, head)):
                        if content is not None:
                            member = _Member(archive, name)
                            member.write(content)
                            entries[name] = member.done()
                    said = Manifest(
                        DIALECT, datetime.now(UTC).isoformat(timespec="seconds"), medtwin.__version__,
                        schema.recorded(read.connection), access.master.home, access.database.dialect, read.sequence,
                        entries,
                    )  # fmt: skip
                    archive.writestr(_MANIFEST, msgspec.json.encode(said))
                file.flush()
                os.fsync(file.fileno())
            read.count = sum(entry.rows for entry in entries.values())
        verify(part)
        part.rename(target)
        return said
    except OSError as error:
        raise StoreError(f"a backup that could not be written ({error.strerror})", where=str(target)) from error
    finally:
        part.unlink(missing_ok=True)


def _dump(archive: zipfile.ZipFile, connection: Connection, table: str, columns: tuple[str, ...]) -> Entry:
    member = _Member(archive, f"tables/{table}")
    size = 8 if table == "piece" else 2000
    for lot in connection.stream(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {_ORDER[table]}", size=size):
        frame = _encode([tuple(row) for row in lot])
        member.write(len(frame).to_bytes(4, "little") + frame, len(lot))
    return member.done()


_ORDER = {
    "head": "id", "patient": "id", "owner": "id", "quantity": "id", "source": "id",
    "fact": "owner, quantity, start, sequence", "batch": "sequence", "raw": "id", "artifact": "id",
    "piece": "whole, number", "quarantine": "id", "cursor": "subscriber", "identity": "number",
    "blocking": "digest, owner", "audit": "number",
}  # fmt: skip


def verify(path: str | Path) -> Manifest:
    """The manifest, after every byte of the archive was read and its hashes agreed; raises :class:`FormatError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            said = _manifest(archive, path)
            for name, entry in said.entries.items():
                found, size = blake2b(digest_size=32), 0
                with archive.open(name) as member:
                    while chunk := member.read(1 << 20):
                        found.update(chunk)
                        size += len(chunk)
                if (size, found.hexdigest()) != (entry.size, entry.hash):
                    raise _damaged(path, f"an entry {name} that is not what the manifest says")
            return said
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise StoreError(f"no readable backup ({error.strerror})", where=str(path)) from error


def _damaged(path: str | Path, what: str) -> FormatError:
    return FormatError(what, expected="a backup as it was written", where=str(path), remedy="use another copy")


def _manifest(archive: zipfile.ZipFile, path: str | Path) -> Manifest:
    try:
        said = msgspec.json.decode(archive.read(_MANIFEST), type=Manifest)
    except (KeyError, msgspec.MsgspecError, zipfile.BadZipFile) as error:
        raise _damaged(path, f"no manifest ({error})") from error
    if said.dialect != DIALECT:
        raise FormatError(f"a backup of dialect {said.dialect}", expected=DIALECT, where=str(path))
    if said.schema > schema.latest():
        raise StoreError(
            f"a backup of schema version {said.schema}", expected=f"at most {schema.latest()}",
            remedy="restore it with the newer medtwin that wrote it",
        )  # fmt: skip
    return said


def restore(source: str | Path, home: str | Path | None = None, url: str | None = None) -> Manifest:
    """Bring a backup into an empty home (and, with ``url``, an empty PostgreSQL schema), then check all of it.

    Raises :class:`StoreError` for a home that holds facts already, or when the chain of the audit or a key is not whole;
    :class:`FormatError` for a damaged archive, before anything is written.
    """
    said = verify(source)
    with homes.opening(home, url) as (folder, database), zipfile.ZipFile(source) as archive:
        master = MasterKey.read(archive.read(_KEY), f"{source}:{_KEY}")
        path = folder / homes.KEY_FILE
        if path.exists() and path.read_bytes() != master.written():
            raise StoreError("a home that has a key already", where=str(folder), remedy="restore into an empty home")
        if not path.exists():
            keys.create(path, master)
        _load(archive, said, database)
        if _HEAD in said.entries:
            homes.write_private(folder / homes.HEAD_FILE, archive.read(_HEAD))
    with homes.open_store(home, url) as store:
        rows, altered = store.verify_audit()
        if altered is not None:
            raise StoreError(f"an audit trail altered at row {altered} of {rows}", where=str(source))
        with store.access.database.reading() as connection:
            store.access.read_names.check_keys(connection)
    return said


def _load(archive: zipfile.ZipFile, said: Manifest, database: Database) -> None:
    with database.writing() as connection:
        if schema.version(connection) and connection.rows("SELECT 1 FROM head"):
            raise StoreError(
                "a store that holds facts already", where=database.place(), remedy="restore into an empty home"
            )
        if not schema.version(connection):
            schema.migrate(connection, tuple(step for step in schema.MIGRATIONS if step.version <= said.schema))
        for table, columns in schema.TABLES.items():
            if schema.SINCE.get(table, 0) > said.schema:
                continue
            rows = 0
            for lot in _frames(archive, f"tables/{table}"):
                connection.insert(table, columns, lot)
                rows += len(lot)
            if rows != said.entries[f"tables/{table}"].rows:
                raise _damaged(archive.filename or "", f"{rows} rows of {table}")


def _frames(archive: zipfile.ZipFile, name: str) -> Iterator[list[list[Any]]]:
    with archive.open(name) as member:
        while size := member.read(4):
            length = int.from_bytes(size, "little")
            if length > _FRAME:
                raise _damaged(archive.filename or "", f"a frame of {length} bytes in {name}")
            yield _decode(member.read(length))
