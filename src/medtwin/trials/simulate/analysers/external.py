"""Comparisons with external controls, and borrowing from them, one trial after the other.

``External`` sets the trial's treated arm against the external controls; the trial's own controls are not looked at, but for
MAIC anchored, where half of the external patients stand for another trial's treated arm (with no effect). ``Borrowing`` of a
binary outcome has the own controls, with the external ones behind them through a prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.marginal import contrast
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.commensurate import commensurate_prior
from medtwin.trials.external.doubly_robust import aipw, tmle
from medtwin.trials.external.effect import weighted_effect
from medtwin.trials.external.hybrid import hybrid_difference
from medtwin.trials.external.leap import leap_prior
from medtwin.trials.external.maic import PublishedValue, anchored, maic_weights, unanchored
from medtwin.trials.external.map_prior import map_prior
from medtwin.trials.external.matching import nearest_neighbours
from medtwin.trials.external.power_prior import no_borrowing, normalised_power_prior, power_prior
from medtwin.trials.external.propensity import propensity_score, propensity_weights
from medtwin.trials.external.rates import RateDistribution
from medtwin.trials.external.tilting import entropy_weights
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop
from medtwin.trials.simulate.scenario import Scenario

METHODS = (
    "unweighted",
    "IPTW ATT",
    "IPTW ATE",
    "overlap",
    "entropy",
    "matching",
    "AIPW",
    "TMLE",
    "MAIC",
    "MAIC anchored",
)
PRIORS = ("none", "pooled", "power", "normalised power", "robust MAP", "commensurate", "LEAP")


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """The difference of means (of risks) of treated against external controls."""

    method: str = "AIPW"
    variance: str = ""  #: HC3 of weights, stacked of AIPW and TMLE, if nothing is said
    adjust: str = "score+baseline"
    endpoints: ClassVar[tuple[str, ...]] = ("continuous", "binary")

    @property
    def name(self) -> str:
        """In words."""
        return f"external controls, {self.method}{', ' + self.variance if self.variance else ''}, {self.adjust}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """One after the other."""
        return loop(self.one, batch, scenario)

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial."""
        beside = _external(batch)
        ours, theirs = batch.trials_at(number), beside.trials_at(number)
        own, other = ours.covariates(self.adjust), theirs.covariates(self.adjust)
        if own is None or other is None:
            raise AnalysisError("nothing to balance", expected="adjust: score, baseline or both", where=self.name)
        if self.method == "MAIC anchored":
            return _anchored(ours, theirs, own[0], other[0])
        treated = batch.arm_of(number) > 0.5
        trial = TrialData.of(
            np.concatenate([theirs.outcome[0], ours.outcome[0][treated]]),
            np.repeat([0, 1], [theirs.patients, int(treated.sum())]),
            covariates=np.concatenate([other[0].T, own[0].T[treated]]),
        )  # fmt: skip
        family = "gaussian" if scenario.endpoint == "continuous" else "logistic"
        if self.method in ("AIPW", "TMLE"):
            verb = aipw if self.method == "AIPW" else tmle
            return verb(trial, family, variance=self.variance or "stacked").estimates[0]
        if self.method == "MAIC":
            names = [f"x{k}" for k in range(trial.covariates.shape[1])]
            mine, published = trial.covariates[trial.arm == 1], trial.covariates[trial.arm == 0]
            weights = maic_weights(
                {name: mine[:, k] for k, name in enumerate(names)},
                {name: PublishedValue(mean=float(published[:, k].mean())) for k, name in enumerate(names)},
            ).weights  # fmt: skip
            return unanchored(trial, weights, measures=("difference",)).estimates[0]
        return weighted_effect(trial, self._weights(trial), variance=self.variance or "HC3").estimates[0]

    def _weights(self, trial: TrialData) -> np.ndarray | None:
        if self.method == "unweighted":
            return None
        if self.method == "entropy":
            return entropy_weights(trial).weights
        score = propensity_score(trial).score
        if self.method == "matching":
            return nearest_neighbours(trial, score).weights
        target = {"IPTW ATT": "ATT", "IPTW ATE": "ATE", "overlap": "overlap"}.get(self.method)
        if target is None:
            raise AnalysisError(f"method {self.method!r}", expected=f"one of {METHODS}", where="external controls")
        return propensity_weights(score, trial.arm, target)

    def truth(self, scenario: Scenario) -> float | None:
        """The effect, which is the same for everyone unless arms differ in what the score does."""
        if self.method == "MAIC anchored" or scenario.endpoint == "continuous":
            return scenario.effect
        return _difference(scenario)


