"""Marginal effects of a binary outcome by g-computation, of many trials; unadjusted the arms' plain risks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medtwin.trials.analysis.batch_logistic import VARIANCES, logistic_batch
from medtwin.trials.analysis.marginal import contrast, marginal_effects
from medtwin.trials.estimate import Estimate
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop
from medtwin.trials.simulate.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """As :func:`medtwin.trials.analysis.marginal.marginal_effects` with ``family="logistic"``; ratios on the log scale."""

    adjust: str = "score"
    measure: str = "difference"  #: difference, ratio, odds ratio
    variance: str = "HC2"
    df: str = ""  #: residual (if nothing is said), normal (for influence and robust)
    interactions: bool = False
    randomisation: str = "simple"  #: simple, permuted-block, minimisation: what the variance counts on
    endpoints: ClassVar[tuple[str, ...]] = ("binary",)

    @property
    def chosen(self) -> str:
        """Degrees of freedom."""
        return self.df or ("normal" if self.variance in ("influence", "robust") else "residual")

    @property
    def name(self) -> str:
        """In words."""
        more = (", interactions" if self.interactions else "") + (
            f", {self.randomisation}" if self.randomisation != "simple" else ""
        )
        reference = "normal" if self.chosen == "normal" else "t(n-p)"
        return f"logistic g-computation, {self.measure}, {self.variance}, {reference}, {self.adjust}{more}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """By the batched kernel where it has the method, else one after the other."""
        plain = self.variance in VARIANCES and not self.interactions and self.randomisation == "simple"
        if batch.lost is not None or not plain:
            return loop(self.one, batch, scenario)
        made = logistic_batch(
            batch.outcome, batch.arm, batch.covariates(self.adjust), measure=self.measure, variance=self.variance
        )
        df = np.full(made.df.shape, math.inf) if self.chosen == "normal" else made.df
        return Fits(made.value, made.standard_error, np.where(np.isfinite(made.value), df, np.nan))

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial by the function that trials are analysed with."""
        return marginal_effects(
            batch.trial(number, self.adjust), family="logistic", measures=(self.measure,), variance=self.variance,
            df=self.chosen, interactions=self.interactions, randomisation=self.randomisation,
            strata=self.adjust in ("strata", "all"),
        ).estimates[0]  # fmt: skip

    def truth(self, scenario: Scenario) -> float | None:
        """From the two risks."""
        assert scenario.risk_control is not None
        assert scenario.risk_treated is not None
        return contrast(self.measure, scenario.risk_control, scenario.risk_treated, "truth")[0]
