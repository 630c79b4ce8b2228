"""Planted causes: what is planted, what counts as named and as false, and a small scene from end to end."""

from dataclasses import replace

import numpy as np
import pytest

from medtwin.evidence import causes
from medtwin.evidence.causes import Ask, Cause
from medtwin.evidence.lives import DAY, live
from medtwin.inference.problem import problem
from medtwin.physiology.glucose_insulin import GlucoseInsulin


def ask(hypothesis="missed_meal", begin=500.0, end=560.0, person=0):
    return Ask(person, hypothesis, begin, end, begin + 10, 40.0, begin - 60)


def test_a_cause_is_named_only_by_its_own_hypothesis_in_time():
    cause = Cause(0, "missed_meal", 450.0, 600.0, 50.0)
    assert causes.named([cause], [ask()]) == [ask()]
    assert causes.named([cause], [ask("sensor_low")]) == [None]
    assert causes.named([cause], [ask(person=1)]) == [None]
    assert causes.named([cause], [ask(begin=601.0, end=700.0)]) == [None]
    assert causes.named([cause], [ask(begin=300.0, end=434.0)]) == [None]
    later = ask(begin=520.0)
    assert causes.named([cause], [later, ask()]) == [ask()]


def test_a_question_about_nothing_is_false():
    cause = Cause(0, "missed_meal", 450.0, 600.0)
    assert causes.false_asks([cause], [ask()]) == []
    assert causes.false_asks([cause], [ask(person=1)]) == [ask(person=1)]
    assert causes.false_asks([cause], [ask(begin=841.0, end=900.0)]) == [ask(begin=841.0, end=900.0)]
    assert causes.false_asks([], [ask()]) == [ask()]


def test_what_is_planted_lies_where_it_says():
    rng = np.random.default_rng(0)
    fault, planted = causes.pressed(3, 2 * DAY, rng)
    assert len(planted) == 6
    for cause in planted:
        window = fault[int(cause.begin) : int(cause.until), cause.person]
        assert window.min() <= -35.0
    assert (fault <= 0).all()
    fault, planted = causes.shifted(3, 2 * DAY, rng)
    for cause in planted:
        before, after = fault[int(cause.begin) - 1, cause.person], fault[int(cause.begin), cause.person]
        assert abs(after - before) >= 20.0
    assert not fault[:DAY].any()


@pytest.mark.slow
def test_meals_that_nobody_told_of():
    lives = live(problem(GlucoseInsulin()), 4, 2, 3, unannounced=0.5)
    planted = causes.missed_meals(lives)
    assert planted
    for cause in planted:
        assert lives.meals[int(cause.begin), cause.person] == cause.amount >= 20.0
        assert not lives.told[int(cause.begin), cause.person]
        assert not np.asarray(lives.tape.inputs["carbohydrate_intake"])[int(cause.begin), cause.person]


@pytest.mark.slow
def test_a_bank_is_worth_more_than_doing_nothing_when_meals_are_missed():
    found = causes.figures("meals", 12, 5)
    assert found.planted > 5
    assert found.named > 0
    assert found.hour_rmse < found.hour_rmse_single


def test_the_report_states_what_was_found():
    row = causes.Figures(
        "meals", 10, 40, 30, 0.6, 0.9, 45.0, 3, 0.15, 30.0, 50.0, 12.0, 20.0,
    )  # fmt: skip
    text = causes.page([row], "python -m x")
    assert "| 75% (60% to 90%) |" in text
    assert "40% below doing nothing" in text
    assert "met" in text
    assert "**missed**" in causes.page([replace(row, hour_rmse=45.0)], "python -m x")
