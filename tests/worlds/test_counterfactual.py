"""Two lives that differ in one plan: the plan acts when it begins, in its own direction, and nothing else differs."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from medtwin.worlds.counterfactual import changes
from medtwin.worlds.people import Order

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
