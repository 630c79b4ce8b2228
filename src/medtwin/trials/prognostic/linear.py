"""Least squares for the mean of each outcome, residual trajectories of similar patients around it."""

from __future__ import annotations

import numpy as np

from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.mean import Mean
from medtwin.trials.prognostic.mixed.likelihood import check_design
from medtwin.trials.prognostic.resampled import Predictor, ResampledTrajectories, resampled

Array = np.ndarray


def fit_linear(
    cohort: Cohort, mean: Mean | None = None, *, donors: int = 80, reach: float = 0.3, folds: int = 5, seed: int = 0
) -> ResampledTrajectories:
    """The columns of ``mean``, by ordinary least squares over visits. Raises where columns cannot be told apart."""
    form = mean or Mean()

    def fit(data: Cohort) -> Predictor:
        q = len(data.outcomes)
        x = form.columns(data.baseline, data.subject, data.time, data.mechanism, q)
        seen = np.isfinite(data.values)
        names = form.names(data.baseline, data.mechanism is not None)
        check_design(x, seen, names, tuple(one.name for one in data.outcomes))
        beta = []
        for o in range(q):
            scale = np.sqrt((x[seen[:, o], o] ** 2).mean(0))
            beta.append(np.linalg.lstsq(x[seen[:, o], o] / scale, data.values[seen[:, o], o], rcond=None)[0] / scale)

        def predict(baseline: Baseline, subject: Array, time: Array, mechanism: Array | None) -> Array:
            return np.einsum("vod,od->vo", form.columns(baseline, subject, time, mechanism, q), np.array(beta))

        return predict

    return resampled(
        cohort, fit, "least squares, resampled residuals", folds=folds, donors=donors, reach=reach, seed=seed
    )
