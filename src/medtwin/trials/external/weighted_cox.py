"""Cox's model with case weights and the robust variance of Lin and Wei (1989), in the weighted form of Binder (1992).

With the score residuals U_i of ``analysis.cox_score`` the robust covariance is ``V (sum_g u_g u_g') V`` with V the inverse
information and ``u_g = sum_{i in g} w_i U_i`` over clusters g (each patient one, unless ``cluster`` says otherwise). The weights
are held as known. Coefficients are log hazard ratios per unit of the column; with the arm alone in the model the ratio is the
marginal one of the weighted population.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.cox import cox_fit
from medtwin.trials.analysis.cox_score import RiskSets

_WHERE = "weighted Cox model"


@dataclass(frozen=True, slots=True, eq=False)
class WeightedCoxFit:
    """A fitted model."""

    coefficients: np.ndarray  #: (column,) log hazard ratio per unit of the column
    covariance: np.ndarray  #: (column, column) robust
    naive_covariance: (
        np.ndarray
    )  #: (column, column) inverse of the weighted information: wrong unless weights are counts
    influence: np.ndarray  #: (patient, column) w_i U_i V, change of the coefficients when patient i is left out


def weighted_cox_fit(
    time: np.ndarray, event: np.ndarray, design: np.ndarray, weights: np.ndarray, *, cluster: np.ndarray | None = None,
    ties: str = "efron",
) -> WeightedCoxFit:  # fmt: skip
    """``time``, ``event``, ``weights`` (patient,), ``design`` (patient, column), ``cluster`` (patient,) of labels."""
    if ties not in ("efron", "breslow"):
        raise AnalysisError(f"ties {ties!r}", expected="efron or breslow", where=_WHERE)
    rows = np.flatnonzero(weights > 0.0)
    used, kept, seen = design[rows], weights[rows] / weights[rows].mean(), event[rows]
    beta = cox_fit(time[rows], seen, used, ties=ties).coefficients  # also refuses what has no answer
    centre = used.mean(axis=0)
    part = RiskSets(time[rows], seen, used - centre, kept, ties)
    best, slope, information = part.at(beta)[:3]
    for _ in range(60):
        step = np.linalg.solve(information, slope)
        reached = part.at(beta + step)
        for _halving in range(40):
            if reached[0] >= best - 1e-12 * abs(best):
                break
            step = step / 2.0
            reached = part.at(beta + step)
        beta = beta + step
        best, slope, information = reached[:3]
        if np.abs(step).max() <= 1e-11 * (1.0 + np.abs(beta).max()):
            break
    else:
        raise AnalysisError(
            "no convergence after 60 steps", expected="convergence", where=_WHERE, remedy="look for extreme weights"
        )
    inverse = np.linalg.inv(information)
    own = np.empty_like(used)
    own[part.order] = part.at(beta)[3]
    moved = np.zeros(design.shape)
    moved[rows] = (own * kept[:, None]) @ inverse
    grouped = moved
    if cluster is not None:
        _, group = np.unique(cluster, return_inverse=True)
        grouped = np.zeros((int(group.max()) + 1, design.shape[1]))
        np.add.at(grouped, group, moved)
    return WeightedCoxFit(beta, grouped.T @ grouped, inverse / weights[rows].mean(), moved)
