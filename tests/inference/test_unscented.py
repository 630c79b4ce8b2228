"""The sigma-point filter against Kalman's exact equations, and what a twin relies on: replay, pieces, absence."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inference import linear
from inference.histories import history, kalman
from medtwin.errors import InferenceError
from medtwin.inference import tape as tapes
from medtwin.inference.hypotheses import GLUCOSE, SINGLE
from medtwin.inference.problem import problem
from medtwin.inference.shipped import glucose_update
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import run, start
from medtwin.physiology.glucose_insulin import GlucoseInsulin

EVERY = Unscented(bank=SINGLE, interval=1)


def same(one, other):
    """Every bit of two trees is the same."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert np.array_equal(a, b, equal_nan=np.issubdtype(np.asarray(a).dtype, np.floating))


@pytest.fixture(scope="module")
def triple():
    model = linear.Triple()
    return model, problem(model, walk=3.0, spread=0.6)


@pytest.mark.parametrize("model", [linear.Scalar(), linear.Triple()], ids=["scalar", "three"])
def test_equals_kalman(model):
    made = problem(model, walk=3.0, spread=0.6)
    tape = history(model, 120)
    belief, trace = run(EVERY, made, start(EVERY, made), tape)
    mean, covariance, evidence, innovations = kalman(made, model, tape)
    got_mean, got_covariance = belief.moments()
    np.testing.assert_allclose(got_mean, mean, atol=1e-10)
    np.testing.assert_allclose(got_covariance, covariance, atol=1e-10)
    np.testing.assert_allclose(belief.evidence, evidence, atol=1e-8)
    assert len(innovations) > 30
    for i, name, innovation, sd, density in innovations:
        surprise = trace.surprise[name]
        np.testing.assert_allclose(
            [surprise.innovation[i], surprise.sd[i], surprise.log_density[i]], [innovation, sd, density], atol=1e-9
        )
        np.testing.assert_allclose(surprise.nis[i], (innovation / sd) ** 2, rtol=1e-7)
    assert int(trace.repairs.sum()) == 0


def test_replay_gives_the_same_bits_and_pieces_the_same_numbers(triple):
    model, made = triple
    tape = history(model, 120, seed=3)
    begin = start(EVERY, made)
    whole, seen = run(EVERY, made, begin, tape)
    again, _ = run(EVERY, made, begin, tape)
    same(whole, again)
    belief, parts = begin, []
    for piece in tapes.cut(tape, 40, 1.0):
        belief, part = run(EVERY, made, belief, piece)
        parts.append(part.mean["second"])
    np.testing.assert_allclose(belief.mean, whole.mean, atol=1e-12)
    np.testing.assert_allclose(belief.moments()[1], whole.moments()[1], atol=1e-12)
    np.testing.assert_allclose(jnp.concatenate(parts), seen.mean["second"], atol=1e-12)
    assert int(belief.step) == int(whole.step) == 120


def test_a_tape_ends_where_it_is_valid(triple):
    model, made = triple
    long, short = history(model, 40, seed=4), history(model, 40, seed=4)
    long = eqx.tree_at(lambda t: t.valid, long, np.asarray(23, np.int32))
    for array in (*short.inputs.values(), *(r.value for r in short.readings.values())):
        array[23:] = 1e6  # what comes after "now" must not matter
    short = eqx.tree_at(lambda t: t.valid, short, np.asarray(23, np.int32))
    first, second = (run(EVERY, made, start(EVERY, made), t) for t in (long, short))
    same(first, second)
    mean, covariance, _, _ = kalman(made, model, long)
    np.testing.assert_allclose(first[0].moments()[0], mean, atol=1e-10)
    np.testing.assert_allclose(first[0].moments()[1], covariance, atol=1e-10)
    assert int(first[0].step) == 23
    assert not np.asarray(first[1].settled)[23:].any()


def test_a_reading_that_is_no_number_is_absent(triple):
    model, made = triple
    tape, gone = history(model, 40, seed=5), history(model, 40, seed=5)
    reading = tape.readings["second"]
    lost = np.flatnonzero(reading.present)[:4]
    reading.value[lost] = [np.nan, np.inf, -np.inf, np.nan]
    gone.readings["second"].present[lost] = False
    first, seen = run(EVERY, made, start(EVERY, made), tape)
    second, _ = run(EVERY, made, start(EVERY, made), gone)
    same(first, second)
    assert np.isnan(np.asarray(seen.surprise["second"].innovation)[lost]).all()


