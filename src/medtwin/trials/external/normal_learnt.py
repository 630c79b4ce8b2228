"""Priors of a control mean (log rate, log hazard) from one history, that learn how much of it to believe.

    normalised power   theta | a0 ~ Normal(m, s^2) updated with (y_0, s_0^2 / a0),   a0 ~ Beta(c, d)
    commensurate       theta ~ Normal(theta_0, sigma^2),  theta_0 ~ Normal(y_0, s_0^2),  sigma ~ HalfNormal(scale)
    LEAP               each historical outcome y_i ~ gamma Normal(theta, v) + (1 - gamma) Normal(theta', v),  gamma ~ Beta(c, d),
                       theta ~ Normal(m, s^2),  theta' ~ Normal(m', s'^2),  the residual variance v known

(Duan, Ye & Smith 2006, not verified, and Neuenschwander, Branson & Spiegelhalter 2009; Hobbs, Carlin, Mandrekar & Sargent 2011,
with a half-normal deviation; Alt et al. 2024.) All come as :class:`~medtwin.trials.external.normal_prior.NormalMixture`, which
current data update in closed form, so that their weights learn: the first two are exact up to quadrature over a0 (Gauss-Jacobi)
and sigma (Gauss-Legendre). LEAP is a sum over 2^n allocations; here it is integrated over gamma and theta' on a grid of theta,
and each point stands for a normal of a third of the grid's step. Every number is in the outcome's own unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.external.normal_prior import NormalMixture
from medtwin.trials.external.rates import BetaMixture


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedNormal:
    """The mixture, and the discount that each of its components stands for."""

    value: NormalMixture
    discount: np.ndarray  #: (component,) a0

    @property
    def discount_mean(self) -> float:
        """Expected a0."""
        return float(self.value.weight @ self.discount)

    def updated(self, value: float, standard_error: float) -> NormalisedNormal:
        """With the current trial's own estimate, which also says how much of history to believe."""
        return NormalisedNormal(self.value.updated(value, standard_error), self.discount)


def normal_normalised_power_prior(
    value: float, standard_error: float, *, mean: float, standard_deviation: float, discount: tuple[float, float] = (1.0, 1.0),
    nodes: int = 64,
) -> NormalisedNormal:  # fmt: skip
    """History ``value`` with its error; ``mean`` and ``standard_deviation``: m and s, before history; ``discount``: (c, d)."""
    _history(value, standard_error, "normalised power prior")
    NormalMixture.of(mean, standard_deviation)
    over = BetaMixture.of(*discount)
    at, mass = special.roots_jacobi(nodes, float(over.b[0]) - 1.0, float(over.a[0]) - 1.0)
    a0 = (at + 1.0) / 2.0
    total = standard_deviation**-2 + a0 * standard_error**-2
    centre = (mean * standard_deviation**-2 + a0 * value * standard_error**-2) / total
    return NormalisedNormal(NormalMixture(mass / mass.sum(), centre, total**-0.5), a0)


def normal_commensurate_prior(value: float, standard_error: float, *, scale: float, nodes: int = 80) -> NormalMixture:
    """``scale`` of the distance between the current and the historical mean."""
    _history(value, standard_error, "commensurate prior")
    if not (scale > 0.0 and np.isfinite(scale)):
        raise AnalysisError(f"scale {scale:g}", expected="above 0", where="commensurate prior")
    node, share = np.polynomial.legendre.leggauss(nodes)
    unit = (node + 1.0) / 2.0
    sigma = 7.0 * scale * unit**2
    weight = share * unit * np.exp(-0.5 * (sigma / scale) ** 2)
    return NormalMixture(weight / weight.sum(), np.full(nodes, float(value)), np.hypot(standard_error, sigma))


def normal_leap_prior(
    outcomes: Any, standard_deviation: float, *, mean: float, spread: float, other: tuple[float, float] | None = None,
    exchangeable: tuple[float, float] = (1.0, 1.0), points: int = 601,
) -> NormalMixture:  # fmt: skip
    """``outcomes`` (patient,) of history, ``standard_deviation`` of one patient's residual (root of v), ``mean`` and ``spread``:
    m and s; ``other``: m' and s', if not the same. About 1 s for 300 patients."""
    y = np.asarray(outcomes, dtype=float)
    if y.ndim != 1 or not len(y) or not np.isfinite(y).all() or not standard_deviation > 0.0:
        raise AnalysisError(f"outcomes of shape {y.shape}, deviation {standard_deviation:g}", where="LEAP",
                            expected="one finite outcome a patient, a positive deviation")  # fmt: skip
    m2, s2 = other or (mean, spread)
    NormalMixture.of(mean, spread)
    NormalMixture.of(m2, s2)
    share = BetaMixture.of(*exchangeable)
    low, high = float(y.min()) - 3.0 * standard_deviation, float(y.max()) + 3.0 * standard_deviation
    theta, steps = _points(low, high, mean, spread, points)
    beside, widths = _points(low, high, m2, s2, 61)
    at, mass = special.roots_jacobi(16, float(share.b[0]) - 1.0, float(share.a[0]) - 1.0)
    gamma = (at + 1.0) / 2.0

    def height(grid: np.ndarray) -> np.ndarray:  # (point, patient)
        return np.exp(-0.5 * ((y - grid[:, None]) / standard_deviation) ** 2)

    mine, theirs = height(theta), height(beside)
    prior = np.log(widths) - 0.5 * ((beside - m2) / s2) ** 2
    inner = np.full(len(theta), -np.inf)
    for portion, weight in zip(gamma, mass, strict=True):
        for k in range(len(beside)):
            both = np.maximum(portion * mine + (1.0 - portion) * theirs[k], 1e-300)
            inner = np.logaddexp(inner, np.log(weight) + prior[k] + np.log(both).sum(axis=1))
    log = inner - 0.5 * ((theta - mean) / spread) ** 2
    density = np.exp(log - log.max())
    held = density * steps
    seen = held > 1e-14
    if float((density > 0.5).sum()) < 5.0:
        raise AnalysisError(f"a prior of which {int((density > 0.5).sum())} points of the grid see the top", where="LEAP",
                            expected="a grid that resolves it", remedy="raise points")  # fmt: skip
    return NormalMixture(held[seen] / held[seen].sum(), theta[seen], steps[seen] / 3.0)


def _points(low: float, high: float, centre: float, width: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Even between ``low`` and ``high``, ever wider from there to six ``width`` about ``centre``; and each point's share."""
    inside = np.linspace(low, high, size)
    out = np.linspace(0.0, 1.0, 61)[1:] ** 2
    left, right = low - (centre - 6.0 * width), centre + 6.0 * width - high
    parts = [low - left * out[::-1]] if left > 0.0 else []
    parts += [inside] + ([high + right * out] if right > 0.0 else [])
    grid = np.concatenate(parts)
    return grid, np.gradient(grid)


def _history(value: float, standard_error: float, where: str) -> None:
    if not (np.isfinite(value) and standard_error > 0.0 and np.isfinite(standard_error)):
        raise AnalysisError(f"{value:g} with error {standard_error:g}", expected="finite, error above 0", where=where)
