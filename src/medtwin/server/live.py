"""From a committed fact to a new belief on every page: one subscriber with a durable cursor follows the store.

Facts come in through this server, through another process that ingests into the same home, or while nobody was
running; all are read from the store's log after the cursor, in commit order, so that a restart goes on where it was.

Each read of the log leaves an audit row, and an audit row is a commit: the follower reads only where the store's
sequence, or the mark of its quarantine, says that there is something new. Nothing new, nothing read, no row.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta

from medtwin.record import Event, Intent
from medtwin.record.event import Status
from medtwin.server import asking, words
from medtwin.server.belief import at_event, latest
from medtwin.server.hub import Hub
from medtwin.server.living import Living, Moved
from medtwin.server.shapes import BeliefMessage, DisagreementMessage, EventMessage, QuarantineMessage

SUBSCRIBER = "medtwin-server"
MANY = 40  #: facts of one patient at once; of more, only the newest ones become messages
POLL = 2.0  #: seconds after which the log is looked at without having been told
BATCH = 1000


class Follower:
    """Reads the store's log and publishes what came of it."""

    def __init__(self, living: Living, hub: Hub) -> None:
        self.living, self.hub = living, hub
        self.accepted: OrderedDict[str, float] = OrderedDict()  #: event id -> monotonic time of its acceptance
        self.asked: dict[str, dict[str, str]] = {}  #: patient -> open question -> status
        self.in_quarantine: set[int] | None = None
        self.mark: tuple[int, ...] | None = None  #: of the quarantine, when it was read last
        self._wake = asyncio.Event()
        self._stop = False
        self.sequence = 0  #: up to which the log was read

    def accept(self, events: Sequence[Event], moment: float) -> None:
        """Remember when facts were accepted, before they are committed (in any thread)."""
        for event in events[-MANY:]:
            self.accepted[event.id] = moment
        while len(self.accepted) > 4 * BATCH:
            self.accepted.popitem(last=False)

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stop = True
        self._wake.set()

    async def run(self) -> None:
        """Until :meth:`stop`. A fault of one round is told and does not end it."""
        loop = asyncio.get_running_loop()

        def heard(sequence: int, patients: frozenset[str]) -> None:
            if sequence > self.sequence:  # the commit of an audit row alone is no news
                _quietly(loop, self._wake.set)

        end = self.living.store.listen(heard)
        try:
            await self.living.read(self._begin)
            while not self._stop:
                try:
                    while await self.step():
                        pass
                    await self.look_at_quarantine()
                except Exception as error:
                    if self._stop:
                        return
                    print(f"medtwin: {type(error).__name__} while facts were followed", flush=True)
                    await asyncio.sleep(POLL)
                try:
                    await asyncio.wait_for(self._wake.wait(), POLL)
                except TimeoutError:
                    pass
                self._wake.clear()
        finally:
            end()

    def _begin(self) -> None:
        """A home that this server sees for the first time: what it holds already is no news."""
        store = self.living.store
        if store.cursor(SUBSCRIBER) == 0:
            store.acknowledge(SUBSCRIBER, store.sequence(), self.living.grant)
        self.sequence = store.cursor(SUBSCRIBER)

    def _tail(self) -> tuple[int, list[tuple[str, Event]]]:
        """The newest sequence, and what the log holds after the cursor; the log is read where there is something new."""
        self.living.check()
        newest = self.living.store.sequence()
        if newest <= self.sequence:
            return newest, []
        return newest, list(self.living.store.tail(SUBSCRIBER, self.living.grant, BATCH))

    async def step(self) -> bool:
        """One batch of the log; whether there was any."""
        noticed = time.perf_counter()
        newest, found = await self.living.read(self._tail)
        if not found:
            self.sequence = max(self.sequence, newest)  # what is new is of people who withdrew consent
            return False
        by_patient: dict[str, list[Event]] = {}
        for patient, event in found:
            by_patient.setdefault(patient, []).append(event)
        for patient, events in by_patient.items():
            if patient:
                await self._one(patient, events, noticed)
        self.sequence = found[-1][1].recorded
        await self.living.read(self.living.store.acknowledge, SUBSCRIBER, found[-1][1].recorded, self.living.grant)
        return len(found) == BATCH

    async def _one(self, patient: str, events: list[Event], noticed: float) -> None:
        loop = asyncio.get_running_loop()
        for event in _worth_telling(events):
            self.hub.publish("event", _event(patient, event))
        accepted = [at for event in events if (at := self.accepted.pop(event.id, None)) is not None]
        moved: Moved = await loop.run_in_executor(self.living.beliefs, self.living.took, patient, events)
        if not moved.moved:
            return
        message = _belief(moved, events)
        if message is not None:
            begun = min(accepted) if accepted else noticed
            message.latency_ms = round((time.perf_counter() - begun) * 1000.0, 3)
            self.hub.publish("belief", message)
        await self.ask(patient)

    async def ask(self, patient: str) -> None:
        """Publish questions that opened, changed or were answered."""
        standing = self.living.held(patient)
        if standing is None:
            return
        listed = await self.living.read(asking.listed, self.living.store, self.living.grant, standing)
        status: dict[str, str] = {one.id: one.status for one in listed}
        before = self.asked.get(patient)
        self.asked[patient] = status
        if before is None:
            return
        count = sum(one.status == "open" for one in listed)
        for one in listed:
            if before.get(one.id) != one.status and (one.status != "closed" or one.id in before):
                self.hub.publish(
                    "disagreement",
                    DisagreementMessage(
                        patient=patient, id=one.id, status=one.status, question=one.question, open=count
                    ),
                )

    async def look_at_quarantine(self) -> None:
        mark = await self.living.read(self.living.store.quarantine_mark)
        if mark == self.mark:
            return
        items = await self.living.read(self.living.store.quarantined, self.living.grant)
        now = {item.id: item.file for item in items}
        before = self.in_quarantine
        self.in_quarantine, self.mark = set(now), mark
        if before is None:
            return
        for number in sorted(set(now) - before)[-MANY:]:
            self.hub.publish(
                "quarantine", QuarantineMessage(id=str(number), file=now[number], resolved=False, total=len(now))
            )
        for number in sorted(before - set(now))[-MANY:]:
            self.hub.publish("quarantine", QuarantineMessage(id=str(number), file="", resolved=True, total=len(now)))


