"""``kind: maic``: matching-adjusted indirect comparison with a trial of which a table is published."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.weighted import named
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.balance import effective_sample_size
from medtwin.trials.external.effect import weighted_effect, weighted_hazard_ratio
from medtwin.trials.external.maic import PublishedValue, anchored, maic_weights, unanchored


class Published(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The other trial's effect of its treatment against the common control: for the anchored comparison."""

    value: float  #: as reported: of a ratio the ratio
    low: float | None = None  #: limits of its interval, of the plan's confidence; or ``standard_error``
    high: float | None = None
    standard_error: float | None = None  #: of a ratio, of its logarithm


class Maic(msgspec.Struct, tag_field="kind", tag="maic", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Unanchored: ``control`` names the rebuilt patients of the other trial. Anchored: ``control`` is the common arm."""

    targets: dict[str, dict[str, float]]  #: covariate -> mean, standard_deviation, median of the other trial
    anchor: Published | None = None  #: given: anchored
    measure: str = "difference"  #: difference | ratio | odds ratio; a survival endpoint has its hazard ratio


def run(method: Maic, asked: Asked) -> Done:
    """The indirect effect; of an anchored comparison also the weighted effect that it rests on."""
    trial = asked.trial()
    targets = {name: PublishedValue(**values) for name, values in _known(method).items()}
    sure = asked.plan.confidence
    own = np.ones(len(trial.arm), bool) if method.anchor else trial.arm == 1
    held = {name: trial.covariates[own, k] for k, name in enumerate(trial.covariate_names)}
    tilted = maic_weights(held, targets)
    size = effective_sample_size(tilted.weights)
    further = {"effective own patients": size, "own patients": int(own.sum())}
    if method.anchor is None:
        made = unanchored(trial, tilted.weights, measures=(method.measure,), confidence=sure)
        made = named(made, trial)
        return Done(analysis=replace(made, notes=(*made.notes, *tilted.notes)), further=further)
    mine = _weighted(trial, tilted.weights, method, asked)
    made = anchored(mine, _published(method.anchor, mine, sure), name=f"{mine.name}, against the other trial's treatment",
                    confidence=sure)  # fmt: skip
    notes = (*trial.notes, *tilted.notes, *made.notes)
    return Done(
        analysis=replace(made, estimates=(*made.estimates, mine), patients=trial.patients, notes=notes), further=further
    )


def _weighted(trial: TrialData, weights: np.ndarray, method: Maic, asked: Asked) -> Estimate:
    words = "MAIC weights"
    if trial.event is not None:
        return weighted_hazard_ratio(trial, weights, method=words, confidence=asked.plan.confidence).estimates[0]
    return weighted_effect(
        trial, weights, measures=(method.measure,), method=words, unit=asked.analysis.unit,
        confidence=asked.plan.confidence,
    ).estimates[0]  # fmt: skip


def _published(anchor: Published, mine: Estimate, confidence: float) -> Estimate:
    move = math.log if mine.scale == "log" else float
    if mine.scale == "log" and not min(anchor.value, anchor.low or 1.0, anchor.high or 1.0) > 0.0:
        raise AnalysisError("a published ratio that is not positive", where="maic, anchor", expected="above 0")
    error = anchor.standard_error
    if error is None:
        if anchor.low is None or anchor.high is None:
            raise AnalysisError("no uncertainty of the published effect", where="maic, anchor",
                                expected="standard_error, or low and high")  # fmt: skip
        unit = Estimate(name="", value=0.0, standard_error=1.0, method="", confidence=confidence)
        error = (move(anchor.high) - move(anchor.low)) / (2.0 * unit.interval[1])
    return Estimate(
        name="published", value=move(anchor.value), standard_error=error, scale=mine.scale, method="as published",
        unit=mine.unit, confidence=confidence,
    )  # fmt: skip


def _known(method: Maic) -> dict[str, dict[str, float]]:
    allowed = {"mean", "standard_deviation", "median"}
    for name, values in method.targets.items():
        if not values or set(values) - allowed:
            raise AnalysisError(
                f"targets {sorted(values)} of {name}", where="maic", expected=f"some of {sorted(allowed)}"
            )
    return method.targets
