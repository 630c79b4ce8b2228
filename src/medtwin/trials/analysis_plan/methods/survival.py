"""``kind: survival``: differences in survival and restricted mean; see :mod:`medtwin.trials.analysis.kaplan`."""

from __future__ import annotations

import msgspec

from medtwin.trials.analysis.kaplan import survival_effects
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.curves import censored, curves


class Survival(msgspec.Struct, tag_field="kind", tag="survival", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Survival at times, and the mean survival time up to ``tau``, without proportional hazards."""

    times: list[float] = []  #: in the time's unit
    tau: float | None = None  #: the restricted mean is up to it


def run(method: Survival, asked: Asked) -> Done:
    """Differences (of the restricted mean its ratio too), then each arm's."""
    trial = asked.trial()
    made = survival_effects(
        trial, times=method.times, tau=method.tau, confidence=asked.plan.confidence, unit=asked.analysis.unit
    )
    return Done(analysis=made, curves=curves(trial), further=censored(trial, asked.analysis.unit))
