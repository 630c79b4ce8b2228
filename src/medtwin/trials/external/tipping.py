"""How wrong the external controls may be before the conclusion falls: tipping points, and tables over a drift.

A drift is a bias of the external controls against those that randomisation would have given, on the scale of the estimate
(or of whatever ``analyse`` shifts). ``check_no_borrowing`` is the built-in test that an analysis that claims not to borrow
gives the same answer at every drift: an external patient then must not reach it by any way, weights and covariates included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scipy import optimize, stats

from medtwin.errors import AnalysisError
from medtwin.trials.estimate import Estimate


@dataclass(frozen=True, slots=True)
class DriftRow:
    """What an analysis says at one drift."""

    drift: float
    estimate: Estimate


def bias_tipping_point(estimate: Estimate) -> float:
    """The bias, on the estimate's scale, that its interval just absorbs: subtracting it puts a limit on the null.

    Signed like the effect; 0 where the interval holds the null already. Of a ``log`` scale it is a log ratio.
    """
    low, high = estimate.interval
    if low > estimate.null:
        return low - estimate.null
    return high - estimate.null if high < estimate.null else 0.0


def e_value(estimate: Estimate) -> tuple[float, float]:
    """E-values of a risk (or hazard, if rare) ratio and of its limit nearer 1 (VanderWeele & Ding 2017).

    The least ratio by which an unmeasured confounder must be tied to both arm and outcome to explain the estimate away:
    ``RR + sqrt(RR (RR - 1))`` with RR above 1.
    """
    if estimate.scale != "log":
        raise AnalysisError(f"scale {estimate.scale}", expected="a ratio (log)", where="E-value")
    low, high = estimate.interval
    nearer = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    return _e_value(abs(estimate.value)), _e_value(nearer)


def shifted(estimate: Estimate, bias: float) -> Estimate:
    """The estimate less a bias of known size."""
    return replace(estimate, value=estimate.value - bias)


def drift_table(analyse: Callable[[float], Estimate], drifts: Sequence[float]) -> tuple[DriftRow, ...]:
    """``analyse(drift)`` for each: the analysis with the external data shifted by the drift."""
    if not len(drifts):
        raise AnalysisError("no drifts", expected="at least one", where="drift table")
    return tuple(DriftRow(float(drift), analyse(float(drift))) for drift in drifts)


def drift_tipping_point(
    analyse: Callable[[float], Estimate], between: tuple[float, float], *, level: float = 0.05, tolerance: float = 1e-8
) -> float:
    """The drift at which the two-sided p-value crosses ``level``, in ``between``. Refused where it does not."""

    def margin(drift: float) -> float:
        found = analyse(drift)
        critical = float(stats.t.ppf(1.0 - level / 2.0, found.df))
        return abs(found.statistic) - critical

    at = [margin(end) for end in between]
    if at[0] * at[1] > 0.0:
        raise AnalysisError(
            f"the same conclusion at drifts {between[0]:g} and {between[1]:g}", expected="a conclusion that changes between",
            where="tipping point", remedy="widen the range, or report that none of its drifts changes the conclusion",
        )  # fmt: skip
    return float(optimize.brentq(margin, *between, xtol=tolerance))


def check_no_borrowing(
    analyse: Callable[[float], Estimate], drifts: Sequence[float], *, tolerance: float = 1e-12
) -> tuple[DriftRow, ...]:
    """The table, if estimate and standard error are the same at every drift; else :class:`AnalysisError`."""
    rows = drift_table(analyse, drifts)
    first = rows[0].estimate
    for row in rows[1:]:
        for name, one, other in (
            ("estimate", first.value, row.estimate.value),
            ("standard error", first.standard_error, row.estimate.standard_error),
        ):
            if not math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance):
                raise AnalysisError(
                    f"{name} {one:g} at drift {rows[0].drift:g} and {other:g} at {row.drift:g}", where=first.method,
                    expected="no borrowing: an answer that ignores the external controls",
                    remedy="leave them out of the outcome model, the weights and the covariates' scaling",
                )  # fmt: skip
    return rows


def _e_value(log_ratio: float) -> float:
    ratio = math.exp(log_ratio)
    return ratio + math.sqrt(ratio * (ratio - 1.0))
