"""What a generator of prognostic twins is, and the verb that draws from one.

A generator is anything with these members: :class:`~medtwin.trials.prognostic.mixed.MixedModel`, or
:class:`~medtwin.trials.prognostic.boosting.BoostedTrajectories`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.draws import Draws
from medtwin.trials.prognostic.outcome import Outcome

Array = np.ndarray


class Generator(Protocol):
    """``working`` gives (draws, V, q) at visits that stand by patient and time."""

    @property
    def outcomes(self) -> tuple[Outcome, ...]: ...

    @property
    def time_unit(self) -> str: ...

    @property
    def name(self) -> str: ...

    def working(
        self, baseline: Baseline, subject: Array, time: Array, *, draws: int, seed: int, history: Cohort | None = None,
        mechanism: Array | None = None,
    ) -> Array: ...  # fmt: skip

    def conditions(self, time: Array, history: Cohort | None) -> tuple[str, ...]: ...


def draw(
    generator: Generator, baseline: Baseline, times: ArrayLike, *, outcomes: Sequence[str] | None = None, draws: int = 1000,
    seed: int = 0, history: Cohort | None = None, subject: ArrayLike | None = None, mechanism: ArrayLike | None = None,
) -> Draws:  # fmt: skip
    """Joint draws at the ``times`` for each patient, or, with ``subject``, at the time of each (patient, time) given.

    ``outcomes``: some of the generator's, by name; what is drawn does not depend on it. ``history``: visits so far of the
    same patients, on which the draws then depend; times must lie after them. ``mechanism``: (visits, outcomes) where the
    generator was fitted with one. Raises :class:`AnalysisError`.
    """
    when = np.asarray(times, float).ravel()
    n = len(baseline.subjects)
    if subject is None:
        owner, when = np.repeat(np.arange(n), len(when)), np.tile(when, n)
    else:
        owner = np.asarray(subject, int).ravel()
    if draws < 2 or not len(when) or owner.shape != when.shape or not (np.isfinite(when) & (when >= 0.0)).all():
        raise AnalysisError(
            f"{draws} draws, {len(when)} times, {len(owner)} patients' places", where="draw",
            expected="two draws or more; times that are finite and not negative, a place for each",
        )  # fmt: skip
    if owner.min() < 0 or owner.max() >= n or (np.lexsort((when, owner)) != np.arange(len(when))).any():
        raise AnalysisError("visits out of order", expected="by patient of the baseline, and by time", where="draw")
    if history is not None and len(history.subject):
        last = np.full(n, -np.inf)
        np.maximum.at(last, history.subject, history.time)
        early = int((when <= last[owner]).sum())
        if early:
            raise AnalysisError(f"{early} visits not after the history", expected="times after the last visit of the patient",
                                where="draw", remedy="cut the history before the forecast begins")  # fmt: skip
    drawn = generator.working(
        baseline, owner, when, draws=draws, seed=seed, history=history,
        mechanism=None if mechanism is None else np.asarray(mechanism, float),
    )  # fmt: skip
    if not np.isfinite(drawn).all():
        raise AnalysisError("draws that are not numbers", expected="finite values", where=generator.name)
    whole = Draws(
        working=drawn, outcomes=generator.outcomes, subjects=baseline.subjects, subject=owner, time=when,
        time_unit=generator.time_unit, generator=generator.name, conditions=generator.conditions(when, history),
    )  # fmt: skip
    if outcomes is None:
        return whole
    known = [one.name for one in whole.outcomes]
    if unknown := [name for name in outcomes if name not in known]:
        raise AnalysisError(f"outcomes {unknown}", expected=f"some of {known}", where="draw")
    places = [known.index(name) for name in outcomes]
    return replace(whole, working=whole.working[:, :, places], outcomes=tuple(whole.outcomes[k] for k in places))


def draw_visits(generator: Generator, cohort: Cohort, *, draws: int = 1000, seed: int = 0) -> Draws:
    """At a cohort's own visits, from its baseline alone: what an evaluation compares with what was measured."""
    return draw(generator, cohort.baseline, cohort.time, subject=cohort.subject, draws=draws, seed=seed,
                mechanism=cohort.mechanism)  # fmt: skip
