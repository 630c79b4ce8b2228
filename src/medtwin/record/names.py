"""Whatever the tables name by number: owners and their keys, quantities, sources.

Numbers are never given twice, so a number that was looked up once stays true until somebody is erased; then the epoch
moves and everything here is looked up afresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from medtwin.errors import StoreError
from medtwin.governance.keys import DataKey, MasterKey
from medtwin.record.codec import check_text
from medtwin.record.database import Connection, lots, marks
from medtwin.record.event import Source, SourcePatient
from medtwin.record.writer import Work

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, str, str, str]).decode
_MANY = 200_000  #: sources remembered at most


@dataclass(slots=True)
class Owner:
    """A source's key of a person, as the running transaction sees it."""

    id: int
    subject: SourcePatient
    patient: str | None
    events: int
    first: int | None
    last: int | None
    sequence: int = 0  #: of its newest fact in this transaction; 0 when it has none


class Names:
    """Look-ups of one open store, remembered."""

    def __init__(self, master: MasterKey) -> None:
        self._master = master
        self._digest_key = master.derived(b"source")
        self._epoch = -1
        self.forget()

    def forget(self) -> None:
        """Remember nothing (after an undone transaction, or when somebody was erased)."""
        self._keys: dict[tuple[str, int | str], DataKey] = {}
        self._quantity_ids: dict[str, int] = {}
        self._quantities: dict[int, str] = {}
        self._sources: dict[int, Source] = {}

    def at(self, epoch: int) -> None:
        """Call with the epoch of each transaction before any look-up."""
        if epoch != self._epoch:
            self.forget()
            self._epoch = epoch

    # owners and keys

    def find_owner(self, connection: Connection, subject: SourcePatient) -> Owner | None:
        rows = connection.rows(
            "SELECT id, patient, events, first, last FROM owner WHERE system = ? AND value = ?",
            (subject.system, subject.value),
        )
        if not rows:
            return None
        number, patient, events, first, last = rows[0]
        return Owner(int(number), subject, patient, int(events), first, last)

    def owner(self, work: Work, subject: SourcePatient) -> Owner:
        """The owner of that name, made with a data key of its own when new."""
        check_text(subject.system, subject.value, what="a source's key of a person")
        found = self.find_owner(work.connection, subject)
        if found is not None:
            return found
        number = work.number()
        key = DataKey.new()
        work.connection.run(
            "INSERT INTO owner (id, system, value, patient, wrapped, demographics, events, first, last, sequence)"
            " VALUES (?, ?, ?, NULL, ?, NULL, 0, NULL, NULL, 0)",
            (number, subject.system, subject.value, self._master.wrap(key, b"owner:%d" % number)),
        )
        self._keys["owner", number] = key
        return Owner(number, subject, None, 0, None, None)

    def owner_key(self, connection: Connection, owner: int) -> DataKey:
        """The data key under which an owner's raw bytes, sources and demographics are sealed."""
        key = self._keys.get(("owner", owner))
        if key is None:
            rows = connection.rows("SELECT wrapped FROM owner WHERE id = ?", (owner,))
            if not rows:
                raise StoreError("the number of an owner whose key was destroyed")
            key = self._keys["owner", owner] = self._master.unwrap(bytes(rows[0][0]), b"owner:%d" % owner)
        return key

    def new_patient_key(self, patient: str) -> bytes:
        """A fresh data key for a patient's artifacts, wrapped."""
        return self._master.wrap(DataKey.new(), b"patient:" + patient.encode())

    def patient_key(self, connection: Connection, patient: str) -> DataKey:
        """The data key under which a patient's artifacts are sealed."""
        key = self._keys.get(("patient", patient))
        if key is None:
            rows = connection.rows("SELECT wrapped FROM patient WHERE id = ?", (patient,))
            if not rows:
                raise StoreError("a patient whose key was destroyed")
            key = self._keys["patient", patient] = self._master.unwrap(
                bytes(rows[0][0]), b"patient:" + patient.encode()
            )
        return key

    def check_keys(self, connection: Connection) -> int:
        """Unwrap every data key; how many. Raises :class:`StoreError` at the first that this home's key does not open."""
        self.forget()
        owners = [int(row[0]) for row in connection.rows("SELECT id FROM owner")]
        patients = [row[0] for row in connection.rows("SELECT id FROM patient")]
        for owner in owners:
            self.owner_key(connection, owner)
        for patient in patients:
            self.patient_key(connection, patient)
        return len(owners) + len(patients)

    # quantities

    def quantity_id(self, work: Work, name: str) -> int:
        number = self._quantity_ids.get(name)
        if number is None:
            check_text(name, what="the name of a quantity")
            rows = work.connection.rows("SELECT id FROM quantity WHERE name = ?", (name,))
            number = int(rows[0][0]) if rows else work.number()
            if not rows:
                work.connection.run("INSERT INTO quantity (id, name) VALUES (?, ?)", (number, name))
            self._quantity_ids[name] = number
        return number

    def quantities(self, connection: Connection, ids: Iterable[int]) -> dict[int, str]:
        """Names by number, for at least ``ids``."""
        known = self._quantities
        if any(number not in known for number in ids):
            known = {int(number): name for number, name in connection.rows("SELECT id, name FROM quantity")}
            self._quantities = known
        return known

    def quantity_numbers(self, connection: Connection, names: Iterable[str]) -> list[int]:
        """Numbers of the named quantities; names that the store has never seen are left out."""
        wanted = set(names)
        found = {name: number for number, name in self._quantities.items() if name in wanted}
        if len(found) < len(wanted):
            rows = connection.rows("SELECT id, name FROM quantity")
            self._quantities = {int(number): name for number, name in rows}
            found = {name: number for number, name in self._quantities.items() if name in wanted}
        return sorted(found.values())

    # sources

    def source_id(self, work: Work, owner: int, source: Source) -> int:
        """The number of a source without its locator; file names may hold a person's name, so they are sealed."""
        fields = (source.system, source.dialect, source.raw, source.file)
        digest = blake2b(_encode(fields), key=self._digest_key, digest_size=16).digest()
        rows = work.connection.rows("SELECT id FROM source WHERE owner = ? AND digest = ?", (owner, digest))
        if rows:
            return int(rows[0][0])
        number = work.number()
        sealed = self.owner_key(work.connection, owner).seal(_encode(fields), b"source:%d" % number)
        work.connection.run(
            "INSERT INTO source (id, owner, digest, sealed) VALUES (?, ?, ?, ?)", (number, owner, digest, sealed)
        )
        return number

    def sources(self, connection: Connection, ids: set[int]) -> dict[int, Source]:
        """Sources by number, for at least ``ids``; their locator is empty."""
        known = self._sources
        missing = [number for number in ids if number not in known]
        if missing:
            if len(known) > _MANY:
                known = self._sources = {number: known[number] for number in ids if number in known}
            for lot in lots(missing):
                rows = connection.rows(f"SELECT id, owner, sealed FROM source WHERE id IN ({marks(len(lot))})", lot)
                for number, owner, sealed in rows:
                    fields = _decode(self.owner_key(connection, owner).open(bytes(sealed), b"source:%d" % number))
                    system, dialect, raw, file = fields
                    known[int(number)] = Source(system, dialect, raw, "", file)
        return known
