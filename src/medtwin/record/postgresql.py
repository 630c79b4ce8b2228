"""PostgreSQL: the server store, for several processes and users. Same tables, same statements as SQLite.

The address is ``postgresql://user:password@host:port/database?schema=medtwin``. ``host=/folder`` in the query names a
Unix socket; ``sslmode`` is ``verify-full`` (the default for any host but this one), ``require`` or ``disable``. The
password may stand in ``PGPASSWORD`` instead. All tables lie in one PostgreSQL schema, so that one database can serve
several homes.
"""

from __future__ import annotations

import io
import os
import select
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from threading import Event as Flag
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from medtwin.errors import StoreError
from medtwin.record.database import Connection, Row, Value

_WORDS = {
    "blob": "BYTEA",
    "real": "DOUBLE PRECISION",
    "clustered": "",
    "cover": ") INCLUDE (value, standing",  # closes the key's own bracket
}
_PAIR = struct.Struct(">qd")
_HERE = ("localhost", "127.0.0.1", "::1")


def _driver() -> Any:
    try:
        import pg8000.native
    except ImportError:
        raise StoreError(
            "no PostgreSQL driver", remedy="install it: pip install 'medtwin[postgres]', or unset MEDTWIN_STORE"
        ) from None
    return pg8000.native


def _refused(error: Exception, where: str) -> StoreError:
    said = error.args[0].get("M", str(error)) if error.args and isinstance(error.args[0], Mapping) else str(error)
    return StoreError(
        f"a database that refused ({said})", where=where, remedy="nothing was acknowledged; see `medtwin doctor`"
    )


class Address:
    """The parts of an address; raises :class:`StoreError` for one that cannot be meant."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.schema = asked.get("schema", "medtwin")
        mode = asked.get("sslmode")
        if parts.scheme not in ("postgresql", "postgres") or not self.schema.isidentifier() or len(self.schema) > 63:
            raise StoreError(
                f"a store address of scheme {parts.scheme!r}, schema {self.schema!r}",
                expected="postgresql://user@host/database?schema=name",
                remedy="mend MEDTWIN_STORE",
            )
        self.user = unquote(parts.username or asked.get("user", "") or "postgres")
        self.password = unquote(parts.password or "") or os.environ.get("PGPASSWORD") or None
        self.database = unquote(parts.path.lstrip("/")) or self.user
        try:
            self.host, self.port = asked.get("host") or parts.hostname or "localhost", parts.port or 5432
        except ValueError:
            raise StoreError("a store address with a port that is no number", remedy="mend MEDTWIN_STORE") from None
        self.socket = f"{self.host}/.s.PGSQL.{self.port}" if self.host.startswith("/") else None
        self.ssl: Any = False
        if self.socket is None and mode != "disable" and (mode is not None or self.host not in _HERE):
            self.ssl = True if mode == "require" else ssl.create_default_context()

    def connect(self, timeout: float) -> tuple[Any, socket.socket]:
        """A new connection of the driver, and its socket."""
        driver = _driver()
        try:
            if self.socket is None:
                raw = socket.create_connection((self.host, self.port), 10)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            else:
                raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                raw.settimeout(10)
                raw.connect(self.socket)
            raw.settimeout(None)
        except OSError as error:
            raise StoreError(
                f"no PostgreSQL server ({error.strerror or error})", where=self.place(),
                remedy="start it, or unset MEDTWIN_STORE to keep facts in the home",
            ) from error  # fmt: skip
        try:
            connection = driver.Connection(
                self.user, host=self.host, port=self.port, database=self.database, password=self.password, sock=raw,
                ssl_context=self.ssl, application_name="medtwin",
            )  # fmt: skip
            connection.run(f'SET search_path TO "{self.schema}"')
            connection.run(f"SET lock_timeout = {max(int(timeout * 1000), 1)}")
            connection.run("SET synchronous_commit = on")
            connection.run("SET client_min_messages = warning")
        except (driver.Error, OSError) as error:
            raw.close()
            raise _refused(error, self.place()) from error
        return connection, raw

    def place(self) -> str:
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}?schema={self.schema}"


@lru_cache(maxsize=1024)
def _named(statement: str) -> tuple[str, tuple[str, ...]]:
    """The statement with :p0, :p1, ... for its question marks (no statement holds one in a literal)."""
    parts = statement.split("?")
    names = tuple(f"p{number}" for number in range(len(parts) - 1))
    return "".join(part + (f":{names[at]}" if at < len(names) else "") for at, part in enumerate(parts)), names


def _copied(value: Value) -> str:
    """One value in the text format of COPY."""
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return repr(value)


class PostgresConnection:
    """One connection; statements with values are prepared once each."""

    words = _WORDS

    def __init__(self, address: Address, timeout: float) -> None:
        self._raw, self.socket = address.connect(timeout)
        self._errors = (_driver().Error, OSError, UnicodeError)
        self._where = address.place()
        self._prepared: dict[str, Any] = {}
        self.broken = False

    def _execute(self, statement: str, values: Sequence[Value]) -> Any:
        """Rows of the statement, or None; the count of rows touched is in the driver's context."""
        try:
            if not values:
                rows = self._raw.run(statement)
                self._touched = self._raw.row_count
                return rows
            prepared = self._prepared.get(statement)
            text, names = _named(statement)
            if prepared is None:
                if len(self._prepared) >= 256:
                    for old in self._prepared.values():
                        old.close()
                    self._prepared.clear()
                prepared = self._prepared[statement] = self._raw.prepare(text)
            rows = prepared.run(**dict(zip(names, values, strict=True)))
            self._touched = prepared._context.row_count
            return rows
        except self._errors as error:
            self.broken = self.broken or not isinstance(error, _driver().DatabaseError)
            raise _refused(error, self._where) from error

    def rows(self, statement: str, values: Sequence[Value] = ()) -> Sequence[Row]:
        return self._execute(statement, values) or ()

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        self._execute(statement, values)
        return max(int(self._touched), 0)

    def stream(self, statement: str, values: Sequence[Value] = (), size: int = 5000) -> Iterator[Sequence[Row]]:
        name = f"walk_{os.urandom(4).hex()}"
        self._execute(f"DECLARE {name} NO SCROLL CURSOR FOR {statement}", values)
        while lot := self.rows(f"FETCH FORWARD {int(size)} FROM {name}"):
            yield lot
        self._execute(f"CLOSE {name}", ())

    def pairs(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[int, float]]:
        """All rows as one value: a message for each row would cost more than finding them."""
        packed = self.rows(
            f"SELECT string_agg(int8send(a) || float8send(b), ''::bytea) FROM ({statement}) AS pairs (a, b)", values
        )[0][0]
        return [] if packed is None else list(_PAIR.iter_unpack(packed))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """COPY, which is three times as quick as INSERT even for a few rows."""
        if not rows:
            return
        content = "".join("\t".join(map(_copied, row)) + "\n" for row in rows)
        try:
            self._raw.run(f"COPY {table} ({', '.join(columns)}) FROM STDIN", stream=io.BytesIO(content.encode()))
        except self._errors as error:
            self.broken = self.broken or not isinstance(error, _driver().DatabaseError)
            raise _refused(error, self._where) from error

    def undo(self) -> None:
        try:
            self._raw.run("ROLLBACK")
        except self._errors:
            self.broken = True

    def notifications(self) -> bool:
        """Whether anybody called since the last question."""
        self.rows("SELECT 1")
        called = bool(self._raw.notifications)
        self._raw.notifications.clear()
        return called

    def close(self) -> None:
        try:
            self._raw.close()
        except self._errors:
            self.socket.close()