def _anchored(ours: Batch, theirs: Batch, own: np.ndarray, other: np.ndarray) -> Estimate:
    names = [f"x{k}" for k in range(len(own))]
    weights = maic_weights(
        dict(zip(names, own, strict=True)),
        {name: PublishedValue(mean=float(row.mean())) for name, row in zip(names, other, strict=True)},
    ).weights  # fmt: skip
    mine = weighted_effect(TrialData.of(ours.outcome[0], ours.arm_of(0).astype(int), covariates=own.T), weights)
    half = np.arange(theirs.patients) % 2
    published = weighted_effect(TrialData.of(theirs.outcome[0], half))
    return anchored(mine.estimates[0], published.estimates[0]).estimates[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Borrowing:
    """The difference of rates with a prior of the control rate: posterior mean and standard deviation, normal."""

    prior: str = "robust MAP"
    discount: float = 0.5  #: of the power prior
    weight: float = 0.2  #: of the robust MAP's vague part
    endpoints: ClassVar[tuple[str, ...]] = ("binary",)

    @property
    def name(self) -> str:
        """In words."""
        more = {"power": f" {self.discount:g}", "robust MAP": f" {self.weight:g}"}.get(self.prior, "")
        return f"borrowing, {self.prior}{more}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """One after the other: trials with the same counts have the same answer, which is made once."""
        beside = _external(batch)
        arm = np.broadcast_to(batch.arm, batch.outcome.shape)
        known: dict[tuple[int, ...], Estimate] = {}

        def one(_: Batch, number: int, __: Scenario) -> Estimate:
            y, a, z = batch.outcome[number], arm[number], beside.outcome[number]
            key = (int(y[a > 0.5].sum()), int(a.sum()), int(y[a < 0.5].sum()), int((1 - a).sum()), int(z.sum()), len(z))
            if key not in known:
                known[key] = self._of(*key)
            return known[key]

        return loop(one, batch, scenario)

    def _of(self, hits1: int, size1: int, hits0: int, size0: int, hits: int, size: int) -> Estimate:
        return hybrid_difference((hits1, size1), (hits0, size0), _prior(self, hits, size), name=self.prior).estimates[0]

    def truth(self, scenario: Scenario) -> float | None:
        """The difference of risks."""
        return _difference(scenario)


@lru_cache(maxsize=2048)
def _prior(chosen: Borrowing, hits: int, size: int) -> RateDistribution:
    """The prior that history makes; few histories differ, so that each is made once."""
    if chosen.prior == "none":
        return no_borrowing()
    if chosen.prior in ("pooled", "power"):
        return power_prior(hits, size, 1.0 if chosen.prior == "pooled" else chosen.discount)
    if chosen.prior == "normalised power":
        return normalised_power_prior(hits, size).rate
    if chosen.prior == "robust MAP":
        return map_prior(np.array([hits]), np.array([size])).robust(chosen.weight)
    if chosen.prior == "commensurate":
        return commensurate_prior(hits, size)
    if chosen.prior == "LEAP":
        return leap_prior(hits, size)
    raise AnalysisError(f"prior {chosen.prior!r}", expected=f"one of {PRIORS}", where="borrowing")


def _difference(scenario: Scenario) -> float:
    assert scenario.risk_control is not None
    assert scenario.risk_treated is not None
    return contrast("difference", scenario.risk_control, scenario.risk_treated, "truth")[0]


def _external(batch: Batch) -> Batch:
    if batch.external is None:
        raise AnalysisError("no external controls", expected="n_external in the scenario", where="simulator")
    return batch.external
