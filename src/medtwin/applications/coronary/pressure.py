"""The mean aortic pressure that a record knows, for a tree that states none."""

from __future__ import annotations

from datetime import datetime, timedelta

from medtwin.errors import AnalysisError
from medtwin.record import Basis, Intent, Record

WITHIN = timedelta(days=180)  #: older readings of a cuff say nothing (judgement)


def mean_pressure(record: Record, now: datetime) -> tuple[float, datetime]:
    """Newest mean arterial pressure, mmHg, and its time: as measured, else a cuff's diastolic plus a third of the pulse pressure.

    Raises :class:`AnalysisError` where the last ``WITHIN`` hold none.
    """
    held = {
        name: {
            e.instant: float(e.value)
            for e in record.of(name, since=now - WITHIN, until=now)
            if isinstance(e.value, float) and e.basis is Basis.OBSERVED and e.intent is Intent.HAPPENED
        }
        for name in ("mean_arterial_pressure", "systolic_pressure", "diastolic_pressure")
    }
    found = {
        when: low + (held["systolic_pressure"][when] - low) / 3.0
        for when, low in held["diastolic_pressure"].items()
        if held["systolic_pressure"].get(when, 0.0) > low
    }
    found.update(held["mean_arterial_pressure"])
    if not found:
        raise AnalysisError(
            f"no blood pressure within {WITHIN.days} days", expected="a cuff's reading in the record",
            remedy="state --pressure MMHG, or aortic_pressure_mmhg in the tree",
        )  # fmt: skip
    newest = max(found)
    return found[newest], newest
