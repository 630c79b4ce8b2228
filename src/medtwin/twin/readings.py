"""A person's exact readings of one quantity as arrays, for what is learnt from readings alone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from medtwin.record import Basis, Flag, Intent, Record
from medtwin.twin.axis import EPOCH
from medtwin.twin.residual import Readings


def exact_readings(record: Record, quantity: str, until: datetime) -> tuple[Readings, datetime]:
    """Readings up to ``until``, and the UTC instant from which their seconds count.

    A bound ("Low") counts at its limit: leaving it out would hide just the readings that matter most. Implausible and
    derived values are left out; of several at one instant the last one in the record's order counts.
    """
    rows: dict[float, float] = {}
    for event in record.of(quantity):
        if event.instant > until:
            break
        if (
            event.basis is Basis.OBSERVED and event.intent is Intent.HAPPENED and isinstance(event.value, float)
            and Flag.IMPLAUSIBLE not in event.flags
        ):  # fmt: skip
            rows[(event.instant - EPOCH).total_seconds()] = event.value
    time = np.array(sorted(rows), float)
    value = np.array([rows[t] for t in time], float)
    offset = 0.0
    if record.zone and len(time):
        local = datetime.fromtimestamp(time[-1], UTC).astimezone(ZoneInfo(record.zone)).utcoffset()
        offset = local.total_seconds() if local else 0.0
    if quantity != "glucose":
        return Readings(time, value, -offset), EPOCH
    return Readings(time, value, -offset, _given(record, "carbohydrate_intake"), _given(record, "insulin_bolus")), EPOCH


def _given(record: Record, quantity: str) -> np.ndarray:
    """When it was, when it could be known (s) and how much of it, ``(n, 3)``; what was only planned is not in it."""
    rows = [
        ((event.instant - EPOCH).total_seconds(), (event.available - EPOCH).total_seconds(), event.value)
        for event in record.of(quantity)
        if event.intent is Intent.HAPPENED and isinstance(event.value, float) and Flag.IMPLAUSIBLE not in event.flags
    ]
    return np.array(rows, float).reshape(-1, 3)
