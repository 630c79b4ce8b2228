"""The sigma-point filter against Kalman's exact equations."""

import numpy as np
import pytest

from inference import linear
from medtwin.inference import tape as tapes
from medtwin.inference.hypotheses import SINGLE
from medtwin.inference.problem import problem
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import run, start


def history(model, steps, seed=0, batch=()):
    """Random pushes and readings at random steps."""
    rng = np.random.default_rng(seed)
    tape = tapes.blank(model, steps, batch)
    tape.inputs["push"][...] = rng.normal(size=(steps, *batch)) * (rng.random((steps, *batch)) < 0.2)
    for reading in tape.readings.values():
        reading.value[...] = rng.normal(1.0, 2.0, size=(steps, *batch))
        reading.sd[...] = rng.uniform(0.2, 1.0, size=(steps, *batch))
        reading.present[...] = rng.random((steps, *batch)) < 0.4
    return tape


def kalman(made, model, tape):
    system = linear.exact(made, model)
    mean, covariance = linear.prior(made)
    evidence, innovations = 0.0, []
    for i in range(int(tape.valid)):
        mean, covariance = system.predict(mean, covariance, tape.inputs["push"][i])
        for k, name in enumerate(model.observes):
            reading = tape.readings[name]
            if reading.present[i]:
                mean, covariance, density, innovation, variance = system.correct(
                    mean, covariance, k, reading.value[i], reading.sd[i]
                )
                evidence += density
                innovations.append((i, name, innovation, np.sqrt(variance), density))
    return mean, covariance, evidence, innovations


@pytest.mark.parametrize("model", [linear.Scalar(), linear.Triple()], ids=["scalar", "three"])
def test_equals_kalman(model):
    made = problem(model, walk=3.0, spread=0.6)
    tape = history(model, 120)
    update = Unscented(bank=SINGLE, interval=1)
    belief, trace = run(update, made, start(update, made), tape)
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
    assert int(trace.repairs.sum()) == 0
