"""Risk: LBGI, HBGI, and the glycaemia risk index.

Kovatchev et al., Diabetes Care 20 (1997): 1655; per reading of G mg/dL::

    f(G) = 1.509 (ln(G)^1.084 - 5.381)      r(G) = 10 f(G)²
    LBGI = mean of r(G) where f < 0, else 0     HBGI = mean of r(G) where f > 0, else 0

iglu writes 22.77 for 10 · 1.509² = 22.7708: its values are 3e-5 of themselves lower.

Klonoff et al., J Diabetes Sci Technol 17 (2023): 1226, of shares in percent::

    hypoglycaemia  = (very low) + 0.8 (low 54-69)      hyperglycaemia = (very high) + 0.5 (high 181-250)
    GRI = 3.0 hypoglycaemia + 1.6 hyperglycaemia, at most 100

Zones A to E are its fifths: 0-20, 21-40, 41-60, 61-80, 81-100 (diabetestechnology.org/gri).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medtwin.statistics.glucose.ranges import Ranges

ZONES = "ABCDE"


def risk_of(glucose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Risk of low and of high glucose of each reading (N,), (N,)."""
    f = 1.509 * (np.log(glucose) ** 1.084 - 5.381)
    each = 10.0 * f**2
    return np.where(f < 0.0, each, 0.0), np.where(f > 0.0, each, 0.0)


def low_index(glucose: ArrayLike) -> float:
    """LBGI."""
    return float(risk_of(np.asarray(glucose, float))[0].mean())


def high_index(glucose: ArrayLike) -> float:
    """HBGI."""
    return float(risk_of(np.asarray(glucose, float))[1].mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskIndex:
    """GRI, 0 to 100, with its two components in weighted percent and its zone."""

    value: float
    hypoglycaemia: float
    hyperglycaemia: float
    zone: str


def risk_index(share: Ranges) -> RiskIndex:
    """Of times in ranges."""
    low = share.below_54 + 0.8 * (share.below_70 - share.below_54)
    high = share.above_250 + 0.5 * (share.above_180 - share.above_250)
    value = min(3.0 * low + 1.6 * high, 100.0)
    zone = ZONES[int(np.clip(np.ceil(value / 20.0) - 1, 0, 4))]
    return RiskIndex(value=value, hypoglycaemia=low, hyperglycaemia=high, zone=zone)
