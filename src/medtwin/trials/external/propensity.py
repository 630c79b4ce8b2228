"""Propensity scores of a logistic model, and the weights that carry one arm to a target population.

With e(x) = P(treated | x) (Rosenbaum & Rubin 1983) a patient's weight is, treated / control,

    ATT      1        /  e / (1 - e)      the treated trial's patients (Hirano, Imbens & Ridder 2003)
    ATE      1 / e    /  1 / (1 - e)      trial and external patients together
    overlap  1 - e    /  e                those who could have been in either (Li, Morgan & Zaslavsky 2018)

Overlap weights balance the mean of every covariate of the logistic model exactly. Weights have no unit; only their ratios
within an arm matter to the estimates of this package.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.external.arms import two_arms

TARGETS = ("ATT", "ATE", "overlap")


@dataclass(frozen=True, slots=True, eq=False)
class PropensityScore:
    """Probability of being in the treated arm given the covariates."""

    score: np.ndarray  #: (patient,) between 0 and 1
    coefficients: np.ndarray  #: (1 + covariate,) intercept first, log odds per unit of the covariate
    names: tuple[str, ...]  #: of the coefficients; covariates that were no help (constant, collinear) are gone
    notes: tuple[str, ...] = ()


def propensity_score(trial: TrialData) -> PropensityScore:
    """Maximum likelihood of ``logit e = a + x'b``.

    Raises :class:`AnalysisError` where the covariates tell the arms apart without an error: there is no overlap, and
    nothing to compare.
    """
    two_arms(trial, "propensity score")
    kept = trial.independent()
    if not kept.covariates.shape[1]:
        raise AnalysisError("no covariate that varies", expected="at least one", where="propensity score")
    design = np.column_stack([np.ones(len(trial.arm)), kept.covariates])
    try:
        fitted = glm.fit(design, (trial.arm == 1).astype(float), "logistic")
    except glm.SeparationError as error:
        raise AnalysisError(
            "covariates that tell the two arms apart without an error", expected="patients of both arms at every value",
            where="propensity score: no overlap", remedy="restrict both arms to the eligibility they share, or name fewer"
            " covariates",
        ) from error  # fmt: skip
    outside = _outside(fitted.mean, trial.arm)
    return PropensityScore(
        fitted.mean,
        fitted.coefficients,
        ("intercept", *kept.covariate_names),
        (*kept.notes[len(trial.notes) :], *outside),
    )


def propensity_weights(score: np.ndarray, arm: np.ndarray, target: str = "ATT") -> np.ndarray:
    """(patient,) weights from ``score`` (patient,) in (0, 1) and ``arm`` of 0 and 1, by the table above."""
    if target not in TARGETS:
        raise AnalysisError(f"target {target!r}", expected=f"one of {TARGETS}", where="propensity weights")
    score = np.asarray(score, dtype=float)
    treated = np.asarray(arm) == 1
    if not ((score > 0.0) & (score < 1.0)).all():
        raise AnalysisError(
            "propensity scores of 0 or 1", expected="strictly between", where="propensity weights: no overlap",
            remedy="restrict both arms to the eligibility they share",
        )  # fmt: skip
    if target == "ATT":
        return np.where(treated, 1.0, score / (1.0 - score))
    if target == "ATE":
        return np.where(treated, 1.0 / score, 1.0 / (1.0 - score))
    return np.where(treated, 1.0 - score, score)


def _outside(score: np.ndarray, arm: np.ndarray) -> tuple[str, ...]:
    """How many of the treated lie where no control does."""
    logit = special.logit(np.clip(score, 1e-300, 1.0 - 1e-16))
    controls = logit[arm == 0]
    treated = logit[arm == 1]
    gone = int(((treated > controls.max()) | (treated < controls.min())).sum())
    if gone == len(treated):
        raise AnalysisError(
            "no treated patient within the range of the controls' propensity scores", expected="scores that overlap",
            where="propensity score: no overlap", remedy="restrict both arms to the eligibility they share",
        )  # fmt: skip
    if not gone:
        return ()
    return (f"{gone} of {len(treated)} treated patients lie outside the range of the controls' propensity scores",)
