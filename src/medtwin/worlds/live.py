"""Life goes on where the files stop: the same person's next facts, in the order in which they become known.

``events`` gives (moment it is known, quantity, value, fact); ``stream`` paces them, ``factor`` times faster than life,
as FHIR resources (Observation, MedicationAdministration) that a server takes like any other. A cuff's pressures stay
one Observation. A meal that is reported late comes late, with its own earlier time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from medtwin.worlds.export import fhir
from medtwin.worlds.facts import Fact, Person


def events(person: Person) -> Iterator[tuple[datetime, str, float, Fact]]:
    """What becomes known after ``person.now``, in that order, until the simulated life ends."""
    for fact in person.to_come():
        yield fact.available, fact.quantity, fact.value, fact


def resources(person: Person) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """The same as FHIR resources."""
    for moment, batch in groupby(person.to_come(), key=lambda f: f.available):
        for resource in fhir.resources(person, tuple(batch)):
            yield moment, resource


def stream(
    people: Sequence[Person],
    factor: float = 60.0,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[datetime, Person, dict[str, Any]]]:
    """All of ``people`` at once, each resource at its moment; one hour of life takes ``3600/factor`` seconds."""
    if not factor > 0:
        raise ValueError(f"found a factor of {factor}; expected a positive number")
    queue = sorted(
        ((moment, k, resource) for k, p in enumerate(people) for moment, resource in resources(p)),
        key=lambda item: (item[0], item[1]),
    )
    begun, origin = clock(), min((p.now for p in people), default=None)
    for moment, k, resource in queue:
        if origin is not None:
            wait = (moment - origin).total_seconds() / factor - (clock() - begun)
            if wait > 0:
                sleep(wait)
        yield moment, people[k], resource
