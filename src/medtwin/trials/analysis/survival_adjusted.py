"""Survival at a time and restricted mean, adjusted for covariates: Kaplan-Meier's influence values regressed within arms.

The infinitesimal jackknife of Kaplan-Meier's S (events dN_ik, at risk R_ik, d_k of Y_k at t_k) gives each patient i of an arm

    phi_i = - sum_k c_k (dN_ik - R_ik d_k/Y_k) / (Y_k - d_k),     c_k = S(t) 1(t_k <= t)  or, of RMST,  integral_{t_k}^tau S

with sum phi_i = 0 and, exactly, ``sum phi_i^2`` = Greenwood's variance (terms of different k are orthogonal over patients).
``n_a phi_i`` is what the patient adds to the arm's value v_a, a pseudo-value without its mean. Regressed on the covariates X in
each arm (slope b_a), with Xbar over all arms,

    theta_a = v_a + (Xbar - Xbar_a)' b_a = v_a + sum_{i in a} a_i n_a phi_i
    Cov(theta_a, theta_b) = 1(a = b) sum_{i in a} a_i^2 e_i^2 / (1 - h_i)^k + b_a' S_X b_b / n

e the residuals of n_a phi, h leverage in the arm's regression, k = 0, 1, 2 for HC0, HC2, HC3, S_X the covariates' covariance.
Without covariates this is ``kaplan`` with Greenwood's variance. The linear model need not hold: randomisation carries the
inference (the analysis of heterogeneous covariance of Ye et al. 2022, JASA 118:2370, on Kaplan-Meier's pseudo-values). Kin of it
in print: Zhang 2015 (Lifetime Data Anal 21:119, adjusted Kaplan-Meier by randomisation alone) and Li et al. 2022 (arXiv
2208.04495, pseudo-values of RMST regressed on a prognostic covariate); variance and corrections are derived here.
Censoring must not depend on the covariates within an arm, as for Kaplan-Meier.

Strata of randomisation: ``covariates`` (an indicator of each, slopes by arm; the variance then holds under permuted blocks too,
as residuals have mean zero in every stratum), ``within`` (a Kaplan-Meier curve in every stratum and arm, weighted with the
stratum's share of all patients; slopes common to strata), or ``ignore``.

Type I error at 5 %, two-sided, 4,000 null trials each (Monte Carlo error .0034), a strongly prognostic covariate, no model true
(``python tests/trials/analysis/small_samples.py 4000``; at most 8 of 4,000 were refused, with 15 patients in an arm):

    control + treated, covariates             15+15,1  20+20,1  15+30,1  30+30,3  50+50,3  50+50,6
    survival, Kaplan-Meier, normal            .065     .070     .069     .062     .054     .058
    survival, HC0, Satterthwaite df           .063     .061     .066     .058     .050     .059
    survival, HC2                             .049     .051     .057     .043     .045     .044
    survival, HC3                             .034     .040     .046     .030     .036     .033
    RMST, Kaplan-Meier, normal                .067     .063     .073     .058     .059     .056
    RMST, HC2                                 .047     .049     .058     .041     .049     .043

hence the default HC2. Kaplan-Meier with Greenwood's variance and the normal law is too bold below 30 patients an arm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.kaplan import SMALL, Curve, kaplan_meier
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis.risk import events_of
from medtwin.trials.estimate import Estimate

_POWER = {"HC0": 0.0, "HC2": 1.0, "HC3": 2.0}


def adjusted_survival_effects(
    trial: TrialData, *, times: Sequence[float] = (), tau: float | None = None, strata: str = "covariates",
    variance: str = "HC2", df: str = "satterthwaite", fixed_covariates: bool = False, confidence: float = 0.95,
    unit: str = "time",
) -> Analysis:  # fmt: skip
    """As :func:`~medtwin.trials.analysis.kaplan.survival_effects`, under the same names, adjusted for the trial's covariates.

    ``df``: ``satterthwaite``, of the arms' variances with the residual degrees of freedom of each, or ``normal`` (always so
    where nothing is adjusted for).
    ``fixed_covariates``: leave out the last term of the variance; the effect is then that in these patients.
    """
    events_of(trial, "adjusted survival")
    if not times and tau is None:
        raise AnalysisError("neither times nor tau", expected="one of them", where="adjusted survival")
    if (
        variance not in _POWER
        or df not in ("satterthwaite", "normal")
        or strata not in ("covariates", "within", "ignore")
    ):
        raise AnalysisError(
            f"{variance!r}, {df!r}, strata {strata!r}", where="adjusted survival",
            expected=f"{tuple(_POWER)}; satterthwaite, normal; covariates, within, ignore",
        )  # fmt: skip
    if trial.strata is not None and strata == "covariates":
        trial = trial.with_strata_as_covariates()
    cells = trial.strata if trial.strata is not None and strata == "within" else np.zeros(len(trial.arm), dtype=int)
    _, cells = np.unique(cells, return_inverse=True)
    centred = trial.covariates.astype(float).copy()
    for cell in range(int(cells.max()) + 1):
        centred[cells == cell] -= centred[cells == cell].mean(axis=0)
    trial = replace(trial, covariates=centred).independent()
    values, added = _values(trial, cells, times, tau)
    means, within, between = _adjust(trial, cells, values, added, _POWER[variance], fixed_covariates)

    columns, arms = trial.covariates.shape[1], len(trial.arm_names)
    words = [f"adjusted for {columns} columns"] if columns else []
    words += [f"within {int(cells.max()) + 1} strata"] if cells.max() else []
    by_size = columns > 0 and df == "satterthwaite"
    sizes = np.bincount(trial.arm, minlength=arms) - (int(cells.max()) + 1) - columns
    shown = f"{variance}, {'Satterthwaite df' if by_size else 'normal'}" if columns else "Greenwood, normal"
    method = ", ".join(["Kaplan-Meier", *words, shown])
    estimates: list[Estimate] = []

    def add(name: str, value: float, slope: np.ndarray, number: int, scale: str, of: str) -> None:
        own, sampled = slope**2 * within[number], float(slope @ between[number] @ slope)
        total = float(own.sum()) + sampled
        spread = float((own**2 / sizes).sum()) + sampled**2 / (len(trial.arm) - 1.0) if by_size else 0.0
        estimates.append(
            Estimate(name=name, value=value, standard_error=math.sqrt(max(total, 0.0)), method=method, scale=scale, unit=of,
                     df=total**2 / spread if spread > 0.0 else math.inf, confidence=confidence)
        )  # fmt: skip

    control, pick = trial.arm_names[0], np.eye(arms)
    for number, what in enumerate([*times, None] if tau is not None else times):
        title = f"RMST to {tau:g}" if what is None else f"survival at {what:g}"
        mean, of = means[:, number], unit if what is None else "1"
        for code, name in enumerate(trial.arm_names[1:], start=1):
            apart = float(mean[code] - mean[0])
            add(f"{title} {name} - {control}", apart, pick[code] - pick[0], number, "identity", of)
            if what is None:
                if not mean.min() > 0.0:
                    raise AnalysisError(f"a mean of {mean.min():g}", expected="above 0", where=f"{title}, {method}",
                                        remedy="adjust for fewer covariates")  # fmt: skip
                slope = pick[code] / mean[code] - pick[0] / mean[0]
                ratio = f"RMST ratio to {tau:g} {name} / {control}"
                add(ratio, math.log(mean[code] / mean[0]), slope, number, "log", "1")
        for code, name in enumerate(trial.arm_names):
            add(f"{title}, {name}", float(mean[code]), pick[code], number, "identity", of)
    latest = max([*times, tau or 0.0])
    assert trial.event is not None
    bold: tuple[str, ...] = ()
    if not columns and min(trial.patients.values()) < SMALL:
        bold = (f"fewer than {SMALL} patients in an arm: Greenwood's variance and the normal law are too bold there",)
    notes = trial.notes + tuple(
        f"no event in arm {name} by {latest:g}: its standard error is 0, and says nothing of what may yet come"
        for code, name in enumerate(trial.arm_names)
        if not (trial.event & (trial.outcome <= latest) & (trial.arm == code)).any()
    )
    notes += bold
    return Analysis(method=method, estimates=tuple(estimates), patients=trial.patients, notes=notes)


def influence(curve: Curve, time: np.ndarray, event: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """phi, (patient,), of those whom ``curve`` is of; ``gain`` (event time,) is c above."""
    left = curve.at_risk - curve.events
    some = left > 1e-12 * curve.at_risk
    weight = np.where(some, gain / np.where(some, left, 1.0), 0.0)
    passed = np.concatenate([[0.0], np.cumsum(weight * curve.events / curve.at_risk)])
    upto = np.searchsorted(curve.times, time, side="right")
    own = weight[np.maximum(upto - 1, 0)] if len(weight) else np.zeros(len(time))
    return passed[upto] - np.where(event, own, 0.0)


def gains(curve: Curve, times: Sequence[float], tau: float | None) -> list[tuple[float, np.ndarray]]:
    """(value, c) of survival at each of ``times``, then of the restricted mean."""
    out = []
    for time in times:
        survival, _ = curve.at(time)
        out.append((survival, survival * (curve.times <= time)))
    if tau is not None:
        mean, _ = curve.restricted_mean(tau)
        inside = curve.times <= tau
        pieces = np.diff(np.concatenate([curve.times[inside], [tau]])) * curve.survival[inside]
        later = np.zeros(len(curve.times))
        later[inside] = np.cumsum(pieces[::-1])[::-1]
        out.append((mean, later))
    return out


def _values(
    trial: TrialData, cells: np.ndarray, times: Sequence[float], tau: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """v (arm, cell, functional) and n phi (patient, functional), with n the size of the patient's arm and cell."""
    assert trial.event is not None
    kinds, functionals = int(cells.max()) + 1, len(times) + (tau is not None)
    values = np.zeros((len(trial.arm_names), kinds, functionals))
    added = np.zeros((len(trial.arm), functionals))
    for code, name in enumerate(trial.arm_names):
        for cell in range(kinds):
            rows = np.flatnonzero((trial.arm == code) & (cells == cell))
            if not len(rows):
                raise AnalysisError(
                    f"a stratum without a patient of arm {name}", expected="every arm in every stratum",
                    where="adjusted survival", remedy="merge small strata, or take the strata as covariates",
                )  # fmt: skip
            curve = kaplan_meier(trial.outcome[rows], trial.event[rows])
            for number, (value, gain) in enumerate(gains(curve, times, tau)):
                values[code, cell, number] = value
                added[rows, number] = len(rows) * influence(curve, trial.outcome[rows], trial.event[rows], gain)
    return values, added


