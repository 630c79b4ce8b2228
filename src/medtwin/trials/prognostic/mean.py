"""The mean of each outcome at a visit: baseline covariates by time, and a mechanism's forecast where there is one.

    mean_o(i, t) = α_o + f(t)'γ_o + c_i'δ_o + t · (c_i')'ε_o [+ κ_o mechanism_o(i, t)]

f: t alone, or a natural cubic spline, linear beyond the outer knots. With knots κ_1 < ... < κ_K and (x)₊ = max(x, 0)::

    f_1 = t,    f_(k+1) = d_k(t) - d_(K-1)(t),    d_k = [(t - κ_k)₊³ - (t - κ_K)₊³] / (κ_K - κ_k),    k = 1 ... K - 2

(Hastie, Tibshirani and Friedman, Elements of Statistical Learning, section 5.2.1, eq. 5.4-5.5, from memory; that it has two
continuous derivatives and is linear outside is tested), divided by (κ_K - κ_1)² so that it is in the unit of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.cohort import Baseline

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Mean:
    """What the plan says of the mean; the same columns for every outcome, each with coefficients of its own."""

    covariates: tuple[str, ...] | None = None  #: None: all of the baseline
    changing: tuple[str, ...] | None = None  #: those whose effect changes linearly with time; None: all used
    knots: tuple[float, ...] = ()  #: none: linear in time; else at least three

    def __post_init__(self) -> None:
        if self.knots and (len(self.knots) < 3 or (np.diff(self.knots) <= 0.0).any()):
            raise AnalysisError(f"knots {self.knots}", expected="none, or three or more that ascend", where="mean")

    def names(self, baseline: Baseline, mechanism: bool = False) -> tuple[str, ...]:
        """Of the columns."""
        used, changing = self._used(baseline)
        return (
            "(intercept)", "time", *(f"time, spline {k + 2}" for k in range(max(len(self.knots) - 2, 0))), *used,
            *(f"{name}:time" for name in changing), *(("mechanism",) if mechanism else ()),
        )  # fmt: skip

    def columns(self, baseline: Baseline, subject: Array, time: Array, mechanism: Array | None, outcomes: int) -> Array:
        """(N, q, d): the design row of each outcome at each visit."""
        used, changing = self._used(baseline)
        parts = [np.ones((len(time), 1)), spline(time, self.knots)]
        parts += [baseline.column(name)[subject][:, None] for name in used]
        parts += [(baseline.column(name)[subject] * time)[:, None] for name in changing]
        common = np.concatenate(parts, 1)
        whole = np.repeat(common[:, None, :], outcomes, 1)
        return whole if mechanism is None else np.concatenate([whole, mechanism[:, :, None]], 2)

    def _used(self, baseline: Baseline) -> tuple[tuple[str, ...], tuple[str, ...]]:
        used = baseline.names if self.covariates is None else self.covariates
        changing = used if self.changing is None else self.changing
        if unknown := sorted({*used, *changing} - set(baseline.names)):
            raise AnalysisError(f"covariates {unknown}", expected=f"some of {list(baseline.names)}", where="mean")
        return tuple(used), tuple(changing)


def spline(time: Array, knots: Sequence[float]) -> Array:
    """(N, 1) without knots, (N, K - 1) with K."""
    t = np.asarray(time, float)
    if not len(knots):
        return t[:, None]
    k = np.asarray(knots, float)

    def cube(at: float) -> Array:
        return np.maximum(t - at, 0.0) ** 3

    part = [(cube(at) - cube(k[-1])) / (k[-1] - at) for at in k[:-1]]
    return np.column_stack([t, *((one - part[-1]) / (k[-1] - k[0]) ** 2 for one in part[:-1])])
