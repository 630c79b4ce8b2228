"""The multi-meal minimal model: the published recursion, exact areas, exercise, and what a week of sensor data shows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology.exposures import DAY, HOUR, MINUTE, Grid, activity, bolus, inputs, meal
from medtwin.physiology.glucose_meals import GlucoseMeals, risk
from medtwin.physiology.model import parameters_at, simulate

MODEL = GlucoseMeals()


def given(p, days, exposures):
    """Inputs of each minute of some days: basal at rest, and what is given."""
    steps = round(days * 1440)
    read = inputs(exposures, MODEL.accepts, Grid(start=0.0, step=MINUTE, count=steps), unit=MINUTE)
    held = {name: jnp.asarray(value) for name, value in read.items()}
    return held | {"insulin_basal_rate": jnp.full(steps, float(MODEL.resting(p)["insulin_basal_rate"]))}


def run(p, held, every=1):
    return {name: np.asarray(value) for name, value in _simulated(p, held, every).items()}


@eqx.filter_jit
def _simulated(p, held, every):
    return simulate(MODEL, MODEL.initial(p), p, held, every=every)[1]


def recursion(p, held, per_minute):
    """The published recursion (backward Euler), in steps of 1/per_minute; one meal class an hour, as the model's."""
    v = {name: float(getattr(p, name)) for name in vars(p)}
    h, names = 1.0 / per_minute, ("breakfast", "lunch", "dinner", "snack")
    chains = {name: [0.0, 0.0, 0.0] for name in names}
    i1, i2 = v["basal_rate"] / v["depot_passage_rate"], v["basal_rate"] / v["depot_absorption_rate"]
    ip = ipb = v["basal_rate"] / v["insulin_elimination"]
    action, glucose, sensor, gb = 0.0, v["fasting_glucose"], v["fasting_glucose"], v["fasting_glucose"]
    seen = []
    for minute in range(len(held["insulin_bolus"])):
        hour = minute / 60.0 % 24
        now = 0 if 4 <= hour < 11 else 1 if 11 <= hour < 15 else 2 if 17 <= hour < 22 else 3
        si = v[
            "breakfast_sensitivity"
            if 4 <= hour < 11
            else "lunch_sensitivity"
            if 11 <= hour < 17
            else "dinner_sensitivity"
        ]
        eaten = float(held["carbohydrate_intake"][minute]) * 1000.0 / v["body_weight"]  # mg/kg/min
        units = float(held["insulin_bolus"][minute]) + float(held["insulin_basal_rate"][minute]) / 60.0
        insulin = units * 1000.0 / v["body_weight"]
        for _ in range(per_minute):
            appeared = 0.0
            for k, name in enumerate(names):
                q = chains[name]
                empty, absorbed = h * v["stomach_rate"], h * v[f"{name}_absorption"]
                q[0] = (q[0] + (h * eaten if k == now else 0.0)) / (1 + empty)
                q[1] = (q[1] + empty * q[0]) / (1 + empty)
                q[2] = (q[2] + empty * q[1]) / (1 + absorbed)
                appeared += v[f"{name}_absorption"] * q[2]
            kd, ka2, ke = h * v["depot_passage_rate"], h * v["depot_absorption_rate"], h * v["insulin_elimination"]
            i1 = (i1 + h * insulin) / (1 + kd)
            i2 = (i2 + kd * i1) / (1 + ka2)
            ip = (ip + ka2 * i2) / (1 + ke)
            p2 = h * v["insulin_action_rate"]
            action = (action + p2 * si / v["insulin_volume"] * (ip - ipb)) / (1 + p2)
            low = min(max(glucose, 60.0), gb)
            more = 1 + 10 * 1.4407 * (np.log(low) ** 0.8124 - np.log(gb) ** 0.8124) ** 2
            sg = h * v["glucose_effectiveness"]
            glucose = glucose + sg * gb + h * v["absorbed_share"] * appeared / v["glucose_volume"]
            glucose = glucose / (1 + sg + h * more * action)
            sensor = (v["sensor_delay"] * sensor + h * glucose) / (v["sensor_delay"] + h)
        seen.append((glucose, sensor))
    return np.array(seen).T


