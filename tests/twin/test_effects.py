"""An effect's interval holds the model's own error; its median and its sign stay the members'."""

import numpy as np

from medtwin.twin.effects import ERROR, HOURS, UNMEASURED, model_error, with_model_error

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
