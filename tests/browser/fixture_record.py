"""A made-up record: facts, raw bytes, a question that is open, a file that was not understood."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from browser.fixture_day import glucose, iso

if TYPE_CHECKING:
    from browser.fixture_content import Fixture

RAW = (
    "Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Glucose Value (mg/dL)\n"
    "811,2026-03-01T07:35:00,EGV,138\n812,2026-03-01T07:40:00,EGV,142\n813,2026-03-01T07:45:00,EGV,147\n"
)


def events(made: Fixture, identity: str, offset: int, limit: int) -> dict[str, Any]:
    return {
        "now": iso(time.time()),
        "patient": identity,
        "total": 864,
        "offset": offset,
        "limit": limit,
        "quantities": [{"quantity": "glucose", "label": "Glucose (CGM)", "count": 864}],
        "events": [event(made, k) for k in range(offset, min(offset + limit, 864))],
    }


def event(made: Fixture, number: int) -> dict[str, Any]:
    at = made.start - 300 * number
    return {
        "id": f"g-{number}",
        "quantity": "glucose",
        "label": "Glucose (CGM)",
        "value": round(glucose(at)),
        "code": None,
        "artifact": None,
        "unit": "mg/dL",
        "sd": 8.0,
        "comparator": None,
        "text": f"{glucose(at):.0f}",
        "time": iso(at),
        "until": None,
        "precision": "instant",
        "offset_known": True,
        "available": iso(at),
        "recorded": 4032 - number,
        "recorded_at": iso(at + 12),
        "intent": "happened",
        "status": "corrected" if number == 3 else "final",
        "basis": "observed",
        "flags": ["sensor suspected low"] if number == 19 else [],
        "group": None,
        "source": {
            "system": "Dexcom Clarity CSV",
            "file": "clarity.csv",
            "locator": "line 812",
            "raw_hash": "5c1d9a7e",
        },
        "superseded_by": "g-3" if number == 4 else None,
    }


def event_detail(made: Fixture, identity: str, asked: str) -> dict[str, Any]:
    number = int(asked.split("-")[1]) if asked.startswith("g-") else 0
    fact = event(made, number)
    return {
        "now": iso(time.time()),
        "patient": identity,
        "event": fact,
        "chain": [event(made, 4), event(made, 3)] if number in (3, 4) else [fact],
        "group": [],
        "surprise": {
            "expected": {
                "value": fact["value"] + 6.0,
                "lower": fact["value"] - 9.0,
                "upper": fact["value"] + 21.0,
                "level": 0.9,
                "unit": "mg/dL",
                "time": fact["time"],
            },
            "log_density": -3.21,
            "rank": 0.27,
            "explanation": None,
        },
    }


def raw(digest: str, locator: str | None) -> dict[str, Any]:
    start = RAW.index("812,")
    return {
        "hash": digest,
        "file": "clarity.csv",
        "media_type": "text/csv",
        "size": 148_221,
        "locator": locator,
        "start": 0,
        "text": RAW,
        "highlight": {"start": start, "end": RAW.index("\n", start)},
        "truncated_before": False,
        "truncated_after": True,
    }


def disagreement(made: Fixture) -> dict[str, Any]:
    since = made.start - 4500
    value = {"level": 0.9, "unit": "mg/dL", "time": iso(since + 1800)}
    return {
        "id": "d-1",
        "quantity": "glucose",
        "label": "Glucose (CGM)",
        "opened": iso(since + 1800),
        "since": iso(since),
        "until": iso(since + 1800),
        "question": "Was there a meal about an hour ago that was not entered?",
        "measured": {**value, "value": 187, "lower": 174, "upper": 200},
        "expected": {**value, "value": 141, "lower": 122, "upper": 160},
        "hypotheses": [
            {
                "name": "missed_meal",
                "label": "A meal was not announced",
                "probability": 0.83,
                "detail": "about 38 g (22 to 55 g)",
            },
            {"name": "sensor_bias", "label": "The sensor reads high", "probability": 0.11, "detail": None},
            {"name": "patient_change", "label": "Insulin works less today", "probability": 0.06, "detail": None},
        ],
        "winner": "missed_meal",
        "answers": [
            {"answer": "yes", "label": "Yes, a meal"},
            {"answer": "no", "label": "No meal"},
            {"answer": "unsure", "label": "Not sure"},
        ],
        "status": "answered" if made.answered else "open",
        "answered": made.answered,
        "events": ["g-8", "g-7", "g-6"],
    }


def quarantine(made: Fixture) -> dict[str, Any]:
    item = {
        "id": "q-1",
        "time": iso(made.start - 5400),
        "file": "export_of_march_final(2).csv",
        "size": 48_211,
        "dialect": None,
        "patient": None,
        "reason": {
            "found": "column 'Glukose' with values such as '7,4' and no unit",
            "expected": "a known export, or a mapping file that names the column's unit",
            "where": "line 1, column 4",
            "todo": "write a mapping file and run: medtwin ingest FILE --mapping MAPPING.yaml",
        },
        "excerpt": "Datum;Zeit;Gerät;Glukose\n01.03.2026;07:40;A1;7,4\n",
        "replays": 0,
    }
    return {"now": iso(time.time()), "items": [item] if made.quarantined else []}


def matches(made: Fixture) -> dict[str, Any]:
    """Twins: all is shared but the given name."""
    fields: list[tuple[str, str, str, str, float | None]] = [
        ("given name", "Ada", "Ida", "different", -3.3), ("surname", "Example", "Example", "same", 8.0),
        ("birth date", "1990-02-03", "1990-02-03", "same", 14.8), ("city", "Hobart", "", "", None),
    ]  # fmt: skip
    at = {"first": iso(made.start - 86_400), "last": iso(made.start)}
    match = {
        "id": "17",
        "time": iso(made.start - 3600),
        "probability": 0.968,
        "reasons": ["given names differ: twins and families share the rest"],
        "older": {"name": "ada", "patient": "ada", "key": "HOSPITAL|4711", "facts": 900, **at},
        "newer": {"name": "lab-9", "patient": "lab-9", "key": "LAB|9", "facts": 1, **at},
        "fields": [dict(zip(("field", "older", "newer", "level", "bits"), line, strict=True)) for line in fields],
    }
    return {"now": iso(time.time()), "matches": [match] if made.matched else []}
