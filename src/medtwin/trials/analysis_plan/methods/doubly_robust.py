"""``kind: aipw`` and ``kind: tmle``: effect in the treated against external controls, doubly robust."""

from __future__ import annotations

import msgspec

from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.weighted import named, undone
from medtwin.trials.external.balance import balance
from medtwin.trials.external.doubly_robust import aipw, tmle
from medtwin.trials.external.propensity import propensity_score, propensity_weights

FAMILIES = {"continuous": "gaussian", "binary": "logistic"}


class Aipw(msgspec.Struct, tag_field="kind", tag="aipw", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Augmented inverse probability weighting, ATT. The analysis's ``control`` names the external patients."""

    measures: tuple[str, ...] = ("difference",)
    variance: str = "stacked"  #: stacked | influence


class Tmle(msgspec.Struct, tag_field="kind", tag="tmle", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Targeted maximum likelihood, ATT. The analysis's ``control`` names the external patients."""

    measures: tuple[str, ...] = ("difference",)
    variance: str = "stacked"


def run(method: Aipw | Tmle, asked: Asked) -> Done:
    """The effect, and the balance that the propensity weights in it reach."""
    trial = asked.trial()
    estimate = aipw if isinstance(method, Aipw) else tmle
    made = estimate(
        trial, FAMILIES[asked.analysis.endpoint], measures=method.measures, variance=method.variance,
        unit=asked.analysis.unit, confidence=asked.plan.confidence,
    )  # fmt: skip
    table = balance(trial, propensity_weights(propensity_score(trial).score, trial.arm, "ATT"))
    further = {"effective controls": table.effective_control, "the effect is that in": "patients like the treated"}
    return Done(analysis=named(made, trial), balance=table, further={**further, **undone(made)})
