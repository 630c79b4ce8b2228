"""Discrimination and error of a risk by a horizon where follow-up is censored, by inverse probability of being seen.

Whether patient i had the event by the horizon h is known where follow-up lasted to u_i = min(T_i, h). Those patients stand
for the others with weight w_i = 1 / G(u_i-), G the Kaplan-Meier curve of censoring (events come before censorings of the
same time); the rest have weight 0. Then

    AUC at h    sum w_i w_j [p_i > p_j] + half of ties, over cases i and others j, over the sum of w_i w_j
                (Uno et al., JASA 2007;102, issue 478; formula from memory)
    Brier at h  mean w_i (y_i - p_i)^2                    (Graf et al., Stat Med 1999;18:2529; from memory)
    slope       coefficient of log(-log(1 - p)) in a Cox model up to h: 1 is ideal, below 1: predictions too extreme; holds
                where hazards are proportional

Right where censoring does not depend on who will have the event, within the group. Intervals of the first two are normal
on the logit and as they are, with the standard deviation of bootstrap samples in which the weights are made anew.
"""

from __future__ import annotations

import math

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.cox import cox_fit
from medtwin.trials.fair.lots import lots
from medtwin.trials.fair.number import Number, normal_number, reach


def known_by(time: np.ndarray, event: np.ndarray, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """(case, weight), both (patient,): had the event by ``horizon``; 1 / P(not censored so far), 0 where it is not known."""
    case = event & (time <= horizon)
    until = np.minimum(time, horizon)
    at, place = np.unique(time, return_inverse=True)
    ended = np.bincount(place, minlength=len(at)).astype(float)
    events = np.bincount(place, weights=event.astype(float), minlength=len(at))
    at_risk = ended[::-1].cumsum()[::-1] - events
    with np.errstate(divide="ignore", invalid="ignore"):
        stays = np.where(at_risk > 0.0, 1.0 - (ended - events) / at_risk, 1.0)
    before = np.concatenate([[1.0], np.cumprod(stays)])[np.searchsorted(at, until, side="left")]
    known = case | (time >= horizon)
    return case, np.where(known, 1.0 / np.where(known, before, 1.0), 0.0)


def area(case: np.ndarray, weight: np.ndarray, risk: np.ndarray) -> float:
    """Weighted AUC; nan where one kind has no weight."""
    _, place = np.unique(risk, return_inverse=True)
    cases = np.bincount(place, weights=weight * case)
    others = np.bincount(place, weights=weight * ~case, minlength=len(cases))
    below = np.cumsum(others) - others / 2.0
    both = cases.sum() * others.sum()
    return float((cases * below).sum() / both) if both > 0.0 else math.nan


def at_horizon(
    time: np.ndarray, event: np.ndarray, risk: np.ndarray, horizon: float, *, confidence: float = 0.95, draws: int = 200,
    seed: int = 0,
) -> tuple[Number, Number]:  # fmt: skip
    """(AUC, Brier score) of the risk of an event by ``horizon``."""
    if draws < 20:
        raise AnalysisError(f"{draws} draws", expected="20 or more", where="bootstrap")
    order = np.lexsort((event, time, risk))
    time, event, risk = time[order], np.asarray(event, dtype=bool)[order], risk[order]
    found = _both(time, event, risk, horizon)
    rng = lots(seed, time, event, risk)
    again = []
    for _ in range(draws):
        rows = np.sort(rng.integers(0, len(time), len(time)))
        again.append(_both(time[rows], event[rows], risk[rows], horizon))
    areas, errors = np.array(again).T
    if not 0.0 < found[0] < 1.0 or not np.isfinite(areas).all():
        raise AnalysisError(
            f"an AUC of {found[0]:g}, or bootstrap samples without one", expected="events and others that overlap",
            where="AUC at the horizon",
        )  # fmt: skip
    edge = 0.5 / len(time)
    spread = float(np.std(_logit(np.clip(areas, edge, 1.0 - edge)), ddof=1))
    middle = float(_logit(found[0]))
    low, high = (1.0 / (1.0 + math.exp(-(middle + sign * reach(confidence) * spread))) for sign in (-1.0, 1.0))
    method = f"bootstrap standard error, {draws} samples"
    return (
        Number(name="AUC at the horizon", value=found[0], low=low, high=high, method=f"{method}, logit", scaled=middle,
               scaled_error=spread),
        normal_number("Brier score at the horizon", found[1], float(errors.std(ddof=1)), confidence, method),
    )  # fmt: skip


def slope_by_cox(
    time: np.ndarray, event: np.ndarray, risk: np.ndarray, horizon: float, confidence: float = 0.95
) -> Number:
    """Calibration slope on the log cumulative hazard, followed up to ``horizon``."""
    if not ((risk > 0.0) & (risk < 1.0)).all():
        raise AnalysisError("predicted risks of 0 or 1", expected="between 0 and 1", where="Cox slope")
    eta = np.log(-np.log1p(-risk))
    if np.ptp(eta) <= 1e-9 * (1.0 + float(np.abs(eta).max())):
        raise AnalysisError(
            "the same prediction for every patient", expected="predictions that vary", where="Cox slope"
        )
    held = np.asarray(event, dtype=bool) & (time <= horizon)
    fitted = cox_fit(np.minimum(time, horizon), held, eta[:, None], names=("log cumulative hazard",))
    return normal_number("calibration slope", float(fitted.coefficients[0]), math.sqrt(float(fitted.covariance[0, 0])),
                         confidence, "Cox model, normal", ideal=1.0)  # fmt: skip


def _both(time: np.ndarray, event: np.ndarray, risk: np.ndarray, horizon: float) -> tuple[float, float]:
    case, weight = known_by(time, event, horizon)
    return area(case, weight, risk), float((weight * (case - risk) ** 2).mean())


def _logit(value: np.ndarray | float) -> np.ndarray:
    return np.asarray(np.log(value) - np.log1p(-np.asarray(value)))
