"""Marginal effects of a count by g-computation, Poisson or negative binomial, of many trials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medtwin.trials.analysis.batch_count import VARIANCES, count_batch
from medtwin.trials.analysis.marginal import contrast, marginal_effects
from medtwin.trials.estimate import Estimate
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop
from medtwin.trials.simulate.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """As :func:`medtwin.trials.analysis.marginal.marginal_effects`; the rate ratio on the log scale."""

    adjust: str = "score"
    family: str = "negative-binomial"  #: or poisson
    measure: str = "ratio"  #: or difference
    variance: str = "HC2"
    df: str = ""  #: residual (if nothing is said), normal (for influence and robust)
    randomisation: str = "simple"
    endpoints: ClassVar[tuple[str, ...]] = ("count",)

    @property
    def chosen(self) -> str:
        """Degrees of freedom."""
        return self.df or ("normal" if self.variance in ("influence", "robust") else "residual")

    @property
    def name(self) -> str:
        """In words."""
        reference = "normal" if self.chosen == "normal" else "t(n-p)"
        more = f", {self.randomisation}" if self.randomisation != "simple" else ""
        return f"{self.family} g-computation, {self.measure}, {self.variance}, {reference}, {self.adjust}{more}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """By the batched kernel where it has the method, else one after the other."""
        if self.variance not in VARIANCES or self.randomisation != "simple":
            return loop(self.one, batch, scenario)
        made = count_batch(
            batch.outcome, batch.arm, batch.covariates(self.adjust), family=self.family, measure=self.measure,
            variance=self.variance, exposure=batch.exposure,
        )  # fmt: skip
        df = np.full(made.df.shape, math.inf) if self.chosen == "normal" else made.df
        return Fits(made.value, made.standard_error, np.where(np.isfinite(made.value), df, np.nan))

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial by the function that trials are analysed with."""
        return marginal_effects(
            batch.trial(number, self.adjust), family=self.family, measures=(self.measure,), variance=self.variance,
            df=self.chosen, randomisation=self.randomisation, strata=self.adjust in ("strata", "all"),
        ).estimates[0]  # fmt: skip

    def truth(self, scenario: Scenario) -> float | None:
        """From the two rates; a difference is one of mean counts, or of rates where some dropped out."""
        assert scenario.rate_control is not None
        mean = scenario.rate_control * (1.0 if scenario.dropout else scenario.exposure)
        return contrast(self.measure, mean, mean * scenario.rate_ratio, "truth")[0]
