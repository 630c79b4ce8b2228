"""What all made-up answers share: the spelling of a time, a day of glucose, units."""

from __future__ import annotations

import math
from datetime import UTC, datetime

UNITS = [{"unit": "mg/dL", "scale": 1, "decimals": 0}, {"unit": "mmol/L", "scale": 0.0555, "decimals": 1}]
PRESSURE_UNITS = [{"unit": "mm[Hg]", "scale": 1, "decimals": 0}]
TARGET = {"lower": 70, "upper": 180, "label": "target 70 to 180 mg/dL"}


def iso(seconds: float) -> str:
    """The page's spelling of a time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def glucose(seconds: float) -> float:
    """A smooth made-up day."""
    hour = seconds / 3600
    return 128 + 34 * math.sin(hour * 1.1) + 17 * math.sin(hour * 2.7 + 1) + 6 * math.sin(hour * 7)
