"""A day as lived and a day as told."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from medtwin.worlds import life
from medtwin.worlds.life import Habits

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


def plan(seed=1, days=60, **habits):
    return life.plan(np.random.default_rng(seed), START, BERLIN, days * 1440, Habits(**habits))


def test_meals_come_at_their_hours_and_are_about_as_large_as_people_eat():
    lived = plan()
    by = {}
    for meal in lived.meals:
        by.setdefault(meal.name, []).append(meal)
        assert 0 <= meal.minute < 60 * 1440
    for name, hour in (("breakfast", 7.5), ("lunch", 12.6), ("dinner", 19.1)):
        assert np.mean([lived.local_hour[m.minute] for m in by[name]]) == pytest.approx(hour, abs=0.35)
        assert len(by[name]) > 45
    grams = sum(m.grams for m in lived.meals) / 60
    assert 150 < grams < 260


def test_what_is_told_differs_from_what_is_eaten_as_asked():
    lived = plan(2, 300, counting_sd=0.2, unannounced=0.2, unlogged=0.1, late=0.3)
    told = [m for m in lived.meals if m.stated_minute is not None]
    missed = [m for m in lived.meals if m.bolus_minute is None]
    ratio = np.log([m.counted / m.grams for m in lived.meals if m.grams > 30])
    assert ratio.std() == pytest.approx(0.2, abs=0.05)
    assert abs(ratio.mean()) < 0.05
    assert len(missed) / len(lived.meals) == pytest.approx(0.2, abs=0.04)
    assert all(m.stated_minute is None for m in missed)
    assert len(told) / len(lived.meals) == pytest.approx(0.8 * 0.9, abs=0.05)
    late = [m for m in told if m.reported_minute - m.minute >= 20]
    assert len(late) / len(told) == pytest.approx(0.3, abs=0.05)
    assert all(m.reported_minute > m.minute for m in told)
    assert all(m.counted % 5 == 0 for m in lived.meals)


def test_those_who_give_no_insulin_give_none():
    assert all(m.bolus_minute is None for m in plan(doses=False).meals)


def test_the_heart_follows_sleep_and_walks():
    habits = Habits(walks=1.0, walk_rise=35.0, resting_heart_rate=60.0)
    lived = life.plan(np.random.default_rng(3), START, BERLIN, 10 * 1440, habits)
    rate, steps = life.body(np.random.default_rng(4), lived, habits, 10 * 1440)
    asleep = lived.asleep(10 * 1440)
    walking = np.zeros(10 * 1440, bool)
    for start, length, _ in lived.walks:
        walking[start + 8 : start + length] = True
    assert rate[asleep].mean() == pytest.approx(60, abs=2)
    assert rate[~asleep & ~walking].mean() == pytest.approx(72.5, abs=3)
    assert rate[walking].mean() > 95
    assert steps[walking].mean() == pytest.approx(104, abs=3)
    assert 3000 < steps.sum() / 10 < 12000
    assert 6 < asleep.sum() / 60 / 10 < 9


def test_local_hours_pass_through_summer_time():
    start = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)  # at 01:00 UTC Berlin goes from 2 to 3 o'clock
    hours = life.local_hours(start, BERLIN, 180)
    assert hours[0] == pytest.approx(1.0)
    assert hours[59] == pytest.approx(1.9833, abs=1e-3)
    assert hours[60] == pytest.approx(3.0)
    lived = life.plan(np.random.default_rng(1), start - timedelta(days=2), BERLIN, 6 * 1440, Habits())
    lunches = [lived.local_hour[m.minute] for m in lived.meals if m.name == "lunch"]
    assert all(10.5 < h < 14.7 for h in lunches)
