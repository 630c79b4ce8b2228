"""The filters as shipped: which bank and which settings serve which model. Calibration studies test exactly these."""

from __future__ import annotations

from dataclasses import replace

from medtwin.inference.hypotheses import GLUCOSE, WALKS, wide
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import Update


def glucose_update() -> Update:
    """For :class:`medtwin.physiology.glucose_insulin.GlucoseInsulin`.

    Six times the model's own noise of the gut, and twice the walk of ``meal_absorption``: emptying of the stomach turns
    sharply, which sigma points see only in part. With it intervals of ``meal_absorption`` hold more nearly what they
    promise, and the second rise of a meal, four hours after it, is seldom taken for a meal that nobody told of.
    """
    return Unscented(bank=GLUCOSE, noise=(("gut_glucose", 6.0),), walks=(("meal_absorption", 2.0),))


def glucose_meals_update() -> Update:
    """For :class:`medtwin.physiology.glucose_meals.GlucoseMeals`: the same bank."""
    return Unscented(bank=GLUCOSE)


def glucose_type_2_update() -> Update:
    """For :class:`medtwin.physiology.glucose_type_2.GlucoseType2`: the same bank."""
    return Unscented(bank=GLUCOSE)


def wide_update(model: str) -> Update:
    """The shipped filter of a glucose model with the wide bank; raises InferenceError for a model without one."""
    bank = wide(model)
    made = {"glucose_insulin": glucose_update, "glucose_meals": glucose_meals_update}[model]()
    assert isinstance(made, Unscented)
    return replace(made, bank=bank)


def circulation_update() -> Update:
    """For :class:`medtwin.physiology.circulation_daily.CirculationDaily`.

    What changes from day to day is the model's own tone and pulse; the person's parameters drift over months, at three
    tenths of the usual random walk.
    """
    return Unscented(bank=WALKS, interval=6, walk=0.3, walks=(("heart_rate", 0.3),))
