"""The effect in a weighted comparison: difference, ratio and odds ratio of means, or the marginal hazard ratio.

    mean_a = sum_a w y / sum_a w,    var(mean_a) = sum_a w^2 (y - mean_a)^2 / (1 - h)^(2k) / (sum_a w)^2,   h = w / sum_a w

k = 0, 1/2, 1 for HC0, HC2, HC3 - the sandwich of the weighted generalised linear model of the arm alone (MacKinnon &
White 1985); ratio and odds ratio by the delta method on the log scale. Hazard ratio: ``weighted_cox``.

Weights are held as known. Where they were estimated from covariates that predict the outcome this is too wide, often by much, and
the test rejects too seldom: docs/evidence/trials-type-one.md, "External controls" (``python -m
medtwin.trials.simulate.type_one``). ``doubly_robust`` counts the weights' own error; with an empty outcome model its AIPW is the
ATT-weighted difference of means.
"""

from __future__ import annotations

import math

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.marginal import contrast
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.arms import checked_weights, two_arms
from medtwin.trials.external.balance import effective_sample_size
from medtwin.trials.external.weighted_cox import weighted_cox_fit

MEASURES = ("difference", "ratio", "odds ratio")
_POWER = {"HC0": 0.0, "HC2": 1.0, "HC3": 2.0}


def weighted_effect(
    trial: TrialData, weights: np.ndarray | None = None, *, measures: tuple[str, ...] = ("difference",), variance: str = "HC3",
    method: str = "weighted", unit: str = "1", confidence: float = 0.95, notes: tuple[str, ...] = (),
) -> Analysis:  # fmt: skip
    """Estimates named "difference", "ratio", "odds ratio" of treated against control. ``weights`` (patient,)."""
    two_arms(trial, method)
    held = checked_weights(weights, trial, method)
    if variance not in _POWER or not set(measures) <= set(MEASURES):
        raise AnalysisError(
            f"{variance!r}, {measures}", expected=f"one of {tuple(_POWER)}; of {MEASURES}", where=method
        )
    means, variances = np.zeros(2), np.zeros(2)
    for code in (0, 1):
        mask = (trial.arm == code) & (held > 0.0)
        if mask.sum() < 2:
            raise AnalysisError(
                f"{int(mask.sum())} patients with weight in arm {trial.arm_names[code]}",
                expected="at least two",
                where=method,
            )
        share = held[mask] / held[mask].sum()
        means[code] = share @ trial.outcome[mask]
        if (1.0 - share).min() <= 1e-10 and _POWER[variance]:
            raise AnalysisError(
                f"one patient with all the weight of arm {trial.arm_names[code]}", expected="weight on several", where=method,
                remedy="balance fewer covariates, or restrict to shared eligibility",
            )  # fmt: skip
        rest = share * (trial.outcome[mask] - means[code])
        variances[code] = (rest**2 / (1.0 - share) ** _POWER[variance]).sum()
    words = f"{method}, {variance}, weights held as known"
    estimates = contrasts(means, np.diag(variances), measures, method=words, unit=unit, confidence=confidence)
    return Analysis(
        method=words, estimates=estimates, patients=trial.patients, notes=(*trial.notes, *notes, _sizes(trial, held)),
        means=means, covariance=np.diag(variances),
    )  # fmt: skip


def weighted_hazard_ratio(
    trial: TrialData, weights: np.ndarray | None = None, *, cluster: np.ndarray | None = None, ties: str = "efron",
    method: str = "weighted", confidence: float = 0.95, notes: tuple[str, ...] = (),
) -> Analysis:  # fmt: skip
    """The estimate named "hazard ratio", marginal in the weighted population. ``cluster`` (patient,): matched sets."""
    two_arms(trial, method)
    held = checked_weights(weights, trial, method)
    if trial.event is None:
        raise AnalysisError("no event indicator", expected="1 event, 0 censored", where=method)
    for code, name in enumerate(trial.arm_names):
        if not (trial.event & (held > 0.0))[trial.arm == code].any():
            raise AnalysisError(
                f"no event in arm {name}: the hazard ratio is 0 or infinite",
                expected="events in both arms",
                where=method,
            )
    fitted = weighted_cox_fit(
        trial.outcome, trial.event, trial.arm[:, None].astype(float), held, cluster=cluster, ties=ties
    )
    words = f"{method}, Cox, {ties.capitalize()} ties, robust (Lin-Wei) variance, weights held as known"
    estimate = Estimate(
        name="hazard ratio", value=float(fitted.coefficients[0]), standard_error=math.sqrt(fitted.covariance[0, 0]),
        method=words, scale="log", confidence=confidence,
    )  # fmt: skip
    return Analysis(
        method=words, estimates=(estimate,), patients=trial.patients, notes=(*trial.notes, *notes, _sizes(trial, held))
    )


def contrasts(
    means: np.ndarray, covariance: np.ndarray, measures: tuple[str, ...], *, method: str, unit: str = "1",
    confidence: float = 0.95, prefix: str = "",
) -> tuple[Estimate, ...]:  # fmt: skip
    """Measures of treated (1) against control (0) from ``means`` (2,) and ``covariance`` (2, 2), by the delta method."""
    made = []
    for measure in measures:
        value, slope = contrast(measure, float(means[0]), float(means[1]), method)
        variance = float(slope @ covariance @ slope)
        if variance < -1e-9 * float(np.abs(slope) @ np.abs(covariance) @ np.abs(slope)):
            raise AnalysisError(f"a variance of {variance:g}", expected="at least 0", where=f"{measure}, {method}",
                                remedy="too few patients for these covariates: adjust for fewer")  # fmt: skip
        made.append(Estimate(
            name=f"{prefix}{measure}", value=float(value), standard_error=math.sqrt(max(variance, 0.0)),
            method=method, scale="identity" if measure == "difference" else "log",
            unit=unit if measure == "difference" else "1", confidence=confidence,
        ))  # fmt: skip
    return tuple(made)


def _sizes(trial: TrialData, weights: np.ndarray) -> str:
    left = [
        f"{effective_sample_size(weights[trial.arm == code]):.1f} of {count} in {name}"
        for code, (name, count) in enumerate(trial.patients.items())
    ]
    return f"effective patients: {', '.join(left)}"
