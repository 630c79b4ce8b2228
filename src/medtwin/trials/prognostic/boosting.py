"""Gradient-boosted trees for the mean of each outcome, residual trajectories of similar patients around it.

Features: baseline, time, the mechanism's forecast where there is one. Where the baseline value of an outcome is among them,
the trees learn the change from it (or, with a mechanism, nothing is taken off): trees are slow to learn a line. scikit-learn's
``HistGradientBoostingRegressor``, squared error, small trees, no early stopping: the same every time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.resampled import Predictor, ResampledTrajectories, resampled

Array = np.ndarray


def fit_boosted(
    cohort: Cohort, *, trees: int = 80, rate: float = 0.06, leaves: int = 6, least: int = 25, donors: int = 80,
    reach: float = 0.3, folds: int = 5, seed: int = 0,
) -> ResampledTrajectories:  # fmt: skip
    """``trees`` of at most ``leaves`` leaves with ``least`` visits each, shrunk by ``rate``."""

    def fit(data: Cohort) -> Predictor:
        start = _offset(data)
        x = _features(data.baseline, data.subject, data.time)
        models = []
        for o in range(len(data.outcomes)):
            seen = np.isfinite(data.values[:, o])
            mine = x if data.mechanism is None else np.column_stack([x, data.mechanism[:, o]])
            offset = start(data.baseline)[data.subject, o]
            model = HistGradientBoostingRegressor(
                max_iter=trees, learning_rate=rate, max_leaf_nodes=leaves, min_samples_leaf=least, early_stopping=False,
                random_state=seed,
            )  # fmt: skip
            models.append(model.fit(mine[seen], data.values[seen, o] - offset[seen]))

        def predict(baseline: Baseline, subject: Array, time: Array, mechanism: Array | None) -> Array:
            rows = _features(baseline, subject, time)
            first = start(baseline)[subject]
            parts = [
                model.predict(rows if mechanism is None else np.column_stack([rows, mechanism[:, o]])) + first[:, o]
                for o, model in enumerate(models)
            ]
            return np.column_stack(parts)

        return predict

    return resampled(
        cohort, fit, "boosted trees, resampled residuals", folds=folds, donors=donors, reach=reach, seed=seed
    )


def _features(baseline: Baseline, subject: Array, time: Array) -> Array:
    return np.column_stack([baseline.covariates[subject], time])


def _offset(data: Cohort) -> Callable[[Baseline], Array]:
    """Of each patient and outcome what the trees start from: the baseline value where it is known."""
    names = [f"baseline {one.label}" for one in data.outcomes]
    bare = data.mechanism is not None

    def start(baseline: Baseline) -> Array:
        none = np.zeros(len(baseline.subjects))
        return np.column_stack(
            [none if bare or name not in baseline.names else baseline.column(name) for name in names]
        )

    return start
