"""A control mean with history behind it, all normal: each arm's mean with its standard error as known.

The difference is the treated mean less the posterior of the control mean, independent of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis_plan.asked import Asked
from medtwin.trials.analysis_plan.methods.history import Study
from medtwin.trials.analysis_plan.methods.prior_of_rate import words
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.normal_prior import NormalMixture, normal_map_prior, normal_power_prior

if TYPE_CHECKING:
    from medtwin.trials.analysis_plan.methods.borrowed import Borrowed


def borrow_mean(method: Borrowed, asked: Asked, history: list[Study]) -> tuple[Analysis, dict[str, Any]]:
    """Difference of means; the interval is by the normal approximation. Two arms, no covariates."""
    trial = asked.trial()
    if len(trial.arm_names) != 2:
        raise AnalysisError(
            f"arms {trial.arm_names}", where=asked.analysis.name, expected="own controls and one treated arm"
        )
    arms = [trial.outcome[trial.arm == code] for code in (0, 1)]
    if min(len(arm) for arm in arms) < 2:
        raise AnalysisError("an arm of one patient", where=asked.analysis.name, expected="two or more in each")
    centre = [float(arm.mean()) for arm in arms]
    error = [float(arm.std(ddof=1)) / math.sqrt(len(arm)) for arm in arms]
    if not min(error) > 0.0:
        raise AnalysisError("an arm without spread", where=asked.analysis.name, expected="outcomes that vary")
    notes = list(trial.notes)
    if trial.covariates.shape[1]:
        notes.append("borrowing a mean does not adjust: the covariates were not used")
    further: dict[str, Any] = {}
    own = NormalMixture.of(centre[0], error[0])
    if method.prior != "none":
        prior = mean_prior(method, history, centre[0], error[0] * math.sqrt(len(arms[0])), asked.analysis.name)
        own = prior.updated(centre[0], error[0])
        further = {"prior control mean": prior.mean(), "prior standard deviation": prior.standard_deviation(),
                   "control mean after the trial": own.mean()}  # fmt: skip
    method_words = f"hybrid control, {words(method, history)}: posterior mean and standard deviation"
    spreads = np.array([own.standard_deviation(), error[1]])
    estimate = Estimate(
        name="difference", value=centre[1] - own.mean(), standard_error=float(np.hypot(*spreads)), method=method_words,
        unit=asked.analysis.unit, confidence=asked.plan.confidence,
    )  # fmt: skip
    made = Analysis(
        method=method_words, estimates=(estimate,), patients=trial.patients, notes=tuple(notes),
        means=np.array([own.mean(), centre[1]]), covariance=np.diag(spreads**2),
    )  # fmt: skip
    return made, further


def mean_prior(method: Borrowed, history: list[Study], centre: float, spread: float, where: str) -> NormalMixture:
    """Power or robust MAP prior; ``spread`` of one patient's outcome makes the vague part: one patient's worth."""
    values = [study.mean or 0.0 for study in history]
    errors = [study.standard_error or 0.0 for study in history]
    if method.prior == "power":
        precision = np.array(errors) ** -2.0
        pooled = float(precision @ np.array(values) / precision.sum())
        return normal_power_prior(pooled, float(precision.sum() ** -0.5), method.discount)
    if method.prior == "map":
        if method.heterogeneity_scale is None:
            raise AnalysisError(
                "no heterogeneity_scale", where=where, expected="how far studies may differ, in the outcome's unit",
                remedy="a half-normal scale; half of a patient's standard deviation is a common choice",
            )  # fmt: skip
        middle = float(np.mean(values))
        made = normal_map_prior(values, errors, heterogeneity_scale=method.heterogeneity_scale, mean=middle,
                                standard_deviation=100.0 * max(spread, *errors))  # fmt: skip
        return made.mixed(1.0 - method.vague_weight, NormalMixture.of(middle, spread))
    raise AnalysisError(f"prior {method.prior!r} of a mean", where=where, expected="none, power or map")
