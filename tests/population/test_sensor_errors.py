"""Reading by reading, the laws of ``physiology/sensor_errors``: the same deviates give the same errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.errors import ModelError
from medtwin.physiology.sensor_errors.autoregression import autoregressed
from medtwin.physiology.sensor_errors.breton import dexcom, johnson
from medtwin.physiology.sensor_errors.compression import Compression
from medtwin.physiology.sensor_errors.error_model import readings
from medtwin.physiology.sensor_errors.vettoretti import g6
from medtwin.population.sensor import Exact
from medtwin.population.sensor_errors import SENSORS, Drifts, Knots, Pressed, sensor_of


def read(sensor, glucose, normal):
    def one(state, drawn):
        return sensor.read(state, glucose, drawn)

    return np.asarray(jax.jit(lambda drawn: jax.lax.scan(one, sensor.begin(glucose), drawn)[1])(normal))


def drawn(sensor, days, people, seed=1):
    return jax.random.normal(jax.random.key(seed), (288 * days, sensor.draws, people))


def test_breton_is_its_walk_on_a_line():
    sensor = Knots("breton", dexcom())
    normal = drawn(sensor, 1, 5)
    knots = johnson(sensor.law, sensor.law.walk(jnp.concatenate([normal[:1, 1], normal[::3, 0]])))
    error = read(sensor, jnp.full(5, 200.0), normal) - 200.0
    np.testing.assert_allclose(error[::3], knots[:-1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(error[1::3], (2 * knots[:-1] + knots[1:]) / 3, rtol=1e-6, atol=1e-6)


def test_g6_is_its_drift_and_its_noises():
    law = g6(gain_sd=0.0, offset_sd=0.0)
    sensor = Drifts("g6", law)
    normal = drawn(sensor, 12, 3)
    noise = 0.0
    for part, z in ((law.own, normal[:, 0]), (law.common, normal[:, 1])):
        spread, near = part.variance**0.5, part.correlation
        first = spread * z[0]
        second = near * first + spread * (1 - near**2) ** 0.5 * z[1]
        noise += np.concatenate([first[None], second[None], autoregressed(part, first, second, z[2:])])
    a, b = (np.asarray(x)[:, None] for x in law.calibration(jnp.mod(jnp.arange(12 * 288.0), 2880.0) / 288.0))
    np.testing.assert_allclose(read(sensor, jnp.full(3, 160.0), normal), a * 160.0 + b + noise, rtol=1e-5)


@pytest.mark.parametrize("name, law", [("g6", g6()), ("g6-compression", Compression(g6()))])
def test_errors_are_distributed_as_those_of_whole_traces(name, law):
    """Mean, spread and the lowest percents of 400 people's days; both are samples: 5 standard errors."""
    sensor = sensor_of(name)
    one = read(sensor, jnp.full(400, 140.0), drawn(sensor, 3, 400))
    other = np.asarray(readings(law, jax.random.key(7), jnp.full((3 * 288, 400), 140.0)))
    for what in (np.mean, np.std, lambda x, axis: np.percentile(x, 2, axis=axis)):
        a, b = what(one, axis=0), what(other, axis=0)
        assert abs(a.mean() - b.mean()) < 5 * (a.var() / 400 + b.var() / 400) ** 0.5


def test_lows_of_lying_on_it_come_by_night():
    sensor = Pressed("pressed", Compression(g6()), Exact())
    fall = 140.0 - read(sensor, jnp.full(300, 140.0), drawn(sensor, 8, 300)).reshape(8, 288, 300)
    assert np.all(fall >= 0.0)
    assert fall[:, 120:270].max() < 0.5  # 10:00 to 22:30
    night = np.concatenate([fall[:-1, 276:], fall[1:, :120]], axis=1).max(axis=1)  # 23:00 to 10:00
    share = (night > 3.0).mean()
    assert share == pytest.approx(0.3, abs=5 * (0.3 * 0.7 / night.size) ** 0.5 + 0.005)
    assert np.median(night[night > 3.0]) == pytest.approx(24.0, rel=0.1)


def test_names():
    assert {name: sensor_of(name).name for name in SENSORS} == {name: name for name in SENSORS}
    with pytest.raises(ModelError, match="one of autoregressive, exact, breton"):
        sensor_of("nose")
