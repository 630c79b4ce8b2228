"""Compression lows: as long, as deep and at the hours that are published; and a first-order system's answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from medtwin.physiology.sensor_errors.compression import Compression, pressed
from medtwin.physiology.sensor_errors.error_model import readings
from medtwin.physiology.sensor_errors.vettoretti import g6

KEY = jax.random.key(8)


def test_answer_to_a_pressure_is_that_of_the_equation():
    minutes = np.linspace(0, 120, 25)
    solved = solve_ivp(
        lambda t, d: (float(10 <= t < 50) - d) / 8.0, (0, 120), [0.0], t_eval=minutes, max_step=0.05, rtol=1e-8
    )
    assert np.asarray(pressed(jnp.asarray(minutes - 10), jnp.asarray(40.0), 8.0)) == pytest.approx(
        solved.y[0], abs=5e-3
    )


def test_depth_duration_and_hour():
    """Facchinetti2016: depth 24 (10 to 48) mg/dL, duration 45 (30 to 70) min, by night."""
    people = 4000
    lows = np.asarray(Compression(g6(), per_night=1.0, first=720.0).lows(KEY, 1440, (people,), 1.0))  # noon to noon
    deep = lows.max(0)
    had = deep > 1
    assert had.mean() > 0.99
    assert np.quantile(deep[had], [0.05, 0.5, 0.95]) == pytest.approx([10, 24, 48], rel=0.12)
    lasted = (lows > deep / 2).sum(0)[had]  # at half depth a rectangle through a first order lasts as long as it
    assert np.quantile(lasted, [0.05, 0.5, 0.95]) == pytest.approx([30, 45, 70], rel=0.08)
    pressing = np.flatnonzero((lows > 1).any(1)) + 720
    assert pressing.min() >= 1380
    assert pressing.max() < 1380 + 7 * 60 + 180


def test_how_often_and_only_downwards():
    truth = jnp.full((288 * 5, 500), 120.0)
    model = Compression(g6())
    beneath, pressing = jax.random.split(KEY)
    plain, seen = g6().readings(beneath, truth, worn=0.0, step=5.0), readings(model, KEY, truth)
    lows = np.asarray(model.lows(pressing, len(truth), (500,), 5.0))
    nights = np.stack([lows[288 * n + 240 : 288 * (n + 1) + 120].max(0) > 1 for n in range(4)])
    assert nights.mean() == pytest.approx(0.3, abs=0.04)
    assert bool((seen <= plain).all())
    assert bool((seen[lows == 0] == plain[lows == 0]).all())
    assert float(seen.min()) >= 40
