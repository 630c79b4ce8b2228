"""The bank of hypotheses against mixtures that are exact: no switching for ever, and one switch at one reading."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from inference import linear
from inference.histories import history, kalman
from medtwin.errors import InferenceError
from medtwin.inference import hypotheses, shipped
from medtwin.inference import tape as tapes
from medtwin.inference.hypotheses import AS_EXPECTED, Hypothesis, Opens, Shifts
from medtwin.inference.problem import problem
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import run, start
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.glucose_meals import GlucoseMeals

MODEL = linear.Triple()


def test_transitions_are_probabilities_and_shares_are_their_fixed_point():
    minutes = jnp.asarray([0.0, 5.0, 60.0])
    found = np.asarray(hypotheses.transition(hypotheses.GLUCOSE, minutes))
    np.testing.assert_allclose(found.sum(1), 1.0, atol=1e-12)
    assert (found >= 0).all()
    np.testing.assert_array_equal(found[:, :, 0], np.eye(len(hypotheses.GLUCOSE)))
    one = np.asarray(hypotheses.transition(hypotheses.GLUCOSE, jnp.asarray(1e-3)))
    share = np.asarray(hypotheses.stationary(hypotheses.GLUCOSE))
    np.testing.assert_allclose(share @ one, share, atol=1e-8)


def test_the_wide_bank_adds_to_the_shipped_one_and_leaves_its_name_as_it_was():
    """A filter is known by its repr: what came later stands there only where it does something."""
    for model in (GlucoseInsulin(), GlucoseMeals()):
        bank = hypotheses.wide(model.name)
        hypotheses.check(bank, model)
        assert bank[: len(hypotheses.GLUCOSE)] == hypotheses.GLUCOSE
        assert [h.name for h in bank[5:]] == ["missed_bolus", "lost_bolus", "sensor_drift", "illness"]
        assert all(h.question for h in bank[1:])
        assert shipped.wide_update(model.name).bank == bank
    assert "drifts" not in repr(hypotheses.GLUCOSE)
    assert "moves" not in repr(hypotheses.GLUCOSE)
    assert "drifts=(('sensor_bias', 0.5),)" in repr(hypotheses.SENSOR_DRIFT)
    with pytest.raises(InferenceError, match="glucose_insulin or glucose_meals"):
        hypotheses.wide("glucose_type_2")
    wrong = Hypothesis(name="wrong", meaning="", moves=(("nothing", 1.0, 1.0),))
    with pytest.raises(InferenceError, match="nothing"):
        hypotheses.check((AS_EXPECTED, wrong), GlucoseInsulin())


@pytest.mark.parametrize("kind", ["moves", "drifts"])
def test_a_hypothesis_moves_a_deviate_once_or_lets_it_drift(kind):
    """One settling after an hour: who begins brings the jump, who holds has drifted since; nothing draws either back."""
    made = problem(MODEL, walk=0.0, spread=0.0)
    name, place = made.inferred[0], len(made.states)
    acts = {"moves": ((name, -2.0, 0.3),)} if kind == "moves" else {"drifts": ((name, 0.5),)}
    bank = (AS_EXPECTED, Hypothesis(name="acts", meaning="", per_day=12.0, **acts))
    steps = round(3600.0 / MODEL.clock.unit / MODEL.clock.step)
    update = Unscented(bank=bank, interval=steps)
    tape = tapes.blank(MODEL, steps, ())
    tape.valid[()] = steps
    share = [1.0 - 1e-12, 1e-12] if kind == "moves" else [1e-12, 1.0 - 1e-12]
    begin = eqx.tree_at(lambda b: b.log_probability, start(update, made), jnp.log(jnp.asarray(share)))
    belief, _ = run(update, made, begin, tape)
    mean, root = np.asarray(belief.mean)[place], np.asarray(belief.root)[place]
    before = np.linalg.norm(np.asarray(begin.root)[place, :, 0])
    now = np.linalg.norm(root[:, 1])
    assert mean[1] - np.asarray(begin.mean)[place, 1] == pytest.approx(-2.0 if kind == "moves" else 0.0, abs=1e-6)
    assert now**2 - before**2 == pytest.approx(0.3**2 if kind == "moves" else 0.5**2, rel=1e-6)


def test_hypotheses_that_never_change_are_an_exact_mixture():
    """Three filters side by side: their weights are prior times evidence (Magill 1965)."""
    steps = 60
    bank = (
        AS_EXPECTED,
        Hypothesis(name="restless", meaning="moves fast", walk=2.0),
        Hypothesis(name="low", meaning="reads low", shifts=Shifts(quantity="second", mean=-0.5, sd=0.4)),
    )
    made = problem(MODEL, walk=3.0, spread=0.6)
    update = Unscented(bank=bank, interval=1)
    tape = history(MODEL, steps, seed=1)
    prior = np.array([0.5, 0.3, 0.2])
    begin = eqx.tree_at(lambda b: b.log_probability, start(update, made), jnp.log(jnp.asarray(prior)))
    belief, trace = run(update, made, begin, tape)

    low = history(MODEL, steps, seed=1)
    low.readings["second"].value[...] += 0.5
    low.readings["second"].sd[...] = np.hypot(low.readings["second"].sd, 0.4)
    cases = (
        kalman(made, MODEL, tape),
        kalman(problem(MODEL, walk=6.0, spread=0.6), MODEL, tape),
        kalman(made, MODEL, low),
    )
    logs = np.log(prior) + np.array([evidence for _, _, evidence, _ in cases])
    weight = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    assert weight.min() > 1e-3  # all three have a say
    np.testing.assert_allclose(belief.probability, weight, atol=1e-9)
    for j, (mean, covariance, _, _) in enumerate(cases):
        np.testing.assert_allclose(belief.mean[:, j], mean, atol=1e-9)
        np.testing.assert_allclose(belief.root[:, :, j] @ belief.root[:, :, j].T, covariance, atol=1e-9)
    np.testing.assert_allclose(belief.evidence, np.logaddexp.reduce(logs), atol=1e-7)
    mean, covariance = belief.moments()
    np.testing.assert_allclose(mean, sum(w * c[0] for w, c in zip(weight, cases, strict=True)), atol=1e-9)
    apart = [c[0] - np.asarray(mean) for c in cases]
    expected = sum(w * (c[1] + np.outer(a, a)) for w, c, a in zip(weight, cases, apart, strict=True))
    np.testing.assert_allclose(covariance, expected, atol=1e-9)
    np.testing.assert_allclose(trace.probability[-1], weight, atol=1e-9)


def test_one_switch_at_one_reading_is_exact():
    """What may have entered within one step: probability, amount and its uncertainty by Bayes' rule on Gaussians."""
    eats = Hypothesis(
        name="eats", meaning="ate", per_day=288.0, minutes=60.0, opens=Opens(quantity="push", mean=3.0, sd=0.8)
    )
    jumps = Hypothesis(name="jumps", meaning="offset moved", per_day=72.0, minutes=60.0, widens=(("offset", 2.0),))
    made = problem(MODEL, walk=0.5, spread=0.6)
    update = Unscented(bank=(AS_EXPECTED, eats, jumps), interval=1, reach=1.0)
    begin = start(update, made)
    begin = eqx.tree_at(lambda b: b.log_probability, begin, jnp.log(jnp.asarray([1.0, 1e-300, 1e-300])))
    tape = tapes.blank(MODEL, 1)
    reading = tape.readings["second"]
    reading.value[0], reading.sd[0], reading.present[0] = 4.2, 0.4, True
    belief, trace = run(update, made, begin, tape)

    system, (mean, covariance) = linear.exact(made, MODEL), linear.prior(made)
    mean, covariance = system.predict(mean, covariance, 0.0)
    enters, offset = made.states.index("second"), len(made.states) + made.inferred.index("offset")
    way = np.zeros(made.size)
    way[enters] = 1.0 / float(made.scale[enters])
    wide = np.zeros((made.size, made.size))
    decay2 = np.exp(-(float(made.walk[made.inferred.index("offset")]) ** 2))  # the walk draws back after the jump
    wide[offset, offset] = 4.0 * decay2
    cases = [(mean, covariance), (mean + 3.0 * way, covariance + 0.64 * np.outer(way, way)), (mean, covariance + wide)]
    prior = np.array([1 - 288 / 1440 - 72 / 1440, 288 / 1440, 72 / 1440])
    after = [system.correct(m, c, 0, 4.2, 0.4) for m, c in cases]
    logs = np.log(prior) + np.array([density for _, _, density, _, _ in after])
    weight = np.exp(logs) / np.exp(logs).sum()
    np.testing.assert_allclose(trace.probability_before[0], prior, atol=1e-9)
    np.testing.assert_allclose(belief.probability, weight, atol=1e-9)
    for j, (m, c, *_) in enumerate(after):
        np.testing.assert_allclose(belief.mean[: made.size, j], m, atol=1e-8)
        root = np.asarray(belief.root[: made.size, :, j])
        np.testing.assert_allclose(root @ root.T, c, atol=1e-8)
    # the amount is a linear function of what entered: cov(amount, y) = 0.64 row·way
    row, innovation, variance = system.rows[0], after[1][3], after[1][4]
    gain = 0.64 * (row @ way) / variance
    np.testing.assert_allclose(trace.amount_mean["eats"][0], 3.0 + gain * innovation, atol=1e-8)
    np.testing.assert_allclose(trace.amount_sd["eats"][0], np.sqrt(0.64 - gain**2 * variance), atol=1e-8)
    assert 0.0 < float(trace.minutes_ago["eats"][0]) < 1.0


