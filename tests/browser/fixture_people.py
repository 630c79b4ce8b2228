"""Made-up people: the worklist, each one's page, where their data come from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from browser.fixture_day import PRESSURE_UNITS, UNITS, glucose, iso

if TYPE_CHECKING:
    from browser.fixture_content import Fixture


def worklist(made: Fixture) -> dict[str, Any]:
    now = time.time()
    last, shown = made.latest or (made.start, glucose(made.start))
    ada = {
        "id": "ada",
        "name": "Ada Example",
        "synthetic": True,
        "last_datum": {"quantity": "glucose", "label": "Glucose (CGM)", "time": iso(last)},
        "last_change": {"time": iso(last), "text": f"Glucose {shown:.0f} mg/dL", "event": "g-0"},
        "channels": channels(made),
        "open_disagreements": 0 if made.answered else 1,
        "model": {"kind": "physiological", "name": "Glucose-insulin S2008", "reason": None},
        "headline": headline(made),
        "forecast": {
            "withheld": False,
            "horizon_minutes": 60,
            "quantity": "glucose",
            "value": {
                "value": 152,
                "lower": 118,
                "upper": 189,
                "level": 0.9,
                "unit": "mg/dL",
                "time": iso(now + 3600),
            },
            "text": "rising",
            "made_at": iso(last),
        },
        "as_of": None,
        "recent": {
            "times": [iso(made.start - 300 * k) for k in range(36, -1, -1)],
            "values": [glucose(made.start - 300 * k) for k in range(36, -1, -1)],
            "unit": "mg/dL",
        },
    }
    ben = {
        **ada,
        "id": "ben",
        "name": "Ben Example",
        "last_datum": {"quantity": "glucose", "label": "Glucose (CGM)", "time": iso(now - 5 * 3600)},
        "last_change": {"time": iso(now - 5 * 3600), "text": "Walk 22 min", "event": None},
        "channels": [
            {
                "quantity": "glucose",
                "label": "Glucose (CGM)",
                "last": iso(now - 5 * 3600),
                "expected_every_s": 300,
                "state": "silent",
            }
        ],
        "open_disagreements": 0,
        "model": {
            "kind": "statistical",
            "name": "statistical forecast",
            "reason": "no physiological model for this person yet",
        },
        "forecast": {"withheld": True, "reason": "no glucose for 5 h"},
    }
    cleo = {
        **ada,
        "id": "cleo",
        "name": "Cleo Example",
        "open_disagreements": 0,
        "model": {"kind": "physiological", "name": "Closed-loop circulation", "reason": None},
        "headline": {
            "quantity": "mean_arterial_pressure",
            "label": "Mean arterial pressure",
            "value": {
                "value": 92,
                "lower": 87,
                "upper": 97,
                "level": 0.9,
                "unit": "mm[Hg]",
                "time": iso(now - 600),
            },
            "display_units": PRESSURE_UNITS,
        },
        "channels": [
            {
                "quantity": "blood_pressure",
                "label": "Blood pressure",
                "last": iso(now - 600),
                "expected_every_s": None,
                "state": "fresh",
            }
        ],
        "forecast": None,
        "as_of": None,
        "recent": None,
    }
    return {"now": iso(now), "patients": [ada, ben, cleo]}


def patient(made: Fixture, identity: str) -> dict[str, Any]:
    statistical = identity == "ben"
    summary = next(p for p in worklist(made)["patients"] if p["id"] == identity)
    return {
        "now": iso(time.time()),
        "id": identity,
        "name": summary["name"],
        "synthetic": True,
        "identifiers": [{"system": "urn:example:made-up", "value": f"MRN-{identity}"}],
        "sex": "female",
        "birth": "1981-04",
        "zone": {"name": "Europe/London", "offset_known": not statistical},
        "sources": [source(made)],
        "models": [
            {
                **summary["model"],
                "quantities": ["glucose"],
                "references": [] if statistical else ["Dalla Man C et al. IEEE Trans Biomed Eng 2007;54:1740."],
            }
        ],
        "channels": summary["channels"],
        "withheld": []
        if statistical
        else [
            {
                "parameter": "gastric_emptying",
                "label": "Gastric emptying",
                "reason": "90 % intervals cover 71 %, outside 86 to 94 %",
            }
        ],
        "as_of": None,
        "timelines": [
            {"quantity": "glucose", "label": "Glucose", "unit": "mg/dL", "measured": True, "window_hours": 12},
            {"quantity": "heart_rate", "label": "Heart rate", "unit": "/min", "measured": True, "window_hours": 72},
        ],
        "planned_inputs": []
        if statistical
        else [
            {
                "quantity": "carbohydrate_intake",
                "label": "Meal, carbohydrate",
                "unit": "g",
                "min": 0,
                "max": 120,
                "step": 5,
                "default": 45,
            },
            {
                "quantity": "insulin_bolus",
                "label": "Insulin bolus",
                "unit": "U",
                "min": 0,
                "max": 20,
                "step": 0.5,
                "default": 4,
            },
        ],
        "what_if_reason": "no physiological model for this person yet" if statistical else None,
        "last_datum": summary["last_datum"],
        "headline": summary["headline"],
        "open_disagreements": summary["open_disagreements"],
        "belief_hash": "sha256:6f0c9b0f0a4b4e6e8c5f0d9b8f1c2a3d4e5f60718293a4b5c6d7e8f901234567",
    }


def headline(made: Fixture) -> dict[str, Any]:
    at, value = made.latest or (made.start, glucose(made.start))
    return {
        "quantity": "glucose",
        "label": "Glucose",
        "value": {
            "value": value,
            "lower": value - 11,
            "upper": value + 10,
            "level": 0.9,
            "unit": "mg/dL",
            "time": iso(at),
        },
        "display_units": UNITS,
    }


def channels(made: Fixture) -> list[dict[str, Any]]:
    return [
        {
            "quantity": "glucose",
            "label": "Glucose (CGM)",
            "last": iso(made.start),
            "expected_every_s": 300,
            "state": "fresh",
        },
        {
            "quantity": "heart_rate",
            "label": "Heart rate",
            "last": iso(made.start - 2700),
            "expected_every_s": 900,
            "state": "late",
        },
    ]


def source(made: Fixture) -> dict[str, Any]:
    return {
        "system": "dexcom-clarity-csv",
        "label": "Dexcom Clarity CSV",
        "first": iso(made.start - 14 * 86400),
        "last": iso(made.start),
        "received": iso(made.start + 20),
        "facts": 4032,
        "quarantined": 1,
        "expected_every_s": 300,
        "latency_s": 0,
        "state": "fresh",
    }


def status(made: Fixture) -> dict[str, Any]:
    return {
        "now": iso(time.time()),
        "version": "fixture",
        "warm": True,
        "store": "fixture",
        "patients": 3,
        "events": 4898,
        "quarantined": int(made.quarantined),
        "research_notice": "Research software. Not a medical device: do not use it to decide on treatment.",
    }
