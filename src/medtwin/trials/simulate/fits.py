"""What an analyser makes of a batch: an estimate, its standard error and its degrees of freedom for each trial.

An analyser is a frozen dataclass with ``name``, ``endpoints``, ``fits(batch, scenario)`` and ``truth(scenario)``; one that looks
at trials one at a time has ``one(batch, number, scenario)`` and loops here. A trial that could not be analysed is nan, with the
words of its error: it is counted as failed and as not rejected, and never left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.estimate import Estimate
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.scenario import Scenario

One = Callable[[Batch, int, Scenario], Estimate]


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """Of each trial (t,). nan: failed."""

    value: np.ndarray
    error: np.ndarray
    df: np.ndarray  #: inf: normal
    reasons: dict[str, int] = field(default_factory=dict)  #: why trials failed, and how many


class Analyser(Protocol):
    """What every family's file has."""

    @property
    def name(self) -> str: ...

    @property
    def endpoints(self) -> tuple[str, ...]: ...

    def fits(self, batch: Batch, scenario: Scenario) -> Fits: ...

    def truth(self, scenario: Scenario) -> float | None:
        """What is estimated, on the scale of the estimate; none where it has no such number (a test)."""


def loop(one: One, batch: Batch, scenario: Scenario) -> Fits:
    """One trial after the other."""
    value, error, df = (np.full(len(batch), np.nan) for _ in range(3))
    reasons: dict[str, int] = {}
    for number in range(len(batch)):
        try:
            made = one(batch, number, scenario)
        except (AnalysisError, np.linalg.LinAlgError) as failed:
            words = failed.found if isinstance(failed, AnalysisError) else str(failed)
            words = "".join("#" if letter.isdigit() else letter for letter in words)[:100]
            reasons[words] = reasons.get(words, 0) + 1
            continue
        value[number], error[number], df[number] = made.value, made.standard_error, made.df
    return Fits(value, error, df, reasons)


def normal(value: np.ndarray, error: np.ndarray) -> Fits:
    """With a normal reference law."""
    return Fits(value, error, np.full(value.shape, np.inf))
