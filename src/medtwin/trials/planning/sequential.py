"""Group-sequential designs: boundaries, crossing probabilities, inflation factor, expected sample size.

Boundaries on the Z scale, ``t`` the information fraction of a look:

- ``spending``: an alpha-spending function of ``spending.py`` (Lan & DeMets 1983)
- ``wang-tsiatis``: ``c t^(shape - 1/2)`` (Wang & Tsiatis 1987, Biometrics 43:193); shape 0 is O'Brien & Fleming 1979, 0.5 is
  Pocock 1977
- ``haybittle-peto``: 3 at every interim look, the last bound so that the level is kept exactly (Haybittle 1971, Peto 1976)

Futility bounds come from a beta-spending function, or are given as Z values. *Binding*: the upper bounds count on them.
*Not binding* (default): the level holds even where a trial goes on below them, and the plan's power does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import information_rates, level, target
from medtwin.trials.planning.crossing import START, Crossing, Going, above, advance, below, crossing
from medtwin.trials.planning.spending import spent

Floats = NDArray[np.float64]
KINDS = ("spending", "wang-tsiatis", "haybittle-peto")
FAR = 12.0  #: a Z bound beyond it is never crossed
EXACT = {"xtol": 1e-13, "rtol": 1e-14}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What is chosen: when to look, and by which bounds."""

    information: tuple[float, ...]  #: share of the information at each look; the last is 1
    kind: str = "spending"  #: spending | wang-tsiatis | haybittle-peto
    function: str = "obrien-fleming"  #: the alpha-spending function
    parameter: float | None = None  #: of the spending function; shape of wang-tsiatis (0); bound of haybittle-peto (3)
    futility: str | None = None  #: a beta-spending function, or none
    futility_parameter: float | None = None
    futility_z: tuple[float, ...] | None = None  #: or Z bounds at the interim looks
    binding: bool = False

    @property
    def method(self) -> str:
        """In words."""
        names = {"obrien-fleming": "O'Brien-Fleming-type", "pocock": "Pocock-type"}
        by = names.get(self.function, self.function)
        words = {"spending": f"{by} alpha spending", "wang-tsiatis": f"Wang-Tsiatis, shape {self.parameter or 0.0:g}",
                 "haybittle-peto": f"Haybittle-Peto, interim bound {self.parameter or 3.0:g}"}[self.kind]  # fmt: skip
        if self.futility or self.futility_z:
            held = "binding" if self.binding else "not binding"
            words += f"; {held} futility " + (
                f"by {names.get(self.futility, self.futility)} beta spending" if self.futility else "at given Z values"
            )
        return words + "; exact crossing probabilities by recursive integration"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSequential:
    """A design: its bounds, and the drift (``E Z`` at full information) that gives ``power``."""

    looks: Looks
    alpha: float  #: of the whole test
    sides: int
    power: float
    upper: Floats  #: Z bounds for efficacy, one a look
    lower: Floats  #: Z bounds for futility (of a two-sided test: the mirrored efficacy bounds)
    drift: float
    fixed_drift: float  #: that a trial without interim looks needs

    @property
    def inflation(self) -> float:
        """Maximum information over that of the fixed design."""
        return (self.drift / self.fixed_drift) ** 2

    @property
    def alpha_spent(self) -> Floats:
        """Cumulative, by look, as the design counts it (of both sides together)."""
        heeded = self.lower if self.sides == 2 or self.looks.binding else None
        found = crossing(self.looks.information, 0.0, self.upper, heeded)
        return np.cumsum(found.upper) * self.sides

    def at(self, drift: float) -> Crossing:
        """Stopping probabilities where ``E Z`` at full information is ``drift`` and futility bounds are heeded."""
        return crossing(self.looks.information, drift, self.upper, self.lower)

    def rejects(self, drift: float) -> float:
        """Probability to reject: of a two-sided test on either side."""
        found = self.at(drift)
        return float(found.upper.sum() + (found.lower.sum() if self.sides == 2 else 0.0))

    def expected(self, drift: float) -> float:
        """Expected information at the end, as a share of the maximum."""
        return float(self.at(drift).stopping @ np.asarray(self.looks.information))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    if function(low) * function(high) > 0.0:
        raise AnalysisError(
            "bounds that no trial of any size can satisfy", expected="bounds that leave room for the level and the power",
            remedy="lower the futility bounds, or the power",
        )  # fmt: skip
    return float(brentq(function, low, high, **EXACT))


def _bound(tail: Callable[[float], float], wanted: float) -> float:
    """The Z at which ``tail`` (falling) is ``wanted``."""
    if wanted <= 1e-16 or tail(FAR) >= wanted:
        return math.inf
    return _root(lambda z: tail(z) - wanted, -FAR, FAR) if tail(-FAR) > wanted else -math.inf


def _shaped(looks: Looks, rates: Floats, side: float, low: Floats, mirrored: bool) -> Floats:
    """Upper bounds of the families that one constant sets. ``low``: futility bounds that count (-inf: none)."""

    def total(upper: Floats) -> float:
        return float(crossing(rates, 0.0, upper, -upper if mirrored else np.minimum(low, upper)).upper.sum())

    if looks.kind == "wang-tsiatis":
        form = rates ** ((looks.parameter or 0.0) - 0.5)
        return form * _root(lambda c: total(c * form) - side, 1e-3, 2.0 * FAR)
    early = 3.0 if looks.parameter is None else looks.parameter

    def bounds(last: float) -> Floats:
        return np.concatenate([np.full(len(rates) - 1, early), [last]])

    if total(bounds(FAR)) >= side:
        raise AnalysisError(
            f"interim bounds of {early:g} that spend more than {side:g} a side", expected="a higher interim bound",
            remedy="3 keeps almost all of 0.025 for the last look",
        )  # fmt: skip
    return bounds(_root(lambda z: total(bounds(z)) - side, -FAR, FAR))


