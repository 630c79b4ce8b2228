"""Planning a contrast of two marginal means: risk difference, ratio, odds ratio, rate ratio, mean difference.

The estimate is ``g(mu1) - g(mu0)`` by g-computation with influence-function variance. With ``d_a`` the slope of g at the mean
of arm a, ``k_a^2 = s_a^2 (1 - r_a^2)`` what the score leaves of the outcome's variance, and m_a(X) what it explains::

    n Var = d0^2 k0^2/pi0 + d1^2 k1^2/pi1 + Var(d1 m1(X) - d0 m0(X))

The last term is the *heterogeneity* of the effect over the score. Nobody knows it before the trial, so it is stated: by
default what equal signs of the correlations imply, ``(d1 r1 s1 - d0 r0 s0)^2``; 0 for a constant effect; a number of your own.
Beside it stand the worst case, in which the score means opposite things in the two arms, ``(|d1 r1 s1| + |d0 r0 s0|)^2``, and
the published bound of Hojbjerre-Frandsen, van der Laan & Schuler (arXiv 2503.22284), ``d0^2 s0^2 + d1^2 s1^2 + pi0 pi1 (|d0|
k0/pi0 + |d1| k1/pi1)^2``. It rests on potential outcomes that do not correlate negatively: with slopes of opposite sign the
truth can lie above it. At 1:1 and below a correlation of 0.71 it is worse than no adjustment.

Power ``second order``: the test rejects where ``W = estimate - null - c SE > 0``. W is a function of means and variances of
the arms; its mean, variance and third cumulant by the delta method, skewness of the outcome and the correlation of the
estimate with its own standard error included, go into a one-term Edgeworth series (Hall 1992, The Bootstrap and Edgeworth
Expansion, section 2.4). For a symmetric outcome with identity g it is the non-central t to the same order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtr, stdtrit

from medtwin.trials.planning.checks import arms, correlation, detectable, finite, level, positive
from medtwin.trials.planning.variance import shares
from medtwin.trials.planning.wald import Power, z_power

SECOND_ORDER = "second-order (Edgeworth), influence-function variance"
ASYMPTOTIC = "asymptotic normal, influence-function variance"
WORST = "asymptotic normal, worst-case heterogeneity"
BOUND = "asymptotic normal, published bound for slopes of one sign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm on the scale of its outcome, and g at its mean."""

    mean: float
    sd: float  #: of the outcome
    correlation: float = 0.0  #: of score and outcome
    slope: float = 1.0  #: g'(mean), > 0
    curvature: float = 0.0  #: g''(mean)
    third: float = 0.0  #: third central moment of what the score leaves
    fourth: float | None = None  #: fourth one; None: 3 k^4, as of a normal outcome

    def __post_init__(self) -> None:
        finite("mean", self.mean)
        positive("standard deviation", self.sd)
        correlation("correlation", self.correlation)

    @property
    def residual(self) -> float:
        """``k^2``: variance that the score leaves."""
        return self.sd**2 * (1.0 - self.correlation**2)

    @property
    def explained(self) -> float:
        """``d r s``: standard deviation of g that the score explains, with its sign."""
        return self.slope * self.correlation * self.sd


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """The contrast ``g(mean1) - g(mean0)`` against ``margin``, on the scale of g."""

    control: Arm
    treated: Arm
    effect: float  #: g(mean1) - g(mean0)
    margin: float = 0.0
    covariates: int = 1
    heterogeneity: float | None = None  #: variance of the effect over the score; None: as the correlations imply
    alpha: float = 0.05
    sides: int = 2

    def __post_init__(self) -> None:
        detectable(self.effect, self.margin)
        level(self.alpha, self.sides)
        if self.heterogeneity is not None:
            positive("heterogeneity", self.heterogeneity, zero=True)

    @property
    def away(self) -> float:
        """Distance from the null value."""
        return self.effect - self.margin

    def varied(self) -> float:
        """Variance of the effect over the score."""
        if self.heterogeneity is not None:
            return self.heterogeneity
        return (self.treated.explained - self.control.explained) ** 2

    def variance(self, allocation: float = 1.0) -> float:
        """n Var of the estimate."""
        return self._within(allocation) + self.varied()

    def _within(self, allocation: float) -> float:
        pi0, pi1 = shares(allocation)
        k0, k1 = (arm.slope**2 * arm.residual for arm in (self.control, self.treated))
        return k0 / pi0 + k1 / pi1

    def worst_variance(self, allocation: float = 1.0) -> float:
        """n Var where the score means opposite things in the two arms."""
        return self._within(allocation) + (abs(self.treated.explained) + abs(self.control.explained)) ** 2

    def bound(self, allocation: float = 1.0) -> float:
        """n Var at most, where potential outcomes do not correlate negatively (arXiv 2503.22284)."""
        pi0, pi1 = shares(allocation)
        d0, d1 = self.control.slope, self.treated.slope
        cross = d0 * math.sqrt(self.control.residual) / pi0 + d1 * math.sqrt(self.treated.residual) / pi1
        return (d0 * self.control.sd) ** 2 + (d1 * self.treated.sd) ** 2 + pi0 * pi1 * cross**2

    def asymptotic(self, n0: float, n1: float) -> float:
        """Normal."""
        arms(n0, n1)
        return z_power(self.away, math.sqrt(self.variance(n1 / n0) / (n0 + n1)), self.alpha, self.sides)

    def worst(self, n0: float, n1: float) -> float:
        """Normal, worst-case heterogeneity."""
        arms(n0, n1)
        return z_power(self.away, math.sqrt(self.worst_variance(n1 / n0) / (n0 + n1)), self.alpha, self.sides)

    def bounded(self, n0: float, n1: float) -> float:
        """Normal, with the bound."""
        arms(n0, n1)
        return z_power(self.away, math.sqrt(self.bound(n1 / n0) / (n0 + n1)), self.alpha, self.sides)

    def second_order(self, n0: float, n1: float) -> float:
        """Edgeworth; the planned tail alone."""
        arms(n0, n1)
        sign = math.copysign(1.0, self.away)
        q, n = self.covariates, n0 + n1
        loss = 1.0 + q / max(n - 3.0 - q, 1.0)  # chance imbalance of q covariates, on average
        parts = []
        for arm, size, side in ((self.control, n0, -sign), (self.treated, n1, sign)):
            parts.append((arm, size, side, arm.slope**2 * arm.residual / size))
        varied = self.varied() / n
        se2 = sum(v for *_, v in parts) * loss + varied
        se = math.sqrt(se2)
        spread = sum(v**2 / max(size - 1.0 - q, 0.5) for _, size, _, v in parts)
        df = min(sum(v for *_, v in parts) ** 2 / spread, n - 2.0)
        c = float(stdtrit(df, 1.0 - level(self.alpha, self.sides)))
        mean, var, cumulant = abs(self.away) - c * se, varied, 0.0
        for arm, size, side, _ in parts:
            k2 = arm.residual
            fourth = 3.0 * k2 * k2 if arm.fourth is None else arm.fourth
            by_mean = side * arm.slope - c * arm.slope * arm.curvature * k2 / (size * se)
            by_variance = -c * arm.slope**2 / (2.0 * size * se)
            mean += side * arm.curvature * k2 / (2.0 * size)
            mean += c * by_variance**2 / c**2 * (fourth - k2 * k2) / size / (2.0 * se)
            var += (by_mean**2 * k2 * loss + 2.0 * by_mean * by_variance * arm.third
                    + by_variance**2 * (fourth - k2 * k2)) / size  # fmt: skip
            cumulant += by_mean**3 * arm.third / size**2 + 3.0 * side * arm.curvature * by_mean**2 * k2**2 / size**2
        if var <= 0.0:
            return self.asymptotic(n0, n1)
        at = -mean / math.sqrt(var)
        skew = cumulant / var**1.5
        density = math.exp(-0.5 * at * at) / math.sqrt(2.0 * math.pi)
        return float(min(max(1.0 - (ndtr(at) - skew / 6.0 * (at * at - 1.0) * density), 0.0), 1.0))

    def methods(self) -> dict[str, Power]:
        """Power functions of (n0, n1) by method; the first is the one to plan by."""
        made: dict[str, Power] = {SECOND_ORDER: self.second_order, ASYMPTOTIC: self.asymptotic}
        if self.control.correlation or self.treated.correlation:
            made |= {WORST: self.worst, BOUND: self.bounded}
        return made
