"""Cox's proportional hazards model (1972), ties by Efron (1977) or Breslow (1974), stratified: the conditional hazard ratio.

With risk score ``r_i = exp(x_i' b)``, at each event time t of a stratum with d events D(t) among those at risk R(t),

    log L = sum_t [ sum_{i in D} x_i' b - sum_{l=0}^{d-1} log( sum_R r - f_l sum_D r ) ],   f_l = l/d (Efron), 0 (Breslow)

is climbed by Newton's method with halved steps. The hazard ratio of an arm is conditional on the covariates: it is not the
marginal one (see ``logrank``), and differs from it even in a randomised trial.

Variance: ``model``, the inverse of the observed information, which counts on the covariates' hazards being proportional; or
the robust ones of ``cox_score``, ``HC0`` (Lin & Wei 1989), ``HC2``, ``HC3``, which do not. A score that explains the outcome
in any other way than through proportional hazards makes the model's variance too small however large the trial, and HC0 is too
small in small ones; HC3, the default, is about as large as the estimates' spread, in small strata a little less, hence t there:
docs/evidence/trials-type-one.md, "Time to an event".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.cox_score import POWERS, robust_covariance
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis.risk import events_of
from medtwin.trials.estimate import Estimate

VARIANCES = ("robust", *POWERS, "model")


@dataclass(frozen=True, slots=True, eq=False)
class CoxFit:
    """A fitted Cox model."""

    coefficients: np.ndarray  #: (column,) log hazard ratio per unit of the column
    covariance: np.ndarray  #: (column, column) inverse of the information
    log_likelihood: float
    null_log_likelihood: float  #: all coefficients zero
    score_statistic: float  #: of all coefficients zero, chi-squared with as many df as columns


def cox_fit(
    time: np.ndarray, event: np.ndarray, design: np.ndarray, *, strata: np.ndarray | None = None, ties: str = "efron",
    names: Sequence[str] = (), ridge: float = 0.0,
) -> CoxFit:  # fmt: skip
    """Maximum partial likelihood. ``time`` and ``event`` (patient,), ``design`` (patient, column), ``strata`` of numbers.

    ``ridge``: ``ridge |b|^2 / 2`` is taken from the log likelihood, b per standard deviation of each column. Then the
    likelihood handed back is the penalised one, and the covariance is the inverse of its curvature, which tests nothing.
    """
    if ties not in ("efron", "breslow"):
        raise AnalysisError(f"ties {ties!r}", expected="efron or breslow")
    if not event.any():
        raise AnalysisError("no events at all", expected="some", where="Cox model", remedy="wait for events")
    names = names or [f"column {number + 1}" for number in range(design.shape[1])]
    centre = design.mean(axis=0)
    scale = (design - centre).std(axis=0)
    if (scale <= 1e-12 * (1.0 + np.abs(centre))).any():
        still = [
            name for name, spread, at in zip(names, scale, centre, strict=True) if spread <= 1e-12 * (1.0 + abs(at))
        ]
        raise AnalysisError(
            f"constant columns {still}", expected="columns that vary", where="Cox model", remedy="leave them out"
        )
    groups = [np.arange(len(time))] if strata is None else [np.flatnonzero(strata == z) for z in np.unique(strata)]
    parts = [
        _Part(time[rows], event[rows], ((design - centre) / scale)[rows], ties) for rows in groups if event[rows].any()
    ]
    beta = np.zeros(design.shape[1])

    def reach(at: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        value, first, second = _evaluate(parts, at)
        return value - ridge / 2.0 * float(at @ at), first - ridge * at, second + ridge * np.eye(len(at))

    best, slope, information = reach(beta)
    null = best
    first = _solve(information, slope, names)
    score_statistic = float(slope @ first)
    for _ in range(60):
        step = _solve(information, slope, names)
        reached = reach(beta + step)
        for _halving in range(30):
            if reached[0] >= best - 1e-10 * abs(best):
                break
            step = step / 2.0
            reached = reach(beta + step)
        beta, gained = beta + step, reached[0] - best
        best, slope, information = reached
        if np.abs(step).max() <= 1e-10 * (1.0 + np.abs(beta).max()):
            break
        if np.abs(beta).max() > 15.0 and abs(gained) < 1e-4:
            raise _infinite(beta, names)
    else:
        if np.abs(beta).max() > 10.0:
            raise _infinite(beta, names)
        raise AnalysisError(
            "no convergence after 60 steps",
            expected="convergence",
            where="Cox model",
            remedy="adjust for fewer covariates",
        )
    covariance = _solve(information, np.eye(len(beta)), names) / np.outer(scale, scale)
    return CoxFit(beta / scale, (covariance + covariance.T) / 2.0, best, null, score_statistic)


def cox(
    trial: TrialData, *, ties: str = "efron", stratified: bool = True, variance: str = "robust", df: str = "auto",
    confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """The "hazard ratio treated / control" of each treated arm, conditional on the covariates (and strata).

    ``variance``: ``robust`` (that is ``HC3``), ``HC0``, ``HC2``, ``HC3`` or ``model``. ``df`` of the robust ones: ``normal``,
    ``residual`` (t with as many as patients beyond columns and strata), or ``auto``: residual where there are strata.
    """
    if variance not in VARIANCES or df not in ("auto", "residual", "normal"):
        raise AnalysisError(f"{variance!r}, {df!r}", expected=f"{VARIANCES}; auto, residual, normal", where="Cox model")
    chosen = "HC3" if variance == "robust" else variance
    events_of(trial, "Cox model")
    trial = trial.independent()
    assert trial.event is not None
    arms = len(trial.arm_names)
    for code, name in enumerate(trial.arm_names):
        if not trial.event[trial.arm == code].any():
            raise AnalysisError(
                f"no event in arm {name}: the hazard ratio is 0 or infinite", expected="events in every arm", where="Cox model",
                remedy="report the log-rank test, RMST or survival difference",
            )  # fmt: skip
    design = np.hstack([(trial.arm[:, None] == np.arange(1, arms)).astype(float), trial.covariates])
    names = [*(f"arm {name}" for name in trial.arm_names[1:]), *trial.covariate_names]
    strata = trial.strata if stratified else None
    fitted = cox_fit(trial.outcome, trial.event, design, strata=strata, ties=ties, names=names)
    words = [f"adjusted for {trial.covariates.shape[1]} covariates" if trial.covariates.shape[1] else "unadjusted"]
    words += [f"stratified by {len(trial.strata_names)} strata"] if strata is not None else []
    covariance, freedom = fitted.covariance, math.inf
    if chosen != "model":
        covariance = robust_covariance(
            trial.outcome, trial.event, design, fitted.coefficients, covariance=covariance, strata=strata, ties=ties,
            variance=chosen,
        )  # fmt: skip
        kinds = 1 if strata is None else len(np.unique(strata))
        if df == "residual" or (df == "auto" and kinds > 1):
            freedom = float(len(design) - design.shape[1] - kinds)
    law = "normal" if math.isinf(freedom) else "t(n-p)"
    method = f"Cox, {ties.capitalize()} ties, {', '.join(words)}, {chosen} variance, {law}"
    estimates = tuple(
        Estimate(name=f"hazard ratio {name} / {trial.arm_names[0]}", value=float(fitted.coefficients[number]), scale="log",
                 standard_error=math.sqrt(covariance[number, number]), method=method, df=freedom, confidence=confidence)
        for number, name in enumerate(trial.arm_names[1:])
    )  # fmt: skip
    notes = trial.notes
    if trial.covariates.shape[1]:
        notes += (
            "the hazard ratio is conditional on the covariates; the marginal one comes from the adjusted log-rank",
        )
    return Analysis(method=method, estimates=estimates, patients=trial.patients, notes=notes)


class _Part:
    """One stratum, sorted by falling time, with one row an event (for Efron: its share of its ties)."""

    def __init__(self, time: np.ndarray, event: np.ndarray, design: np.ndarray, ties: str) -> None:
        order = np.argsort(-time, kind="stable")
        time, self.event, self.design = time[order], event[order], design[order]
        times, self.tie, counts = np.unique(time[self.event], return_inverse=True, return_counts=True)
        #: last row at risk at each distinct event time
        self.last = np.searchsorted(-time, -times, side="right") - 1
        if ties == "efron":
            begin = np.concatenate([[0], np.cumsum(counts)[:-1]])
            place = np.empty(len(self.tie), dtype=int)
            place[np.argsort(self.tie, kind="stable")] = np.arange(len(self.tie)) - np.repeat(begin, counts)
            self.share = place / counts[self.tie]
        else:
            self.share = np.zeros(len(self.tie))
        self.tied = bool(self.share.any())
        self.count = len(times)

    def at(self, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        eta = self.design @ beta
        shift = float(eta.max())
        risk = np.exp(eta - shift)
        columns = self.design.shape[1]
        upper = np.triu_indices(columns)
        products = self.design[:, upper[0]] * self.design[:, upper[1]]
        stacked = np.hstack([np.ones((len(risk), 1)), self.design, products]) * risk[:, None]
        sums = np.cumsum(stacked, axis=0)[self.last][self.tie]  # (event, 1 + column + product)
        if self.tied:
            own = np.zeros((self.count, stacked.shape[1]))
            np.add.at(own, self.tie, stacked[self.event])
            sums = sums - self.share[:, None] * own[self.tie]
        total = sums[:, 0]
        if not (total > 0.0).all():  # a step so far that everybody else's risk is lost in rounding: to be halved
            return -math.inf, np.zeros(columns), np.zeros((columns, columns))
        mean = sums[:, 1 : 1 + columns] / total[:, None]
        value = float((eta[self.event] - shift - np.log(total)).sum())
        slope = (self.design[self.event] - mean).sum(axis=0)
        second = (sums[:, 1 + columns :] / total[:, None]).sum(axis=0)
        information = np.zeros((columns, columns))
        information[upper] = second
        information = information + np.triu(information, 1).T - mean.T @ mean
        return value, slope, information


def _evaluate(parts: list[_Part], beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    value, slope, information = 0.0, np.zeros(len(beta)), np.zeros((len(beta),) * 2)
    for part in parts:
        more = part.at(beta)
        value, slope, information = value + more[0], slope + more[1], information + more[2]
    return value, slope, information


def _solve(information: np.ndarray, right: np.ndarray, names: Sequence[str]) -> np.ndarray:
    spread, turned = np.linalg.eigh(information)
    if spread[0] <= 1e-11 * max(spread[-1], 1e-300):
        part = [name for name, weight in zip(names, turned[:, 0], strict=True) if abs(weight) > 0.1]
        raise AnalysisError(
            f"no information on {part}: collinear, or a hazard ratio of 0 or infinity", expected="columns that vary among those"
            " at risk, with events at every level", where="Cox model", remedy="leave one out, or merge the level",
        )  # fmt: skip
    return turned @ ((turned.T @ right).T / spread).T


def _infinite(beta: np.ndarray, names: Sequence[str]) -> AnalysisError:
    far = [name for name, value in zip(names, beta, strict=True) if abs(value) > 8.0]
    return AnalysisError(
        f"a likelihood that rises for ever in {far} (monotone)", expected="events at every level", where="Cox model",
        remedy="merge the level without events, or report the log-rank test",
    )  # fmt: skip
