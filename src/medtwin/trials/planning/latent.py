"""What a normal score leaves of a discrete outcome: third and fourth moment of the residual.

The outcome is a step function of a latent normal variable L, which keeps its distribution whatever the score;
``L = rho X + sqrt(1 - rho^2) e`` with the score X standard normal. Then ``Cov(Y, X) = rho sum_y phi(c_y)`` over the steps c_y,
which gives rho from the correlation on the outcome's own scale, and Gauss-Hermite sums over X give the moments of
``Y - E Y - b X``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(48)


def latent_correlation(cdf: NDArray[np.float64], sd: float, correlation: float) -> float:
    """rho of the latent variable; beyond -1 or 1 where no normal score has that correlation with the outcome."""
    steps = ndtri(np.clip(cdf, 1e-300, 1.0 - 1e-16))
    return correlation * sd / float(np.exp(-0.5 * steps**2).sum() / math.sqrt(2.0 * math.pi))


def residual_moments(cdf: NDArray[np.float64], mean: float, sd: float, correlation: float) -> tuple[float, float]:
    """(third, fourth) central moment of ``Y - b X``; ``cdf[y] = P(Y <= y)``, y = 0, 1, ..., up to nearly 1.

    Where no normal score has that correlation, the outcome's own moments scaled with the variance that is left.
    """
    rho = latent_correlation(cdf, sd, correlation)
    y = np.arange(len(cdf) + 1, dtype=np.float64)
    if abs(rho) >= 0.999:
        own = np.diff(np.concatenate([[0.0], cdf, [1.0]]))
        left = 1.0 - correlation**2
        return left * float(own @ (y - mean) ** 3), left**2 * float(own @ (y - mean) ** 4)
    steps = ndtri(np.clip(cdf, 1e-300, 1.0 - 1e-16))
    below = ndtr((steps - rho * NODES[:, None]) / math.sqrt(1.0 - rho * rho))
    given = np.diff(below, axis=1, prepend=0.0, append=1.0)
    away = y - mean - correlation * sd * NODES[:, None]
    weights = WEIGHTS / WEIGHTS.sum()
    return float(weights @ (given * away**3).sum(axis=1)), float(weights @ (given * away**4).sum(axis=1))
