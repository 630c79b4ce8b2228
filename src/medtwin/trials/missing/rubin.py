"""Rubin's rules: estimates of several completed data sets made one.

With ``D`` estimates ``Q_d``, their variances ``U_d`` and degrees of freedom ``ν`` as if nothing had been missing:

    Q = mean Q_d        W = mean U_d        B = Σ (Q_d - Q)² / (D - 1)        T = W + (1 + 1/D) B
    λ = (1 + 1/D) B / T        1/df = 1/df_r + 1/df_o
    df_r = (D - 1) / λ²        df_o = (ν + 1) / (ν + 3) · ν (1 - λ)

and ``df = ν`` where nothing differs between the sets. Sources: Rubin, Multiple Imputation for Nonresponse in Surveys
(1987), section 3.3; Barnard and Rubin, Biometrika 86 (1999): 948, equations 3 to 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medtwin.errors import AnalysisError


@dataclass(frozen=True, slots=True)
class Pooled:
    """What the rules give."""

    value: float
    standard_error: float  #: √T
    df: float
    within: float  #: W
    between: float  #: B
    missing_information: float  #: λ, the share of T that is due to what is missing


def pool(estimates: ArrayLike, variances: ArrayLike, complete_df: float = math.inf) -> Pooled:
    """``estimates (D,)``, ``variances (D,)``, ``complete_df`` ν. Raises :class:`AnalysisError`."""
    q, u = np.asarray(estimates, float), np.asarray(variances, float)
    d = len(q)
    if q.ndim != 1 or q.shape != u.shape or d < 2 or not (np.isfinite(q).all() and np.isfinite(u).all()):
        raise AnalysisError(f"estimates {q.shape}, variances {u.shape}", expected="at least two of each, all finite")
    if (u < 0.0).any() or not complete_df > 0.0:
        raise AnalysisError("negative variances or degrees of freedom", expected="positive ones")
    value, within, between = float(q.mean()), float(u.mean()), float(q.var(ddof=1))
    if between <= 1e-24 * max(value**2, within):  # the same in every set
        return Pooled(value, math.sqrt(within), complete_df, within, 0.0, 0.0)
    total = within + (1.0 + 1.0 / d) * between
    share = (1.0 + 1.0 / d) * between / total
    repeated = (d - 1.0) / share**2
    if math.isinf(complete_df):
        df = repeated
    else:
        observed = (complete_df + 1.0) / (complete_df + 3.0) * complete_df * (1.0 - share)
        df = repeated * observed / (repeated + observed)
    return Pooled(value, math.sqrt(total), df, within, between, share)
