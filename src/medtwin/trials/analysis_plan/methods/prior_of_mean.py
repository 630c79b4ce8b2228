"""A control mean with history behind it, all normal: each arm's mean with its standard error as known.

The difference is the treated mean less the posterior of the control mean, independent of it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis_plan.asked import Asked
from medtwin.trials.analysis_plan.methods.history import Study
from medtwin.trials.analysis_plan.methods.prior_of_rate import words
from medtwin.trials.external.hybrid import hybrid_mean_difference
from medtwin.trials.external.normal_learnt import (
    normal_commensurate_prior,
    normal_leap_prior,
    normal_normalised_power_prior,
)
from medtwin.trials.external.normal_prior import NormalMixture, normal_map_prior, normal_power_prior
from medtwin.trials.external.worth import effective_patients_of_mean

if TYPE_CHECKING:
    from medtwin.trials.analysis_plan.methods.borrowed import Borrowed


def borrow_mean(method: Borrowed, asked: Asked, history: list[Study]) -> tuple[Analysis, dict[str, Any]]:
    """Difference of means. Two arms, no covariates."""
    trial = asked.trial()
    if len(trial.arm_names) != 2:
        raise AnalysisError(
            f"arms {trial.arm_names}", where=asked.analysis.name, expected="own controls and one treated arm"
        )
    arms = [trial.outcome[trial.arm == code] for code in (0, 1)]
    if min(len(arm) for arm in arms) < 2:
        raise AnalysisError("an arm of one patient", where=asked.analysis.name, expected="two or more in each")
    control, treated = ((float(arm.mean()), float(arm.std(ddof=1)) / math.sqrt(len(arm))) for arm in arms)
    if not min(control[1], treated[1]) > 0.0:
        raise AnalysisError("an arm without spread", where=asked.analysis.name, expected="outcomes that vary")
    spread = control[1] * math.sqrt(len(arms[0]))
    prior = mean_prior(method, history, spread, asked.analysis.name)
    made = hybrid_mean_difference(
        treated, control, prior, name=words(method, history), unit=asked.analysis.unit, confidence=asked.plan.confidence,
        patients=trial.patients,
    )  # fmt: skip
    notes = [*trial.notes, *made.notes]
    if trial.covariates.shape[1]:
        notes.append("borrowing a mean does not adjust: the covariates were not used")
    further: dict[str, Any] = {}
    if method.prior != "none":
        further = {"prior control mean": prior.mean(), "prior standard deviation": prior.standard_deviation(),
                   "control mean after the trial": prior.updated(*control).mean(),
                   "prior worth, in patients (moment)": effective_patients_of_mean(prior, spread, "moment")}  # fmt: skip
    return replace(made, notes=tuple(notes)), further


def mean_prior(method: Borrowed, history: list[Study], spread: float, where: str) -> NormalMixture:
    """The prior of the control mean that the plan names; ``spread``: standard deviation of one own control's outcome.

    What is vague is normal about the historical mean with a hundred times the largest deviation in sight; the vague part of a
    robust MAP prior is one patient's worth. LEAP takes the historical patients themselves.
    """
    values = np.array([study.mean or 0.0 for study in history])
    errors = np.array([study.standard_error or 0.0 for study in history])
    precision = errors**-2.0
    pooled, error = float(precision @ values / precision.sum()), float(precision.sum() ** -0.5)
    wide = 100.0 * max(spread, float(errors.max()))
    if method.prior == "none":
        return NormalMixture.of(0.0, 1e6 * max(spread, 1.0))
    if method.prior == "power":
        return normal_power_prior(pooled, error, method.discount)
    if method.prior == "normalised-power":
        return normal_normalised_power_prior(pooled, error, mean=pooled, standard_deviation=wide).value
    if method.prior == "commensurate":
        if method.scale is None:
            raise AnalysisError(
                "no scale", where=where, expected="how far own and historical means may differ, in the outcome's unit",
                remedy="a half-normal scale; a quarter of a patient's standard deviation is strict",
            )  # fmt: skip
        return normal_commensurate_prior(pooled, error, scale=method.scale)
    if method.prior == "leap":
        outcomes = np.concatenate([np.asarray(study.outcomes, dtype=float) for study in history])
        if not len(outcomes):
            raise AnalysisError(
                "a published history", where=where, expected="external rows of the table: LEAP weighs each patient"
            )
        return normal_leap_prior(outcomes, spread, mean=pooled, spread=10.0 * spread)
    if method.heterogeneity_scale is None:
        raise AnalysisError(
            "no heterogeneity_scale", where=where, expected="how far studies may differ, in the outcome's unit",
            remedy="a half-normal scale; half of a patient's standard deviation is a common choice",
        )  # fmt: skip
    made = normal_map_prior(values.tolist(), errors.tolist(), heterogeneity_scale=method.heterogeneity_scale,
                            mean=pooled, standard_deviation=wide)  # fmt: skip
    return made.mixed(1.0 - method.vague_weight, NormalMixture.of(pooled, spread))
