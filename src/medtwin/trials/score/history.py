"""What a score learns from: historical patients, what was known of them before, and how they fared.

Nothing here knows of a table. :class:`Known` is all that a model may look at when it predicts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Known:
    """What is known of each patient before treatment."""

    design: np.ndarray  #: (patient, column), finite
    names: tuple[str, ...]  #: of its columns
    forecast: np.ndarray | None = None  #: (patient,) of the endpoint, by physiology
    earlier: np.ndarray | None = None  #: (patient, visit) values seen before randomisation, NaN where none

    def rows(self, index: np.ndarray) -> Known:
        """Some patients."""
        return replace(
            self, design=self.design[index], forecast=None if self.forecast is None else self.forecast[index],
            earlier=None if self.earlier is None else self.earlier[index],
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class History:
    """Known, and what came of it."""

    known: Known
    endpoint: str
    outcome: np.ndarray  #: (patient,) value, 0/1, count or time; NaN where only other visits were seen
    event: np.ndarray | None = None  #: (patient,) bool
    exposure: np.ndarray | None = None  #: (patient,)
    repeated: np.ndarray | None = None  #: (patient, visit), NaN where missing
    visits: tuple[str, ...] = ()
    at: int = 0  #: the endpoint's visit
    baseline: np.ndarray | None = None  #: (patient,) what an analysis would adjust for without a score

    @property
    def size(self) -> int:
        """Patients."""
        return len(self.outcome)

    @property
    def complete(self) -> np.ndarray:
        """(patient,) whose outcome was seen."""
        return np.isfinite(self.outcome)

    def rows(self, index: np.ndarray) -> History:
        """Some patients."""

        def some(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[index]

        return replace(
            self, known=self.known.rows(index), outcome=self.outcome[index], event=some(self.event),
            exposure=some(self.exposure), repeated=some(self.repeated), baseline=some(self.baseline),
        )  # fmt: skip


def folds(history: History, count: int, seed: int) -> np.ndarray:
    """(patient,) fold of each, dealt out at random within those with and without an event (or by whether seen)."""
    rng = np.random.default_rng(seed)
    kinds = history.complete.astype(int)
    if history.event is not None:
        kinds = history.event.astype(int)
    elif history.endpoint == "binary":
        kinds = np.where(history.complete, history.outcome, 2.0).astype(int)
    fold = np.zeros(history.size, dtype=int)
    start = 0
    for kind in np.unique(kinds):
        mine = rng.permutation(np.flatnonzero(kinds == kind))
        fold[mine] = (start + np.arange(len(mine))) % count
        start += len(mine)
    return fold


def out_of_fold(
    history: History, fit: Callable[[History], Callable[[Known], np.ndarray]], count: int, seed: int
) -> np.ndarray:
    """(patient,) prediction of each patient by a model that was fitted without that patient's fold."""
    fold = folds(history, count, seed)
    made = np.empty(history.size)
    for k in range(count):
        held = np.flatnonzero(fold == k)
        if len(held):
            made[held] = fit(history.rows(np.flatnonzero(fold != k)))(history.known.rows(held))
    return made
