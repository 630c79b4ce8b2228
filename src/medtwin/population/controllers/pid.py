"""PID with insulin feedback: the basal rate follows the error of glucose, its sum and its slope, less insulin in plasma.

::

    rate = basal + gain (error + sum of error/integral_time + derivative_time slope) - feedback plasma

``gain`` is what corrects the error over ``spread`` hours by the person's factor. ``plasma`` is the estimated plasma
insulin above that of the basal rate, in U/h: two equal compartments of ``insulin_time`` after what was given. The form is
that of Steil et al., Diabetes 55 (2006): 3344, with the feedback of Steil et al., J Clin Endocrinol Metab 96 (2011):
1402 (both from memory); the numbers here are our own: of a grid of 192, the most time in range (to 0.1 %) among those with
less than 1.9 % below 70 mg/dL, where open loop had 2.2 % (256 virtual people of seed 11, 7 days; no fit to anybody's data). On
people of seed 12, less open loop
(``medtwin population t1d -n 256 --days 7 --seed 12 --controller pid --compare open-loop``): in range
+5.8 % (95 % interval 4.9 to 6.6), below 70 -0.75 % (-0.96 to -0.54).

Meals that are said get ``meal_share`` of their bolus at once (a hybrid). Safety: no basal insulin is given while glucose is
below ``suspend_below``, or would be below ``suspend_ahead`` in 30 min at its slope; the sum is bounded, and does not grow
meanwhile. A said meal still gets its share of a bolus then, also at a low: who must not have it says no meal.
"""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from medtwin.population.controllers.controller import Controller, Dose, Seen
from medtwin.population.days import SLOT
from medtwin.population.therapy import Therapy


class ProportionalIntegralDerivative(Controller):
    """State: two compartments of insulin (U/h), the sum (mg/dL min), the smoothed reading and its slope."""

    name: ClassVar[str] = "pid"
    spread: float = 5.0  #: h
    integral_time: float = 300.0  #: min
    derivative_time: float = 80.0  #: min
    feedback: float = 1.0
    insulin_time: float = 50.0  #: min
    meal_share: float = 0.9
    smoothing: float = 0.5  #: share of a new reading
    suspend_below: float = 75.0  #: mg/dL
    suspend_ahead: float = 100.0  #: mg/dL

    def begin(self, therapy: Therapy) -> Any:
        zero = jnp.zeros_like(therapy.basal)
        return zero, zero, zero, jnp.full_like(zero, -1.0), zero

    def decide(self, state: Any, seen: Seen, therapy: Therapy) -> tuple[Any, Dose]:
        first, second, total, before, slope = state
        known = before > 0.0
        smooth = jnp.where(known, before + self.smoothing * (seen.glucose - before), seen.glucose)
        rise = jnp.where(known, (smooth - before) / SLOT, jnp.zeros_like(smooth))
        slope = slope + self.smoothing * (rise - slope)

        above = jnp.where(known, seen.delivered * (60.0 / SLOT) - therapy.basal, jnp.zeros_like(smooth))
        first = first + SLOT / self.insulin_time * (above - first)
        second = second + SLOT / self.insulin_time * (first - second)

        error = smooth - therapy.target
        gain = 1.0 / (therapy.correction_factor * self.spread)
        suspended = (seen.glucose < self.suspend_below) | (smooth + 30.0 * slope < self.suspend_ahead)
        bound = therapy.basal * self.integral_time / gain
        grown = jnp.clip(total + SLOT * error, -bound, bound)
        total = jnp.where(suspended, jnp.minimum(total, grown), grown)
        rate = therapy.basal - self.feedback * second
        rate = rate + gain * (error + total / self.integral_time + self.derivative_time * slope)
        rate = jnp.where(suspended, jnp.zeros_like(rate), jnp.maximum(rate, 0.0))
        bolus = self.meal_share * seen.carbohydrate / therapy.carbohydrate_ratio
        return (first, second, total, smooth, slope), Dose(basal=rate, bolus=bolus)
