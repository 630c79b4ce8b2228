"""The Johnson law against scipy, the walk against theory, and both against simglucose with the same deviates."""

import csv
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import johnsonsu

from medtwin.physiology.sensor_errors.breton import Breton, dexcom, guardian, johnson, navigator
from medtwin.physiology.sensor_errors.error_model import readings

LAW = Breton()
LETTERS = {
    "persistence": "PACF",
    "xi": "xi",
    "scale": "lambda",
    "gamma": "gamma",
    "delta": "delta",
    "low": "min",
    "high": "max",
}
DEVICES = {"Dexcom": dexcom(), "GuardianRT": guardian(), "Navigator": navigator()}


def test_johnson_law_against_scipy():
    theirs = johnsonsu(LAW.gamma, LAW.delta, loc=LAW.xi, scale=LAW.scale)
    e = np.linspace(-3, 3, 13)
    from scipy.stats import norm

    assert np.asarray(johnson(LAW, jnp.asarray(e))) == pytest.approx(theirs.ppf(norm.cdf(e)), rel=1e-9)
    assert theirs.mean() == pytest.approx(0.76, abs=0.01)  # the published mean of the error, mg/dL
    assert theirs.std() == pytest.approx(11.0, abs=1.2)  # the published 11 mg/dL; the law gives 12.06


def test_the_walk_is_stationary():
    walk = np.asarray(LAW.walk(jax.random.normal(jax.random.key(2), (30, 20000), dtype=float)))
    expected = 0.7**2 / (1 - 0.7**2)
    for k in (0, 29):
        assert walk[k].var() == pytest.approx(expected, rel=0.05)
    assert np.corrcoef(walk[10], walk[11])[0, 1] == pytest.approx(0.7, abs=0.02)


def test_equals_simglucose_with_the_same_deviates():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependency gym has deprecated imports
        from simglucose.sensor.noise_gen import noise15_iter

    theirs_of = {"PACF": 0.7, "xi": -5.47, "lambda": 15.9574, "gamma": -0.5444, "delta": 1.6898}
    iterator = noise15_iter(theirs_of, seed=7)
    theirs = np.array([next(iterator) for _ in range(200)])
    normal = np.random.RandomState(7).randn(200)
    normal[0] *= (1 - 0.7**2) ** 0.5 / 0.7  # it starts at one standard normal, not at the stationary law
    assert np.asarray(johnson(LAW, LAW.walk(jnp.asarray(normal)))) == pytest.approx(theirs, rel=1e-9)
    assert theirs.std() > 5


@pytest.mark.shared
def test_values_are_those_of_simglucose():
    from conftest import SHARED

    with (SHARED / "metabolism" / "reference" / "simglucose_sensor_params.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            ours = DEVICES[row["Name"]]
            for name, letter in LETTERS.items():
                assert getattr(ours, name) == float(row[letter]), (row["Name"], name)


def test_errors_meet_at_the_knots_and_stay_in_range():
    minutes = jnp.arange(0.0, 61.0)
    errors = np.asarray(LAW.errors(jax.random.key(3), minutes, (5,)))
    assert errors[:16] == pytest.approx(np.linspace(errors[0], errors[15], 16), abs=1e-9)
    seen = readings(navigator(), jax.random.key(4), jnp.full((500, 40), 35.0), step=1.0)
    assert float(seen.min()) == 32.0
