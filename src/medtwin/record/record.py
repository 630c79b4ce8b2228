"""Record: one patient's events as a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from medtwin.record.event import Event, Status, order, version

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

    def of(self, *quantities: str, since: datetime | None = None, until: datetime | None = None) -> tuple[Event, ...]:
        """Current events of the named quantities with ``since <= instant < until`` (UTC), in true-time order."""
        return tuple(
            event
            for event in self.events
            if (not quantities or event.quantity in quantities)
            and (since is None or event.instant >= since)
            and (until is None or event.instant < until)
        )

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
