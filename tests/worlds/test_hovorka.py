"""The Hovorka person: rest, conservation, order of accuracy, an independent solver, published qualitative truths."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from medtwin.worlds import hovorka
from medtwin.worlds.hovorka import Drive


def run(state, parameters, drives, minutes=1.0):
    states = [state]
    for drive in drives:
        states.append(hovorka.step(states[-1], parameters, drive, minutes))
    return np.stack(states)


def meal_and_bolus(basal, grams=50.0, units=0.0, length=600, gut=1.0):
    """A drive a minute: ``grams`` over ten minutes and a bolus at once."""
    rate = grams * 1000 / hovorka.GLUCOSE_MG_PER_MMOL / 10
    return [
        Drive(
            carbohydrate=rate if m < 10 else 0.0,
            insulin=basal / 0.06 + (1000.0 * units if m == 0 else 0.0),
            gut_factor=gut,
        )
        for m in range(length)
    ]


@pytest.fixture
def people():
    drawn = hovorka.draw(np.random.default_rng(3), 400)
    return drawn.where(np.isfinite(hovorka.steady_insulin(drawn, 7.0)) & (hovorka.steady_insulin(drawn, 7.0) < 60))


def test_rest_is_rest(people):
    state, basal = hovorka.steady_state(people, 7.0)
    change = hovorka.rates(state, people, Drive(insulin=basal / 0.06))
    assert np.abs(change).max() < 1e-9
    later = run(state, people, [Drive(insulin=basal / 0.06)] * 240)[-1]
    np.testing.assert_allclose(hovorka.glucose(later, people), 7.0 * hovorka.MG_DL, rtol=1e-6)


def test_rest_of_the_mean_person_by_another_solver():
    p = hovorka.published()

    def balance(insulin, level=6.0, bw=78.0):  # the 2004 equations written down once more
        q1, x1, x2, x3 = level * 0.16 * bw, 51.2e-4 * insulin, 8.2e-4 * insulin, 520e-4 * insulin
        q2 = x1 * q1 / (0.066 + x2)
        return -0.0097 * bw - x1 * q1 + 0.066 * q2 + 0.0161 * bw * (1 - x3)

    expected = brentq(balance, 0.1, 30)
    assert hovorka.steady_insulin(p, 6.0)[0] == pytest.approx(expected, rel=1e-9)
    assert hovorka.steady_state(p, 6.0)[1][0] == pytest.approx(expected * 0.138 * 0.12 * 78 * 0.06, rel=1e-9)


def test_no_rest_where_the_liver_gives_too_little():
    assert np.isnan(hovorka.steady_insulin(hovorka.published().replace(production=0.005), 6.0)[0])


def test_renal_loss_carries_the_volume():
    p = hovorka.published()
    state, _ = hovorka.steady_state(p, 12.0)
    with_loss = hovorka.rates(state, p, Drive())[0, 0]
    without = hovorka.rates(state, p.replace(renal_clearance=0.0), Drive())[0, 0]
    assert without - with_loss == pytest.approx(0.003 * (12 - 9) * 0.16 * 78, rel=1e-9)


def test_all_eaten_carbohydrate_is_absorbed_once():
    p = hovorka.published()
    state, basal = hovorka.steady_state(p, 6.0)
    drives = meal_and_bolus(basal, grams=75.0, length=2880)
    for m in range(60, 2880):  # the gut may change its pace half way without losing anything
        drives[m] = Drive(insulin=basal / 0.06, gut_factor=1.7)
    states = run(state, p, drives)
    factor = np.array([d.gut_factor for d in drives])
    middle = 0.5 * (states[1:, 9, 0] + states[:-1, 9, 0])
    appeared = (middle / (p.gut_time[0] * factor)).sum()
    eaten = 0.8 * 75.0 * 1000 / hovorka.GLUCOSE_MG_PER_MMOL
    assert appeared == pytest.approx(eaten, rel=2e-4)
    assert states[-1, 8:10].sum() < 1e-6 * eaten


def test_all_injected_insulin_reaches_plasma():
    p = hovorka.published()
    state, basal = hovorka.steady_state(p, 6.0)
    with_bolus = run(state, p, meal_and_bolus(basal, grams=0, units=5, length=1440))[:, 4, 0]
    area = np.trapezoid(with_bolus - state[4, 0])
    assert area * 0.138 * 0.12 * 78 == pytest.approx(5000.0, rel=1e-3)


def test_runge_kutta_is_of_fourth_order_where_nothing_kinks():
    p = hovorka.published()
    state, basal = hovorka.steady_state(p, 6.0)
    state = state.copy()
    state[8], state[9] = 60.0, 20.0  # a meal on board, no threshold crossed
    state[3] += 900.0
    ends = {dt: run(state, p, [Drive(insulin=basal / 0.06)] * int(96 / dt), dt)[-1, 0, 0] for dt in (8, 4, 2, 1, 0.125)}
    errors = np.array([abs(ends[dt] - ends[0.125]) for dt in (8, 4, 2, 1)])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:])[1:], 4.0, atol=0.3)


def test_agrees_with_scipy_over_a_meal_and_a_walk():
    p = hovorka.published().replace(heart_rate_reference=80.0)
    state, basal = hovorka.steady_state(p, 7.0)
    minutes = 360
    drives = meal_and_bolus(basal, grams=60, units=4, length=minutes)
    for m in range(120, 165):
        drives[m] = Drive(insulin=basal / 0.06, heart_rate=115.0)
    ours = run(state, p, drives)[:, 0, 0]
    y, reference = state[:, 0], [state[0, 0]]
    for m in range(minutes):
        out = solve_ivp(
            lambda t, x, d=drives[m]: hovorka.rates(x[:, None], p, d)[:, 0], (0, 1), y, rtol=1e-9, atol=1e-9
        )
        y = out.y[:, -1]
        reference.append(y[0])
    np.testing.assert_allclose(ours * hovorka.MG_DL / 12.48, np.array(reference) * hovorka.MG_DL / 12.48, atol=0.02)


def test_the_own_ratio_leaves_no_net_glucose():
    p = hovorka.published()
    state, basal = hovorka.steady_state(p, 6.5)
    ratio, factor = hovorka.dosing(p, 6.5)
    base = hovorka.glucose(state, p)[0]

    def excess(grams, units):
        path = run(state, p, meal_and_bolus(basal, grams, units, length=900))
        return np.trapezoid([hovorka.glucose(s, p)[0] - base for s in path])

    meal, both = excess(10.0, 0.0), excess(10.0, 10.0 / ratio[0])
    assert meal > 0
    assert abs(both) < 0.15 * meal
    assert 5 < ratio[0] < 40
    assert 20 < factor[0] < 200


def test_what_everyone_knows(people):
    p = people.where(np.arange(60))
    state, basal = hovorka.steady_state(p, 8.0)
    base = hovorka.glucose(state, p)
    rest = [Drive(insulin=basal / 0.06)] * 300
    meal = np.stack([hovorka.glucose(s, p) for s in run(state, p, meal_and_bolus(basal, 40.0, length=300))])
    larger = np.stack([hovorka.glucose(s, p) for s in run(state, p, meal_and_bolus(basal, 80.0, length=300))])
    bolus = np.stack([hovorka.glucose(s, p) for s in run(state, p, meal_and_bolus(basal, 0.0, 2.0, length=300))])
    assert (meal.max(axis=0) > base + 20).all()
    assert (larger.max(axis=0) > meal.max(axis=0)).all()
    assert (bolus[-1] < base - 5).all()
    assert 25 < np.median(meal.argmax(axis=0)) < 160  # minutes to the peak without insulin
    walk = [Drive(insulin=basal / 0.06, heart_rate=p.heart_rate_reference + 35.0)] * 40 + rest[40:]
    walked = np.stack([hovorka.glucose(s, p) for s in run(state, p, walk)])
    drop = (base - walked[40]) / hovorka.MG_DL
    assert (drop > 0.3).all()
    assert 0.8 < np.median(drop) < 4.0  # mmol/L in 40 minutes of brisk walking
    assert (walked[-1] < base).all()  # insulin works better for hours


def test_sensitivity_and_speed_of_absorption_act_the_right_way():
    p = hovorka.published()
    state, basal = hovorka.steady_state(p, 8.0)
    more = run(state, p, [Drive(insulin=basal / 0.06, uptake_sensitivity=1.3, production_sensitivity=1.3)] * 300)
    less = run(state, p, [Drive(insulin=basal / 0.06, uptake_sensitivity=0.7, production_sensitivity=0.7)] * 300)
    assert hovorka.glucose(more[-1], p)[0] < 8 * hovorka.MG_DL < hovorka.glucose(less[-1], p)[0]
    fast = run(state, p, meal_and_bolus(basal, gut=0.6))[:, 0, 0]
    slow = run(state, p, meal_and_bolus(basal, gut=1.8))[:, 0, 0]
    assert fast.max() > slow.max()
    assert fast.argmax() < slow.argmax()


@pytest.mark.parametrize("impaired", [False, True])
def test_secretion_holds_the_fasting_level_and_meets_a_glucose_drink(impaired):
    fasting = 7.4 if impaired else 5.0
    p = hovorka.secreting(hovorka.published(), fasting, impaired=impaired)
    state, basal = hovorka.steady_state(p, fasting)
    assert basal[0] == 0.0
    assert np.abs(hovorka.rates(state, p, Drive())).max() < 1e-9
    path = np.array([hovorka.glucose(s, p)[0] for s in run(state, p, meal_and_bolus(0.0, 75.0, length=480))])
    if impaired:
        assert path[120] > 180
    else:
        assert path.max() < 215
        assert path[120] < 140  # a normal two-hour value
        assert path.min() > 60


def test_the_spread_is_the_published_one():
    p = hovorka.draw(np.random.default_rng(8), 20000)
    for name, mean, sd in (
        ("transport_sensitivity", 51.2e-4, 32.09e-4),
        ("production", 0.0161, 0.0039),
        ("insulin_elimination", 0.14, 0.035),
        ("transport_rate", 0.0055, 0.0056),
    ):
        values = getattr(p, name)
        assert (values > 0).all()
        assert values.mean() == pytest.approx(mean, rel=0.04)
        assert values.std() == pytest.approx(sd, rel=0.12)
    assert np.log(p.gut_time).std() == pytest.approx(0.25, rel=0.03)
    assert (p.absorbed <= 0.95).all()


def test_people_do_not_touch_each_other(people):
    p = people.where(np.arange(5))
    state, basal = hovorka.steady_state(p, 7.0)
    together = run(state, p, meal_and_bolus(basal, length=200))[-1]
    alone = p.where(np.array([2]))
    own, need = hovorka.steady_state(alone, 7.0)
    np.testing.assert_array_equal(run(own, alone, meal_and_bolus(need, length=200))[-1][:, 0], together[:, 2])
