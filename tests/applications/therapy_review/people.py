"""Made-up people with another basal rate than they need: eight days, through the door as a user's files."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from medtwin.evidence.other_equations import START, ingested
from medtwin.twin.choice import choose
from medtwin.twin.snapshot import MemoryShelf
from medtwin.twin.twin import assimilate
from medtwin.worlds import telling
from medtwin.worlds.people import Order, prepare
from medtwin.worlds.simulate import simulate

DAYS = 8
NOW = START + timedelta(days=DAYS)


def order(seed):
    return Order(seed, 0, "type_1", START, NOW, DAYS * 1440, "Europe/Berlin", "Ada")


def person(seed, basal=1.0, ratio=1.0):
    """Lives with ``basal`` times the rate that was right, and ``ratio`` times their grams per unit."""
    who, setup = prepare(order(seed))
    setup = replace(
        setup, dosing=replace(setup.dosing, basal=basal * setup.dosing.basal, ratio=ratio * setup.dosing.ratio)
    )
    outcome = simulate([setup], DAYS * 1440)[0]
    lived = replace(who, dosing=setup.dosing, truth=replace(who.truth, outcome=outcome))
    return replace(lived, facts=telling.facts(np.random.default_rng([seed, 99]), lived))


def known(someone, folder):
    """Their record and twin."""
    record = ingested([someone], folder)[0]
    return record, assimilate("ada", choose(record), record, NOW, MemoryShelf())[0]
