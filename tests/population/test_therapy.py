"""Settings do on the model, run by another path in 64 bit, what their definitions say."""

import jax
import jax.numpy as jnp
import numpy as np

from medtwin.physiology.exposures import Grid, basal, bolus, inputs, meal
from medtwin.physiology.model import simulate
from medtwin.population.therapy import TEST_MEAL, misjudged


def course(people, i, hours, units, grams):
    """Plasma glucose of person ``i`` minute by minute, from exposures."""
    model = people.model
    person = jax.tree.map(lambda leaf: jnp.asarray(np.float64(leaf[i])), people.parameters)
    resting = float(model.resting(person)["insulin_basal_rate"])
    given = [basal(0.0, resting), bolus(0.0, units), *meal(0.0, carbohydrate=grams)]
    held = inputs(given, model.accepts, Grid(start=0.0, step=60.0, count=60 * hours), unit=60.0)
    start = model.initial(person)
    _, seen = simulate(model, start, person, {name: jnp.asarray(value) for name, value in held.items()})
    began = float(model.observe(jnp.zeros(()), start, person)["blood_glucose"])
    return began, np.asarray(seen["blood_glucose"])


def test_the_ratio_brings_glucose_back_after_five_hours(people):
    for i in range(3):
        began, seen = course(people, i, 5, TEST_MEAL / float(people.therapy.carbohydrate_ratio[i]), TEST_MEAL)
        assert abs(seen[-1] - began) < 1.0
        assert seen.max() > began + 20.0


def test_the_factor_is_the_greatest_fall_of_a_unit(people):
    for i in range(3):
        units = 0.005 * float(people.therapy.body_weight[i])
        began, seen = course(people, i, 6, units, 0.0)
        np.testing.assert_allclose((began - seen.min()) / units, people.therapy.correction_factor[i], rtol=2e-3)


def test_the_basal_rate_holds_glucose(people):
    began, seen = course(people, 0, 6, 0.0, 0.0)
    assert np.abs(seen - began).max() < 0.01


def test_misjudged_settings(people):
    with jax.enable_x64(False):
        deviates = np.zeros((3, len(people)), np.float32)
        deviates[1] = 1.0
        therapy = jax.tree.map(jnp.asarray, people.therapy)
        wrong = misjudged(therapy, jnp.asarray(deviates), 0.1)
    np.testing.assert_allclose(wrong.carbohydrate_ratio / people.therapy.carbohydrate_ratio, np.exp(0.1), rtol=1e-6)
    np.testing.assert_array_equal(wrong.basal, people.therapy.basal)