def _adjust(
    trial: TrialData, cells: np.ndarray, values: np.ndarray, added: np.ndarray, power: float, fixed: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """theta (arm, functional), its variance from the residuals (functional, arm) and from S_X (functional, arm, arm)."""
    arms, kinds, functionals = values.shape
    patients, columns = trial.covariates.shape
    share = np.bincount(cells, minlength=kinds) / patients
    means = np.einsum("z,azf->af", share, values)
    within, between = np.zeros((functionals, arms)), np.zeros((functionals, arms, arms))
    predicted = values[:, cells, :].copy()  # (arm, patient, functional)
    for code, name in enumerate(trial.arm_names):
        rows = np.flatnonzero(trial.arm == code)
        size = np.bincount(cells[rows], minlength=kinds)
        centre = np.stack([trial.covariates[rows[cells[rows] == cell]].mean(axis=0) for cell in range(kinds)])
        design = trial.covariates[rows] - centre[cells[rows]]
        if len(rows) - kinds - columns < 1:
            raise AnalysisError(
                f"{len(rows)} patients of arm {name} for {columns} slopes", expected="more", where="adjusted survival",
                remedy="adjust for fewer covariates",
            )  # fmt: skip
        spread = design.std(axis=0)
        scaled = design / np.where(spread > 0.0, spread, 1.0)
        orthonormal, triangle = np.linalg.qr(scaled)
        if columns and np.abs(np.diag(triangle)).min() <= 1e-9 * math.sqrt(len(rows)):
            raise AnalysisError(
                f"a covariate that is constant or collinear within arm {name}", expected="covariates that vary in each arm",
                where="adjusted survival", remedy="leave it out, or merge the small stratum",
            )  # fmt: skip
        leverage = (orthonormal**2).sum(axis=1) + (1.0 / size[cells[rows]] if columns else 0.0)
        if power and (leverage > 1.0 - 1e-10).any():
            raise AnalysisError(
                f"{int((leverage > 1.0 - 1e-10).sum())} patients of arm {name} whom the covariates fit exactly",
                expected="leverage below 1", where="adjusted survival", remedy="merge the small level, or use HC0",
            )  # fmt: skip
        turned = np.linalg.solve(triangle, orthonormal.T @ added[rows]) if columns else np.zeros((0, functionals))
        slopes = turned / np.where(spread > 0.0, spread, 1.0)[:, None]
        away = share @ centre  # (column,)
        means[code] -= away @ slopes
        weights = (share / size)[cells[rows]]
        if columns:
            weights = weights - orthonormal @ np.linalg.solve(triangle.T, away / np.where(spread > 0.0, spread, 1.0))
        rest = added[rows] - design @ slopes
        within[:, code] = (weights**2 / (1.0 - leverage) ** power) @ rest**2
        predicted[code] += trial.covariates @ slopes
    if not fixed:
        predicted -= predicted.mean(axis=1, keepdims=True)
        between = np.einsum("apf,bpf->fab", predicted, predicted) / (patients * (patients - 1.0))
    return means, within, between
