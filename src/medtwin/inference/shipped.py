"""The filters as shipped: which bank and which settings serve which model. Calibration studies test exactly these."""

from __future__ import annotations

from medtwin.inference.hypotheses import GLUCOSE, WALKS
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import Update


def glucose_update() -> Update:
    """For :class:`medtwin.physiology.glucose_insulin.GlucoseInsulin`.

    Four times the model's own noise of the gut: emptying of the stomach turns sharply, which sigma points see only in
    part. With it intervals of ``meal_absorption`` hold what they promise, and the second rise of a meal, four hours after
    it, is no longer taken for a meal that nobody told of.
    """
    return Unscented(bank=GLUCOSE, noise=(("gut_glucose", 4.0),))


def circulation_update() -> Update:
    """For :class:`medtwin.physiology.circulation_daily.CirculationDaily`.

    What changes from day to day is the model's own tone and pulse; the person's parameters drift over months, at three
    tenths of the usual random walk.
    """
    return Unscented(bank=WALKS, interval=6, walk=0.3)
