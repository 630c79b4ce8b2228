"""Dexcom Clarity's CSV: byte order mark, patient and alert rows without a time, then events by local wall clock.

Columns and first rows as in a real export of a G6 phone app; the time has no offset (as there), glucose is whole mg/dL
or ``Low`` / ``High``. Event rows ``Insulin, Fast-Acting`` and ``Carbs`` as users' exports show them (seen in public
test data, not in the sample). The patient's first name says synthetic.
"""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

from medtwin.worlds.facts import Fact, Person

HEADER = (
    "Index",
    "Timestamp (YYYY-MM-DDThh:mm:ss)",
    "Event Type",
    "Event Subtype",
    "Patient Info",
    "Device Info",
    "Source Device ID",
    "Glucose Value (mg/dL)",
    "Insulin Value (u)",
    "Carb Value (grams)",
    "Duration (hh:mm:ss)",
    "Glucose Rate of Change (mg/dL/min)",
)
PHONE = "iPhone G6"
ALERTS = (  # subtype, glucose, duration, rate
    ("Fall", "", "", "3"),
    ("High", "250", "", ""),
    ("Low", "70", "", ""),
    ("Signal Loss", "", "0:20:00", ""),
    ("Rise", "", "", "3"),
    ("Urgent Low", "55", "", ""),
    ("Urgent Low Soon", "55", "", ""),
)


def write(person: Person, facts: tuple[Fact, ...]) -> bytes:
    """The export of ``facts`` (glucose, carbohydrate, boluses)."""
    zone = ZoneInfo(person.zone)
    born = person.birth_date
    rows: list[tuple[str, ...]] = [
        ("", "FirstName", "", "Synthetic", "", "", "", "", "", "", ""),
        ("", "LastName", "", person.name, "", "", "", "", "", "", ""),
        ("", "DateOfBirth", "", f"{born.month}/{born.day}/{born.year}", "", "", "", "", "", "", ""),
        ("", "Device", "", "", "Dexcom G6 Mobile App", PHONE, "", "", "", "", ""),
        *(("", "Alert", sub, "", "", PHONE, glucose, "", "", span, rate) for sub, glucose, span, rate in ALERTS),
    ]
    for fact in facts:
        when = fact.time.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")
        if fact.quantity == "glucose":
            rows.append((when, "EGV", "", "", "", PHONE, fact.text or str(round(fact.value)), "", "", "", ""))
        elif fact.quantity == "insulin_bolus":
            rows.append((when, "Insulin", "Fast-Acting", "", "", PHONE, "", f"{fact.value:g}", "", "", ""))
        elif fact.quantity == "carbohydrate_intake":
            rows.append((when, "Carbs", "", "", "", PHONE, "", "", f"{fact.value:g}", "", ""))
        else:
            raise ValueError(f"found {fact.quantity}; Clarity knows glucose, insulin_bolus and carbohydrate_intake")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((str(k), *row) for k, row in enumerate(rows, start=1))
    return b"\xef\xbb\xbf" + text.getvalue().encode()
