"""Kaplan-Meier with case weights, and what is read off it: survival at a time, restricted mean, median, and their differences.

With d and Y the summed weights of the events and of those at risk, ``S(t) = prod (1 - d/Y)``. The weights are held as known; the
variance is robust, ``sum_i (w_i phi_i)^2`` with phi_i the slope of the estimate by the weight of patient i
(``analysis.survival_adjusted``): Greenwood's where every weight is 1, and without a meaning for the weights' unit. R's survfit
takes the same for the curve; for the restricted mean it takes Greenwood's form of the weighted counts, which counts a weight as
so many patients - ``Curve.restricted_mean`` gives that one, :func:`weighted_survival_effects` the robust one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.kaplan import Curve
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis.survival_adjusted import gains, influence
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.arms import checked_weights, two_arms
from medtwin.trials.external.balance import effective_sample_size


def weighted_kaplan_meier(time: np.ndarray, event: np.ndarray, weights: np.ndarray) -> Curve:
    """The curve of ``time``, ``event`` and ``weights``, each (patient,); ``at_risk`` and ``events`` are sums of weights."""
    rows = weights > 0.0
    time, event, weights = np.asarray(time, float)[rows], np.asarray(event, bool)[rows], weights[rows]
    times = np.unique(time[event])
    upto = np.searchsorted(times, time, side="right")
    events = np.bincount(upto[event] - 1, weights[event], len(times)) if len(times) else np.zeros(0)
    at_risk = np.cumsum(np.bincount(upto, weights, len(times) + 1)[::-1])[::-1][1:]
    left = np.where(at_risk - events > 1e-12 * at_risk, at_risk - events, 0.0)
    with np.errstate(divide="ignore"):
        each = events / (at_risk * left)
    hazard = np.cumsum(each)
    # slope of log S by a patient's weight: -hazard while at risk, then it stays
    final = np.concatenate([[0.0], hazard])[upto]
    with np.errstate(invalid="ignore", divide="ignore"):
        own = left[np.maximum(upto - 1, 0)] if len(times) else np.ones(len(time))
        final = np.where(event, final - 1.0 / np.where(event, own, 1.0), final)
    squares = weights**2
    ahead = np.cumsum(np.bincount(upto, squares, len(times) + 1)[::-1])[::-1][1:]
    gone = np.zeros(len(times) + 1)
    finite = np.isfinite(final)
    np.add.at(gone, upto[finite], squares[finite] * final[finite] ** 2)
    # at t_k: those with more than k + 1 event times behind them still move with the hazard
    still = np.append(ahead[1:], 0.0) if len(times) else ahead
    robust = np.where(left > 0.0, np.where(np.isfinite(hazard), hazard, 0.0) ** 2 * still + np.cumsum(gone)[1:], np.inf)
    done = bool(len(times)) and bool(left[-1] == 0.0)
    survival = np.cumprod(left / at_risk) if len(times) else np.zeros(0)
    return Curve(times, survival, robust, events, at_risk, float(time.max()), done)


def weighted_survival_effects(
    trial: TrialData, weights: np.ndarray | None = None, *, times: Sequence[float] = (), tau: float | None = None,
    method: str = "weighted", unit: str = "time", confidence: float = 0.95, notes: tuple[str, ...] = (),
) -> Analysis:  # fmt: skip
    """Differences of treated and control: "survival at 365", "RMST to 1000" and its "RMST ratio to 1000"; and of each arm."""
    two_arms(trial, method)
    held = checked_weights(weights, trial, method)
    if trial.event is None:
        raise AnalysisError("no event indicator", expected="1 event, 0 censored", where=method)
    if not times and tau is None:
        raise AnalysisError("neither times nor tau", expected="one of them", where=method)
    words = f"{method} Kaplan-Meier, robust variance, weights held as known"
    means, errors = [], []
    for code in (0, 1):
        rows = (trial.arm == code) & (held > 0.0)
        time, event, weight = trial.outcome[rows], trial.event[rows], held[rows]
        curve = weighted_kaplan_meier(time, event, weight)
        found = gains(curve, times, tau)
        means.append([value for value, _ in found])
        errors.append([math.sqrt(float(((weight * influence(curve, time, event, c)) ** 2).sum())) for _, c in found])
    estimates: list[Estimate] = []

    def add(name: str, value: float, error: float, scale: str = "identity", of: str = "1") -> None:
        estimates.append(
            Estimate(name=name, value=value, standard_error=error, scale=scale, unit=of, method=words, confidence=confidence)
        )  # fmt: skip

    for number, what in enumerate([*times, None] if tau is not None else times):
        title = f"RMST to {tau:g}" if what is None else f"survival at {what:g}"
        of = unit if what is None else "1"
        (first, second), (e0, e1) = [row[number] for row in means], [row[number] for row in errors]
        add(title, second - first, math.hypot(e0, e1), of=of)
        if what is None:
            add(f"RMST ratio to {tau:g}", math.log(second / first), math.hypot(e0 / first, e1 / second), "log")
        for code, name in enumerate(trial.arm_names):
            add(f"{title}, {name}", means[code][number], errors[code][number], of=of)
    size = [effective_sample_size(held[trial.arm == code]) for code in (0, 1)]
    told = f"effective patients: {size[0]:.1f} controls, {size[1]:.1f} treated"
    return Analysis(
        method=words, estimates=tuple(estimates), patients=trial.patients, notes=(*trial.notes, *notes, told)
    )
