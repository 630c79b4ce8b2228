"""A binary outcome that is missing: drawn from a logistic model under the patient's own or the reference arm.

    logit P(y = 1) = α_arm + c' γ + δ_arm

fitted to the patients with an outcome; MAR: the own arm's α; JR: the reference arm's; δ the log odds ratio by which those
with a missing outcome differ, zero if nothing is said. Sources: Carpenter and Kenward, Multiple Imputation and its
Application (2nd edition 2023), section 4.1, binary data by regression in turn; δ as in Cro, Morris, Kenward and Carpenter,
Stat Med 39 (2020): 2815, on the logit here; Rubin, Multiple Imputation for Nonresponse in Surveys (1987; section not verified).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.marginal import marginal_effects
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.missing.flat import by_arm, chosen, design, reference_code, several

Array = np.ndarray


def binary(
    trial: TrialData, missing: Array, *, strategy: str = "MAR", reference: str | None = None,
    delta: Mapping[str, float] | None = None, measures: Sequence[str] = ("difference",), variance: str = "HC2",
    sets: int = 50, seed: int, confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """Marginal effects. ``missing (n,)`` bool: what stands as their outcome is not looked at; ``strategy``: MAR or JR;
    ``delta``: log odds ratio by arm. Raises :class:`AnalysisError`."""
    words, trial = chosen(strategy, ("MAR", "JR")), trial.independent()
    gone = np.asarray(missing, bool)
    if gone.shape != trial.outcome.shape:
        raise AnalysisError(f"missing of shape {gone.shape}", expected=f"{trial.outcome.shape}, one for each patient")
    ref, shift = reference_code(trial, reference), by_arm(trial, delta)
    own = design(trial)
    assumed = design(trial, np.full(len(own), ref)) if strategy == "JR" else own
    if strategy == "JR":
        words += f", reference arm {trial.arm_names[ref]}"
    if delta:
        words += ", log odds " + ", ".join(f"{value:+.4g} {arm}" for arm, value in delta.items())

    def fit(rows: Array) -> Array:
        seen = rows[~gone[rows]]
        return glm.fit(own[seen], trial.outcome[seen], "logistic").coefficients

    def draw(beta: Array, rng: np.random.Generator) -> TrialData:
        risk = special.expit(assumed @ beta + shift)
        return replace(trial, outcome=np.where(gone, rng.random(len(risk)) < risk, trial.outcome).astype(float))

    return several(
        trial, gone, fit=fit, draw=draw, sets=sets, seed=seed, words=words, what="outcome",
        analyse=lambda one: marginal_effects(
            one, family="logistic", measures=measures, variance=variance, confidence=confidence
        ),
    )  # fmt: skip
