"""The contract itself: declared variables, the door to priors, simulate."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.errors import ModelError
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.model import draw, parameters_at, priors, simulate, variables
from medtwin.physiology.prior import Fixed, LogNormal

MODEL = GlucoseInsulin()


def test_a_bare_field_is_refused_by_name():
    class Bare(eqx.Module):
        rate: jax.Array

    with pytest.raises(ModelError, match="rate"):
        variables(Bare)


def test_variables_stand_in_order_with_what_is_declared():
    declared = {v.name: v for v in variables(MODEL.Parameters)}
    assert declared["body_weight"].unit == "kg"
    assert declared["insulin_sensitivity"].source.startswith("DallaMan2007")
    assert list(declared)[0] == "body_weight"


def test_a_known_covariate_is_not_drawn():
    drawn = draw(MODEL, jax.random.key(0), 8, {"body_weight": 61.0})
    assert np.asarray(drawn.body_weight) == pytest.approx(61.0)
    assert isinstance(priors(MODEL, {"body_weight": 61.0})["body_weight"], Fixed)
    assert np.ptp(np.asarray(draw(MODEL, jax.random.key(0), 8).body_weight)) > 1


def test_deviates_move_their_parameter_only():
    zero, one = (parameters_at(MODEL, {"insulin_sensitivity": jnp.asarray(z)}) for z in (0.0, 1.0))
    prior = priors(MODEL)["insulin_sensitivity"]
    assert isinstance(prior, LogNormal)
    assert float(one.insulin_sensitivity / zero.insulin_sensitivity) == pytest.approx(np.exp(prior.sigma))
    assert float(one.meal_absorption) == float(zero.meal_absorption)
    with pytest.raises(ModelError, match="nothing_such"):
        parameters_at(MODEL, {"nothing_such": jnp.asarray(0.0)})


def test_declared_correlations_are_in_the_draws():
    drawn = draw(MODEL, jax.random.key(0), 20000)
    rho = np.corrcoef(np.log(drawn.endogenous_production), np.log(drawn.basal_disposal))[0, 1]
    assert rho == pytest.approx(0.9, abs=0.02)
    assert abs(np.corrcoef(np.log(drawn.glucose_volume), np.log(drawn.insulin_volume))[0, 1]) < 0.03


def day():
    carbohydrate = np.zeros(240)
    carbohydrate[30:40] = 5.0
    return {
        "carbohydrate_intake": jnp.asarray(carbohydrate),
        "insulin_bolus": jnp.zeros(240).at[30].set(4.0),
        "insulin_basal_rate": jnp.full(240, 0.9),
    }


def test_every_fifth_observation_is_the_same_run():
    parameters = parameters_at(MODEL, {})
    end, minutes = simulate(MODEL, MODEL.initial(parameters), parameters, day())
    same, fives = simulate(MODEL, MODEL.initial(parameters), parameters, day(), every=5)
    assert np.asarray(fives["glucose"]) == pytest.approx(np.asarray(minutes["glucose"])[4::5], rel=1e-12)
    assert float(end.plasma_glucose) == pytest.approx(float(same.plasma_glucose), rel=1e-12)
    with pytest.raises(ModelError, match="every 7"):
        simulate(MODEL, end, parameters, day(), every=7)


def test_one_person_and_a_batch_are_the_same_equations():
    drawn = draw(MODEL, jax.random.key(5), 3)
    inputs = {name: value[:, None] * jnp.ones((1, 3)) for name, value in day().items()}
    _, batch = simulate(MODEL, MODEL.initial(drawn), drawn, inputs, every=5)
    for i in range(3):
        one = jax.tree.map(lambda x, i=i: x[i], drawn)
        _, alone = simulate(MODEL, MODEL.initial(one), one, day(), every=5)
        assert np.asarray(batch["glucose"])[:, i] == pytest.approx(np.asarray(alone["glucose"]), rel=1e-10)


def test_gradients_pass_through_a_day():
    def final(z):
        parameters = parameters_at(MODEL, {"insulin_sensitivity": z})
        _, seen = simulate(MODEL, MODEL.initial(parameters), parameters, day(), every=5)
        return seen["glucose"][-1]

    slope = float(jax.grad(final)(jnp.asarray(0.3)))
    h = 1e-5
    finite = float((final(jnp.asarray(0.3 + h)) - final(jnp.asarray(0.3 - h))) / (2 * h))
    assert slope < -1
    assert slope == pytest.approx(finite, rel=1e-5)
