"""``kind: g-computation``: marginal effects by a generalised linear model; see :mod:`medtwin.trials.analysis.marginal`."""

from __future__ import annotations

import msgspec

from medtwin.trials.analysis.marginal import marginal_effects
from medtwin.trials.analysis_plan.asked import Asked, Done

FAMILIES = {"continuous": "gaussian", "binary": "logistic", "count": "negative-binomial"}
MEASURES = {
    "continuous": ("difference",),
    "binary": ("difference", "ratio", "odds ratio"),
    "count": ("ratio", "difference"),
}


class Marginal(
    msgspec.Struct, tag_field="kind", tag="g-computation", forbid_unknown_fields=True, frozen=True, kw_only=True
):
    """Risk difference, risk ratio, odds ratio, rate ratio, rate difference or difference of means over all patients."""

    measures: list[str] | None = None  #: difference | ratio | odds ratio, the first is what the analysis is for
    family: str | None = None  #: gaussian | logistic | poisson | negative-binomial; none: by the endpoint
    interactions: bool | list[str] = False
    variance: str = "HC2"  #: HC0 | HC2 | HC3 | influence | robust | model
    df: str = "residual"  #: residual | normal
    randomisation: str = "simple"  #: simple | permuted-block | minimisation
    strata_as_covariates: bool = True
    fixed_covariates: bool = False
    on_separation: str = "refuse"  #: refuse | unadjusted: the arms' plain means, said in a note


def run(method: Marginal, asked: Asked) -> Done:
    """Effects by measure, then each arm's mean."""
    endpoint = asked.analysis.endpoint
    return Done(
        analysis=marginal_effects(
            asked.trial(), family=method.family or FAMILIES[endpoint], measures=method.measures or MEASURES[endpoint],
            interactions=method.interactions, variance=method.variance, df=method.df, randomisation=method.randomisation,
            strata=method.strata_as_covariates, fixed_covariates=method.fixed_covariates,
            on_separation=method.on_separation, confidence=asked.plan.confidence,
        )
    )  # fmt: skip
