"""``kind: survival``: differences in survival and restricted mean, adjusted where there are covariates or strata.

See :mod:`medtwin.trials.analysis.kaplan` and :mod:`medtwin.trials.analysis.survival_adjusted`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from medtwin.trials.analysis.kaplan import survival_effects
from medtwin.trials.analysis.survival_adjusted import adjusted_survival_effects
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.curves import censored, curves
from medtwin.trials.analysis_plan.methods.numbers import Positive


class Survival(msgspec.Struct, tag_field="kind", tag="survival", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Survival at times, and the mean survival time up to ``tau``, without proportional hazards."""

    times: list[Positive] = []  #: in the time's unit
    tau: Positive | None = None  #: the restricted mean is up to it
    adjusted: bool = True  #: for the covariates and strata, if there are any
    strata: str = "covariates"  #: covariates | within | ignore
    variance: str = "HC2"  #: HC0 | HC2 | HC3; without covariates: HC2, or HC0 that is Greenwood's
    df: str = "satterthwaite"  #: satterthwaite | normal
    fixed_covariates: bool = False


def run(method: Survival, asked: Asked) -> Done:
    """Differences (of the restricted mean its ratio too), then each arm's."""
    trial = asked.trial()
    said: dict[str, Any] = {"times": method.times, "tau": method.tau, "confidence": asked.plan.confidence,
                            "unit": asked.analysis.unit}  # fmt: skip
    if method.adjusted and (trial.covariates.shape[1] or trial.strata is not None):
        made = adjusted_survival_effects(
            trial, strata=method.strata, variance=method.variance, df=method.df, fixed_covariates=method.fixed_covariates,
            **said,
        )  # fmt: skip
    else:
        bare = "greenwood" if method.variance == "HC0" else "HC2"
        made = survival_effects(trial, variance=bare, df=method.df, **said)
    return Done(analysis=made, curves=curves(trial), further=censored(trial, asked.analysis.unit))
