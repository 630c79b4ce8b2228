"""Covariance across outcomes and visits: that of the draws against that of what was measured.

Columns are outcomes at visits. Every draw gets the same holes as the measured table, and covariances are over pairs of
columns that are both there. The error is the Frobenius norm of the difference over that of the measured matrix, of
covariances in units of the measured sd, and of correlations. A draw in the place of what was measured gives the null.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError

Array = np.ndarray
FEWEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """Errors as shares, and how often a draw that stands for the patients is as far from the other draws."""

    covariance_error: float
    covariance_p: float
    correlation_error: float
    correlation_p: float
    measured: Array  #: (k, k) correlations
    drawn: Array  #: (k, k) their mean over draws
    patients: int


def dependence(draws: Array, truth: Array) -> Dependence:
    """Of draws (D, n, k) and outcomes (n, k), a row a patient, NaN where not measured."""
    y, x = np.asarray(truth, float), np.asarray(draws, float)
    seen = np.isfinite(y)
    pairs = seen.T.astype(float) @ seen
    if pairs.min() < FEWEST or len(x) < 20:
        raise AnalysisError(
            f"pairs of columns with {int(pairs.min())} patients, {len(x)} draws", where="dependence",
            expected=f"{FEWEST} or more in common, 20 draws or more", remedy="leave out a rare visit",
        )  # fmt: skip
    unit = np.nanstd(y, axis=0)
    observed = _covariance(np.where(seen, y / unit, 0.0)[None], seen)[0]
    drawn = _covariance(np.where(seen, x / unit, 0.0), seen)
    errors = [_error(observed, drawn), _error(_correlation(observed), _correlation(drawn))]
    return Dependence(
        covariance_error=errors[0][0], covariance_p=errors[0][1], correlation_error=errors[1][0],
        correlation_p=errors[1][1], measured=_correlation(observed), drawn=_correlation(drawn).mean(0),
        patients=int(seen.any(1).sum()),
    )  # fmt: skip


def _covariance(values: Array, seen: Array) -> Array:
    """(D, k, k) over the patients that have both columns; ``values`` 0 where not ``seen``."""
    mask = seen.astype(float)
    n = mask.T @ mask
    sums = np.swapaxes(values, 1, 2) @ mask  # of column j over patients that have k
    return np.asarray((np.swapaxes(values, 1, 2) @ values - sums * np.swapaxes(sums, 1, 2) / n) / (n - 1.0))


def _correlation(matrix: Array) -> Array:
    sd = np.sqrt(np.maximum(np.diagonal(matrix, axis1=-2, axis2=-1), 1e-300))
    return np.asarray(matrix / (sd[..., :, None] * sd[..., None, :]))


def _error(observed: Array, drawn: Array) -> tuple[float, float]:
    """Relative distance from the draws' mean, and its place among draws that are each left out in turn."""
    d = len(drawn)
    centre = drawn.mean(0)
    away = float(np.linalg.norm(observed - centre))
    null = np.linalg.norm((drawn - centre) * d / (d - 1.0), axis=(1, 2))
    return away / float(np.linalg.norm(observed)), float((1 + (null >= away).sum()) / (d + 1))
