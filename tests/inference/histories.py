"""Random histories for linear models, and Kalman's answer to them."""

from __future__ import annotations

import numpy as np

from inference import linear
from medtwin.inference import tape as tapes


def history(model, steps, seed=0, batch=()):
    """Random pushes, and readings of every observable at random steps.

    Not so wild that a deviate would leave the range in which parameters are taken at their word (``problem.FAR``).
    """
    rng = np.random.default_rng(seed)
    tape = tapes.blank(model, steps, batch)
    tape.inputs["push"][...] = rng.normal(size=(steps, *batch)) * (rng.random((steps, *batch)) < 0.2)
    for reading in tape.readings.values():
        reading.value[...] = rng.normal(0.8, 0.8, size=(steps, *batch))
        reading.sd[...] = rng.uniform(0.4, 1.2, size=(steps, *batch))
        reading.present[...] = rng.random((steps, *batch)) < 0.4
    return tape


def kalman(made, model, tape):
    """Exact mean, covariance, evidence, and each (step, observable, innovation, sd, log density)."""
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
