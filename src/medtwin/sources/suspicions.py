"""What looks wrong with the facts of one part though each of them could be read: said, never repaired.

========================  =====================================================================================
suspicion                 what it rests on
========================  =====================================================================================
another unit              glucose stated in mg/dL that lies where only mmol/L can (below 20 mg/dL no sensor reads and
                          nobody is awake), or stated in mmol/L above any that was measured
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median

from medtwin.quantities import registry
from medtwin.record.event import Event, Intent

GLUCOSE = ("glucose", "blood_glucose")
MILLIGRAMS, MILLIMOLES = "mg/dl", "mmol/l"
MOST_MILLIMOLES, LEAST_MILLIMOLES = 20.0, 1.0  #: numbers that can be mmol/L and not mg/dL
LEAST_MILLIGRAMS = 40.0  #: above this a number cannot be mmol/L of somebody who wears a sensor
FEW = 3  #: below so many a value is an odd one out, which its flag says already
STEP_BACK = timedelta(minutes=10)
MOST_BASAL = 150.0  #: U in a day, more than a pump's reservoir of two days
INJECTIONS = 6.0  #: long-acting injections a day that nobody takes
_LINE = re.compile(r"(?:line|row) (\d+)")


@dataclass
class Suspicions:
    """Sees the facts of one part in any order; :meth:`said` gives the sentences.

    Only facts of tables are looked at: the other dialects write codes, units and offsets, and may be streamed.
    """

    _glucose: list[tuple[int, str, float, str]] = field(default_factory=list)  #: line, unit, number, where
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
        if event.quantity in GLUCOSE and event.text and event.unit_text and event.comparator is None:
            try:
                number = float(event.text.replace(",", "."))
            except ValueError:
                number = float("nan")
            self._glucose.append((line, event.unit_text.strip().lower(), number, event.source.locator))
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
        for look in (self._unit, self._months, self._clock, self._rates, self._figures):
            if sentence := look():
                yield sentence

    def _unit(self) -> str:
        for unit, other, alike in (
            (MILLIGRAMS, "mmol/L", lambda number: LEAST_MILLIMOLES <= number <= MOST_MILLIMOLES),
            (MILLIMOLES, "mg/dL", lambda number: number >= LEAST_MILLIGRAMS),
        ):
            if sentence := self._other_unit(unit, other, alike):
                return sentence
        return ""

    def _other_unit(self, unit: str, other: str, alike: Callable[[float], bool]) -> str:
        stated = sorted(one for one in self._glucose if one[1] == unit)
        odd = [one for one in stated if alike(one[2])]
        if len(odd) < FEW:
            return ""
        written = "mg/dL" if unit == MILLIGRAMS else "mmol/L"
        middle = median(number for _, _, number, _ in odd)
        kept = "kept as written and flagged implausible, so that nothing reckons with them"
        if len(odd) >= 0.9 * len(stated):
            return (
                f"{len(odd)} of {len(stated)} glucose values look like {other} though {written} is written beside them "
                f"(median {middle:g}): {kept}; if they are, read the file again with --unit glucose={other}"
            )
        return (
            f"{len(odd)} of {len(stated)} glucose values look like {other} among values in {written} (first at "
            f"{odd[0][3]}, median {middle:g}): {kept}; a file with mixed units must be split, or its source mended"
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
