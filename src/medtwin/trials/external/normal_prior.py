"""Priors of a control mean, log rate or log hazard from historical estimates with standard errors, as mixtures of normals.

    y_j ~ Normal(theta_j, s_j^2),  theta_j ~ Normal(beta, tau^2),  beta ~ Normal(m, s^2),  tau ~ HalfNormal(scale)

Given tau all is normal: with weights 1 / (s_j^2 + tau^2) beta is Normal(b, v), and the next trial's theta_* is Normal(b, v +
tau^2); over tau (Gauss-Legendre nodes) the prior is a mixture, which current data update in closed form (Neuenschwander et
al. 2010; robust: Schmidli et al. 2014). Power prior: Normal(y_0, s_0^2 / a0) for one historical estimate (Ibrahim & Chen
2000). Every number is in the estimate's own unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from medtwin.errors import AnalysisError

_NODES = 80


@dataclass(frozen=True, slots=True, eq=False)
class NormalMixture:
    """``sum_k weight_k Normal(mean_k, spread_k^2)``."""

    weight: np.ndarray  #: (component,), sums to 1
    centre: np.ndarray  #: (component,)
    spread: np.ndarray  #: (component,) standard deviations

    @classmethod
    def of(cls, mean: float, standard_deviation: float) -> NormalMixture:
        """One normal."""
        if not (np.isfinite(mean) and standard_deviation > 0.0 and np.isfinite(standard_deviation)):
            raise AnalysisError(
                f"Normal({mean:g}, {standard_deviation:g})", expected="finite, with a positive deviation", where="prior"
            )
        return cls(np.ones(1), np.array([float(mean)]), np.array([float(standard_deviation)]))

    def mean(self) -> float:
        """Expected value."""
        return float(self.weight @ self.centre)

    def standard_deviation(self) -> float:
        """Of the whole mixture."""
        return float((self.weight @ (self.spread**2 + (self.centre - self.mean()) ** 2)) ** 0.5)

    def cdf(self, value: float) -> float:
        """P(theta <= value)."""
        return float(self.weight @ special.ndtr((value - self.centre) / self.spread))

    def quantile(self, share: float) -> float:
        """The value below which ``share`` of the mass lies."""
        if not 0.0 < share < 1.0:
            raise AnalysisError(f"quantile {share:g}", expected="between 0 and 1")
        each = self.centre + self.spread * special.ndtri(share)
        low, high = float(each.min()), float(each.max())
        if not high > low:
            return low
        return float(optimize.brentq(lambda value: self.cdf(value) - share, low, high, xtol=1e-13 * (1.0 + abs(high))))

    def mixed(self, weight: float, vague: NormalMixture) -> NormalMixture:
        """With ``weight`` of a vague part, which wins where the new trial contradicts history."""
        if not 0.0 <= weight <= 1.0:
            raise AnalysisError(f"vague weight {weight:g}", expected="0 to 1", where="robust prior")
        return NormalMixture(
            np.append(self.weight * (1.0 - weight), vague.weight * weight), np.append(self.centre, vague.centre),
            np.append(self.spread, vague.spread),
        )  # fmt: skip

    def updated(self, value: float, standard_error: float) -> NormalMixture:
        """With the current trial's own estimate."""
        _known([value], [standard_error], "current estimate")
        total = self.spread**2 + standard_error**2
        log = np.log(np.maximum(self.weight, 1e-300)) - 0.5 * np.log(total) - 0.5 * (value - self.centre) ** 2 / total
        weight = np.exp(log - special.logsumexp(log))
        pull = self.spread**2 / total
        return NormalMixture(weight, self.centre + pull * (value - self.centre), standard_error * pull**0.5)


def normal_power_prior(value: float, standard_error: float, discount: float) -> NormalMixture:
    """History at ``discount`` a0 in (0, 1] of its information. For none: a vague ``NormalMixture.of``."""
    _known([value], [standard_error], "power prior")
    if not 0.0 < discount <= 1.0:
        raise AnalysisError(
            f"a discount of {discount:g}", expected="above 0, up to 1", where="power prior",
            remedy="for no borrowing start from a vague normal",
        )  # fmt: skip
    return NormalMixture.of(value, standard_error / discount**0.5)


def normal_map_prior(
    values: Sequence[float], standard_errors: Sequence[float], *, heterogeneity_scale: float, mean: float,
    standard_deviation: float,
) -> NormalMixture:  # fmt: skip
    """Meta-analytic-predictive prior of the next trial's value; the three numbers are of the priors above, in its unit."""
    y, s = _known(values, standard_errors, "MAP prior")
    if not (heterogeneity_scale > 0.0 and standard_deviation > 0.0 and np.isfinite(mean)):
        raise AnalysisError(
            f"heterogeneity {heterogeneity_scale:g}, deviation {standard_deviation:g}",
            expected="positive",
            where="MAP prior",
        )
    node, share = np.polynomial.legendre.leggauss(_NODES)
    unit = (node + 1.0) / 2.0
    tau, share = 6.0 * heterogeneity_scale * unit**2, share * unit
    precision = 1.0 / (s**2 + tau[:, None] ** 2)  # (node, trial)
    total = precision.sum(axis=1) + standard_deviation**-2
    centre = (precision @ y + mean * standard_deviation**-2) / total
    away = (precision * (y - centre[:, None]) ** 2).sum(axis=1) + ((centre - mean) / standard_deviation) ** 2
    log = np.log(share) - 0.5 * (tau / heterogeneity_scale) ** 2 - 0.5 * away
    log = log + 0.5 * np.log(precision).sum(axis=1) - 0.5 * np.log(total)
    weight = np.exp(log - special.logsumexp(log))
    return NormalMixture(weight, centre, (1.0 / total + tau**2) ** 0.5)


def _known(values: Sequence[float], errors: Sequence[float], where: str) -> tuple[np.ndarray, np.ndarray]:
    y, s = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
    if (
        y.ndim != 1
        or y.shape != s.shape
        or not len(y)
        or not np.isfinite(y).all()
        or not (np.isfinite(s) & (s > 0.0)).all()
    ):
        raise AnalysisError(
            f"{y.shape} values, {s.shape} standard errors",
            expected="as many of each, finite, errors positive",
            where=where,
        )
    return y, s
