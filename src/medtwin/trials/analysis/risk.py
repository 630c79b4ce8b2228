"""Who is at risk when: the sums over risk sets that every analysis of event times stands on.

Events come first among ties: a patient censored at t is at risk for an event at t.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData


@dataclass(frozen=True, slots=True, eq=False)
class RiskTable:
    """One stratum's distinct event times. Rows of (time,) unless said otherwise."""

    times: np.ndarray
    events: np.ndarray  #: (arm, time)
    at_risk: np.ndarray  #: (arm, time)
    upto: np.ndarray  #: (patient,) how many event times lie at or before the patient's own


def risk_table(time: np.ndarray, event: np.ndarray, arm: np.ndarray, arms: int) -> RiskTable:
    """Counts by arm at each distinct event time."""
    times = np.unique(time[event])
    upto = np.searchsorted(times, time, side="right")
    events, at_risk = [], []
    for code in range(arms):
        mine = arm == code
        events.append(np.bincount(upto[mine & event] - 1, minlength=len(times)) if len(times) else np.zeros(0))
        leaves = np.bincount(upto[mine], minlength=len(times) + 1)  # number of event times lived through
        at_risk.append(mine.sum() - np.cumsum(leaves)[: len(times)])
    return RiskTable(times, np.stack(events).astype(float), np.stack(at_risk).astype(float), upto)


def by_stratum(trial: TrialData) -> Iterator[np.ndarray]:
    """Rows of each stratum; of all patients where there are none."""
    if trial.strata is None:
        yield np.arange(len(trial.arm))
        return
    for number in range(len(trial.strata_names)):
        rows = np.flatnonzero(trial.strata == number)
        if len(rows):
            yield rows


def events_of(trial: TrialData, where: str) -> np.ndarray:
    """The event indicators; raises where there are none."""
    if trial.event is None:
        raise AnalysisError("no event indicators", expected="1 event, 0 censored", where=where)
    if not trial.event.any():
        raise AnalysisError("no events at all", expected="some", where=where, remedy="wait for events")
    return trial.event
