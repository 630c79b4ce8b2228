"""``kind: weighted``: external controls weighted or matched to the treated; see :mod:`medtwin.trials.external`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.kaplan import Curve
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.numbers import Positive, Whole
from medtwin.trials.external.balance import balance
from medtwin.trials.external.effect import weighted_effect, weighted_hazard_ratio
from medtwin.trials.external.matching import nearest_neighbours
from medtwin.trials.external.propensity import propensity_score, propensity_weights
from medtwin.trials.external.tilting import entropy_weights
from medtwin.trials.external.tipping import bias_tipping_point, e_value
from medtwin.trials.external.weighted_kaplan import weighted_kaplan_meier, weighted_survival_effects

#: Whose effect it is, by the weights.
POPULATIONS = {
    "none": "nobody in particular: the arms as they are", "ATT": "patients like the treated",
    "ATE": "treated and external patients together", "overlap": "patients who could be of either source",
    "entropy": "patients like the treated", "matching": "the treated who found a match",
}  # fmt: skip
WAYS = tuple(POPULATIONS)


class Weighted(msgspec.Struct, tag_field="kind", tag="weighted", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The analysis's ``control`` names the external patients. Two arms."""

    weights: str  #: none | ATT | ATE | overlap | entropy | matching
    measures: tuple[str, ...] = (
        "difference",
    )  #: difference | ratio | odds ratio; a survival endpoint has its hazard ratio
    variance: str = "HC3"  #: HC0 | HC2 | HC3
    ties: str = "efron"
    squares: bool = False  #: entropy: variances too
    total: str = "treated"  #: entropy: what the control weights sum to
    caliper: Positive | None = 0.2  #: matching
    ratio: Whole = 1  #: matching: controls for each treated
    scale: str = "logit"  #: matching: logit | probability
    order: str = "largest"  #: matching: largest | smallest | data
    side: str = "either"  #: matching: either | below
    times: list[Positive] = []  #: survival: differences at these times, instead of the hazard ratio
    tau: Positive | None = None  #: survival: difference of the restricted mean, instead of the hazard ratio


def run(method: Weighted, asked: Asked) -> Done:
    """The effect, the balance of covariates before and after, effective patients, and what bias would undo it."""
    trial = asked.trial()
    weights, sets, words, notes = weigh(method, trial)
    survives = asked.analysis.endpoint == "survival"
    if survives and (method.times or method.tau is not None):
        made = weighted_survival_effects(
            trial, weights, times=method.times, tau=method.tau, method=words, unit=asked.analysis.unit,
            confidence=asked.plan.confidence, notes=notes,
        )  # fmt: skip
    elif survives:
        made = weighted_hazard_ratio(
            trial, weights, cluster=sets, ties=method.ties, method=words, confidence=asked.plan.confidence, notes=notes
        )
    else:
        made = weighted_effect(
            trial, weights, measures=method.measures, variance=method.variance, method=words,
            unit=asked.analysis.unit, confidence=asked.plan.confidence, notes=notes,
        )  # fmt: skip
    table = balance(trial, weights) if trial.covariates.shape[1] else None
    further: dict[str, Any] = {} if table is None else {
        "effective controls": table.effective_control, "effective treated": table.effective_treated,
    }  # fmt: skip
    axis = {"time_unit": asked.analysis.unit} if survives and asked.analysis.unit != "1" else {}
    return Done(
        analysis=named(made, trial), balance=table, curves=_weighted_curves(trial, weights) if survives else {},
        further={**further, "the effect is that in": POPULATIONS[method.weights], **undone(made), **axis},
    )  # fmt: skip


def weigh(method: Weighted, trial: TrialData) -> tuple[np.ndarray | None, np.ndarray | None, str, tuple[str, ...]]:
    """(weights, matched sets, words for the method, notes)."""
    if method.weights not in WAYS:
        raise AnalysisError(f"weights {method.weights!r}", expected=", ".join(WAYS), where="weighted")
    if method.weights == "none":
        return None, None, "unweighted", ("the arms are compared as they are: nothing is done about how they differ",)
    if method.weights == "entropy":
        tilted = entropy_weights(trial, squares=method.squares, total=method.total)
        return tilted.weights, None, "entropy balancing (ATT)", tilted.notes
    score = propensity_score(trial)
    if method.weights == "matching":
        matched = nearest_neighbours(
            trial,
            score.score,
            caliper=method.caliper,
            ratio=method.ratio,
            scale=method.scale,
            order=method.order,
            side=method.side,
        )
        sets = np.where(
            matched.matched_set < 0, matched.matched_set.max() + 1 + np.arange(len(trial.arm)), matched.matched_set
        )
        return matched.weights, sets, "propensity matching", (*score.notes, *matched.notes)
    words = {"ATT": "inverse probability (ATT)", "ATE": "inverse probability (ATE)", "overlap": "overlap weights"}
    return propensity_weights(score.score, trial.arm, method.weights), None, words[method.weights], score.notes


def _weighted_curves(trial: TrialData, weights: np.ndarray | None) -> dict[str, Curve]:
    """Kaplan-Meier of each arm as it was compared."""
    assert trial.event is not None
    held = np.ones(len(trial.arm)) if weights is None else weights
    return {
        f"{name} (weighted)" if weights is not None else name: weighted_kaplan_meier(
            trial.outcome[rows], trial.event[rows], held[rows]
        )
        for code, name in enumerate(trial.arm_names)
        if (rows := (trial.arm == code) & (held > 0.0)).any()
    }


def named(made: Analysis, trial: TrialData) -> Analysis:
    """The estimates with their direction: treated against control."""
    control, treated = trial.arm_names
    words = {
        "difference": f"difference {treated} - {control}", "ratio": f"ratio {treated} / {control}",
        "odds ratio": f"odds ratio {treated} / {control}", "hazard ratio": f"hazard ratio {treated} / {control}",
    }  # fmt: skip
    return replace(made, estimates=tuple(replace(one, name=words.get(one.name, one.name)) for one in made.estimates))


def undone(made: Analysis) -> dict[str, Any]:
    """The bias at which the interval touches the null, and of a ratio its E-value."""
    first = made.estimates[0]
    bias = bias_tipping_point(first)
    found: dict[str, Any] = {
        "bias that undoes the conclusion, on the estimate's scale": bias or "none: the interval holds the null already"
    }
    if first.scale == "log":
        value, limit = e_value(replace(first, null=0.0))
        found |= {"E-value": value, "E-value of the limit": limit}
    return found
