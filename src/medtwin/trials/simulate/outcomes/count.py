"""Counts: the quantile of L in a Poisson or negative binomial law of mean ``rate exposure``, variance ``mu + k mu^2``.

The score's loading rho on L has the wanted correlation with the count itself (``planning.latent.latent_correlation``).
External controls' L lies ``drift`` higher. Who drops out is seen for a uniform part of the time, with each of his events
seen if it falls into it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import betainc, ndtri, pdtr

from medtwin.trials.planning.latent import latent_correlation
from medtwin.trials.simulate.randomise import People, latent
from medtwin.trials.simulate.scenario import Scenario


@lru_cache(maxsize=64)
def steps(mean: float, dispersion: float) -> tuple[np.ndarray, np.ndarray]:
    """(cumulative probabilities of 0, 1, ..., the same as normal quantiles)."""
    sd = math.sqrt(mean + dispersion * mean**2)
    y = np.arange(int(mean + 40.0 * sd * max(1.0, math.sqrt(dispersion)) + 30.0))
    cdf = betainc(1.0 / dispersion, y + 1.0, 1.0 / (1.0 + dispersion * mean)) if dispersion else pdtr(y, mean)
    cdf = cdf[: int(np.searchsorted(cdf, 1.0 - 1e-15)) + 1]
    return cdf, ndtri(np.minimum(cdf, 1.0 - 1e-16))


def draw(scenario: Scenario, rng: np.random.Generator, who: People, *, external: bool) -> dict[str, Any]:
    """Counts (t, p)."""
    assert scenario.rate_control is not None
    mean0 = scenario.rate_control * scenario.exposure
    means = (mean0, mean0 * scenario.rate_ratio)
    k = scenario.dispersion
    laws = [steps(mean, k) for mean in means]
    loadings = tuple(
        latent_correlation(law[0], math.sqrt(mean + k * mean**2), r)
        for law, mean, r in zip(laws, means, scenario.correlations, strict=True)
    )
    hidden = latent(scenario, rng, who, loadings)  # type: ignore[arg-type]
    if external:
        hidden += scenario.external_drift
    y = np.searchsorted(laws[0][1], hidden)
    if means[0] != means[1]:
        y = np.where(who.arm > 0.5, np.searchsorted(laws[1][1], hidden), y)
    if not scenario.dropout:
        return {"outcome": y.astype(float)}
    part = np.where(rng.random(y.shape) < scenario.dropout, 1.0 - rng.random(y.shape), 1.0)
    return {"outcome": rng.binomial(y, part).astype(float), "exposure": scenario.exposure * part}
