"""Identification against the exact posterior of a linear model, against NUTS, and on people of a model's own prior."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inference import linear
from medtwin.errors import InferenceError
from medtwin.evidence.identified import live
from medtwin.inference import tape as tapes
from medtwin.inference.identification import (
    GAIN,
    Replay,
    WindowPosterior,
    draws,
    identify,
    modes,
    moved,
    replay_of,
    window,
)
from medtwin.inference.mismatch import Mismatch, gains
from medtwin.inference.nuts import nuts
from medtwin.inference.problem import problem
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.glucose_meals import GlucoseMeals
from medtwin.physiology.glucose_type_2 import GlucoseType2
from medtwin.physiology.hovorka import Hovorka

SETTLED = Mismatch(slow_sd=(0.5, 1.0), slow_time=(4.0, 1.0), white_sd=(0.3, 1.0), settled=True)


@pytest.fixture(scope="module")
def linear_case():
    model, rng = linear.Triple(), np.random.default_rng(0)
    tape = tapes.blank(model, 40, (2,))
    tape.inputs["push"][...] = rng.standard_normal((40, 2))
    seen = tape.readings["third"]
    seen.present[...] = rng.random((40, 2)) < 0.7
    seen.value[...] = 2.0 + rng.standard_normal((40, 2))
    replay = Replay(problem(model), "third", ())
    held = window(tape, "third", dt=1.0)
    return replay, held, identify(replay, held, jax.random.PRNGKey(0), starts=3, mismatch=SETTLED)


def test_laplace_is_exact_where_the_model_is_linear(linear_case):
    replay, held, found = linear_case
    mean, covariance = (np.asarray(x) for x in replay.prior())
    slow, time, white = 0.5, 4.0, 0.3
    for j in range(2):
        here = np.asarray(held.present)[:, j]
        at = np.asarray(held.place)[here, j]

        def path(z, at=at, j=j):
            return np.asarray(replay(held, jnp.tile(jnp.asarray(z)[:, None, None], (1, 1, 2))))[at, 0, j]

        zero = np.zeros(3)
        slopes = np.stack([path(np.eye(3)[k]) - path(zero) for k in range(3)], axis=1)
        noise = slow**2 * np.exp(-np.abs(at[:, None] - at) / time) + white**2 * np.eye(len(at))
        precision = slopes.T @ np.linalg.solve(noise, slopes) + np.linalg.inv(covariance)
        error = np.asarray(held.value)[here, j] - path(zero)
        exact = np.linalg.solve(
            precision, slopes.T @ np.linalg.solve(noise, error) + np.linalg.solve(covariance, mean[:, 0])
        )
        apart = found.mode[:, j] - exact
        assert 0.5 * apart @ precision @ apart < 2.0 * GAIN  # log density below the exact mode: where a climb may end
        np.testing.assert_allclose(found.covariance[j], np.linalg.inv(precision), rtol=1e-6, atol=1e-9)
        assert len(modes(found, j)) == 1
        assert modes(found, j)[0].starts == 3


def test_draws_have_the_moments_of_the_mode_and_what_the_data_moved_is_said(linear_case):
    replay, _, found = linear_case
    sample = draws(found, 0, 20000)
    np.testing.assert_allclose(sample.mean(1), found.mode[:, 0], atol=0.03)
    np.testing.assert_allclose(np.cov(sample), found.covariance[0], atol=0.03)
    said = moved(found, 0, np.sqrt(np.diagonal(np.asarray(replay.prior()[1]))))
    assert said.tolist() == [
        True,
        False,
        False,
    ]  # the offset is of the other reading; nothing is displaced at the start


def test_what_is_told_is_drawn_wider_but_not_beyond_the_prior(linear_case):
    _, _, found = linear_case
    plain, wide = draws(found, 0, 20000), draws(found, 0, 20000, wider=1.5)
    sd = np.sqrt(np.diagonal(found.covariance[0]))
    assert sd[0] < 0.6
    np.testing.assert_allclose(wide.std(1) / plain.std(1), np.clip(1.0 / sd, 1.0, 1.5), rtol=1e-3)
    np.testing.assert_allclose(wide.mean(1), plain.mean(1), atol=0.02)


@pytest.mark.slow
def test_laplace_agrees_with_nuts(linear_case):
    replay, held, found = linear_case
    alone = jax.tree.map(lambda x: x[..., :1] if x.ndim else x, held)
    ones = jnp.ones_like(alone.value)
    posterior = WindowPosterior(replay, alone, gains(SETTLED, jnp.zeros((3, 1)), alone.elapsed, alone.present, ones))
    sampled = nuts(posterior, jax.random.PRNGKey(1), chains=2, warm_up=150, draws=400)
    z = np.asarray(sampled.z).reshape(-1, 3)
    assert float(np.max(np.asarray(sampled.r_hat))) < 1.05
    sd = np.sqrt(np.diagonal(found.covariance[0]))
    np.testing.assert_allclose(z.mean(0), found.mode[:, 0], atol=5 * sd.max() / np.sqrt(200))
    np.testing.assert_allclose(z.std(0), sd, rtol=0.2)


def test_two_modes_are_said_and_both_kept(linear_case):
    _, _, found = linear_case
    other = found.ends.copy()
    other[0, 2, 0] += 20.0 * np.sqrt(found.covariance[0, 0, 0])
    heights = found.heights.copy()
    heights[2, 0] = heights[0, 0] - np.log(3.0)
    two = modes(found._replace(ends=other, heights=heights), 0)
    assert [round(m.weight, 2) for m in two] == [0.75, 0.25]
    assert [m.starts for m in two] == [2, 1]
    sample = draws(found._replace(ends=other, heights=heights), 0, 4000)
    assert 0.2 < np.mean(sample[0] > other[0, 0, 0] + 10 * np.sqrt(found.covariance[0, 0, 0])) < 0.3


@pytest.mark.parametrize("model", [GlucoseMeals(), GlucoseInsulin(), Hovorka(), GlucoseType2()], ids=lambda m: m.name)
@pytest.mark.slow
def test_the_start_moves_what_is_read(model):
    replay = replay_of(problem(model))
    assert replay.seen
    tape = tapes.blank(model, 10, (1,))
    tape.readings["glucose"].present[4] = True
    held = window(tape, dt=model.clock.step)
    z = jnp.zeros((len(replay.names), 2, 1)).at[-1, 1].set(1.0)
    path = np.asarray(replay(held, z))
    assert np.isfinite(path).all()
    assert path[0, 1, 0] > 1.2 * path[0, 0, 0]


@pytest.mark.slow
def test_people_of_the_prior_are_found():
    """Two days of six people: truths lie where posteriors say, and glucose at rest is learnt."""
    lived = live(GlucoseMeals(), 6, 2, 5)
    found = identify(lived.replay, window(lived.tape, dt=1.0), jax.random.PRNGKey(0), starts=2)
    sd = np.sqrt(np.stack([np.diagonal(c) for c in found.covariance], axis=1))
    apart = (lived.truth - found.mode) / sd
    assert 0.6 < np.sqrt(np.mean(apart**2)) < 1.4
    assert sd[found.names.index("dinner_sensitivity")].mean() < 0.8
    assert np.isfinite(found.rmse).all()


def test_nothing_to_identify_from_is_said():
    model = linear.Triple()
    with pytest.raises(InferenceError, match="0 readings"):
        window(tapes.blank(model, 5, (1,)), "third", dt=1.0)
    with pytest.raises(InferenceError, match="glucose to be identified from"):
        replay_of(problem(model))
