"""Verbs on who is whom: what a source says of a person is compared with all others; people link, unlink, refuse.

Every decision is a row of the stream (:mod:`medtwin.record.identity.stream`). Links move keys, never facts, so that what was
linked wrongly is undone exactly: the record of each patient is a view over the keys that are theirs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from medtwin.errors import StoreError, UnknownPatient
from medtwin.governance.grant import Action, Grant
from medtwin.record.access import Access
from medtwin.record.codec import moment
from medtwin.record.database import Connection
from medtwin.record.event import SourcePatient
from medtwin.record.identity import search, stream
from medtwin.record.identity.score import Part
from medtwin.record.identity.statement import names_nobody, together
from medtwin.record.identity.stream import IdentityEvent, Kind
from medtwin.record.names import Owner
from medtwin.record.store import Demographics, Identified
from medtwin.record.writer import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a possible match: a key, whose it is, what its source says, and what came in under it."""

    key: SourcePatient
    patient: str | None
    said: Demographics
    events: int  #: all ever recorded, superseded ones too
    first: datetime | None  #: of current facts that happened
    last: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two keys that may be one person's and wait for a person. ``reasons``: why the machine did not decide."""

    number: int
    time: datetime
    older: Side
    newer: Side
    probability: float
    parts: tuple[Part, ...]
    reasons: tuple[str, ...]


def _one_side(event: IdentityEvent, mine: Collection[SourcePatient], patients: Collection[str]) -> IdentityEvent:
    """What of a decision is shown to whoever may see these patients only."""
    ours = event.key in mine or event.patient in patients or event.before in patients
    event = replace(
        event,
        patient=event.patient if event.patient in patients else None,
        before=event.before if event.before in patients else None,
    )
    if event.other is None or (ours and event.other in mine):
        return event
    return replace(
        event, key=event.key if ours else event.other, other=None, why="", probability=None, parts=(), reasons=()
    )


