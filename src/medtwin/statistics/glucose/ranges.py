"""Times below, in and above the ranges of the international consensus, and its goals.

Battelino et al., Diabetes Care 42 (2019): 1593, table 2 (goals as reprinted in Diabetes Spectrum, "CGM metrics and
targets"): very low < 54, low 54-69, in range 70-180, high 181-250, very high > 250 mg/dL; tight range 70-140. Goals of
adults: in range > 70 %, below 70 < 4 %, below 54 < 1 %, above 180 < 25 %, above 250 < 5 %, CV at most 36 %. Of older people
and those at high risk: in range > 50 % and below 70 < 1 % (as endocrinologyadvisor.com reported from ADA 2019), above 250
< 10 % (from memory). In pregnancy other ranges hold, which are not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

#: By whom they are for: the least (or most) percent of a goal, and whether it is a floor.
GOALS: Mapping[str, Mapping[str, tuple[float, bool]]] = {
    "adult": {
        "below_54": (1.0, False), "below_70": (4.0, False), "in_range": (70.0, True), "above_180": (25.0, False),
        "above_250": (5.0, False),
    },
    "older": {"below_70": (1.0, False), "in_range": (50.0, True), "above_250": (10.0, False)},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Percent of the readings. ``below_70`` holds ``below_54`` and ``above_180`` holds ``above_250``."""

    below_54: float
    below_70: float
    tight: float  #: 70-140
    in_range: float  #: 70-180
    above_180: float
    above_250: float


def ranges(glucose: ArrayLike) -> Ranges:
    """Of readings in mg/dL, each with the same weight."""
    value = np.asarray(glucose, float)
    share = {name: 100.0 * float(np.mean(inside)) for name, inside in inside_of(value).items()}
    return Ranges(**share)


def inside_of(value: np.ndarray) -> dict[str, np.ndarray]:
    """Which readings count for each share (N,)."""
    return {
        "below_54": value < 54.0,
        "below_70": value < 70.0,
        "tight": (value >= 70.0) & (value <= 140.0),
        "in_range": (value >= 70.0) & (value <= 180.0),
        "above_180": value > 180.0,
        "above_250": value > 250.0,
    }


def met(name: str, percent: float, goals: str = "adult") -> bool:
    """Whether a share meets its goal."""
    limit, floor = GOALS[goals][name]
    return percent > limit if floor else percent < limit
