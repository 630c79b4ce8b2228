"""Whole synthetic people: a truth nobody sees, and the facts that their devices, diaries and doctors would hold.

``population`` draws people, lets them live and reports what was told; ``person`` is one of them; ``demo_persons`` are
the four that the demo shows. All of it is a pure function of its arguments: the same seed gives the same person, alone
or among others, and the same history however long the life goes on after it. A :class:`Fact` has the time it states,
the moment it could be known, and no trace of the truth; what really happened stands in :class:`Truth` and
:class:`Cause`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from medtwin.worlds import hovorka, sensor, telling, variation
from medtwin.worlds.facts import Cause, Fact, Person, Truth
from medtwin.worlds.kinds import KINDS, Kind
from medtwin.worlds.life import Habits, Plan, body, plan, waking_heart_rate
from medtwin.worlds.simulate import Dosing, Outcome, Setup, simulate

Array = NDArray[np.float64]

NAMES = ("Ada", "Ben", "Clara", "Deniz", "Emil", "Farah", "Greta", "Hugo", "Ines", "Jonas", "Kiran", "Lena")
SEGMENTS = (0.0, 4.0, 11.0, 17.0)  # hours at which the pump's basal profile changes


@dataclass(frozen=True)
class Order:
    """What to make: one person of a kind."""

    seed: int
    index: int
    kind: str
    start: datetime
    now: datetime
    minutes: int
    zone: str
    name: str
    habits: dict[str, float] = field(default_factory=dict)
    miss_before: int | None = None  # make the last main meal before this minute an untold one
    compress_before: int | None = None  # plant a compression low in the last night before this minute


def candidates(rng: np.random.Generator, kind: Kind) -> hovorka.Parameters:
    """The first drawn body that a plausible person of that kind could have.

    In type 1 diabetes: a basal need of 0.4-2.0 U/h, a ratio of 4-20 g/U and a factor of 12-90 mg/dL per U at the kind's
    fasting glucose (about 28 % of the published spread); with own insulin: a fasting insulin of 2-35 mU/L.
    """
    for _ in range(20):
        drawn = hovorka.draw(rng, 64)
        scale = kind.sensitivity
        drawn = drawn.replace(
            body_weight=drawn.body_weight + kind.heavier,
            transport_sensitivity=drawn.transport_sensitivity * scale,
            disposal_sensitivity=drawn.disposal_sensitivity * scale,
            production_sensitivity=drawn.production_sensitivity * scale,
        )
        insulin = hovorka.steady_insulin(drawn, kind.fasting)
        if kind.secretion == "none":
            basal = hovorka.steady_state(drawn, kind.fasting)[1]
            ratio, factor = hovorka.dosing(drawn, kind.fasting)
            good = (basal > 0.4) & (basal < 2.0) & (ratio > 4) & (ratio < 20) & (factor > 12) & (factor < 90)
        else:
            good = (insulin > 2.0) & (insulin < 35.0)
        if good.any():
            chosen = drawn.where(np.flatnonzero(good)[:1])
            if kind.secretion != "none":
                chosen = hovorka.secreting(chosen, kind.fasting, impaired=kind.secretion == "impaired")
            return chosen
    raise RuntimeError("found no plausible body in 1280 draws; widen the bounds of the kind")


def _basal(rng: np.random.Generator, rate: float, hour: Array) -> Array:
    """The pump's profile (U/h): the need by segment, two thirds right about the day, 6 % wrong, in 0.025 U/h."""
    segment = np.searchsorted(SEGMENTS, hour, side="right") - 1
    middle = np.array([2.0, 8.0, 14.5, 21.0])
    need = rate * variation.circadian(middle) ** (-2.0 / 3.0) * np.exp(0.06 * rng.standard_normal(4))
    return np.asarray(np.round(np.round(need / 0.025) * 0.025, 3)[segment])


def _missing(life: Plan, minute: int) -> Plan:
    """The same life, in which the last lunch or dinner at least 75 minutes before ``minute`` was not told at all."""
    main = [m for m in life.meals if m.name in ("lunch", "dinner") and m.minute < minute - 75]
    if not main:
        return life
    untold = replace(main[-1], bolus_minute=None, stated_minute=None, reported_minute=None)
    return replace(life, meals=tuple(untold if m is main[-1] else m for m in life.meals))