class IdentityVerbs:
    """A part of :class:`~medtwin.record.sql.SqlStore`, which holds the fields."""

    _access: Access

    def identify(self, owner: SourcePatient, said: Demographics, grant: Grant) -> Identified:
        """Keep what a source says of a person and look for the same person under other keys, in one transaction.

        A link that the evidence suffices for is made, a possible match is noted and waits. A grant for some patients only
        looks for nobody. Raises :class:`StoreError` for a statement on somebody else than the key is known for
        (:meth:`key_of`).
        """

        def job(work: Work) -> Identified:
            whose = self._access.begin(work, owner, grant)
            held = search.told(work.connection, self._access.names, whose.id)
            if held is not None and not together(held, said):
                raise StoreError(
                    "names and birth date of somebody else than the key is known for", expected="one person under one key",
                    remedy="bring the message again: it gets a key of its own",
                )  # fmt: skip
            one = search.tell(self._access, work, whose, said)
            found = Identified(patient=whose.patient)
            if grant.patients is None:
                found = search.settle(self._access, work, whose, one)
            self._access.audit(work, grant, "describe", whose.patient, count=1)
            for _, patient in found.moved:
                self._access.audit(work, grant, "link", patient, count=1)
            return found

        found: Identified = self._access.write(grant, "describe", job)
        return found

    def key_of(self, owner: SourcePatient, said: Demographics, grant: Grant, *, keep: bool = True) -> SourcePatient:
        """The key under which a statement belongs: ``owner``, or one of its own where names, birth date and sex do not go with
        what ``owner`` is known for (an assigning authority left at its default gives one number to many people).

        A key that ends in ``#`` is nobody's: of several people of one number, the statement does not tell which. A key of which
        nothing is said yet is kept for the statement's person at once, so that two people of a new number never share it; without
        ``keep`` this only looks.
        """
        with self._access.read(grant, "key", action=Action.WRITE, everyone=True, snapshot=True) as read:
            names = self._access.read_names
            key = search.belongs(self._access, read.connection, names, owner, said)
            known = names.find_owner(read.connection, key)
            held = search.told(read.connection, names, known.id) if known is not None else None
        if not keep or held is not None or names_nobody(said) or key.value == f"{owner.value[:140]}#":
            return key

        def job(work: Work) -> SourcePatient:
            key = search.belongs(self._access, work.connection, self._access.names, owner, said)
            whose = self._access.begin(work, key, grant)
            if search.told(work.connection, self._access.names, whose.id) is None:
                search.tell(self._access, work, whose, said)
                self._access.audit(work, grant, "describe", whose.patient, count=1)
            return key

        kept: SourcePatient = self._access.write(grant, "key", job)
        return kept

    def matches(self, grant: Grant) -> tuple[Match, ...]:
        """Possible matches that wait for a person, the most probable first; of two patients the best one."""
        with self._access.read(grant, "matches", snapshot=True) as read:
            names = self._access.read_names
            waiting = stream.events(
                read.connection, names,
                "identity.kind = 'possible' AND NOT EXISTS (SELECT 1 FROM identity AS later WHERE later.owner = identity.owner"
                " AND later.other = identity.other AND later.number > identity.number AND later.kind IN ('possible', 'refused'))"
                " AND (mine.patient IS NULL OR other.patient IS NULL OR mine.patient <> other.patient)"
                " AND NOT EXISTS (SELECT 1 FROM patient WHERE patient.id IN (mine.patient, other.patient)"
                " AND patient.withdrawn IS NOT NULL)",
            )  # fmt: skip
            best: dict[frozenset[object], Match] = {}
            for event in sorted(waiting, key=lambda event: -(event.probability or 0.0)):
                assert event.other is not None
                newer, older = self._side(read.connection, event.key), self._side(read.connection, event.other)
                pair = frozenset((newer.patient or newer.key, older.patient or older.key))
                best.setdefault(pair, Match(
                    number=event.number, time=event.time, older=older, newer=newer, probability=event.probability or 0.0,
                    parts=event.parts, reasons=event.reasons,
                ))  # fmt: skip
            read.count = len(best)
            return tuple(best.values())

    def _side(self, connection: Connection, key: SourcePatient) -> Side:
        found = self._access.read_names.find_owner(connection, key)
        assert found is not None
        said = search.told(connection, self._access.read_names, found.id) or Demographics()
        return Side(
            key=key, patient=found.patient, said=said, events=found.events,
            first=None if found.first is None else moment(found.first), last=None if found.last is None else moment(found.last),
        )  # fmt: skip

    def identity(self, grant: Grant, *, patient: str | None = None, limit: int = 1000) -> tuple[IdentityEvent, ...]:
        """The stream of decisions, newest first (those of one patient: of keys that are or were theirs).

        A grant for some patients only sees nothing of the other side, nor of what was compared with it.
        """
        with self._access.read(grant, "identity", patient, snapshot=True) as read:
            where = "mine.patient = ? OR other.patient = ? OR identity.patient = ? OR identity.before = ?"
            found = stream.events(
                read.connection, self._access.read_names, where if patient is not None else "",
                () if patient is None else (patient,) * 4, limit,
            )  # fmt: skip
            if grant.patients is not None:
                mine = {key for whose in grant.patients for key in self._keys(read.connection, whose)}
                found = [_one_side(event, mine, grant.patients) for event in found]
            read.count = len(found)
            return tuple(found)

    def _keys(self, connection: Connection, patient: str) -> list[SourcePatient]:
        rows = connection.rows("SELECT system, value FROM owner WHERE patient = ?", (patient,))
        return [SourcePatient(*row) for row in rows]

    def moved(self, after: int | None = None) -> tuple[int, frozenset[str]]:
        """(newest row of the stream, patients whose keys changed since the row ``after``): what was made of their records
        before is to be made anew. None: of nobody. A key that had no facts yet when it was linked changes no record."""
        with self._access.database.reading() as connection:
            newest = connection.rows("SELECT COALESCE(MAX(number), 0) FROM identity")[0][0]
            if after is None or newest <= after:
                return int(newest), frozenset()
            rows = connection.rows(
                "SELECT patient, before FROM identity WHERE number > ? AND (kind = 'unlink' OR (kind = 'link' AND"
                " EXISTS (SELECT 1 FROM fact WHERE fact.owner = identity.owner AND fact.sequence <="
                " (SELECT COALESCE(MAX(sequence), 0) FROM batch WHERE batch.time <= identity.time))))", (after,),
            )  # fmt: skip
            return int(newest), frozenset(whose for row in rows for whose in row if whose is not None)

    def merge(self, stays: str, gone: str | SourcePatient, grant: Grant, *, why: str = "") -> int:
        """A person says that two are one: every key of ``gone`` (a patient, or a key that waits) is ``stays``'s from now on.

        The number of keys moved. Undone by :meth:`separate`.
        """

        def job(work: Work) -> int:
            self._allowed(work, grant, stays)
            self._access.known(work, stays)
            keys = self._owners(work, grant, gone)
            decision = None
            for one in keys:
                if one.patient == stays:
                    raise StoreError(
                        "one patient on both sides", expected="two patients", remedy="nothing is to be linked"
                    )
                decision = stream.move(
                    work,
                    self._access.names,
                    Kind.LINK,
                    one.id,
                    stays,
                    one.patient,
                    who=grant.who,
                    why=why,
                    decision=decision,
                )
            for whose in (stays, keys[0].patient):
                self._access.audit(work, grant, "merge", whose, count=len(keys))
            return len(keys)

        moved: int = self._access.write(grant, "merge", job, patient=stays)
        return moved

    def separate(self, stays: str, gone: str | SourcePatient, grant: Grant, *, why: str = "") -> int:
        """Undo a link: the keys that ``stays`` has from the patient ``gone`` (or the key ``gone``) go back to where they were.

        The two are noted as not the same person, so that no machine links them again. The number of keys that went back.
        """

        def job(work: Work) -> int:
            self._allowed(work, grant, stays)
            self._access.known(work, stays)
            if isinstance(gone, str):
                self._allowed(work, grant, gone)
            back = self._came(work, stays, gone)
            for whose in {before for _, before in back} - {None}:
                self._allowed(work, grant, whose)
            if not back:
                raise StoreError(
                    "no key of that patient that came from there", expected="a link that can be undone",
                    remedy="see `medtwin people history`; a key alone is released by `medtwin assign --release`",
                )  # fmt: skip
            decision = None
            for owner, before in back:
                decision = stream.move(
                    work,
                    self._access.names,
                    Kind.UNLINK,
                    owner,
                    before,
                    stays,
                    who=grant.who,
                    why=why,
                    decision=decision,
                )
            left = work.connection.rows("SELECT id FROM owner WHERE patient = ?", (stays,))
            self._apart(work, [int(row[0]) for row in left], [owner for owner, _ in back], grant, why, decision)
            for whose in dict.fromkeys((stays, *(before for _, before in back))):
                self._access.audit(work, grant, "separate", whose, count=len(back))
            return len(back)

        moved: int = self._access.write(grant, "separate", job, patient=stays)
        return moved

    def refuse(self, one: str | SourcePatient, other: str | SourcePatient, grant: Grant, *, why: str = "") -> int:
        """A person says that two are not one. The number of pairs of keys that no machine links any more."""

        def job(work: Work) -> int:
            ours, theirs = self._owners(work, grant, one), self._owners(work, grant, other)
            shared = {owner.id for owner in ours} & {owner.id for owner in theirs}
            if shared:
                raise StoreError(
                    "one patient on both sides",
                    expected="two patients",
                    remedy="to undo a link: `medtwin people unlink`",
                )
            pairs = self._apart(work, [owner.id for owner in ours], [owner.id for owner in theirs], grant, why, None)
            for whose in (ours[0].patient, theirs[0].patient):
                self._access.audit(work, grant, "refuse", whose, count=pairs)
            return pairs

        pairs: int = self._access.write(grant, "refuse", job)
        return pairs

    def _apart(
        self, work: Work, ours: list[int], theirs: list[int], grant: Grant, why: str, decision: int | None
    ) -> int:
        for a in ours:
            for b in theirs:
                decision = stream.write(
                    work,
                    self._access.names,
                    Kind.REFUSED,
                    max(a, b),
                    other=min(a, b),
                    who=grant.who,
                    why=why,
                    decision=decision,
                )
        return len(ours) * len(theirs)

    def _allowed(self, work: Work, grant: Grant, patient: str | None) -> None:
        self._access.allow(work, grant, Action.WRITE, patient)

    def _owners(self, work: Work, grant: Grant, whom: str | SourcePatient) -> list[Owner]:
        """The keys of a patient, or the one key; raises :class:`UnknownPatient` where there is none."""
        names = self._access.names
        if isinstance(whom, str):
            self._allowed(work, grant, whom)
            rows = work.connection.rows("SELECT system, value FROM owner WHERE patient = ? ORDER BY id", (whom,))
            found = [names.find_owner(work.connection, SourcePatient(*row)) for row in rows]
        else:
            found = [names.find_owner(work.connection, whom)]
        held = [owner for owner in found if owner is not None]
        if not isinstance(whom, str) and held:
            self._allowed(work, grant, held[0].patient)
        if not held:
            raise UnknownPatient(
                "a patient or key that is not known here", remedy="see `medtwin patients` and `medtwin assign`"
            )
        return held

    def _came(self, work: Work, stays: str, gone: str | SourcePatient) -> list[tuple[int, str | None]]:
        """(owner, the patient whose it was) of the keys that ``stays`` has from ``gone``, by the newest link not undone yet."""
        found: list[tuple[int, str | None]] = []
        rows: Any = work.connection.rows("SELECT id, system, value FROM owner WHERE patient = ? ORDER BY id", (stays,))
        for owner, system, value in rows:
            moves = work.connection.rows(
                "SELECT patient, before FROM identity WHERE owner = ? AND kind IN ('link', 'unlink') ORDER BY number",
                (owner,),
            )
            path = stream.path(moves)
            if not path:
                continue
            before = path[-1]
            if before == gone if isinstance(gone, str) else SourcePatient(system, value) == gone:
                found.append((int(owner), before))
        return found
