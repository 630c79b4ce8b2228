"""The forecast to beat: the patient stays as he was at baseline; spread from how much others moved."""

from __future__ import annotations

import numpy as np

from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.outcome import Outcome
from medtwin.trials.prognostic.resampled import Predictor, ResampledTrajectories, resampled

Array = np.ndarray


def own_baseline(baseline: Baseline, outcomes: tuple[Outcome, ...]) -> Array:
    """(n, q) of each outcome on its working scale: the columns ``baseline NAME``, which must be there."""
    return np.column_stack([baseline.column(f"baseline {one.label}") for one in outcomes])


def fit_persistence(cohort: Cohort, *, donors: int = 80, reach: float = 0.3, seed: int = 0) -> ResampledTrajectories:
    """Baseline values forward, with the changes of similar patients around them (their mean change included)."""

    def fit(data: Cohort) -> Predictor:
        def predict(baseline: Baseline, subject: Array, time: Array, mechanism: Array | None) -> Array:
            return own_baseline(baseline, data.outcomes)[subject]

        return predict

    return resampled(cohort, fit, "persistence, resampled changes", donors=donors, reach=reach, seed=seed)
