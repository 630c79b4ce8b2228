"""Distributions of a response rate: mixtures of Beta distributions, and any density on a grid of the logit.

Both answer the same questions: mean, standard deviation, quantiles, how likely data are under them, what they become with
data, and how many patients they are worth. A rate is a probability, without a unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import optimize, special, stats

from medtwin.errors import AnalysisError


class RateDistribution(Protocol):
    """What every distribution of a rate can do."""

    def mean(self) -> float: ...

    def standard_deviation(self) -> float: ...

    def cdf(self, rate: np.ndarray) -> np.ndarray: ...

    def quantile(self, share: float) -> float: ...

    def log_evidence(self, responders: float, patients: float) -> float:
        """log of the integral of ``p^r (1 - p)^(n - r)`` over this distribution, without the binomial coefficient."""

    def updated(self, responders: float, patients: float) -> RateDistribution: ...

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Rates and their masses, to integrate anything smooth."""


#: of the logit: covers a Beta(0.5, 0.5) to 1e-8 of its mass, and 3000 patients' posterior at 1e-12
_GRID = np.arange(-36.0, 36.0 + 1e-9, 0.006)


@dataclass(frozen=True, slots=True, eq=False)
class BetaMixture:
    """``sum_k weight_k Beta(a_k, b_k)``."""

    weight: np.ndarray  #: (component,), sums to 1
    a: np.ndarray  #: (component,) prior responders
    b: np.ndarray  #: (component,) prior non-responders

    @classmethod
    def of(cls, a: float, b: float) -> BetaMixture:
        """One Beta(a, b)."""
        if not (a > 0.0 and b > 0.0 and np.isfinite(a + b)):
            raise AnalysisError(f"Beta({a:g}, {b:g})", expected="positive finite parameters", where="rate")
        return cls(np.ones(1), np.array([float(a)]), np.array([float(b)]))

    def mean(self) -> float:
        """Expected rate."""
        return float(self.weight @ (self.a / (self.a + self.b)))

    def standard_deviation(self) -> float:
        """Of the rate."""
        size = self.a + self.b
        second = self.a * (self.a + 1.0) / (size * (size + 1.0))
        return float(max(float(self.weight @ second) - self.mean() ** 2, 0.0) ** 0.5)

    def cdf(self, rate: np.ndarray) -> np.ndarray:
        """P(rate <= ``rate``)."""
        return special.betainc(self.a, self.b, np.asarray(rate, dtype=float)[..., None]) @ self.weight

    def quantile(self, share: float) -> float:
        """The rate below which ``share`` of the mass lies."""
        _share(share)
        each = stats.beta.ppf(share, self.a, self.b)
        low, high = float(each.min()), float(each.max())
        if high - low < 1e-14:
            return low
        return float(optimize.brentq(lambda rate: float(self.cdf(np.array(rate))) - share, low, high, xtol=1e-14))

    def log_evidence(self, responders: float, patients: float) -> float:
        """log of the integral of the likelihood, without the binomial coefficient."""
        return float(special.logsumexp(self._log_evidence(responders, patients), b=self.weight))

    def updated(self, responders: float, patients: float) -> BetaMixture:
        """Conjugate."""
        counts_of(responders, patients, "data")
        log = self._log_evidence(responders, patients)
        weight = self.weight * np.exp(log - log.max())
        return BetaMixture(weight / weight.sum(), self.a + responders, self.b + patients - responders)

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """On the grid of the logit."""
        return special.expit(_GRID), mass_of(self, _GRID)

    def _log_evidence(self, responders: float, patients: float) -> np.ndarray:
        return special.betaln(self.a + responders, self.b + patients - responders) - special.betaln(self.a, self.b)


