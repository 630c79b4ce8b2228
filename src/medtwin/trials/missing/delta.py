"""Delta adjustment: imputed outcomes made worse (or better) by a stated amount, to ask how far missing at random may err.

``shift`` says what is added to each imputed outcome; observed ones are never touched. A constant amount is the delta at
every missing visit after the event; ``per_visit`` lets it grow by itself with each visit since the event. Sources: Cro, Morris,
Kenward and Carpenter, Stat Med 39 (2020): 2815; O'Kelly and Ratitch, Clinical Trials with Missing Data (2014; section not
verified).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.missing.repeated import RepeatedTrial

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Delta:
    """In the outcome's unit; an arm that is not named has none."""

    by_arm: Mapping[str, float] = field(default_factory=dict)
    per_visit: bool = False  #: the amount is added once for each visit since the event
    gaps: bool = False  #: also to outcomes missing without an event

    def times(self, factor: float) -> Delta:
        """Every amount multiplied."""
        return replace(self, by_arm={arm: factor * amount for arm, amount in self.by_arm.items()})

    @property
    def words(self) -> str:
        """For the method's name."""
        each = ", ".join(f"{amount + 0.0:+.4g} {arm}" for arm, amount in self.by_arm.items())
        return f"delta {each or 'none'}{' per visit' if self.per_visit else ''}"


def shift(trial: RepeatedTrial, delta: Delta | None) -> Array:
    """What is added to the completed outcomes, (n, m). Raises :class:`AnalysisError` for an unknown arm or no number."""
    out = np.zeros_like(trial.outcome)
    if delta is None:
        return out
    amount = np.zeros(len(trial.arm_names))
    for arm, value in delta.by_arm.items():
        if not math.isfinite(value):
            raise AnalysisError(f"a delta of {value}", expected="a finite number", where=f"arm {arm}")
        amount[trial.arm_code(arm, "delta")] = value
    since = np.maximum(np.arange(len(trial.visits)) - trial.before[:, None] + 1, 0 if not delta.gaps else 1)
    steps = since if delta.per_visit else (since > 0)
    return np.where(trial.observed, 0.0, steps * amount[trial.arm][:, None])
