"""How would this meal go with one dose or another?

For each dose the same members of the belief live the plan with it. Of each future: the lowest and highest median, the
chance at the worst moment to be below 70 and below 54 mg/dL, and above 180. A dose is *within the limit* while that chance
below 70 stays at or under :data:`LIMIT`, and below 54 at or under :data:`DEEP`. Among those the one whose chance above 180
is least, and of equals the smaller dose, is named: research output, never a prescription. None is named where the forecast
is not calibrated on this person, or the model does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medtwin.errors import FormatError
from medtwin.twin.forecast import Effect, Forecast

LOW, DEEP_LOW, HIGH = 70.0, 54.0, 180.0  #: mg/dL, the consensus's limits
LIMIT, DEEP = 0.05, 0.01  #: greatest chance at any moment that is borne; judgement, stated wherever a dose is shown
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


def sweep(doses: Sequence[float], ask: Callable[[float], Effect]) -> Sweep:
    """``ask(units)`` gives the effect of the plan with that dose. Raises :class:`FormatError` for doses that make no sense."""
    asked = sorted(set(doses))
    if not asked or len(asked) > MOST_DOSES or asked[0] < 0.0 or asked[-1] > MOST_UNITS:
        raise FormatError(
            f"doses {', '.join(f'{one:g}' for one in asked)[:60] or 'none'}",
            expected=f"1 to {MOST_DOSES} doses of 0 to {MOST_UNITS:g} U",
        )
    effects = [ask(units) for units in asked]
    first = effects[0].baseline
    if first.withheld:
        return Sweep(first.label, (), None, f"withheld: {first.withheld}")
    options = tuple(_option(units, effect.scenario) for units, effect in zip(asked, effects, strict=True))
    named, why = _named(options, effects[0])
    return Sweep(first.label, options, named, why)


def chance(made: Forecast, limit: float, *, below: bool) -> float:
    """The greatest predictive probability over the times to lie below (or above) ``limit``."""
    shares = np.array([float(np.interp(limit, row, made.levels, left=0.0, right=1.0)) for row in made.quantiles])
    return float(shares.max() if below else (1.0 - shares).max())


def _option(units: float, made: Forecast) -> Option:
    median = made.at(0.5)

    def at(place: int) -> tuple[float, float, float]:
        return float(made.at(0.05)[place]), float(median[place]), float(made.at(0.95)[place])

    low, deep = chance(made, LOW, below=True), chance(made, DEEP_LOW, below=True)
    return Option(
        units, at(int(median.argmin())), at(int(median.argmax())), low, deep, chance(made, HIGH, below=False),
        low <= LIMIT and deep <= DEEP,
    )  # fmt: skip


def _named(options: Sequence[Option], effect: Effect) -> tuple[float | None, str]:
    if effect.baseline.coverage is None:
        return None, "no dose is named: the forecast is not calibrated on this person"
    if "direction" in (effect.scenario.widened or ""):
        return None, "no dose is named: the model does not fit this person"
    allowed = [one for one in options if one.within]
    if not allowed:
        return None, f"no dose is named: each has a chance below 70 mg/dL above {LIMIT:.0%}"
    best = min(allowed, key=lambda one: (round(one.above_180, 2), one.units))
    return best.units, (
        f"of the doses whose chance below 70 mg/dL stays within {LIMIT:.0%} (below 54: {DEEP:.0%}), {best.units:g} U has "
        f"the least "
        f"chance above 180 ({best.above_180:.0%}); research output, not a prescription"
    )