class PostgresDatabase:
    """A PostgreSQL schema. One transaction writes at a time (an advisory lock), others read beside it."""

    dialect = "postgresql"

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self._address, self._timeout = Address(url), timeout
        digest = blake2b(self._address.schema.encode(), digest_size=8, person=b"medtwin/lock").digest()
        self._lock_id = int.from_bytes(digest, "little", signed=True)
        self._channel = f"medtwin_{digest.hex()}"
        self._write_lock, self._pool_lock = Lock(), Lock()
        self._idle: list[PostgresConnection] = []
        self._closed = False
        self._writer: PostgresConnection | None = self._new()
        if not self._writer.rows(
            "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?", (self._address.schema,)
        ):
            self._writer.run(f'CREATE SCHEMA IF NOT EXISTS "{self._address.schema}"')

    def _new(self) -> PostgresConnection:
        return PostgresConnection(self._address, self._timeout)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._write_lock:
            if self._closed:
                raise StoreError("a store that was closed", remedy="open it again")
            connection = self._writer = self._alive(self._writer) or self._new()
            try:
                connection.run(f"BEGIN; SELECT pg_advisory_xact_lock({self._lock_id})")
                yield connection
                connection.run("COMMIT")
            except BaseException:
                connection.undo()
                if connection.broken:
                    connection.close()
                    self._writer = None
                raise

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[Connection]:
        with self._pool_lock:
            if self._closed:
                raise StoreError("a store that was closed", remedy="open it again")
            connection = self._idle.pop() if self._idle else None
        connection = self._alive(connection) or self._new()
        try:
            if snapshot:
                connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
        finally:
            if snapshot and not connection.broken:
                connection.undo()
            with self._pool_lock:
                if connection.broken or self._closed or len(self._idle) >= 16:
                    connection.close()
                else:
                    self._idle.append(connection)

    @staticmethod
    def _alive(connection: PostgresConnection | None) -> PostgresConnection | None:
        """An idle connection that the server has not closed meanwhile (then its socket reads as ready)."""
        if connection is not None and select.select([connection.socket], [], [], 0)[0]:
            connection.close()
            return None
        return connection

    def announce(self, connection: Connection, sequence: int) -> None:
        connection.run(f"NOTIFY {self._channel}, '{int(sequence)}'")

    def watch(self, stop: Flag) -> Iterator[None]:
        """LISTEN; a lost connection is made again, and counts as news, since something may have been missed."""
        connection: PostgresConnection | None = None
        while not stop.is_set():
            try:
                if connection is None:
                    connection = self._new()
                    connection.run(f"LISTEN {self._channel}")
                    yield
                if select.select([connection.socket], [], [], 0.2)[0] and connection.notifications():
                    yield
            except (StoreError, OSError, ValueError):
                if connection is not None:
                    connection.close()
                connection = None
                stop.wait(1.0)
        if connection is not None:
            connection.close()

    def scrub(self) -> str:
        """Rewrite the tables that held what was erased; the server's own log is not ours to cut."""
        with self._write_lock:
            if self._writer is None:
                self._writer = self._new()
            tables = "fact, source, raw, piece, quarantine, artifact, owner, patient, identity, blocking"
            self._writer.run(f"VACUUM (FULL, ANALYZE) {tables}")
        return (
            "the write-ahead log, archives and replicas of the PostgreSQL server until it recycles them (names, raw "
            "bytes and artifacts in them are sealed under the destroyed keys; values and texts of facts are not); "
            "blocks that the file system or the disk has set free"
        )

    def place(self) -> str:
        return self._address.place()

    def close(self) -> None:
        with self._pool_lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        with self._write_lock:
            if self._writer is not None:
                self._writer.close()
            self._writer = None
