"""The columns of a forecast: what stands in each, by hand, and that nothing to come is in any."""

from dataclasses import replace

import numpy as np
import pytest

from medtwin.twin.features import COLUMNS, FADING, PREFIXES, Readings, columns, settled, worn

MINUTE = 60.0


def readings(n=600, **more):
    time = 300.0 * np.arange(n)
    return Readings(time, 120.0 + 30.0 * np.sin(time / 5000.0) + 0.01 * np.arange(n), **more)


def test_the_mean_of_the_last_hours_is_of_those_hours():
    series = readings()
    x = columns(series, np.array([500]))
    assert x.shape == (1, COLUMNS)
    assert x[0, 40] == pytest.approx(series.value[500] - series.value[500 - 72 : 501].mean())
    assert x[0, 41] == pytest.approx(series.value[500] - series.value[500 - 288 : 501].mean())


def test_a_meal_fades_with_its_time_constants():
    series = readings(eaten=np.array([[400 * 300.0, 400 * 300.0, 50.0]]))
    x = columns(series, np.array([399, 400, 412]))[:, 28:32]
    assert not x[0].any()
    np.testing.assert_allclose(x[1], 50.0)
    np.testing.assert_allclose(x[2], 50.0 * np.exp(-3600.0 / FADING))


def test_a_meal_told_late_counts_from_then_on_by_its_true_time():
    series = readings(eaten=np.array([[400 * 300.0, 410 * 300.0, 50.0]]))
    x = columns(series, np.array([409, 410]))[:, 28:32]
    assert not x[0].any()
    np.testing.assert_allclose(x[1], 50.0 * np.exp(-3000.0 / FADING))


def test_nothing_to_come_is_in_a_column():
    """Changing every later reading, meal and dose, and adding some, changes no column."""
    index, end = np.arange(100, 400), 399 * 300.0
    random = np.random.default_rng(0)
    meals = np.column_stack([np.linspace(0, 599, 40) * 300.0] * 2 + [random.uniform(10, 90, 40)])
    series = readings(eaten=meals, injected=meals)
    later = series.time > end
    meals_after = meals.copy()
    meals_after[meals[:, 1] > end, 2] *= 7.0
    more = np.vstack([meals_after, [end + 1.0, end + 1.0, 99.0], [end - 3600.0, end + 1.0, 99.0]])
    other = replace(series, value=np.where(later, 400.0, series.value), eaten=more, injected=more)
    np.testing.assert_array_equal(columns(series, index), columns(other, index))
    assert not np.array_equal(columns(series, np.array([450])), columns(other, np.array([450])))


def test_a_wear_period_must_hold_the_lags():
    time = np.concatenate([300.0 * np.arange(50), 40 * 86400.0 + 300.0 * np.arange(50)])
    found = settled(Readings(time, np.full(100, 120.0)))
    assert np.flatnonzero(found).tolist() == [*range(23, 50), *range(73, 100)]


def test_months_without_a_sensor_count_as_a_day():
    assert worn(np.array([0.0, 300.0, 300.0 + 90 * 86400.0, 600.0 + 90 * 86400.0])).tolist() == [
        0.0,
        300.0,
        86700.0,
        87000.0,
    ]


def test_a_prefix_holds_the_simpler_learners_columns():
    series = readings(eaten=np.array([[300.0 * 300.0, 300.0 * 300.0, 50.0]]))
    bare = columns(replace(series, eaten=np.zeros((0, 3))), np.array([310]))
    x = columns(series, np.array([310]))
    differs = np.flatnonzero(x[0] != bare[0])
    assert differs.min() >= PREFIXES[0]
    assert differs.max() < PREFIXES[1]
