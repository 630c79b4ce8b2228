"""Missing outcomes given the observed ones, under each patient's strategy.

With mean ``μ`` and covariance ``S`` of :mod:`medtwin.trials.missing.strategies`, ``o`` the observed visits and ``x`` the
missing ones of a patient (Carpenter, Roger and Kenward 2013, section 3):

    y_x | y_o ~ N( μ_x + S_xo S_oo^-1 (y_o - μ_o),   S_xx - S_xo S_oo^-1 S_ox )

Patients alike in arm, event, strategy and pattern share their matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.missing.model import Model
from medtwin.trials.missing.repeated import RepeatedTrial
from medtwin.trials.missing.strategies import STRATEGIES

Array = np.ndarray


@dataclass(frozen=True)
class Assumption:
    """A strategy for each patient, and the reference arm."""

    strategy: tuple[str, ...]  #: (n,) names of :data:`STRATEGIES`
    reference: int
    words: str  #: for the method's name: "JR" or "lack of efficacy: JR, other: MAR"

    @classmethod
    def of(
        cls, trial: RepeatedTrial, strategy: str | Mapping[str, str] = "MAR", reference: str | None = None
    ) -> Assumption:
        """One strategy for all events, or one for each reason. A patient without an event is always MAR.

        Raises :class:`AnalysisError` for an unknown strategy or arm, and a reason without a strategy.
        """
        named = {strategy} if isinstance(strategy, str) else set(strategy.values())
        if unknown := sorted(named - set(STRATEGIES)):
            raise AnalysisError(f"strategies {unknown}", expected=f"one of {list(STRATEGIES)}", where="strategy")
        code = 0 if reference is None else trial.arm_code(reference)
        reasons = sorted(set(trial.reason) - {""})
        if isinstance(strategy, str):
            chosen = dict.fromkeys(reasons, strategy)
            words = strategy
        else:
            chosen = dict(strategy)
            if without := [reason for reason in reasons if reason not in chosen]:
                raise AnalysisError(f"events without a strategy: {without}", where="strategy",
                                    expected=f"one for each of {reasons}", remedy="the estimand names one for each")  # fmt: skip
            words = ", ".join(f"{reason}: {name}" for reason, name in chosen.items())
        return cls(tuple(chosen.get(reason, "MAR") for reason in trial.reason), code, words)

    def used(self, trial: RepeatedTrial) -> Array:
        """(n, m) bool: observed outcomes that follow the imputation model."""
        at_random = np.array([STRATEGIES[name].at_random for name in self.strategy])
        return np.asarray(trial.observed & (at_random[:, None] | ~trial.after))


def conditional_means(trial: RepeatedTrial, model: Model, assumption: Assumption) -> Array:
    """The outcomes with each missing one at its conditional mean, (n, m)."""
    out = trial.outcome.copy()
    for who, missing, mean, _ in _groups(trial, model, assumption):
        out[np.ix_(who, missing)] = mean
    return out


def draw(trial: RepeatedTrial, model: Model, assumption: Assumption, normal: Array) -> Array:
    """The outcomes with each missing one drawn, (n, m); ``normal (n, m)``: standard normal numbers to make it from."""
    out = trial.outcome.copy()
    for who, missing, mean, covariance in _groups(trial, model, assumption):
        root = np.linalg.cholesky(covariance)
        out[np.ix_(who, missing)] = mean + normal[np.ix_(who, missing)] @ root.T
    return out


def _groups(trial: RepeatedTrial, model: Model, assumption: Assumption) -> Iterator[tuple[Array, Array, Array, Array]]:
    """(patients, missing visits, conditional means (k, x), conditional covariance (x, x)) of patients who are alike."""
    seen = trial.observed
    kinds = {name: code for code, name in enumerate(STRATEGIES)}
    code = np.array([kinds[name] for name in assumption.strategy])
    gone = np.flatnonzero(~seen.all(1))
    if not len(gone):
        return
    key = np.column_stack([trial.arm, code, trial.before, seen])[gone]
    distinct, place = np.unique(key, axis=0, return_inverse=True)
    for k, (arm, kind, before, *pattern) in enumerate(distinct):
        who = gone[place.ravel() == k]
        here, missing = np.flatnonzero(pattern), np.flatnonzero(np.logical_not(pattern))
        strategy = STRATEGIES[list(kinds)[kind]]
        covariates = trial.covariates[who]
        own = model.mean(np.full(len(who), arm), covariates)
        other = model.mean(np.full(len(who), assumption.reference), covariates)
        mean = strategy.mean(own, other, int(before))
        sigma = strategy.covariance(model.sigma[arm], model.sigma[assumption.reference], int(before))
        slope = np.linalg.solve(sigma[np.ix_(here, here)], sigma[np.ix_(here, missing)]).T
        given = mean[:, missing] + (trial.outcome[np.ix_(who, here)] - mean[:, here]) @ slope.T
        rest = sigma[np.ix_(missing, missing)] - slope @ sigma[np.ix_(here, missing)]
        yield who, missing, given, rest
