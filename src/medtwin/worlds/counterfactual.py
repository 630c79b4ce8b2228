"""What a planned meal or dose truly changes: two lives of the same people that differ in that alone.

From ``minute`` on nobody eats what the day's plan says and nobody reacts to what the sensor shows, in both lives, so that the
difference is the plan's and not that of a decision that followed from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medtwin.worlds.life import Meal
from medtwin.worlds.people import Order, prepare
from medtwin.worlds.sensor import READING_MINUTES
from medtwin.worlds.simulate import Setup, simulate

Array = NDArray[np.float64]


def changes(orders: Sequence[Order], minute: int, hours: float, plans: Sequence[tuple[float, float]]) -> list[Array]:
    """For each plan (g of carbohydrate eaten in 15 minutes, U of insulin), given at ``minute``: the change of interstitial
    glucose, mg/dL, in each of the minutes that follow; ``(minutes, people)``."""
    setups = [setup for order in orders if (setup := prepare(order)[1]) is not None]
    end = minute + round(hours * 60.0)
    without = simulate([_from(s, minute, 0.0, 0.0) for s in setups], end)
    found = []
    for grams, units in plans:
        given = simulate([_from(s, minute, grams, units) for s in setups], end)
        apart = [g.interstitial[minute:] - w.interstitial[minute:] for g, w in zip(given, without, strict=True)]
        found.append(np.stack(apart, axis=1))
    return found


def _from(setup: Setup, minute: int, grams: float, units: float) -> Setup:
    chances = setup.chances.copy()
    chances[minute // READING_MINUTES :, :2] = 1.0  # nobody corrects, nobody notices a low
    eaten = [meal for meal in setup.plan.meals if meal.minute < minute]
    if grams > 0.0:
        usual = eaten[-1].gut_factor if eaten else 1.0
        eaten.append(Meal("planned", minute, grams, 15, usual, grams, None, None, None))
    plan = replace(setup.plan, meals=tuple(eaten))
    return replace(setup, plan=plan, chances=chances, given=((minute, units),) if units > 0.0 else ())
