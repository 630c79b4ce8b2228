"""The tables, as versioned migrations in the SQL that SQLite and PostgreSQL share. Forward only, never edited.

``fact`` is the log and the signal table in one: clustered by (owner, quantity, start, sequence), so that a window of
one signal is one walk along the table. Times are microseconds since 1970 UTC. ``{blob}``, ``{real}``, ``{clustered}``
and ``{cover}`` are the only differences between the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from medtwin.errors import StoreError
from medtwin.record.database import Connection

#: fact.standing: materialised, equal to the fold of the log
SUPERSEDED, CURRENT, IN_ERROR, NOT_HAPPENED = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    statements: tuple[str, ...]
    refold: bool = False  #: the order of versions changed: standing and supersedes are to be derived from the log anew


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        "the first tables",
        (
            # one row: what the next commit needs; a writer holds it for the length of its transaction
            "CREATE TABLE head (id BIGINT PRIMARY KEY, home TEXT NOT NULL, epoch BIGINT NOT NULL,"
            " sequence BIGINT NOT NULL, serial BIGINT NOT NULL, audit_number BIGINT NOT NULL,"
            " audit_hash {blob} NOT NULL)",
            "CREATE TABLE patient (id TEXT PRIMARY KEY, zone TEXT, withdrawn BIGINT, wrapped {blob} NOT NULL)",
            # a source's key of a person, with its own data key; events, first, last: of this owner's facts
            "CREATE TABLE owner (id BIGINT PRIMARY KEY, system TEXT NOT NULL, value TEXT NOT NULL, patient TEXT,"
            " wrapped {blob} NOT NULL, demographics {blob}, events BIGINT NOT NULL, first BIGINT, last BIGINT,"
            " sequence BIGINT NOT NULL, UNIQUE (system, value))",
            "CREATE INDEX owner_patient ON owner (patient)",
            "CREATE TABLE quantity (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
            "CREATE TABLE source (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL, digest {blob} NOT NULL,"
            " sealed {blob} NOT NULL, UNIQUE (owner, digest))",
            "CREATE TABLE fact (owner BIGINT NOT NULL, quantity BIGINT NOT NULL, start BIGINT NOT NULL,"
            " sequence BIGINT NOT NULL, value {real}, standing SMALLINT NOT NULL, status SMALLINT NOT NULL,"
            " available BIGINT NOT NULL, source BIGINT NOT NULL, slot BIGINT NOT NULL, id {blob} NOT NULL,"
            " supersedes {blob}, body {blob} NOT NULL,"
            " PRIMARY KEY (owner, quantity, start, sequence{cover})){clustered}",
            # slot: hash of (owner, source system, key), so one index serves both uniqueness and supersession
            "CREATE UNIQUE INDEX fact_identity ON fact (slot, id)",
            "CREATE INDEX fact_sequence ON fact (sequence)",
            # one row per transaction that brought facts: its last sequence and its wall time
            "CREATE TABLE batch (sequence BIGINT PRIMARY KEY, time BIGINT NOT NULL)",
            "CREATE INDEX batch_time ON batch (time)",
            "CREATE TABLE raw (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL, hash {blob}, size BIGINT NOT NULL,"
            " received BIGINT NOT NULL, times BIGINT NOT NULL, manifest {blob} NOT NULL, UNIQUE (hash))",
            "CREATE INDEX raw_owner ON raw (owner)",
            "CREATE TABLE artifact (id BIGINT PRIMARY KEY, patient TEXT NOT NULL, kind TEXT NOT NULL,"
            " hash {blob} NOT NULL, size BIGINT NOT NULL, manifest {blob} NOT NULL, UNIQUE (patient, hash))",
            # sealed pieces of at most 1 MiB of a raw or an artifact (their ids come from one counter)
            "CREATE TABLE piece (whole BIGINT NOT NULL, number BIGINT NOT NULL, sealed {blob} NOT NULL,"
            " PRIMARY KEY (whole, number))",
            "CREATE TABLE quarantine (id BIGINT PRIMARY KEY, raw BIGINT NOT NULL, size BIGINT NOT NULL,"
            " received BIGINT NOT NULL, resolved BIGINT, digest {blob} NOT NULL, sealed {blob} NOT NULL,"
            " UNIQUE (raw, digest))",
            "CREATE TABLE cursor (subscriber TEXT PRIMARY KEY, sequence BIGINT NOT NULL)",
            "CREATE TABLE audit (number BIGINT PRIMARY KEY, time BIGINT NOT NULL, who TEXT NOT NULL,"
            " role TEXT NOT NULL, purpose TEXT NOT NULL, action TEXT NOT NULL, patient TEXT,"
            " quantities TEXT NOT NULL, count BIGINT NOT NULL, sequence BIGINT NOT NULL, entry TEXT NOT NULL,"
            " hash {blob} NOT NULL)",
        ),
    ),
    Migration(2, "a wall clock of unknown offset loses to one whose offset is known", (), refold=True),
    Migration(3, "so does one that its zone shows twice or never, unless it was told which is meant", (), refold=True),
    Migration(
        4,
        "who is whom: the stream of decisions, and the keys under which a person is found",
        (
            # decision: the rows of one decision; owner.patient is the newest link or unlink of each owner
            "CREATE TABLE identity (number BIGINT PRIMARY KEY, decision BIGINT NOT NULL, time BIGINT NOT NULL,"
            " kind TEXT NOT NULL, owner BIGINT NOT NULL, other BIGINT, patient TEXT, before TEXT, sealed {blob} NOT NULL)",
            "CREATE INDEX identity_owner ON identity (owner, other, number)",
            "CREATE INDEX identity_other ON identity (other)",
            # keyed hashes of what people may share: no name stands here
            "CREATE TABLE blocking (digest BIGINT NOT NULL, owner BIGINT NOT NULL,"
            " PRIMARY KEY (digest, owner)){clustered}",
            "CREATE INDEX blocking_owner ON blocking (owner)",
        ),
    ),
)  # fmt: skip

#: schema version that brought a table, where it was not the first
SINCE = {"identity": 4, "blocking": 4}

#: tables in the order in which a backup writes and a restore reads them
TABLES: dict[str, tuple[str, ...]] = {
    "head": ("id", "home", "epoch", "sequence", "serial", "audit_number", "audit_hash"),
    "patient": ("id", "zone", "withdrawn", "wrapped"),
    "owner": ("id", "system", "value", "patient", "wrapped", "demographics", "events", "first", "last", "sequence"),
    "quantity": ("id", "name"),
    "source": ("id", "owner", "digest", "sealed"),
    "fact": (
        "owner", "quantity", "start", "sequence", "value", "standing", "status", "available", "source", "slot", "id",
        "supersedes", "body",
    ),
    "batch": ("sequence", "time"),
    "raw": ("id", "owner", "hash", "size", "received", "times", "manifest"),
    "artifact": ("id", "patient", "kind", "hash", "size", "manifest"),
    "piece": ("whole", "number", "sealed"),
    "quarantine": ("id", "raw", "size", "received", "resolved", "digest", "sealed"),
    "cursor": ("subscriber", "sequence"),
    "identity": ("number", "decision", "time", "kind", "owner", "other", "patient", "before", "sealed"),
    "blocking": ("digest", "owner"),
    "audit": (
        "number", "time", "who", "role", "purpose", "action", "patient", "quantities", "count", "sequence", "entry",
        "hash",
    ),
}  # fmt: skip


def latest(migrations: tuple[Migration, ...] = MIGRATIONS) -> int:
    return migrations[-1].version


def refolds(before: int, migrations: tuple[Migration, ...] = MIGRATIONS) -> bool:
    """Whether a store that was at version ``before`` is to be folded anew."""
    return any(migration.refold for migration in migrations if migration.version > before)


def version(connection: Connection) -> int:
    """Schema version of an open store; 0 for an empty one."""
    connection.run("CREATE TABLE IF NOT EXISTS schema (version BIGINT PRIMARY KEY, name TEXT NOT NULL)")
    return int(connection.rows("SELECT COALESCE(MAX(version), 0) FROM schema")[0][0])


def recorded(connection: Connection) -> int:
    """The same of a store that is open: reads only."""
    return int(connection.rows("SELECT MAX(version) FROM schema")[0][0])


def migrate(connection: Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> tuple[int, int]:
    """Bring the tables to the newest version inside the caller's transaction; (version before, version after).

    Raises :class:`StoreError` for a store that a newer medtwin has written: there is no way back.
    """
    before = version(connection)
    if before > latest(migrations):
        raise StoreError(
            f"a store of schema version {before}",
            expected=f"at most version {latest(migrations)}",
            remedy="open it with the newer medtwin that wrote it",
        )
    for migration in migrations:
        if migration.version > before:
            for statement in migration.statements:
                connection.run(statement.format_map(connection.words))
            connection.run("INSERT INTO schema (version, name) VALUES (?, ?)", (migration.version, migration.name))
    return before, latest(migrations)
