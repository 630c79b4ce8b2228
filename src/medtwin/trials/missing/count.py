"""Events of a patient after he left: a negative binomial whose frailty his own count has told something about.

A patient with frailty ``u ~ Gamma(θ, θ)`` has ``y_1 ~ Poisson(u μ_1)`` events while observed and ``y_2 ~ Poisson(u μ_2)``
until the planned end, where ``μ = time · exp(α_arm + c' γ)``, so that

    y_2 | y_1 ~ negative binomial of shape θ + y_1 and mean μ_2 (θ + y_1) / (θ + μ_1)        (θ infinite: Poisson(μ_2))

    MAR  μ_1, μ_2 of the own arm        JR  μ_1 own, μ_2 reference        CR  μ_1, μ_2 reference

and ``δ``: ``μ_2`` times ``exp(δ_arm)``. Source: Keene, Roger, Hartley and Kenward, Pharm Stat 13 (2014): 258 (negative binomial,
as R's dejaVu describes it; the paper itself was not read). The law of ``y_2`` follows from the gamma frailty's posterior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.marginal import marginal_effects
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.missing.flat import by_arm, chosen, design, reference_code, several

Array = np.ndarray


def later(count: Array, before: Array, after: Array, theta: float, rng: np.random.Generator) -> Array:
    """``y_2`` given ``y_1 = count``, ``μ_1 = before`` and ``μ_2 = after``; (n,) each."""
    if np.isinf(theta):
        return rng.poisson(after).astype(float)
    return rng.poisson(after * rng.gamma(theta + count, 1.0 / (theta + before))).astype(float)


def count(
    trial: TrialData, planned: Array, *, strategy: str = "MAR", reference: str | None = None,
    delta: Mapping[str, float] | None = None, variance: str = "HC2", sets: int = 50, seed: int, confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """Rate ratios over the planned time. ``trial`` has the counts and ``exposure`` while observed, ``planned (n,)`` the time
    wanted, in its unit; ``strategy``: MAR, JR or CR; ``delta``: log rate ratio by arm. Raises :class:`AnalysisError`."""
    words, trial = chosen(strategy, ("MAR", "JR", "CR")), trial.independent()
    whole = np.asarray(planned, float)
    if trial.exposure is None:
        raise AnalysisError("no time at risk", expected="exposure, the time for which each patient was observed")
    seen = trial.exposure
    if whole.shape != seen.shape or not (np.isfinite(whole).all() and (whole >= seen).all()):
        raise AnalysisError("planned times that are missing or shorter than observed", where="planned",
                            expected="for each patient at least the time at risk")  # fmt: skip
    ref, shift, gone = reference_code(trial, reference), by_arm(trial, delta), whole > seen
    own = design(trial)
    other = design(trial, np.full(len(own), ref))
    first, second = other if strategy == "CR" else own, own if strategy == "MAR" else other
    if strategy != "MAR":
        words += f", reference arm {trial.arm_names[ref]}"
    if delta:
        words += ", log rate " + ", ".join(f"{value:+.4g} {arm}" for arm, value in delta.items())

    def fit(rows: Array) -> tuple[Array, float]:
        done = glm.fit(own[rows], trial.outcome[rows], "negative-binomial", np.log(seen[rows]))
        return done.coefficients, done.theta

    def draw(fitted: tuple[Array, float], rng: np.random.Generator) -> TrialData:
        beta, theta = fitted
        more = later(
            trial.outcome, seen * np.exp(first @ beta), (whole - seen) * np.exp(second @ beta + shift), theta, rng
        )
        return replace(trial, outcome=trial.outcome + more, exposure=whole)

    return several(
        trial, gone, fit=fit, draw=draw, sets=sets, seed=seed, words=words, what="count until the planned end",
        analyse=lambda one: marginal_effects(
            one, family="negative-binomial", measures=("ratio",), variance=variance, confidence=confidence
        ),
    )  # fmt: skip
