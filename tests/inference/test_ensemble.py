"""The ensemble filter against Kalman's equations, within the Monte Carlo error of its members."""

import equinox as eqx
import jax
import numpy as np
import pytest

from inference import linear
from inference.histories import history, kalman
from medtwin.errors import InferenceError
from medtwin.inference import tape as tapes
from medtwin.inference.ensemble import Ensemble
from medtwin.inference.problem import problem
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import run, start

MODEL = linear.Triple()


@pytest.fixture(scope="module")
def made():
    return problem(MODEL, walk=3.0, spread=0.6)


@pytest.mark.slow
def test_within_monte_carlo_error_of_kalman(made):
    """Many independent ensembles: their mean error over its own standard error is that of chance."""
    tape = history(MODEL, 40, seed=1)
    mean, covariance, evidence, _ = kalman(made, MODEL, tape)
    size, runs = 1024, 40
    wide = jax.tree.map(lambda x: np.repeat(np.asarray(x)[..., None], runs, -1) if np.ndim(x) else x, tape)
    wide = eqx.tree_at(lambda t: t.valid, wide, np.full(runs, 40, np.int32))
    update = Ensemble(size=size, interval=1)
    belief, trace = run(update, made, start(update, made, (runs,)), wide)
    found = np.asarray(belief.vectors.mean(1))
    sd = np.sqrt(np.diagonal(covariance))
    # the mean of one ensemble strays by a few sd/sqrt(size); what all have in common is bias, of order dimension/size
    stray = found.std(1, ddof=1)
    assert (stray < 6.0 * sd / np.sqrt(size)).all()
    assert (np.abs(found.mean(1) - mean) < 4.5 * stray / np.sqrt(runs) + made.size * sd / size).all()
    spread = np.asarray(belief.vectors.var(1, ddof=1))
    error = spread.std(1, ddof=1) / np.sqrt(runs)
    assert (np.abs(spread.mean(1) - sd**2) < 4.5 * error + 2 * made.size * sd**2 / size).all()
    readings = sum(int(r.present.sum()) for r in tape.readings.values())
    chance = float(belief.evidence.std()) / np.sqrt(runs)
    assert abs(float(belief.evidence.mean()) - evidence) < 4.5 * chance + readings * made.size / size
    assert np.isfinite(np.asarray(trace.mean["second"])).all()


@pytest.mark.slow
def test_replay_gives_the_same_bits_and_pieces_the_same_noise(made):
    update = Ensemble(size=256, interval=5)
    tape = history(MODEL, 60, seed=2)
    begin = start(update, made)
    whole, _ = run(update, made, begin, tape)
    again, _ = run(update, made, begin, tape)
    belief = begin
    for piece in tapes.cut(tape, 20, 1.0):
        belief, _ = run(update, made, belief, piece)
    assert np.array_equal(whole.vectors, again.vectors)
    np.testing.assert_allclose(belief.vectors, whole.vectors, atol=1e-9)  # noise is counted by absolute steps
    other = Ensemble(size=256, interval=5, seed=1)
    different, _ = run(other, made, start(other, made), tape)
    assert not np.allclose(different.vectors, whole.vectors, atol=1e-3)


def test_a_bound_is_met(made):
    tape = tapes.blank(MODEL, 1)
    reading = tape.readings["third"]
    reading.value[0], reading.sd[0], reading.present[0], reading.kind[0] = -0.2, 0.1, True, tapes.UPPER
    update, exact = Ensemble(size=4096, interval=1), Unscented(interval=1)
    after, trace = run(update, made, start(update, made), tape)
    wanted, _ = run(exact, made, start(exact, made), tape)
    mean, covariance = wanted.moments()
    sd = np.sqrt(np.diagonal(covariance))
    # a shift of several sd in units of the sample's own: its error is that of the mean and of the spread together
    before = np.sqrt(np.diagonal(start(exact, made).moments()[1]))
    assert (np.abs(after.moments()[0] - mean) < 6 * before / np.sqrt(4096)).all()
    np.testing.assert_allclose(np.diagonal(after.moments()[1]), sd**2, rtol=6 * np.sqrt(2 / 4096))
    assert np.isnan(trace.surprise["third"].nis[0])


def test_a_small_ensemble_is_refused():
    with pytest.raises(InferenceError, match="at least 256"):
        Ensemble(size=32)
