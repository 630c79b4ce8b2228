"""The sensor's error has the spread and the memory that it states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.population.sensor import HIGHEST, LOWEST, Autoregressive


def read(sensor, glucose, normal):
    def one(state, drawn):
        return sensor.read(state, glucose, drawn)

    return np.asarray(jax.lax.scan(one, sensor.begin(glucose), normal)[1])


def test_spread_and_memory():
    normal = jax.random.normal(jax.random.key(1), (1000, 200))
    error = read(Autoregressive(), jnp.full(200, 150.0), normal)[50:] / 150.0 - 1.0
    assert error.std() == pytest.approx(0.10, rel=0.02)
    assert np.abs(error).mean() == pytest.approx(0.10 * (2 / np.pi) ** 0.5, rel=0.02)  # the stated 8 %
    assert np.corrcoef(error[:-1].ravel(), error[1:].ravel())[0, 1] == pytest.approx(0.7, abs=0.01)


def test_what_a_sensor_cannot_state():
    normal = jnp.zeros((1, 2))
    assert read(Autoregressive(), jnp.asarray([20.0, 900.0]), normal).tolist() == [[LOWEST, HIGHEST]]
