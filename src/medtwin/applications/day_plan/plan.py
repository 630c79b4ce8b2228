"""The plan: this person's own meals in the order of the rise that is expected, and what changes it.

Each meal is asked at the person's usual level before eating and at the hour at which it was last eaten. Two widths are
given: of what is expected on average, and of the next time. Nothing here is a treatment decision, and none of it holds
for somebody who injects insulin: their twin answers ``medtwin what-if``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from scipy import stats

from medtwin.applications.day_plan.meals import LIMITS, WINDOW, Meal, Response, meals, of_one_system, responses, usable
from medtwin.applications.day_plan.prediction import COLUMNS, Person, clock, effect, nutrients, person
from medtwin.applications.day_plan.prior import DISH, PRIOR
from medtwin.applications.glucose_report.unit import UNITS, Unit, unit_of
from medtwin.errors import AnalysisError
from medtwin.record import Event, Record

FEWEST = 5  #: meals with a response, below which the person's own say is too little
INSULIN = ("insulin_bolus", "insulin_basal_rate", "insulin_long_acting")
RECENT = timedelta(days=90)
WALK = 1.5  #: thousand steps: a quarter of an hour's walk (100 steps a minute is a moderate pace: Tudor-Locke 2018, from memory)


@dataclass(frozen=True)
class Ranked:
    """One of the person's meals. mg/dL; ``expected`` and ``next`` are (5 %, median, 95 %)."""

    name: str
    times: int  #: how often it was eaten
    hour: float
    carbohydrate: float | None
    expected: tuple[float, float, float]
    next: tuple[float, float, float]
    above: Mapping[float, float]  #: limit -> chance that glucose exceeds it within two hours
    seen: tuple[float, ...]  #: rises that were measured
    with_walk: (
        tuple[float, float, float] | None
    )  #: expected rise with a walk in the hour after; None: unknown for this person


@dataclass(frozen=True)
class Effect:
    """How the rise changes with one thing, mg/dL per ``per``: (5 %, median, 95 %)."""

    name: str
    per: str
    change: tuple[float, float, float]
    known: bool  #: whether the person's record says anything of it; else it is what others showed
    clear: bool  #: whether the interval excludes zero


@dataclass(frozen=True)
class DayPlan:
    """Of one person, as known at ``at``."""

    patient: str
    synthetic: bool
    at: datetime
    eaten: int  #: meals in the record
    responses: tuple[Response, ...]
    usual_before: float
    meals: tuple[Ranked, ...]  #: mildest first
    effects: tuple[Effect, ...]
    learnt: Person
    notes: tuple[str, ...]
    unit: Unit = UNITS["mg/dL"]  #: in which glucose is shown; the numbers held here are mg/dL


def day_plan(record: Record, at: datetime | None = None, *, synthetic: bool = False, unit: str = "mg/dL") -> DayPlan:
    """Of the last 90 days up to ``at`` (default: the newest reading), from what was known then.

    Raises :class:`AnalysisError` for somebody who injects insulin, and where too little is known.
    """
    record = record if at is None else record.known_by(at)
    newest = max((e.instant for e in record.of("glucose")), default=None)
    if newest is None:
        raise AnalysisError(
            "no sensor glucose", where=f"patient {record.patient}", remedy="ingest an export of a sensor"
        )
    end = at or newest
    if any(_injected(e, end) for e in record.of(*INSULIN)):
        raise AnalysisError(
            "doses of insulin in the last 90 days", expected="somebody who injects none",
            where=f"patient {record.patient}", remedy="ask `medtwin what-if` for a meal with its dose",
        )  # fmt: skip
    eaten = tuple(m for m in meals(record) if end - RECENT <= m.begin <= end)
    answered = responses(record, tuple(m for m in eaten if m.begin + WINDOW <= end))
    if len(answered) < FEWEST:
        raise AnalysisError(
            f"{len(answered)} meals with dense readings for two hours after them, of {len(eaten)} meals",
            expected=f"at least {FEWEST}", where=f"patient {record.patient}",
            remedy="log meals while a sensor is worn: `medtwin state` takes one (carbohydrate_intake '45 g' --at TIME)",
        )  # fmt: skip
    learnt = person(answered, PRIOR, DISH)
    before = float(np.median([one.before for one in answered]))
    ranked = tuple(sorted(_ranked(eaten, answered, learnt, before), key=lambda one: one.expected[1]))
    return DayPlan(
        record.patient, synthetic, end, len(eaten), answered, before, ranked, _effects(learnt), learnt,
        _notes(eaten, answered, learnt, record, end), unit_of(unit),
    )  # fmt: skip


