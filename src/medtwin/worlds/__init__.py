"""Independent truth generators: people whose equations the twin never sees.

``person(seed, days, start, zone, kind)`` makes one, ``population`` many at once, ``demo_persons(now)`` the four of the
demo; ``export.files(person)`` writes what was told in the dialects a real person's data comes in, ``live.stream`` goes
on from there. Nothing here imports any other room, and everything is a pure function of its arguments.
"""

from medtwin.worlds.facts import UNITS, Cause, Fact, Person, Truth
from medtwin.worlds.kinds import KINDS
from medtwin.worlds.people import demo_persons, person, population

__all__ = ["KINDS", "UNITS", "Cause", "Fact", "Person", "Truth", "demo_persons", "person", "population"]
