"""Log-rank tests, plain, stratified and adjusted; marginal and Cox hazard ratios of many trials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.batch import logrank_batch
from medtwin.trials.analysis.batch_logrank import adjusted_logrank_batch
from medtwin.trials.analysis.cox import cox
from medtwin.trials.analysis.logrank import logrank
from medtwin.trials.estimate import Estimate
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop, normal
from medtwin.trials.simulate.scenario import Scenario

STATISTICS = ("test", "hazard ratio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logrank:
    """As :func:`medtwin.trials.analysis.logrank.logrank`: the test (events beyond those expected), or the log hazard ratio."""

    adjust: str = "score"
    statistic: str = "test"  #: or hazard ratio
    stratified: bool = False
    small_sample: bool = True
    df: str = "residual"  #: or normal
    endpoints: ClassVar[tuple[str, ...]] = ("survival",)

    @property
    def name(self) -> str:
        """In words."""
        what = "log-rank" if self.statistic == "test" else "marginal hazard ratio"
        adjusted = (
            "unadjusted" if self.adjust == "none" else self.adjust + ("" if self.small_sample else ", paper's variance")
        )
        law = ", normal" if self.df == "normal" and self.adjust != "none" and self.small_sample else ""
        return f"{what}, {adjusted}{', stratified' if self.stratified else ''}{law}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """By the batched kernels."""
        if self.statistic not in STATISTICS:
            raise AnalysisError(f"statistic {self.statistic!r}", expected=f"one of {STATISTICS}", where="log-rank")
        assert batch.event is not None
        covariates = batch.covariates(self.adjust)
        if covariates is None and not self.stratified and self.statistic == "test":
            plain = logrank_batch(batch.outcome, batch.event, batch.arm)
            silent = plain.variance <= 0.0
            error = np.sqrt(np.where(silent, np.nan, plain.variance))
            return normal(np.where(silent, np.nan, plain.excess), error)
        made = adjusted_logrank_batch(
            batch.outcome, batch.event, batch.arm, covariates, batch.strata if self.stratified else None,
            small_sample=self.small_sample, hazard_ratio=self.statistic == "hazard ratio",
        )  # fmt: skip
        df = self.freedom(batch, covariates)
        if made.log_ratio is None or made.ratio_error is None:
            return Fits(made.excess, np.sqrt(made.variance), df)
        return Fits(made.log_ratio, made.ratio_error, df)

    def freedom(self, batch: Batch, covariates: np.ndarray | None) -> np.ndarray:
        """(t,) residuals of both arms' regressions, where there are any."""
        if covariates is None or not self.small_sample or self.df == "normal":
            return np.full(len(batch), np.inf)
        cells = np.full(len(batch), 2.0)
        if self.stratified and batch.strata is not None:
            both = np.sort(2 * batch.strata + batch.arm, axis=1)
            cells = 1.0 + (np.diff(both, axis=1) != 0).sum(axis=1)
        return batch.outcome.shape[1] - cells - 2.0 * covariates.shape[1]

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial by the function that trials are analysed with."""
        trial = batch.trial(number, self.adjust)
        if self.adjust == "all" and trial.strata is not None and not self.stratified:
            trial = trial.with_strata_as_covariates()
        ratio = self.statistic == "hazard ratio"
        return logrank(
            trial, adjusted=self.adjust != "none", stratified=self.stratified, small_sample=self.small_sample, hazard_ratio=ratio,
            df=self.df,
        ).estimates[int(ratio)]  # fmt: skip

    def truth(self, scenario: Scenario) -> float | None:
        """The marginal log hazard ratio; the test estimates nothing."""
        return math.log(scenario.hazard_ratio) if self.statistic == "hazard ratio" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cox:
    """As :func:`medtwin.trials.analysis.cox.cox`, one trial after the other: the log hazard ratio given the covariates."""

    adjust: str = "score"
    ties: str = "efron"
    stratified: bool = False
    variance: str = "robust"
    endpoints: ClassVar[tuple[str, ...]] = ("survival",)

    @property
    def name(self) -> str:
        """In words."""
        more = ", stratified" if self.stratified else ""
        return f"Cox hazard ratio, {self.adjust}, {self.ties}{more}, {self.variance}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """One after the other."""
        return loop(self.one, batch, scenario)

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial."""
        trial = batch.trial(number, self.adjust)
        return cox(trial, ties=self.ties, stratified=self.stratified, variance=self.variance).estimates[0]

    def truth(self, scenario: Scenario) -> float | None:
        """Known without covariates, or without an effect; a conditional ratio is another number than the marginal one."""
        if self.adjust == "none" or scenario.hazard_ratio == 1.0:
            return math.log(scenario.hazard_ratio)
        return None
