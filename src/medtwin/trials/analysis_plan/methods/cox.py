"""``kind: cox``: hazard ratio conditional on the covariates; see :mod:`medtwin.trials.analysis.cox`."""

from __future__ import annotations

import msgspec

from medtwin.trials.analysis.cox import cox
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.curves import censored, curves


class Cox(msgspec.Struct, tag_field="kind", tag="cox", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Cox's proportional hazards model: the conditional hazard ratio, which is not the marginal one."""

    ties: str = "efron"  #: efron | breslow
    stratified: bool = True


def run(method: Cox, asked: Asked) -> Done:
    """The hazard ratios."""
    trial = asked.trial()
    made = cox(trial, ties=method.ties, stratified=method.stratified, confidence=asked.plan.confidence)
    return Done(analysis=made, curves=curves(trial), further=censored(trial, asked.analysis.unit))
