"""``kind: g-computation``: marginal effects by a generalised linear model; see :mod:`medtwin.trials.analysis.marginal`."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.marginal import marginal_effects
from medtwin.trials.analysis.result import Analysis
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
    """Effects by measure, then each arm's mean. A further measure that cannot be (an odds ratio of a risk of 1) is a note."""
    endpoint, trial = asked.analysis.endpoint, asked.trial()
    measures = tuple(method.measures or MEASURES[endpoint])

    def of(chosen: tuple[str, ...]) -> Analysis:
        return marginal_effects(
            trial, family=method.family or FAMILIES[endpoint], measures=chosen, interactions=method.interactions,
            variance=method.variance, df=method.df, randomisation=method.randomisation, strata=method.strata_as_covariates,
            fixed_covariates=method.fixed_covariates, on_separation=method.on_separation, confidence=asked.plan.confidence,
        )  # fmt: skip

    try:
        return Done(analysis=of(measures))
    except AnalysisError:
        made = of(measures[:1])
    estimates, notes = list(made.estimates), list(made.notes)
    for measure in measures[1:]:
        try:
            other = of((measure,))
        except AnalysisError as error:
            notes.append(f"no {measure}: {error}")
        else:
            estimates[1:1] = [one for one in other.estimates if one.name not in {e.name for e in estimates}]
    return Done(analysis=replace(made, estimates=tuple(estimates), notes=tuple(notes)))
