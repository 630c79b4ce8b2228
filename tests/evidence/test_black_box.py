"""The black box finds a linear truth that it can represent, and says nothing where it was told nothing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from medtwin.evidence import black_box
from medtwin.record import Event, Intent, Moment, Record, Source, SourcePatient

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 6


def event(quantity, value, minute, intent=Intent.HAPPENED):
    when = START + timedelta(minutes=minute)
    return Event(
        subject=SourcePatient("s", "p"), quantity=quantity, value=float(value), time=Moment.of(when), available=when,
        source=Source("s", "s/1", "0" * 32, "x"), key=f"{quantity}@{minute}", intent=intent,
    )  # fmt: skip


@pytest.fixture(scope="module")
def record():
    """Glucose is 120 and two decaying sums: of carbohydrate (60 min, 1.5 mg/dL per g), of insulin (240 min, -10 per U)."""
    rng = np.random.default_rng(0)
    meals = {int(m) * 5: (float(rng.uniform(20, 80)), float(rng.uniform(1, 8)), int(rng.integers(-6, 6)) * 5)
             for m in np.sort(rng.choice(DAYS * 288, 60, replace=False))}  # fmt: skip
    told, carbohydrate, insulin = [], np.zeros(DAYS * 288), np.zeros(DAYS * 288)
    for minute, (grams, units, later) in meals.items():
        told.append(event("carbohydrate_intake", grams, minute))
        carbohydrate[minute // 5] += grams
        if 0 <= minute + later < DAYS * 1440:
            told.append(event("insulin_bolus", units, minute + later))
            insulin[(minute + later) // 5] += units
    eaten, injected = 0.0, 0.0
    for k in range(DAYS * 288):
        told.append(event("glucose", 120.0 + 1.5 * eaten - 10.0 * injected, 5 * k))
        eaten, injected = np.exp(-5 / 60) * (eaten + carbohydrate[k]), np.exp(-5 / 240) * (injected + insulin[k])
    return Record("p", tuple(e.committed(i + 1, None) for i, e in enumerate(told)), "UTC")


def test_it_finds_what_it_can_represent(record):
    at = START + timedelta(days=DAYS)
    known = black_box.learn(record, at, [80.0])
    at_20 = DAYS * 1440 + 20
    half = ([event("insulin_bolus", 4.0, at_20)], [event("insulin_bolus", 2.0, at_20)])
    assert known.contrast(at, *half, 80.0) == pytest.approx(20.0 * np.exp(-60 / 240), rel=0.1)
    more = ([event("carbohydrate_intake", 30.0, at_20)], [event("carbohydrate_intake", 60.0, at_20)])
    assert known.contrast(at, *more, 80.0) == pytest.approx(45.0 * np.exp(-60 / 60), rel=0.1)


def test_the_same_plan_and_the_unheard_of_change_nothing(record):
    at = START + timedelta(days=DAYS)
    known = black_box.learn(record, at, [80.0])
    plan = [event("insulin_bolus", 4.0, DAYS * 1440 + 20)]
    assert known.contrast(at, plan, plan, 80.0) == 0.0
    assert known.contrast(at, [], [event("heart_rate", 120.0, DAYS * 1440 + 20)], 80.0) == 0.0


def test_it_does_not_look_ahead_and_wants_a_past(record):
    early = START + timedelta(days=2)
    cut = Record("p", tuple(e for e in record.history if e.instant < early), "UTC")
    for minutes in (80.0, 260.0):
        a, b = (black_box.learn(r, early, [minutes]).weights for r in (record, cut))
        for steps in a:
            np.testing.assert_array_equal(a[steps], b[steps])
    assert black_box.learn(record, START + timedelta(hours=6), [80.0]) is None
