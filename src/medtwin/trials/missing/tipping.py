"""How far from missing at random the conclusion holds: the delta at which the p value crosses its level.

The amounts of a :class:`~medtwin.trials.missing.delta.Delta` are multiplied by a factor from ``low`` to ``high``; analysed
on a grid, and between two grid points where the p value crosses ``level`` the factor is found by bisection (Brent). Every
analysis uses the same fits or random numbers, so that p is a smooth function of the factor. Sources: Lipkovich, Ratitch and
O'Kelly, Pharm Stat 15 (2016): 216; for binary outcomes J Biopharm Stat 21 (2011): 180 (both by their abstracts); O'Kelly and
Ratitch, Clinical Trials with Missing Data (2014; section not verified).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.missing.conditional import Replicates, conditional_mean
from medtwin.trials.missing.delta import Delta
from medtwin.trials.missing.impute import Assumption
from medtwin.trials.missing.model import Specification
from medtwin.trials.missing.multiple import Completed, multiple_imputation
from medtwin.trials.missing.repeated import RepeatedTrial
from medtwin.trials.missing.samples import Samples, jackknife


@dataclass(frozen=True, kw_only=True)
class TippingPoint:
    """The curve, and where it crosses."""

    estimate: str  #: name of the estimate that was looked at
    level: float  #: of the two-sided p value
    factors: tuple[float, ...]
    values: tuple[float, ...]  #: the estimate at each factor
    p_values: tuple[float, ...]
    tips: tuple[
        float, ...
    ]  #: factors at which p = level, ascending; none: the conclusion is the same over all of the range
    at_tips: tuple[Analysis, ...]
    notes: tuple[str, ...]


def tipping_point(
    analyse: Callable[[Delta], Analysis], delta: Delta, *, estimate: str, low: float = 0.0, high: float = 10.0,
    level: float = 0.05, points: int = 21,
) -> TippingPoint:  # fmt: skip
    """``analyse``: of a delta, such as :func:`conditionally` or :func:`multiply` make; ``estimate``: name of one of its.

    Binary, count and survival outcomes: ``lambda delta: binary(trial, missing, delta=delta.by_arm, seed=1)``; the drawn outcomes
    are whole there, so that p jumps, and a tip is where it jumps over the level.
    """
    if not (points >= 2 and low < high and np.isfinite([low, high]).all() and 0.0 < level < 1.0):
        raise AnalysisError(f"factors {low} to {high} in {points} points, level {level}",
                            expected="an interval of at least two points, a level between 0 and 1")  # fmt: skip
    if not any(delta.by_arm.values()):
        raise AnalysisError("a delta of zero", expected="an amount for at least one arm", remedy="name an arm and 1")

    def p(factor: float) -> float:
        return analyse(delta.times(factor))[estimate].p_value

    factors = [float(x) for x in np.linspace(low, high, points)]
    every = [analyse(delta.times(factor))[estimate] for factor in factors]
    p_values = [one.p_value for one in every]
    tips: list[float] = []
    for a, b, pa, pb in zip(factors, factors[1:], p_values, p_values[1:], strict=False):
        if pa == level:
            tips.append(a)
        elif (pa - level) * (pb - level) < 0.0:
            tips.append(float(optimize.brentq(lambda x: p(x) - level, a, b, xtol=1e-8 * (high - low))))
    start = "significant" if p_values[0] <= level else "not significant"
    said = f"{estimate} is {start} at {level:g} (p = {p_values[0]:.3g}) with {delta.times(factors[0]).words}"
    found = (
        "; it tips at " + ", ".join(delta.times(tip).words for tip in tips)
        if tips
        else f"; no tipping point up to {delta.times(high).words} (p = {p_values[-1]:.3g})"
    )
    return TippingPoint(
        estimate=estimate, level=level, factors=tuple(factors), values=tuple(one.value for one in every),
        p_values=tuple(p_values), tips=tuple(tips), at_tips=tuple(analyse(delta.times(tip)) for tip in tips),
        notes=(said + found,),
    )  # fmt: skip


def conditionally(
    trial: RepeatedTrial, *, strategy: str | Mapping[str, str] = "MAR", reference: str | None = None,
    specification: Specification | None = None, samples: Samples | None = None, adjusted: bool = True,
) -> Callable[[Delta], Analysis]:  # fmt: skip
    """Conditional means with the fits and their imputations made once."""
    assumption = Assumption.of(trial, strategy, reference)
    held = samples or jackknife(trial, assumption, specification)
    held.check(trial, assumption)
    made = Replicates.of(trial, assumption, held, adjusted)
    return lambda delta: conditional_mean(
        trial, strategy=strategy, reference=reference, samples=held, replicates=made, delta=delta, adjusted=adjusted
    )


def multiply(completed: Completed, *, variance: str = "HC2", adjusted: bool = True) -> Callable[[Delta], Analysis]:
    """Multiple imputation with the sets made once."""
    return lambda delta: multiple_imputation(completed, delta=delta, variance=variance, adjusted=adjusted)
