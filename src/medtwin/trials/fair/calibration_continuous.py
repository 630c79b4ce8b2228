"""Calibration of predicted means against measured outcomes: mean error, slope and intercept of outcome on prediction.

    in the large    mean (y - p)             0 is ideal
    slope           y = a + b p, by least squares; b = 1 is ideal, below 1: predictions too extreme
    intercept       the a that goes with that b, in the outcome's unit

Standard errors of slope and intercept are HC3 (MacKinnon & White 1985), so that spread may grow with the prediction;
intervals are t on n - 2 degrees of freedom (n - 1 for the mean error).
"""

from __future__ import annotations

import math

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.fair.number import Number, normal_number


def in_the_large(outcome: np.ndarray, predicted: np.ndarray, confidence: float = 0.95, unit: str = "outcome") -> Number:
    """Mean of observed less predicted."""
    away = outcome - predicted
    error = float(away.std(ddof=1)) / math.sqrt(len(away))
    return normal_number("calibration in the large", float(away.mean()), error, confidence, "t", unit=unit, ideal=0.0,
                         df=len(away) - 1.0)  # fmt: skip


def slope(outcome: np.ndarray, predicted: np.ndarray, confidence: float = 0.95) -> Number:
    """Slope of outcome on prediction."""
    beta, errors = _line(outcome, predicted)
    return normal_number(
        "calibration slope", beta[1], errors[1], confidence, "t, HC3", ideal=1.0, df=len(outcome) - 2.0
    )


def intercept(outcome: np.ndarray, predicted: np.ndarray, confidence: float = 0.95, unit: str = "outcome") -> Number:
    """Intercept of outcome on prediction, beside its slope."""
    beta, errors = _line(outcome, predicted)
    return normal_number("calibration intercept", beta[0], errors[0], confidence, "t, HC3", unit=unit, ideal=0.0,
                         df=len(outcome) - 2.0)  # fmt: skip


def _line(outcome: np.ndarray, predicted: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Least squares (intercept, slope) and their HC3 standard errors."""
    middle = float(predicted.mean())
    away = predicted - middle
    square = float(away @ away)
    if not square > 1e-18 * len(away) * (1.0 + middle * middle):
        raise AnalysisError("the same prediction for every patient", expected="predictions that vary")
    b = float(away @ outcome) / square
    level = float(outcome.mean())
    left = outcome - level - b * away
    blown = left / np.maximum(1.0 - 1.0 / len(away) - away**2 / square, 1e-12)
    on_slope = away / square * blown
    on_intercept = blown / len(away) - middle * on_slope
    return (level - b * middle, b), (
        math.sqrt(float(on_intercept @ on_intercept)),
        math.sqrt(float(on_slope @ on_slope)),
    )
