"""The time axis of one person and one model: instants become steps, and steps become pieces of constant length.

Step ``i`` runs from ``i * length`` to ``(i + 1) * length`` seconds after 1970-01-01 UTC. A *piece* is a fixed number of
steps, aligned to that origin, so that a history is cut the same way whatever arrives in whatever order: replay is
bit-for-bit the same, and one compiled function serves every piece of every history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from medtwin.physiology.model import Model

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Steps of a piece by seconds of a step: two hours of minutes, a day of hours; short, so that a new reading costs little.
PIECE = {60.0: 120, 3600.0: 24}
OTHERWISE = 120


@dataclass(frozen=True, slots=True)
class Axis:
    """``length`` seconds a step, ``steps`` steps a piece, ``zone`` the person's wall clock (None: read as UTC)."""

    length: float
    steps: int
    unit: float  #: seconds per unit of the model's time
    zone: str | None = None

    @classmethod
    def of(cls, model: Model, zone: str | None) -> Axis:
        length = round(model.clock.unit * model.clock.step, 6)
        return cls(length, PIECE.get(length, OTHERWISE), model.clock.unit, zone)

    def position(self, moment: datetime) -> float:
        """Steps since the origin, with their fraction."""
        return (moment - EPOCH).total_seconds() / self.length

    def boundary(self, moment: datetime) -> int:
        """The step boundary nearest to ``moment``: where a reading of that moment is placed."""
        return int(self.position(moment) + 0.5)

    def moment(self, step: int) -> datetime:
        """Instant at which step ``step`` begins."""
        return EPOCH + timedelta(seconds=step * self.length)

    def piece(self, step: int) -> int:
        """Number of the piece that holds step ``step``."""
        return step // self.steps

    def since_midnight(self, step: int) -> float:
        """Model time between the person's last local midnight and the beginning of ``step``."""
        moment = self.moment(step)
        local = moment.astimezone(ZoneInfo(self.zone)) if self.zone else moment
        return (local.hour * 3600 + local.minute * 60 + local.second) / self.unit
