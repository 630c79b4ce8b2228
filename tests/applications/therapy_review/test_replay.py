"""What a change multiplies, to the unit; which days count."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.applications.therapy_review.replay import (
    BASAL,
    BOLUS,
    CARBS,
    Change,
    Day,
    _seen,
    changed,
    near_food,
    touched,
)

NEAR = 45


def day(meals=((480, 60.0),), boluses=((475, 6.0),), basal=0.9, lead=360):
    """A day that begins at local midnight, six hours of lead before it: minutes of the day, g and U."""
    steps = lead + 1440
    inputs = {BASAL: np.full(steps, basal), BOLUS: np.zeros(steps), CARBS: np.zeros(steps)}
    for minute, grams in meals:
        inputs[CARBS][lead + minute : lead + minute + 10] += grams / 10
    for minute, units in boluses:
        inputs[BOLUS][lead + minute] += units
    hour = ((np.arange(steps) - lead) / 60.0) % 24.0
    return Day(
        datetime(2026, 3, 1, tzinfo=UTC), np.arange(0.0, 1440.0, 5.0), np.full(288, 120.0), inputs, hour,
        near_food(inputs[CARBS], NEAR), lead,
    )  # fmt: skip


def total(inputs):
    return inputs[BASAL].sum() / 60.0 + inputs[BOLUS].sum()


CHANGES = st.builds(
    Change, st.sampled_from(["basal", "meal bolus", "other bolus"]), st.sampled_from([0.0, 4.0, 6.0, 17.0]),
    st.sampled_from([4.0, 6.0, 11.0, 24.0]), st.sampled_from([0.8, 0.9, 1.1, 1.2]),
)  # fmt: skip


@given(CHANGES, st.lists(st.tuples(st.integers(0, 1439), st.floats(0.1, 10.0)), max_size=6))
def test_insulin_outside_the_block_is_conserved(change, boluses):
    one = day(boluses=boluses, lead=0)
    after = changed(one, [change])
    assert total(after) - total(one.inputs) == pytest.approx((change.factor - 1.0) * touched(one, change), abs=1e-9)
    outside = ~one.hours(change.begin, change.end)
    for quantity in (BASAL, BOLUS):
        np.testing.assert_array_equal(after[quantity][outside], one.inputs[quantity][outside])
    np.testing.assert_array_equal(after[CARBS], one.inputs[CARBS])


def test_a_block_over_midnight_holds_both_sides_of_it():
    one = day(meals=((30, 20.0), (1200, 60.0)), boluses=((25, 2.0), (1195, 5.0), (720, 1.0)))
    assert touched(one, Change("meal bolus", 17.0, 4.0, 1.2)) == pytest.approx(7.0)
    assert touched(one, Change("meal bolus", 11.0, 17.0, 1.2)) == 0.0
    assert touched(one, Change("other bolus", 0.0, 24.0, 1.2)) == pytest.approx(1.0)


def test_the_lead_is_changed_but_not_counted():
    """The dinner before the day belongs to the setting: its insulin still acts in the night."""
    one = day(meals=((-180, 60.0),), boluses=((-185, 6.0),))
    dinner = Change("meal bolus", 17.0, 4.0, 1.2)
    assert touched(one, dinner) == 0.0
    assert changed(one, [dinner])[BOLUS].sum() == pytest.approx(7.2)
    assert touched(one, Change("basal", 0.0, 6.0, 1.2)) == pytest.approx(6 * 0.9)


def test_a_bolus_belongs_to_a_meal_within_45_minutes():
    for apart, belongs in ((-46, False), (-45, True), (9 + 45, True), (9 + 46, False)):
        one = day(meals=((600, 50.0),), boluses=((600 + apart, 3.0),))
        assert (touched(one, Change("meal bolus", 0.0, 24.0, 1.1)) > 0) is belongs, apart


def test_a_day_without_carbohydrate_has_no_boluses_of_meals():
    one = day(meals=())
    assert touched(one, Change("meal bolus", 0.0, 24.0, 1.1)) == 0.0
    assert touched(one, Change("other bolus", 0.0, 24.0, 1.1)) == pytest.approx(6.0)


def test_changes_of_two_settings_multiply_their_own():
    one = day()
    after = changed(one, [Change("basal", 0.0, 24.0, 0.8), Change("meal bolus", 4.0, 11.0, 1.2)])
    assert after[BASAL].sum() == pytest.approx(0.8 * one.inputs[BASAL].sum())
    assert after[BOLUS].sum() == pytest.approx(7.2)
    assert one.inputs[BOLUS].sum() == 6.0  # the day itself is left alone


def test_which_days_count():
    whole = np.arange(0.0, 86400.0, 300.0)
    assert _seen(whole, 300.0)
    assert _seen(whole[whole >= 3 * 3600], 300.0)  # half of the night
    assert not _seen(whole[whole >= 4 * 3600], 300.0)  # lows of the night are unseen
    assert not _seen(whole[::2], 300.0)
    assert not _seen(np.repeat(whole[::2], 2), 300.0)  # two sensors see no more
    assert _seen(whole[::3], 900.0)