@dataclass(frozen=True, slots=True, eq=False)
class LogitGrid:
    """Density on an even grid of the logit; sums over it are as good as integrals (trapezium of a smooth density)."""

    logit: np.ndarray  #: (point,) even
    density: np.ndarray  #: (point,) per unit of the logit, integrates to 1

    @classmethod
    def of(cls, logit: np.ndarray, density: np.ndarray) -> LogitGrid:
        """Scaled to integrate to 1; refused where the grid is too coarse for it or cuts it off."""
        step = float(logit[1] - logit[0])
        held = np.maximum(density, 0.0)
        held = held / (held.sum() * step)
        mean = float(held @ logit * step)
        spread = float((held @ (logit - mean) ** 2 * step) ** 0.5)
        if not spread > 1.2 * step or max(held[0], held[-1]) > 1e-4:
            raise AnalysisError(
                f"a density of width {spread:g} on a grid of {step:g} from {logit[0]:g} to {logit[-1]:g}",
                expected="a density that the grid resolves", where="rate on the logit",
                remedy="use a Beta prior for so many patients",
            )  # fmt: skip
        return cls(logit, held)

    @property
    def rate(self) -> np.ndarray:
        """(point,)."""
        return special.expit(self.logit)

    def mean(self) -> float:
        """Expected rate."""
        return float(self._mass() @ self.rate)

    def standard_deviation(self) -> float:
        """Of the rate."""
        return float((self._mass() @ (self.rate - self.mean()) ** 2) ** 0.5)

    def cdf(self, rate: np.ndarray) -> np.ndarray:
        """P(rate <= ``rate``), linear in the logit between points of the cumulated trapezium."""
        step = self.logit[1] - self.logit[0]
        until = np.concatenate([[0.0], np.cumsum((self.density[1:] + self.density[:-1]) / 2.0) * step])
        with np.errstate(divide="ignore"):
            return np.interp(special.logit(np.asarray(rate, dtype=float)), self.logit, np.minimum(until, 1.0))

    def quantile(self, share: float) -> float:
        """The rate below which ``share`` of the mass lies."""
        _share(share)
        step = self.logit[1] - self.logit[0]
        until = np.concatenate([[0.0], np.cumsum((self.density[1:] + self.density[:-1]) / 2.0) * step])
        return float(special.expit(np.interp(share, until, self.logit)))

    def log_evidence(self, responders: float, patients: float) -> float:
        """log of the integral of the likelihood, without the binomial coefficient."""
        log = self._log_likelihood(responders, patients)
        return float(special.logsumexp(log, b=self._mass()))

    def updated(self, responders: float, patients: float) -> LogitGrid:
        """By Bayes on the grid."""
        counts_of(responders, patients, "data")
        log = self._log_likelihood(responders, patients)
        return LogitGrid.of(self.logit, self.density * np.exp(log - log.max()))

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Its own."""
        return self.rate, self._mass()

    def _mass(self) -> np.ndarray:
        return self.density * (self.logit[1] - self.logit[0])

    def _log_likelihood(self, responders: float, patients: float) -> np.ndarray:
        return responders * self.logit - patients * np.logaddexp(0.0, self.logit)


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """``weight first + (1 - weight) second``: an informative and a vague distribution (robust prior)."""

    weight: float  #: of ``first``
    first: RateDistribution
    second: RateDistribution

    def mean(self) -> float:
        """Expected rate."""
        return self.weight * self.first.mean() + (1.0 - self.weight) * self.second.mean()

    def standard_deviation(self) -> float:
        """Of the rate."""
        second = [part.standard_deviation() ** 2 + part.mean() ** 2 for part in (self.first, self.second)]
        return float((self.weight * second[0] + (1.0 - self.weight) * second[1] - self.mean() ** 2) ** 0.5)

    def cdf(self, rate: np.ndarray) -> np.ndarray:
        """P(rate <= ``rate``)."""
        return self.weight * self.first.cdf(rate) + (1.0 - self.weight) * self.second.cdf(rate)

    def quantile(self, share: float) -> float:
        """The rate below which ``share`` of the mass lies."""
        each = [part.quantile(share) for part in (self.first, self.second)]
        low, high = min(each) * 0.999, min(max(each) * 1.001, 1.0)
        return float(optimize.brentq(lambda rate: float(self.cdf(np.array(rate))) - share, low, high, xtol=1e-13))

    def log_evidence(self, responders: float, patients: float) -> float:
        """log of the integral of the likelihood, without the binomial coefficient."""
        each = [part.log_evidence(responders, patients) for part in (self.first, self.second)]
        return float(special.logsumexp(each, b=[self.weight, 1.0 - self.weight]))

    def updated(self, responders: float, patients: float) -> Mixed:
        """Each part by its own rule, weighted by how likely the data are under it."""
        counts_of(responders, patients, "data")
        each = [part.log_evidence(responders, patients) for part in (self.first, self.second)]
        share = self.weight / (self.weight + (1.0 - self.weight) * float(np.exp(np.clip(each[1] - each[0], -700, 700))))
        return Mixed(share, self.first.updated(responders, patients), self.second.updated(responders, patients))

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Both parts'."""
        first, second = self.first.points(), self.second.points()
        return np.concatenate([first[0], second[0]]), np.concatenate(
            [self.weight * first[1], (1.0 - self.weight) * second[1]]
        )


def exceeds(first: RateDistribution, second: RateDistribution) -> float:
    """P(first > second) of independent rates."""
    rate, mass = first.points()
    return float(mass @ second.cdf(rate))


def counts_of(responders: float, patients: float, where: str) -> None:
    """Refuses what is no count of responders among patients."""
    if not (np.isfinite(patients) and 0.0 <= responders <= patients):
        raise AnalysisError(f"{responders:g} responders of {patients:g} patients", expected="0 <= r <= n", where=where)


def likelihood_grid() -> np.ndarray:
    """The even grid of the logit that the densities of this package live on."""
    return _GRID


def mass_of(mixture: BetaMixture, logit: np.ndarray) -> np.ndarray:
    """(point,) masses, in portions of components that fit into memory."""
    away = np.logaddexp(0.0, logit)
    density = np.zeros(len(logit))
    for start in range(0, len(mixture.weight), 64):
        part = slice(start, start + 64)
        a, size = mixture.a[part], mixture.a[part] + mixture.b[part]
        log = logit[:, None] * a - away[:, None] * size - special.betaln(a, mixture.b[part])
        density += np.exp(log) @ mixture.weight[part]
    return density / density.sum()


def _share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise AnalysisError(f"quantile {share:g}", expected="between 0 and 1")
