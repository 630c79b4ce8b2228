"""Temporary basal rates from predicted glucose, in the manner of oref0's ``determine-basal``.

Written from what oref0 does (openaps/oref0, MIT, commit 88cf032, ``lib/determine-basal/determine-basal.js``), in vectors
and with fewer cases: no autosens, no microboluses, no unannounced-meal curve, no noise handling, no temporary targets.

::

    impact    = rise of glucose in 5 min (the lesser of the last one and of the mean of three) + what insulin took off
    eventual  = glucose - factor on_board + 6 impact
    IOB curve = glucose - factor (insulin used by t) + impact, falling to nothing in 60 min
    COB curve = the same with the carbohydrate that is left: impact falling in a line, the rest in a triangle
    ZT curve  = glucose - factor (insulin used by t) if nothing at all were given from now
    required  = (min(least of the curves after 90 min, eventual) - target)/factor, at most max_iob - on_board
    rate      = basal + 2 required, over 30 min; between 0 and the pump's limit

While carbohydrate is left, curves with and without it are blended by the share that is left (oref0 does so with its
unannounced-meal curve, whose place the IOB curve takes here). No basal insulin is given
where the guarding curve falls below ``threshold`` = target - 0.5 (target - 40), before it does so; a said meal still gets
its whole bolus then, also at a low (oref0 leaves boluses of meals to the person).
Insulin is counted net of the basal rate. Carbohydrate on board is lowered by the impact, by 8 mg/dL in 5 min at the least.
"""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from medtwin.population.controllers.controller import Controller, Dose, Number, Seen
from medtwin.population.controllers.insulin_on_board import activity, ages, nothing, on_board, remaining, remember
from medtwin.population.days import SLOT
from medtwin.population.therapy import Therapy

AHEAD = np.arange(15.0, 241.0, 15.0)  #: minutes at which the curves are looked at
LATER = AHEAD >= 90.0
#: What of each remembered slot will have acted by then, beyond what has acted by now: (times, slots).
USED = remaining(ages())[None, :] - remaining(ages()[None, :] + AHEAD[:, None])
#: Insulin that a rate of 1 U/h from now on has used by then, U.
USED_OF_RATE = np.array([np.trapezoid(1.0 - remaining(t - (s := np.linspace(0.0, t, 200))), s) / 60.0 for t in AHEAD])
MOST_ABSORBED = 30.0  #: g/h
LEAST_IMPACT = 8.0  #: mg/dL in 5 min
CAP = 90.0  #: g that are waited for


