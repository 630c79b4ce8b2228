"""What comes next and what if: signs, honesty about staleness, and what is withheld."""

from datetime import timedelta

import numpy as np
import pytest

from medtwin.record import Intent
from medtwin.twin.choice import choose
from medtwin.twin.forecast import forecast, learn
from medtwin.twin.snapshot import MemoryShelf
from medtwin.twin.twin import assimilate
from twin.people import NOW, event

SHELF = MemoryShelf()


@pytest.fixture(scope="module")
def life(long):
    record = long.record()
    choice = choose(record)
    twin, _ = assimilate("ada", choice, record, NOW, SHELF)
    return twin, choice, record, learn(twin, choice, record, NOW)


def plan(quantity, value, minutes):
    return event(quantity, value, NOW + timedelta(minutes=minutes), available=NOW, intent=Intent.PLANNED, key="plan")


def test_the_bands_widen_and_are_ordered(life):
    made = forecast(*life, NOW).baseline
    assert made.withheld is None
    assert made.physiological
    assert made.label.endswith("with calibrated residual")
    assert len(made.times) == 72
    assert (np.diff(made.quantiles, axis=1) >= 0).all()
    width = made.at(0.95) - made.at(0.05)
    assert width[2] < width[11] < width[35]
    assert abs(made.at(0.5)[0] - life[2].of("glucose")[-1].value) < 20.0


def test_carbohydrate_raises_and_insulin_lowers(life):
    meal = forecast(*life, NOW, planned=(plan("carbohydrate_intake", 50.0, 10),))
    bolus = forecast(*life, NOW, planned=(plan("insulin_bolus", 4.0, 10),))
    at = 23  # two hours
    assert meal.quantiles[at, 0] > 10.0
    assert bolus.quantiles[at, 4] < -10.0
    assert np.abs(meal.quantiles[:1]).max() < 1.0  # nothing before it is eaten
    shift = meal.scenario.at(0.5)[at] - meal.baseline.at(0.5)[at]
    assert shift == pytest.approx(meal.quantiles[at, 2], abs=1.0)


def test_however_wrong_the_model_no_meal_raises_by_more_than_was_eaten(life):
    made = forecast(*life, NOW, planned=(plan("carbohydrate_intake", 50.0, 10),), model_error=6.0)
    heaped = 50_000.0 / (1.45 * life[0].covariates["body_weight"])
    assert made.quantiles.max() == pytest.approx(heaped)  # reached, since the error is six times what it is
    assert forecast(*life, NOW, planned=(plan("insulin_bolus", 9.0, 10),), model_error=6.0).quantiles.min() > -400.0


def test_both_plans_at_once_lie_between(life):
    both = forecast(*life, NOW, planned=(plan("carbohydrate_intake", 50.0, 10), plan("insulin_bolus", 4.0, 10)))
    meal = forecast(*life, NOW, planned=(plan("carbohydrate_intake", 50.0, 10),))
    assert both.quantiles[35, 2] < meal.quantiles[35, 2]


def test_a_planned_rate_and_a_planned_long_acting_dose_lower(life):
    rate = forecast(*life, NOW, planned=(plan("insulin_basal_rate", 2.0, 5),))
    dose = forecast(*life, NOW, planned=(plan("insulin_long_acting", 20.0, 5),))
    assert rate.quantiles[47, 4] < -2.0
    assert dose.quantiles[47, 4] < -2.0


def test_a_plan_in_the_record_is_a_plan(life):
    twin, choice, record, learnt = life
    planned = plan("carbohydrate_intake", 50.0, 10)
    stated = forecast(twin, choice, record.plus([planned]), learnt, NOW)
    asked = forecast(twin, choice, record, learnt, NOW, planned=(planned,))
    np.testing.assert_array_equal(stated.scenario.quantiles, asked.scenario.quantiles)


