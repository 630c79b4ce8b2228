"""Analysis of covariance of a continuous outcome: common slopes (I) or slopes of each arm (II, ANHECOVA).

With ``A`` the arm and ``C`` the covariates less their mean over all arms, least squares of

    I:   y = a + sum_k d_k 1(A = k) + C b + e
    II:  y = a + sum_k d_k 1(A = k) + C b + sum_k 1(A = k) C g_k + e

where ``d_k`` estimates the average effect of arm k against control (Yang & Tsiatis 2001; Lin 2013, Ann Appl Stat 7:295;
for several arms ANHECOVA, Ye et al. 2022, JASA 118:2370). I can be worse than no adjustment when arms are of unequal size
and slopes differ; II cannot, in large trials.

Variance of ``c'beta`` with ``a = X (X'X)^-1 c``, leverage ``h`` and residual ``e`` (MacKinnon & White 1985; Cribari-Neto
2004 for HC4), n patients and p coefficients:

    classical  s^2 a'a              HC0  sum a_i^2 e_i^2            HC1  HC0 n/(n-p)
    HC2  sum a_i^2 e_i^2/(1-h_i)    HC3  .../(1-h_i)^2              HC4  .../(1-h_i)^min(4, n h_i/p)

In II and in the arms' means the covariates' mean is itself a draw: ``g' S_C g / n`` is added (S_C their covariance), unless
``fixed_covariates``. Degrees of freedom: ``n-p``, or those of Bell & McCaffrey (2002; Imbens & Kolesar 2016) by
Satterthwaite's rule on the variance's own quadratic form under equal residual variances, with ``d_i = a_i^2/(1-h_i)^k``:

    df = (sum_i d_i (1-h_i))^2 / (sum_i d_i^2 (1-2h_i) + || Q' diag(d) Q ||^2),   X = QR.

Defaults: HC2, with Bell & McCaffrey's degrees of freedom in I and ``n-p`` in II, which hold the level from 15 patients an arm on
where spreads, slopes and numbers differ; the level of every combination is in docs/evidence/trials-type-one.md, "Continuous
outcome: ANCOVA" (``python -m medtwin.trials.simulate.type_one``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import linalg

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.estimate import Estimate

VARIANCES = ("classical", "HC0", "HC1", "HC2", "HC3", "HC4")


def inflation(variance: str, leverage: np.ndarray, patients: int, coefficients: int) -> np.ndarray:
    """What ``e_i^2`` is multiplied with, (patient,)."""
    if variance == "HC0":
        return np.ones_like(leverage)
    if variance == "HC1":
        return np.full_like(leverage, patients / (patients - coefficients))
    if variance == "HC4":
        return (1.0 - leverage) ** -np.minimum(4.0, patients * leverage / coefficients)
    return (1.0 - leverage) ** (-1.0 if variance == "HC2" else -2.0)


def ancova(
    trial: TrialData, *, interactions: bool | Sequence[str] = False, variance: str = "HC2", df: str = "",
    strata: bool = True, fixed_covariates: bool = False, confidence: float = 0.95, unit: str = "1",
) -> Analysis:  # fmt: skip
    """Effect of each treated arm against control, ``treated - control``, and each arm's adjusted mean, ``mean treated``.

    ``interactions``: model II; or the names of the covariates that have a slope in each arm. ``variance``: one of
    ``VARIANCES``. ``df``: ``bell-mccaffrey`` (if nothing is said, for I), ``residual`` (n-p; for II) or ``normal``.
    ``strata``: the strata of randomisation, where there are any, become covariates too.
    """
    df = df or ("bell-mccaffrey" if interactions is False else "residual")
    if variance not in VARIANCES or df not in ("bell-mccaffrey", "residual", "normal"):
        raise AnalysisError(f"{variance!r}, {df!r}", expected=f"{VARIANCES}; bell-mccaffrey, residual or normal")
    if strata and trial.strata is not None:
        trial = trial.with_strata_as_covariates()
    interacting = trial.interacting(interactions)
    trial, arms = trial.independent(), len(trial.arm_names)
    own = np.flatnonzero([name in interacting for name in trial.covariate_names])
    patients, covariates = trial.covariates.shape
    centred = trial.covariates - trial.covariates.mean(axis=0)
    dummies = (trial.arm[:, None] == np.arange(1, arms)).astype(float)
    blocks = [np.ones((patients, 1)), dummies, centred]
    blocks += [dummies[:, [number]] * centred[:, own] for number in range(arms - 1)]
    design = np.hstack(blocks)
    coefficients = design.shape[1]
    if patients <= coefficients:
        raise AnalysisError(
            f"{patients} patients for {coefficients} coefficients", expected="more patients", where="ANCOVA",
            remedy="adjust for fewer covariates",
        )  # fmt: skip
    orthonormal, triangle = np.linalg.qr(design)
    diagonal = np.abs(np.diag(triangle))
    if diagonal.min() <= 1e-10 * diagonal.max() and _deficient(design):
        raise AnalysisError(
            "a covariate that is constant within an arm, or tells the arms apart" if len(own)
            else "a covariate that tells the arms apart", expected="covariates that vary in every arm", where="ANCOVA",
            remedy="leave it out" + (", or take common slopes" if len(own) else ""),
        )  # fmt: skip
    beta = linalg.solve_triangular(triangle, orthonormal.T @ trial.outcome)
    residual = trial.outcome - design @ beta
    leverage = (orthonormal**2).sum(axis=1)
    alone = leverage > 1.0 - 1e-10
    if alone.any() and variance not in ("classical", "HC0", "HC1"):
        raise AnalysisError(
            f"{int(alone.sum())} patients whom the model fits exactly (leverage 1)", expected="leverage below 1",
            where=f"ANCOVA, {variance}", remedy="merge the small stratum or level, or use the classical variance",
        )  # fmt: skip
    residual_df = float(patients - coefficients)
    spread = np.atleast_2d(np.cov(trial.covariates, rowvar=False)) if covariates else np.zeros((0, 0))

    combine = np.zeros((arms, coefficients))  # arms' means
    combine[:, 0] = 1.0
    combine[1:, 1:arms] = np.eye(arms - 1)
    slopes = np.tile(beta[arms : arms + covariates], (arms, 1))
    slopes[1:, own] += beta[arms + covariates :].reshape(arms - 1, len(own))

    def estimate(name: str, contrast: np.ndarray, slope: np.ndarray) -> Estimate:
        weights = orthonormal @ linalg.solve_triangular(triangle, contrast, trans="T")
        sampled = 0.0 if fixed_covariates else float(slope @ spread @ slope) / patients
        if variance == "classical":
            given, freedom = float(weights @ weights * (residual @ residual) / residual_df), residual_df
        else:
            each = weights**2 * inflation(variance, leverage, patients, coefficients)
            given = float(each @ residual**2)
            freedom = bell_mccaffrey(each, orthonormal, leverage) if df == "bell-mccaffrey" else residual_df
        if df == "normal":
            freedom = math.inf
        elif sampled > 0.0 and given > 0.0:  # Satterthwaite's rule for the sum of two
            freedom = (given + sampled) ** 2 / (given**2 / freedom + sampled**2 / (patients - 1.0))
        return Estimate(
            name=name, value=float(contrast @ beta), standard_error=math.sqrt(given + sampled), df=freedom, unit=unit,
            method=method, confidence=confidence,
        )  # fmt: skip

    shown = (
        "normal" if df == "normal" else "t(n-p)" if df == "residual" or variance == "classical" else "Bell-McCaffrey df"
    )
    method = f"ANCOVA {'II' if len(own) else 'I'}, {variance}, {shown}"
    control = trial.arm_names[0]
    estimates = [
        estimate(f"{name} - {control}", combine[code] - combine[0], slopes[code] - slopes[0])
        for code, name in enumerate(trial.arm_names[1:], start=1)
    ]
    estimates += [estimate(f"mean {name}", combine[code], slopes[code]) for code, name in enumerate(trial.arm_names)]
    lift = orthonormal @ linalg.solve_triangular(triangle, combine.T, trans="T")
    if variance == "classical":
        covariance = lift.T @ lift * (residual @ residual) / residual_df
    else:
        weight = residual**2 * inflation(variance, leverage, patients, coefficients)
        covariance = lift.T @ (weight[:, None] * lift)
    if not fixed_covariates:
        covariance = covariance + slopes @ spread @ slopes.T / patients
    notes = trial.notes
    sizes = np.array(list(trial.patients.values()))
    if not len(own) and covariates and sizes.max() > 1.2 * sizes.min():
        notes += ("arms of unequal size with common slopes: where slopes differ, model II is the more precise one",)
    return Analysis(
        method=method, estimates=tuple(estimates), patients=trial.patients, notes=notes, means=combine @ beta,
        covariance=covariance,
    )  # fmt: skip


def bell_mccaffrey(each: np.ndarray, orthonormal: np.ndarray, leverage: np.ndarray) -> float:
    """Degrees of freedom of ``sum_i each_i e_i^2`` (Satterthwaite under equal variances), without an n by n matrix."""
    middle = orthonormal.T @ (each[:, None] * orthonormal)
    return float((each @ (1.0 - leverage)) ** 2 / (each**2 @ (1.0 - 2.0 * leverage) + (middle**2).sum()))


def _deficient(design: np.ndarray) -> bool:
    scaled = design / np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    return bool(np.linalg.matrix_rank(scaled, tol=1e-9) < design.shape[1])
