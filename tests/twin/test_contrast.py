"""Two plans compared: what they share cancels, what they do not acts in its own direction, and before they part nothing does."""

from datetime import timedelta

import numpy as np
import pytest

from medtwin.errors import InferenceError
from medtwin.record import Intent, Moment
from medtwin.twin import scenario as scenarios
from medtwin.twin.choice import choose
from medtwin.twin.contrast import contrast
from medtwin.twin.forecast import forecast
from medtwin.twin.snapshot import MemoryShelf
from medtwin.twin.twin import assimilate
from twin.people import NOW, event

TIMES = [NOW + timedelta(minutes=m) for m in (15, 80, 140, 200, 260)]
MEAL_AT = 20


@pytest.fixture(scope="module")
def life(short):
    record = short.record()
    choice = choose(record, model="glucose_meals")  # which knows exercise
    twin, _ = assimilate("ada", choice, record, NOW, MemoryShelf())
    return twin, choice, record


def plan(quantity, value, minutes, until=None):
    begin = NOW + timedelta(minutes=minutes)
    end = None if until is None else Moment.of(NOW + timedelta(minutes=until))
    return event(quantity, value, begin, available=NOW, intent=Intent.PLANNED, key=f"plan {quantity}", until=end)


def lunch(grams=60.0, units=6.0, *more):
    return (plan("carbohydrate_intake", grams, MEAL_AT, MEAL_AT + 15), plan("insulin_bolus", units, MEAL_AT), *more)


def test_half_the_bolus_leaves_glucose_higher_and_the_reverse_is_its_mirror(life):
    less = contrast(life[0], "glucose", lunch(), lunch(units=3.0), TIMES)
    assert less.shape == (5, 5)
    np.testing.assert_allclose(less[0], 0.0, atol=1e-3)  # before the meal
    assert (less[2:] > 3.0).all()
    back = contrast(life[0], "glucose", lunch(units=3.0), lunch(), TIMES)
    np.testing.assert_allclose(back[:, 2], -less[:, 2], rtol=0.05, atol=0.5)


def test_more_carbohydrate_raises_and_a_walk_lowers(life):
    more = contrast(life[0], "glucose", lunch(30.0), lunch(60.0), TIMES)
    assert (more[1:4, 0] > 3.0).all()
    assert more[4, 0] > 0.0  # four hours on little is left of it: this structure brings glucose back quickly
    walk = plan("heart_rate", 115.0, MEAL_AT + 30, MEAL_AT + 70)
    walked = contrast(life[0], "glucose", lunch(), lunch(60.0, 6.0, walk), TIMES)
    assert (walked[2:, 2] < 0.0).all()
    assert walked[2, 2] < -5.0  # an hour and a half after the walk began


def test_a_walk_as_it_is_typed_is_the_same_walk(life):
    meant = scenarios.planned([], "+50m", walks=["40min@115bpm"])
    (typed,) = scenarios.events(meant, NOW, "Europe/Berlin")
    walk = plan("heart_rate", 115.0, 50, 90)
    ask = (life[0], "glucose", lunch())
    given = [contrast(*ask, (*lunch(), one), TIMES) for one in (typed, walk)]
    np.testing.assert_array_equal(*given)
    assert given[0][2, 2] < -5.0
    assert scenarios.unheard([typed], life[1]) == ()
    assert scenarios.unheard([typed], choose(life[2])) == ("heart_rate",)
    assert scenarios.takers("heart_rate") == ("glucose_meals",)


def test_one_plan_twice_changes_nothing(life):
    assert not contrast(life[0], "glucose", lunch(), lunch(), TIMES).any()


@pytest.mark.slow
def test_against_no_plan_it_is_the_effect_of_the_forecast(life):
    twin, choice, record = life
    meal = (plan("carbohydrate_intake", 50.0, 10),)
    effect = forecast(twin, choice, record, None, NOW, planned=meal).quantiles
    both = contrast(twin, "glucose", (), meal, [NOW + timedelta(hours=h) for h in (1, 2, 3)])
    np.testing.assert_allclose(both[:, 2], effect[[11, 23, 35], 2], rtol=0.05, atol=0.5)


def test_the_models_own_error_widens(life):
    bare, wide = (contrast(life[0], "glucose", (), lunch(60.0, 1.0), TIMES, model_error=e) for e in (0.0, 1.0))
    assert (wide[2:, 4] - wide[2:, 0] > 1.1 * (bare[2:, 4] - bare[2:, 0])).all()


def test_what_cannot_be_asked_is_said(life):
    with pytest.raises(InferenceError, match="blood_glucose"):
        contrast(life[0], "body_weight", (), lunch(), TIMES)
    with pytest.raises(InferenceError, match="times after"):
        contrast(life[0], "glucose", (), lunch(), [NOW])
