"""Caution in a plan: spread inflated, correlation deflated, before the number of patients is worked out.

Two conventions are in use under the same two words. A plan names the one it means:

- ``variance``: inflation multiplies the *variance* of the outcome, deflation multiplies *R2*;
- ``standard-deviation``: inflation multiplies the *standard deviation*, deflation multiplies the *correlation*.

Deflating a correlation by 0.9 leaves 0.81 of R2, so the second is the more cautious at the same figures. In both, R2 stays
that of the inflated outcome; a code that divides the covariance by the inflated variance deflates R2 twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import correlation, positive

CONVENTIONS = ("variance", "standard-deviation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """Factors and what they multiply."""

    inflation: float = 1.0  #: 1 or more
    deflation: float = 1.0  #: above 0, up to 1
    convention: str = "variance"

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise AnalysisError(f"convention {self.convention!r}", expected=" or ".join(CONVENTIONS))
        positive("inflation", self.inflation)
        if self.inflation < 1.0:
            raise AnalysisError(f"inflation {self.inflation:g}", expected="1 or more", remedy="1.1 is ten percent more")
        if not 0.0 <= self.deflation <= 1.0:
            raise AnalysisError(f"deflation {self.deflation:g}", expected="0 to 1", remedy="0.9 is ten percent less")

    def sd(self, value: float) -> float:
        """The standard deviation to plan with."""
        return value * (math.sqrt(self.inflation) if self.convention == "variance" else self.inflation)

    def correlation(self, value: float) -> float:
        """The correlation to plan with."""
        correlation("correlation", value)
        return value * (math.sqrt(self.deflation) if self.convention == "variance" else self.deflation)

    @property
    def words(self) -> str:
        """What was multiplied by what; empty where nothing was."""
        if self.inflation == 1.0 and self.deflation == 1.0:
            return ""
        what = ("variance", "R2") if self.convention == "variance" else ("standard deviation", "correlation")
        return f"{what[0]} x {self.inflation:g}, {what[1]} x {self.deflation:g} ({self.convention} convention)"