def prepare(order: Order) -> tuple[Person, Setup | None]:
    """The person of an order before they have lived, and what :func:`simulate` needs (None without a glucose body)."""
    kind, zone, minutes = KINDS[order.kind], ZoneInfo(order.zone), order.minutes
    stream = [np.random.default_rng([order.seed, order.index, purpose]) for purpose in range(6)]
    who, living, moving, drifting, sensing, dosing = stream
    parameters = candidates(who, kind)
    weight = float(parameters.body_weight[0]) if kind.glucose else kind.haemodynamics.weight
    index = kind.body_mass_index * float(np.exp(0.08 * np.clip(who.standard_normal(), -2, 2)))
    height = float(np.clip(100.0 * np.sqrt(weight / index), 150, 198))
    sex = "female" if height + 6.0 * who.standard_normal() < 172.0 else "male"
    age = int(who.integers(24, 62)) if order.kind != "heart_failure" else int(who.integers(62, 79))
    size = float((parameters.body_weight[0] / 78.0) ** 0.75) if kind.glucose else 1.0  # the small eat less
    habits: Habits = replace(
        kind.habits,
        appetite=kind.habits.appetite * size * float(np.exp(0.12 * who.standard_normal())),
        shift=kind.habits.shift + 0.5 * float(who.standard_normal()),
        counting_bias=0.08 * float(who.standard_normal()),
        resting_heart_rate=kind.habits.resting_heart_rate + 5.0 * float(np.clip(who.standard_normal(), -2, 2)),
    )
    habits = replace(habits, **order.habits)  # type: ignore[arg-type]
    life = plan(living, order.start, zone, minutes, habits)
    if order.miss_before is not None:
        life = _missing(life, order.miss_before)
    heart, steps = body(moving, life, habits, minutes)
    parameters = parameters.replace(heart_rate_reference=waking_heart_rate(habits))
    circadian = variation.circadian(life.local_hour, 0.7 * float(drifting.standard_normal()))
    daily = variation.drift(drifting, minutes)
    faults = sensor.random_faults(
        sensing, list(life.nights), minutes, compression=kind.compression, bias=kind.bias, dropout=kind.dropout
    )
    if order.compress_before is not None:
        past = [n for n in life.nights if 0 <= n[0] < order.compress_before - 150]
        if past:
            begin = min((past[-1][0] + past[-1][1]) // 2, order.compress_before - 60)
            faults = (*faults, sensor.Fault("compression", begin, 30, -50.0))
    readings = -(-minutes // sensor.READING_MINUTES)
    errors = sensor.errors(sensing, readings, faults)
    onset = (order.now - order.start) / timedelta(days=1) - 5.0 if kind.haemodynamics.retention else 1e9
    blood = replace(kind.haemodynamics, weight=weight, onset_day=max(onset, 1.0))
    ratio, factor = (float(v[0]) for v in hovorka.dosing(parameters, kind.fasting))
    need = float(hovorka.steady_state(parameters, kind.fasting)[1][0])
    timid = 1.2 * float(np.exp(0.12 * dosing.standard_normal()))  # most people dose a little too little
    setup = Setup(
        parameters=parameters,
        start_glucose=float(np.clip(kind.fasting + (0.8 if kind.pump else 0.2) * dosing.standard_normal(), 4.4, 10.0)),
        plan=life,
        habits=habits,
        heart_rate=heart,
        uptake_sensitivity=circadian * daily,
        production_sensitivity=daily,
        errors=errors,
        dosing=Dosing(
            ratio=max(2.0, round(2.0 * timid * ratio) / 2.0),
            factor=max(5.0, round(factor * float(np.exp(0.15 * dosing.standard_normal())))),
            basal=_basal(dosing, need, life.local_hour) if kind.pump else np.zeros(minutes),
        ),
        chances=dosing.random((readings, 3)),
    )
    truth = Truth(
        parameters={f.name: float(getattr(parameters, f.name)[0]) for f in fields(parameters)} if kind.glucose else {},
        haemodynamics=blood,
        plan=life,
        heart_rate=heart,
        steps=steps,
        sensitivity=circadian * daily,
        errors=errors if kind.glucose else None,
        outcome=None,
        carbohydrate_ratio=ratio if kind.pump else None,
        correction_factor=factor if kind.pump else None,
        basal_need=need if kind.pump else None,
    )
    made = Person(
        identifier=f"synthetic-{order.name.lower()}-{order.seed}-{order.index}",
        name=order.name,
        kind=order.kind,
        seed=order.seed,
        sex=sex,
        birth_date=date(order.start.year - age, int(who.integers(1, 13)), int(who.integers(1, 28))),
        height=round(height),
        zone=order.zone,
        start=order.start,
        now=order.now,
        conditions=kind.conditions,
        medications=kind.medications,
        truth=truth,
        facts=(),
        causes=telling.causes(order.start, life, faults if kind.glucose else (), blood, tells=kind.pump or kind.diary),
    )
    return replace(made, dosing=setup.dosing if kind.pump else None, habits=habits), setup if kind.glucose else None


def make(orders: Sequence[Order]) -> list[Person]:
    """Carry out ``orders``; those of equal length share one run of the bodies."""
    prepared = [prepare(o) for o in orders]
    outcomes: dict[int, Outcome] = {}
    for minutes in sorted({o.minutes for o in orders}):
        where = [k for k, o in enumerate(orders) if o.minutes == minutes and prepared[k][1] is not None]
        setups = [s for k in where if (s := prepared[k][1]) is not None]
        if setups:
            outcomes.update(zip(where, simulate(setups, minutes), strict=True))
    people = []
    for k, (someone, _) in enumerate(prepared):
        lived = replace(someone, truth=replace(someone.truth, outcome=outcomes.get(k)))
        rng = np.random.default_rng([orders[k].seed, orders[k].index, 99])
        people.append(replace(lived, facts=telling.facts(rng, lived)))
    return people


def population(
    seed: int,
    count: int,
    days: float,
    start: datetime,
    zone: str = "Europe/Berlin",
    kind: str = "type_1",
    *,
    ahead_hours: float = 0.0,
    **habits: float,
) -> list[Person]:
    """``count`` people of a kind who live ``days`` from ``start`` (aware), and ``ahead_hours`` more to be streamed."""
    if start.tzinfo is None:
        raise ValueError("found a start without an offset; expected an aware datetime")
    now = start + timedelta(days=days)
    minutes = round(days * 1440 + ahead_hours * 60)
    return make(
        [Order(seed, i, kind, start, now, minutes, zone, NAMES[i % len(NAMES)], habits=habits) for i in range(count)]
    )


def person(
    seed: int, days: float, start: datetime, zone: str = "Europe/Berlin", kind: str = "type_1", **options: float
) -> Person:
    """One person: the first of ``population`` with the same arguments."""
    return population(seed, 1, days, start, zone, kind, **options)[0]


def demo_persons(now: datetime, *, days: float = 10.0, ahead_hours: float = 48.0) -> list[Person]:
    """The four of the demo, whose history ends at ``now`` (aware) and whose lives go on for ``ahead_hours``.

    Ada: type 1, pump and CGM, tells nearly all. Ben: type 1, meals untold (one of them lately), a compression low last
    night. Clara: a heart that fails and retains water; cuff, scale and watch, no CGM. Deniz: type 2, CGM and a diary of meals.
    """
    now = now.replace(second=0, microsecond=0)
    start = now - timedelta(days=days)
    past, minutes = round(days * 1440), round(days * 1440 + ahead_hours * 60)
    zone = "Europe/Berlin"
    return make(
        [
            Order(43, 0, "type_1", start, now, minutes, zone, "Ada"),
            Order(
                26, 1, "type_1_unannounced", start, now, minutes, zone, "Ben", miss_before=past, compress_before=past
            ),
            Order(31, 2, "heart_failure", start, now, minutes, zone, "Clara"),
            Order(11, 3, "type_2_logging", start, now, minutes, zone, "Deniz"),
        ]
    )


__all__ = ["Cause", "Fact", "Order", "Person", "Truth", "demo_persons", "make", "person", "population"]
