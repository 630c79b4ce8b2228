"""Facts inside a transaction: append, the fold that says which version is current, and reads.

A fact is never edited. ``standing`` and ``supersedes`` are materialised state: a function of the log alone (the
versions of one slot in the order of :func:`medtwin.record.event.version`), brought up to date in the transaction that
appends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from medtwin.record.codec import COLUMNS, Row, decode, offset_known
from medtwin.record.database import Connection, lots, marks
from medtwin.record.event import Event, Flag, Intent, SourcePatient
from medtwin.record.names import Names, Owner
from medtwin.record.schema import CURRENT, IN_ERROR, NOT_HAPPENED, SUPERSEDED, TABLES
from medtwin.record.store import Receipt
from medtwin.record.writer import Work

_NONE: frozenset[int] = frozenset()
PRELIMINARY, FINAL, ENTERED_IN_ERROR = -1, 0, 2  #: of fact.status, as the codec writes them
_decode = msgspec.msgpack.Decoder().decode


def append(work: Work, names: Names, owners: dict[tuple[str, str], Owner], rows: Sequence[Row]) -> Receipt:
    """Insert what is new, in the order given; see :class:`~medtwin.record.store.Receipt`."""
    connection = work.connection
    known, taken = _present(connection, {row.slot for row in rows})
    contested: set[int] = set()
    sources: dict[tuple[int, str, str, str, str], int] = {}
    inserts: list[tuple[Any, ...]] = []
    new: list[str] = []
    duplicate, sequence = 0, work.sequence
    for row in rows:
        if row.id in taken:
            duplicate += 1
            continue
        taken.add(row.id)
        (contested if row.slot in known else known).add(row.slot)
        owner = owners[row.owner]
        event = row.event
        whence = event.source
        name = (owner.id, whence.system, whence.dialect, whence.raw, whence.file)
        source = sources.get(name)
        if source is None:
            source = sources[name] = names.source_id(work, owner.id, whence)
        sequence += 1
        inserts.append(
            (
                owner.id, names.quantity_id(work, row.quantity), row.start, sequence, row.value, row.standing,
                row.status, row.available, source, row.slot, row.id, None, row.body,
            )
        )  # fmt: skip
        new.append(event.id)
        owner.events += 1
        owner.sequence = sequence
        if row.standing == CURRENT and Flag.FUTURE not in event.flags:
            if owner.first is None or row.start < owner.first:
                owner.first = row.start
            if owner.last is None or row.start > owner.last:
                owner.last = row.start
    if not inserts:
        return Receipt(work.sequence, (), duplicate, 0)
    connection.insert("fact", TABLES["fact"], inserts)
    work.sequence = sequence
    superseded, changed = refold(connection, contested)
    for owner in owners.values():
        if owner.sequence:
            if not changed.get(owner.id, _NONE).isdisjoint((owner.first, owner.last)):
                owner.first, owner.last = _bounds(connection, owner.id)
            connection.run(
                "UPDATE owner SET events = ?, first = ?, last = ?, sequence = ? WHERE id = ?",
                (owner.events, owner.first, owner.last, owner.sequence, owner.id),
            )
    return Receipt(sequence, tuple(new), duplicate, superseded)


def _present(connection: Connection, slots: set[int]) -> tuple[set[int], set[bytes]]:
    """Which of the slots hold a fact already, and the ids of those facts."""
    known: set[int] = set()
    taken: set[bytes] = set()
    for lot in lots(sorted(slots)):
        for place, identity in connection.rows(f"SELECT slot, id FROM fact WHERE slot IN ({marks(len(lot))})", lot):
            known.add(int(place))
            taken.add(bytes(identity))
    return known, taken


def standing(status: int, intent: str) -> int:
    """What the current version of a fact stands for."""
    if status == ENTERED_IN_ERROR:
        return IN_ERROR
    return CURRENT if intent == Intent.HAPPENED else NOT_HAPPENED


_VERSIONS = "slot, available, status, sequence, id, owner, quantity, start, standing, supersedes, body"


def fold(versions: Iterable[Sequence[Any]]) -> list[tuple[Sequence[Any], int, bytes | None]]:
    """(row, standing, supersedes) as the log demands, for rows of the same slots.

    The order of versions is that of :func:`medtwin.record.event.version`, over columns and bodies.
    """
    chains: dict[tuple[int, int, str], list[Sequence[Any]]] = {}
    intents: dict[int, str] = {}
    ranks: dict[int, tuple[Any, ...]] = {}
    for row in versions:
        _, available, status, sequence, identity = row[:5]
        told = _decode(bytes(row[10]))
        key = told[0]
        intents[sequence] = told[7].get("intent", Intent.HAPPENED)
        known = offset_known(row[7], told)
        ranks[sequence] = (
            status != PRELIMINARY, known or status > FINAL, available, status, known, sequence, bytes(identity),
        )  # fmt: skip
        chains.setdefault((row[0], row[5], key), []).append(row)  # the full key too: 64 bits may collide
    said = []
    for chain in chains.values():
        chain.sort(key=lambda row: ranks[row[3]])
        before: bytes | None = None
        for row in chain:
            current = standing(row[2], intents[row[3]]) if row is chain[-1] else SUPERSEDED
            said.append((row, current, before))
            before = bytes(row[4])
    return said


def refold(connection: Connection, slots: Iterable[int]) -> tuple[int, dict[int, set[int | None]]]:
    """Bring the standing of all versions in ``slots`` up to date.

    How many ceased to be current, or never were; and by owner, when those were true that began or ceased to be current.
    """
    superseded, changed = 0, dict[int, set[int | None]]()
    for lot in lots(sorted(slots)):
        rows = connection.rows(f"SELECT {_VERSIONS} FROM fact WHERE slot IN ({marks(len(lot))})", lot)
        for row, now, supersedes in fold(rows):
            before, replaced = row[8], None if row[9] is None else bytes(row[9])
            if (now, supersedes) != (before, replaced):
                superseded += now == SUPERSEDED != before
                if now != before and CURRENT in (now, before):
                    changed.setdefault(row[5], set()).add(row[7])
                connection.run(
                    "UPDATE fact SET standing = ?, supersedes = ?"
                    " WHERE owner = ? AND quantity = ? AND start = ? AND sequence = ?",
                    (now, supersedes, row[5], row[6], row[7], row[3]),
                )
    return superseded, changed


def refold_all(connection: Connection) -> None:
    """The same for the whole log, and for what is said of its owners, where a newer medtwin orders versions otherwise."""
    refold(connection, _contested(connection))
    for (owner,) in connection.rows("SELECT id FROM owner WHERE events > 0"):
        connection.run("UPDATE owner SET first = ?, last = ? WHERE id = ?", (*_bounds(connection, owner), owner))


def _bounds(connection: Connection, owner: int) -> tuple[int | None, int | None]:
    """When the first and the last current fact of an owner was true; those that lie in the future do not count."""
    quantities = [int(row[0]) for row in connection.rows("SELECT id FROM quantity")]
    firsts, lasts = ([_end(connection, owner, quantity, way) for quantity in quantities] for way in ("ASC", "DESC"))
    return (
        min((first for first in firsts if first is not None), default=None),
        max((last for last in lasts if last is not None), default=None),
    )


def _end(connection: Connection, owner: int, quantity: int, way: str) -> int | None:
    statement = (
        f"SELECT start, body FROM fact WHERE owner = ? AND quantity = ? AND standing = {CURRENT}"
        f" ORDER BY start {way}, sequence {way} LIMIT ?"
    )
    for most in (1, 100, 1 << 62):  # few lie in the future
        rows = connection.rows(statement, (owner, quantity, most))
        for start, body in rows:
            if Flag.FUTURE not in _decode(bytes(body))[7].get("flags", ()):
                return int(start)
        if len(rows) < most:
            break
    return None


def _contested(connection: Connection) -> set[int]:
    return {int(row[0]) for row in connection.rows("SELECT slot FROM fact GROUP BY slot HAVING COUNT(*) > 1")}


def unfolded(connection: Connection) -> list[int]:
    """Commit sequences whose materialised state differs from the fold of the log: empty in a sound store.

    Reads the whole log; needs memory for one row of each fact that has several versions.
    """
    wrong: list[int] = []
    contested = _contested(connection)
    for lot in connection.stream(f"SELECT {_VERSIONS} FROM fact"):
        alone = [row for row in lot if row[0] not in contested]
        wrong += _differing(alone)
    for slots in lots(sorted(contested)):
        wrong += _differing(connection.rows(f"SELECT {_VERSIONS} FROM fact WHERE slot IN ({marks(len(slots))})", slots))
    return sorted(wrong)


def _differing(rows: Iterable[Sequence[Any]]) -> list[int]:
    return [
        int(row[3])
        for row, now, supersedes in fold(rows)
        if (now, supersedes) != (row[8], None if row[9] is None else bytes(row[9]))
    ]


_CLUSTER = "fact.owner, fact.quantity, fact.start, fact.sequence"


def history(
    connection: Connection, names: Names, owners: Sequence[tuple[int, SourcePatient]], quantities: Sequence[int] | None
) -> tuple[Event, ...]:
    """All versions of all facts of some owners (of the numbered quantities only), by owner, quantity and true time."""
    if not owners or quantities == []:
        return ()
    subjects = dict(owners)
    where = f"owner IN ({marks(len(owners))})"
    values: list[Any] = [number for number, _ in owners]
    if quantities is not None:
        where += f" AND quantity IN ({marks(len(quantities))})"
        values += quantities
    rows = connection.rows(f"SELECT {COLUMNS}, fact.owner FROM fact WHERE {where} ORDER BY {_CLUSTER}", values)
    return events(connection, names, [(row[:10], subjects[row[10]]) for row in rows])


def newest(
    connection: Connection, names: Names, owners: Sequence[tuple[int, SourcePatient]], until: int
) -> tuple[Event, ...]:
    """The newest current fact of each quantity that happened by ``until``, newest first: one short walk for each."""
    statement = (
        f"SELECT {COLUMNS} FROM fact WHERE owner = ? AND quantity = ? AND standing = {CURRENT} AND start <= ?"
        " ORDER BY start DESC, sequence DESC LIMIT 1"
    )
    quantities = [int(row[0]) for row in connection.rows("SELECT id FROM quantity")] if owners else []
    rows = [
        (row[:10], subject)
        for number, subject in owners
        for quantity in quantities
        for row in connection.rows(statement, (number, quantity, until))
    ]
    found: dict[str, Event] = {}
    for event in sorted(events(connection, names, rows), key=lambda event: (event.instant, event.recorded)):
        found[event.quantity] = event
    return tuple(sorted(found.values(), key=lambda event: (event.instant, event.recorded), reverse=True))


def events(
    connection: Connection, names: Names, rows: Sequence[tuple[Sequence[Any], SourcePatient]]
) -> tuple[Event, ...]:
    """Decoded rows of :data:`medtwin.record.codec.COLUMNS`, in the order given."""
    known = names.quantities(connection, {row[0] for row, _ in rows})
    sources = names.sources(connection, {row[6] for row, _ in rows})
    return tuple(decode(row, subject, known, sources) for row, subject in rows)


def signal(
    connection: Connection, owners: Sequence[int], quantity: int, since: int, until: int
) -> Sequence[tuple[int, float]]:
    """(start, value) of current numeric facts that happened, in true-time order."""
    if not owners:
        return ()
    return connection.pairs(
        f"SELECT start, value FROM fact WHERE owner IN ({marks(len(owners))}) AND quantity = ?"
        f" AND start >= ? AND start < ? AND standing = {CURRENT} AND value IS NOT NULL ORDER BY start, sequence",
        (*owners, quantity, since, until),
    )
