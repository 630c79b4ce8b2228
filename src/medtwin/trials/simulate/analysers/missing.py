"""Analyses of trials with outcomes missing, one trial after the other: reference-based imputation and its relatives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.estimate import Estimate
from medtwin.trials.missing.binary import binary
from medtwin.trials.missing.conditional import conditional_mean
from medtwin.trials.missing.count import count
from medtwin.trials.missing.impute import Assumption
from medtwin.trials.missing.multiple import complete, multiple_imputation
from medtwin.trials.missing.repeated import RepeatedTrial
from medtwin.trials.missing.samples import Samples, jackknife
from medtwin.trials.missing.survival import survival
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop
from medtwin.trials.simulate.scenario import Scenario

METHODS = ("conditional", "rubin")
KEPT = 1024  #: jackknifes kept: several strategies of a trial have the same one
_kept: dict[bytes, Samples] = {}


def _jackknife(trial: RepeatedTrial, strategy: str) -> Samples:
    """Made once for all strategies that learn from the same outcomes."""
    assumption = Assumption.of(trial, strategy, None)
    parts = (trial.outcome, trial.covariates, trial.arm, assumption.used(trial))
    key = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).digest()
    if key not in _kept:
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = jackknife(trial, assumption)
    return _kept[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRepeated:
    """Treated - control at the last visit: ``conditional`` mean and jackknife, or ``rubin``: multiple imputation of ``sets``.

    ``truth``: of a reference-based strategy known only without an effect.
    """

    strategy: str = "MAR"
    method: str = "conditional"
    sets: int = 20
    adjust: str = "score"
    endpoints: ClassVar[tuple[str, ...]] = ("repeated",)

    @property
    def name(self) -> str:
        """In words."""
        how = "conditional mean, jackknife" if self.method == "conditional" else f"{self.sets} sets, Rubin"
        return f"{self.strategy}, {how}, {self.adjust}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """One after the other."""
        return loop(self.one, batch, scenario)

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial."""
        if self.method not in METHODS:
            raise AnalysisError(f"method {self.method!r}", expected=f"one of {METHODS}", where="missing data")
        table = batch.trials_at(number).covariates(self.adjust)
        y = batch.outcome[number].T
        visits = tuple(f"visit {j + 1}" for j in range(y.shape[1]))
        trial = RepeatedTrial.of(
            y, batch.arm_of(number).astype(int), visits=visits, covariates=None if table is None else table[0].T
        )
        if self.method == "conditional":
            made = conditional_mean(trial, strategy=self.strategy, samples=_jackknife(trial, self.strategy))
        else:
            made = multiple_imputation(complete(trial, strategy=self.strategy, sets=self.sets, seed=number))
        return made[f"1 - 0 at {visits[-1]}"]

    def truth(self, scenario: Scenario) -> float | None:
        """The effect, under MAR or where it is 0."""
        return scenario.effect if self.strategy == "MAR" or scenario.effect == 0.0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingOne:
    """A binary, count or survival outcome of which a part is missing: multiple imputation of ``sets``, Rubin."""

    strategy: str = "MAR"
    sets: int = 20
    adjust: str = "score"
    endpoints: ClassVar[tuple[str, ...]] = ("binary", "count", "survival")

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.strategy}, {self.sets} sets, Rubin, {self.adjust}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """One after the other."""
        return loop(self.one, batch, scenario)

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial."""
        trial = replace(batch, lost=None).trial(number, self.adjust)
        more = {"strategy": self.strategy, "sets": self.sets, "seed": number}
        if scenario.endpoint == "binary":
            lost = np.zeros(batch.patients, bool) if batch.lost is None else batch.lost[number]
            return binary(trial, lost, **more).estimates[0]  # type: ignore[arg-type]
        if scenario.endpoint == "count":
            if trial.exposure is None:
                trial = replace(trial, exposure=np.full(batch.patients, scenario.exposure))
            return count(trial, np.full(batch.patients, scenario.exposure), **more).estimates[0]  # type: ignore[arg-type]
        assert batch.entry is not None
        if scenario.followup is None:
            raise AnalysisError("no end of follow-up", expected="followup in the scenario", where="missing survival")
        ends = scenario.accrual + scenario.followup - batch.entry[number]
        return survival(trial, np.maximum(ends, trial.outcome), **more).estimates[0]  # type: ignore[arg-type]

    def truth(self, scenario: Scenario) -> float | None:
        """Without an effect it is 0."""
        none = scenario.risk_control == scenario.risk_treated if scenario.endpoint == "binary" else (
            scenario.rate_ratio == 1.0 and scenario.hazard_ratio == 1.0
        )  # fmt: skip
        return 0.0 if none else None
