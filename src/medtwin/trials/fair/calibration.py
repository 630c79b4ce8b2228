"""Calibration of predicted risks against events: in the large, slope, intercept, observed to expected.

With eta = logit p and events y (Cox 1958; Van Calster et al., J Clin Epidemiol 2016;74:167)

    in the large    logit P(y) = a + eta                 0 is ideal; above 0: more events than predicted
    slope           logit P(y) = a + b eta               b = 1 is ideal; below 1: predictions too extreme
    intercept       the a that goes with that b
    O:E             mean y / mean p                      1 is ideal

Intervals of the first three are by profile likelihood (chi-squared, one degree of freedom), their standard errors those of
the information. log O:E has influence y/mean(y) - p/mean(p) (delta method): the patients are the sample, so both move.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import optimize, special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.fair.number import Number, log_number, reach

PROFILE = "profile likelihood"


def in_the_large(outcome: np.ndarray, risk: np.ndarray, confidence: float = 0.95) -> Number:
    """Difference of log odds, observed less predicted."""
    both_kinds(outcome)
    eta, ones = special.logit(risk), np.ones(len(risk))
    found, top = _best(ones, eta, outcome)
    mean = special.expit(eta + found)
    error = 1.0 / math.sqrt(float(mean @ (1.0 - mean)))
    return _profiled("calibration in the large", found, error, top, 0.0, confidence,
                     lambda value: _likelihood(eta + value, outcome), "log odds")  # fmt: skip


def slope(outcome: np.ndarray, risk: np.ndarray, confidence: float = 0.95) -> Number:
    """Slope of the logistic recalibration."""
    fitted, eta = _recalibrated(outcome, risk)
    ones = np.ones(len(eta))
    return _profiled("calibration slope", fitted.coefficients[1], math.sqrt(fitted.covariance[1, 1]), fitted.log_likelihood,
                     1.0, confidence, lambda value: _best(ones, value * eta, outcome, fitted.coefficients[0])[1])  # fmt: skip


def intercept(outcome: np.ndarray, risk: np.ndarray, confidence: float = 0.95) -> Number:
    """Intercept of the logistic recalibration, beside its slope."""
    fitted, eta = _recalibrated(outcome, risk)
    near, ones = fitted.coefficients[1], np.ones(len(eta))
    return _profiled("calibration intercept", fitted.coefficients[0], math.sqrt(fitted.covariance[0, 0]),
                     fitted.log_likelihood, 0.0, confidence,
                     lambda value: _best(eta, value * ones, outcome, near)[1], "log odds")  # fmt: skip


def observed_expected(outcome: np.ndarray, predicted: np.ndarray, confidence: float = 0.95) -> Number:
    """Ratio of means; for outcomes and predictions that are not negative."""
    observed, expected = float(outcome.mean()), float(predicted.mean())
    if (predicted < 0.0).any() or (outcome < 0.0).any() or not (observed > 0.0 and expected > 0.0):
        raise AnalysisError("O:E of values at or below 0", expected="positive means of values that are not negative")
    influence = outcome / observed - predicted / expected
    return log_number("O:E", observed / expected, math.sqrt(float(influence.var(ddof=1)) / len(outcome)), confidence,
                      "delta method on the logarithm", ideal=1.0)  # fmt: skip


def both_kinds(outcome: np.ndarray) -> None:
    """Refuse patients of whom all or none had the event."""
    if outcome.min() == outcome.max():
        raise AnalysisError("no event" if not outcome.any() else "nobody without an event", expected="some of each")


def _recalibrated(outcome: np.ndarray, risk: np.ndarray) -> tuple[glm.Fit, np.ndarray]:
    both_kinds(outcome)
    eta = special.logit(risk)
    if np.ptp(eta) <= 1e-9 * (1.0 + float(np.abs(eta).max())):
        raise AnalysisError("the same prediction for every patient", expected="predictions that vary")
    return glm.fit(np.column_stack([np.ones(len(eta)), eta]), outcome, "logistic"), eta


def _likelihood(eta: np.ndarray, outcome: np.ndarray) -> float:
    return float(outcome @ eta - np.logaddexp(0.0, eta).sum())


def _best(column: np.ndarray, offset: np.ndarray, outcome: np.ndarray, start: float = 0.0) -> tuple[float, float]:
    """(coefficient, log likelihood) of one column beside an offset, by Newton's steps, halved where they go too far."""
    value, best = start, _likelihood(offset + start * column, outcome)
    for _ in range(100):
        mean = special.expit(offset + value * column)
        bend = float((column * column) @ (mean * (1.0 - mean)))
        step = float(column @ (outcome - mean)) / max(bend, 1e-300)
        step = math.copysign(min(abs(step), 5.0), step)
        reached = _likelihood(offset + (value + step) * column, outcome)
        while reached < best - 1e-12 * (1.0 + abs(best)) and abs(step) > 1e-14:
            step /= 2.0
            reached = _likelihood(offset + (value + step) * column, outcome)
        value, best = value + step, max(best, reached)
        if abs(step) <= 1e-7 * (1.0 + abs(value)):  # the next step would be its square
            break
    return value, best


def _profiled(
    name: str, found: float, error: float, top: float, ideal: float, confidence: float, at: Callable[[float], float],
    unit: str = "1",
) -> Number:  # fmt: skip
    limit = reach(confidence)

    def beyond(value: float) -> float:  # the root of the deviance, nearly straight in the value
        return math.sqrt(max(2.0 * (top - at(value)), 0.0)) - limit

    ends = []
    for sign in (-1.0, 1.0):
        near, away = 0.0, sign * 1.05 * limit * error
        for _ in range(60):
            if beyond(found + away) > 0.0:
                break
            near, away = away, 1.4 * away
        else:
            raise AnalysisError(f"{name}: a likelihood without end", expected="a bounded interval", where=PROFILE)
        ends.append(float(optimize.brentq(beyond, found + near, found + away, xtol=1e-9)))
    return Number(
        name=name, value=float(found), low=ends[0], high=ends[1], method=PROFILE, unit=unit, scaled=float(found),
        scaled_error=float(error), ideal=ideal, p_value=float(special.chdtrc(1, max(2.0 * (top - at(ideal)), 0.0))),
    )  # fmt: skip