def _ranked(eaten: tuple[Meal, ...], answered: tuple[Response, ...], learnt: Person, before: float) -> list[Ranked]:
    rises: dict[int, float] = {id(one.meal): one.rise for one in answered}
    by_name: dict[str, list[Meal]] = {}
    for meal in eaten:
        by_name.setdefault(_name(meal), []).append(meal)
    made = []
    for name, same in by_name.items():
        last = same[-1]
        row = (*nutrients(last), before, 0.0, *clock(last.hour), None, None)
        walked = (*row[:8], (learnt.usual[8] if learnt.varied[8] else COLUMNS[8][2]) + WALK, None)
        told, names = [row, walked], [last.name] * 2
        middle, sd = learnt.expected(told, names)
        new = learnt.quantiles(told, names, (0.05, 0.5, 0.95))[0]
        centre, scale = learnt.next(told, names)
        reach = stats.t.ppf(0.95, learnt.belief.degrees) * sd
        above = {
            limit: float(stats.t.sf((limit - before - centre[0]) / scale[0], learnt.belief.degrees)) for limit in LIMITS
        }
        made.append(Ranked(
            name, len(same), last.hour, last.carbohydrate,
            (float(middle[0] - reach[0]), float(middle[0]), float(middle[0] + reach[0])),
            (float(new[0]), float(new[1]), float(new[2])), above,
            tuple(rises[id(meal)] for meal in same if id(meal) in rises),
            (float(middle[1] - reach[1]), float(middle[1]), float(middle[1] + reach[1])) if learnt.varied[8] else None,
        ))  # fmt: skip
    return made


def _name(meal: Meal) -> str:
    """In the person's words, else by what is in it."""
    if meal.name:
        return meal.name
    told = [
        f"{value:.0f} g {words}"
        for value, words in zip(nutrients(meal), ("carbohydrate", "fat", "protein", "fibre"), strict=True)
        if value is not None
    ]
    return ", ".join(told)


def _effects(learnt: Person) -> tuple[Effect, ...]:
    made = []
    for name, per, _, _ in COLUMNS:
        middle, low, high, known = effect(learnt, name)
        made.append(Effect(name, per, (low, middle, high), known, known and not low <= 0.0 <= high))
    return tuple(made)


def _injected(event: Event, end: datetime) -> bool:
    """Whether it is insulin that was given within the 90 days."""
    last = event.until.instant if event.until is not None else event.instant
    given = usable(event) and isinstance(event.value, float) and event.value > 0.0
    return given and event.instant <= end and last >= end - RECENT


def _notes(
    eaten: tuple[Meal, ...], answered: tuple[Response, ...], learnt: Person, record: Record, end: datetime
) -> tuple[str, ...]:
    since, until = end - RECENT - timedelta(days=1), end + timedelta(seconds=1)
    told = [
        of_one_system(record, quantity, since, until)[1] for quantity in ("glucose", "step_count", "sleep_duration")
    ]
    said = [sentence for sentence in told if sentence]
    if left := len(eaten) - len(answered):
        said.append(f"{left} of {len(eaten)} meals have too few readings around them, or are not two hours past")
    if near := sum(one.overlaps for one in answered):
        said.append(f"{near} meals began within two hours of the one before, whose glucose was still on its way")
    if lacking := sum(None in nutrients(one.meal) for one in answered):
        said.append(f"{lacking} meals do not tell all nutrients: what is not told stands at this person's mean")
    for name, k, lack in (("steps", 8, "a walk after a meal"), ("sleep", 9, "sleep")):
        if not learnt.varied[k]:
            said.append(f"{name} are not recorded: the worth of {lack} is unknown for this person")
    if not record.zone and any(e.time.offset is None for e in record.of("glucose")[:1]):
        said.append("the time zone is not known: hours are the device's own")
    return tuple(said)
