"""S2013: a second implementation, the way back to S2008, and what trials found of glucagon, of lows and of the dawn."""

import csv
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology.glucose_counter_regulation import GlucoseCounterRegulation, uptake_of_hour
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.model import Clock, parameters_at, simulate

MODEL = GlucoseCounterRegulation()
OFF = {"glucagon_on_production": 0.0, "risk_gain": 0.0, "breakfast_uptake": 1.0, "lunch_uptake": 1.0}
BY_NIGHT = {"breakfast_uptake": 1.0, "lunch_uptake": 1.0}
MINUTES = 600
RUN = eqx.filter_jit(simulate)
REFERENCE = Path(__file__).parent / "reference" / "loopinsight1" / "twelve_hours.csv"


def person(**values):
    p = parameters_at(MODEL, {})
    for name, value in values.items():
        p = eqx.tree_at(lambda q, name=name: getattr(q, name), p, jnp.asarray(value))
    return p


def after(p, minutes, *, model=MODEL, t0=0.0, every=1, **given):
    """Observations every minute; ``given``: quantity to {minute: amount in that minute}."""
    held = {name: jnp.full(minutes, value) for name, value in model.resting(p).items()}
    for name, amounts in given.items():
        for minute, amount in amounts.items():
            held[name] = held[name].at[minute].add(amount)
    _, seen = RUN(model, model.initial(p), p, held, t0=t0, every=every)
    return {name: np.asarray(value) for name, value in seen.items()}


@pytest.mark.parametrize("theirs, values", [("T1DMS", BY_NIGHT), ("Visentin2015", {})])
def test_equals_loopinsight1(theirs, values):
    with REFERENCE.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] == theirs]
    volume, insulin = 1.88, float(rows[0]["Ip"]) / 0.05
    production = 2.7 - 0.0021 * 188.0 - 0.009 * insulin  # their kp1, kp2, kp3 at rest
    by_liver = 0.6 * 0.484
    p = person(
        body_weight=75.0, fasting_glucose=100.0, basal_insulin=insulin, endogenous_production=production,
        basal_disposal=production, liver_sensitivity=0.009 / 0.047, insulin_clearance=(by_liver + 0.194) * 0.05,
        liver_share=by_liver / (by_liver + 0.194), **values,
    )  # fmt: skip
    per_minute, minutes = 10, 720
    model = GlucoseCounterRegulation(clock=Clock(unit=60.0, step=1 / per_minute))
    held = {name: jnp.full(minutes * per_minute, value) for name, value in model.resting(p).items()}
    dose = 200 * 6000 / 60 / 75 * 0.25 * 75 / 1e6  # mg that fill our depot as 266.67 per volume fills theirs
    held["insulin_bolus"] = held["insulin_bolus"].at[60 * per_minute : 61 * per_minute].set(4.0)
    held["glucagon_dose"] = held["glucagon_dose"].at[240 * per_minute : 241 * per_minute].set(dose)
    assert float(held["insulin_basal_rate"][0]) == pytest.approx(0.6814560737747319, rel=1e-9)
    _, seen = RUN(model, model.initial(p), p, held, every=30 * per_minute)
    for name, letter, scale in (("blood_glucose", "Gp", volume), ("glucagon_concentration", "H", 1.0)):
        expected = np.array([float(row[letter]) / scale for row in rows])
        assert np.ptp(expected) > 30
        assert np.asarray(seen[name]) == pytest.approx(expected[1:], abs=1e-6)


def test_without_the_extras_it_is_s2008():
    given = {
        "carbohydrate_intake": dict.fromkeys(range(300, 312), 5.0), "insulin_bolus": {300: 5.0, 400: 4.0},
        "glucagon_dose": {500: 0.1},
    }  # fmt: skip
    p = person(**OFF)
    ours = after(p, MINUTES, **given)
    del given["glucagon_dose"]
    base = after(p, MINUTES, model=GlucoseInsulin(), **given)
    assert np.ptp(base["glucose"]) > 100
    for name in base:
        assert np.array_equal(ours[name], base[name]), name
    assert ours["glucagon_concentration"].max() > 200  # given, but it does not act


def test_rests_by_night():
    p = person(**BY_NIGHT)
    seen = after(p, MINUTES)
    assert np.ptp(seen["blood_glucose"]) < 1e-6
    assert np.ptp(seen["glucagon_concentration"]) < 1e-6


