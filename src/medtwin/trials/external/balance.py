"""How alike two arms are before and after weighting: standardised mean differences, variance ratios, effective sizes.

    SMD = (mean_1 - mean_0) / s,   s = sqrt((s_1^2 + s_0^2) / 2) or s_1, of the unweighted arms in both columns
    ESS = (sum w)^2 / sum w^2      (Kish 1965), patients
    variance ratio = s_1^2 / s_0^2, weighted in the column "after"

(Austin 2009.) The scale s is that before weighting, so that weighting cannot look better by widening the spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.external.arms import checked_weights, two_arms


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRow:
    """One covariate. Means in its own unit; differences in standard deviations; nan: no spread to compare."""

    name: str
    mean_treated: float  #: weighted
    mean_control: float  #: weighted
    difference_before: float
    difference_after: float
    variance_ratio_before: float
    variance_ratio_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The table of a comparison, with what the weights leave of each arm."""

    rows: tuple[BalanceRow, ...]
    effective_treated: float  #: patients
    effective_control: float  #: patients
    notes: tuple[str, ...] = ()

    @property
    def largest_before(self) -> float:
        """Largest |SMD| before weighting."""
        return max((abs(row.difference_before) for row in self.rows), default=0.0)

    @property
    def largest_after(self) -> float:
        """Largest |SMD| after weighting."""
        return max((abs(row.difference_after) for row in self.rows), default=0.0)

    def __getitem__(self, name: str) -> BalanceRow:
        """The row of a covariate."""
        for row in self.rows:
            if row.name == name:
                return row
        raise AnalysisError(f"no covariate {name!r}", expected=f"one of {[row.name for row in self.rows]}")


def effective_sample_size(weights: np.ndarray) -> float:
    """Kish's (sum w)^2 / sum w^2, in patients; 0 where nobody weighs anything."""
    held = np.asarray(weights, dtype=float)
    top = held.max(initial=0.0)
    if not top > 0.0:
        return 0.0
    held = held / top
    return float(held.sum() ** 2 / (held**2).sum())


def balance(trial: TrialData, weights: np.ndarray | None = None, *, scale: str = "pooled") -> Balance:
    """Table of every covariate. ``scale``: ``pooled`` or ``treated`` standard deviation under the difference.

    A covariate without spread in either arm has difference 0 if the means agree and is refused otherwise.
    """
    if scale not in ("pooled", "treated"):
        raise AnalysisError(f"scale {scale!r}", expected="pooled or treated", where="balance")
    controls, treated = two_arms(trial, "balance")
    held = checked_weights(weights, trial, "balance")
    rows, notes = [], []
    for name, values in zip(trial.covariate_names, trial.covariates.T, strict=True):
        before = [_moments(values[mask], np.ones(int(mask.sum()))) for mask in (controls, treated)]
        after = [_moments(values[mask], held[mask]) for mask in (controls, treated)]
        spread = before[1][1] ** 0.5 if scale == "treated" else ((before[0][1] + before[1][1]) / 2.0) ** 0.5
        differences = [float(pair[1][0] - pair[0][0]) for pair in (before, after)]
        if spread > 0.0:
            differences = [away / spread for away in differences]
        elif any(abs(away) > 1e-12 * (1.0 + abs(before[0][0])) for away in differences):
            raise AnalysisError(
                f"{name} the same for every patient of an arm, and another value in the other", where="balance: no overlap",
                expected="a covariate that varies", remedy="restrict both arms to shared values, or leave it out",
            )  # fmt: skip
        else:
            differences = [0.0, 0.0]
            notes.append(f"{name} is the same for every patient")
        rows.append(BalanceRow(
            name=name, mean_treated=after[1][0], mean_control=after[0][0], difference_before=differences[0],
            difference_after=differences[1], variance_ratio_before=_ratio(before), variance_ratio_after=_ratio(after),
        ))  # fmt: skip
    bad = [row.name for row in rows if abs(row.difference_after) > 0.1]
    if bad:
        notes.append(f"standardised difference above 0.1 after weighting: {', '.join(bad)}")
    return Balance(
        rows=tuple(rows), effective_control=effective_sample_size(held[controls]), notes=tuple(notes),
        effective_treated=effective_sample_size(held[treated]),
    )  # fmt: skip


def _moments(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Weighted mean and variance; with equal weights the one on n - 1."""
    share = weights / weights.sum()
    mean = float(share @ values)
    left = 1.0 - float(share @ share)
    return mean, float(share @ (values - mean) ** 2) / left if left > 1e-12 else 0.0


def _ratio(pair: list[tuple[float, float]]) -> float:
    return pair[1][1] / pair[0][1] if pair[0][1] > 0.0 else float("nan")
