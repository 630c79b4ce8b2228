"""Two lives that differ in one plan: the plan acts when it begins, in its own direction, and nothing else differs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from medtwin.worlds.counterfactual import Given, changes, futures, redosed, risen
from medtwin.worlds.people import Order, make

START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = 1440 + 14 * 60


@pytest.fixture(scope="module")
def found():
    orders = [
        Order(7, i, "type_1", START, START + timedelta(days=2), 2 * 1440, "Europe/Berlin", f"P{i}") for i in range(3)
    ]
    return changes(orders, MINUTE, 6.0, [(0.0, 0.0), (45.0, 0.0), (0.0, 3.0), (90.0, 0.0)])


def test_no_plan_changes_nothing(found):
    assert not found[0].any()


def test_a_meal_raises_and_a_bolus_lowers(found):
    _, meal, bolus, feast = found
    assert meal.shape == (360, 3)
    np.testing.assert_array_equal(meal[0], 0.0)
    assert (meal[120] > 15.0).all()
    assert (bolus[150] < -5.0).all()
    assert (meal[:60] >= -1e-9).all()
    assert (feast[120] > meal[120]).all()


def test_the_same_boluses_change_nothing_and_more_of_them_lower():
    order = Order(7, 0, "type_1", START, START + timedelta(days=2), 2 * 1440, "Europe/Berlin", "P0")
    given = [(480, 4.0), (1200, 5.0)]
    outcome = replace(make([order])[0].truth.outcome, boluses=tuple(given))
    same, more, basal = redosed(order, outcome, [given, [(480, 4.0), (1200, 7.0)], given], [1.0, 1.0, 1.2])
    assert not same.any()
    assert not more[:1200].any()
    assert more[1200 + 150] < -5.0
    assert basal[1440] < -5.0


def test_a_walk_lowers_and_nothing_differs_before_it():
    orders = [
        Order(7, i, "type_1", START, START + timedelta(days=2), 2 * 1440, "Europe/Berlin", f"P{i}") for i in range(2)
    ]
    lunch = Given(60.0, 5.0)
    alone, walked = futures(orders, MINUTE, 5.0, [[lunch] * 2, [replace(lunch, walk=(30, 40, 40.0))] * 2])
    assert alone.shape == (300, 2)
    np.testing.assert_array_equal(walked[:30], alone[:30])
    assert (walked[100:] < alone[100:] - 1.0).all()


def test_each_person_has_a_plan_of_their_own():
    orders = [
        Order(7, i, "type_1", START, START + timedelta(days=2), 2 * 1440, "Europe/Berlin", f"P{i}") for i in range(2)
    ]
    none, one = futures(orders, MINUTE, 2.0, [[Given(), Given()], [Given(60.0), Given()]])
    assert one[-1, 0] > none[-1, 0] + 10.0
    np.testing.assert_array_equal(one[:, 1], none[:, 1])


def test_the_heart_follows_a_walk_as_it_does_in_a_life():
    rise = risen(120, 30, 40, 32.0)
    assert not rise[:30].any()
    assert rise[30] == pytest.approx(32.0 * (1 - np.exp(-0.5)))
    assert rise[69] == pytest.approx(32.0, rel=1e-6)
    assert rise[71] == pytest.approx(rise[70] * np.exp(-0.5))