def test_the_published_recursion_is_met_as_its_step_vanishes():
    """A day with four meals, a low and a high; the recursion is of first order, so two step sizes are extrapolated."""
    p = parameters_at(MODEL, {}, {"body_weight": 70.0})
    day = (
        *meal(7 * HOUR, carbohydrate=60.0), bolus(7 * HOUR, 5.0), *meal(12 * HOUR, carbohydrate=70.0),
        bolus(12 * HOUR, 3.0), *meal(16 * HOUR, carbohydrate=25.0), *meal(19 * HOUR, carbohydrate=80.0),
        bolus(19 * HOUR, 9.0),
    )  # fmt: skip
    held = given(p, 1, day)
    ours = run(p, held)
    coarse, fine = recursion(p, held, 5), recursion(p, held, 10)
    assert ours["glucose"].min() < 85
    assert ours["glucose"].max() > 170
    for name, (one, two) in {"blood_glucose": (coarse[0], fine[0]), "glucose": (coarse[1], fine[1])}.items():
        assert np.abs(ours[name] - two).max() < 1.5
        assert np.abs(ours[name] - (2 * two - one)).max() < 0.1, name


def test_the_area_under_a_meal_without_insulin_is_exact():
    """With insulin at basal the model is linear: the area above rest is f D/(VG W SG), whatever the absorption."""
    p = parameters_at(MODEL, {}, {"body_weight": 70.0})
    for hour in (7, 12, 16, 19):
        seen = run(p, given(p, 2, meal(hour * HOUR, carbohydrate=50.0)))
        area = (seen["blood_glucose"] - 119.13).sum()
        exact = 0.9 * 50000.0 / (1.45 * 70.0 * float(p.glucose_effectiveness))
        assert area == pytest.approx(exact, rel=2e-3), hour


def test_the_risk_of_low_glucose():
    p = parameters_at(MODEL, {})
    at = risk(jnp.asarray([40.0, 60.0, 90.0, 119.13, 200.0]), jax.tree.map(lambda x: x[None], p))
    by_hand = 1 + 14.407 * (np.log(60.0) ** 0.8124 - np.log(119.13) ** 0.8124) ** 2
    assert np.asarray(at) == pytest.approx([by_hand, by_hand, np.asarray(at)[2], 1.0, 1.0], rel=1e-6)
    assert 1 < float(at[2]) < by_hand


def test_exercise_lowers_glucose_while_it_lasts_and_insulin_acts_more_for_hours_after():
    """Effort settles at the rise of heart rate in 5 min steps; Z rises to F/(F + 1/tau) and falls with tau."""
    p = parameters_at(MODEL, {}, {"resting_heart_rate": 70.0})
    walk = activity(9 * HOUR, until=9.75 * HOUR, heart_rate=110.0)
    held = given(p, 1, walk)
    still = run(p, given(p, 1, ()))["blood_glucose"]
    walked = run(p, held)["blood_glucose"]
    assert np.abs(still - 119.13).max() < 1e-9
    assert 10 < still[585] - walked[585] < 60  # at the end of the walk
    dinner = (bolus(12 * HOUR, 2.0),)
    after = run(p, given(p, 1, (*walk, *dinner)))["blood_glucose"].min()
    assert after < run(p, given(p, 1, dinner))["blood_glucose"].min() - 3
    walking, later = (_state_after(p, {k: v[a:b] for k, v in held.items()}) for a, b in ((0, 585), (0, 1440)))
    powered = (40.0 / 7.0) ** 4
    acting = powered / (1 + powered)
    assert float(walking.effort) == pytest.approx(40.0 * (1 - np.exp(-9.0)), rel=1e-4)
    assert float(walking.exercise_effect) == pytest.approx(acting / (acting + 1 / 600), rel=1e-3)
    assert float(later.exercise_effect / walking.exercise_effect) == pytest.approx(np.exp(-855 / 600), rel=0.03)


