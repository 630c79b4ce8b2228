"""Record: one patient's events as a value."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from medtwin.record.event import Event, SourcePatient, Status, order, version

Clock = Literal["available", "recorded"]


@dataclass(frozen=True)
class Record:
    """What is known of one patient: a value, not a connection.

    ``history`` holds every event ever recorded, superseded ones included. Reads see only what is current: superseded and
    entered-in-error facts are hidden. ``known_by`` cannot look ahead.
    """

    patient: str
    history: tuple[Event, ...]
    zone: str | None = None  #: the patient's home zone, when somebody stated it
    epoch: int = 0  #: the grant's epoch under which it was read

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Current facts in the order in which they are assimilated."""
        latest: dict[tuple[str, str, str, str], Event] = {}
        for event in sorted(self.history, key=version):
            latest[(event.subject.system, event.subject.value, event.source.system, event.key)] = event
        current = (event for event in latest.values() if event.status is not Status.ENTERED_IN_ERROR)
        return tuple(sorted(current, key=order))

    @cached_property
    def keys(self) -> frozenset[tuple[SourcePatient, str, str]]:
        """(subject, source system, key) of every fact in the history: another event with one of these is a new version."""
        return frozenset((e.subject, e.source.system, e.key) for e in self.history)

    @cached_property
    def _by_quantity(self) -> dict[str, tuple[Event, ...]]:
        held: dict[str, list[Event]] = {}
        for event in self.events:
            held.setdefault(event.quantity, []).append(event)
        return {quantity: tuple(events) for quantity, events in held.items()}

    def of(self, *quantities: str, since: datetime | None = None, until: datetime | None = None) -> tuple[Event, ...]:
        """Current events of the named quantities (all, when none is named) with ``since <= instant < until`` (UTC), in
        the order of assimilation."""
        if len(quantities) == 1:
            found = self._by_quantity.get(quantities[0], ())
        elif quantities:
            found = tuple(sorted((e for q in set(quantities) for e in self._by_quantity.get(q, ())), key=order))
        else:
            found = self.events
        if since is None and until is None:
            return found
        return tuple(e for e in found if (since is None or e.instant >= since) and (until is None or e.instant < until))

    def grown(self, new: Iterable[Event]) -> Record:
        """This record and newly committed facts. What was sorted stays sorted where every new fact is the first of its key."""
        fresh = tuple(new)
        record = Record(self.patient, (*self.history, *fresh), self.zone, self.epoch)
        first = all(e.status is Status.FINAL and (e.subject, e.source.system, e.key) not in self.keys for e in fresh)
        added = frozenset((e.subject, e.source.system, e.key) for e in fresh)
        if first and len(added) == len(fresh):
            events, places = list(self.events), [order(e) for e in fresh]
            for event, place in sorted(zip(fresh, places, strict=True), key=lambda pair: pair[1]):
                events.insert(bisect_right(events, place, key=order), event)
            record.__dict__.update(events=tuple(events), keys=self.keys | added)
        return record

    def known_by(self, moment: datetime | int, clock: Clock = "available") -> Record:
        """The record as it could be known at ``moment``.

        ``clock="available"`` takes a UTC datetime and asks when a fact could have been known (retrospective study of an
        imported history). ``clock="recorded"`` takes a commit sequence and asks what this home had committed by then.
        A plan counts from its availability on: it lies in the future, and is known.
        """
        if clock == "available":
            if not isinstance(moment, datetime):
                raise TypeError("known_by(clock='available') takes a datetime in UTC")
            kept = tuple(event for event in self.history if event.available <= moment)
        else:
            if not isinstance(moment, int):
                raise TypeError("known_by(clock='recorded') takes a commit sequence; Store.sequence_at gives it")
            kept = tuple(event for event in self.history if event.recorded <= moment)
        return Record(self.patient, kept, self.zone, self.epoch)

    def plus(self, planned: Iterable[Event]) -> Record:
        """A scenario: this record and events that have not happened yet."""
        return Record(self.patient, (*self.history, *planned), self.zone, self.epoch)
