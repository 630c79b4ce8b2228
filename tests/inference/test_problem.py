"""What of a model is inferred, what is carried beside it, and what is known."""

import jax.numpy as jnp
import numpy as np
import pytest

from inference import linear
from medtwin.errors import InferenceError
from medtwin.inference.problem import FAR, curve, problem
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.model import parameters_at, priors
from medtwin.physiology.prior import LogNormal, Normal, Uniform


@pytest.mark.parametrize("prior", [Normal(3.0, 0.5), LogNormal(0.2, 0.4), Uniform(-1.0, 2.0)])
def test_a_curve_is_its_prior(prior):
    z = jnp.linspace(-3.0, 3.0, 13)
    found = curve(prior)
    np.testing.assert_allclose(found.value(z), prior.from_deviate(z), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.deviate(found.value(z)), z, atol=1e-9)


def test_glucose_carries_what_it_does_not_show():
    made = problem(GlucoseInsulin(), {"body_weight": 70.0})
    assert made.shown == GlucoseInsulin.inferred
    assert "basal_disposal" in made.hidden
    assert "body_weight" not in made.inferred  # known
    assert made.memory == ("meal_size", "eating")
    assert not set(made.memory) & set(made.states)
    assert set(made.noisy) == {"gut_glucose", "plasma_glucose", "insulin_depot_2"}
    assert problem(GlucoseInsulin(), hidden=()).inferred == GlucoseInsulin.inferred


def test_parameters_are_the_models_own_and_never_absurd():
    model = GlucoseInsulin()
    made = problem(model, {"body_weight": 70.0})
    z = jnp.asarray(np.random.default_rng(0).normal(size=(len(made.inferred), 3)))
    found = made.parameters(made.values(z), z[0])
    expected = parameters_at(model, dict(zip(made.inferred, z, strict=True)), {"body_weight": 70.0})
    for name in priors(model):
        np.testing.assert_allclose(
            np.broadcast_to(getattr(found, name), 3), np.broadcast_to(getattr(expected, name), 3), rtol=1e-12
        )
    far, edge = (made.values(jnp.full_like(z, x)) for x in (100.0, FAR))
    assert all(np.array_equal(far[name], edge[name]) for name in made.inferred)


def test_what_is_known_of_one_parameter_tells_of_another():
    """Conditioning of a normal: correlation 0.4, known at deviate 2, leaves N(0.8, 1 - 0.16)."""
    made = problem(linear.Triple())
    known = made.at(source_rate=jnp.asarray([1.0 + 2 * 0.4, 1.0 - 0.4]))
    assert known.shown == ("offset",)
    np.testing.assert_allclose(known.prior_mean, [[0.8, -0.4]], atol=1e-12)
    np.testing.assert_allclose(known.prior_root, [[np.sqrt(0.84)]], atol=1e-12)
    np.testing.assert_allclose(known.constants["source_rate"], [1.8, 0.6])
    with pytest.raises(InferenceError, match="parameters of triple"):
        made.at(pressure=jnp.asarray(1.0))


def test_vectors_and_states_are_two_forms_of_one_thing():
    made = problem(GlucoseInsulin())
    rng = np.random.default_rng(1)
    vector, memory = jnp.asarray(rng.normal(size=(len(made.states), 4))), jnp.asarray(rng.normal(size=(2, 4)))
    state = made.unpack(vector, memory)
    np.testing.assert_allclose(made.pack(state, (4,)), vector, rtol=1e-12)
    np.testing.assert_allclose(made.recall(state, (4,)), memory, rtol=1e-12)
