"""Differences of survival at a time and of the restricted mean, by Kaplan-Meier, of many trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.batch_kaplan import survival_batch
from medtwin.trials.analysis.kaplan import survival_effects
from medtwin.trials.analysis.survival_adjusted import adjusted_survival_effects
from medtwin.trials.estimate import Estimate
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop, normal
from medtwin.trials.simulate.outcomes.survival import survival
from medtwin.trials.simulate.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Kaplan:
    """As :func:`medtwin.trials.analysis.kaplan.survival_effects`: of survival ``at``, or of the mean up to ``tau``.

    With ``adjust`` as :func:`medtwin.trials.analysis.survival_adjusted.adjusted_survival_effects`, one trial after the other.
    """

    at: float | None = None
    tau: float | None = None
    adjust: str = "none"
    variance: str = "HC2"  #: or greenwood, with the normal law: that by the batched kernel
    endpoints: ClassVar[tuple[str, ...]] = ("survival",)

    def __post_init__(self) -> None:
        if (self.at is None) == (self.tau is None):
            raise AnalysisError(f"at {self.at}, tau {self.tau}", expected="one of them", where="survival effects")

    @property
    def name(self) -> str:
        """In words."""
        what = f"survival difference at {self.at:g}" if self.tau is None else f"RMST difference to {self.tau:g}"
        if self.adjust != "none":
            return f"{what}, adjusted, {self.adjust}"
        return what if self.variance == "HC2" else f"{what}, {self.variance}, normal"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """By the batched kernel. Without an event in either arm the standard error is 0: failed here, nothing can be tested."""
        if self.adjust != "none" or self.variance != "greenwood":
            return loop(self.one, batch, scenario)
        assert batch.event is not None
        value, error = survival_batch(batch.outcome, batch.event, batch.arm, at=self.at, tau=self.tau)
        bad = ~(error > 0.0)
        return normal(np.where(bad, np.nan, value), np.where(bad, np.nan, error))

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial by the function that trials are analysed with."""
        times = () if self.at is None else (self.at,)
        trial = batch.trial(number, self.adjust)
        if self.adjust != "none":
            return adjusted_survival_effects(trial, times=times, tau=self.tau).estimates[0]
        law = "normal" if self.variance == "greenwood" else "satterthwaite"
        made = survival_effects(trial, times=times, tau=self.tau, variance=self.variance, df=law).estimates[0]
        if not made.standard_error > 0.0:
            raise AnalysisError("no event in either arm", expected="some", where=self.name)
        return made

    def truth(self, scenario: Scenario) -> float | None:
        """From the two curves, the mean by a trapezium of 20,000 steps."""
        if self.tau is None:
            at = np.array([self.at])
            return float((survival(scenario, at, True) - survival(scenario, at, False))[0])
        grid = np.linspace(0.0, self.tau, 20_001)
        away = survival(scenario, grid, True) - survival(scenario, grid, False)
        return float(np.trapezoid(away, grid))
