"""The filters as shipped: which bank and which settings serve which model. Calibration studies test exactly these."""

from __future__ import annotations

from medtwin.inference.hypotheses import GLUCOSE, WALKS
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import Update


def glucose_update() -> Update:
    """For :class:`medtwin.physiology.glucose_insulin.GlucoseInsulin`."""
    return Unscented(bank=GLUCOSE)


def circulation_update() -> Update:
    """For :class:`medtwin.physiology.circulation_daily.CirculationDaily`."""
    return Unscented(bank=WALKS, interval=6)
