"""Power of ANCOVA with a prognostic score for a continuous outcome: exact, and three approximations beside it.

Model: ``Y = mu + delta A + beta' X + e`` with q random normal covariates of squared multiple correlation R2 with the outcome
within an arm, spread ``s`` of the outcome, ``n0 + n1`` patients, ``N = n0 + n1 - 2``, ``c = 1/n0 + 1/n1``.

- exact: ``E_F[ P(|t_(N-q)(d / (s sqrt((1-R2) c (1 + T2/N))))| > t_crit) ]``, see ``wald.quadrature_power``
- non-central t: the same without T2
- Guenther-Schouten: ``n = (1+r)^2/r (z + z)^2 s^2 (1-R2)/d^2 + z^2/2`` (Guenther 1981, Am. Stat. 35:243; Schouten 1999,
  Stat. Med. 18:87)
- asymptotic: ``n = v (z + z)^2/d^2``

d is the distance of the effect from the margin (0: superiority), in the outcome's unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from medtwin.trials.planning.checks import arms as check_arms
from medtwin.trials.planning.checks import detectable, level, positive, target
from medtwin.trials.planning.variance import Arms, ancova_1, ancova_2, shares
from medtwin.trials.planning.wald import Power, quadrature_power, t_power, z_power

EXACT = "exact, quadrature over random normal covariates"
QUADRATURE = "ANCOVA II, quadrature over random normal covariates with Satterthwaite df"
NONCENTRAL = "non-central t, covariates as if balanced"
GUENTHER_SCHOUTEN = "Guenther-Schouten"
ASYMPTOTIC = "asymptotic normal"
ASYMPTOTIC_1 = "asymptotic normal, ANCOVA I"
ASYMPTOTIC_2 = "asymptotic normal, ANCOVA II"


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuous:
    """A difference of means, adjusted for ``covariates`` covariates, the score among them."""

    effect: float  #: treated - control, in the outcome's unit
    arms: Arms  #: of the classical model both alike
    covariates: int = 1  #: q; 0: no adjustment
    margin: float = 0.0  #: null value: 0 superiority; -m non-inferiority where more is better
    alpha: float = 0.05
    sides: int = 2
    heterogeneity: float | None = None  #: variance of the effect over the score; None: as the arms' slopes imply

    def __post_init__(self) -> None:
        detectable(self.effect, self.margin)
        level(self.alpha, self.sides)
        positive("covariates", self.covariates, zero=True)
        if self.heterogeneity is not None:
            positive("heterogeneity", self.heterogeneity, zero=True)

    @property
    def away(self) -> float:
        """Distance of the effect from the margin."""
        return self.effect - self.margin

    def varied(self) -> float:
        """Variance of the effect over the score."""
        return self.arms.explained_difference() if self.heterogeneity is None else self.heterogeneity

    def variance(self, allocation: float = 1.0) -> float:
        """n Var: ``k0^2/pi0 + k1^2/pi1 + heterogeneity``; with the implied heterogeneity that of ANCOVA II."""
        pi0, pi1 = shares(allocation)
        k0, k1 = self.arms.residual()
        return k0 / pi0 + k1 / pi1 + self.varied()

    def _classical(self) -> bool:
        return self.arms.alike and self.varied() == 0.0

    def standard_error(self, n0: float, n1: float) -> float:
        """Of the estimate, chance imbalance of covariates left out."""
        check_arms(n0, n1)
        k0, k1 = self.arms.residual()
        return math.sqrt(k0 / n0 + k1 / n1 + self.varied() / (n0 + n1))

    def exact(self, n0: float, n1: float) -> float:
        """Exact in the classical model; otherwise ANCOVA II with Satterthwaite degrees of freedom."""
        se, n = self.standard_error(n0, n1), n0 + n1 - 2.0
        df = None
        if not self._classical():
            k0, k1 = self.arms.residual()
            q = self.covariates
            spread = (k0 / n0) ** 2 / max(n0 - 1.0 - q, 0.5) + (k1 / n1) ** 2 / max(n1 - 1.0 - q, 0.5)
            df = min((k0 / n0 + k1 / n1) ** 2 / spread, n)
        return quadrature_power(self.away, se, n, self.covariates, self.alpha, self.sides, df)

    def noncentral(self, n0: float, n1: float) -> float:
        """Non-central t with n0 + n1 - 2 - q degrees of freedom."""
        return t_power(self.away, self.standard_error(n0, n1), n0 + n1 - 2.0 - self.covariates, self.alpha, self.sides)

    def asymptotic(self, n0: float, n1: float) -> float:
        """Normal."""
        return z_power(self.away, self.standard_error(n0, n1), self.alpha, self.sides)

    def asymptotic_1(self, n0: float, n1: float) -> float:
        """Normal, with the variance of ANCOVA I."""
        check_arms(n0, n1)
        return z_power(self.away, math.sqrt(ancova_1(self.arms, n1 / n0) / (n0 + n1)), self.alpha, self.sides)

    def asymptotic_2(self, n0: float, n1: float) -> float:
        """Normal, with the variance of ANCOVA II that the arms' slopes imply."""
        check_arms(n0, n1)
        return z_power(self.away, math.sqrt(ancova_2(self.arms, n1 / n0) / (n0 + n1)), self.alpha, self.sides)

    def guenther_schouten(self, n0: float, n1: float) -> float:
        """Power that Guenther-Schouten's number of patients has."""
        check_arms(n0, n1)
        return guenther_schouten_power(
            n0 + n1, self.variance(n1 / n0) * shares(n1 / n0)[0] * shares(n1 / n0)[1], self.away, n1 / n0,
            alpha=self.alpha, sides=self.sides,
        )  # fmt: skip

    def methods(self) -> dict[str, Power]:
        """Power functions of (n0, n1) by the name of their method; the first is the one to plan by."""
        made: dict[str, Power] = {
            EXACT if self._classical() else QUADRATURE: self.exact,
            NONCENTRAL: self.noncentral,
            GUENTHER_SCHOUTEN: self.guenther_schouten,
            ASYMPTOTIC: self.asymptotic,
        }
        if not self.arms.alike:
            made |= {ASYMPTOTIC_1: self.asymptotic_1, ASYMPTOTIC_2: self.asymptotic_2}
        return made


def guenther_schouten_n(variance: float, away: float, allocation: float = 1.0, *, power: float, alpha: float = 0.05,
                        sides: int = 2) -> float:  # fmt: skip
    """Patients in all; ``variance`` is the residual one, ``s^2 (1 - R2)``."""
    target(power, alpha)
    z, positive_r = float(ndtri(1.0 - level(alpha, sides))), positive("allocation", allocation)
    needed = (1.0 + positive_r) ** 2 / positive_r * (z + float(ndtri(power))) ** 2
    return needed * positive("variance", variance) / detectable(away, 0.0) ** 2 + z * z / 2.0


def guenther_schouten_power(n: float, variance: float, away: float, allocation: float = 1.0, *, alpha: float = 0.05,
                            sides: int = 2) -> float:  # fmt: skip
    """The inverse: power of ``n`` patients in all (the planned tail alone)."""
    z, r = float(ndtri(1.0 - level(alpha, sides))), positive("allocation", allocation)
    reduced = max(n - z * z / 2.0, 0.0)
    return float(ndtr(abs(detectable(away, 0.0)) * math.sqrt(reduced * r / (variance * (1.0 + r) ** 2)) - z))