class Predictive(Controller):
    """State: net insulin by slot, carbohydrate on board and as announced, minutes since, the last four readings."""

    name: ClassVar[str] = "predictive"
    max_iob: float = 0.05  #: U/kg above the basal rate that the loop may reach; judgement, 3.75 U at 75 kg
    most_basal: float = 4.0  #: times the basal rate

    def begin(self, therapy: Therapy) -> Any:
        zero = jnp.zeros_like(therapy.basal)
        return nothing(zero), zero, zero, zero, jnp.full((4, *zero.shape), -1.0, zero.dtype), zero

    def decide(self, state: Any, seen: Seen, therapy: Therapy) -> tuple[Any, Dose]:
        memory, left, announced, since, readings, started = state
        given = seen.delivered - therapy.basal * (SLOT / 60.0)
        memory = remember(memory, given * started)  # before the first slot nothing was given and nothing missed
        readings = jnp.where(
            readings[:1] < 0.0, seen.glucose[None], readings
        )  # the first reading stands for those before
        delta, mean_delta = seen.glucose - readings[0], (seen.glucose - readings[2]) / 3.0
        readings = jnp.concatenate([seen.glucose[None], readings[:-1]])

        factor, per_gram = therapy.correction_factor, therapy.correction_factor / therapy.carbohydrate_ratio
        taken_off = SLOT * factor * (jnp.asarray(activity(ages()), memory.dtype) @ memory)
        impact = jnp.minimum(delta, mean_delta) + taken_off
        absorbed = jnp.maximum(impact, LEAST_IMPACT) / per_gram
        eats = seen.carbohydrate > 0.0
        left = jnp.maximum(left - absorbed, 0.0) + seen.carbohydrate
        announced = jnp.where(eats, left, jnp.where(left > 0.0, announced, jnp.zeros_like(left)))
        since = jnp.where(eats, jnp.zeros_like(since), since + SLOT)

        board = on_board(memory)
        eventual = seen.glucose - factor * board + 6.0 * jnp.where(impact < 0.0, mean_delta + taken_off, impact)
        curve, with_food, without = _curves(seen.glucose, memory, impact, left, since, per_gram, factor, therapy.basal)
        food = left > 0.0
        guard = jnp.where(food, jnp.min(with_food, axis=0), jnp.min(curve, axis=0))
        least = jnp.min(curve[LATER], axis=0)
        share = left / jnp.maximum(announced, 1.0)
        least_food = jnp.min(with_food[LATER], axis=0)
        least = jnp.where(food, jnp.maximum(least, share * least_food + (1.0 - share) * least), least)
        average = jnp.where(food, share * with_food[-1] + (1.0 - share) * curve[-1], curve[-1])
        average = jnp.maximum(average, jnp.min(without, axis=0))
        eventual = jnp.where(food, jnp.maximum(eventual, with_food[-1]), eventual)

        aim = jnp.minimum(jnp.minimum(least, average), eventual)
        required = (aim - therapy.target) / factor
        required = jnp.minimum(required, jnp.maximum(self.max_iob * therapy.body_weight - board, 0.0))
        threshold = therapy.target - 0.5 * (therapy.target - 40.0)
        suspended = (guard < threshold) | (seen.glucose < threshold)
        rate = jnp.clip(therapy.basal + 2.0 * required, 0.0, self.most_basal * therapy.basal)
        rate = jnp.where(suspended, jnp.zeros_like(rate), rate)
        state = memory, left, announced, since, readings, jnp.ones_like(started)
        return state, Dose(basal=rate, bolus=seen.carbohydrate / therapy.carbohydrate_ratio)


def _curves(
    glucose: Number, memory: Any, impact: Number, left: Number, since: Number, per_gram: Number, factor: Number, basal: Number
) -> tuple[Any, Any, Any]:  # fmt: skip
    """IOB, COB and ZT curve at ``AHEAD``: (times, n), mg/dL."""
    kind = memory.dtype
    t = jnp.asarray(AHEAD, kind)[:, None]
    fall = (jnp.asarray(USED, kind) @ memory) * factor[None]
    impact = jnp.minimum(impact, MOST_ABSORBED * per_gram * (SLOT / 60.0))
    faded = impact[None] / SLOT * _under_line(t, jnp.full_like(impact, 60.0)[None])
    curve = glucose[None] - fall + faded

    hours = jnp.maximum(3.0, left / 20.0) + 1.5 * since / 60.0
    minutes = 60.0 * hours
    rising = jnp.maximum(impact, 0.0)
    lasts = jnp.minimum(minutes, 2.0 * SLOT * left * per_gram / jnp.maximum(rising, 1e-3))
    seen_part = rising[None] / SLOT * _under_line(t, jnp.maximum(lasts, SLOT)[None])
    later = jnp.clip(left - rising / SLOT * minutes / 2.0 / per_gram, 0.0, CAP) * per_gram
    half = 0.5 * minutes[None]
    up, down = jnp.clip(t / half, 0.0, 1.0), jnp.clip(2.0 - t / half, 0.0, 1.0)
    triangle = jnp.where(t <= half, 0.5 * up**2, 1.0 - 0.5 * down**2)
    with_food = glucose[None] - fall + jnp.minimum(faded, 0.0) + seen_part + later[None] * triangle
    without = glucose[None] - fall + factor[None] * basal[None] * jnp.asarray(USED_OF_RATE, kind)[:, None]
    return curve, with_food, without


def _under_line(t: Any, end: Any) -> Any:
    """Minutes under a line that falls from 1 to 0 at ``end``, by time ``t``."""
    held = jnp.minimum(t, end)
    return held - held**2 / (2.0 * end)
