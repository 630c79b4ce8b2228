"""Decision curves: what acting on a risk is worth at each threshold, against acting on everybody and on nobody.

    net benefit   NB(t) = TP/n - FP/n t/(1 - t)             Vickers & Elkin, Med Decis Making 2006;26:565
    treat all     the same with everybody said yes; treat none: 0

in true positives per patient; yes is risk >= t. NB is the mean of one number a patient, (y - (1 - y) t/(1 - t)) yes, so its
standard error is their standard deviation over sqrt n (the influence function of Pfeiffer & Gail, Biom J 2020;62:764, for
a cohort), that of the difference from treat all likewise, patient by patient. Of censored follow-up each number is
weighted by the inverse probability of being seen (:mod:`censored`), which the standard error takes as known. Which curve is
highest is for deciding; significance of a difference is no condition for it (Vickers et al., Diagn Progn Res 2023;7:11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 11))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCurve:
    """Of one group, (threshold,) each: data of a figure with three lines."""

    column: str
    level: str
    thresholds: tuple[float, ...]
    model: tuple[float, ...]  #: net benefit, true positives per patient
    model_error: tuple[float, ...]  #: standard error
    treat_all: tuple[float, ...]
    treat_all_error: tuple[float, ...]
    treat_none: tuple[float, ...]  #: zeros
    over_all: tuple[float, ...]  #: model less treat all
    over_all_error: tuple[float, ...]  #: patient by patient

    @property
    def useful(self) -> tuple[float, ...]:
        """Thresholds at which the model beats both treat all and treat none."""
        return tuple(
            t for t, model, everybody in zip(self.thresholds, self.model, self.treat_all, strict=True)
            if model > max(everybody, 0.0)
        )  # fmt: skip


def decision_curve(
    outcome: np.ndarray,
    risk: np.ndarray,
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    weight: np.ndarray | None = None,
    column: str = "all",
    level: str = "all",
) -> DecisionCurve:
    """Net benefit at ``thresholds`` strictly between 0 and 1; ``weight`` (patient,) of censored follow-up, mean about 1."""
    at = np.asarray(thresholds, dtype=float)
    if not len(at) or not ((at > 0.0) & (at < 1.0)).all():
        raise AnalysisError(f"thresholds {list(thresholds)}", expected="between 0 and 1", where="decision curve")
    if len(outcome) < 2:
        raise AnalysisError(f"{len(outcome)} patients", expected="two or more", where="decision curve")
    worth = outcome[:, None] - (1.0 - outcome[:, None]) * (at / (1.0 - at))
    if weight is not None:
        worth = worth * weight[:, None]
    chosen = worth * (risk[:, None] >= at)
    lines = [_mean(values) for values in (chosen, worth, chosen - worth)]
    return DecisionCurve(
        column=column, level=level, thresholds=tuple(at.tolist()), model=lines[0][0], model_error=lines[0][1],
        treat_all=lines[1][0], treat_all_error=lines[1][1], treat_none=(0.0,) * len(at), over_all=lines[2][0],
        over_all_error=lines[2][1],
    )  # fmt: skip


def _mean(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return tuple(values.mean(axis=0).tolist()), tuple(error.tolist())
