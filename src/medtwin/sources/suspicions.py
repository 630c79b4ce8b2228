"""What looks wrong with the facts of one part though each of them could be read: said, never repaired.

========================  =====================================================================================
suspicion                 what it rests on
========================  =====================================================================================
another unit              glucose stated in mg/dL that lies where only mmol/L can (below 20 mg/dL no sensor reads and
                          nobody is awake), or stated in mmol/L above any that a sensor measured; flagged, by :func:`flagged`
day and month exchanged   the dates of a file go on by a month from one to the next, on the same day of it
a clock that was set      in a file that goes on in time, times that step back by minutes or hours
a rate that is a dose     basal rates whose day adds up to more than anybody takes; long-acting injections as often
                          as a pump's steps
meals without figures     fat, protein or energy without carbohydrate: a model of glucose sees no meal there
========================  =====================================================================================

Each becomes a sentence with what was found, where first, and what to do. Limits are judgement, wide on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from medtwin.quantities import registry
from medtwin.record.event import Event, Flag, Intent

GLUCOSE = ("glucose", "blood_glucose")
MILLIGRAMS, MILLIMOLES = "mg/dl", "mmol/l"
MOST_MILLIMOLES, LEAST_MILLIMOLES = 20.0, 1.0  #: numbers that can be mmol/L and not mg/dL
LEAST_MILLIGRAMS = 40.0  #: above this a number cannot be mmol/L of somebody who wears a sensor
FEW = 3  #: below so many a value is an odd one out, which its flag says already
STEP_BACK = timedelta(minutes=10)
MOST_BASAL = 150.0  #: U in a day, more than a pump's reservoir of two days
INJECTIONS = 6.0  #: long-acting injections a day that nobody takes
_LINE = re.compile(r"(?:line|row) (\d+)")


class _Glucose(NamedTuple):
    """One glucose value as it was written; ``unit`` in small letters."""

    line: int
    quantity: str
    unit: str
    number: float
    where: str
    implausible: bool


class _Odd(NamedTuple):
    """Values of one quantity that look like another unit; ``whole`` where nearly all do."""

    unit: str
    other: str
    stated: list[_Glucose]
    values: list[_Glucose]
    whole: bool

    @property
    def doubted(self) -> list[_Glucose]:
        """Those to flag: a whole column, or the odd ones; a laboratory does measure 40 mmol/L now and then."""
        if self.whole:
            return self.stated
        measured = self.unit == MILLIMOLES and self.values[0].quantity == "blood_glucose"
        return [] if measured else self.values


def _glucose(event: Event) -> _Glucose | None:
    found = _LINE.match(event.source.locator)
    if (
        found is None or event.quantity not in GLUCOSE or event.intent is not Intent.HAPPENED or event.comparator is not None
        or not isinstance(event.value, float) or not event.text or not event.unit_text
    ):  # fmt: skip
        return None
    try:
        number = float(event.text.replace(",", "."))
    except ValueError:  # a word, whose number is not the source's
        return None
    unit, implausible = event.unit_text.strip().lower(), Flag.IMPLAUSIBLE in event.flags
    return _Glucose(int(found[1]), event.quantity, unit, number, event.source.locator, implausible)


def _other_units(values: Sequence[_Glucose]) -> Iterator[_Odd]:
    for quantity in GLUCOSE:
        for unit, other in ((MILLIGRAMS, "mmol/L"), (MILLIMOLES, "mg/dL")):
            stated = sorted(one for one in values if (one.quantity, one.unit) == (quantity, unit))
            odd = [
                one for one in stated
                if (LEAST_MILLIMOLES <= one.number <= MOST_MILLIMOLES if unit == MILLIGRAMS else one.number >= LEAST_MILLIGRAMS)
            ]  # fmt: skip
            if len(odd) >= FEW:
                yield _Odd(unit, other, stated, odd, len(odd) >= 0.9 * len(stated))


def flagged(found: Iterable[tuple[Event, str]]) -> list[tuple[Event, str]]:
    """The facts of one table, each with the text of its row: those that look like another unit flagged implausible."""
    kept = list(found)
    seen = [_glucose(event) for event, _ in kept]
    doubted = {one for odd in _other_units([one for one in seen if one is not None]) for one in odd.doubted}
    return [
        (replace(event, flags=(Flag.IMPLAUSIBLE, *event.flags)), row)
        if one in doubted and not one.implausible else (event, row)
        for (event, row), one in zip(kept, seen, strict=True)
    ]  # fmt: skip


@dataclass
class Suspicions:
    """Sees the facts of one part in any order; :meth:`said` gives the sentences.

    Only facts of tables are looked at: the other dialects write codes, units and offsets, and may be streamed.
    """

    _glucose: list[_Glucose] = field(default_factory=list)
    _times: list[tuple[int, str, datetime, date]] = field(default_factory=list)  #: line, quantity, instant, local day
    _basal: list[Event] = field(default_factory=list)
    _injections: list[Event] = field(default_factory=list)
    _meals: dict[str, set[str]] = field(default_factory=dict)

    def saw(self, event: Event) -> None:
        """One more fact of the part."""
        if event.intent is not Intent.HAPPENED or not isinstance(event.value, float):
            return
        found = _LINE.match(event.source.locator)
        if found is None:
            return
        line = int(found[1])
        if (one := _glucose(event)) is not None:
            self._glucose.append(one)
        if event.until is None:
            self._times.append((line, event.quantity, event.instant, event.time.local.date()))
        if event.quantity == "insulin_basal_rate":
            self._basal.append(event)
        elif event.quantity == "insulin_long_acting":
            self._injections.append(event)
        elif event.quantity in ("carbohydrate_intake", "fat_intake", "protein_intake", "energy_intake"):
            self._meals.setdefault(event.group or event.key, set()).add(event.quantity)

    def said(self) -> Iterator[str]:
        """A sentence for each suspicion."""
        for odd in _other_units(self._glucose):
            yield self._other_unit(odd)
        for look in (self._months, self._clock, self._rates, self._figures):
            if sentence := look():
                yield sentence

    def _other_unit(self, odd: _Odd) -> str:
        quantity, count = odd.values[0].quantity, len(odd.values)
        written = "mg/dL" if odd.unit == MILLIGRAMS else "mmol/L"
        middle = median(one.number for one in odd.values)
        flags = sum(one.implausible for one in odd.values)
        kept = f"all kept as written, {flags} flagged implausible so that nothing reckons with them"
        if flags < count:
            kept += f", the other {count - flags} reckoned with as they stand"
        if odd.whole:
            return (
                f"{count} of {len(odd.stated)} {quantity} values look like {odd.other} though {written} is written beside "
                f"them (median {middle:g}): {kept}; if they are, read the file again with --unit {quantity}={odd.other}"
            )
        return (
            f"{count} of {len(odd.stated)} {quantity} values look like {odd.other} among values in {written} (first at "
            f"{odd.values[0].where}, median {middle:g}): {kept}; a file with mixed units must be split, or its source mended"
        )

    def _months(self) -> str:
        days: list[date] = []
        for _, _, _, day in sorted(self._times):
            if not days or days[-1] != day:
                days.append(day)
        if len(days) < 5:
            return ""
        same = sum(a.day == b.day and 28 <= abs((b - a).days) <= 31 for a, b in pairwise(days))
        if same < 0.5 * (len(days) - 1):
            return ""
        return (
            f"its dates go on by a month at a time, always on the same day of it ({days[0]}, {days[1]}, {days[2]}): day and "
            "month may be exchanged; state the order in the mapping (`format: '%d/%m/%Y'` or '%m/%d/%Y') and read the file again"
        )

    def _clock(self) -> str:
        """Steps back in a file whose facts otherwise go on in time (or, newest first, go back)."""
        by_kind: dict[str, list[tuple[int, datetime]]] = {}
        for line, quantity, instant, _ in sorted(self._times):
            by_kind.setdefault(quantity, []).append((line, instant))
        steps: dict[int, timedelta] = {}
        for rows in by_kind.values():
            apart = [(b[0], b[1] - a[1]) for a, b in pairwise(rows)]
            forward = sum(step > timedelta(0) for _, step in apart)
            backward = sum(step < timedelta(0) for _, step in apart)
            if len(apart) < 20 or min(forward, backward) > 0.02 * len(apart):
                continue  # a file in no order tells nothing
            sign = 1 if forward >= backward else -1
            steps |= {line: step for line, step in apart if sign * step <= -STEP_BACK}
        if not steps:
            return ""
        line, step = min(steps.items())
        minutes = abs(step.total_seconds()) / 60.0
        return (
            f"its clock steps back {len(steps)} time{'' if len(steps) == 1 else 's'}, first by {minutes:.0f} min at line {line}: "
            "a clock may have been set, or a time mistyped; all times are kept as they were written"
        )

    def _rates(self) -> str:
        if sentence := self._basal_too_great():
            return sentence
        if len(self._injections) > FEW:
            times = sorted(event.instant for event in self._injections)
            days = max((times[-1] - times[0]).total_seconds() / 86400.0, 1.0)
            if len(times) / days >= INJECTIONS:
                return (
                    f"{len(times) / days:.0f} long-acting injections a day: a pump's basal rate (U/h) may have been read as "
                    "doses (U); name `insulin_basal_rate` in the mapping"
                )
        return ""

    def _basal_too_great(self) -> str:
        rates = sorted(self._basal, key=lambda event: event.instant)
        total, days = 0.0, 0.0
        for event, following in pairwise(rates):
            end = event.until.instant if event.until is not None else following.instant
            hours = min((end - event.instant).total_seconds() / 3600.0, 24.0)
            assert isinstance(event.value, float)
            total, days = total + event.value * max(hours, 0.0), days + max(hours, 0.0) / 24.0
        if days < 0.5 or total / days <= MOST_BASAL:
            return ""
        unit = registry.get("insulin_basal_rate").unit
        return (
            f"basal rates that add up to {total / days:.0f} U a day: doses (U) may have been read as rates ({unit}); name "
            "`insulin_long_acting` in the mapping, or the duration of each"
        )

    def _figures(self) -> str:
        without = sum("carbohydrate_intake" not in told for told in self._meals.values())
        if not without:
            return ""
        return (
            f"{without} of {len(self._meals)} meals tell energy, fat or protein but no carbohydrate: a model of glucose sees no "
            "meal there; state the carbohydrate with `medtwin state`, or expect the twin to ask about them"
        )
