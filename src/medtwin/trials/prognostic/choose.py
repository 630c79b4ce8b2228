"""Which generator: a discrete choice by cross-validated joint score, patients as the sample.

Each candidate is fitted on the other folds and draws the left-out patients at their own visits, from baseline alone. Its score
is the patients' mean energy score of the trajectory (:mod:`evaluation.jointness`), or their mean CRPS over measurements in
units of each outcome's sd. The least wins; differences to the winner come with a standard error over patients, so that a tie
is seen as one. Draws of the winner inside the same data have been chosen by them: judge it on patients outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.statistics.clustered import ClusteredMean, clustered_mean
from medtwin.statistics.scores import crps_members
from medtwin.trials.prognostic.cohort import Cohort
from medtwin.trials.prognostic.evaluation.jointness import trajectory_scores
from medtwin.trials.prognostic.generator import Generator, draw_visits

Array = np.ndarray
Fit = Callable[[Cohort], Generator]
SCORES = ("energy", "crps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Mean score over patients, and the difference to the winner's (zero for the winner itself)."""

    name: str
    score: ClusteredMean
    behind: ClusteredMean


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``candidates`` from the best to the worst."""

    winner: str
    by: str
    candidates: tuple[Candidate, ...]
    folds: int


def folds_of(cohort: Cohort, folds: int, seed: int) -> Array:
    """(n,) fold of each patient, at random."""
    n = len(cohort.baseline.subjects)
    return np.asarray(np.random.default_rng([seed, 7]).permutation(n) % folds)


def cross_draws(cohort: Cohort, fit: Fit, fold: Array, *, draws: int = 200, seed: int = 0) -> Array:
    """(draws, N, q) at the cohort's visits, each patient by a generator that did not see him."""
    result = np.empty((draws, *cohort.values.shape))
    for k in np.unique(fold):
        inside = fold == k
        if inside[cohort.subject].any():
            generator = fit(cohort.take(~inside))
            result[:, inside[cohort.subject]] = draw_visits(
                generator, cohort.take(inside), draws=draws, seed=seed
            ).working
    return result


def patient_scores(draws: Array, cohort: Cohort, by: str) -> Array:
    """(patients with visits,), lower is better."""
    if by not in SCORES:
        raise AnalysisError(f"score {by!r}", expected=f"one of {SCORES}", where="choice")
    scale = np.nanstd(cohort.values, axis=0)
    if by == "energy":
        return trajectory_scores(draws, cohort.values, cohort.subject, scale)[1]
    each = crps_members(draws, cohort.values) / scale
    return np.array([np.nanmean(each[cohort.subject == one]) for one in np.unique(cohort.subject)])


def choose(
    cohort: Cohort,
    candidates: Mapping[str, Fit],
    *,
    by: str = "energy",
    folds: int = 5,
    draws: int = 200,
    seed: int = 0,
) -> Choice:
    """Raises :class:`AnalysisError`, also where a candidate cannot be fitted: a choice among fewer is not the plan's."""
    if not candidates or not 2 <= folds <= len(cohort.baseline.subjects):
        raise AnalysisError(
            f"{len(candidates)} candidates, {folds} folds", expected="one or more; 2 to patients", where="choice"
        )
    fold = folds_of(cohort, folds, seed)
    scores = {
        name: patient_scores(cross_draws(cohort, fit, fold, draws=draws, seed=seed), cohort, by)
        for name, fit in candidates.items()
    }
    people = np.arange(len(np.unique(cohort.subject)))
    order = sorted(scores, key=lambda name: (float(scores[name].mean()), name))
    return Choice(
        winner=order[0], by=by, folds=folds,
        candidates=tuple(
            Candidate(
                name=name, score=clustered_mean(scores[name], people),
                behind=clustered_mean(scores[name] - scores[order[0]], people),
            )
            for name in order
        ),
    )  # fmt: skip