def _walk(looks: Looks, rates: Floats, side: float, beta: float, drift: float, fixed: Floats | None,
          sides: int) -> tuple[Floats, Floats]:  # fmt: skip
    """Upper and lower bounds, look by look. ``fixed``: upper bounds that are known already."""
    last = len(rates) - 1
    by_spending = (
        None if fixed is not None else np.diff(spent(looks.function, rates, side, looks.parameter), prepend=0.0)
    )
    lost = (
        np.diff(spent(looks.futility, rates, beta, looks.futility_parameter), prepend=0.0) if looks.futility else None
    )
    upper, lower = np.full(last + 1, np.inf), np.full(last + 1, -np.inf)
    null: Going = START
    real: Going = START
    for k, i in enumerate(rates):
        if fixed is not None:
            upper[k] = fixed[k]
        elif by_spending is not None:
            upper[k] = _bound(lambda z, i=i, null=null: above(null, i, 0.0, z), by_spending[k])  # type: ignore[misc]
        if sides == 2:
            lower[k] = -upper[k]
        elif k == last and (looks.futility or looks.futility_z):
            lower[k] = upper[k]
        elif looks.futility_z:
            lower[k] = min(looks.futility_z[k], upper[k])
        elif lost is not None:
            lower[k] = min(-_bound(lambda z, i=i, real=real: below(real, i, drift, -z), lost[k]), upper[k])  # type: ignore[misc]
        if k < last:
            heeded = lower[k] if sides == 2 or looks.binding else -np.inf
            null = advance(null, i, 0.0, heeded, upper[k], rates[k + 1])
            real = advance(real, i, drift, lower[k], upper[k], rates[k + 1])
    return upper, lower


@lru_cache(maxsize=256)
def group_sequential(looks: Looks, *, alpha: float = 0.05, sides: int = 2, power: float = 0.9) -> GroupSequential:
    """The design. Raises AnalysisError for rates that do not rise, futility in a two-sided test, or a power <= alpha."""
    side = level(alpha, sides)
    target(power, alpha)
    rates = information_rates(looks.information)
    if looks.kind not in KINDS:
        raise AnalysisError(f"boundary {looks.kind!r}", expected=", ".join(KINDS))
    if sides == 2 and (looks.futility or looks.futility_z):
        raise AnalysisError(
            "futility bounds in a two-sided test", expected="a one-sided test",
            remedy="plan one-sided at half the level: the efficacy bounds stay as they are",
        )  # fmt: skip
    if looks.futility and looks.futility_z:
        raise AnalysisError("a beta-spending function and Z values", expected="one kind of futility bound")
    if looks.futility_z and len(looks.futility_z) != len(rates) - 1:
        raise AnalysisError(
            f"{len(looks.futility_z)} futility bounds", expected=f"{len(rates) - 1}, one an interim look"
        )
    if looks.binding and looks.futility and looks.kind != "spending":
        raise AnalysisError(
            f"binding beta-spending futility with {looks.kind} bounds", expected="alpha spending, or not binding",
            remedy="set kind: spending, or binding: false",
        )  # fmt: skip
    fixed: Floats | None = None
    if looks.kind != "spending":
        low = np.full(len(rates), -np.inf)
        if looks.binding and looks.futility_z:
            low[:-1] = looks.futility_z
        fixed = _shaped(looks, rates, side, low, sides == 2)
    z_sum = float(ndtri(1.0 - side) + ndtri(power))

    def made(drift: float) -> tuple[Floats, Floats]:
        return _walk(looks, rates, side, 1.0 - power, drift, fixed, sides)

    still = None if looks.futility else made(z_sum)

    def reached(drift: float) -> float:
        upper, lower = still or made(drift)
        found = crossing(rates, drift, upper, lower)
        return float(found.upper.sum() + (found.lower.sum() if sides == 2 else 0.0)) - power

    if looks.futility:  # power grows with drift until the bounds leave no room for beta; look for it from below
        drift = _root(reached, z_sum * 0.999, z_sum * 2.0)
    else:
        drift = _root(reached, 1e-6, 4.0 * z_sum + FAR)
    upper, lower = still or made(drift)
    return GroupSequential(
        looks=looks, alpha=alpha, sides=sides, power=power, upper=upper, lower=lower, drift=drift,
        fixed_drift=fixed_drift(alpha, sides, power),
    )  # fmt: skip


def fixed_drift(alpha: float, sides: int, power: float) -> float:
    """``E Z`` that a trial without interim looks needs; of a two-sided test both tails are counted."""
    z = float(ndtri(1.0 - level(alpha, sides)))
    target(power, alpha)
    if sides == 1:
        return z + float(ndtri(power))
    return _root(lambda drift: float(ndtr(drift - z) + ndtr(-drift - z)) - power, 1e-9, 4.0 * FAR)