@pytest.mark.slow
def test_what_nobody_believed_leaves_nothing_behind():
    eats = Hypothesis(
        name="eats", meaning="ate", per_day=1e-6, minutes=3.0, opens=Opens(quantity="push", mean=3.0, sd=0.8)
    )
    made = problem(MODEL, walk=0.0, spread=0.6)
    banked, single = Unscented(bank=(AS_EXPECTED, eats), interval=1), Unscented(interval=1)
    begin = start(banked, made)
    far = begin.mean.at[1, 1].add(50.0)
    tape = history(MODEL, 30, seed=2)
    begin = eqx.tree_at(lambda b: (b.mean, b.log_probability), begin, (far, jnp.log(jnp.asarray([0.9, 0.1]))))
    belief, _ = run(banked, made, begin, tape)
    alone, _ = run(single, made, start(single, made), tape)
    np.testing.assert_allclose(belief.mean[: made.size, 0], alone.mean[:, 0], atol=1e-6)
    # while one that was believed does: its state comes along when it ends
    begin = eqx.tree_at(lambda b: b.log_probability, begin, jnp.log(jnp.asarray([0.5, 0.5])))
    belief, _ = run(banked, made, begin, tapes.blank(MODEL, 1))
    assert float(belief.mean[1, 0]) > 1.0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Hypothesis(name="x", meaning="", opens=Opens(quantity="pull", mean=1, sd=1)), "enters a state"),
        (Hypothesis(name="x", meaning="", shifts=Shifts(quantity="fourth", mean=1, sd=1)), "one of"),
        (Hypothesis(name="x", meaning="", widens=(("drift", 1.0),)), "inferred parameters"),
    ],
)
def test_a_hypothesis_about_what_a_model_lacks_is_refused(wrong, says):
    with pytest.raises(InferenceError, match=says):
        hypotheses.check((AS_EXPECTED, wrong), MODEL)
    with pytest.raises(InferenceError, match="first"):
        hypotheses.check((hypotheses.SENSOR_LOW,), MODEL)
