"""From a value as written to an Event: convert the unit, check the range, flag, never repair."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isfinite

from medtwin.errors import UnitError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Quantity
from medtwin.quantities.units import conversion
from medtwin.record.event import Basis, Code, Comparator, Event, Flag, Intent, Source, SourcePatient, Status
from medtwin.record.moment import Moment
from medtwin.sources.clock import known_at
from medtwin.sources.item import Intake, Origin, Reason

_NUMBER = re.compile(r"\s*(<=|>=|<|>|≤|≥)?\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*", re.ASCII)
#: what follows the number has a letter or a percent sign: "120/80" and "7,4" are no number with its unit
_AMOUNT = re.compile(
    r"(\s*(?:<=|>=|<|>|≤|≥)?\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)(?![\d.,])"
    r"(\s*(?:[^\W\d_]|[%°{\[])[^,;:]*|\s*/\s*[^\W\d_][^,;:]*|\s+\d+[*^]\S*[^\W\d_]\S*)?\s*"
)
_COMPARATORS = {
    "<": Comparator.BELOW, "<=": Comparator.AT_MOST, "≤": Comparator.AT_MOST, ">": Comparator.ABOVE,
    ">=": Comparator.AT_LEAST, "≥": Comparator.AT_LEAST,
}  # fmt: skip


def number(text: str) -> tuple[float, Comparator | None] | None:
    """A finite decimal number with an optional comparator (``<5``); None when the text is no such thing."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    value = float(found[2])
    return (value, _COMPARATORS.get(found[1])) if isfinite(value) else None


def amount(text: str) -> tuple[float, Comparator | None, str] | None:
    """A number and the unit written after it (``<5 mg/dL``), the unit empty where none is; None for any other text."""
    found = _AMOUNT.fullmatch(text)
    read = number(found[1]) if found is not None else None
    return None if read is None or found is None else (*read, (found[2] or "").strip())


def stated_units(units: Mapping[str, str]) -> dict[str, str]:
    """Units that a user states, each checked against its quantity; raises for one that is not known or cannot be."""
    for name, unit in units.items():
        conversion(unit, registry.get(name))
    return dict(units)


class Facts:
    """Makes the events of one part: all share owner, sending system, dialect and raw bytes."""

    __slots__ = ("_dialect", "_file", "_now", "_raw", "_units", "latency", "owner", "system")

    def __init__(
        self, owner: SourcePatient, system: str, dialect: str, origin: Origin, intake: Intake,
        latency: timedelta = timedelta(0),
    ) -> None:  # fmt: skip
        self.owner, self.system, self.latency = owner, system, latency
        self._dialect, self._raw, self._file, self._now = dialect, origin.raw, origin.file, intake.now
        self._units = intake.units

    def number(
        self, quantity: Quantity, text: str, unit: str | None, time: Moment, key: str, where: str, *,
        value: float | None = None, reckoned: bool = False, assumed: bool = False, comparator: Comparator | None = None,
        until: Moment | None = None, available: datetime | None = None, intent: Intent = Intent.HAPPENED,
        status: Status = Status.FINAL, basis: Basis = Basis.OBSERVED, group: str | None = None,
    ) -> Event | Reason:  # fmt: skip
        """A measured or given amount. ``value`` is given only where ``text`` is no plain number ("6,1", "Low") or another scale.

        ``reckoned`` says that ``value`` in ``unit`` is the reader's own (what "Low" stands for, the length of an interval):
        no stated unit is its unit. ``assumed`` says that ``unit`` is the dialect's or mapping's own, not the source's. A unit
        that the user states at intake overrules the written one, and is flagged so.
        """
        if value is None:
            read = number(text)
            if read is None:
                return Reason(found=f"the value {text[:40]!r}", expected=f"a number ({quantity.name})", where=where)
            value, written = read
            comparator = comparator or written
        if quantity.name in self._units and not reckoned:
            unit, assumed = self._units[quantity.name], True
        if not unit:
            return Reason(
                found=f"{quantity.name} without a unit", expected=f"a unit such as {quantity.unit}", where=where,
                remedy="ask the source for the unit, or state it in a mapping",
            )  # fmt: skip
        if unit != quantity.unit:
            try:
                value = conversion(unit, quantity)(value)
            except UnitError as error:
                return Reason(found=error.found, expected=error.expected, where=where, remedy=error.remedy)
        flags: tuple[Flag, ...] = ()
        if not quantity.low <= value <= quantity.high:
            flags = (Flag.IMPLAUSIBLE,)
        if assumed:
            flags = (*flags, Flag.UNIT_ASSUMED)
        return self._event(
            quantity.name, value, text, unit, time, key, where, comparator, until, available, intent, status, basis,
            group, flags,
        )  # fmt: skip

    def coded(
        self, quantity: str, value: Code | None, time: Moment, key: str, where: str, *, text: str | None = None,
        until: Moment | None = None, available: datetime | None = None, intent: Intent = Intent.HAPPENED,
        status: Status = Status.FINAL, group: str | None = None,
    ) -> Event:  # fmt: skip
        """A coded statement: a diagnosis, an order, a finding."""
        return self._event(
            quantity, value, text, None, time, key, where, None, until, available, intent, status, Basis.OBSERVED,
            group, (),
        )  # fmt: skip

    def _event(
        self, quantity: str, value: float | Code | None, text: str | None, unit: str | None, time: Moment, key: str,
        where: str, comparator: Comparator | None, until: Moment | None, available: datetime | None, intent: Intent,
        status: Status, basis: Basis, group: str | None, flags: tuple[Flag, ...],
    ) -> Event:  # fmt: skip
        instant = latest = time.instant
        if not time.offset_known:
            latest = time.latest
            flags = (*flags, Flag.OFFSET_UNKNOWN)
        if instant > self._now and intent is Intent.HAPPENED:
            flags = (*flags, Flag.FUTURE)
        if available is None:
            available = known_at(time, until, self.latency) + (latest - instant)
        elif available < latest and intent is Intent.HAPPENED:
            available = latest  # nothing that happened is known before it was true: the issuing clock is wrong
        return Event(
            subject=self.owner, quantity=quantity, value=value, time=time, available=available,
            source=Source(self.system, self._dialect, self._raw, where, self._file), key=key, text=text,
            unit_text=unit, comparator=comparator, until=until, intent=intent, status=status, basis=basis, group=group,
            flags=flags,
        )  # fmt: skip
