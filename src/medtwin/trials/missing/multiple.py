"""Multiple imputation: several completed data sets, each analysed by ANCOVA, pooled by Rubin's rules.

The model's parameters differ between the sets as they are uncertain: draws of their posterior
(:mod:`medtwin.trials.missing.bayes`), or fits to bootstrap samples ("approximate Bayesian": Little and Rubin, Statistical
Analysis with Missing Data (2002), section 10.2.3). Under reference-based imputation Rubin's standard error keeps the
information that missing data would have had ("information anchored": Cro, Carpenter and Kenward, JRSS A 182 (2019): 623)
and is larger than the spread of the estimate in repeated trials; :mod:`medtwin.trials.missing.conditional` estimates that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.estimate import Estimate
from medtwin.trials.missing.bayes import posterior
from medtwin.trials.missing.delta import Delta, shift
from medtwin.trials.missing.impute import Assumption, draw
from medtwin.trials.missing.model import Model, Specification
from medtwin.trials.missing.repeated import RepeatedTrial
from medtwin.trials.missing.rubin import pool
from medtwin.trials.missing.samples import bootstrap

Array = np.ndarray
PARAMETERS = ("posterior", "bootstrap")


@dataclass(frozen=True, kw_only=True)
class Completed:
    """``D`` completed data sets: what :func:`multiple_imputation` analyses, and a delta is added to."""

    trial: RepeatedTrial = field(repr=False)
    outcomes: Array = field(repr=False)  #: (D, n, m)
    words: str  #: how they were made
    notes: tuple[str, ...] = ()


def complete(
    trial: RepeatedTrial, *, strategy: str | Mapping[str, str] = "MAR", reference: str | None = None, sets: int = 50,
    seed: int, parameters: str = "posterior", specification: Specification | None = None,
) -> Completed:  # fmt: skip
    """``sets`` completed data sets. ``parameters``: one of :data:`PARAMETERS`. Raises :class:`AnalysisError`."""
    if parameters not in PARAMETERS or sets < 2:
        raise AnalysisError(f"parameters {parameters!r}, {sets} sets", expected=f"one of {PARAMETERS}, at least 2 sets")
    assumption = Assumption.of(trial, strategy, reference)
    models: tuple[Model, ...]
    notes: tuple[str, ...] = ()
    if parameters == "posterior":
        models = posterior(trial, assumption, specification, draws=sets, seed=seed)
    else:
        drawn = bootstrap(trial, assumption, specification, samples=sets, seed=seed)
        models, notes = drawn.models, drawn.notes
    rng = np.random.default_rng([seed, 1])
    outcomes = np.stack([draw(trial, model, assumption, rng.standard_normal(trial.outcome.shape)) for model in models])
    words = f"multiple imputation of {sets} sets, {parameters} parameters, {assumption.words}"
    after = f"after an event: {assumption.words}; reference arm {trial.arm_names[assumption.reference]}; seed {seed}"
    return Completed(trial=trial, outcomes=outcomes, words=words, notes=(*trial.notes, *trial.imputed(), after, *notes))


def multiple_imputation(
    completed: Completed, *, delta: Delta | None = None, variance: str = "HC2", adjusted: bool = True,
    confidence: float = 0.95, unit: str = "1",
) -> Analysis:  # fmt: skip
    """Arm less control, and each arm's mean, at every visit: ``DRUG - PLACEBO at week 24``, ``mean DRUG at week 24``.

    ``delta``: added to imputed outcomes; ``variance``: of ANCOVA in each set; the degrees of freedom of complete data are
    the mean of the sets'. Raises :class:`AnalysisError`.
    """
    trial = completed.trial
    sets = completed.outcomes + shift(trial, delta)
    method = (
        f"{completed.words}{'' if delta is None else f', {delta.words}'}, ANCOVA, {variance}, Rubin, Barnard-Rubin df"
    )
    estimates: list[Estimate] = []
    informed: list[str] = []
    for j, visit in enumerate(trial.visits):
        each = [
            ancova(_flat(trial, one[:, j], adjusted), variance=variance, confidence=confidence, unit=unit)
            for one in (sets if (~trial.observed[:, j]).any() else sets[:1])
        ]
        for place, first in enumerate(each[0].estimates):
            name, every = f"{first.name} at {visit}", [analysis.estimates[place] for analysis in each]
            value, error, df = first.value, first.standard_error, first.df
            if len(every) > 1:
                pooled = pool(
                    [e.value for e in every], [e.standard_error**2 for e in every], float(np.mean([e.df for e in every]))
                )  # fmt: skip
                value, error, df = pooled.value, pooled.standard_error, pooled.df
                if place < len(trial.arm_names) - 1:
                    informed.append(f"{name}: {pooled.missing_information:.1%}")
            estimates.append(
                Estimate(name=name, value=value, standard_error=error, df=df, method=method, confidence=confidence, unit=unit)
            )  # fmt: skip
    share = (f"share of the variance that is due to what is missing: {'; '.join(informed)}",) if informed else ()
    return Analysis(
        method=method, estimates=tuple(estimates), patients=trial.patients, notes=(*completed.notes, *share)
    )


def _flat(trial: RepeatedTrial, outcome: Array, adjusted: bool) -> TrialData:
    """One visit as a trial with one row a patient."""
    return TrialData(
        outcome=outcome, arm=trial.arm, arm_names=trial.arm_names,
        covariates=trial.covariates if adjusted else trial.covariates[:, :0],
        covariate_names=trial.covariate_names if adjusted else (),
    )  # fmt: skip
