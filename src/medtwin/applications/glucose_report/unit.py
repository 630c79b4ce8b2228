"""The unit in which a report shows glucose: mg/dL, or mmol/L (1 mmol/L = 18.0156 mg/dL, molar mass 180.156 g/mol).

Inside the house glucose is mg/dL only; everything that is shown goes through here. Limits are those of the consensus, which
are the same in both units only when rounded: 3.0, 3.9, 7.8, 10.0 and 13.9 mmol/L (Battelino et al., Diabetes Care 42
(2019): 1593, table 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from medtwin.errors import AnalysisError

MILLIGRAMS_PER_DECILITRE_OF_A_MILLIMOLE = 18.0156
Number = TypeVar("Number", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Unit:
    """``scale`` makes the shown number of mg/dL; ``places`` are the decimals of a reading."""

    name: str
    scale: float
    places: int

    def of(self, value: Number) -> Number:
        """``value`` (mg/dL, a number or an array of them) in this unit."""
        return value * self.scale

    def words(self, value: float, more: int = 0) -> str:
        """A number, with ``more`` decimals than a reading has."""
        return f"{self.of(value):.{self.places + more}f}"

    def next(self, value: float, steps: int) -> str:
        """The reading that is so many last digits beyond a limit: 181 beyond 180."""
        return f"{round(self.of(value), self.places) + steps * 10.0**-self.places:.{self.places}f}"

    def span(self, low: float, high: float) -> str:
        """``70-180`` or ``3.9-10.0``."""
        return f"{self.words(low)}-{self.words(high)}"


UNITS = {
    "mg/dL": Unit("mg/dL", 1.0, 0),
    "mmol/L": Unit("mmol/L", 1.0 / MILLIGRAMS_PER_DECILITRE_OF_A_MILLIMOLE, 1),
}


def unit_of(name: str) -> Unit:
    """The unit of that name; :class:`AnalysisError` for another one."""
    if name not in UNITS:
        raise AnalysisError(f"the unit {name[:40]!r}", expected=" or ".join(UNITS), where="the glucose report")
    return UNITS[name]
