"""An outcome of a prognostic twin: its column, its unit, and the scale on which it is nearly normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medtwin.errors import AnalysisError

Array = np.ndarray

#: Scales on which a model works. Draws go back to the outcome's own unit; log and square root need positive values.
TRANSFORMS = ("identity", "log", "square root")


@dataclass(frozen=True, slots=True)
class Outcome:
    """``name`` is the column. ``transform`` is stated here, never guessed."""

    name: str
    unit: str = "1"
    transform: str = "identity"  #: one of :data:`TRANSFORMS`
    floor: float = 0.0  #: taken off first: the log of what lies above a value that is never reached

    def __post_init__(self) -> None:
        if self.transform not in TRANSFORMS:
            raise AnalysisError(f"transform {self.transform!r}", expected=f"one of {TRANSFORMS}", where=self.name)
        if self.floor and self.transform == "identity":
            raise AnalysisError(
                f"a floor of {self.floor:g}", expected="none where nothing is transformed", where=self.name
            )

    def working(self, values: ArrayLike) -> Array:
        """From the unit to the working scale; NaN stays NaN. Raises :class:`AnalysisError` where there is none."""
        given = np.asarray(values, float)
        if self.transform == "identity":
            return given
        given = given - self.floor
        wrong = int(np.sum(given <= 0.0 if self.transform == "log" else given < 0.0))
        if wrong:
            raise AnalysisError(
                f"{wrong} values of {self.name} that have no {self.transform}", expected=f"values above {self.floor:g}",
                where=self.name, remedy="mend the values or name another transform",
            )  # fmt: skip
        return np.log(given) if self.transform == "log" else np.sqrt(given)

    def natural(self, working: ArrayLike) -> Array:
        """From the working scale back to the unit; what lies below a root of zero becomes zero."""
        given = np.asarray(working, float)
        if self.transform == "log":
            return np.exp(given) + self.floor
        return np.maximum(given, 0.0) ** 2 + self.floor if self.transform == "square root" else given

    @property
    def label(self) -> str:
        """Of the working scale."""
        if self.transform == "identity":
            return self.name
        return f"{self.transform} of {self.name}" + (f" above {self.floor:g}" if self.floor else "")
