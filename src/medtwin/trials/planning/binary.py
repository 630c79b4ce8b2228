"""Planning a binary outcome: risk difference, risk ratio, odds ratio; marginal, with or without a score.

- ``g``: identity, log, logit; slopes ``1``, ``1/p``, ``1/(p (1-p))``.
- enumeration: the power is the sum over every pair of counts at which the test rejects. Exact without a score, for the test
  of g-computation (influence-function variance with n - 1, Satterthwaite t), for Wald's and for the pooled one. With a score
  of correlation r the same sum is taken for ``n_a/(1 - r_a^2)`` patients, which the score makes of n_a: within a point of
  simulation from about 10 events (and non-events) an arm on.
- pooled asymptotic: ``n0 = (z_alpha sqrt((1 + 1/r) p (1-p)) + z_power sqrt(p0 (1-p0) + p1 (1-p1)/r))^2 / (p1 - p0)^2`` with r
  treated patients a control, p the mean risk (Fleiss, Levin & Paik 2003, section 4.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaln, ndtr, ndtri, stdtrit

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import arms, level, positive, share
from medtwin.trials.planning.latent import residual_moments
from medtwin.trials.planning.marginal import Arm, Marginal
from medtwin.trials.planning.wald import Power

SCALES = ("risk-difference", "risk-ratio", "odds-ratio")
#: what stands in where there are more pairs of counts than are summed (``MOST``), said in the name
BEYOND = "beyond 6 million pairs of counts"
ENUMERATED = (
    f"exact, enumeration of all counts ({BEYOND}: second order), influence-function variance and Satterthwaite t"
)
EFFECTIVE = (
    f"enumeration of all counts at the effective number of patients ({BEYOND}: second order), influence-function variance and "
    "Satterthwaite t"
)
ENUMERATED_WALD = f"exact, enumeration of all counts ({BEYOND}: asymptotic normal), Wald test"
ENUMERATED_POOLED = f"exact, enumeration of all counts ({BEYOND}: asymptotic normal), pooled test"
POOLED = "asymptotic normal, pooled variance"
MOST = 6.0e6  #: pairs of counts that are summed; beyond, second order and normal laws agree to 1e-4 and stand in


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """Two risks and the scale of their contrast."""

    risk0: float
    risk1: float
    scale: str = "risk-difference"
    correlation0: float = 0.0  #: of score and outcome (0 or 1), control
    correlation1: float = 0.0
    covariates: int = 1
    margin: float | None = None  #: null value: a difference, or a ratio where the scale is one; None: no effect
    heterogeneity: float | None = None
    alpha: float = 0.05
    sides: int = 2

    def __post_init__(self) -> None:
        share("control risk", self.risk0)
        share("treated risk", self.risk1)
        if self.scale not in SCALES:
            raise AnalysisError(f"scale {self.scale!r}", expected=", ".join(SCALES))
        self.contrast()

    @property
    def adjusted(self) -> bool:
        """Whether a score explains anything."""
        return self.correlation0 != 0.0 or self.correlation1 != 0.0

    def _g(self, p: float) -> tuple[float, float, float]:
        """g, its slope and its curvature."""
        if self.scale == "risk-difference":
            return p, 1.0, 0.0
        if self.scale == "risk-ratio":
            return math.log(p), 1.0 / p, -1.0 / p**2
        return math.log(p / (1.0 - p)), 1.0 / (p * (1.0 - p)), (2.0 * p - 1.0) / (p * (1.0 - p)) ** 2

    def null(self) -> float:
        """The margin on the scale of g."""
        if self.margin is None:
            return 0.0
        return self.margin if self.scale == "risk-difference" else math.log(positive("margin (a ratio)", self.margin))

    def contrast(self) -> Marginal:
        """The contrast of marginal means."""
        return _contrast(self)

    def enumerated(self, n0: float, n1: float) -> float:
        """Sum over the counts at which the test of g-computation rejects: exact without a score.

        With one, the counts of ``n_a / ((1 - r_a^2) loss)`` patients, averaged over neighbouring whole numbers since an
        adjusted risk has no lattice; ``loss``: chance imbalance of covariates, and heterogeneity.
        """
        arms(n0, n1)
        contrast = self.contrast()
        if self._too_many(n0, n1):
            return contrast.second_order(n0, n1)
        if not self.adjusted:
            return self._summed(round(n0), round(n1), round(n0), round(n1), "influence")
        q, n = self.covariates, n0 + n1
        within = sum(arm.slope**2 * arm.residual / m for arm, m in ((contrast.control, n0), (contrast.treated, n1)))
        loss = 1.0 + q / max(n - 3.0 - q, 1.0) + contrast.varied() / n / within
        m0 = max(round(n0 / ((1.0 - self.correlation0**2) * loss)), 3)
        m1 = max(round(n1 / ((1.0 - self.correlation1**2) * loss)), 3)
        near = (-1, 0, 1) if min(m0, m1) < 2000 else (0,)
        found = [self._summed(m0 + i, m1 + j, n0, n1, "influence") for i in near for j in near]
        return sum(found) / len(found)

    def enumerated_wald(self, n0: float, n1: float) -> float:
        """Exact power of the unadjusted Wald test with a normal critical value."""
        arms(n0, n1)
        if self._too_many(n0, n1):
            return self.contrast().asymptotic(n0, n1)
        return self._summed(round(n0), round(n1), n0, n1, "wald")

    def enumerated_pooled(self, n0: float, n1: float) -> float:
        """Exact power of the unadjusted pooled test of no difference."""
        arms(n0, n1)
        if self._too_many(n0, n1):
            return self.pooled(n0, n1)
        return self._summed(round(n0), round(n1), n0, n1, "pooled")

    def _too_many(self, n0: float, n1: float) -> bool:
        """Whether the pairs of counts are so many (some 100,000 patients an arm) that a normal law is as good."""
        spreads = (n * p * (1.0 - p) + 1.0 for n, p in ((n0, self.risk0), (n1, self.risk1)))
        return 256.0 * math.sqrt(math.prod(spreads)) > MOST

    def _summed(self, m0: int, m1: int, n0: float, n1: float, test: str) -> float:
        """``m``: patients of the counts, ``n``: patients of the degrees of freedom."""
        (y0, w0), (y1, w1) = _binomial(m0, self.risk0), _binomial(m1, self.risk1)
        p0, p1 = (y0 / m0)[:, None], (y1 / m1)[None, :]
        q = self.covariates if self.adjusted else 0
        critical: float | np.ndarray = float(ndtri(1.0 - level(self.alpha, self.sides)))
        with np.errstate(divide="ignore", invalid="ignore"):
            if test == "pooled":
                p = (m0 * p0 + m1 * p1) / (m0 + m1)
                away, v0, v1 = p1 - p0, p * (1.0 - p) / m0, p * (1.0 - p) / m1
            else:
                away = self._values(p1) - self._values(p0) - self.null()
                v0, v1 = self._variances(p0) / m0, self._variances(p1) / m1
            if test == "influence":
                df0, df1 = max(n0 - 1.0 - q, 0.5), max(n1 - 1.0 - q, 0.5)
                v0, v1 = v0 * n0 / df0, v1 * n1 / df1
                critical = _t_quantile(
                    (v0 + v1) ** 2 / (v0**2 / df0 + v1**2 / df1), 1.0 - level(self.alpha, self.sides)
                )
            statistic = away / np.sqrt(v0 + v1) * math.copysign(1.0, self.contrast().away)
            rejects = statistic > critical  # nothing is rejected where no variance can be estimated
            if self.sides == 2:
                rejects |= statistic < -critical
            rejects &= v0 + v1 > 0.0
        return float(w0 @ rejects @ w1)

    def _values(self, p: np.ndarray) -> np.ndarray:
        if self.scale == "risk-difference":
            return p
        return np.log(p) if self.scale == "risk-ratio" else np.log(p / (1.0 - p))

    def _variances(self, p: np.ndarray) -> np.ndarray:
        if self.scale == "risk-difference":
            return p * (1.0 - p)
        return (1.0 - p) / p if self.scale == "risk-ratio" else 1.0 / (p * (1.0 - p))

    def pooled(self, n0: float, n1: float) -> float:
        """Normal power of the pooled test of no difference."""
        arms(n0, n1)
        r = n1 / n0
        p = (self.risk0 + r * self.risk1) / (1.0 + r)
        null = math.sqrt((1.0 + 1.0 / r) * p * (1.0 - p))
        real = math.sqrt(self.risk0 * (1.0 - self.risk0) + self.risk1 * (1.0 - self.risk1) / r)
        z = float(ndtri(1.0 - level(self.alpha, self.sides)))
        return float(ndtr((abs(self.risk1 - self.risk0) * math.sqrt(n0) - z * null) / real))

    def methods(self) -> dict[str, Power]:
        """Power functions of (n0, n1) by method; the first is the one to plan by."""
        made: dict[str, Power] = {EFFECTIVE if self.adjusted else ENUMERATED: self.enumerated}
        made |= self.contrast().methods()
        if not self.adjusted:
            made[ENUMERATED_WALD] = self.enumerated_wald
            if self.null() == 0.0:
                made |= {ENUMERATED_POOLED: self.enumerated_pooled, POOLED: self.pooled}
        return made


@lru_cache(maxsize=64)
def _contrast(risks: Binary) -> Marginal:
    """Asked for at every sum over counts, and always the same."""
    arms, values = [], []
    for p, r in ((risks.risk0, risks.correlation0), (risks.risk1, risks.correlation1)):
        value, slope, curvature = risks._g(p)
        sd = math.sqrt(p * (1.0 - p))
        third, fourth = residual_moments(np.array([1.0 - p]), p, sd, r)
        arms.append(Arm(mean=p, sd=sd, correlation=r, slope=slope, curvature=curvature, third=third, fourth=fourth))
        values.append(value)
    return Marginal(
        control=arms[0], treated=arms[1], effect=values[1] - values[0], margin=risks.null(),
        covariates=risks.covariates if risks.adjusted else 0, heterogeneity=risks.heterogeneity, alpha=risks.alpha,
        sides=risks.sides,
    )  # fmt: skip


def _t_quantile(df: np.ndarray, p: float) -> np.ndarray:
    """Quantiles of t for many ``df``: Cornish-Fisher above 12 (error below 1e-5), where the exact ones are slow."""
    z = float(ndtri(p))
    with np.errstate(all="ignore"):
        terms = (
            (z**3 + z) / 4.0 / df + (5 * z**5 + 16 * z**3 + 3 * z) / 96.0 / df**2
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384.0 / df**3
        )  # fmt: skip
    found = z + terms
    small = df <= 12.0
    found[small] = stdtrit(df[small], p)
    return found


def _binomial(n: int, p: float) -> tuple[np.ndarray, np.ndarray]:
    """Counts within eight standard deviations of the mean, and their probabilities."""
    reach = 8.0 * math.sqrt(n * p * (1.0 - p)) + 8.0
    y = np.arange(max(0, math.floor(n * p - reach)), min(n, math.ceil(n * p + reach)) + 1.0)
    log = gammaln(n + 1.0) - gammaln(y + 1.0) - gammaln(n - y + 1.0) + y * math.log(p) + (n - y) * math.log1p(-p)
    return y, np.exp(log)
