"""Patients with what is known at baseline, and their visits, as arrays that were checked once.

A :class:`Baseline` is what a twin is drawn from; a :class:`Cohort` adds visits at any times, with outcomes on the working
scale, NaN where one was not measured. Nothing is filled in: a patient without a baseline value is an error that says how
many there are, a visit without a time too. Patients with a baseline row and no visit after it stay in the baseline and are
counted in the notes: no model can learn from them, and what it says holds for people who were seen again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.outcome import Outcome

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baseline:
    """``n`` patients and ``c`` covariates, all known at time 0. Made by :meth:`of`."""

    subjects: tuple[str, ...]
    covariates: Array  #: (n, c)
    names: tuple[str, ...]  #: of the covariates

    @classmethod
    def of(cls, subjects: Sequence[object], covariates: ArrayLike, names: Sequence[str]) -> Baseline:
        """Raises :class:`AnalysisError`: a patient twice, a value that is missing or infinite, names that do not match."""
        who = tuple(str(subject) for subject in subjects)
        values = np.asarray(covariates, float).reshape(len(who), -1)
        if not who:
            raise AnalysisError("no patients", expected="at least one", where="baseline")
        if len(set(who)) < len(who):
            raise AnalysisError(f"{len(who) - len(set(who))} patients twice", expected="each once", where="baseline")
        if values.shape[1] != len(names) or len(set(names)) < len(names):
            raise AnalysisError(
                f"{values.shape[1]} covariates and names {list(names)}", expected="a name for each", where="baseline"
            )
        known = np.isfinite(values)
        if not known.all():
            lost = {name: int(n) for name, n in zip(names, (~known).sum(0), strict=True) if n}
            raise AnalysisError(
                f"patients without {lost}", expected="every covariate of every patient", where="baseline",
                remedy="leave the covariate out, or fill it in by a rule that sees no outcome and that you state",
            )  # fmt: skip
        return cls(subjects=who, covariates=values, names=tuple(names))

    def take(self, rows: ArrayLike) -> Baseline:
        """Some of the patients, by place or mask."""
        places = np.arange(len(self.subjects))[np.asarray(rows)]
        return replace(
            self, subjects=tuple(self.subjects[k] for k in places), covariates=self.covariates[places]
        )  # fmt: skip

    def column(self, name: str) -> Array:
        """One covariate, (n,)."""
        if name not in self.names:
            raise AnalysisError(f"no covariate {name!r}", expected=f"one of {list(self.names)}", where="baseline")
        return np.asarray(self.covariates[:, self.names.index(name)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cohort:
    """``N`` visits of the ``n`` patients of a baseline, ``q`` outcomes. Made by :meth:`of`; visits stand by patient and time."""

    baseline: Baseline
    outcomes: tuple[Outcome, ...]
    subject: Array  #: (N,) place in the baseline
    time: Array  #: (N,) since baseline, in ``time_unit``
    values: Array  #: (N, q) on the working scale, NaN where not measured
    mechanism: Array | None  #: (N, q) what a mechanistic model forecasts there, on the working scale
    time_unit: str = "year"
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, baseline: Baseline, outcomes: Sequence[Outcome], subject: ArrayLike, time: ArrayLike, values: ArrayLike, *,
        mechanism: ArrayLike | None = None, time_unit: str = "year", notes: Sequence[str] = (),
    ) -> Cohort:  # fmt: skip
        """From places, times and values on the working scale.

        Raises :class:`AnalysisError`: unknown patients, times that are negative or missing, a patient twice at one time,
        infinite values, an outcome that nobody has. A visit at which nothing was measured is left out and counted.
        """
        who, when = np.asarray(subject, int).ravel(), np.asarray(time, float).ravel()
        y = np.asarray(values, float)
        n, q = len(baseline.subjects), len(outcomes)
        if y.shape != (len(who), q) or when.shape != who.shape or not q:
            raise AnalysisError(
                f"{len(who)} places, {len(when)} times, values {y.shape}", expected=f"as many of each, {q} outcomes",
                where="visits",
            )  # fmt: skip
        if len(who) and not (who.min() >= 0 and who.max() < n):
            raise AnalysisError("visits of patients that the baseline does not hold", expected=f"places 0 to {n - 1}")
        if not (np.isfinite(when) & (when >= 0.0)).all():
            raise AnalysisError(
                f"{int((~(np.isfinite(when) & (when >= 0.0))).sum())} visits with a negative or missing time",
                expected=f"{time_unit}s since baseline", where="visits",
            )  # fmt: skip
        if np.isinf(y).any():
            raise AnalysisError("infinite outcomes", expected="finite, or NaN where not measured", where="visits")
        extra = None if mechanism is None else np.asarray(mechanism, float)
        if extra is not None and (extra.shape != y.shape or not np.isfinite(extra).all()):
            raise AnalysisError(f"a mechanism of shape {extra.shape}", expected=f"finite, {y.shape}", where="mechanism")
        told = list(notes)
        seen = np.isfinite(y).any(1)
        if not seen.all():
            told.append(f"{int((~seen).sum())} visits at which no outcome was measured are left out")
        order = np.lexsort((when, who))
        order = order[seen[order]]
        who, when, y = who[order], when[order], y[order]
        twice = int(((np.diff(who) == 0) & (np.diff(when) == 0.0)).sum())
        if twice:
            raise AnalysisError(f"{twice} visits of a patient at a time that has one already", expected="one each",
                                where="visits", remedy="decide which measurement counts")  # fmt: skip
        if len(who) and (
            nobody := [one.name for one, some in zip(outcomes, np.isfinite(y).any(0), strict=True) if not some]
        ):
            raise AnalysisError(f"nobody has {nobody}", expected="some values", where="visits")
        without = n - len(np.unique(who))
        if without:
            told.append(f"{without} of {n} patients have no visit after baseline")
        return cls(
            baseline=baseline, outcomes=tuple(outcomes), subject=who, time=when, values=y,
            mechanism=None if extra is None else extra[order], time_unit=time_unit, notes=tuple(told),
        )  # fmt: skip

    def take(self, patients: ArrayLike) -> Cohort:
        """The patients of a mask or of places, with their visits."""
        places = np.arange(len(self.baseline.subjects))[np.asarray(patients)]
        renamed = np.full(len(self.baseline.subjects), -1)
        renamed[places] = np.arange(len(places))
        return self._visits(np.isin(self.subject, places), replace(self, baseline=self.baseline.take(places)), renamed)

    def between(self, after: float, until: float) -> Cohort:
        """Visits with ``after < time <= until``; all patients stay."""
        held = (self.time > after) & (self.time <= until)
        return self._visits(held, self, np.arange(len(self.baseline.subjects)))

    def _visits(self, held: Array, whole: Cohort, renamed: Array) -> Cohort:
        rows = np.flatnonzero(held)
        rows = rows[np.lexsort((self.time[rows], renamed[self.subject[rows]]))]
        return replace(
            whole, subject=renamed[self.subject[rows]], time=self.time[rows], values=self.values[rows],
            mechanism=None if self.mechanism is None else self.mechanism[rows],
        )  # fmt: skip

    @property
    def natural(self) -> Array:
        """(N, q) in the outcomes' units."""
        return np.column_stack([one.natural(self.values[:, k]) for k, one in enumerate(self.outcomes)])