@eqx.filter_jit
def _state_after(p, held):
    return simulate(MODEL, MODEL.initial(p), p, held)[0]


def week(snacks=True, walks=True):
    """Seven days of a usual life: meals and boluses that differ from day to day."""
    rng, life = np.random.default_rng(1), []
    for day in range(7):
        for hour, grams in ((7.0, 45.0), (12.5, 65.0), (19.0, 75.0), (15.5, 20.0)):
            if hour == 15.5 and not snacks:
                continue
            when = day * DAY + (hour + 0.5 * rng.uniform()) * HOUR
            amount = grams * rng.uniform(0.7, 1.3)
            life += meal(when, carbohydrate=amount)
            if hour != 15.5:
                life.append(bolus(when, amount / 12.0 * rng.uniform(0.8, 1.2)))
        if walks:
            life += activity(day * DAY + (9.5 + day) * HOUR, until=day * DAY + (10.25 + day) * HOUR, heart_rate=115.0)
    return tuple(life)


def information(exposures, sd=10.0, every=15):
    """Fisher information of the deviates of what is inferred, of a reading each 15 min with that error.

    Sensors read each 5 min with 5 mg/dL, but their errors hang together: a third of them with twice the error.
    """
    zero = parameters_at(MODEL, {}, {"body_weight": 70.0})
    held = given(zero, 7, exposures)

    def readings(z):
        deviates = {name: z[i] for i, name in enumerate(MODEL.inferred)}
        p = parameters_at(MODEL, deviates, {"body_weight": 70.0})
        return simulate(MODEL, MODEL.initial(p), p, held, every=every)[1]["glucose"]

    slopes = np.asarray(jax.jit(jax.jacfwd(readings))(jnp.zeros(len(MODEL.inferred))))
    return slopes.T @ slopes / sd**2


def test_a_week_of_sensor_data_shows_every_inferred_parameter():
    """Full rank; the least known direction still learns from the data; each parameter is known better than before."""
    found = information(week())
    values = np.linalg.eigvalsh(found)
    count = len(MODEL.inferred)
    assert np.linalg.matrix_rank(found) == count
    assert values[0] > 1.0  # in units of the prior: the data say more than the prior in every direction
    assert values[-1] / values[0] < 1e5
    left = np.sqrt(np.diag(np.linalg.inv(found + np.eye(count))))
    assert left.max() < 0.6, dict(zip(MODEL.inferred, left.round(3), strict=True))
    scaled = found / np.sqrt(np.outer(np.diag(found), np.diag(found)))
    assert np.abs(scaled - np.eye(count)).max() < 0.99


def test_what_a_week_does_not_show_is_seen_not_to_be_shown():
    index = {name: i for i, name in enumerate(MODEL.inferred)}
    quiet = information(week(snacks=False, walks=False))
    unseen = {index[name] for name in ("snack_absorption", "exercise_uptake", "exercise_sensitivity")}
    assert np.linalg.matrix_rank(quiet) == len(index) - 3
    assert all(quiet[i, i] == 0 for i in unseen)


def test_volume_and_absorbed_share_cannot_be_told_apart():
    """Only their ratio enters: so both are fixed, and nothing infers them."""
    p = parameters_at(MODEL, {}, {"body_weight": 70.0})
    held = given(p, 1, week()[:12])

    def readings(z):
        q = eqx.tree_at(
            lambda r: (r.absorbed_share, r.glucose_volume),
            p,
            (p.absorbed_share * (1 + z[0]), p.glucose_volume * (1 + z[1])),
        )
        return simulate(MODEL, MODEL.initial(q), q, held, every=15)[1]["glucose"]

    slopes = np.asarray(jax.jit(jax.jacfwd(readings))(jnp.zeros(2)))
    values = np.linalg.svd(slopes, compute_uv=False)
    assert values[1] / values[0] < 1e-10
