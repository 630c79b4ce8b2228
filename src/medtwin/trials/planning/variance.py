"""Asymptotic variance of the difference of means: unadjusted, ANCOVA I, ANCOVA II. All values are n Var(estimate).

With arm shares pi, standard deviations s and correlations r of score and outcome within an arm::

    unadjusted                       v   = s0^2/pi0 + s1^2/pi1
    ANCOVA I (one slope)             v_I = sum_a (s_a^2 - 2 b r_a s_a + b^2)/pi_a,   b = pi0 r0 s0 + pi1 r1 s1
    ANCOVA II (a slope an arm)       v_II = v - pi0 pi1 (r0 s0/pi0 + r1 s1/pi1)^2

ANCOVA I can be worse than no adjustment where arms are unequal in size, slope and spread - just what a smaller control arm
is. ANCOVA II never is.

Sources: Yang & Tsiatis 2001, Am. Stat. 55:314; Schuler et al. 2022, Int. J. Biostat., arXiv 2012.09935; Ye et al. 2023, JASA
118:2370 (ANHECOVA).
"""

from __future__ import annotations

from dataclasses import dataclass

from medtwin.trials.planning.checks import correlation, positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """What the two arms are like."""

    sd0: float  #: of the outcome, control
    sd1: float
    correlation0: float = 0.0  #: of score and outcome, control
    correlation1: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("control", self.sd0), ("treated", self.sd1)):
            positive(f"standard deviation ({name})", value)
        for name, value in (("control", self.correlation0), ("treated", self.correlation1)):
            correlation(f"correlation ({name})", value)

    @property
    def alike(self) -> bool:
        """One spread and one slope: the classical model, in which power is exact."""
        return self.sd0 == self.sd1 and self.correlation0 == self.correlation1

    def residual(self) -> tuple[float, float]:
        """Variance that the score leaves, by arm: ``s^2 (1 - r^2)``."""
        return self.sd0**2 * (1.0 - self.correlation0**2), self.sd1**2 * (1.0 - self.correlation1**2)

    def explained_difference(self) -> float:
        """``(r1 s1 - r0 s0)^2``: variance of the effect that the score explains."""
        return (self.correlation1 * self.sd1 - self.correlation0 * self.sd0) ** 2


def shares(allocation: float) -> tuple[float, float]:
    """(pi0, pi1) of ``allocation`` treated patients per control."""
    positive("allocation", allocation)
    return 1.0 / (1.0 + allocation), allocation / (1.0 + allocation)


def unadjusted(arms: Arms, allocation: float = 1.0) -> float:
    """``s0^2/pi0 + s1^2/pi1``."""
    pi0, pi1 = shares(allocation)
    return arms.sd0**2 / pi0 + arms.sd1**2 / pi1


def ancova_1(arms: Arms, allocation: float = 1.0) -> float:
    """One slope for both arms."""
    pi0, pi1 = shares(allocation)
    c0, c1 = arms.correlation0 * arms.sd0, arms.correlation1 * arms.sd1
    b = pi0 * c0 + pi1 * c1
    return (arms.sd0**2 - 2.0 * b * c0 + b * b) / pi0 + (arms.sd1**2 - 2.0 * b * c1 + b * b) / pi1


def ancova_2(arms: Arms, allocation: float = 1.0) -> float:
    """A slope for each arm, score centred over both."""
    pi0, pi1 = shares(allocation)
    slope = arms.correlation0 * arms.sd0 / pi0 + arms.correlation1 * arms.sd1 / pi1
    return unadjusted(arms, allocation) - pi0 * pi1 * slope**2
