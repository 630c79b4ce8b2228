"""What an analysis hands back: estimates, and every word that a reader needs to trust them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Estimates with the notes that belong in the report: who was left out and why, each fall-back by its name."""

    method: str
    estimates: tuple[Estimate, ...]
    patients: dict[str, int]  #: analysed, by arm, control first
    notes: tuple[str, ...] = ()
    #: (arm,) what each arm would reach, on the outcome's scale; and its (arm, arm) covariance
    means: np.ndarray | None = field(default=None, compare=False)
    covariance: np.ndarray | None = field(default=None, compare=False)

    def __getitem__(self, name: str) -> Estimate:
        """The estimate of this name."""
        for estimate in self.estimates:
            if estimate.name == name:
                return estimate
        raise AnalysisError(f"no estimate {name!r}", expected=f"one of {[e.name for e in self.estimates]}")
