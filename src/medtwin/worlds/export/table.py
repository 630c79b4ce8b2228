"""One's own table: a wide CSV as a person keeps it, and the mapping file with which such a table can be read.

Day-first dates, the time in its own column, one row a reading, empty or 0 where nothing was measured.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

from medtwin.worlds.facts import Fact, Person

COLUMNS = {  # column -> quantity, unit
    "weight": ("body_weight", "kg"),
    "upper": ("systolic_pressure", "mm[Hg]"),
    "lower": ("diastolic_pressure", "mm[Hg]"),
    "pulse": ("heart_rate", "/min"),
}


def write(person: Person, facts: tuple[Fact, ...]) -> bytes:
    """The table of ``facts`` (weight, pressures, pulse)."""
    zone = ZoneInfo(person.zone)
    rows: dict[datetime, dict[str, float]] = {}
    for fact in facts:
        for column, (quantity, _) in COLUMNS.items():
            if fact.quantity == quantity:
                rows.setdefault(fact.time, {})[column] = fact.value
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["date", "time", *COLUMNS])
    for moment in sorted(rows):
        local = moment.astimezone(zone)
        cells = [f"{rows[moment][c]:g}" if c in rows[moment] else "0" for c in COLUMNS]
        writer.writerow([local.strftime("%d/%m/%Y"), local.strftime("%H:%M"), *cells])
    return text.getvalue().encode()


def mapping(person: Person) -> bytes:
    """The mapping file of that table."""
    values = "".join(
        f"      - {{column: {c}, quantity: {q}, unit: '{u}', zero: missing}}\n" for c, (q, u) in COLUMNS.items()
    )
    return (
        f"# how to read home_readings.csv of Synthetic {person.name}\n"
        "dialect: medtwin-mapping/1\n"
        "source: home readings\n"
        "tables:\n"
        "  - name: home readings\n"
        f"    match: {{columns: [date, time, {', '.join(COLUMNS)}]}}\n"
        f"    time: {{columns: [date, time], format: '%d/%m/%Y %H:%M', zone: {person.zone}}}\n"
        f"    values:\n{values}"
    ).encode()
