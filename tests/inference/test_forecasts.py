"""Alternatives side by side are what each gives alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.inference.forecasts import forecast_alternatives, forecast_members
from medtwin.inference.problem import problem
from medtwin.inference.update import start
from medtwin.twin.choice import structure


@pytest.mark.slow
def test_side_by_side_as_alone():
    model, update = structure("glucose_insulin")
    posed = problem(model, {})
    belief = start(update, posed)
    steps, t0, key = 90, jnp.asarray(480.0), jax.random.key(3)
    doses = [0.0, 2.0, 5.0]
    inputs = {a.quantity: np.zeros((steps, len(doses))) for a in model.accepts}
    inputs["insulin_basal_rate"] += 0.9
    inputs["insulin_bolus"][5] = doses
    inputs["carbohydrate_intake"][5:15] = 4.0
    together = forecast_alternatives(
        posed, belief, {q: jnp.asarray(v) for q, v in inputs.items()}, 12, key, quantity="glucose", steps=steps, t0=t0
    )
    assert together.shape == (steps, 12, len(doses))
    for k in range(len(doses)):
        alone = forecast_members(
            posed, belief, {q: jnp.asarray(v[:, k]) for q, v in inputs.items()}, 12, key, steps=steps, t0=t0
        )
        np.testing.assert_allclose(together[:, :, k], alone["glucose"], rtol=1e-9)
    assert (together[-1, :, 2] < together[-1, :, 0]).all()
