"""A person's export as CSV files with a mapping, as a user would have it."""

import math
from datetime import datetime, timedelta

MAPPING = """
dialect: medtwin-mapping/1
source: diary
tables:
  - name: glucose
    match: {columns: [when, glucose]}
    time: {column: when, format: '%Y-%m-%d %H:%M'}
    values:
      - {column: glucose, quantity: glucose, unit: mg/dL}
  - name: given
    match: {columns: [when, carbs, bolus, basal]}
    time: {column: when, format: '%Y-%m-%d %H:%M'}
    values:
      - {column: carbs, quantity: carbohydrate_intake, unit: g}
      - {column: bolus, quantity: insulin_bolus, unit: U}
      - {column: basal, quantity: insulin_basal_rate, unit: U/h}
"""
START = datetime(2026, 3, 1)  # noqa: DTZ001 - the wall clock of an export


def write(folder, days=4.0, start=START):
    """``glucose.csv``, ``given.csv`` and ``mapping.yaml``; one person who eats three times a day. Their paths."""
    glucose, given = ["when,glucose"], ["when,carbs,bolus,basal"]
    given.append(f"{start:%Y-%m-%d %H:%M},,,0.8")
    for step in range(int(days * 288)):
        at = start + timedelta(minutes=5 * step)
        hours = (at - start).total_seconds() / 3600.0
        since = min((hours - meal) % 24.0 for meal in (8.0, 13.0, 19.0))
        value = 110 + 70 * (since / 1.2) * math.exp(1 - since / 1.2) + 9 * math.sin(7.3 * hours) + 5 * math.cos(hours)
        glucose.append(f"{at:%Y-%m-%d %H:%M},{value:.0f}")
        if at.minute == 0 and at.hour in (8, 13, 19):
            given.append(f"{at:%Y-%m-%d %H:%M},50,5,")
    paths = folder / "glucose.csv", folder / "given.csv", folder / "mapping.yaml"
    for path, text in zip(paths, ("\n".join(glucose), "\n".join(given), MAPPING), strict=True):
        path.write_text(text + "\n")
    return paths
