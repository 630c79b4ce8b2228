"""A synthetic person of the worlds (equations that no twin knows) as a record."""

from dataclasses import dataclass
from datetime import UTC, datetime

from medtwin import worlds
from medtwin.record import Code, Comparator, Event, Moment, Record, Source, SourcePatient

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
SOURCE = Source("world", "world/1", "0" * 32, "fact")
SUBJECT = SourcePatient("world", "ada")


def event(quantity, value, time, **more):
    """One fact; ``available`` defaults to its time."""
    stated = {"subject": SUBJECT, "source": SOURCE, "available": more.pop("available", time)}
    return Event(
        quantity=quantity, value=value, time=Moment.of(time), key=more.pop("key", f"{quantity}@{time.isoformat()}"),
        **stated, **more,
    )  # fmt: skip


TYPE_1 = Code("http://snomed.info/sct", "46635009", "Diabetes mellitus type 1")


def events_of(person):
    found = [
        event(
            f.quantity, float(f.value), f.time, available=f.available, group=f.group,
            until=Moment.of(f.until) if f.until else None,
            comparator={"Low": Comparator.BELOW, "High": Comparator.ABOVE}.get(f.text),
        )
        for f in person.told()
    ]  # fmt: skip
    return [*found, event("diagnosis", TYPE_1, person.start)]


def committed(events):
    """In this order of arrival."""
    return tuple(e.committed(i + 1, None) for i, e in enumerate(events))


@dataclass(frozen=True)
class Case:
    person: worlds.Person
    events: list[Event]
    now: datetime

    def record(self, events=None, zone="Europe/Berlin"):
        return Record("ada", committed(self.events if events is None else events), zone)
