"""Cox's model with case weights and the robust variance of Lin and Wei (1989), in the weighted form of Binder (1992).

With weights w, risk r_i = exp(x_i' b) and d events D at a time t, W = sum_D w / d, Efron's shares f_l = l/d (Breslow: 0),

    S_l = sum_R w r - f_l sum_D w r,   xbar_l = (sum_R w r x - f_l sum_D w r x) / S_l
    log L = sum_t [ sum_D w_i x_i' b - W sum_l log S_l ]

The score residual of patient i is

    U_i = sum_{t: i in D} (x_i - mean_l xbar_l) - sum_{t <= t_i} sum_l (W / S_l) r_i (1 - f_l [i in D]) (x_i - xbar_l)

and the robust covariance ``V (sum_g u_g u_g') V`` with V the inverse information and ``u_g = sum_{i in g} w_i U_i`` over
clusters g (each patient one, unless ``cluster`` says otherwise). The weights are held as known. Coefficients are log hazard
ratios per unit of the column; with the arm alone in the model the ratio is the marginal one of the weighted population.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.cox import cox_fit

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
    part = _Weighted(time[rows], seen, used - centre, kept, ties)
    best, slope, information, _ = part.at(beta)
    for _ in range(60):
        step = np.linalg.solve(information, slope)
        reached = part.at(beta + step)
        for _halving in range(40):
            if reached[0] >= best - 1e-12 * abs(best):
                break
            step = step / 2.0
            reached = part.at(beta + step)
        beta = beta + step
        best, slope, information, _ = reached
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


class _Weighted:
    """Sorted by falling time, one row an event and its share of the ties."""

    def __init__(self, time: np.ndarray, event: np.ndarray, design: np.ndarray, weights: np.ndarray, ties: str) -> None:
        self.order = np.argsort(-time, kind="stable")
        time, self.event = time[self.order], event[self.order]
        self.design, self.weights = design[self.order], weights[self.order]
        times, self.tie, counts = np.unique(time[self.event], return_inverse=True, return_counts=True)
        self.last = np.searchsorted(-time, -times, side="right") - 1
        begin = np.concatenate([[0], np.cumsum(counts)[:-1]])
        place = np.empty(len(self.tie), dtype=int)
        place[np.argsort(self.tie, kind="stable")] = np.arange(len(self.tie)) - np.repeat(begin, counts)
        self.share = place / counts[self.tie] if ties == "efron" else np.zeros(len(self.tie))
        total = np.bincount(self.tie, self.weights[self.event], len(times))
        self.mean_weight = (total / counts)[self.tie]
        self.counts = counts
        #: (patient,) how many distinct event times are not after the patient's own
        self.passed = np.searchsorted(times, time, side="right")

    def at(self, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """log L, its slope, the information, and the score residuals in sorted order."""
        x = self.design
        eta = x @ beta
        shift = float(eta.max())
        risk = np.exp(eta - shift)
        columns = x.shape[1]
        products = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
        stacked = np.hstack([np.ones((len(x), 1)), x, products]) * (self.weights * risk)[:, None]
        sums = np.cumsum(stacked, axis=0)[self.last][self.tie]
        own = np.zeros((len(self.counts), stacked.shape[1]))
        np.add.at(own, self.tie, stacked[self.event])
        sums = sums - self.share[:, None] * own[self.tie]
        total = sums[:, 0]
        if not (total > 0.0).all():  # a step so far that everybody else's risk is lost in rounding: to be halved
            return -np.inf, np.zeros(columns), np.zeros((columns, columns)), np.zeros_like(x)
        mean = sums[:, 1 : 1 + columns] / total[:, None]
        weight = self.weights[self.event]
        value = float(weight @ (eta[self.event] - shift) - self.mean_weight @ np.log(total))
        slope = weight @ x[self.event] - self.mean_weight @ mean
        second = (sums[:, 1 + columns :] * (self.mean_weight / total)[:, None]).sum(axis=0).reshape(columns, columns)
        information = second - (mean * self.mean_weight[:, None]).T @ mean
        # residuals
        hazard = self.mean_weight / total
        terms = np.column_stack([hazard, hazard[:, None] * mean])
        by_time = np.zeros((len(self.counts), 1 + columns))
        np.add.at(by_time, self.tie, terms)
        shared = np.zeros_like(by_time)
        np.add.at(shared, self.tie, terms * self.share[:, None])
        middle = np.zeros((len(self.counts), columns))
        np.add.at(middle, self.tie, mean)
        middle = middle / self.counts[:, None]
        until = np.vstack([np.zeros((1, 1 + columns)), np.cumsum(by_time, axis=0)])[self.passed]
        until[self.event] -= shared[self.tie]
        residual = -risk[:, None] * (x * until[:, :1] - until[:, 1:])
        residual[self.event] += x[self.event] - middle[self.tie]
        return value, slope, information, residual
