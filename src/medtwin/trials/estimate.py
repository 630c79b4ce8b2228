"""What every analysis of a trial ends in: a number with its standard error, its degrees of freedom and how it was made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from medtwin.errors import AnalysisError


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate on the scale on which it is nearly normal, or t with ``df`` degrees of freedom (inf: normal).

    ``scale`` says how it is reported: ``identity`` as it is, ``log`` as a ratio (``exp`` of value and interval).
    ``unit`` is that of the reported number. Raises :class:`AnalysisError` where it is not a number: nothing is reported
    that could not be estimated.
    """

    name: str  #: what it is: "treatment - control at week 24"
    value: float
    standard_error: float
    method: str  #: how it was made, with the variance: "ANCOVA I, HC2, Bell-McCaffrey df"
    df: float = math.inf
    scale: str = "identity"  #: identity | log
    unit: str = "1"
    confidence: float = 0.95
    null: float = 0.0  #: value under the hypothesis that ``p_value`` tests, on this scale

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.standard_error) and self.standard_error >= 0.0):
            raise AnalysisError(
                f"{self.name}: {self.value:g} with standard error {self.standard_error:g}", expected="finite numbers",
                where=self.method, remedy="see the notes of the analysis for what could not be estimated",
            )  # fmt: skip
        if self.scale not in ("identity", "log") or not self.df > 0.0:
            raise AnalysisError(f"scale {self.scale!r}, df {self.df:g}", expected="identity or log; positive df")

    @property
    def statistic(self) -> float:
        """(value - null) / standard error."""
        away = self.value - self.null
        return away / self.standard_error if self.standard_error else math.copysign(math.inf, away) if away else 0.0

    @property
    def p_value(self) -> float:
        """Two-sided."""
        return float(2.0 * stats.t.sf(abs(self.statistic), self.df))

    @property
    def interval(self) -> tuple[float, float]:
        """Confidence interval on this scale."""
        reach = float(stats.t.ppf(0.5 + self.confidence / 2.0, self.df)) * self.standard_error
        return self.value - reach, self.value + reach

    @property
    def reported(self) -> tuple[float, float, float]:
        """(value, low, high) as it is reported: of a ``log`` scale the ratio."""
        three = (self.value, *self.interval)
        return tuple(math.exp(x) for x in three) if self.scale == "log" else three  # type: ignore[return-value]
