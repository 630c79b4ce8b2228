"""How would this meal go with one dose or another?

For each dose the same members of the belief live the plan with it. Of each future: the lowest and highest median, the
chance at the worst moment to be below 70 and below 54 mg/dL, and above 180, and the share of the time above 180 that is
expected. A dose is *within the limit* while that chance below 70 stays at or under :data:`LIMIT`, and below 54 at or under
:data:`DEEP`. Among those the one with the least time above 180, and of equals the smaller dose, is named, and who its equals
are: research output, never a prescription. None is named where

* the forecast is not calibrated on this person (:data:`medtwin.twin.fit.LEAST_COVERAGE`), or the model does not fit,
* the last reading is old,
* even the best of them stays above 180 for nearly all of the time (:data:`USELESS`): to name it would call it good,
* the futures end before the insulin has acted (:data:`ACTING` after it is given): lows that come later would be unseen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from medtwin.applications.glucose_report.unit import UNITS, Unit
from medtwin.errors import FormatError
from medtwin.twin.fit import LEAST_COVERAGE
from medtwin.twin.forecast import Effect, Forecast

LOW, DEEP_LOW, HIGH = 70.0, 54.0, 180.0  #: mg/dL, the consensus's limits
LIMIT, DEEP = 0.05, 0.01  #: greatest chance at any moment that is borne; judgement, stated wherever a dose is shown
ACTING = timedelta(hours=4)  #: in which a rapid insulin has done most of its work
USELESS = 0.9  #: share of the time above 180 from which on no dose is called the best; judgement
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

    def words(self, unit: Unit = UNITS["mg/dL"]) -> str:
        """Why it is not within the limit."""
        if self.within:
            return "within the limit"
        if self.below_54 > DEEP:
            return f"chance below {unit.words(DEEP_LOW)} above {DEEP:.0%}"
        return f"chance below {unit.words(LOW)} above {LIMIT:.0%}"


@dataclass(frozen=True)
class Sweep:
    """All options, smallest dose first. ``named``: the dose of least risk, None with ``why``; ``withheld``: why there is none."""

    label: str
    options: tuple[Option, ...]
    named: float | None
    why: str
    made_at: datetime | None = None
    withheld: str | None = None


def sweep(
    doses: Sequence[float], ask: Callable[[float], Effect], doubt: str | None = None, given_in: timedelta = timedelta(0),
    unit: Unit = UNITS["mg/dL"],
) -> Sweep:  # fmt: skip
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
        return Sweep(first.label, (), None, f"withheld: {first.withheld}", first.made_at, first.withheld)
    options = tuple(_option(units, effect.scenario) for units, effect in zip(asked, effects, strict=True))
    named, why = _named(options, first, doubt, given_in, unit)
    return Sweep(first.label, options, named, why, first.made_at)


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


UNHEARD = "no insulin is in this person's record, so that nothing is known of how they answer to it"


def _named(
    options: Sequence[Option], made: Forecast, doubt: str | None, given_in: timedelta, unit: Unit
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
    low, deep, high = (unit.words(limit) for limit in (LOW, DEEP_LOW, HIGH))
    limit = f"below {low} {unit.name} within {LIMIT:.0%} and below {deep} within {DEEP:.0%}"
    if not allowed:
        return None, f"no dose is named: none keeps the chance {limit}"
    best = min(allowed, key=lambda one: (round(one.time_above_180, 2), one.units))
    if best.time_above_180 >= USELESS:
        return None, (
            f"no dose is named: of those that keep the chance {limit}, the best leaves {best.time_above_180:.0%} of the time "
            f"above {high}; look at other doses, further ahead, or at ketones"
        )
    equals = [f"{o.units:g}" for o in allowed if o is not best and _same(o, best)]
    tie = f"; {', '.join(equals)} U would do as well, and the smaller dose is named" if equals else ""
    return best.units, (
        f"of the doses that keep the chance {limit}, {best.units:g} U has the least time above {high} expected "
        f"({best.time_above_180:.0%}){tie}; research output, not a prescription"
    )


def _same(one: Option, other: Option) -> bool:
    """Whether two doses cannot be told apart by the time above 180, as it is shown."""
    return round(one.time_above_180, 2) == round(other.time_above_180, 2)
