"""Hovorka's model: exact answers of its linear parts, its steady state, and an independent program of the equations."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.hovorka import GLUCOSE_MASS, Hovorka, fasting_insulin
from medtwin.physiology.model import draw, parameters_at, simulate
from medtwin.worlds import hovorka as world

MODEL = Hovorka()
SAME = {  # the model's name of a parameter, the world's
    "body_weight": "body_weight",
    "transport_sensitivity": "transport_sensitivity",
    "disposal_sensitivity": "disposal_sensitivity",
    "production_sensitivity": "production_sensitivity",
    "transport_rate": "transport_rate",
    "disposal_rate": "disposal_rate",
    "production_rate": "production_rate",
    "brain_uptake": "consumption",
    "renal_threshold": "renal_threshold",
    "renal_rate": "renal_clearance",
    "return_rate": "transfer",
    "glucose_volume": "glucose_volume",
    "absorption_time": "gut_time",
    "absorbed_share": "absorbed",
    "depot_time": "depot_time",
    "insulin_volume": "insulin_volume",
    "insulin_elimination": "insulin_elimination",
    "sensor_delay": "sensor_lag",
}


def as_world(p):
    """The same people in the independent program."""
    count = p.body_weight.shape[0]
    named = {theirs: np.broadcast_to(getattr(p, ours), count) for ours, theirs in SAME.items()}
    for sensitivity in ("transport_sensitivity", "disposal_sensitivity", "production_sensitivity"):
        named[sensitivity] = named[sensitivity] * np.asarray(p.insulin_sensitivity)
    return world.published(count).replace(**named, production=p.brain_uptake + p.production_reserve)


def test_the_published_person_needs_the_insulin_that_the_equations_give_by_hand():
    """70 kg at 5 mmol/L, by the quadratic worked out on paper: 5.761 mU/L, 6.68 mU/min, 0.40 U/h."""
    p = parameters_at(MODEL, {}, {"body_weight": 70.0})
    p = eqx.tree_at(lambda q: q.fasting_glucose, p, jnp.asarray(5.0))
    assert float(fasting_insulin(p)) == pytest.approx(5.761, abs=1e-3)
    assert float(MODEL.resting(p)["insulin_basal_rate"]) * 1000 / 60 == pytest.approx(6.68, abs=0.005)


def test_fasting_insulin_is_what_bisection_finds():
    p = draw(MODEL, jax.random.key(4), 300)
    found = world.steady_insulin(as_world(p), np.asarray(p.fasting_glucose))
    assert np.isfinite(found).all()
    assert np.asarray(fasting_insulin(p)) == pytest.approx(found, rel=1e-9)


def test_two_programs_of_the_equations_agree_over_a_day():
    """40 people, three meals with boluses (some low, some above the renal threshold): 1e-9 of each other."""
    p = draw(MODEL, jax.random.key(5), 40)
    p = eqx.tree_at(lambda q: q.sensor_bias, p, jnp.zeros(40))
    people, steps = as_world(p), 1440
    meals, boluses = np.zeros(steps), np.zeros(steps)
    for start, grams, units in ((420, 60, 3.0), (720, 90, 5.0), (1140, 75, 0.0)):
        meals[start : start + grams // 5] = 5.0
        boluses[start] = units
    basal = MODEL.resting(p)["insulin_basal_rate"]
    given = {
        "carbohydrate_intake": jnp.asarray(np.tile(meals[:, None], 40)),
        "insulin_bolus": jnp.asarray(np.tile(boluses[:, None], 40)),
        "insulin_basal_rate": jnp.broadcast_to(basal, (steps, 40)),
    }
    _, seen = eqx.filter_jit(simulate)(MODEL, MODEL.initial(p), p, given)
    state, pumped = world.steady_state(people, np.asarray(p.fasting_glucose))
    assert np.asarray(basal) == pytest.approx(pumped, rel=1e-9)
    glucose, sensor, insulin = [], [], []
    for minute in range(steps):
        carbohydrate = meals[minute] * 1000.0 / GLUCOSE_MASS
        drive = world.Drive(carbohydrate=carbohydrate, insulin=1000.0 * (pumped / 60.0 + boluses[minute]))
        state = world.step(state, people, drive)
        glucose.append(world.glucose(state, people))
        sensor.append(world.MG_DL * state[10])
        insulin.append(state[4])
    assert np.min(glucose) < 70
    assert np.max(glucose) > 250
    for name, theirs in (("blood_glucose", glucose), ("glucose", sensor), ("insulin_concentration", insulin)):
        ours = np.asarray(seen[name])
        assert np.abs(ours - np.array(theirs)).max() / np.abs(ours).max() < 1e-9, name


def test_a_meal_and_a_bolus_are_absorbed_as_the_two_compartments_do_exactly():
    """A dose into the first of two equal compartments leaves the second at dose t/T^2 exp(-t/T)."""
    p = parameters_at(MODEL, {})
    start = MODEL.initial(p)
    start = eqx.tree_at(lambda s: (s.gut_1, s.insulin_depot_1), start, (jnp.asarray(300.0), jnp.asarray(5000.0)))
    start = eqx.tree_at(lambda s: (s.insulin_depot_2, s.plasma_insulin), start, (jnp.zeros(()), jnp.zeros(())))
    none = {name: jnp.zeros(120) for name in ("carbohydrate_intake", "insulin_bolus", "insulin_basal_rate")}
    final, seen = simulate(MODEL, start, p, none)
    gut, depot = 120.0 / p.absorption_time, 120.0 / p.depot_time
    assert float(final.gut_2) == pytest.approx(float(300.0 * gut * jnp.exp(-gut)), rel=1e-7)
    assert float(final.insulin_depot_2) == pytest.approx(float(5000.0 * depot * jnp.exp(-depot)), rel=1e-7)
    rate, clearance, time = 1 / p.depot_time, p.insulin_elimination, jnp.arange(1.0, 121.0)
    gap = clearance - rate  # the third compartment of the cascade, by its Laplace transform
    exact = jnp.exp(-rate * time) * (gap * time - 1) + jnp.exp(-clearance * time)
    exact = 5000.0 * rate * rate / (p.insulin_volume * p.body_weight) * exact / gap**2
    assert np.asarray(seen["insulin_concentration"]) == pytest.approx(np.asarray(exact), rel=2e-4, abs=1e-4)


def test_the_form_of_the_model_matters():
    """The same meal without insulin, at the medians of both models: near each other, and not the same."""
    rises = []
    for model in (MODEL, GlucoseInsulin()):
        p = parameters_at(model, {}, {"body_weight": 75.0})
        held = {name: jnp.broadcast_to(value, (300,)) for name, value in model.resting(p).items()}
        held["carbohydrate_intake"] = jnp.where(jnp.arange(300) < 8, 5.0, 0.0)
        _, seen = simulate(model, model.initial(p), p, held)
        rises.append(float((seen["blood_glucose"] - p.fasting_glucose * (18.0156 if model is MODEL else 1.0)).max()))
    assert 0.4 < rises[0] / rises[1] < 2.5
    assert abs(rises[0] / rises[1] - 1) > 0.02