def test_plasma_glucagon_after_one_milligram():
    """Ten minutes after 1 mg under the skin: +2987 pg/mL (Muehlhauser 1985); peak 3.5 to 7.9 ng/mL at 10 to 20 min (labels)."""
    seen = after(person(**BY_NIGHT), MINUTES, glucagon_dose={0: 1.0})["glucagon_concentration"]
    assert 0.5 < (seen[9] - 60) / 2987 < 1.5
    assert 10 <= np.argmax(seen) + 1 <= 20


@pytest.mark.parametrize("dose, rise", [(0.075, 33.0), (0.15, 64.0), (0.3, 95.0)])
def test_small_doses_in_fasting_people(dose, rise):
    """Diabetes Care 2016, dc15-2124, twelve adults: +33, 64, 95 mg/dL at most, at 60 min. Ours is the median person."""
    glucose = after(person(**BY_NIGHT), MINUTES, glucagon_dose={0: dose})["blood_glucose"]
    assert 0.6 < (glucose.max() - glucose[0]) / rise < 1.1
    assert 45 < np.argmax(glucose) < 90


def rise_after_a_low(dose, **values):
    """Rise of glucose (mmol/L) after glucagon at 3.4 mmol/L, which 4 U of insulin brought about."""
    p = person(**(BY_NIGHT | values))
    placebo = after(p, MINUTES, insulin_bolus={0: 4.0})["blood_glucose"]
    low = int(np.argmax(placebo < 3.4 * 18.016))
    assert low > 60
    treated = after(p, MINUTES, insulin_bolus={0: 4.0}, glucagon_dose={low: dose})["blood_glucose"]
    return (treated[low:].max() - treated[low]) / 18.016


@pytest.mark.parametrize("dose, low, high", [(0.1, 1.7, 3.0), (0.2, 3.5, 4.8), (0.3, 4.3, 5.6)])
def test_small_doses_after_a_low(dose, low, high):
    """Ranjan 2016, eight people: +2.3 (1.7 to 3.0), 4.2 (3.5 to 4.8), 5.0 (4.3 to 5.6) mmol/L; here without the risk."""
    assert 0.9 * low < rise_after_a_low(dose, risk_gain=0.0) < high


def test_the_published_risk_is_too_strong_in_that_trial():
    """A known limit, stated in the paper: with it 200 ug of glucagon do not bring glucose back."""
    assert rise_after_a_low(0.2) < 3.5


def test_counter_regulation_blunts_a_low_and_insulin_takes_it_away():
    kept = {"insulin_that_halves_secretion": 1e6, "glucagon_of_low_glucose": 1.0, "risk_gain": 0.0} | BY_NIGHT
    bolus = {"insulin_bolus": {0: 4.0}}
    none = after(person(**(kept | {"glucagon_on_production": 0.0})), MINUTES, **bolus)
    whole = after(person(**kept), MINUTES, **bolus)
    lost = after(person(**(kept | {"insulin_that_halves_secretion": 1.0})), MINUTES, **bolus)
    assert none["blood_glucose"].min() < 70
    assert whole["glucagon_concentration"].max() > 1.5 * 60
    assert whole["blood_glucose"].min() > none["blood_glucose"].min() + 5
    assert none["blood_glucose"].min() <= lost["blood_glucose"].min() < whole["blood_glucose"].min()


def test_risk_deepens_a_low():
    bolus = {"insulin_bolus": {0: 4.0}}
    without = after(person(**(BY_NIGHT | {"risk_gain": 0.0})), MINUTES, **bolus)["blood_glucose"]
    assert after(person(**BY_NIGHT), MINUTES, **bolus)["blood_glucose"].min() < without.min() - 1


def test_the_dawn_raises_fasting_glucose():
    hours = np.array([0.0, 2.9, 4.0, 5.1, 9.0, 11.0, 14.0, 18.1, 23.9])
    shares = [1.0, 1.0, 0.9, 0.8, 0.8, 0.85, 0.9, 1.0, 1.0]
    assert np.asarray(uptake_of_hour(jnp.asarray(60 * hours), person())) == pytest.approx(shares, abs=1e-9)
    glucose = after(person(), MINUTES)["blood_glucose"]
    assert abs(glucose[170] - glucose[0]) < 1e-6
    assert glucose[8 * 60] > glucose[0] + 10
