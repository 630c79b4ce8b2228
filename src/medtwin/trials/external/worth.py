"""How many patients a prior of a rate is worth.

    moment   m (1 - m) / s^2 - 1                      the size of the Beta with the prior's mean m and deviation s
    ELIR     E[ i(p) / I(p) ],  i = - d^2 log f / dp^2,  I(p) = 1 / (p (1 - p))      (Neuenschwander et al. 2020)

ELIR is the only one that is predictively consistent: with n new patients it grows by n on average. In patients.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.external.normal_prior import NormalMixture
from medtwin.trials.external.rates import BetaMixture, LogitGrid, Mixed, RateDistribution, likelihood_grid, mass_of


def effective_patients(
    prior: RateDistribution, method: str = "ELIR", *, between: tuple[float, float] = (0.0, 1.0)
) -> float:
    """Effective sample size of a prior. ``between``: the rates over which ELIR is averaged, the prior's mass there."""
    if method == "moment":
        mean = prior.mean()
        return mean * (1.0 - mean) / prior.standard_deviation() ** 2 - 1.0
    if method != "ELIR":
        raise AnalysisError(f"method {method!r}", expected="ELIR or moment", where="effective patients")
    if isinstance(prior, BetaMixture) and len(prior.weight) == 1 and between == (0.0, 1.0):
        return float(prior.a[0] + prior.b[0])  # the identity by parts, also of parameters below 1
    logit, density = log_density_grid(prior)
    step = float(logit[1] - logit[0])
    seen = density > density.max() * 1e-9
    first, last = int(np.argmax(seen)), len(seen) - int(np.argmax(seen[::-1]))
    logit, density = logit[first:last], density[first:last]
    # log f(p) = log g(theta) - log p (1-p); d/dp = (d/dtheta) / (p (1-p))
    log = np.log(np.maximum(density, np.finfo(float).tiny))
    slope = np.gradient(log, step, edge_order=2)
    bend = np.gradient(slope, step, edge_order=2)
    rate = special.expit(logit)
    unit = rate * (1.0 - rate)
    # by theta: h = log g - log p(1-p), h' = log g' - (1 - 2p), h'' = log g'' + 2 p(1-p);
    # d2/dp2 = (h'' - (1 - 2p) h') / (p (1-p))^2
    inner = slope - (1.0 - 2.0 * rate)
    information = -(bend + 2.0 * unit - (1.0 - 2.0 * rate) * inner) / unit**2
    within = (rate >= between[0]) & (rate <= between[1])
    worth = float((information * unit * density)[within].sum() * step)
    if not worth >= 0.0:
        raise AnalysisError(
            f"an ELIR of {worth:g}", expected="at least 0", where="effective patients",
            remedy="a prior with so heavy tails has none: report the moment size, or name a range with between=",
        )  # fmt: skip
    return worth


def log_density_grid(prior: RateDistribution) -> tuple[np.ndarray, np.ndarray]:
    """Even grid of the logit and the density per unit of it."""
    if isinstance(prior, LogitGrid):
        return prior.logit, prior.density
    if isinstance(prior, BetaMixture):
        grid = likelihood_grid()
        return grid, prior.points()[1] / float(grid[1] - grid[0])
    if isinstance(prior, Mixed):
        grids = [log_density_grid(part) for part in (prior.first, prior.second)]
        grid = min((held for held, _ in grids), key=len)
        low, high = max(held[0] for held, _ in grids), min(held[-1] for held, _ in grids)
        grid = grid[(grid >= low) & (grid <= high)]
        if isinstance(prior.second, BetaMixture):
            second = mass_of(prior.second, grid) / float(grid[1] - grid[0])
        else:
            second = np.interp(grid, *grids[1])
        return grid, prior.weight * np.interp(grid, *grids[0]) + (1.0 - prior.weight) * second
    raise AnalysisError(f"a {type(prior).__name__}", expected="a Beta mixture, grid or robust prior", where="ELIR")


def effective_patients_of_mean(prior: NormalMixture, standard_deviation: float, method: str = "ELIR") -> float:
    """Of a prior of a mean, in patients whose outcomes have ``standard_deviation``: I(theta) = 1 / standard_deviation^2.

    ``moment``: standard_deviation^2 / Var; ``ELIR``: standard_deviation^2 E[i(theta)], with E[i] the integral of f'^2 / f.
    """
    if method not in ("ELIR", "moment") or not standard_deviation > 0.0:
        raise AnalysisError(f"{method!r}, deviation {standard_deviation:g}", expected="ELIR or moment; above 0",
                            where="effective patients")  # fmt: skip
    if method == "moment":
        return standard_deviation**2 / prior.standard_deviation() ** 2
    low, high = float((prior.centre - 9.0 * prior.spread).min()), float((prior.centre + 9.0 * prior.spread).max())
    steps = min(200_001, max(4_001, int((high - low) / (0.05 * float(prior.spread.min())))))
    value = np.linspace(low, high, steps)
    density, slope = np.zeros(steps), np.zeros(steps)
    for weight, centre, spread in zip(prior.weight, prior.centre, prior.spread, strict=True):
        away = (value - centre) / spread
        part = weight * np.exp(-0.5 * away**2) / (spread * np.sqrt(2.0 * np.pi))
        density += part
        slope -= part * away / spread
    seen = density > density.max() * 1e-14
    return float(standard_deviation**2 * (slope[seen] ** 2 / density[seen]).sum() * (value[1] - value[0]))
