"""Where a missed input enters a belief, against what the model's own equations do with one that was told of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.errors import InferenceError
from medtwin.inference import hypotheses
from medtwin.inference.hypotheses import AS_EXPECTED, GLUCOSE, Hypothesis, Opens
from medtwin.inference.problem import problem
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import start
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.glucose_meals import GlucoseMeals

HOURS = {3.0: "snack_stomach_1", 8.0: "breakfast_stomach_1", 12.0: "lunch_stomach_1", 20.0: "dinner_stomach_1"}


def added(made, quantity, minute):
    """What one unit within one minute adds to each state, by the model's rates: rates are linear in what is given."""
    model, expected = made.model, start(Unscented(), made).mean[:, 0]
    parameters = made.parameters(made.values(expected[len(made.states) :]), expected[0])
    state, resting = model.initial(parameters), model.resting(parameters)
    rates = lambda given: model.rates(jnp.asarray(minute), state, parameters, resting | {quantity: given})  # noqa: E731
    more = jax.tree.map(lambda a, b: a - b, rates(jnp.asarray(1.0)), rates(jnp.asarray(0.0)))
    return np.array([float(getattr(more, name)) for name in made.states]) / np.asarray(made.scale).ravel()


@pytest.mark.parametrize("model", [GlucoseMeals(), GlucoseInsulin()], ids=lambda model: model.name)
@pytest.mark.parametrize("quantity", ["carbohydrate_intake", "insulin_bolus"])
def test_a_missed_input_enters_where_one_that_is_told_of_does(model, quantity):
    made = problem(model)
    missed = Hypothesis(
        name="missed", meaning="", per_day=1.0, minutes=60.0, opens=Opens(quantity=quantity, mean=4.0, sd=3.0)
    )
    update = Unscented(bank=(AS_EXPECTED, missed))
    expected = start(update, made).mean[:, :1]
    states = len(made.states)
    for hour, name in HOURS.items():
        way = added(made, quantity, hour * 60.0)
        if (model.name, quantity) == ("glucose_meals", "carbohydrate_intake"):
            assert [made.states[i] for i in np.flatnonzero(way)] == [name]
        mean, covariance = update._jump(made, missed, jnp.asarray([5.0]), expected, jnp.asarray([hour * 60.0]))
        np.testing.assert_allclose(mean[:states, 0], 4.0 * way, rtol=1e-9)
        np.testing.assert_allclose(covariance[0, :states, :states], 9.0 * np.outer(way, way), rtol=1e-9)


def test_the_shipped_bank_serves_the_model_of_meals_but_not_its_heart_rate():
    hypotheses.check(tuple(h for h in GLUCOSE if h.name != "sensor_bias"), GlucoseMeals())
    beats = Hypothesis(name="beats", meaning="", opens=Opens(quantity="heart_rate", mean=90.0, sd=9.0))
    with pytest.raises(InferenceError, match="enters a state"):
        hypotheses.check((AS_EXPECTED, beats), GlucoseMeals())