def _quietly(loop: asyncio.AbstractEventLoop, call: object) -> None:
    try:
        loop.call_soon_threadsafe(call)  # type: ignore[arg-type]
    except RuntimeError:  # the loop has ended
        pass


def _worth_telling(events: Sequence[Event]) -> list[Event]:
    """All of a few facts; of many, the newest of each quantity."""
    if len(events) <= MANY:
        return list(events)
    newest: dict[str, Event] = {}
    for event in events:
        if event.quantity not in newest or event.instant >= newest[event.quantity].instant:
            newest[event.quantity] = event
    return sorted(newest.values(), key=lambda event: event.recorded)


def _event(patient: str, event: Event) -> EventMessage:
    number = event.value if isinstance(event.value, float) else None
    flags = words.flags(event)
    return EventMessage(
        patient=patient, event=event.id, quantity=event.quantity, label=words.channel(event.quantity),
        time=event.instant, value=number, unit=words.unit(event.quantity) if number is not None else None,
        text=words.told(event), intent=event.intent.value, flag=flags[0] if flags else None,
    )  # fmt: skip


def _belief(moved: Moved, events: Sequence[Event]) -> BeliefMessage | None:
    """The belief after ``events``: at the newest reading of the headline, else at the present."""
    after = moved.after
    if after.twin is None:
        return None
    quantity = after.choice.headline
    readings = [e for e in events if e.quantity == quantity and e.status is not Status.ENTERED_IN_ERROR]
    cause = max(readings, key=lambda e: e.instant) if readings else events[-1]
    found = at_event(after, quantity, cause.instant) if readings else latest(after, quantity)
    if found is None:
        found = latest(after, quantity)
    if found is None:
        return None
    return BeliefMessage(
        patient=after.patient, quantity=quantity, time=found.time, mean=found.mean, lower=found.lower,
        upper=found.upper, unit=words.unit(quantity), event=cause.id, latency_ms=0.0,
        replayed_since=_replayed(moved, events),
    )  # fmt: skip


def _replayed(moved: Moved, events: Sequence[Event]) -> datetime | None:
    """From when on the past has changed: the oldest new fact, where the twin had gone on from it before."""
    before = moved.before
    if before is None or before.twin is None:
        return None
    told = [e for e in events if e.intent is Intent.HAPPENED and isinstance(e.value, float)]
    if not told:
        return None
    oldest = min(e.instant for e in told)
    corrected = any(e.status in (Status.CORRECTED, Status.ENTERED_IN_ERROR) or e.supersedes for e in told)
    newest = before.twin.facts.last
    reached = before.twin.axis.moment(newest) if newest is not None else None
    late = reached is not None and oldest < reached - timedelta(minutes=1)
    return oldest if late or corrected else None


__all__ = ["SUBSCRIBER", "Follower"]
