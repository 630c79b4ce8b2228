"""How well a score tells patients of a group apart, and how far off it is: AUC, Brier score, RMSE, correlation.

    AUC     P(score of an event > score of a non-event) + half of ties; variance of DeLong, DeLong & Clarke-Pearson
            (Biometrics 1988;44:837) by midranks (Sun & Xu, IEEE Signal Process Lett 2014;21:1389), interval on the logit
    Brier   mean (p - y)^2, standard error sd / sqrt n
    RMSE    sqrt mean (y - p)^2, delta method on its logarithm; a little narrow in small groups (docs/evidence/fair-use.md)

An AUC depends on how much patients of a group differ from each other: a lower one need not be a fault of the score. A Brier
score depends on how common the event is. Both are compared between groups with that in mind.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.fair.calibration import both_kinds
from medtwin.trials.fair.number import Number, log_number, normal_number, reach


def auc(outcome: np.ndarray, score: np.ndarray, confidence: float = 0.95) -> Number:
    """Area under the ROC curve of ``score`` (patient,) for ``outcome`` of 0 and 1."""
    both_kinds(outcome)
    area, error = delong(outcome, score)
    if not (0.0 < area < 1.0 and error > 0.0):
        raise AnalysisError(
            f"an AUC of {area:g} without spread", expected="events and non-events that overlap", where="DeLong variance"
        )
    logit, spread = math.log(area / (1.0 - area)), error / (area * (1.0 - area))
    low, high = (1.0 / (1.0 + math.exp(-(logit + sign * reach(confidence) * spread))) for sign in (-1.0, 1.0))
    return Number(name="AUC", value=area, low=low, high=high, method="DeLong, logit", scaled=logit, scaled_error=spread)


def delong(outcome: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """(AUC, its standard error)."""
    yes, no = score[outcome == 1.0], score[outcome == 0.0]
    if len(yes) < 2 or len(no) < 2:
        raise AnalysisError(
            f"{len(yes)} events and {len(no)} non-events", expected="two of each", where="DeLong variance"
        )
    together = stats.rankdata(np.concatenate([yes, no]))
    of_events = (together[: len(yes)] - stats.rankdata(yes)) / len(no)
    of_others = 1.0 - (together[len(yes) :] - stats.rankdata(no)) / len(yes)
    variance = float(of_events.var(ddof=1)) / len(yes) + float(of_others.var(ddof=1)) / len(no)
    return float(of_events.mean()), math.sqrt(variance)


def brier(outcome: np.ndarray, risk: np.ndarray, confidence: float = 0.95) -> Number:
    """Mean squared distance of risk from event."""
    away = (risk - outcome) ** 2
    error = float(away.std(ddof=1)) / math.sqrt(len(away))
    return normal_number("Brier score", float(away.mean()), error, confidence, "normal")


def root_mean_square_error(
    outcome: np.ndarray, predicted: np.ndarray, confidence: float = 0.95, unit: str = "outcome"
) -> Number:
    """RMSE in the outcome's unit."""
    away = (outcome - predicted) ** 2
    mean = float(away.mean())
    if not mean > 0.0:
        raise AnalysisError("no error at all", expected="predictions made without the outcome", where="RMSE")
    error = float(away.std(ddof=1)) / math.sqrt(len(away)) / (2.0 * mean)
    made = log_number("RMSE", math.sqrt(mean), error, confidence, "delta method on the logarithm")
    return Number(name=made.name, value=made.value, low=made.low, high=made.high, method=made.method, unit=unit,
                  scaled=made.scaled, scaled_error=made.scaled_error)  # fmt: skip
