"""When something was true: a Moment, which may lack its offset or its hour, and says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo


class Shown(IntEnum):
    """How often the clocks of a zone show a time of day on its date, around a change of the clock."""

    NEVER = 0  #: the clock was set forward past it
    ONCE = 1
    TWICE = 2  #: the clock was set back to before it


class Precision(IntEnum):
    """How finely a moment was stated. A date is an interval of one day, not its first midnight."""

    YEAR = 0
    MONTH = 1
    DAY = 2
    MINUTE = 3
    SECOND = 4
    FRACTION = 5


_WIDTH = {
    Precision.MINUTE: timedelta(minutes=1),
    Precision.SECOND: timedelta(seconds=1),
    Precision.FRACTION: timedelta(0),
}


#: characters of ISO 8601 at each precision
_LENGTH = {
    Precision.YEAR: 4,
    Precision.MONTH: 7,
    Precision.DAY: 10,
    Precision.MINUTE: 16,
    Precision.SECOND: 19,
    Precision.FRACTION: 26,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A wall-clock reading as it was written, plus what is known of its offset.

    ``local`` is the naive wall clock. ``offset`` is minutes east of UTC *as sent*, or None when the source sent none.
    ``zone`` is an IANA zone that a person stated for this source (``ingest --timezone``); it is a statement of the
    user, kept apart from what was sent. With neither, the instant is unknown by up to 14 hours and
    :attr:`offset_known` is False: nothing is invented, and what needs an instant must ask or widen.

    A wall clock that its zone shows twice is two instants: ``settled`` says that somebody knows which of them is meant,
    and ``local.fold`` which (0 before the clock was set back, 1 after). Without that, and where the zone never shows it,
    the offset is not known either.
    """

    local: datetime
    precision: Precision = Precision.SECOND
    offset: int | None = None
    zone: str | None = None
    settled: bool = False

    @property
    def offset_known(self) -> bool:
        """Whether this moment is an instant on the world's time line."""
        if self.offset is not None:
            return True
        if self.zone is None:
            return False
        shown = self.shown
        return shown is Shown.ONCE or (shown is Shown.TWICE and (self.settled or self.local.fold == 1))

    @property
    def shown(self) -> Shown:
        """How often the clocks of the stated zone show this time; ONCE for a date, and where no zone matters."""
        if self.zone is None or self.offset is not None or self.precision <= Precision.DAY:
            return Shown.ONCE
        zone = ZoneInfo(self.zone)
        first = self.local.replace(tzinfo=zone, fold=0).utcoffset()
        second = self.local.replace(tzinfo=zone, fold=1).utcoffset()
        if first is None or second is None or first == second:
            return Shown.ONCE
        return Shown.TWICE if first > second else Shown.NEVER  # as PEP 495 has it

    @property
    def instant(self) -> datetime:
        """UTC instant of the start of this moment. With an unknown offset, the wall clock read as if it were UTC."""
        try:
            if self.offset is not None:
                return (self.local - timedelta(minutes=self.offset)).replace(tzinfo=UTC)
            if self.zone is not None:
                return self.local.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC)
        except OverflowError:  # the offset leads past the first or last datetime that there is
            return datetime.min.replace(tzinfo=UTC) if self.local.year == 1 else datetime.max.replace(tzinfo=UTC)
        return self.local.replace(tzinfo=UTC)

    @property
    def latest(self) -> datetime:
        """The instant, or the later of two where the stated zone leaves two: it is surely not known before that."""
        if self.zone is None or self.offset_known:
            return self.instant
        return max(self.instant, Moment(self.local.replace(fold=1), self.precision, None, self.zone).instant)

    @property
    def end(self) -> datetime:
        """UTC instant at which the stated interval ends (a date ends a day later, a second a second later)."""
        try:
            if self.precision is Precision.YEAR:
                local = self.local.replace(year=self.local.year + 1, month=1, day=1)
            elif self.precision is Precision.MONTH:
                local = (self.local.replace(day=1) + timedelta(days=32)).replace(day=1)
            elif self.precision is Precision.DAY:
                local = self.local + timedelta(days=1)  # 23 or 25 hours where the clock is changed
            else:
                return self.instant + _WIDTH[self.precision]
        except (OverflowError, ValueError):
            return datetime.max.replace(tzinfo=UTC)
        return Moment(local, self.precision, self.offset, self.zone).instant

    @property
    def text(self) -> str:
        """ISO 8601 at the stated precision, with the offset only if one was sent.

        For example ``2023`` or ``2023-05-01T07:40+02:00``.
        """
        written = self.local.isoformat(timespec="microseconds")[: _LENGTH[self.precision]]
        if self.offset is None or self.precision <= Precision.DAY:
            return written
        sign, minutes = ("-" if self.offset < 0 else "+"), abs(self.offset)
        return f"{written}{sign}{minutes // 60:02d}:{minutes % 60:02d}"

    @classmethod
    def of(cls, instant: datetime) -> Moment:
        """The moment of an aware ``datetime``; raises ValueError for a naive one, whose offset nobody stated."""
        offset = instant.utcoffset()
        if offset is None:
            raise ValueError("found a datetime without an offset; expected an aware one; use Moment(local) instead")
        precision = Precision.FRACTION if instant.microsecond else Precision.SECOND
        return cls(instant.replace(tzinfo=None), precision, int(offset.total_seconds() // 60))
