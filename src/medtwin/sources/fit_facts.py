"""What the messages of a FIT file say: facts, reasons, and counts of what has no quantity here.

Words are those of the FIT profile (as in fitdecode's `profile.py`). Times are seconds of UTC since 1989-12-31; where a
message states the same moment as ``local_timestamp`` too (``activity``, ``monitoring_info``), their difference is the
offset of the person's clock. ``timestamp_16`` holds the lower 16 bits of a time that goes on from the last full one:
``time += (timestamp_16 - (time & 0xFFFF)) & 0xFFFF``. A silence of more than 18 hours between two such times cannot be seen.

Steps and active calories of a day are counts that go on from local midnight, one for each kind of activity: a fact is the
difference of two. The first count of a file that begins within a day has nothing to be taken from, and is counted as
unmapped. That a count starts anew at local midnight is seen in one file of one maker (its day's totals agree), and else
from memory; a count that falls starts anew in any case.

Distance comes from laps, the length of a bout and its calories from sessions. The profile does not say whether the time of
``sleep_level`` begins or ends a stage, so no sleep is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from medtwin.quantities import registry
from medtwin.record.event import Event
from medtwin.record.moment import Moment, Precision
from medtwin.sources.fact import Facts
from medtwin.sources.item import Item, Reason, Unmapped
from medtwin.sources.tabular import settle

EPOCH = datetime(1989, 12, 31, tzinfo=UTC)
FIRST = 0x10000000  #: a smaller time counts from when the device was switched on (profile, type date_time)
_DAY = 86400
_QUARTER = 15 * 60

#: message -> field -> (quantity, unit): levels that hold at the message's timestamp
_LEVELS: dict[str, dict[str, tuple[str, str]]] = {
    "record": {"heart_rate": ("heart_rate", "/min")},
    "monitoring": {"heart_rate": ("heart_rate", "/min")},
    "monitoring_hr_data": {"current_day_resting_heart_rate": ("resting_heart_rate", "/min")},
    "spo2_data": {"reading_spo2": ("oxygen_saturation", "%")},
    "respiration_rate": {"respiration_rate": ("respiratory_rate", "/min")},
    "weight_scale": {
        "weight": ("body_weight", "kg"), "percent_fat": ("body_fat_fraction", "%"), "bmi": ("body_mass_index", "kg/m2"),
    },
    "blood_pressure": {
        "systolic_pressure": ("systolic_pressure", "mm[Hg]"), "diastolic_pressure": ("diastolic_pressure", "mm[Hg]"),
        "mean_arterial_pressure": ("mean_arterial_pressure", "mm[Hg]"), "heart_rate": ("heart_rate", "/min"),
    },
}  # fmt: skip
#: fields that are part of how a message is read, not something measured
_FRAME = frozenset((
    "timestamp", "timestamp_16", "local_timestamp", "user_profile_index", "activity_type", "intensity", "status",
    "current_activity_type_intensity", "start_time", "total_elapsed_time", "message_index", "event", "event_type",
    "event_group", "duration_min",
))  # fmt: skip
_STEPPED = frozenset(("walking", "running"))


@dataclass(frozen=True, slots=True)
class Message:
    """One data message: values by field, without those that the device left invalid."""

    name: str
    values: dict[str, object]
    place: int  #: byte in its file
    raw_maker: object = None  #: the number of the maker, in a file_id


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _seconds(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: float) -> str:
    return f"{value:.10g}"


def facts_of(files: list[tuple[list[Message], int]], facts: Facts) -> Iterator[Item]:
    """The facts of FIT files, each a list of messages and the byte of the part at which it starts."""
    events: list[tuple[Event, str]] = []
    unmapped: dict[str, int] = {}
    for messages, start in files:
        for item in _Days(messages, start, facts).items():
            if isinstance(item, Event):
                events.append((item, f"{item.source.locator}|{item.text}"))
            elif isinstance(item, Unmapped):
                unmapped[item.kind] = unmapped.get(item.kind, 0) + item.count
            else:
                yield item
    yield from settle(events)
    for kind, count in sorted(unmapped.items()):
        yield Unmapped(kind, count)


@dataclass(slots=True)
class _Days:
    """One FIT file on its way: the offsets that it states, the last full time, the counts so far."""

    messages: list[Message]
    start: int
    facts: Facts
    offsets: list[tuple[int, int]] = field(default_factory=list)  #: (from when, minutes east of UTC)
    last: int | None = None  #: time of the last monitoring message
    begun: int | None = None  #: when the file's log begins; days that begin after it are whole
    counts: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)

    def items(self) -> Iterator[Item]:
        for message in self.messages:
            yield from self._offset(message)
        laps = any("total_distance" in message.values for message in self.messages if message.name == "lap")
        for message in self.messages:
            if message.name in ("lap", "session"):
                yield from self._bout(message, laps)
            elif message.name in _LEVELS:
                yield from self._levels(message)
            else:
                if message.name == "monitoring_info":
                    self._begin(message)
                yield Unmapped(f"message {message.name[:40]}")

    # times

    def _offset(self, message: Message) -> Iterator[Item]:
        """Only activity and monitoring_info state both clocks of one moment."""
        if message.name not in ("activity", "monitoring_info"):
            return
        time, local = _seconds(message.values.get("timestamp")), _seconds(message.values.get("local_timestamp"))
        if time is None or local is None or time < FIRST:
            return
        quarters = round((local - time) / _QUARTER)
        if abs(quarters) > 56 or abs(local - time - quarters * _QUARTER) > 60:
            yield Unmapped(f"{message.name}.local_timestamp that fits no offset")
            return
        self.offsets.append((time, quarters * 15))
        self.offsets.sort()

    def _minutes(self, time: int) -> int | None:
        """The last offset that was stated up to then, else the first one."""
        return next((minutes for when, minutes in reversed(self.offsets) if when <= time),
                    self.offsets[0][1] if self.offsets else None)  # fmt: skip

    def _moment(self, time: float) -> Moment:
        minutes = self._minutes(int(time)) or 0
        local = (EPOCH + timedelta(seconds=time, minutes=minutes)).replace(tzinfo=None)
        return Moment(local, Precision.FRACTION if local.microsecond else Precision.SECOND, minutes)

    def _key(self, quantity: str, time: float, message: str) -> str:
        """By UTC: a file that broke off before it stated the offset, and the whole one, name a fact alike."""
        return f"{quantity}@{(EPOCH + timedelta(seconds=time)).isoformat()}|{message}"

    def _where(self, message: Message) -> str:
        return f"byte {self.start + message.place}"

    def _time(self, message: Message) -> int | Reason:
        """The time of a message, which a monitoring message may shorten."""
        full, short = _seconds(message.values.get("timestamp")), _seconds(message.values.get("timestamp_16"))
        if full is None and short is not None:
            if self.last is None:
                return self._lacks(message, "a time of 16 bits and no full time before it", "monitoring_info first")
            self.last += (short - (self.last & 0xFFFF)) & 0xFFFF
            return self.last
        if full is None:
            return self._lacks(message, f"a {message.name} without a timestamp", "a timestamp")
        if full < FIRST:
            return self._lacks(
                message, f"a {message.name} whose time counts from when the device was switched on", "a date",
                "set the device's clock; nobody knows when this was",
            )  # fmt: skip
        if message.name.startswith("monitoring"):
            self.last = full
        return full

    def _lacks(self, message: Message, found: str, expected: str, remedy: str = "") -> Reason:
        return Reason(found=found, expected=expected, where=self._where(message), remedy=remedy)

    # messages

    def _begin(self, message: Message) -> None:
        time = self._time(message)
        if isinstance(time, Reason):
            return
        self.begun = time if self.begun is None else self.begun

    def _levels(self, message: Message) -> Iterator[Item]:
        time = self._time(message)
        if isinstance(time, Reason):
            yield time
            return
        wanted, where = _LEVELS[message.name], self._where(message)
        status = message.values.get("status")
        if message.name == "blood_pressure" and status not in (None, "no_error"):
            yield self._lacks(message, f"a blood pressure of status {str(status)[:40]}", "no_error", "measure again")
            return
        counted = self._counted(message) if message.name == "monitoring" else {}
        group = f"blood_pressure@{time}" if message.name == "blood_pressure" else None
        for name, value in message.values.items():
            if name in counted:
                yield from self._difference(*counted[name], time, message)
            elif name not in wanted:
                if name not in _FRAME:
                    yield Unmapped(f"{message.name}.{name[:40]}")
            elif (number := _number(value)) is None:
                yield Unmapped(f"{message.name}.{name} {str(value)[:40]}")
            elif number <= 0:
                yield Unmapped(f"{message.name}.{name} of 0 or less: no reading")
            else:
                quantity, unit = wanted[name]
                yield self.facts.number(
                    registry.get(quantity), _text(number), unit, self._moment(time),
                    self._key(quantity, time, message.name), where, group=group,
                )  # fmt: skip

    def _counted(self, message: Message) -> dict[str, tuple[str, str, float]]:
        """Fields that count on: field -> (quantity, unit, count so far). ``cycles`` of steps are pairs of them."""
        kind = message.values.get("activity_type")
        found: dict[str, tuple[str, str, float]] = {}
        for name, factor in (("steps", 1.0), ("cycles", 2.0)):
            if kind in _STEPPED and (value := _number(message.values.get(name))) is not None:
                found[name] = ("step_count", "{steps}", value * factor)
        if (value := _number(message.values.get("active_calories"))) is not None:
            found["active_calories"] = ("active_energy", "kcal", value)
        return found

    def _difference(self, quantity: str, unit: str, count: float, time: int, message: Message) -> Iterator[Item]:
        kind = str(message.values.get("activity_type"))
        midnight = self._midnight(time)
        before = self.counts.get((quantity, kind))
        if before is not None and time < before[0]:
            yield self._lacks(message, f"a count of {quantity} before the one that came before it", "times that go on")
            return
        self.counts[quantity, kind] = (time, count)
        if before is None:
            if self.begun is None or midnight is None or midnight < self.begun:
                yield Unmapped(f"monitoring: a first count of {quantity}, with nothing to take it from")
                return
            before = (midnight, 0.0)
        elif midnight is not None and before[0] <= midnight:
            before = (midnight, 0.0)
        elif count < before[1]:
            before = (before[0], 0.0)
        if time == before[0]:  # the same count twice
            return
        start = before[0]
        yield self.facts.number(
            registry.get(quantity), _text(count - before[1]), unit, self._moment(start),
            self._key(quantity, start, f"monitoring {kind}"), self._where(message), until=self._moment(time), reckoned=True,
        )  # fmt: skip

    def _midnight(self, time: int) -> int | None:
        """The local midnight before ``time``, itself not counted: a day's total is stated at its end."""
        minutes = self._minutes(time)
        if minutes is None:
            return None
        local = time + minutes * 60
        return (local - 1) // _DAY * _DAY - minutes * 60

    def _bout(self, message: Message, laps: bool) -> Iterator[Item]:
        values = message.values
        start, lasted = _seconds(values.get("start_time")), _number(values.get("total_elapsed_time"))
        if start is None or start < FIRST or lasted is None:
            yield self._lacks(
                message, f"a {message.name} without its start and length", "start_time, total_elapsed_time"
            )
            return
        wanted = {"total_distance": ("distance_travelled", "m")} if message.name == "lap" or not laps else {}
        if message.name == "session":
            wanted |= {"total_timer_time": ("physical_activity", "s"), "total_calories": ("active_energy", "kcal")}
        others = 0
        for name, value in values.items():
            number = _number(value)
            if name in wanted and number is not None:
                quantity, unit = wanted[name]
                yield self.facts.number(
                    registry.get(quantity), _text(number), unit, self._moment(start),
                    self._key(quantity, start, message.name), self._where(message), until=self._moment(start + lasted),
                )  # fmt: skip
            elif name not in _FRAME:
                others += 1
        if others:
            yield Unmapped(f"{message.name}: other fields", others)
