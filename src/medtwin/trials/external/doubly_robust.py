"""Doubly robust effects in the treated (ATT): augmented inverse probability weighting and targeted learning.

Only the controls' outcome under the treated's covariates has to be estimated: m(x) = E[Y | x, control], by a linear or
logistic model among controls, and the odds w(x) = e(x) / (1 - e(x)) of the propensity score. With n1 treated,

    AIPW   mu_0 = sum_A m / n1 + sum_{control} w (y - m) / sum_{control} w
    TMLE   mu_0 = sum_A m* / n1,   logit m* = logit m + epsilon,   sum_{control} w (y - m*) = 0

and mu_1 the treated's mean. Either is consistent if one of the two models is right (Robins, Rotnitzky & Zhao 1994; Moodie,
Saarela & Stephens 2018, not verified; van der Laan & Rubin 2006). A continuous outcome of TMLE is carried to 0...1 by the
controls' and predictions' range (Gruber & van der Laan 2010), so that m* cannot leave it.

Influence of mu_0, with p = n1/n and c = 1 / mean(w over all, 0 for treated) for AIPW:

    phi_i = A (m - mean_A m) / p + c (1 - A) w (y - m - r),   r = sum w (y - m) / sum w over controls (0 for TMLE)

plus the terms of the two models' estimated coefficients (``stacked``, the sandwich of all estimating equations: valid when
either model is right), or without them (``influence``: valid when both are). For TMLE c = mean_A(g)/(p mean(w g)) with
g = dm*/d epsilon, the response of the targeting.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.external.arms import two_arms
from medtwin.trials.external.balance import effective_sample_size
from medtwin.trials.external.effect import contrasts
from medtwin.trials.external.propensity import propensity_score

FAMILIES = ("gaussian", "logistic")


def aipw(
    trial: TrialData, family: str, *, outcome_covariates: np.ndarray | None = None, measures: tuple[str, ...] = ("difference",),
    variance: str = "stacked", unit: str = "1", confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """ATT by AIPW. ``family`` gaussian or logistic; ``outcome_covariates`` (patient, column) if not those of the score."""
    return _estimate(trial, family, outcome_covariates, measures, variance, unit, confidence, targeted=False)


def tmle(
    trial: TrialData, family: str, *, outcome_covariates: np.ndarray | None = None, measures: tuple[str, ...] = ("difference",),
    variance: str = "stacked", unit: str = "1", confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """ATT by TMLE; arguments as of :func:`aipw`. The step of targeting is one: it solves its equation exactly."""
    return _estimate(trial, family, outcome_covariates, measures, variance, unit, confidence, targeted=True)


def _estimate(
    trial: TrialData, family: str, outcome_covariates: np.ndarray | None, measures: tuple[str, ...], variance: str, unit: str,
    confidence: float, *, targeted: bool,
) -> Analysis:  # fmt: skip
    name = "TMLE" if targeted else "AIPW"
    if family not in FAMILIES or variance not in ("stacked", "influence"):
        raise AnalysisError(
            f"{family!r}, {variance!r}", expected=f"one of {FAMILIES}; stacked or influence", where=f"{name} (ATT)"
        )
    controls, treated = two_arms(trial, f"{name} (ATT)")
    score = propensity_score(trial)
    kept = trial.independent()
    size = len(trial.arm)
    design_score = np.column_stack([np.ones(size), kept.covariates])
    design = design_score
    if outcome_covariates is not None:
        table = np.asarray(outcome_covariates, dtype=float)
        design = np.column_stack([np.ones(size), table.reshape(size, -1)])
    asked = design.shape[1]
    used = _spanning(design[controls])
    design = design[:, used]
    fitted = glm.fit(design[controls], trial.outcome[controls], family)
    eta = design @ fitted.coefficients
    predicted, slope = glm.inverse_link(family, eta)
    odds = score.score / (1.0 - score.score)
    weight = np.where(controls, odds, 0.0)
    share = treated.mean()
    carried = size / weight.sum()
    if targeted:
        predicted, slope, response = _target(trial.outcome, predicted, slope, weight, family, controls)
        carried = float(response[treated].mean() / (weight @ response) * size)
    gap = np.where(controls, trial.outcome - predicted, 0.0)
    #: of AIPW: mean of the weighted residuals; TMLE has brought it to zero
    rest = float(weight @ gap / weight.sum())
    mean_1 = float(trial.outcome[treated].mean())
    mean_0 = float(predicted[treated].mean()) + rest
    own = np.where(treated, predicted - (mean_0 - rest), 0.0) / share
    own = own + carried * weight * (gap - rest)
    if variance == "stacked":
        # d(mu_0)/d(coefficients) times their influence: of the score ...
        bread = np.linalg.inv((design_score * (score.score * (1.0 - score.score))[:, None]).T @ design_score / size)
        along = carried * (weight * (gap - rest)) @ design_score / size
        own = own + (design_score * (treated - score.score)[:, None]) @ (bread @ along)
        # ... and of the outcome model
        inner = design[controls]
        bread = np.linalg.inv((inner * fitted.weight[:, None]).T @ inner / size)
        along = (slope * treated) @ design / size / share - carried * (weight * slope) @ design / size
        moved = np.zeros((size, design.shape[1]))
        moved[controls] = inner * (trial.outcome[controls] - fitted.mean)[:, None]
        own = own + moved @ (bread @ along)
    treated_own = np.where(treated, trial.outcome - mean_1, 0.0) / share
    both = np.stack([own, treated_own])
    covariance = both @ both.T / (size * (size - 1.0))
    words = f"{name}, ATT, {family} outcome model, logistic propensity, {variance} variance"
    estimates = contrasts(
        np.array([mean_0, mean_1]), covariance, measures, method=words, unit=unit, confidence=confidence
    )
    notes = [*trial.notes, *score.notes]
    if len(used) < asked:
        notes.append("a covariate that is constant or collinear among controls is out of the outcome model")
    effective = effective_sample_size(weight[controls])
    notes.append(f"effective patients: {effective:.1f} of {int(controls.sum())} in {trial.arm_names[0]}")
    return Analysis(
        method=words, estimates=estimates, patients=trial.patients, notes=tuple(notes), covariance=covariance,
        means=np.array([mean_0, mean_1]),
    )  # fmt: skip


def _target(
    outcome: np.ndarray, predicted: np.ndarray, slope: np.ndarray, weight: np.ndarray, family: str, controls: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """m*, its slope by the model's linear predictor at fixed epsilon, and its slope by epsilon; each (patient,)."""
    low, width = 0.0, 1.0
    if family == "gaussian":
        reach = np.concatenate([outcome[controls], predicted])
        margin = 0.01 * float(np.ptp(reach)) or 1.0
        low = float(reach.min()) - margin
        width = float(reach.max()) + margin - low
    share = np.clip((predicted - low) / width, 1e-12, 1.0 - 1e-12)
    logit = special.logit(share)
    goal = float(weight @ (outcome - low) / width)

    def excess(epsilon: float) -> float:
        return float(weight @ special.expit(logit + epsilon)) - goal

    if not 1e-12 < goal / weight.sum() < 1.0 - 1e-12:
        raise AnalysisError(
            "controls who all have the same outcome", expected="both outcomes among controls", where="TMLE (ATT)"
        )
    epsilon = optimize.brentq(excess, -60.0, 60.0, xtol=1e-14, rtol=1e-14)
    new = special.expit(logit + epsilon)
    steep = new * (1.0 - new) / (share * (1.0 - share)) * slope
    return low + width * new, steep, width * new * (1.0 - new)


def _spanning(design: np.ndarray) -> list[int]:
    """Columns that are no linear function of those before."""
    kept: list[int] = []
    basis = np.zeros((len(design), 0))
    for number in range(design.shape[1]):
        column = design[:, number]
        rest = column
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > 1e-9 * np.linalg.norm(column) and np.linalg.norm(column) > 0.0:
            kept.append(number)
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return kept
