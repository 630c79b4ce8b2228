"""What a prediction is held against: a number for each patient's outcome, its loss, and the prediction on its scale.

    continuous   y                                              (y - s)^2
    binary       0 or 1                                         -log likelihood of 1/(1 + exp(-s))
    count        events per unit of exposure                    Poisson deviance
    survival     martingale residual of the null model          1 - sign(r) r^2, r its correlation with s

The martingale residual of the model without covariates is ``M_i = d_i - H(t_i)`` with ``H(t) = sum_{u <= t} d_u / n_u``
(Nelson-Aalen): events seen less events expected. The variance and the events that a score saves in a trial are about the
squared correlation of score and M (Zhou et al. 2026, arXiv:2605.27711, abstract).
"""

from __future__ import annotations

import numpy as np
from scipy import special

from medtwin.trials.score.history import History


def martingale(time: np.ndarray, event: np.ndarray) -> np.ndarray:
    """(patient,) residual of the null model, events; their sum is zero."""
    times, deaths = np.unique(time[event], return_counts=True)
    at_risk = len(time) - np.searchsorted(np.sort(time), times, side="left")
    hazard = np.concatenate([[0.0], np.cumsum(deaths / at_risk)])
    return np.asarray(event.astype(float) - hazard[np.searchsorted(times, time, side="right")])


def target(history: History) -> np.ndarray:
    """(patient,) the number that a prediction is correlated with."""
    if history.endpoint == "survival":
        assert history.event is not None
        return martingale(history.outcome, history.event)
    if history.exposure is not None:
        return history.outcome / history.exposure
    return history.outcome


def expected(scale: str, values: np.ndarray) -> np.ndarray:
    """Predictions as the mean outcome where they are one: probabilities, rates; log hazards stay as they are."""
    if scale == "log odds":
        return np.asarray(special.expit(values))
    if scale == "log rate":
        return np.exp(np.minimum(values, 700.0))
    return values


def rescaled(values: np.ndarray, scale: str, to: str) -> np.ndarray:
    """Rates as their logarithms, or the other way round; of other scales nothing can be made, and they stay as they are."""
    if (scale, to) == ("rate", "log rate"):
        return np.log(np.maximum(values, 1e-9))
    return expected(scale, values) if (scale, to) == ("log rate", "rate") else values


def losses(history: History, scale: str, values: np.ndarray) -> np.ndarray:
    """(patient,) loss of each; of survival the one loss, repeated."""
    y, mean = target(history), expected(scale, values)
    if history.endpoint == "continuous":
        return np.asarray((y - mean) ** 2)
    if history.endpoint == "binary":
        p = np.clip(mean, 1e-12, 1.0 - 1e-12)
        return np.asarray(-special.xlogy(y, p) - special.xlog1py(1.0 - y, -p))
    if history.endpoint == "count":
        weight = np.ones(len(y)) if history.exposure is None else history.exposure
        rate = np.maximum(mean, 1e-9)
        return np.asarray(2.0 * weight * (special.xlogy(y, y / rate) - (y - rate)))
    r = correlation(values, y)
    return np.full(len(y), 1.0 - np.sign(r) * r**2)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 where one does not vary."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-12 * len(a) * (1e-300 + float(np.abs(a).max() * np.abs(b).max())) else 0.0


def partial_correlation(a: np.ndarray, b: np.ndarray, given: np.ndarray) -> float:
    """Of a and b with what ``given`` (patient, column) explains of both taken out; 0 where nothing is left."""
    basis = np.column_stack([np.ones(len(a)), given])
    left = [v - basis @ np.linalg.lstsq(basis, v, rcond=None)[0] for v in (a, b)]
    if any(
        float(np.linalg.norm(rest)) <= 1e-9 * float(np.linalg.norm(v - v.mean()))
        for rest, v in zip(left, (a, b), strict=True)
    ):
        return 0.0
    return correlation(*left)
