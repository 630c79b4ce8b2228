"""How would this meal go with one dose or another?

For each dose the same members of the belief live the plan with it. Of each future: the lowest and highest median, the
chance at the worst moment to be below 70 and below 54 mg/dL, and above 180, and the share of the time above 180 that is
expected. A dose is *within the limit* while that chance below 70 stays at or under :data:`LIMIT`, and below 54 at or under
:data:`DEEP`. Among those the one with the least time above 180, and of equals the smaller dose, is named: research output,
never a prescription. None is named where

* the forecast is not calibrated on this person (:data:`medtwin.twin.fit.LEAST_COVERAGE`), or the model does not fit,
* the last reading is old,
* the futures end before the insulin has acted (:data:`ACTING` after it is given): lows that come later would be unseen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from medtwin.errors import FormatError
from medtwin.twin.fit import LEAST_COVERAGE
from medtwin.twin.forecast import Effect, Forecast

LOW, DEEP_LOW, HIGH = 70.0, 54.0, 180.0  #: mg/dL, the consensus's limits
LIMIT, DEEP = 0.05, 0.01  #: greatest chance at any moment that is borne; judgement, stated wherever a dose is shown
ACTING = timedelta(hours=4)  #: in which a rapid insulin has done most of its work
MOST_DOSES, MOST_UNITS = 20, 30.0


@dataclass(frozen=True)
class Option:
    """One dose and its future; chances are those at the worst moment."""

    units: float
    lowest: tuple[float, float, float]  #: 5 %, median, 95 % where the median is lowest, mg/dL
    highest: tuple[float, float, float]
    below_70: float
    below_54: float
    above_180: float
    time_above_180: float  #: expected share of the time
    within: bool

    @property
    def words(self) -> str:
        """Why it is not within the limit."""
        if self.within:
            return "within the limit"
        if self.below_54 > DEEP:
            return f"chance below 54 above {DEEP:.0%}"
        return f"chance below 70 above {LIMIT:.0%}"


@dataclass(frozen=True)
class Sweep:
    """All options, smallest dose first. ``named``: the dose of least risk, None with ``why``."""

    label: str
    options: tuple[Option, ...]
    named: float | None
    why: str


def sweep(
    doses: Sequence[float], ask: Callable[[float], Effect], doubt: str | None = None, given_in: timedelta = timedelta(0)
) -> Sweep:
    """``ask(units)`` gives the effect of the plan with that dose; ``doubt`` says why the model is not to be trusted with this
    person (:func:`medtwin.twin.fit.misfit`); ``given_in`` is the time until the dose. Raises :class:`FormatError` for doses
    that make no sense."""
    asked = sorted(set(doses))
    sound = bool(asked) and all(math.isfinite(one) and 0.0 <= one <= MOST_UNITS for one in asked)
    if not sound or len(asked) > MOST_DOSES:
        raise FormatError(
            f"doses {', '.join(f'{one:g}' for one in asked)[:60] or 'none'}",
            expected=f"1 to {MOST_DOSES} doses of 0 to {MOST_UNITS:g} U",
        )
    effects = [ask(units) for units in asked]
    first = effects[0].baseline
    if first.withheld:
        return Sweep(first.label, (), None, f"withheld: {first.withheld}")
    options = tuple(_option(units, effect.scenario) for units, effect in zip(asked, effects, strict=True))
    named, why = _named(options, first, doubt, given_in)
    return Sweep(first.label, options, named, why)


def chance(made: Forecast, limit: float, *, below: bool) -> float:
    """The greatest predictive probability over the times to lie below (or above) ``limit``."""
    return float(chances(made, limit, below=below).max())


def chances(made: Forecast, limit: float, *, below: bool) -> NDArray[np.float64]:
    """The predictive probability at each time to lie below (or above) ``limit``."""
    shares = np.array([float(np.interp(limit, row, made.levels, left=0.0, right=1.0)) for row in made.quantiles])
    return shares if below else 1.0 - shares


def _option(units: float, made: Forecast) -> Option:
    median = made.at(0.5)

    def at(place: int) -> tuple[float, float, float]:
        return float(made.at(0.05)[place]), float(median[place]), float(made.at(0.95)[place])

    low, deep = chance(made, LOW, below=True), chance(made, DEEP_LOW, below=True)
    return Option(
        units, at(int(median.argmin())), at(int(median.argmax())), low, deep, chance(made, HIGH, below=False),
        float(chances(made, HIGH, below=False).mean()), low <= LIMIT and deep <= DEEP,
    )  # fmt: skip


def _named(
    options: Sequence[Option], made: Forecast, doubt: str | None, given_in: timedelta
) -> tuple[float | None, str]:
    refused = None
    if made.coverage is None:
        refused = "the forecast is not calibrated on this person"
    elif made.coverage[0] < LEAST_COVERAGE:
        refused = (
            f"the forecast is not calibrated on this person: its 90 % bands held {made.coverage[0]:.0%} of readings"
        )
    elif doubt:
        refused = doubt
    elif made.widened:
        refused = made.widened
    elif made.times[-1] - made.made_at < given_in + ACTING:
        refused = (
            f"the futures end before {ACTING / timedelta(hours=1):g} h after the dose, in which it acts: look further"
        )
    if refused:
        return None, f"no dose is named: {refused}"
    allowed = [one for one in options if one.within]
    limit = f"below 70 mg/dL within {LIMIT:.0%} and below 54 within {DEEP:.0%}"
    if not allowed:
        return None, f"no dose is named: none keeps the chance {limit}"
    best = min(allowed, key=lambda one: (round(one.time_above_180, 2), one.units))
    return best.units, (
        f"of the doses that keep the chance {limit}, {best.units:g} U has the least time above 180 expected "
        f"({best.time_above_180:.0%}); research output, not a prescription"
    )
