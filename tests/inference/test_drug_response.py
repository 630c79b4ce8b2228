"""People of a belief under a plan: pairs, conservation, the model's error, and the signs of each class in severe failure."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.inference.drug_response import People, alone, at_rest, closed, follow, people, tempered
from medtwin.inference.haemodynamics import personalise, sd_of
from medtwin.physiology.baroreflex import RESETTING_DAYS
from medtwin.physiology.circulation_beat import OBSERVED
from medtwin.physiology.circulation_reflex import STEPS
from medtwin.physiology.circulation_sets import parameters
from medtwin.physiology.drugs.heart_failure.regimen import combination
from medtwin.physiology.drugs.heart_failure.response import log_factors, medians, moved

KEY = jax.random.key(3)
#: Class by drug -> signs of what it does to a severe failure within its time: (quantity, direction).
SIGNS = {
    "nitroprusside:3ug/kg/min": (
        0.1,
        {"cardiac_output": 1, "mean_arterial_pressure": -1, "pulmonary_wedge_pressure": -1},
    ),
    "hydralazine:75mg:tid": (1.0, {"cardiac_output": 1, "mean_arterial_pressure": -1}),
    "isosorbide dinitrate:40mg:tid": (0.2, {"pulmonary_wedge_pressure": -1, "right_atrial_mean_pressure": -1}),
    "furosemide:80mg:qd": (7.0, {"pulmonary_wedge_pressure": -1, "right_atrial_mean_pressure": -1}),
    "enalapril:10mg:bid": (1.0, {"cardiac_output": 1, "mean_arterial_pressure": -1, "pulmonary_wedge_pressure": -1}),
    "losartan:50mg:qd": (1.0, {"mean_arterial_pressure": -1, "pulmonary_wedge_pressure": -1}),
    "sacubitril/valsartan:200mg:bid": (7.0, {"mean_arterial_pressure": -1, "pulmonary_wedge_pressure": -1}),
    "carvedilol:25mg:bid": (180.0, {"heart_rate": -1, "left_ventricular_end_systolic_volume": -1, "stroke_volume": 1}),
    "spironolactone:50mg:qd": (180.0, {"left_ventricular_end_diastolic_volume": -1}),
    "empagliflozin:10mg:qd": (84.0, {"pulmonary_wedge_pressure": -1, "left_ventricular_end_diastolic_volume": -1}),
    "ivabradine:7.5mg:bid": (7.0, {"heart_rate": -1, "stroke_volume": 1}),
    "dobutamine:10ug/kg/min": (
        0.1,
        {"cardiac_output": 1, "left_ventricular_ejection_fraction": 1, "pulmonary_wedge_pressure": -1},
    ),
    "milrinone:0.5ug/kg/min": (0.1, {"cardiac_output": 1, "pulmonary_wedge_pressure": -1}),
    "digoxin:0.25mg:qd": (30.0, {"cardiac_output": 1, "heart_rate": -1, "left_ventricular_ejection_fraction": 1}),
}


@pytest.fixture(scope="module")
def severe():
    return alone(parameters("severe_heart_failure"))


@pytest.fixture(scope="module")
def crowd(severe):
    """The same circulation sixteen times: they differ by the drawn effects only."""
    many = jax.tree.map(lambda leaf: jnp.repeat(leaf, 16), (severe.parameters, severe.state, severe.strength))
    return People(many[0], many[1], {n: np.repeat(severe.seen[n], 16) for n in OBSERVED}, many[2], 16, 16)


@pytest.fixture(scope="module")
def medians_of_each(severe):
    """The severe failure under each class at the median of its effects, side by side."""
    lanes, strength = [], []
    for text, (days, _) in SIGNS.items():
        (planned,) = combination([text])
        found = moved(severe.parameters, log_factors((planned,), (), {planned.drug.name: medians(planned.drug)}, days))
        lanes.append(found.parameters)
        strength.append(severe.strength * found.reflex * np.exp(-days / RESETTING_DAYS))
    joined = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *lanes)
    near = jax.tree.map(lambda leaf: jnp.repeat(leaf, len(lanes)), severe.state)
    usual = jnp.full(len(lanes), float(severe.seen["mean_arterial_pressure"][0]))
    found = at_rest(near, joined, usual, jnp.concatenate(strength))
    assert closed(found).all()
    return {
        text: {n: float(found.seen[n][k]) - float(severe.seen[n][0]) for n in OBSERVED} for k, text in enumerate(SIGNS)
    }


@pytest.mark.parametrize("text", SIGNS)
def test_each_class_moves_a_severe_failure_the_way_it_is_known_for(medians_of_each, text):
    for quantity, direction in SIGNS[text][1].items():
        assert direction * medians_of_each[text][quantity] > 0, quantity


def test_a_loop_diuretic_leaves_the_cardiac_output_nearly_as_it_is(severe, medians_of_each):
    change = medians_of_each["furosemide:80mg:qd"]
    assert abs(change["cardiac_output"]) < 0.1 * float(severe.seen["cardiac_output"][0])
    assert change["pulmonary_wedge_pressure"] < -2.0


def test_going_on_as_now_is_no_change(crowd):
    seen = follow(crowd, (), (), (1.0, 84.0), KEY)
    assert seen.sound.all()
    for name in OBSERVED:
        np.testing.assert_allclose(seen.change[name], 0.0, atol=0.05)
    np.testing.assert_array_equal(seen.lost, 0.0)
    np.testing.assert_array_equal(seen.held, 0.0)


def test_plans_are_compared_pair_by_pair(crowd):
    """A drug has the same size in a person whatever else is taken."""
    one = follow(crowd, combination(["carvedilol:25mg:bid"]), (), (28.0,), KEY, model_error=0.0)
    two = follow(
        crowd, combination(["carvedilol:25mg:bid", "empagliflozin:10mg:qd"]), (), (28.0,), KEY, model_error=0.0
    )
    assert np.corrcoef(one.change["heart_rate"][0], two.change["heart_rate"][0])[0, 1] > 0.98
    assert one.change["heart_rate"][0].std() > 1.0


def test_a_slow_heart_closes(severe):
    """At 40 and 34/min: a beat has enough steps for the longest that a rate drug leaves."""
    slow = jax.tree.map(lambda leaf: jnp.repeat(leaf, 2), severe.parameters)
    slow = moved(slow, {"heart_rate": jnp.log(jnp.asarray([40.0, 34.0]) / slow.heart_rate)}).parameters
    near = jax.tree.map(lambda leaf: jnp.repeat(leaf, 2), severe.state)
    found = at_rest(near, slow, jnp.full(2, 90.0), jnp.zeros(2))
    assert closed(found).all()
    np.testing.assert_allclose(found.seen["heart_rate"], [40.0, 34.0], rtol=1e-6)
    assert 60.0 / 40.0 / STEPS <= 0.004


@pytest.mark.slow
def test_the_present_is_what_was_measured():
    """Medians within one sd of each reading, with a belief that bends (few readings)."""
    readings = {"systolic_pressure": 120.0, "left_ventricular_ejection_fraction": 30.0, "heart_rate": 55.0}
    held = {"mitral_leak_reference": 230.0, "mitral_leak_growth": 0.0, "mitral_leak_area": 0.0}
    belief = personalise([readings], held=[held])[0]
    who = people(belief, held, KEY, readings=readings)
    for name, value in readings.items():
        assert abs(np.median(who.seen[name]) - value) < sd_of(name, value), name
        assert who.seen[name].std() < 2.0 * sd_of(name, value)
    # those at this rate under ivabradine: none is lost, and many are slow
    seen = follow(who, combination(["ivabradine:7.5mg:bid"]), (), (28.0,), KEY)
    assert seen.sound.mean() >= 0.95
    assert (seen.seen["heart_rate"][0] < 50.0).mean() > 0.4


def test_tempered_weights_by_hand():
    np.testing.assert_allclose(tempered(np.log([1.0, 3.0]), 1.0), [0.25, 0.75])
    weights = tempered(np.array([0.0, -50.0, -60.0, -np.inf]), 2.0)
    assert 1.0 / (weights**2).sum() == pytest.approx(2.0, rel=1e-3)
    assert weights[3] == 0.0


def test_the_models_error_widens(crowd):
    plan, spreads = combination(["captopril:50mg:tid"]), []
    for error in (0.0, 0.7):
        spreads.append(
            float(np.nanstd(follow(crowd, plan, (), (1.0,), KEY, model_error=error).change["cardiac_output"]))
        )
    assert spreads[1] > 1.2 * spreads[0]


def test_blood_is_conserved_in_every_person(crowd):
    plan = combination(["furosemide:80mg:qd", "isosorbide dinitrate:40mg:tid"])
    seen = follow(crowd, plan, (), (1.0, 28.0), KEY)
    total = seen.lost + seen.held
    before = np.asarray(crowd.parameters.stressed_blood_volume)[None]
    reflex = seen.stressed + total - before
    sound = seen.sound
    np.testing.assert_allclose(reflex[sound], 0.0, atol=1e-9)
