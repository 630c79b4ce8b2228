"""Scores of whole trajectories: all outcomes at all visits of a patient at once, each in units of its ``scale``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from medtwin.errors import AnalysisError
from medtwin.statistics.joint_scores import energy_score, variogram_score

Array = np.ndarray


def trajectory_scores(
    draws: Array, truth: Array, subject: ArrayLike, scale: ArrayLike, *, order: float = 0.5
) -> tuple[Array, Array, Array]:
    """Patients, and energy and variogram score of each, of draws (D, n, q) and outcomes (n, q); ``scale`` (q).

    Both are divided so that long trajectories do not count more: energy by the square root of the measurements, variogram
    by the number of their pairs. A patient with one measurement has no variogram score (NaN).
    """
    who, unit = np.asarray(subject), np.asarray(scale, float)
    if not ((unit > 0.0) & np.isfinite(unit)).all():
        raise AnalysisError(f"scales {unit}", expected="positive numbers", where="trajectory scores")
    people = np.unique(who)
    energy, variogram = np.full(len(people), np.nan), np.full(len(people), np.nan)
    for k, person in enumerate(people):
        rows = who == person
        y = (truth[rows] / unit).ravel()
        x = (draws[:, rows] / unit).reshape(len(draws), -1)
        count = int(np.isfinite(y).sum())
        if count:
            energy[k] = energy_score(x, y) / np.sqrt(count)
        if count > 1:
            variogram[k] = variogram_score(x, y, order=order) / (count * (count - 1))
    return people, energy, variogram
