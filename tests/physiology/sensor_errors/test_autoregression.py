"""Yule and Walker: variance and autocorrelation of what is sampled."""

import jax
import numpy as np
import pytest

from medtwin.physiology.sensor_errors.autoregression import Autoregression
from medtwin.physiology.sensor_errors.facchinetti import g5, seven_plus
from medtwin.physiology.sensor_errors.vettoretti import g6

LAWS = {
    "g6 own": g6().own,
    "g6 common": g6().common,
    "g5": g5().own,
    "seven plus": seven_plus().own,
    "first order": Autoregression(0.7, 0.0, 2.0),
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_variance_and_autocorrelation_by_yule_walker(law):
    lags = 4
    matrix, right = np.eye(lags + 1), np.zeros(lags + 1)  # autocovariances: c_k = first c_|k-1| + second c_|k-2|
    for k in range(lags + 1):
        matrix[k, abs(k - 1)] -= law.first
        matrix[k, abs(k - 2)] -= law.second
    right[0] = law.innovation
    theory = np.linalg.solve(matrix, right)
    assert law.variance == pytest.approx(theory[0])
    assert law.correlation == pytest.approx(theory[1] / theory[0])
    drawn = np.asarray(law.sample(jax.random.key(1), (40, 20000)))
    for time in (0, 39 - lags):  # stationary from the first value on
        for k in range(lags + 1):
            measured = (drawn[time] * drawn[time + k]).mean()
            assert measured == pytest.approx(theory[k], abs=5 * theory[0] * (2 / 20000) ** 0.5), (time, k)


def test_variances_of_the_g6():
    assert g6().own.variance == pytest.approx(25.6, abs=0.05)
    assert g6().common.variance == pytest.approx(37.8, abs=0.05)
