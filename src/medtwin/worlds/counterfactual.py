"""What plans truly change: lives of the same people that differ in what is planned alone.

From ``minute`` on nobody eats what the day's plan says and nobody reacts to what the sensor shows, in all these lives, so that
the difference is the plan's and not that of a decision that followed from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medtwin.worlds.life import Meal
from medtwin.worlds.people import Order, prepare
from medtwin.worlds.sensor import READING_MINUTES
from medtwin.worlds.simulate import Outcome, Setup, simulate

Array = NDArray[np.float64]

FOLLOWS = 1.0 - np.exp(-0.5)  #: per minute, by which a heart follows a walk (as in ``life``)


@dataclass(frozen=True)
class Given:
    """What one person is planned to do: eat ``grams`` in 15 minutes, inject ``units``, and maybe walk: minutes after that,
    for how long, and by how much the heart rises above its waking rate (1/min)."""

    grams: float = 0.0
    units: float = 0.0
    walk: tuple[int, int, float] | None = None


def futures(orders: Sequence[Order], minute: int, hours: float, plans: Sequence[Sequence[Given]]) -> list[Array]:
    """For each plan (one :class:`Given` a person), begun at ``minute``: interstitial glucose, mg/dL, in each of the minutes
    that follow; ``(minutes, people)``."""
    setups = [setup for order in orders if (setup := prepare(order)[1]) is not None]
    lives = [_from(s, minute, given) for plan in plans for s, given in zip(setups, plan, strict=True)]
    lived = simulate(lives, minute + round(hours * 60.0))
    seen = np.stack([one.interstitial[minute:] for one in lived], axis=1)
    return np.split(seen, len(plans), axis=1)


def changes(orders: Sequence[Order], minute: int, hours: float, plans: Sequence[tuple[float, float]]) -> list[Array]:
    """For each plan (g of carbohydrate eaten in 15 minutes, U of insulin), given at ``minute``: the change of interstitial
    glucose, mg/dL, in each of the minutes that follow; ``(minutes, people)``."""
    given = [Given(), *(Given(grams, units) for grams, units in plans)]
    without, *lived = futures(orders, minute, hours, [[one] * len(orders) for one in given])
    return [one - without for one in lived]


def _from(setup: Setup, minute: int, given: Given) -> Setup:
    chances = setup.chances.copy()
    chances[minute // READING_MINUTES :, :2] = 1.0  # nobody corrects, nobody notices a low
    eaten = [meal for meal in setup.plan.meals if meal.minute < minute]
    if given.grams > 0.0:
        usual = eaten[-1].gut_factor if eaten else 1.0
        eaten.append(Meal("planned", minute, given.grams, 15, usual, given.grams, None, None, None))
    heart = setup.heart_rate
    if given.walk is not None:
        later, length, rise = given.walk
        heart = heart + risen(len(heart), minute + later, length, rise)
    return replace(
        setup, plan=replace(setup.plan, meals=tuple(eaten)), chances=chances, heart_rate=heart,
        given=((minute, given.units),) if given.units > 0.0 else (),
    )  # fmt: skip


def risen(minutes: int, begin: int, length: int, rise: float) -> Array:
    """The rise of heart rate (1/min, each minute) of a walk: of first order, two minutes."""
    since = np.arange(minutes) - begin + 1.0
    keep = 1.0 - FOLLOWS
    return rise * (1.0 - keep ** np.maximum(since, 0.0)) - rise * (1.0 - keep ** np.maximum(since - length, 0.0))


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
