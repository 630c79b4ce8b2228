"""Life going on: a clock that runs faster than the wall's, and what becomes known as it passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medtwin.cli.demo_people import identity
from medtwin.cli.demo_server import Client

if TYPE_CHECKING:
    from medtwin.server.run import Address
    from medtwin.worlds import Person


class Clock:
    """The demo's present: stands at ``position`` until it is started, runs ``factor`` times faster, never past today."""

    def __init__(self, position: datetime, factor: float) -> None:
        self.position, self.factor, self.begun = position, factor, 0.0

    def start(self) -> None:
        self.begun = time.monotonic()

    def set(self, moment: datetime) -> None:
        """Stand at a moment (never earlier than before)."""
        self.position = max(moment, self.position)

    def __call__(self) -> datetime:
        if not self.begun:
            return self.position
        run = timedelta(seconds=(time.monotonic() - self.begun) * self.factor)
        return min(self.position + run, datetime.now(UTC))


def coming(people: Sequence[Person], since: datetime) -> list[tuple[datetime, str, dict[str, Any]]]:
    """What becomes known after a moment, in that order."""
    from medtwin.worlds import live

    queued = [
        (moment, identity(person), resource)
        for person in people
        for moment, resource in live.resources(person)
        if moment > since
    ]
    return sorted(queued, key=lambda entry: entry[0])


def stream(where: Address, clock: Clock, people: Sequence[Person], stop: threading.Event) -> None:
    client = Client(where)
    for moment, _, resource in coming(people, clock()):
        while (ahead := (moment - clock()).total_seconds()) > 0:
            if stop.wait(min(ahead / clock.factor, 1.0)):
                return
        if stop.is_set():
            return
        client.ask("POST", "/facts", resource)
    stop.wait()
