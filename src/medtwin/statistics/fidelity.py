"""How like made-up records are to real ones: each column's distribution, and the correlations between columns.

KS: greatest distance of the two empirical distribution functions. Correlations: Frobenius norm of the difference of the two
matrices. Both are averages over records: they say nothing of privacy (:mod:`medtwin.statistics.closeness`), and a set of
copies has the best of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """``distances``: Kolmogorov-Smirnov's of each column."""

    distances: tuple[float, ...]
    correlation_difference: float

    @property
    def largest(self) -> float:
        return max(self.distances)


def fidelity(synthetic: ArrayLike, real: ArrayLike, numbers: ArrayLike | None = None) -> Fidelity:
    """Of records ``(n, k)`` and ``(m, k)``; correlations over the columns ``numbers`` (mask; none: all)."""
    made, true = np.asarray(synthetic, float), np.asarray(real, float)
    if made.ndim != 2 or made.shape[1:] != true.shape[1:] or not (np.isfinite(made).all() and np.isfinite(true).all()):
        raise ValueError(f"records {made.shape} and {true.shape}; expected as many columns, nothing missing")
    mask = np.ones(made.shape[1], bool) if numbers is None else np.asarray(numbers, bool)
    if (made[:, mask].std(0) == 0.0).any() or (true[:, mask].std(0) == 0.0).any():
        raise ValueError("a column of numbers that does not vary has no correlation")
    apart = np.corrcoef(made[:, mask].T) - np.corrcoef(true[:, mask].T)
    return Fidelity(
        distances=tuple(greatest_distance(made[:, k], true[:, k]) for k in range(made.shape[1])),
        correlation_difference=float(np.linalg.norm(apart)),
    )


def greatest_distance(first: ArrayLike, second: ArrayLike) -> float:
    """Kolmogorov-Smirnov's of two samples."""
    a, b = np.sort(np.asarray(first, float)), np.sort(np.asarray(second, float))
    at = np.concatenate([a, b])
    return float(np.abs(np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)).max())
