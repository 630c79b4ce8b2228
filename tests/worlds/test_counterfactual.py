"""Two lives that differ in one plan: the plan acts when it begins, in its own direction, and nothing else differs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from medtwin.worlds.counterfactual import changes, redosed
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
