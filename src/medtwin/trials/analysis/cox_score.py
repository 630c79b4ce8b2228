"""Cox's risk sets with case weights, each patient's score residual, and the robust variance of Lin and Wei (1989).

With weights w, risk r_i = exp(x_i' b) and d events D at a time t, W = sum_D w / d, Efron's shares f_l = l/d (Breslow: 0),

    S_l = sum_R w r - f_l sum_D w r,   xbar_l = (sum_R w r x - f_l sum_D w r x) / S_l
    log L = sum_t [ sum_D w_i x_i' b - W sum_l log S_l ]

The score residual of patient i, and the information that the patient carries, are

    U_i = sum_{t: i in D} (x_i - mean_l xbar_l) - sum_{t <= t_i} sum_l (W / S_l) r_i (1 - f_l [i in D]) (x_i - xbar_l)
    J_i = sum_{t <= t_i} sum_l (W / S_l) r_i (1 - f_l [i in D]) (x_i - xbar_l) (x_i - xbar_l)',    sum_i w_i J_i = information

(weights: the form of Binder 1992). The robust covariance is ``V (sum_i U_i U_i') V``, V the inverse information. As least
squares residuals do, the U_i come out too small where a patient has pull on the fit: of the model's own variance, the share
``H_i = J_i V`` is lost. Divided by ``(1 - H_i)^k`` they give HC0 (k = 0, Lin and Wei), HC2 (1/2), HC3 (1): the corrections of
Kauermann & Carroll 2001 and Mancl & DeRouen 2001 for estimating equations, derived here for the partial likelihood.
"""

from __future__ import annotations

import numpy as np

from medtwin.errors import AnalysisError

POWERS = {"HC0": 0.0, "HC2": 0.5, "HC3": 1.0}


class RiskSets:
    """One stratum, sorted by falling time, one row an event and its share of the ties."""

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

    def at(self, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """log L, its slope, the information; U (patient, column) and J (patient, column, column) in sorted order."""
        x = self.design
        eta = x @ beta
        shift = float(eta.max())
        risk = np.exp(eta - shift)
        patients, columns = x.shape
        products = (x[:, :, None] * x[:, None, :]).reshape(patients, -1)
        stacked = np.hstack([np.ones((patients, 1)), x, products]) * (self.weights * risk)[:, None]
        sums = np.cumsum(stacked, axis=0)[self.last][self.tie]
        if self.share.any():
            own = np.zeros((len(self.counts), stacked.shape[1]))
            np.add.at(own, self.tie, stacked[self.event])
            sums = sums - self.share[:, None] * own[self.tie]
        total = sums[:, 0]
        if not (total > 0.0).all():  # a step so far that everybody else's risk is lost in rounding: to be halved
            zero = np.zeros((columns, columns))
            return -np.inf, np.zeros(columns), zero, np.zeros_like(x), np.zeros((patients, columns, columns))
        mean = sums[:, 1 : 1 + columns] / total[:, None]
        weight = self.weights[self.event]
        value = float(weight @ (eta[self.event] - shift) - self.mean_weight @ np.log(total))
        slope = weight @ x[self.event] - self.mean_weight @ mean
        second = (sums[:, 1 + columns :] * (self.mean_weight / total)[:, None]).sum(axis=0).reshape(columns, columns)
        information = second - (mean * self.mean_weight[:, None]).T @ mean
        # residuals
        hazard = self.mean_weight / total
        squares = (mean[:, :, None] * mean[:, None, :]).reshape(len(mean), -1)
        terms = np.hstack([np.ones((len(mean), 1)), mean, squares]) * hazard[:, None]
        until = np.vstack([np.zeros((1, terms.shape[1])), np.cumsum(self._summed(terms), axis=0)])[self.passed]
        if self.share.any():
            until[self.event] -= self._summed(terms * self.share[:, None])[self.tie]
        until *= risk[:, None]
        hazards, first, both = until[:, :1], until[:, 1 : 1 + columns], until[:, 1 + columns :]
        residual = first - x * hazards
        residual[self.event] += x[self.event] - (self._summed(mean) / self.counts[:, None])[self.tie]
        cross = x[:, :, None] * first[:, None, :]
        carried = (products * hazards + both).reshape(patients, columns, columns) - cross - cross.transpose(0, 2, 1)
        return value, slope, information, residual, carried

    def _summed(self, rows: np.ndarray) -> np.ndarray:
        """(time, column) of (event, column)."""
        out = np.zeros((len(self.counts), rows.shape[1]))
        np.add.at(out, self.tie, rows)
        return out


def robust_covariance(
    time: np.ndarray, event: np.ndarray, design: np.ndarray, beta: np.ndarray, *, covariance: np.ndarray,
    strata: np.ndarray | None = None, ties: str = "efron", variance: str = "HC3",
) -> np.ndarray:  # fmt: skip
    """(column, column) at the fitted ``beta``, whose model covariance (the inverse information) is ``covariance``."""
    root = np.linalg.cholesky(covariance)
    design = design - design.mean(axis=0)
    whole = np.zeros_like(covariance)
    groups = [np.arange(len(time))] if strata is None else [np.flatnonzero(strata == z) for z in np.unique(strata)]
    for rows in groups:
        if not event[rows].any():
            continue
        sets = RiskSets(time[rows], event[rows], design[rows], np.ones(len(rows)), ties)
        residual, carried = sets.at(beta)[3:]
        moved = residual @ root
        if variance != "HC0":
            spread, turned = np.linalg.eigh(root.T @ carried @ root)
            if (spread > 1.0 - 1e-8).any():
                raise AnalysisError(
                    "a patient who alone says what a column does", expected="several", where="robust variance of Cox's model",
                    remedy="leave the column out, or variance: model",
                )  # fmt: skip
            scaled = np.einsum("ipk,ip->ik", turned, moved) / (1.0 - np.maximum(spread, 0.0)) ** POWERS[variance]
            moved = np.einsum("ipk,ik->ip", turned, scaled)
        whole += moved.T @ moved
    found = root @ whole @ root.T
    return np.asarray((found + found.T) / 2.0)
