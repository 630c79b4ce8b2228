"""A person whose days are known: records made by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np

from medtwin.record import Record
from medtwin.record.event import Code, Event, Source, SourcePatient
from medtwin.record.moment import Moment

START = datetime(2026, 2, 2)  # noqa: DTZ001 - a wall clock


def reading(at, value, *, quantity="glucose", system="sensor", zone="Europe/Berlin", **more):
    return Event(
        subject=SourcePatient(system, "1"), quantity=quantity, value=value if isinstance(value, Code) else float(value),
        time=Moment(at, zone=zone), available=at.replace(tzinfo=UTC), key=f"{at.isoformat()}/{quantity}",
        source=Source(system, "made/1", "raw", "line"), **more,
    )  # fmt: skip


def wave(days, *, start=START, mean=150.0, height=60.0, seed=1, every=5, **more):
    """A day's wave, with noise, whose days differ."""
    rng = np.random.default_rng(seed)
    level = mean + rng.normal(0.0, 10.0, days)
    count = days * 1440 // every
    made = []
    for number in range(count):
        at = start + timedelta(minutes=every * number)
        hour = every * number / 60.0
        value = level[number * every // 1440] + height * np.sin(2.0 * np.pi * hour / 8.0) + rng.normal(0.0, 5.0)
        made.append(reading(at, np.clip(value, 40.0, 400.0), **more))
    return made


def record(events, zone="Europe/Berlin"):
    return Record("anna", tuple(events), zone)
