"""Linear regression of one person with a prior learnt from other people.

    y = X b + e,   e ~ N(0, s^2),   b ~ N(mean, diag(sd^2)),   s^2 ~ scaled inverse chi-squared(degrees, scale^2)

:func:`learn` finds ``mean``, ``sd`` and the scale from several people by expectation and maximisation (Laird and Ware,
Biometrics 38 (1982): 963, section 4, with diagonal covariance); each ``sd^2`` has a weak prior of its own so that few
people do not make it zero. :func:`posterior` is the conjugate answer for one person given the noise, with the noise at
the mean of its posterior given the mode of ``b`` (three rounds): predictions are Student's t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from medtwin.errors import AnalysisError

Array = NDArray[np.float64]
DEGREES = 10.0  #: how many outcomes the prior of the noise counts for
ROUNDS = 200


@dataclass(frozen=True)
class CoefficientPrior:
    """Of the coefficients ``(k,)`` and of the noise, in the unit of the outcome."""

    mean: Array
    sd: Array
    noise: float
    degrees: float = DEGREES


@dataclass(frozen=True)
class CoefficientPosterior:
    """Of one person: ``mean (k,)``, ``covariance (k, k)``, the noise and its degrees of freedom."""

    mean: Array
    covariance: Array = field(repr=False)
    noise: float
    degrees: float
    outcomes: int

    def interval(self, k: int, level: float = 0.9) -> tuple[float, float]:
        """Of one coefficient."""
        reach = float(stats.t.ppf(0.5 + level / 2.0, self.degrees)) * float(self.covariance[k, k]) ** 0.5
        return float(self.mean[k]) - reach, float(self.mean[k]) + reach

    def expected(self, x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation ``(n,)`` of what is expected at rows ``x (n, k)``, without the noise of one outcome."""
        return x @ self.mean, np.sqrt(np.einsum("nk,kl,nl->n", x, self.covariance, x))


def posterior(prior: CoefficientPrior, x: Array, y: Array) -> CoefficientPosterior:
    """Of the person with outcomes ``y (n,)`` at ``x (n, k)``; with none it is the prior."""
    x, y = np.asarray(x, float).reshape(-1, len(prior.mean)), np.asarray(y, float)
    if len(x) != len(y) or not np.isfinite(x).all() or not np.isfinite(y).all():
        raise AnalysisError(
            "rows that do not fit the outcomes, or are not finite", expected="finite x (n, k) and y (n,)"
        )
    precision, noise, n = np.diag(1.0 / prior.sd**2), prior.noise, len(y)
    mean, covariance = prior.mean, np.diag(prior.sd**2)
    for _ in range(3):
        covariance = np.asarray(np.linalg.inv(precision + x.T @ x / noise**2), np.float64)
        mean = covariance @ (precision @ prior.mean + x.T @ y / noise**2)
        left = float(np.sum((y - x @ mean) ** 2)) + float(np.trace(x @ covariance @ x.T))
        noise = ((prior.degrees * prior.noise**2 + left) / (prior.degrees + n)) ** 0.5
    return CoefficientPosterior(mean, covariance, noise, prior.degrees + n, n)


def learn(people: Sequence[tuple[Array, Array]], start: CoefficientPrior, weight: float = 3.0) -> CoefficientPrior:
    """The prior that these people's ``(x (n, k), y (n,))`` speak for.

    ``start`` counts as ``weight`` people: its mean and spread are what few people are drawn towards.
    """
    used = [(np.asarray(x, float), np.asarray(y, float)) for x, y in people if len(y)]
    mean: Array = start.mean
    variance, noise = np.asarray(start.sd**2, np.float64), start.noise
    if not used:
        return start
    for _ in range(ROUNDS):
        means, spreads, left, count = [], [], start.degrees * start.noise**2, start.degrees
        for x, y in used:
            covariance = np.linalg.inv(np.diag(1.0 / variance) + x.T @ x / noise**2)
            middle = covariance @ (mean / variance + x.T @ y / noise**2)
            means.append(middle)
            spreads.append(np.diag(covariance))
            left += float(np.sum((y - x @ middle) ** 2)) + float(np.trace(x @ covariance @ x.T))
            count += len(y)
        gathered = np.array(means)
        before = mean
        mean = np.asarray((gathered.sum(0) + start.mean * weight) / (len(used) + weight), np.float64)
        apart = ((gathered - mean) ** 2).sum(0) + np.array(spreads).sum(0)
        variance = np.asarray((apart + weight * start.sd**2) / (len(used) + weight), np.float64)
        noise = (left / count) ** 0.5
        if np.max(np.abs(mean - before)) < 1e-9:
            break
    return CoefficientPrior(mean, np.sqrt(variance), noise, start.degrees)
