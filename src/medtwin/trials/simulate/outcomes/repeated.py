"""Repeated measures: normal with a given covariance over visits; the score correlates alike with every visit.

``Y_ij = s_j (r m_i + b x_i + c g_i) + e_ij + effect_j A_i`` with ``cov(e) = S - (r^2+b^2+c^2) s s'``; the effect grows evenly
from 0 at the start to ``effect`` at the last visit. Drop-out is monotone: of those still there a share leaves at each visit as
``retention`` says, at random (MCAR), or the more the higher their value at the visit before (MAR, ``mar_slope`` log odds
per SD; the share then holds for a patient at the visit's mean).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, logit

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.batch import normals
from medtwin.trials.simulate.randomise import People
from medtwin.trials.simulate.scenario import Scenario


def draw(scenario: Scenario, rng: np.random.Generator, who: People, *, external: bool) -> dict[str, Any]:
    """Outcomes (t, visit, p), NaN after drop-out."""
    matrix = np.asarray(scenario.covariance, dtype=float)
    visits = len(matrix)
    s = np.sqrt(np.diag(matrix))
    r0, r1 = scenario.correlations
    treated = who.arm > 0.5
    roots = [_root(matrix - (r * r + scenario.baseline_correlation**2 + scenario.strata_correlation**2) * np.outer(s, s))
             for r in (r0, r1)]  # fmt: skip
    noise = normals(rng, (who.score.shape[0], visits, who.score.shape[1]))
    y = np.matmul(roots[0], noise)
    if r0 != r1:
        other = np.matmul(roots[1], noise)
        y = np.where(treated[..., None, :] if treated.ndim == 2 else treated, other, y)
    shared = np.where(treated, r1, r0) * who.score + who.fixed
    y += s[:, None] * shared[:, None, :]
    growth = np.arange(1, visits + 1) / visits
    arm = who.arm[:, None, :] if who.arm.ndim == 2 else who.arm
    y += scenario.effect * growth[:, None] * arm
    if external:
        y += scenario.external_drift * s[:, None]
    if scenario.retention:
        _leave(scenario, rng, y, treated, s)
    return {"outcome": y}


def _leave(scenario: Scenario, rng: np.random.Generator, y: np.ndarray, treated: np.ndarray, s: np.ndarray) -> None:
    kept0 = np.asarray(scenario.retention)
    kept1 = np.asarray(scenario.retention_treated or scenario.retention)
    visits = y.shape[1]
    if len(kept0) != visits or len(kept1) != visits or (np.diff(kept0) > 0.0).any() or (np.diff(kept1) > 0.0).any():
        raise AnalysisError(
            f"retention {scenario.retention}", expected=f"{visits} shares that never rise", where="scenario"
        )
    before = (1.0, 1.0)
    gone = np.zeros(y.shape[::2], dtype=bool)
    for j in range(visits):
        shares = [1.0 - kept[j] / last for kept, last in zip((kept0, kept1), before, strict=True)]
        before = (kept0[j], kept1[j])
        chance = np.where(treated, shares[1], shares[0])
        if scenario.mechanism == "MAR" and j:
            mean = np.where(treated, scenario.effect * j / visits, 0.0)
            past = (np.nan_to_num(y[:, j - 1]) - mean) / s[j - 1]
            chance = expit(logit(np.clip(chance, 1e-12, 1.0 - 1e-12)) + scenario.mar_slope * past)
        gone |= rng.random(gone.shape) < chance
        y[:, j][gone] = np.nan


def _root(matrix: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise AnalysisError(
            "a covariance that is not positive definite once score, baseline and strata are taken out",
            expected="a positive definite one", where="scenario", remedy="lower the correlations",
        ) from None  # fmt: skip
