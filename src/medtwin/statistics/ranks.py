"""Ranks of truths within forecasts, and whether they are uniform, as they are when the forecast is calibrated.

A rank is the forecast's probability of less than the truth (PIT; Dawid 1984), or among ``n`` draws the share below it,
with ties and the draws' own graininess broken at random so that it is exactly uniform under calibration (Talts et al.
2018, arXiv:1804.06788). Shapes of the histogram: a hump is too wide a forecast, a bowl too narrow, a slope biased.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincc


@dataclass(frozen=True, slots=True)
class Uniformity:
    """A rank histogram and two tests of uniformity."""

    counts: tuple[int, ...]
    chi_squared: float
    chi_squared_p: float
    deviation: float  #: Kolmogorov's: greatest distance of the empirical distribution function from uniform
    deviation_p: float


def among(draws: ArrayLike, truth: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """Rank of each truth ``(...)`` among draws ``(n, ...)``: uniform on (0, 1) when truth is one more draw."""
    draws, truth = np.asarray(draws, float), np.asarray(truth, float)
    below, ties = (draws < truth).sum(0), (draws == truth).sum(0)
    place = below + np.floor(rng.random(truth.shape) * (ties + 1))
    return np.asarray((place + rng.random(truth.shape)) / (draws.shape[0] + 1))


def kolmogorov_p(deviation: float, n: int) -> float:
    """Probability of at least this deviation from uniform in ``n`` ranks (asymptotic, with Stephens' correction)."""
    scaled = (np.sqrt(n) + 0.12 + 0.11 / np.sqrt(n)) * deviation
    if scaled < 0.2:
        return 1.0
    k = np.arange(1, 101)
    return float(np.clip(2.0 * np.sum((-1.0) ** (k - 1) * np.exp(-2.0 * (k * scaled) ** 2)), 0.0, 1.0))


def uniformity(rank: ArrayLike, bins: int = 10) -> Uniformity:
    """Histogram of ranks in ``bins`` equal bins, Pearson's chi-squared and Kolmogorov's test."""
    rank = np.asarray(rank, float).ravel()
    rank = np.sort(rank[np.isfinite(rank)])
    n = rank.size
    counts = np.bincount(np.minimum((rank * bins).astype(int), bins - 1), minlength=bins)
    expected = n / bins
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    steps = np.arange(n)
    deviation = float(max((rank - steps / n).max(), ((steps + 1) / n - rank).max()))
    return Uniformity(
        counts=tuple(int(c) for c in counts),
        chi_squared=chi_squared,
        chi_squared_p=float(gammaincc((bins - 1) / 2.0, chi_squared / 2.0)),
        deviation=deviation,
        deviation_p=kolmogorov_p(deviation, n),
    )
