"""What the twin's score is worth in each group: correlation with the outcome, alone and beyond the baseline value.

Both are within arms (each arm's mean is taken out of score and outcome), so that an effect of treatment is not counted.

    r          correlation of score and outcome                  variance of the adjusted difference falls by r^2
    partial r  the same with the baseline columns taken out      falls by partial r^2 *beyond* ANCOVA with the baseline
    patients saved at equal power, allocation unchanged          r^2
    controls saved at equal power, treated arm kept, 1:1         2 r^2 / (1 + r^2)

The last: (1 - r^2)(1/n + 1/m) = 2/n gives m = n (1 - r^2)/(1 + r^2) controls beside n treated patients.
Intervals are Fisher's, of a 0/1 outcome with the distribution-free variance; those of squares map the ends of r's, with 0
as the low end where the interval of r holds 0. A score that helps one group only buys its power there: the partial
correlations of groups are compared like every other figure.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.fair.number import Number
from medtwin.trials.fair.proportion import correlation


def benefit(
    outcome: np.ndarray, score: np.ndarray, *, baseline: np.ndarray | None = None, arm: np.ndarray | None = None,
    binary: bool = False, confidence: float = 0.95,
) -> tuple[Number, ...]:  # fmt: skip
    """Correlation and what it saves; with ``baseline`` (patient, column) the same beyond it. ``arm`` (patient,) of codes."""
    arms = np.zeros(len(outcome), dtype=int) if arm is None else arm
    within = (arms[:, None] == np.unique(arms)).astype(float)
    made = list(_worth("", within, outcome, score, binary, confidence))
    if baseline is not None and baseline.shape[1]:
        away = baseline - baseline.mean(axis=0)
        columns = away[:, np.abs(away).max(axis=0) > 1e-12 * (1.0 + np.abs(baseline).max(axis=0))]
        made += _worth(" beyond baseline", np.hstack([within, columns]), outcome, score, binary, confidence)
    return tuple(made)


def _worth(
    after: str, design: np.ndarray, outcome: np.ndarray, score: np.ndarray, binary: bool, confidence: float
) -> tuple[Number, ...]:
    basis, size, _ = np.linalg.svd(design / np.linalg.norm(design, axis=0), full_matrices=False)
    basis = basis[:, size > 1e-9 * size.max()]  # collinear columns count once
    left_y, left_s = (values - basis @ (basis.T @ values) for values in (outcome, score))
    for values, left, what in ((outcome, left_y, "outcome"), (score, left_s, "score")):
        whole = values - values.mean()
        if float(left @ left) <= 1e-18 * float(whole @ whole) or not float(whole @ whole) > 0.0:
            raise AnalysisError(
                f"a {what} that is the same for everybody, or is told by arm{' and baseline' if after else ''}",
                expected="more than these say",
            )
    name = f"{'partial ' if after else ''}correlation{after}"
    partialled = basis.shape[1] - 1
    r = correlation(name, left_y, left_s, partialled=partialled, normal=not binary, confidence=confidence)
    return (
        r,
        _mapped(f"variance removed{after}", r, lambda value: value * value),
        _mapped(f"patients saved{after}", r, lambda value: value * value),
        _mapped(f"controls saved{after}", r, lambda value: 2.0 * value * value / (1.0 + value * value)),
    )


def _mapped(name: str, r: Number, by: Callable[[float], float]) -> Number:
    """An increasing function of r^2."""
    ends = sorted((by(r.low), by(r.high)))
    low = 0.0 if r.low <= 0.0 <= r.high else ends[0]
    return Number(name=name, value=by(r.value), low=low, high=ends[1], method=f"{r.method}, mapped")
