"""ANCOVA I and II of many trials; with ``adjust: none`` the difference of means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medtwin.trials.analysis.batch import ancova_batch
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.estimate import Estimate
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop
from medtwin.trials.simulate.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancova:
    """As :func:`medtwin.trials.analysis.linear.ancova`; ``variance`` also ``influence``, with a normal law."""

    adjust: str = "score"
    interactions: bool = False
    variance: str = "HC2"
    df: str = ""  #: bell-mccaffrey (if nothing is said, for I), residual (for II), normal
    endpoints: ClassVar[tuple[str, ...]] = ("continuous",)

    @property
    def chosen(self) -> str:
        """Degrees of freedom."""
        if self.variance == "influence":
            return "normal"
        return self.df or ("residual" if self.interactions else "bell-mccaffrey")

    @property
    def name(self) -> str:
        """In words."""
        if self.adjust == "none":
            return f"difference of means, {self.variance}, {self._df}"
        return f"ANCOVA {'II' if self.interactions else 'I'}, {self.variance}, {self._df}, {self.adjust}"

    @property
    def _df(self) -> str:
        words = {"bell-mccaffrey": "Bell-McCaffrey df", "residual": "t(n-p)", "normal": "normal"}
        return "t(n-p)" if self.variance == "classical" and self.chosen != "normal" else words[self.chosen]

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """By the batched kernel; one after the other where outcomes are missing (those with an outcome)."""
        if batch.lost is not None:
            return loop(self.one, batch, scenario)
        covariates = batch.covariates(self.adjust)
        made = ancova_batch(
            batch.outcome, batch.arm, covariates, variance=self.variance,
            interactions=self.interactions and covariates is not None,
            bell_mccaffrey=self.chosen == "bell-mccaffrey" and self.variance not in ("classical", "influence"),
        )  # fmt: skip
        df = np.where(np.isfinite(made.df), np.inf, np.nan) if self.chosen == "normal" else made.df
        return Fits(made.value, made.standard_error, df)

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial by the function that trials are analysed with."""
        return ancova(
            batch.trial(number, self.adjust), interactions=self.interactions, variance=self.variance, df=self.chosen,
            strata=self.adjust in ("strata", "all"),
        ).estimates[0]  # fmt: skip

    def truth(self, scenario: Scenario) -> float | None:
        """The mean effect."""
        return scenario.effect
