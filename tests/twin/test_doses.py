"""Doses on the axis: nothing is lost, a rate holds, an injection of long-acting insulin is a basal rate."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.record import Moment
from medtwin.twin.axis import EPOCH, Axis
from medtwin.twin.doses import doses
from twin.people import NOW, event

AXIS = Axis.of(GlucoseInsulin(), "Europe/Berlin")
START = AXIS.boundary(NOW)


def test_a_meal_is_eaten_at_its_pace_and_whole():
    meal = doses("carbohydrate_intake", AXIS, [event("carbohydrate_intake", 42.0, NOW + timedelta(seconds=30))])
    held = meal.held(START, 30)
    assert held.sum() == pytest.approx(42.0)
    assert held.max() == pytest.approx(5.0)
    assert held[0] == pytest.approx(2.5)


def test_a_window_cut_in_two_holds_the_same():
    events = [event("carbohydrate_intake", 60.0, NOW), event("carbohydrate_intake", 20.0, NOW + timedelta(minutes=3))]
    meals = doses("carbohydrate_intake", AXIS, events)
    np.testing.assert_allclose(
        np.concatenate([meals.held(START, 7), meals.held(START + 7, 33)]), meals.held(START, 40), atol=1e-12
    )


def test_only_what_has_begun_is_known():
    meals = doses(
        "carbohydrate_intake",
        AXIS,
        [event("carbohydrate_intake", 60.0, NOW), event("carbohydrate_intake", 20.0, NOW + timedelta(minutes=9))],
    )
    assert meals.held(START, 60, begun_by=START + 5).sum() == pytest.approx(60.0)
    assert meals.held(START, 60, begun_by=START).sum() == 0.0


def test_a_rate_holds_until_the_next_one():
    rates = doses(
        "insulin_basal_rate",
        AXIS,
        [
            event("insulin_basal_rate", 0.8, NOW - timedelta(days=3)),
            event("insulin_basal_rate", 1.2, NOW + timedelta(minutes=10)),
        ],
    )
    held = rates.held(START, 20)
    np.testing.assert_allclose(held[:10], 0.8)
    np.testing.assert_allclose(held[10:], 1.2)


def test_a_rate_ends_where_it_says():
    rate = event("insulin_basal_rate", 0.8, NOW, until=Moment.of(NOW + timedelta(minutes=5)))
    held = doses("insulin_basal_rate", AXIS, [rate]).held(START, 10)
    np.testing.assert_allclose(held, [0.8] * 5 + [0.0] * 5)


def test_a_long_acting_injection_is_a_basal_rate_of_a_day():
    shot = event("insulin_long_acting", 24.0, NOW)
    held = doses("insulin_basal_rate", AXIS, [], 0.0, [shot]).held(START, 1500)
    np.testing.assert_allclose(held[:1440], 1.0)
    np.testing.assert_allclose(held[1440:], 0.0)
    assert held.sum() / 60.0 == pytest.approx(24.0)


def test_a_planned_rate_replaces_the_running_one():
    running = doses("insulin_basal_rate", AXIS, [event("insulin_basal_rate", 0.8, NOW - timedelta(days=1))])
    ends = Moment.of(NOW + timedelta(minutes=30))
    pause = event("insulin_basal_rate", 0.0, NOW + timedelta(minutes=10), until=ends)
    expected = [0.8] * 10 + [0.0] * 20 + [0.8] * 10
    np.testing.assert_allclose(running.with_plans([pause], START, 40, START), expected, atol=1e-12)
    for_good = event("insulin_basal_rate", 1.4, NOW + timedelta(minutes=10))
    np.testing.assert_allclose(running.with_plans([for_good], START, 40, START), [0.8] * 10 + [1.4] * 30)


def test_a_planned_rate_leaves_injections_and_a_planned_injection_adds():
    shot = event("insulin_long_acting", 24.0, NOW - timedelta(hours=2))
    both = doses("insulin_basal_rate", AXIS, [event("insulin_basal_rate", 0.5, NOW - timedelta(days=1))], 0.0, [shot])
    pause = event("insulin_basal_rate", 0.0, NOW + timedelta(minutes=10))
    np.testing.assert_allclose(both.with_plans([pause], START, 40, START), [1.5] * 10 + [1.0] * 30, atol=1e-12)
    more = event("insulin_long_acting", 12.0, NOW + timedelta(minutes=10))
    np.testing.assert_allclose(both.with_plans([more], START, 40, START), [1.5] * 10 + [2.0] * 30, atol=1e-12)


def test_a_planned_amount_adds():
    given = doses("insulin_bolus", AXIS, [event("insulin_bolus", 3.0, NOW - timedelta(minutes=1))])
    more = event("insulin_bolus", 2.0, NOW + timedelta(minutes=5))
    added = given.with_plans([more], START, 40, START) - given.held(START, 40, START)
    assert added.sum() == pytest.approx(2.0)


def test_more_doses_are_the_same_as_all_at_once():
    events = [event("insulin_bolus", float(i + 1), NOW + timedelta(minutes=7 * i)) for i in range(6)]
    whole = doses("insulin_bolus", AXIS, events).held(START, 60)
    np.testing.assert_allclose(doses("insulin_bolus", AXIS, events[::2]).plus(events[1::2]).held(START, 60), whole)


def test_pieces_are_aligned_and_midnight_is_local():
    axis = Axis.of(GlucoseInsulin(), "Europe/Berlin")
    assert axis.moment(0) == EPOCH
    assert axis.steps == 120
    summer = datetime(2026, 7, 1, 22, 0, tzinfo=UTC)
    assert axis.since_midnight(axis.boundary(summer)) == 0.0
    winter = datetime(2026, 1, 1, 22, 0, tzinfo=UTC)
    assert axis.since_midnight(axis.boundary(winter)) == 23 * 60.0


def test_a_watch_s_heart_rate_speaks_for_a_quarter_of_an_hour():
    """Then it is not known, and the person is taken to rest: a watch that was taken off is no walk."""
    axis = Axis.of(GlucoseInsulin(), None)
    first = axis.boundary(NOW)
    beats = doses(
        "heart_rate", axis, [event("heart_rate", 120.0, NOW), event("heart_rate", 110.0, NOW + timedelta(minutes=5))]
    )
    held = beats.held(first, 40)
    np.testing.assert_allclose(held, [120.0] * 5 + [110.0] * 15 + [0.0] * 20, atol=1e-9)
