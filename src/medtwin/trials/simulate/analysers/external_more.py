"""Times to an event against external controls by weights, and borrowed means, one trial after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.effect import weighted_hazard_ratio
from medtwin.trials.external.hybrid import hybrid_mean_difference
from medtwin.trials.external.matching import nearest_neighbours
from medtwin.trials.external.normal_learnt import normal_commensurate_prior, normal_normalised_power_prior
from medtwin.trials.external.normal_prior import NormalMixture, normal_map_prior, normal_power_prior
from medtwin.trials.external.propensity import propensity_score, propensity_weights
from medtwin.trials.external.tilting import entropy_weights
from medtwin.trials.external.weighted_kaplan import weighted_survival_effects
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop
from medtwin.trials.simulate.scenario import Scenario

WEIGHTS = ("unweighted", "IPTW ATT", "overlap", "entropy", "matching")
MEAN_PRIORS = ("none", "pooled", "power", "normalised power", "robust MAP", "commensurate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalTimes:
    """The treated arm against external controls: marginal log hazard ratio, or survival ``at``, or the mean up to ``tau``."""

    weights: str = "IPTW ATT"
    at: float | None = None
    tau: float | None = None
    adjust: str = "score+baseline"
    endpoints: ClassVar[tuple[str, ...]] = ("survival",)

    @property
    def name(self) -> str:
        """In words."""
        what = "hazard ratio" if self.at is None else f"survival at {self.at:g}"
        what = what if self.tau is None else f"RMST to {self.tau:g}"
        return f"external controls, {self.weights}, {what}, {self.adjust}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """One after the other."""
        return loop(self.one, batch, scenario)

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial."""
        beside = _external(batch)
        ours, theirs = batch.trials_at(number), beside.trials_at(number)
        own, other = ours.covariates(self.adjust), theirs.covariates(self.adjust)
        if own is None or other is None or ours.event is None or theirs.event is None:
            raise AnalysisError("nothing to balance", expected="adjust: score, baseline or both", where=self.name)
        treated = batch.arm_of(number) > 0.5
        trial = TrialData.of(
            np.concatenate([theirs.outcome[0], ours.outcome[0][treated]]),
            np.repeat([0, 1], [theirs.patients, int(treated.sum())]),
            event=np.concatenate([theirs.event[0], ours.event[0][treated]]),
            covariates=np.concatenate([other[0].T, own[0].T[treated]]),
        )  # fmt: skip
        weights, cluster = self._weights(trial)
        if self.at is None and self.tau is None:
            return weighted_hazard_ratio(trial, weights, cluster=cluster).estimates[0]
        times = () if self.at is None else (self.at,)
        return weighted_survival_effects(trial, weights, times=times, tau=self.tau).estimates[0]

    def _weights(self, trial: TrialData) -> tuple[np.ndarray | None, np.ndarray | None]:
        """(weights, matched sets)."""
        if self.weights == "unweighted":
            return None, None
        if self.weights == "entropy":
            return entropy_weights(trial).weights, None
        score = propensity_score(trial).score
        if self.weights == "matching":
            made = nearest_neighbours(trial, score)
            return made.weights, made.matched_set
        if self.weights not in WEIGHTS:
            raise AnalysisError(f"weights {self.weights!r}", expected=f"one of {WEIGHTS}", where="external controls")
        return propensity_weights(score, trial.arm, "ATT" if self.weights == "IPTW ATT" else "overlap"), None

    def truth(self, scenario: Scenario) -> float | None:
        """Nothing, without an effect; else it depends on the population that the weights make."""
        return 0.0 if scenario.hazard_ratio == 1.0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BorrowingMean:
    """The difference of means, external controls behind the own ones through a prior: posterior mean and deviation, normal."""

    prior: str = "robust MAP"
    discount: float = 0.5  #: of the power prior
    weight: float = 0.2  #: of the robust MAP's vague part
    heterogeneity: float = 0.5  #: half-normal scale between studies, in own SDs; of commensurate: its scale
    endpoints: ClassVar[tuple[str, ...]] = ("continuous",)

    @property
    def name(self) -> str:
        """In words."""
        more = {"power": f" {self.discount:g}", "robust MAP": f" {self.weight:g}"}.get(self.prior, "")
        return f"borrowing a mean, {self.prior}{more}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """One after the other."""
        return loop(self.one, batch, scenario)

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial: as ``kind: borrowed`` of an analysis plan does it, each mean with its standard error as known."""
        treated = batch.arm_of(number) > 0.5
        arms = (batch.outcome[number][~treated], batch.outcome[number][treated], _external(batch).outcome[number])
        own, new, old = ((float(one.mean()), float(one.std(ddof=1)) / math.sqrt(len(one))) for one in arms)
        spread = own[1] * math.sqrt(len(arms[0]))
        return hybrid_mean_difference(new, own, self._prior(*old, spread), name=self.prior).estimates[0]

    def _prior(self, value: float, error: float, spread: float) -> NormalMixture:
        wide = 100.0 * max(spread, error)
        if self.prior == "none":
            return NormalMixture.of(0.0, 1e6 * max(spread, 1.0))
        if self.prior in ("pooled", "power"):
            return normal_power_prior(value, error, 1.0 if self.prior == "pooled" else self.discount)
        if self.prior == "normalised power":
            return normal_normalised_power_prior(value, error, mean=value, standard_deviation=wide).value
        scale = self.heterogeneity * spread
        if self.prior == "commensurate":
            return normal_commensurate_prior(value, error, scale=scale)
        if self.prior != "robust MAP":
            raise AnalysisError(f"prior {self.prior!r}", expected=f"one of {MEAN_PRIORS}", where="borrowing")
        made = normal_map_prior([value], [error], heterogeneity_scale=scale, mean=value, standard_deviation=wide)
        return made.mixed(self.weight, NormalMixture.of(value, spread))

    def truth(self, scenario: Scenario) -> float | None:
        """The effect."""
        return scenario.effect


def _external(batch: Batch) -> Batch:
    if batch.external is None:
        raise AnalysisError("no external controls", expected="n_external in the scenario", where="simulator")
    return batch.external
