"""``kind: log-rank``: log-rank test and marginal hazard ratio; see :mod:`medtwin.trials.analysis.logrank`."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from medtwin.trials.analysis.logrank import logrank
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.curves import censored, curves


class LogRank(msgspec.Struct, tag_field="kind", tag="log-rank", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Hazard ratio over all patients, adjusted for the covariates and stratified by the strata, if there are any."""

    adjusted: bool = True
    stratified: bool = True
    small_sample: bool = True  #: false: the variance of Ye, Shao & Yi as published
    df: str = "residual"  #: residual | normal
    test_first: bool = False  #: the analysis is for the log-rank test rather than the hazard ratio


def run(method: LogRank, asked: Asked) -> Done:
    """Hazard ratios, then the tests (or the other way round)."""
    trial = asked.trial()
    made = logrank(
        trial, adjusted=method.adjusted, stratified=method.stratified, small_sample=method.small_sample, df=method.df,
        confidence=asked.plan.confidence,
    )  # fmt: skip
    order = sorted(made.estimates, key=lambda one: one.name.startswith("log-rank") != method.test_first)
    return Done(
        analysis=replace(made, estimates=tuple(order)),
        curves=curves(trial),
        further=censored(trial, asked.analysis.unit),
    )
