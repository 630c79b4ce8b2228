"""Planning a count: the ratio of two rates, Poisson or negative binomial, with exposure.

Count of a patient over an exposure t: mean ``mu = rate t``, variance ``mu + k mu^2`` (k = 0: Poisson). On the log scale::

    n Var(log ratio) = v0/pi0 + v1/pi1,      v_a = 1 / E[mu_a/(1 + k mu_a)]     (Zhu & Lakkis 2014, Stat. Med. 33:376)

with the expectation over the exposure: ``exposure`` for everyone, or cut short by drop-out at a constant hazard. A score of
correlation r with the count leaves ``1 - r^2`` of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, pdtr

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import correlation, positive
from medtwin.trials.planning.latent import residual_moments
from medtwin.trials.planning.marginal import Arm, Marginal
from medtwin.trials.planning.wald import Power

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
MOST = 200_000  #: counts of one patient up to which the distribution is summed


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Two rates per unit of time."""

    rate0: float  #: events per unit of time, control
    ratio: float  #: treated rate over control rate
    exposure: float = 1.0  #: in the same unit of time
    dispersion: float = 0.0  #: k; 0: Poisson
    dropout_hazard: float = 0.0  #: per unit of time
    correlation0: float = 0.0
    correlation1: float = 0.0
    covariates: int = 1
    margin: float = 1.0  #: null value of the ratio
    heterogeneity: float | None = None
    alpha: float = 0.05
    sides: int = 2

    def __post_init__(self) -> None:
        if self.rate0 == 0.0:
            raise AnalysisError("a control rate of 0", expected="events", remedy="without events no ratio can be shown")
        for name in ("rate0", "ratio", "exposure", "margin"):
            positive(name, getattr(self, name))
        for name in ("dispersion", "dropout_hazard"):
            positive(name, getattr(self, name), zero=True)
        correlation("correlation", self.correlation0)
        correlation("correlation", self.correlation1)
        self.contrast()

    @property
    def adjusted(self) -> bool:
        """Whether a score explains anything."""
        return self.correlation0 != 0.0 or self.correlation1 != 0.0

    def _information(self, rate: float) -> float:
        """``E[mu/(1 + k mu)]`` over the exposure."""
        h, end = self.dropout_hazard, self.exposure

        def at(t: np.ndarray) -> np.ndarray:
            return rate * t / (1.0 + self.dispersion * rate * t)

        if h == 0.0:
            return float(at(np.array([end]))[0])
        t = end * (NODES + 1.0) / 2.0
        left = float((WEIGHTS * h * np.exp(-h * t) * at(t)).sum() * end / 2.0)
        return left + math.exp(-h * end) * float(at(np.array([end]))[0])

    def contrast(self) -> Marginal:
        """The contrast of log rates. With drop-out skewness is left out: counts of unequal exposure have no one law."""
        arms = []
        for rate, r in ((self.rate0, self.correlation0), (self.rate0 * self.ratio, self.correlation1)):
            mean = rate * self.exposure if self.dropout_hazard == 0.0 else rate * _mean_exposure(self)
            sd = mean / math.sqrt(self._information(rate))
            third, fourth = (0.0, None) if self.dropout_hazard else residual_moments(self._cdf(mean), mean, sd, r)
            arms.append(Arm(mean=mean, sd=sd, correlation=r, slope=1.0 / mean, curvature=-1.0 / mean**2, third=third,
                            fourth=fourth))  # fmt: skip
        return Marginal(
            control=arms[0], treated=arms[1], effect=math.log(self.ratio), margin=math.log(self.margin),
            covariates=self.covariates if self.adjusted else 0, heterogeneity=self.heterogeneity, alpha=self.alpha,
            sides=self.sides,
        )  # fmt: skip

    def _cdf(self, mean: float) -> np.ndarray:
        sd = math.sqrt(mean + self.dispersion * mean**2)
        most = int(mean + 40.0 * sd * max(1.0, math.sqrt(self.dispersion)) + 30.0)
        if most > MOST:
            raise AnalysisError(
                f"a mean count of {mean:g}", expected="a countable outcome",
                remedy="plan so large a count as a continuous outcome",
            )  # fmt: skip
        y = np.arange(most)
        if self.dispersion == 0.0:
            return np.asarray(pdtr(y, mean))
        size = 1.0 / self.dispersion
        return np.asarray(negative_binomial_cdf(y, size, size / (size + mean)))

    def methods(self) -> dict[str, Power]:
        """Power functions of (n0, n1) by method; the first is the one to plan by."""
        return self.contrast().methods()


def negative_binomial_cdf(y: np.ndarray, size: float, p: float) -> np.ndarray:
    """P(Y <= y) of the negative binomial law with any positive ``size``: the regularised incomplete beta function."""
    return betainc(size, y + 1.0, p)


def _mean_exposure(counts: Counts) -> float:
    h = counts.dropout_hazard
    return -math.expm1(-h * counts.exposure) / h
