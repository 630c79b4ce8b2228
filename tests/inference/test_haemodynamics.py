"""Personalised circulations: truth is found again, what is not measured stays unknown, contradictions are said."""

import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.errors import InferenceError
from medtwin.inference.haemodynamic_contradictions import contradictions
from medtwin.inference.haemodynamics import inferred, parameters_of, personalise
from medtwin.inference.levenberg_marquardt import Seen, mode
from medtwin.physiology.circulation_beat import observed

RICH = {
    "heart_rate": 68.0, "systolic_pressure": 120.0, "diastolic_pressure": 76.0, "cardiac_output": 5.6,
    "left_ventricular_ejection_fraction": 62.0, "left_ventricular_end_diastolic_volume": 145.0,
    "pulmonary_artery_systolic_pressure": 21.0, "pulmonary_artery_diastolic_pressure": 9.0,
    "pulmonary_wedge_pressure": 8.0, "right_atrial_mean_pressure": 4.0,
}  # fmt: skip
CUFF = {"systolic_pressure": 120.0, "diastolic_pressure": 76.0}
BLOCK = 4  #: one compiled function for all tests here


@pytest.fixture(scope="module")
def beliefs():
    return personalise([RICH, CUFF, {}, {"systolic_pressure": 80.0, "diastolic_pressure": 90.0}], block=BLOCK)


def test_a_linear_problem_has_its_exact_posterior():
    rng = np.random.default_rng(0)
    matrix, reading = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    weight = np.array([[2.0, 2.0], [1.0, 0.0], [1.0, 1.0], [0.5, 0.5], [1.0, 1.0]])  # the second person lacks one

    def model(z, carried):
        value = jnp.asarray(matrix) @ z
        return Seen(value, jnp.broadcast_to(jnp.asarray(matrix)[..., None], (5, 3, 2)), carried, jnp.ones(2, bool))

    found = mode(model, jnp.zeros((3, 2)), jnp.zeros(2), jnp.asarray(reading), jnp.asarray(weight), iterations=40)
    for k in range(2):
        scaled = weight[:, k, None] * matrix
        covariance = np.linalg.inv(np.eye(3) + scaled.T @ scaled)
        np.testing.assert_allclose(found.covariance[k], covariance, rtol=1e-9)
        np.testing.assert_allclose(
            found.z[:, k], covariance @ scaled.T @ (weight[:, k] * reading[:, k]), rtol=1e-3, atol=1e-4
        )
    assert bool(found.settled.all())


def test_rich_data_fit_and_say_what_they_know(beliefs):
    rich = beliefs[0]
    assert rich.withheld is None
    assert rich.misfit < 0.3
    by_name = {p.name: p for p in rich.parameters}
    assert not by_name["systemic_resistance"].unknown
    assert not by_name["left_ventricular_elastance"].unknown
    assert by_name["right_atrial_elastance"].unknown
    assert (
        by_name["systemic_resistance"].low < by_name["systemic_resistance"].median < by_name["systemic_resistance"].high
    )


def test_a_cuff_alone_leaves_the_heart_unknown(beliefs):
    cuff = beliefs[1]
    unknown = {p.name for p in cuff.parameters if p.unknown}
    assert {"left_ventricular_elastance", "left_ventricular_stiffness", "pulmonary_resistance"} <= unknown
    assert cuff.expected("pulmonary_wedge_pressure").sd > 2 * beliefs[0].expected("pulmonary_wedge_pressure").sd


def test_what_is_shown_is_the_settled_beat_of_the_mode(beliefs):
    """The climb corrects its last turn linearly and takes differences; the beat solved anew must show the same."""
    z = jnp.asarray([b.deviates for b in beliefs[:2]]).T
    seen = observed(parameters_of(z, {}), steps=125)
    for k in range(2):
        for name in RICH:
            expected = beliefs[k].expected(name)
            assert float(seen[name][k]) == pytest.approx(expected.mean, abs=0.1 * max(expected.sd, 0.3)), name


def test_nothing_and_nonsense_are_withheld_with_the_reason(beliefs):
    assert beliefs[2].withheld == "nothing was measured"
    assert "diastolic_pressure (90 mm[Hg]) is not below systolic_pressure (80 mm[Hg])" in beliefs[3].withheld
    assert beliefs[3].parameters == ()


def test_other_quantities_and_parameters_are_refused():
    with pytest.raises(InferenceError, match="glucose"):
        personalise([{"glucose": 100.0}])
    with pytest.raises(InferenceError, match="no_such"):
        personalise([CUFF], held=[{"no_such": 1.0}])


@pytest.mark.parametrize(
    "readings, impossible, words",
    [
        ({"systolic_pressure": 80, "diastolic_pressure": 90}, True, "not below"),
        ({"stroke_volume": 130, "left_ventricular_end_diastolic_volume": 120}, True, "stroke_volume"),
        ({"left_ventricular_end_systolic_volume": 130, "left_ventricular_end_diastolic_volume": 120}, True, "not below"),
        ({"cardiac_output": 7, "heart_rate": 60, "stroke_volume": 60}, False, "make 3.60"),
        ({"cardiac_output": 9, "heart_rate": 60, "stroke_volume": 20}, True, "make 1.20"),
        ({"pulmonary_wedge_pressure": 26, "pulmonary_artery_diastolic_pressure": 24}, False, "is above"),
        ({"left_ventricular_ejection_fraction": 60, "left_ventricular_end_diastolic_volume": 200,
          "left_ventricular_end_systolic_volume": 170}, False, "make 15 %"),
        ({"systolic_pressure": 1200}, True, "possible are"),
    ],
)  # fmt: skip
def test_contradictions_are_said(readings, impossible, words):
    (found,) = contradictions({name: float(value) for name, value in readings.items()})
    assert found.impossible is impossible
    assert words in found.sentence


def test_sound_readings_contradict_nothing():
    assert contradictions(RICH | {"stroke_volume": 82.0}) == ()


def test_a_parameter_order_is_that_of_the_model():
    assert inferred()[:3] == ("heart_rate", "stressed_blood_volume", "left_ventricular_elastance")