def test_without_plans_nothing_differs(life):
    made = forecast(*life, NOW)
    assert made.scenario is made.baseline
    assert not made.quantiles.any()


@pytest.mark.parametrize(("age", "expected"), [(45, "widened"), (200, "withheld")])
def test_stale_readings_widen_and_then_withhold(life, long, age, expected):
    _, choice, record, learnt = life
    at = NOW + timedelta(minutes=age)
    twin, _ = assimilate("ada", choice, record, at, SHELF)
    made = forecast(twin, choice, record, learnt, at).baseline
    reason = getattr(made, expected)
    assert reason.startswith("the last reading is")
    if expected == "widened":
        fresh = forecast(*life, NOW).baseline
        wide = lambda f, i: f.at(0.95)[i] - f.at(0.05)[i]  # noqa: E731
        assert wide(made, 2) > wide(fresh, 2)
    else:
        assert made.times == ()


def test_someone_without_a_model_gets_a_labelled_statistical_forecast(life, long):
    record = long.record([e for e in long.events if e.quantity != "diagnosis"])
    choice = choose(record)
    made = forecast(None, choice, record, learn(None, choice, record, NOW), NOW, patient="x")
    assert made.baseline.label == "statistical forecast"
    assert not made.baseline.physiological
    assert made.baseline.withheld is None
    planned = forecast(
        None, choice, record, learn(None, choice, record, NOW), NOW, planned=(plan("insulin_bolus", 4.0, 10),)
    )
    assert planned.scenario is planned.baseline  # plans cannot be judged


def test_a_short_past_is_not_calibrated_and_says_so(short):
    events = [e for e in short.events if e.instant > NOW - timedelta(hours=6) or e.quantity == "diagnosis"]
    record = short.record(events)
    choice = choose(record)
    twin, _ = assimilate("ada", choice, record, NOW)
    learnt = learn(twin, choice, record, NOW)
    assert learnt is None
    made = forecast(twin, choice, record, learnt, NOW).baseline
    assert "not yet calibrated" in made.widened
    assert made.label.endswith("uncalibrated")


def test_a_residual_learns_from_the_past_only(life):
    twin, choice, record, _ = life
    half = NOW - timedelta(days=2)
    early = record.known_by(half)
    then, _ = assimilate("ada", choice, early, half, SHELF)
    known = learn(then, choice, early, half)
    later = early.plus(e for e in record.history if e.instant > half)
    again, _ = assimilate("ada", choice, later, half, SHELF)
    for a, b in zip(known.horizons, learn(again, choice, later, half).horizons, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)
    assert twin.at > half


def test_no_plan_leads_where_nobody_can_be(life):
    made = forecast(*life, NOW, planned=(plan("insulin_bolus", 20.0, 5),)).scenario
    assert made.quantiles.min() >= 0.0
    assert (np.diff(made.quantiles, axis=1) >= 0).all()


def test_an_effect_holds_the_models_own_error(life):
    meal = (plan("carbohydrate_intake", 50.0, 10),)
    members, whole = (forecast(*life, NOW, planned=meal, model_error=scale).quantiles for scale in (0.0, 1.0))
    at = 35  # three hours
    assert whole[at, 4] - whole[at, 0] > 1.5 * (members[at, 4] - members[at, 0])
    assert whole[at, 2] == pytest.approx(members[at, 2], rel=0.15)


def test_of_somebody_whom_the_model_does_not_fit_a_plan_says_so(life):
    from dataclasses import replace

    import equinox as eqx

    twin, *rest = life
    place = np.array([twin.belief.names.index(name) for name in twin.problem.inferred[4:12]])
    pulled = replace(twin, belief=eqx.tree_at(lambda b: b.mean, twin.belief, twin.belief.mean.at[place].set(2.9)))
    made = forecast(pulled, *rest, NOW, planned=(plan("insulin_bolus", 2.0, 5),))
    assert "take the effect as a direction" in made.scenario.widened
    assert made.baseline.widened is None
