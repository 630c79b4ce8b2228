"""Crossing probabilities against simulation and against known answers."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from medtwin.trials.planning.crossing import crossing


def test_one_look_is_a_normal_tail():
    found = crossing([1.0], 1.3, [1.96], [0.2])
    assert found.upper[0] == pytest.approx(1 - ndtr(1.96 - 1.3), abs=1e-14)
    assert found.lower[0] == pytest.approx(ndtr(0.2 - 1.3), abs=1e-14)


def test_two_looks_are_a_bivariate_normal():
    t, drift, b1, b2, low = 0.3, 2.0, 2.5, 2.0, -0.5
    rho = np.sqrt(t)
    both = stats.multivariate_normal([drift * rho, drift], [[1, rho], [rho, 1]])
    first = ndtr(b1 - drift * rho) - ndtr(low - drift * rho)
    below = both.cdf([b1, b2]) - both.cdf([low, b2])
    assert crossing([t, 1.0], drift, [b1, b2], [low, -np.inf]).upper[1] == pytest.approx(first - below, abs=1e-6)


@pytest.mark.parametrize("drift", [0.0, 1.5, 3.2])
def test_simulated_paths(drift):
    information, upper, lower = np.array([0.2, 0.5, 0.6, 1.0]), [3.0, 2.4, 2.3, 2.0], [-1.0, 0.2, 0.5, 2.0]
    rng, n = np.random.default_rng(11), 200_000
    steps = np.diff(information, prepend=0.0)
    score = np.cumsum(drift * steps + np.sqrt(steps) * rng.standard_normal((n, 4)), axis=1)
    z, going = score / np.sqrt(information), np.ones(n, bool)
    found = crossing(information, drift, upper, lower)
    for k in range(4):
        for share, stopped in ((found.upper[k], z[:, k] >= upper[k]), (found.lower[k], z[:, k] < lower[k])):
            seen = (going & stopped).mean()
            assert abs(seen - share) < 4 * np.sqrt(max(share * (1 - share), 1e-6) / n)
        going &= (z[:, k] < upper[k]) & (z[:, k] >= lower[k])
    assert found.stopping.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.upper.sum() + found.lower.sum() == pytest.approx(1.0, abs=1e-10)


def test_many_and_narrow_looks_lose_no_probability():
    for information in (np.arange(1, 41) / 40, np.array([0.5, 0.501, 0.99, 1.0])):
        low = np.append(np.full(len(information) - 1, -1.0), 2.5)
        found = crossing(information, 0.7, np.full(len(information), 2.5), low)
        assert found.upper.sum() + found.lower.sum() == pytest.approx(1.0, abs=1e-9)
