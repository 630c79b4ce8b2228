"""Sensitivity over the day and between days."""

import numpy as np
import pytest

from medtwin.worlds import variation


def test_the_day_has_visentins_steps_and_a_mean_of_one():
    hour = np.arange(0, 24, 1 / 60)
    day = variation.circadian(hour)
    assert day.mean() == pytest.approx(1.0, abs=1e-12)
    at = dict(zip((3, 8, 15, 21), variation.circadian(np.array([3.0, 8.0, 15.0, 21.0])), strict=True))
    assert at[8] / at[3] == pytest.approx(0.8)
    assert at[15] / at[3] == pytest.approx(0.9)
    assert at[21] == pytest.approx(at[3])
    assert np.abs(np.diff(day)).max() < 0.005  # smooth
    np.testing.assert_allclose(variation.circadian(np.array([9.0]), 1.0), variation.circadian(np.array([8.0])))


def test_drift_is_stationary_log_normal():
    many = np.stack([np.log(variation.drift(np.random.default_rng(k), 4 * 1440)[::60]) for k in range(400)])
    assert many.mean() == pytest.approx(0.0, abs=0.02)
    assert many[:, 0].std() == pytest.approx(variation.DRIFT_SD, rel=0.12)
    assert many[:, -1].std() == pytest.approx(variation.DRIFT_SD, rel=0.12)
    day = np.mean(many[:, 24:] * many[:, :-24]) / np.mean(many**2)
    assert day == pytest.approx(np.exp(-24 / variation.DRIFT_HOURS), abs=0.1)
