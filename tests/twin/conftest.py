"""Two lives that several tests share."""

from datetime import timedelta

import pytest

from medtwin import worlds
from twin.people import NOW, Case, events_of


@pytest.fixture(scope="session")
def short():
    """Two days of a person with type 1 diabetes."""
    person = worlds.person(seed=3, days=2, start=NOW - timedelta(days=2), zone="Europe/Berlin", kind="type_1")
    kept = {"glucose", "carbohydrate_intake", "insulin_bolus", "insulin_basal_rate", "body_weight", "diagnosis"}
    return Case(person, [e for e in events_of(person) if e.quantity in kept], NOW)


@pytest.fixture(scope="session")
def long():
    """Eight days, enough to calibrate on."""
    person = worlds.person(seed=5, days=8, start=NOW - timedelta(days=8), zone="Europe/Berlin", kind="type_1")
    return Case(person, events_of(person), NOW)
