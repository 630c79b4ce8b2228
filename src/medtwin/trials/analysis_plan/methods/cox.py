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
    variance: str = "robust"  #: robust (HC3) | HC0 | HC2 | HC3 | model: the last counts on proportional hazards
    df: str = "auto"  #: auto (residual where there are strata) | residual: t with n-p | normal


def run(method: Cox, asked: Asked) -> Done:
    """The hazard ratios."""
    trial = asked.trial()
    made = cox(
        trial, ties=method.ties, stratified=method.stratified, variance=method.variance, df=method.df,
        confidence=asked.plan.confidence,
    )  # fmt: skip
    return Done(analysis=made, curves=curves(trial), further=censored(trial, asked.analysis.unit))
