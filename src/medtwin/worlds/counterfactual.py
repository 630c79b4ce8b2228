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
from medtwin.worlds.simulate import Outcome, Setup, simulate

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


def redosed(
    order: Order, lived: Outcome, alternatives: Sequence[Sequence[tuple[int, float]]], basal: Sequence[float] = ()
) -> list[Array]:
    """For each alternative, a list of boluses (minute, U) and a factor of the basal rate (1 where none is given): the change
    of interstitial glucose, mg/dL, in each minute of the life, against the boluses and the rate that were given. What was
    eaten stays, rescues of lows too, and nobody reacts to what the sensor shows, in all lives."""
    setup = prepare(order)[1]
    if setup is None:
        raise ValueError("found a person without a glucose body")
    chances = setup.chances.copy()
    chances[:, :2] = 1.0  # nobody corrects, nobody notices a low
    meals = [replace(meal, bolus_minute=None) for meal in setup.plan.meals]
    meals += [Meal("rescue", minute, grams, 3, 0.5, grams, None, None, None) for minute, grams, _ in lived.rescues]
    plan = replace(setup.plan, meals=tuple(sorted(meals, key=lambda meal: meal.minute)))
    factors = [1.0, *(basal or [1.0] * len(alternatives))]
    setups = [
        replace(
            setup, plan=plan, chances=chances, given=tuple(given),
            dosing=replace(setup.dosing, basal=factor * setup.dosing.basal),
        )
        for given, factor in zip([lived.boluses, *alternatives], factors, strict=True)
    ]  # fmt: skip
    as_it_was, *others = simulate(setups, order.minutes)
    return [other.interstitial - as_it_was.interstitial for other in others]
