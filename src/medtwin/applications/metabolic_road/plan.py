"""A plan in words: what is taken, what begins, what ends, what is eaten less, how far is walked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medtwin.errors import AnalysisError

DRUGS = ("metformin", "dapagliflozin", "glimepiride", "semaglutide", "tirzepatide")
INCRETINS = ("semaglutide", "tirzepatide")
DAYS = {"daily": 1, "weekly": 7}
#: Steps of a dose from its start, mg a week, four weeks each (product information, from memory).
RISING = {"semaglutide": (0.25, 0.5, 1.0, 1.7, 2.4), "tirzepatide": (2.5, 5.0, 7.5, 10.0, 12.5, 15.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """``amount`` mg every ``days`` days."""

    drug: str
    amount: float
    days: int

    @property
    def daily(self) -> float:
        """Milligrams a day."""
        return self.amount / self.days

    def on(self, day: int, *, new: bool) -> float:
        """Milligrams on this day from now; a ``new`` incretin rises to its dose in steps of four weeks."""
        if day % self.days:
            return 0.0
        steps = RISING.get(self.drug, ()) if new else ()
        week = day // 28
        return min(self.amount, steps[week]) if week < len(steps) else self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``intake`` and ``walk``: kcal and minutes a day, beside what is usual."""

    months: int = 12
    intake: float = 0.0
    walk: float = 0.0
    stop: frozenset[str] = frozenset()
    start: Mapping[str, Dose] = field(default_factory=dict)


def dose(words: str) -> Dose:
    """Of "semaglutide 2.4 mg weekly". Raises :class:`AnalysisError`."""
    found = re.fullmatch(r"\s*([a-z]+)\s+([0-9.]+)\s*mg\s+(daily|weekly)\s*", words.lower())
    if found is None or found[1] not in DRUGS:
        raise AnalysisError(
            f"the dose {words!r}", expected=f"one of {', '.join(DRUGS)}, milligrams, daily or weekly",
            remedy='for instance "semaglutide 2.4 mg weekly"',
        )  # fmt: skip
    try:
        amount = float(found[2])
    except ValueError:
        amount = 0.0
    every = DAYS[found[3]]
    weekly = found[1] in INCRETINS
    if amount <= 0 or weekly != (every == 7):
        raise AnalysisError(
            f"the dose {words!r}", expected="milligrams above zero, weekly for incretins and daily for tablets"
        )
    return Dose(drug=found[1], amount=amount, days=every)


def plan(
    months: int, intake: float, walk: float, stop: Sequence[str], start: Sequence[str], taking: Mapping[str, Dose]
) -> Plan:
    """Checked against what is taken. Raises :class:`AnalysisError`."""
    begun = {one.drug: one for one in map(dose, start)}
    for name in stop:
        if name not in taking:
            raise AnalysisError(
                f"{name!r} to be stopped", expected=f"one of what is taken: {', '.join(taking) or 'nothing'}",
                remedy='state it with --taking "metformin 2000 mg daily"',
            )  # fmt: skip
    held = (set(taking) - set(stop)) | set(begun)
    if len(held & set(INCRETINS)) > 1 or len((set(taking) | held) & set(INCRETINS)) > 1:
        raise AnalysisError(
            "two incretin drugs in one plan", expected="one: a change from one to another is not modelled"
        )
    if not 1 <= months <= 120 or abs(intake) > 2500 or not 0 <= walk <= 300:
        raise AnalysisError(
            f"{months} months, {intake:g} kcal and {walk:g} min a day",
            expected="1 to 120 months, at most 2500 kcal and 300 min",
        )
    return Plan(months=months, intake=intake, walk=walk, stop=frozenset(stop), start=begun)
