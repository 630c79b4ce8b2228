"""``kind: ancova``: difference of means, adjusted; see :mod:`medtwin.trials.analysis.linear`."""

from __future__ import annotations

import msgspec

from medtwin.trials.analysis.linear import ancova
from medtwin.trials.analysis_plan.asked import Asked, Done


class Ancova(msgspec.Struct, tag_field="kind", tag="ancova", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Analysis of covariance: ``treated - control``."""

    interactions: bool | list[str] = False  #: true: a slope in each arm (II, ANHECOVA); or of which covariates
    variance: str = "HC2"  #: classical | HC0 | HC1 | HC2 | HC3 | HC4
    df: str = ""  #: bell-mccaffrey | residual | normal; nothing said: bell-mccaffrey of model I, residual of II
    strata_as_covariates: bool = True
    fixed_covariates: bool = False  #: leave out what the draw of the covariates adds to the variance


def run(method: Ancova, asked: Asked) -> Done:
    """Effects, then each arm's mean."""
    trial = asked.trial()
    return Done(
        analysis=ancova(
            trial, interactions=method.interactions, variance=method.variance, df=method.df,
            strata=method.strata_as_covariates, fixed_covariates=method.fixed_covariates, confidence=asked.plan.confidence,
            unit=asked.analysis.unit,
        )
    )  # fmt: skip
