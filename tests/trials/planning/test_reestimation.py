"""Sample size once more: the blinded variance, conditional power, and a level that holds."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from medtwin.errors import AnalysisError
from medtwin.trials.planning.reestimation import blinded_variance, conditional_power, promising_zone


def test_blinded_variance_takes_the_effect_out():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(4000):
        y = 1.5 * rng.standard_normal(60) + 0.8 * np.repeat([0, 1], [20, 40])
        found.append(blinded_variance(y.var(ddof=1), 20, 40, 0.8))
    assert np.mean(found) == pytest.approx(2.25, abs=0.03)
    for bad in ((0.01, 20, 20, 1.0), (1.0, 0, 20, 1.0), (-1.0, 20, 20, 1.0)):
        with pytest.raises(AnalysisError):
            blinded_variance(*bad)


def test_conditional_power_by_simulation():
    rng = np.random.default_rng(5)
    rest = 2.8 * 0.6 + np.sqrt(0.6) * rng.standard_normal(400_000)
    seen = (1.2 * np.sqrt(0.4) + rest >= 1.96).mean()
    assert conditional_power(1.2, 0.4, 1.96, 2.8) == pytest.approx(seen, abs=0.003)
    assert conditional_power(1.2, 0.4, 1.96) == pytest.approx(conditional_power(1.2, 0.4, 1.96, 1.2 / np.sqrt(0.4)))


def test_zones():
    assert promising_zone(0.2, 100, 200).zone == "unfavourable"
    assert promising_zone(-1.0, 100, 200, lowest=1e-6).n == 200
    good = promising_zone(2.2, 100, 200)
    assert (good.zone, good.n) == ("favourable", 200)
    assert good.final == pytest.approx(ndtri(0.975))
    promising = promising_zone(1.5, 100, 200, most=3.0)
    assert promising.zone == "promising"
    assert 200 < promising.n < 600
    assert promising.reached == pytest.approx(0.9)
    assert promising_zone(1.3, 100, 200, most=1.2).n == pytest.approx(240)
    for bad in ({"n_interim": 200}, {"most": 0.5}, {"alpha": 0.0}, {"lowest": 2.0}):
        with pytest.raises(AnalysisError):
            promising_zone(**({"z": 1.5, "n_interim": 100, "n_planned": 200} | bad))


def test_the_level_holds():
    rng = np.random.default_rng(6)
    rejected = []
    for z in rng.standard_normal(20_000):
        made = promising_zone(z, 100, 200, lowest=0.2, most=2.5)
        second = (made.final * np.sqrt(made.n) - z * np.sqrt(100)) / np.sqrt(made.n - 100)
        rejected.append(1 - ndtr(second))  # of the second stage, without effect
    assert np.mean(rejected) == pytest.approx(0.025, abs=0.001)