def test_points_may_travel_between_readings(triple):
    # a longer interval adds noise later than it arises: equal without noise, near with it
    model, made = triple
    quiet = eqx.tree_at(lambda p: p.walk, made, jnp.zeros(2))
    tape = history(model, 120, seed=6)
    seldom = Unscented(bank=SINGLE, interval=12, noise=(("first", 0.0), ("second", 0.0), ("third", 0.0)))
    often = Unscented(bank=SINGLE, interval=1, noise=seldom.noise)
    a, _ = run(seldom, quiet, start(seldom, quiet), tape)
    b, _ = run(often, quiet, start(often, quiet), tape)
    np.testing.assert_allclose(a.moments()[0], b.moments()[0], atol=1e-9)
    np.testing.assert_allclose(a.moments()[1], b.moments()[1], atol=1e-9)


@pytest.mark.slow
def test_each_person_of_a_batch_is_alone(triple):
    model, made = triple
    tape = history(model, 40, seed=7, batch=(130,))  # more than a block
    tape.valid[:3] = [0, 7, 39]
    belief, trace = run(EVERY, made, start(EVERY, made, (130,)), tape)
    for who in (0, 1, 2, 3, 129):
        own = jax.tree.map(lambda x, who=who: x[..., who] if np.ndim(x) and x.shape[-1] == 130 else x, tape)
        alone, seen = run(EVERY, made, start(EVERY, made), own)
        np.testing.assert_allclose(belief.mean[..., who], alone.mean, atol=1e-11)
        np.testing.assert_allclose(belief.root[..., who], alone.root, atol=1e-11)
        np.testing.assert_allclose(trace.mean["third"][:, who], seen.mean["third"], atol=1e-11)


def test_one_trace_serves_every_person_and_every_number_type(triple):
    model, _ = triple
    fold = eqx.filter_jit(eqx.debug.assert_max_traces(EVERY.fold, max_traces=1))
    for k, walk in enumerate((0.5, 1.0, 2.0)):
        made = problem(model, walk=walk, spread=0.3 + walk)
        tape = history(model, 10, seed=k)
        tape = eqx.tree_at(lambda t: (t.start, t.valid), tape, (k * 60 if k else 0.0, 10 - k))
        fold(made, start(EVERY, made), tapes.typed(tape))


def test_a_tape_that_does_not_fit_is_refused(triple):
    model, made = triple
    tape = history(model, 10)
    with pytest.raises(InferenceError, match="multiple of the update's interval, 4"):
        run(Unscented(interval=4), made, start(EVERY, made), tape)
    with pytest.raises(InferenceError, match="as triple declares them"):
        run(EVERY, made, start(EVERY, made), eqx.tree_at(lambda t: t.inputs, tape, {"pull": tape.inputs["push"]}))
    with pytest.raises(InferenceError, match="an accepted quantity that enters a state"):
        start(Unscented(bank=GLUCOSE), made)


@pytest.mark.slow
def test_whatever_happens_beliefs_stay_numbers():
    """Hours of absurd readings, doses and silence, in people from far out in the prior, under the shipped bank."""
    model, update, n = GlucoseInsulin(), glucose_update(), 24
    made = problem(model)
    rng = np.random.default_rng(8)
    tape = tapes.blank(model, 720, (n,))
    tape.inputs["insulin_basal_rate"][...] = rng.choice([0.0, 1.0, 5.0], n)
    tape.inputs["carbohydrate_intake"][rng.integers(0, 720, 200), rng.integers(0, n, 200)] = 30.0
    tape.inputs["insulin_bolus"][rng.integers(0, 720, 60), rng.integers(0, n, 60)] = 20.0
    reading = tape.readings["glucose"]
    reading.value[...] = rng.choice([20.0, 40.0, 120.0, 400.0, 1000.0], (720, n))
    reading.sd[...] = rng.choice([0.5, 7.0, 40.0], (720, n))
    reading.present[...] = (rng.random((720, n)) < 0.3) & (np.arange(720)[:, None] % 300 < 200)
    reading.kind[...] = rng.choice([0, 0, 0, 1, 2], (720, n))
    begin = start(update, made, (n,))
    states = len(made.states)
    away = 3.0 * rng.choice([-1.0, 1.0], (len(made.inferred), 1, n))
    begin = eqx.tree_at(lambda b: b.mean, begin, begin.mean.at[states : made.size].set(jnp.asarray(away)))
    for piece in tapes.cut(tape, 360, 1.0):
        begin, trace = run(update, made, begin, piece)
        for leaf in (begin.mean, begin.root, begin.log_probability, begin.evidence):
            assert np.isfinite(leaf).all()
        np.testing.assert_allclose(begin.probability.sum(0), 1.0, atol=1e-9)
        settled = np.asarray(trace.settled)
        assert np.isfinite(np.asarray(trace.sd["glucose"])[settled]).all()
        present = np.asarray(piece.readings["glucose"].present)
        assert np.isfinite(np.asarray(trace.surprise["glucose"].log_density)[present]).all()
