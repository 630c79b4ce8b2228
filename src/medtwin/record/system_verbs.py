"""Verbs on the systems that send: how much of each is here, how fresh, and what of it was not understood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medtwin.governance.grant import Grant
from medtwin.record.access import Access
from medtwin.record.codec import microseconds, moment
from medtwin.record.quarantine_verbs import ITEM, item
from medtwin.record.store import Quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStanding:
    """One sending system. Counts are of all people, and name nobody; ``last_error`` is the newest item that stays open."""

    system: str
    patients: int
    unassigned: int  #: keys whose person is not known
    facts: int  #: all ever recorded, superseded ones too
    recent: int  #: of these, recorded since the moment that was asked for
    newest: datetime | None  #: true time of the newest current fact that happened
    recorded: datetime | None  #: when a fact of it was committed last
    raws: int  #: files and messages, each of the same bytes once
    bytes: int
    received: datetime | None  #: when bytes of it came in last
    quarantined: int
    last_error: Quarantined | None


class SystemVerbs:
    """A part of :class:`~medtwin.record.sql.SqlStore`, which holds the fields."""

    _access: Access

    def systems(self, grant: Grant, since: datetime) -> tuple[SystemStanding, ...]:
        """The systems that ever sent, by name; the one named ``quarantine`` holds bytes of which no person could be told.

        Asks for a grant of all patients. One audit row.
        """
        with self._access.read(grant, "systems", snapshot=True) as read:
            rows = read.connection.rows
            before = rows("SELECT COALESCE(MAX(sequence), 0) FROM batch WHERE time <= ?", (microseconds(since),))[0][0]
            recent = {row[0]: row[1] for row in rows(
                "SELECT owner.system, COUNT(*) FROM fact JOIN owner ON owner.id = fact.owner WHERE fact.sequence > ?"
                " GROUP BY owner.system", (before,),
            )}  # fmt: skip
            kept = {row[0]: row[1:] for row in rows(
                "SELECT owner.system, COUNT(*), SUM(raw.size), MAX(raw.received) FROM raw JOIN owner ON owner.id = raw.owner"
                " GROUP BY owner.system"
            )}  # fmt: skip
            open_items = {row[0]: row[1:] for row in rows(
                "SELECT owner.system, COUNT(*), MAX(quarantine.id) FROM quarantine JOIN raw ON raw.id = quarantine.raw"
                " JOIN owner ON owner.id = raw.owner WHERE quarantine.resolved IS NULL GROUP BY owner.system"
            )}  # fmt: skip
            found = []
            for system, people, nobody, events, last, sequence in rows(
                "SELECT system, COUNT(DISTINCT patient), SUM(CASE WHEN patient IS NULL THEN 1 ELSE 0 END), SUM(events),"
                " MAX(last), MAX(sequence) FROM owner GROUP BY system ORDER BY system"
            ):
                batch = rows("SELECT time FROM batch WHERE sequence >= ? ORDER BY sequence LIMIT 1", (sequence,))
                raws, size, received = kept.get(system, (0, 0, None))
                count, newest = open_items.get(system, (0, None))
                newest_item = () if newest is None else rows(f"{ITEM} WHERE quarantine.id = ?", (newest,))
                found.append(
                    SystemStanding(
                        system=system, patients=int(people), unassigned=int(nobody), facts=int(events),
                        recent=int(recent.get(system, 0)), newest=_moment(last),
                        recorded=_moment(batch[0][0]) if batch and events else None, raws=int(raws), bytes=int(size),
                        received=_moment(received), quarantined=int(count),
                        last_error=next((item(self._access, read.connection, row) for row in newest_item), None),
                    )
                )  # fmt: skip
            read.count = len(found)
            return tuple(found)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(int(value))
