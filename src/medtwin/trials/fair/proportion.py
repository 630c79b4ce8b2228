"""Proportions and correlations with their intervals, and differences of proportions.

    Wilson (1927)       (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
    Newcombe (1998)     d - sqrt((p1-l1)^2 + (u2-p2)^2)  to  d + sqrt((u1-p1)^2 + (p2-l2)^2),   d = p1 - p2, (l, u) Wilson's
    Fisher (1921)       z = atanh r, standard error 1 / sqrt(n - 3 - covariates partialled out)

Groups are compared on the empirical logit log((k + 1/2)/(n - k + 1/2)), variance 1/(k + 1/2) + 1/(n - k + 1/2). The
distribution-free variance of a correlation is the mean square of its influence a b - r (a^2 + b^2)/2, a and b standardised
(by differentiating r; the same as Steiger & Hakstian's of 1982, cited from memory).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.fair.number import Number, reach, two_sided


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of ``successes`` of ``trials``."""
    if not 0 <= successes <= trials or trials < 1:
        raise AnalysisError(
            f"{successes} of {trials}", expected="a share of at least one patient", where="Wilson interval"
        )
    z, p = reach(confidence), successes / trials
    middle = (p + z * z / (2.0 * trials)) / (1.0 + z * z / trials)
    away = z * math.sqrt(p * (1.0 - p) / trials + z * z / (4.0 * trials * trials)) / (1.0 + z * z / trials)
    return 0.0 if not successes else middle - away, 1.0 if successes == trials else middle + away


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of :mod:`medtwin.statistics.binomial` by quantiles of the beta distribution, fast for many patients."""
    if not 0 <= successes <= trials or trials < 1:
        raise AnalysisError(
            f"{successes} of {trials}", expected="a share of at least one patient", where="exact interval"
        )
    tail = (1.0 - confidence) / 2.0
    low = special.betaincinv(successes, trials - successes + 1, tail) if successes else 0.0
    high = special.betaincinv(successes + 1, trials - successes, 1.0 - tail) if successes < trials else 1.0
    return float(low), float(high)


def proportion(name: str, successes: int, trials: int, confidence: float = 0.95, note: str = "") -> Number:
    """A share with Wilson's interval."""
    low, high = wilson(successes, trials, confidence)
    hit, missed = successes + 0.5, trials - successes + 0.5
    return Number(
        name=name, value=successes / trials, low=low, high=high, method="Wilson score", scaled=math.log(hit / missed),
        scaled_error=math.sqrt(1.0 / hit + 1.0 / missed), note=note,
    )  # fmt: skip


def difference(first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95) -> tuple[float, float, float]:
    """(difference, low, high) of two independent shares, each (successes, trials); Newcombe's hybrid score interval."""
    p, q = first[0] / first[1], second[0] / second[1]
    (low_p, high_p), (low_q, high_q) = wilson(*first, confidence), wilson(*second, confidence)
    return p - q, p - q - math.hypot(p - low_p, high_q - q), p - q + math.hypot(high_p - p, q - low_q)


def correlation(
    name: str,
    first: np.ndarray,
    second: np.ndarray,
    *,
    partialled: int = 0,
    normal: bool = True,
    confidence: float = 0.95,
) -> Number:
    """Pearson's r of two columns (patient,) from which ``partialled`` columns beside the mean were regressed out."""
    a, b = first - first.mean(), second - second.mean()
    spread = math.sqrt(float(a @ a) * float(b @ b))
    if not spread > 1e-12 * (1.0 + float(np.abs(first).max()) * float(np.abs(second).max())):
        raise AnalysisError(
            f"{name}: the same value for every patient", expected="values that vary", where="correlation"
        )
    r = float(a @ b) / spread
    degrees = len(a) - 3 - partialled
    if degrees < 1 or abs(r) > 1.0 - 1e-12:
        raise AnalysisError(
            f"{name}: r {r:.3g} of {len(a)} patients", expected="more patients, |r| < 1", where="correlation"
        )
    error, method = 1.0 / math.sqrt(degrees), "Fisher z"
    if not normal:
        a, b = a / a.std(), b / b.std()
        influence = a * b - r * (a * a + b * b) / 2.0
        error, method = (
            math.sqrt(float(influence @ influence) / len(a) / degrees) / (1.0 - r * r),
            "Fisher z, distribution-free",
        )
    z, away = math.atanh(r), reach(confidence) * error
    return Number(
        name=name, value=r, low=math.tanh(z - away), high=math.tanh(z + away), method=method, scaled=z, scaled_error=error,
        p_value=two_sided(z / error),
    )  # fmt: skip
