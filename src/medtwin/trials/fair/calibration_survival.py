"""Observed to expected events where follow-up is censored: by Kaplan-Meier at a horizon, or by time at risk.

    at the horizon t    (1 - KM(t)) / mean risk(t)                         who was censored is taken to be like who was not
    by time at risk     events up to t / sum_i H_i,
                        H_i = -log(1 - risk_i(t)) min(T_i, t) / t          a constant hazard up to t, which is stated

The first has the interval of KM on the log(-log) scale over the mean predicted risk, which is held fixed; the second
Garwood's exact interval of a Poisson count (1936): chi2(alpha/2; 2 O)/2 and chi2(1 - alpha/2; 2 O + 2)/2 over the expected.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.kaplan import kaplan_meier
from medtwin.trials.fair.number import Number, two_sided


def observed_expected_at(
    time: np.ndarray, event: np.ndarray, risk: np.ndarray, horizon: float, confidence: float = 0.95
) -> Number:
    """O:E of the risk of an event by ``horizon``; all arrays (patient,)."""
    curve = kaplan_meier(time, event)
    survival, error = curve.at(horizon)
    if not 0.0 < survival < 1.0:
        raise AnalysisError(f"survival of {survival:g} at {horizon:g}", expected="some with and some without the event")
    low, high = curve.interval(horizon, confidence)
    expected, observed = float(risk.mean()), 1.0 - survival
    log, spread = math.log(observed / expected), error / observed
    return Number(
        name="O:E at the horizon", value=observed / expected, low=(1.0 - high) / expected, high=(1.0 - low) / expected,
        method="Kaplan-Meier, log(-log), predicted risk held fixed", scaled=log, scaled_error=spread, ideal=1.0,
        p_value=two_sided(log / spread),
    )  # fmt: skip


def observed_expected_by_exposure(
    time: np.ndarray, event: np.ndarray, risk: np.ndarray, horizon: float, confidence: float = 0.95
) -> Number:
    """O:E of the count of events up to ``horizon`` over what the time at risk would bring."""
    if not ((risk >= 0.0) & (risk < 1.0)).all():
        raise AnalysisError("predicted risks of 1", expected="below 1", where="O:E by time at risk")
    observed = int((np.asarray(event, dtype=bool) & (time <= horizon)).sum())
    expected = float((-np.log1p(-risk) * np.minimum(time, horizon)).sum()) / horizon
    if not observed or not expected > 0.0:
        raise AnalysisError(f"{observed} events, {expected:g} expected", expected="some", where="O:E by time at risk")
    tail = (1.0 - confidence) / 2.0
    low, high = stats.chi2.ppf(tail, 2 * observed) / 2.0, stats.chi2.ppf(1.0 - tail, 2 * observed + 2) / 2.0
    less = stats.poisson.cdf(observed, expected)
    more = stats.poisson.sf(observed - 1, expected)
    return Number(
        name="O:E by time at risk", value=observed / expected, low=float(low) / expected, high=float(high) / expected,
        method="exact Poisson, constant hazard to the horizon", scaled=math.log(observed / expected),
        scaled_error=1.0 / math.sqrt(observed), ideal=1.0, p_value=float(min(1.0, 2.0 * min(less, more))),
    )  # fmt: skip
