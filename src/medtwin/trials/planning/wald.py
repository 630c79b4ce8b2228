"""Power of a test that divides an estimate by its standard error, and the number of patients by inversion.

``away`` is the distance of the true effect from the null value, ``standard_error`` that of the estimate in the planned trial.
Of a two-sided test both tails are counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri, fdtri, nctdtr, ndtr, ndtri, stdtr, stdtrit

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import level, positive, target

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
MOST = 1e8  #: patients in an arm; a plan that needs more is refused

Power = Callable[[float, float], float]  #: (n0, n1) -> power


def z_power(away: float, standard_error: float, alpha: float, sides: int) -> float:
    """``Phi(|away|/se - z)`` (and the other tail of a two-sided test)."""
    z, shift = ndtri(1.0 - level(alpha, sides)), abs(away) / standard_error
    return float(ndtr(shift - z) + (ndtr(-shift - z) if sides == 2 else 0.0))


def t_power(away: float, standard_error: float, df: float, alpha: float, sides: int) -> float:
    """The same by the non-central t distribution with ``df`` degrees of freedom."""
    if not df > 0.0:
        raise AnalysisError(
            f"{df:g} degrees of freedom", expected="more than 0", remedy="add patients or drop covariates"
        )
    return float(_noncentral(np.array([abs(away) / standard_error]), df, alpha, sides)[0])


def quadrature_power(away: float, standard_error: float, error_df: float, covariates: int, alpha: float, sides: int,
                     df: float | None = None) -> float:  # fmt: skip
    """Exact over ``covariates`` random normal covariates: the non-central t averaged over their chance imbalance.

    ``standard_error`` leaves the imbalance out, ``error_df`` is that without covariates (N = n0 + n1 - 2). Hotelling's
    ``T2 = F q N / (N - q + 1)`` with ``F ~ F(q, N - q + 1)`` multiplies the variance by ``1 + T2/N``; 64 Gauss-Legendre
    nodes over the quantiles of F. ``df``: of the test (default N - q).
    """
    q, n = covariates, error_df
    df = n - q if df is None else df
    if not (df > 0.0 and n - q + 1 > 0.0):
        raise AnalysisError(
            f"{n + 2:g} patients for {q} covariates", expected="more patients than coefficients", remedy="add patients"
        )
    if q == 0:
        return t_power(away, standard_error, df, alpha, sides)
    f = fdtri(q, n - q + 1.0, (NODES + 1.0) / 2.0)
    more = np.sqrt(1.0 + f * q / (n - q + 1.0))
    return float(_noncentral(abs(away) / (standard_error * more), df, alpha, sides) @ WEIGHTS / 2.0)


def _noncentral(shift: np.ndarray, df: float, alpha: float, sides: int) -> np.ndarray:
    """P(T > c), and P(T < -c) of a two-sided test, of the non-central t with ``shift`` >= 0."""
    if df >= 1e6:
        critical = ndtri(1.0 - level(alpha, sides))
        return ndtr(shift - critical) + (ndtr(-shift - critical) if sides == 2 else 0.0)
    critical = stdtrit(df, 1.0 - level(alpha, sides))
    upper = np.where(shift == 0.0, stdtr(df, -critical), 1.0 - nctdtr(df, shift, critical))
    if sides == 2:  # beyond 8 the other tail is below 1e-15, and the library loses it
        upper = upper + np.where(shift < 8.0, nctdtr(df, np.minimum(shift, 8.0), -critical), 0.0)
    lost = ~np.isfinite(upper)
    if lost.any():  # averaged over the estimated spread instead
        spread = np.sqrt(chdtri(df, (1.0 - NODES) / 2.0) / df)
        upper[lost] = ndtr(shift[lost, None] - critical * spread) @ WEIGHTS / 2.0
    return upper


def asymptotic_n(away: float, variance: float, power: float, alpha: float, sides: int) -> float:
    """Patients in all, ``n = v (z_(1-alpha/sides) + z_power)^2 / away^2``, with ``variance`` = n Var(estimate)."""
    target(power, alpha)
    return float(
        variance * (ndtri(1.0 - level(alpha, sides)) + ndtri(power)) ** 2 / positive("distance", abs(away)) ** 2
    )


def real_n0(power_of: Power, allocation: float, power: float, least: float = 2.0) -> float:
    """Control patients, as a real number, at which ``power_of(n0, allocation n0)`` reaches ``power``."""

    def short(log_n: float) -> float:
        n0 = math.exp(log_n)
        return power_of(n0, allocation * n0) - power

    low = math.log(max(least, least / allocation))
    if short(low) >= 0.0:
        return math.exp(low)
    high = low + 1.0
    while short(high) < 0.0:
        high += 1.0
        if high > math.log(MOST):
            raise AnalysisError(
                f"a power of {power:g} that {MOST:.0e} patients in an arm do not reach", expected="an effect that can be shown",
                remedy="plan for a larger effect or a smaller variance",
            )  # fmt: skip
    return math.exp(float(brentq(short, high - 1.0, high, xtol=1e-13, rtol=1e-14)))


def whole_arms(
    power_of: Power, allocation: float, power: float, least: float = 2.0, steady: int = 0
) -> tuple[int, int]:
    """The fewest whole controls n0, with ``n1 = ceil(allocation n0)`` treated or fewer, that reach ``power``.

    ``steady``: the next so many numbers of controls reach it too, as a power that rises in teeth needs.
    """

    def at(n0: int) -> tuple[int, int]:
        return n0, math.ceil(n0 * allocation - 1e-9)

    low = max(math.ceil(least - 1e-9), math.ceil(2.0 / allocation - 1.0 + 1e-9), 2) - 1
    high = low + 1
    while power_of(*at(high)) < power:
        low, high = high, 2 * high
        if high > MOST:
            raise AnalysisError(
                f"a power of {power:g} that {MOST:.0e} patients in an arm do not reach", expected="an effect that can be shown",
                remedy="plan for a larger effect or a smaller variance",
            )  # fmt: skip
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(*at(middle)) >= power else (middle, high)
    held, n0 = 1, high
    while held <= steady:
        n0 += 1
        held = held + 1 if power_of(*at(n0)) >= power else 0
    n0, n1 = at(n0 - held + 1)
    while not steady and n1 - 1 > max(1.0, n0 * allocation - 1.0 + 1e-9) and power_of(n0, n1 - 1) >= power:
        n1 -= 1
    return n0, n1


def smallest_control_arm(power_of: Power, n1: float, power: float, least: int = 2) -> int | None:
    """The fewest controls that keep ``power`` with ``n1`` treated patients; None where no number does."""
    high = max(least, 2)
    while power_of(high, n1) < power:
        high *= 2
        if high > MOST:
            return None
    low = least - 1 if high == least else max(least - 1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle, n1) >= power else (middle, high)
    return high
