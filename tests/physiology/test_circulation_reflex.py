"""Circulations settled near known ones, with the reflex: against the plain settling, by balance, and as vasodilators act."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.inference.drug_response import _settled, alone, at_rest, closed
from medtwin.physiology import baroreflex
from medtwin.physiology.circulation_beat import turn
from medtwin.physiology.circulation_four_chambers import stressed_blood_volume
from medtwin.physiology.circulation_reflex import STEPS
from medtwin.physiology.circulation_sets import parameters
from medtwin.physiology.drugs.heart_failure import DRUGS
from medtwin.physiology.drugs.heart_failure.regimen import parse
from medtwin.physiology.drugs.heart_failure.response import changes, log_factors, medians, moved

RATES = (0.0, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0)  #: of nitroprusside, ug/kg/min


@pytest.fixture(scope="module")
def severe():
    return alone(parameters("severe_heart_failure"))


@pytest.fixture(scope="module")
def titration(severe):
    """The severe set under each rate with a reflex of health, of heart failure and none; bled and filled at the end."""
    plans = [(parse(f"nitroprusside:{rate}ug/kg/min"),) for rate in RATES]
    draws = {"nitroprusside": medians(DRUGS["nitroprusside"])}
    own = [moved(severe.parameters, log_factors(plan, (), draws, 0.1)).parameters for plan in plans]
    more = [
        moved(severe.parameters, {"blood_volume": jnp.log(jnp.asarray([share]))}).parameters for share in (0.7, 1.1)
    ]
    lanes = [*own, *own, *own, *more]
    strengths = np.repeat([1.0, 0.23, 0.0, 1.0], [len(RATES)] * 3 + [2])
    joined = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *lanes)
    usual = jnp.full(len(lanes), float(severe.seen["mean_arterial_pressure"][0]))
    near = jax.tree.map(lambda leaf: jnp.repeat(leaf, len(lanes)), severe.state)
    return at_rest(near, joined, usual, jnp.asarray(strengths))


@jax.jit
def _turned(state, own):
    return turn(state, own, steps=STEPS)


def part(titration, quantity, k):
    n = len(RATES)
    return titration.seen[quantity][k * n : (k + 1) * n]


def test_all_close(titration):
    assert closed(titration).all()


def test_without_a_reflex_it_is_the_plain_settled_beat(titration):
    """Against Newton from a guess (no neighbour, no frozen matrix) at the greatest dose."""
    k = 3 * len(RATES) - 1
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf[k]), titration.parameters)
    state = _settled()(jax.tree.map(lambda leaf: leaf[None], one)).state
    plain = {n: v[0] for n, v in _turned(state, jax.tree.map(lambda leaf: leaf[None], one)).seen.items()}
    for name in (
        "mean_arterial_pressure",
        "cardiac_output",
        "pulmonary_wedge_pressure",
        "left_ventricular_ejection_fraction",
    ):
        assert titration.seen[name][k] == pytest.approx(float(plain[name]), rel=1e-6), name


def test_the_reflex_closes_on_the_pressure_that_it_makes(titration, severe):
    """Heart rate is what the curve says of the very pressure that the beat shows."""
    usual = jnp.full(len(RATES), float(severe.seen["mean_arterial_pressure"][0]))
    said = baroreflex.answer(jnp.asarray(part(titration, "mean_arterial_pressure", 0)), usual, jnp.ones(len(RATES)))
    rate = float(severe.seen["heart_rate"][0]) * np.asarray(said.heart_rate)
    np.testing.assert_allclose(part(titration, "heart_rate", 0), rate, rtol=2e-3)


def test_the_blood_of_the_beat_is_that_of_the_parameters(titration):
    held = stressed_blood_volume(titration.state, titration.parameters)
    np.testing.assert_allclose(held, titration.parameters.stressed_blood_volume, rtol=1e-3)


def test_resistance_by_hand_in_si_units(titration):
    """Ohm's law of the body, in Pa s/m3: the mean pressure from root to right atrium over the mean flow is what lies between."""
    p, pascal = titration.parameters, 133.322
    flow = titration.seen["cardiac_output"] * 1e-3 / 60.0  # m3/s
    drop = (titration.seen["mean_arterial_pressure"] - titration.seen["right_atrial_mean_pressure"]) * pascal
    between = (p.systemic_resistance + p.arterial_root_resistance + p.systemic_venous_resistance) * pascal * 1e6
    np.testing.assert_allclose(drop / flow, between, rtol=2e-3)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_nitroprusside_raises_flow_step_by_step_and_lowers_pressures(titration, k):
    assert (np.diff(part(titration, "cardiac_output", k)) > 0).all()
    assert (np.diff(part(titration, "mean_arterial_pressure", k)) < 0).all()
    assert (np.diff(part(titration, "pulmonary_wedge_pressure", k)) < 0).all()
    assert (np.diff(part(titration, "mitral_regurgitant_fraction", k)) < 0).all()


def test_a_stronger_reflex_holds_the_pressure_and_quickens_the_heart(titration):
    falls = [
        part(titration, "mean_arterial_pressure", k)[0] - part(titration, "mean_arterial_pressure", k)[-1]
        for k in range(3)
    ]
    rates = [part(titration, "heart_rate", k)[-1] for k in range(3)]
    assert falls[0] < falls[1] < falls[2]
    assert rates[0] > rates[1] > rates[2]


def test_bleeding_and_filling_go_the_published_ways(titration, severe):
    """Bleeding lowers pressures, flow and filling, and raises the rate (directions of Ursino 1998); filling the reverse."""
    bled, filled = ({n: titration.seen[n][k] for n in titration.seen} for k in (-2, -1))
    for name in ("mean_arterial_pressure", "pulmonary_wedge_pressure", "right_atrial_mean_pressure"):
        assert bled[name] < float(severe.seen[name][0]) < filled[name]
    assert bled["heart_rate"] > float(severe.seen["heart_rate"][0]) > filled["heart_rate"]


def test_no_change_of_dose_is_no_class():
    assert changes((parse("nitroprusside:0ug/kg/min"),), ()) == {}
