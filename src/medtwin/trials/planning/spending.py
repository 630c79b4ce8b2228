"""How the level is spent over the looks of a group-sequential trial: functions f(t) with f(0) = 0 and f(1) = level.

=====================  ==========================================================  ================================
name                   f(t), ``level`` of one side                                 source
=====================  ==========================================================  ================================
obrien-fleming         ``2 (1 - Phi(z_(1-level/2) / sqrt(t)))``                    Lan & DeMets 1983, Biometrika 70:659
pocock                 ``level log(1 + (e - 1) t)``                                Lan & DeMets 1983
power                  ``level t^parameter``                                       Kim & DeMets 1987, Biometrika 74:149
hwang-shih-decani      ``level (1 - exp(-g t)) / (1 - exp(-g))``, g = parameter    Hwang, Shih & DeCani 1990
=====================  ==========================================================  ================================
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import share

Floats = NDArray[np.float64]


def _obrien_fleming(t: Floats, level: float, parameter: float) -> Floats:
    return 2.0 * ndtr(ndtri(level / 2.0) / np.sqrt(t))


def _pocock(t: Floats, level: float, parameter: float) -> Floats:
    return level * np.log1p((math.e - 1.0) * t)


def _power(t: Floats, level: float, parameter: float) -> Floats:
    if parameter <= 0.0:
        raise AnalysisError(f"exponent {parameter:g}", expected="more than 0", remedy="1 spends evenly, 3 spends late")
    return level * t**parameter


def _hwang(t: Floats, level: float, parameter: float) -> Floats:
    return level * (t if parameter == 0.0 else np.expm1(-parameter * t) / math.expm1(-parameter))


FUNCTIONS: dict[str, tuple[Callable[[Floats, float, float], Floats], float]] = {
    "obrien-fleming": (_obrien_fleming, 0.0),
    "pocock": (_pocock, 0.0),
    "power": (_power, 3.0),
    "hwang-shih-decani": (_hwang, -4.0),
}  #: name: (function, its usual parameter)


def spent(name: str, t: Floats | float, level: float, parameter: float | None = None) -> Floats:
    """Level of one side spent by information fraction ``t`` (0 to 1). Raises AnalysisError for an unknown name."""
    share("level", level)
    if name not in FUNCTIONS:
        raise AnalysisError(f"spending function {name!r}", expected=", ".join(FUNCTIONS))
    fraction = np.atleast_1d(np.asarray(t, dtype=np.float64))
    if np.any(~(fraction >= 0.0)):
        raise AnalysisError("an information fraction below 0", expected="0 to 1")
    function, usual = FUNCTIONS[name]
    with np.errstate(divide="ignore"):
        return function(np.minimum(fraction, 1.0), level, usual if parameter is None else parameter)
