"""An effect's interval holds the model's own error; its median and its sign stay the members'."""

from datetime import timedelta

import numpy as np

from medtwin.twin.effects import ERROR, HOURS, UNMEASURED, model_error, most, with_model_error
from twin.people import NOW

MODEL = "glucose_insulin"


def test_the_spread_is_what_was_measured():
    change = np.full((len(HOURS), 4000), 50.0)
    wide = with_model_error(change, HOURS, MODEL)
    np.testing.assert_allclose(np.log(wide / 50.0).std(axis=1), ERROR[MODEL], rtol=1e-6)
    np.testing.assert_allclose(np.median(wide, axis=1), 50.0, rtol=0.05)
    assert (wide > 0).all()
    np.testing.assert_array_equal(with_model_error(change, HOURS, MODEL, 0.0), change)


def test_no_effect_stays_none():
    assert not with_model_error(np.zeros((3, 10)), [0.1, 1.0, 9.0], MODEL).any()


def test_constant_before_and_after_the_knots():
    assert model_error(-1.0, MODEL) == ERROR[MODEL][0]
    assert model_error(24.0, MODEL) == ERROR[MODEL][-1]


def test_a_model_that_was_not_measured_has_the_greatest_error_of_those_that_were():
    assert model_error(HOURS[3], "unmeasured") == UNMEASURED[3] == max(row[3] for row in ERROR.values())


def test_a_meal_raises_by_no_more_than_its_glucose_in_the_smallest_volume():
    times = [NOW + timedelta(minutes=m) for m in (5, 10, 90)]
    meal = [
        ("carbohydrate_intake", 30.0, NOW + timedelta(minutes=10)),
        ("carbohydrate_intake", 28.0, NOW + timedelta(hours=1)),
    ]
    bound = most([*meal, ("insulin_bolus", 5.0, NOW)], times, 80.0)
    np.testing.assert_allclose(bound, [0.0, 30_000 / 116.0, 500.0])  # mg in 1.45 dL/kg of 80 kg
    assert np.isinf(most(meal, times, None)).all()
    assert np.isinf(most([*meal, ("insulin_basal_rate", 0.1, NOW)], times, 80.0)).all()  # a lower rate raises, too


def test_the_error_moves_nothing_beyond_what_a_body_can_hold():
    change = np.array([[300.0, -90.0, 900.0, 4.0] * 100])
    wide = with_model_error(change, [6.0], MODEL, least=np.full((1, 1), -100.0), most=np.full((1, 1), 500.0))
    assert wide[change < 900.0].max() == 500.0
    assert wide.min() == -100.0
    assert wide[change == 900.0].max() == 900.0  # what the members themselves say is not hidden
