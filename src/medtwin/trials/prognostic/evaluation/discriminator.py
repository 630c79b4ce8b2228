"""Can a classifier tell a twin from its patient? AUC near one half: it cannot.

Each patient gives a pair: what was measured and one draw, with the baseline beside both. The classifier is ridge regression
of the label on numbers, squares and products (standardised), so it sees means, spreads and dependences, with baseline too.
Cross-validated by patient. Because both of a pair stay in their fold, swapping labels within pairs leaves the design as it
is: every permutation costs one matrix product, and under the hypothesis that twin and patient are exchangeable given baseline
the permutation p value is exact ((b + 1)/(n + 1); Phipson and Smyth 2010, from memory; its level is tested). AUC as Mann and
Whitney's, ties half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from medtwin.errors import AnalysisError

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrimination:
    """``auc`` beside the 95 % range that labels swapped at random give."""

    auc: float
    null_low: float
    null_high: float
    p_value: float  #: of an AUC as high, one-sided: lower is no evidence of a difference
    patients: int
    features: int


def discriminate(
    measured: Array, twin: Array, subject: ArrayLike, *, baseline: Array | None = None, ridge: float = 0.05, folds: int = 5,
    permutations: int = 999, seed: int = 0,
) -> Discrimination:  # fmt: skip
    """Of rows ``measured (n, k)`` and ``twin (n, k)``, pair by pair, of the patients ``subject (n)``; baseline (n, c).

    Rows with anything missing must be left out by the caller, on both sides. ``ridge``: as a share of the rows.
    """
    real, drawn = np.asarray(measured, float), np.asarray(twin, float)
    people, who = np.unique(np.asarray(subject), return_inverse=True)
    if real.shape != drawn.shape or not (np.isfinite(real).all() and np.isfinite(drawn).all()):
        raise AnalysisError(f"rows {real.shape} and {drawn.shape}", expected="pairs without anything missing",
                            where="discriminator")  # fmt: skip
    if len(people) < 4 * folds:
        raise AnalysisError(f"{len(people)} patients", expected=f"{4 * folds} or more", where="discriminator")
    n = len(real)
    rows = np.concatenate([real, drawn])
    if baseline is not None:
        rows = np.column_stack([rows, np.tile(np.asarray(baseline, float), (2, 1))])
    x = _products(rows)
    rng = np.random.default_rng([seed, 6])
    fold = (rng.permutation(len(people)) % folds)[np.tile(who, 2)]
    swap = np.ones((len(people), permutations + 1))
    swap[:, 1:] = rng.choice([-1.0, 1.0], (len(people), permutations))
    label = np.concatenate([-swap[who], swap[who]])  # twin +1
    score = np.empty_like(label)
    for k in range(folds):
        test = fold == k
        train = ~test
        centre, sd = x[train].mean(0), x[train].std(0)
        z = (x - centre) / np.where(sd > 1e-12, sd, 1.0)
        gram = z[train] @ z[train].T
        gram[np.diag_indices_from(gram)] += ridge * len(gram)
        score[test] = z[test] @ (z[train].T @ np.linalg.solve(gram, label[train]))
    place = rankdata(score, axis=0)
    count = n * n
    auc = ((place * (label > 0.0)).sum(0) - n * (n + 1) / 2.0) / count
    low, high = np.quantile(auc[1:], [0.025, 0.975])
    return Discrimination(
        auc=float(auc[0]), null_low=float(low), null_high=float(high), patients=len(people), features=x.shape[1],
        p_value=float((1 + (auc[1:] >= auc[0] - 1e-12).sum()) / (permutations + 1)),
    )  # fmt: skip


def _products(rows: Array) -> Array:
    """Numbers, squares and products of standardised columns; columns that do not vary are left out."""
    sd = rows.std(0)
    z = (rows - rows.mean(0))[:, sd > 0.0] / sd[sd > 0.0]
    first, second = np.triu_indices(z.shape[1])
    return np.column_stack([z, z[:, first] * z[:, second]])
