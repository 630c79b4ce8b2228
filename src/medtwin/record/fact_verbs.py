"""Verbs on facts and on those who follow them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from medtwin.governance.grant import Action, Grant
from medtwin.record import codec, facts
from medtwin.record.access import Access, Listener
from medtwin.record.codec import check_text, microseconds
from medtwin.record.event import Event, SourcePatient
from medtwin.record.record import Record
from medtwin.record.store import Receipt
from medtwin.record.writer import Work


class FactVerbs:
    """A part of :class:`~medtwin.record.sql.SqlStore`, which holds the fields."""

    _access: Access

    def append(self, events: Iterable[Event], grant: Grant) -> Receipt:
        """Commit facts durably, idempotently (by event id), in one transaction; sets sequence and supersedes.

        Facts of several owners may come together; the grant must cover every patient among them. Raises
        :class:`FormatError` (nothing stored) for a fact that no database can keep: a NUL in a name, half a surrogate.
        """
        rows = [codec.encode(event) for event in events]
        pairs = dict.fromkeys(row.owner for row in rows)
        quantities: dict[tuple[str, str], set[str]] = {pair: set() for pair in pairs}
        for row in rows:
            quantities[row.owner].add(row.quantity)

        def job(work: Work) -> Receipt:
            owners = {pair: self._access.begin(work, SourcePatient(*pair), grant) for pair in pairs}
            before = {pair: owner.events for pair, owner in owners.items()}
            receipt = facts.append(work, self._access.names, owners, rows)
            named: dict[str | None, set[str]] = {}
            counts: dict[str | None, int] = {}
            for pair, owner in owners.items():
                named.setdefault(owner.patient, set()).update(quantities[pair])
                counts[owner.patient] = counts.get(owner.patient, 0) + owner.events - before[pair]
            for patient in named:
                self._access.audit(work, grant, "append", patient, quantities=named[patient], count=counts[patient])
            return receipt

        if not rows:
            return Receipt(self._access.newest(), (), 0, 0)
        receipt: Receipt = self._access.write(grant, "append", job, weight=len(rows))
        return receipt

    def record(self, patient: str, grant: Grant, *quantities: str) -> Record:
        """The patient's whole history (or that of the named quantities only) as a value."""
        with self._access.read(grant, "record", patient, quantities=quantities, snapshot=True) as read:
            names = self._access.read_names
            numbers = names.quantity_numbers(read.connection, quantities) if quantities else None
            history = facts.history(read.connection, names, read.owners, numbers)
            read.count = len(history)
            return Record(patient, history, read.zone, read.epoch)

    def newest(self, patient: str, grant: Grant, until: datetime) -> tuple[Event, ...]:
        """The newest current fact of each quantity that happened by ``until``, newest first, without the history."""
        with self._access.read(grant, "newest", patient, snapshot=True) as read:
            found = facts.newest(read.connection, self._access.read_names, read.owners, microseconds(until))
            read.count = len(found)
            return found

    def signal(
        self, patient: str, quantity: str, since: datetime, until: datetime, grant: Grant
    ) -> Sequence[tuple[datetime, float]]:
        """Current numeric values with ``since <= instant < until`` (UTC), straight from the clustered table.

        What is planned, ordered or only stated is left out; a bound (``<5``) stands with its number.
        """
        window = microseconds(since), microseconds(until)
        with self._access.read(grant, "signal", patient, quantities=(quantity,)) as read:
            numbers = self._access.read_names.quantity_numbers(read.connection, (quantity,))
            if not numbers:
                return ()
            found = facts.signal(read.connection, [number for number, _ in read.owners], numbers[0], *window)
            read.count = len(found)
            return codec.points(found)

    def sequence_at(self, moment: datetime) -> int:
        """The newest commit sequence at that wall time (what this home knew then); 0 before the first."""
        with self._access.database.reading() as connection:
            rows = connection.rows(
                "SELECT COALESCE(MAX(sequence), 0) FROM batch WHERE time <= ?", (microseconds(moment),)
            )
            return int(rows[0][0])

    def tail(self, subscriber: str, grant: Grant, limit: int = 1000) -> Iterator[tuple[str, Event]]:
        """(patient, event) pairs after the subscriber's durable cursor, in commit order; advance with ``acknowledge``.

        Facts of an owner that is not linked yet come with patient "". Linking an owner later does not bring its older
        facts again: the listeners are told of the patient (:meth:`listen`), who is then read afresh.
        """
        with self._access.read(grant, "tail", snapshot=True) as read:
            cursor = read.connection.rows("SELECT sequence FROM cursor WHERE subscriber = ?", (subscriber,))
            rows = read.connection.rows(
                f"SELECT {codec.COLUMNS}, owner.system, owner.value, owner.patient FROM fact"
                " JOIN owner ON owner.id = fact.owner LEFT JOIN patient ON patient.id = owner.patient"
                " WHERE fact.sequence > ? AND patient.withdrawn IS NULL ORDER BY fact.sequence LIMIT ?",
                (int(cursor[0][0]) if cursor else 0, limit),
            )
            pairs = [(row[:10], SourcePatient(row[10], row[11])) for row in rows]
            found = facts.events(read.connection, self._access.read_names, pairs)
            read.count = len(found)
        return iter([(row[12] or "", event) for row, event in zip(rows, found, strict=True)])

    def cursor(self, subscriber: str) -> int:
        """The commit sequence that the subscriber acknowledged last; 0 for a new one."""
        with self._access.database.reading() as connection:
            rows = connection.rows("SELECT sequence FROM cursor WHERE subscriber = ?", (subscriber,))
            return int(rows[0][0]) if rows else 0

    def acknowledge(self, subscriber: str, sequence: int, grant: Grant) -> None:
        """Advance the subscriber's durable cursor; it never goes back."""
        check_text(subscriber, what="the name of a subscriber")

        def job(work: Work) -> None:
            self._access.allow(work, grant, Action.READ, None)
            work.connection.run(
                "INSERT INTO cursor (subscriber, sequence) VALUES (?, ?) ON CONFLICT (subscriber) DO UPDATE SET"
                " sequence = excluded.sequence WHERE excluded.sequence > cursor.sequence",
                (subscriber, min(sequence, work.sequence)),
            )
            self._access.audit(work, grant, "acknowledge", None, count=0)

        self._access.write(grant, "acknowledge", job)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener(sequence, patients)`` after each commit, in the committing thread: return at once, never
        write.

        ``patients`` is empty when another process committed. The result ends the subscription.
        """
        return self._access.listen(listener)

    def wait(self, after: int, timeout: float) -> int:
        """The newest commit sequence, as soon as it is above ``after``, at the latest after ``timeout`` seconds."""
        return self._access.wait(after, timeout)
