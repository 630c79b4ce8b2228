"""When a group's figure is shown, when a count is, and when a difference is called one: fixed before the data are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medtwin.errors import AnalysisError

#: Figures that groups are compared on, by the beginning of their names. Not among them: selection rates, O:E and Brier
#: scores, which differ where risks differ without any fault of the score or say what another figure says already.
COMPARED = (
    "calibration in the large", "calibration slope", "AUC", "RMSE", "true positive rate", "false positive rate",
    "coverage, one width for all",
    "correlation", "partial correlation beyond baseline", "O:E at the horizon", "without outcome",
)  # fmt: skip
#: Figures that a score can fail by itself, in any group.
IDEAL = ("calibration in the large", "calibration slope", "coverage", "O:E at the horizon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Thresholds of the report; each stands in it."""

    min_patients: int = 30  #: below: every figure of the group is withheld
    min_events: int = (
        10  #: of events, and of patients without one, below which figures on an event's chance are withheld
    )
    small_cell: int = 5  #: counts from 1 to below this are not shown
    alpha: float = 0.05  #: family-wise: of differences, of faults of everybody, of faults of groups
    compared: tuple[str, ...] = COMPARED
    ideal: tuple[str, ...] = IDEAL

    def __post_init__(self) -> None:
        if self.min_patients < 2 or self.min_events < 1 or self.small_cell < 0 or not 0.0 < self.alpha < 1.0:
            raise AnalysisError(
                f"rules {self.min_patients}, {self.min_events}, {self.small_cell}, {self.alpha:g}", where="rules",
                expected="at least 2 patients, 1 event, a cell of 0 or more, alpha between 0 and 1",
            )  # fmt: skip


def shown(counts: Sequence[int], small_cell: int) -> tuple[int | None, ...]:
    """Counts of one column with a known total: none where below ``small_cell``, zero apart.

    Where a single one is hidden, the smallest of the others is hidden too: it could be worked out from the total otherwise.
    """
    hidden = {place for place, count in enumerate(counts) if 0 < count < small_cell}
    if len(hidden) == 1 and len(counts) > 1:
        others = [place for place, count in enumerate(counts) if place not in hidden and count]
        if others:
            hidden.add(min(others, key=lambda place: counts[place]))
    return tuple(None if place in hidden else count for place, count in enumerate(counts))
