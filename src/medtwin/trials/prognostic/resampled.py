"""Joint draws around any mean: residual trajectories of similar patients, so that their dependence stays theirs.

    draw = mean(patient, t) + residual of a donor at his visit nearest to t, all outcomes of that visit together

A donor is one training patient, for as many visits as he has: dependence across outcomes and across visits is that of real
residuals, whatever its shape. He is one of the ``donors`` patients whose mean trajectories lie nearest (at three times, in
units of the residual sd) among those with a visit within ``reach`` of the time. Where he has no visit near the next time,
because he died or left, one of the ``SUCCESSORS`` donors whose residuals were most like his at the time before takes over.
So a draw at a visit depends on the visits before and on none that was asked for later: knowing that somebody will be
measured in year five would be a look ahead. Residuals come from means that did not see the donor (:func:`out_of_fold`), so
they carry the error of the mean too; an error that is common to all patients is not drawn.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.outcome import Outcome

Array = np.ndarray

#: (baseline, subject (V,), time (V,), mechanism (V, q) or None) -> means (V, q) on the working scale.
Predictor = Callable[[Baseline, Array, Array, Array | None], Array]

SUCCESSORS = 5

CONDITIONS = (
    "the patient is alive and measured at the visit: donors were; death and drop-out are not drawn",
    "whoever leaves goes on as those who stayed and were like him at the visit before",
    "spread is that of similar patients' residuals; what is not known of the mean in common is not drawn",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class ResampledTrajectories:
    """A mean and a bank of residuals; made by :func:`resampled`."""

    outcomes: tuple[Outcome, ...]
    time_unit: str
    name: str
    predict: Predictor
    residual: Array  #: (N, q), of visits with all outcomes
    owner: Array  #: (N,) ascending donors 0 ... m - 1
    time: Array  #: (N,)
    places: Array  #: (m, 3 q) mean trajectories of the donors
    at: Array  #: (3,) times of ``places``
    scale: Array  #: (q,) residual sd
    donors: int
    reach: float  #: share of the time
    last_time: float

    def working(
        self, baseline: Baseline, subject: Array, time: Array, *, draws: int, seed: int, history: Cohort | None = None,
        mechanism: Array | None = None,
    ) -> Array:  # fmt: skip
        """(draws, V, q); see :func:`medtwin.trials.prognostic.generator.draw`."""
        if history is not None:
            raise AnalysisError("a history of visits", expected="baseline alone", where=self.name,
                                remedy="the mixed model conditions on visits so far")  # fmt: skip
        mean = self.predict(baseline, subject, time, mechanism)
        near = self._places(baseline) if mechanism is None else np.zeros((len(baseline.subjects), self.places.shape[1]))
        result = np.repeat(mean[None], draws, 0)
        for k, name in enumerate(baseline.subjects):
            rows = np.flatnonzero(subject == k)
            if not len(rows):
                continue
            rng = np.random.default_rng([seed, 3, zlib.crc32(name.encode())])
            result[:, rows] += self._trajectories(time[rows], near[k], draws, rng)
        return result

    def conditions(self, time: Array, history: Cohort | None) -> tuple[str, ...]:
        """What draws at these times hold under."""
        told = [*CONDITIONS, "given baseline"]
        if len(time) and float(np.max(time)) > self.last_time:
            told.append(f"times beyond {self.last_time:g} {self.time_unit}s have residuals of earlier visits")
        return tuple(told)

    def _places(self, baseline: Baseline) -> Array:
        n = len(baseline.subjects)
        owner, when = np.repeat(np.arange(n), len(self.at)), np.tile(self.at, n)
        return np.asarray((self.predict(baseline, owner, when, None) / self.scale).reshape(n, -1))

    def _trajectories(self, times: Array, place: Array, draws: int, rng: np.random.Generator) -> Array:
        """(draws, visits, q) residuals."""
        apart = np.abs(self.time[:, None] - times)
        starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
        ends = np.append(starts[1:], len(self.owner))
        visit = np.array([s + np.argmin(apart[s:e], axis=0) for s, e in zip(starts, ends, strict=True)])  # (m, visits)
        least = np.take_along_axis(apart, visit, axis=0)
        near = least <= self.reach * np.maximum(times, 0.1 * self.last_time)
        order = np.argsort(((self.places - place) ** 2).sum(1), kind="stable")
        result = np.empty((draws, len(times), self.residual.shape[1]))
        donor = np.zeros(draws, int)
        for k in range(len(times)):
            able = order[near[order, k]][: self.donors]
            if not len(able):
                able = np.argsort(least[:, k], kind="stable")[: self.donors]
            lost = np.flatnonzero(~near[donor, k]) if k else np.arange(draws)
            both = able[near[able, k - 1]] if k else able
            if k and len(both) and len(lost):
                away = self.residual[visit[both, k - 1]] / self.scale - (result[lost, k - 1] / self.scale)[:, None]
                closest = np.argsort((away**2).sum(2), axis=1, kind="stable")[:, :SUCCESSORS]
                pick = rng.integers(closest.shape[1], size=len(lost))
                donor[lost] = both[closest[np.arange(len(lost)), pick]]
            elif len(lost):
                donor[lost] = able[rng.integers(len(able), size=len(lost))]
            result[:, k] = self.residual[visit[donor, k]]
        return result


def out_of_fold(cohort: Cohort, fit: Callable[[Cohort], Predictor], folds: int, seed: int) -> Array:
    """(N, q) means of each visit by a fit on the other folds' patients."""
    n = len(cohort.baseline.subjects)
    fold = np.random.default_rng([seed, 4]).permutation(n) % folds
    mean = np.empty_like(cohort.values)
    for k in range(folds):
        inside = fold == k
        rows = inside[cohort.subject]
        if not rows.any():
            continue
        extra = None if cohort.mechanism is None else cohort.mechanism[rows]
        mean[rows] = fit(cohort.take(~inside))(cohort.baseline, cohort.subject[rows], cohort.time[rows], extra)
    return mean


