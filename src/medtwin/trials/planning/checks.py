"""What no plan may be made of: each check says what was found, what is expected and what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medtwin.errors import AnalysisError


def finite(name: str, value: float) -> float:
    """A finite number, or AnalysisError."""
    if not math.isfinite(value):
        raise AnalysisError(f"{name} {value:g}", expected="a finite number", remedy=f"give {name} a number")
    return float(value)


def positive(name: str, value: float, *, zero: bool = False) -> float:
    """A finite number above 0 (``zero``: or 0), or AnalysisError."""
    if not (math.isfinite(value) and (value > 0.0 or (zero and value == 0.0))):
        raise AnalysisError(
            f"{name} {value:g}", expected="0 or more" if zero else "more than 0", remedy=f"give {name} in its unit"
        )
    return float(value)


def share(name: str, value: float) -> float:
    """A probability strictly between 0 and 1, or AnalysisError."""
    if not 0.0 < value < 1.0:
        raise AnalysisError(
            f"{name} {value:g}", expected="more than 0 and less than 1",
            remedy=f"give {name} as a share: 0.05, not 5 %",
        )  # fmt: skip
    return float(value)


def correlation(name: str, value: float) -> float:
    """A correlation strictly between -1 and 1, or AnalysisError."""
    if not -1.0 < value < 1.0:
        raise AnalysisError(
            f"{name} {value:g}", expected="more than -1 and less than 1",
            remedy="give the correlation of score and outcome within an arm, not R2 in percent",
        )  # fmt: skip
    return float(value)


def level(alpha: float, sides: int) -> float:
    """Level of one tail."""
    share("alpha", alpha)
    if sides not in (1, 2):
        raise AnalysisError(f"sides {sides}", expected="1 or 2", remedy="1: one-sided test, 2: two-sided test")
    if alpha / sides >= 0.5:
        raise AnalysisError(f"alpha {alpha:g}", expected="less than 0.5 a side", remedy="0.05 two-sided is common")
    return alpha / sides


def target(power: float, alpha: float) -> float:
    """A power that is more than the level, or AnalysisError: a test rejects with probability alpha without any effect."""
    share("power", power)
    if power <= alpha:
        raise AnalysisError(
            f"power {power:g} at alpha {alpha:g}", expected="a power above alpha",
            remedy="give the probability of success that the trial should have: 0.8 or 0.9",
        )  # fmt: skip
    return power


def detectable(effect: float, margin: float, what: str = "effect") -> float:
    """Distance of the effect from the null, not 0, or AnalysisError."""
    away = finite(what, effect) - finite("margin", margin)
    if away == 0.0:
        raise AnalysisError(
            f"{what} {effect:g} at a null value of {margin:g}", expected="an effect that differs from the null value",
            remedy="plan for an effect that the trial could show; no number of patients shows none",
        )  # fmt: skip
    return away


def arms(n0: float, n1: float, least: float = 1.999) -> tuple[float, float]:
    """Both arms with ``least`` patients (two, a real number rounded) or more, or AnalysisError."""
    for name, n in (("control", n0), ("treated", n1)):
        if not (math.isfinite(n) and n >= least):
            raise AnalysisError(
                f"{n:g} patients in the {name} arm", expected=f"{math.ceil(least)} or more", remedy="add patients"
            )
    return float(n0), float(n1)


def information_rates(rates: Sequence[float]) -> NDArray[np.float64]:
    """Shares of the information at each look, rising to 1, or AnalysisError."""
    found = np.asarray(rates, dtype=np.float64)
    words = ", ".join(f"{r:g}" for r in np.atleast_1d(found))
    if found.ndim != 1 or not found.size or not np.all(np.isfinite(found)) or found[0] <= 0.0:
        raise AnalysisError(f"information rates {words}", expected="rates above 0", remedy="for example 0.5, 1")
    if np.any(np.diff(found) < 1e-3) or abs(found[-1] - 1.0) > 1e-12:
        raise AnalysisError(
            f"information rates {words}", expected="rising by 0.001 or more each look, the last one 1",
            remedy="give the share of patients (of events: of events) seen at each look: 0.5, 0.75, 1",
        )  # fmt: skip
    return found