def resampled(
    cohort: Cohort, fit: Callable[[Cohort], Predictor], name: str, *, folds: int = 5, donors: int = 80, reach: float = 0.3,
    seed: int = 0,
) -> ResampledTrajectories:  # fmt: skip
    """``fit`` on the whole cohort for the mean, and on each fold's complement for the residuals."""
    if donors < 2 or folds < 2 or not reach > 0.0:
        raise AnalysisError(
            f"{donors} donors, {folds} folds, reach {reach:g}", expected="2 or more, 2 or more, positive"
        )
    mean = out_of_fold(cohort, fit, folds, seed)
    rest = cohort.values - mean
    whole = np.isfinite(rest).all(1)
    people, owner = np.unique(cohort.subject[whole], return_inverse=True)
    if len(people) < 2:
        raise AnalysisError(
            f"{len(people)} patients with a visit that has all outcomes", expected="two or more", where=name
        )
    predict = fit(cohort)
    at = np.quantile(cohort.time, [0.1, 0.5, 0.9])
    scale = np.nanstd(rest, axis=0)
    if not (scale > 0.0).all():
        raise AnalysisError("an outcome that its mean determines", expected="an outcome that varies", where=name)
    if cohort.mechanism is None:
        donor = cohort.baseline.take(people)
        where = predict(donor, np.repeat(np.arange(len(people)), 3), np.tile(at, len(people)), None)
        places = (where / scale).reshape(len(people), -1)
    else:  # no forecast of the mechanism at these times: all donors are as near
        places = np.zeros((len(people), 3 * len(scale)))
    return ResampledTrajectories(
        outcomes=cohort.outcomes, time_unit=cohort.time_unit, name=name, predict=predict, residual=rest[whole], owner=owner,
        time=cohort.time[whole], places=places, at=at, scale=scale, donors=donors, reach=reach,
        last_time=float(cohort.time.max()),
    )  # fmt: skip
