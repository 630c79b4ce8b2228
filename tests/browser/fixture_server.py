"""A small server for the page's own tests: made-up people, the same headers, no twin behind it.

It answers the API that `ui/src/lib/api.ts` states with deterministic synthetic numbers, so that the page can be worked
on and tested apart from the real server. `python tests/browser/fixture_server.py [PORT]` serves it, with live data.
"""

from __future__ import annotations

import json
import math
import queue
import random
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

STATIC = Path(__file__).resolve().parents[2] / "src" / "medtwin" / "server" / "static"
POLICY = "default-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
UNITS = [{"unit": "mg/dL", "scale": 1, "decimals": 0}, {"unit": "mmol/L", "scale": 0.0555, "decimals": 1}]
PRESSURE_UNITS = [{"unit": "mm[Hg]", "scale": 1, "decimals": 0}]
TARGET = {"lower": 70, "upper": 180, "label": "target 70 to 180 mg/dL"}
RAW = (
    "Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Glucose Value (mg/dL)\n"
    "811,2026-03-01T07:35:00,EGV,138\n812,2026-03-01T07:40:00,EGV,142\n813,2026-03-01T07:45:00,EGV,147\n"
)


def iso(seconds: float) -> str:
    """The page's spelling of a time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def glucose(seconds: float) -> float:
    """A smooth made-up day."""
    hour = seconds / 3600
    return 128 + 34 * math.sin(hour * 1.1) + 17 * math.sin(hour * 2.7 + 1) + 6 * math.sin(hour * 7)


class Fixture:
    """What the server answers, and the door through which a test pushes live messages."""

    def __init__(self) -> None:
        self.start = math.floor(time.time() / 300) * 300
        self.listeners: list[queue.Queue[tuple[int, str, dict[str, Any]]]] = []
        self.serial = 0
        self.what_ifs: list[dict[str, Any]] = []
        self.guarded: list[str | None] = []
        self.answered: dict[str, Any] | None = None
        self.quarantined = True
        self.latest: tuple[float, float] | None = None

    # ------------------------------------------------------------------ live

    def push(self, kind: str, message: dict[str, Any]) -> None:
        self.serial += 1
        for listener in list(self.listeners):
            listener.put((self.serial, kind, message))

    def cut(self) -> None:
        """Drop every live connection, as a restart does."""
        for listener in list(self.listeners):
            listener.put((-1, "cut", {}))

    def push_reading(self, value: float, seconds: float | None = None) -> None:
        """A sensor reading and the belief that follows it."""
        self.latest = (seconds if seconds is not None else time.time(), value)
        at = iso(self.latest[0])
        event = f"live-{self.serial}"
        fact = {"patient": "ada", "event": event, "quantity": "glucose", "label": "Glucose (CGM)", "time": at}
        self.push(
            "event",
            {
                **fact,
                "value": value,
                "unit": "mg/dL",
                "text": f"Glucose {value:.0f} mg/dL",
                "intent": "happened",
                "flag": None,
            },
        )
        belief = {"patient": "ada", "quantity": "glucose", "time": at, "mean": value - 1, "lower": value - 9}
        self.push(
            "belief",
            {**belief, "upper": value + 8, "unit": "mg/dL", "event": event, "latency_ms": 23.4, "replayed_since": None},
        )

    # --------------------------------------------------------------- answers

    def worklist(self) -> dict[str, Any]:
        now = time.time()
        last, shown = self.latest or (self.start, glucose(self.start))
        ada = {
            "id": "ada",
            "name": "Ada Example",
            "synthetic": True,
            "last_datum": {"quantity": "glucose", "label": "Glucose (CGM)", "time": iso(last)},
            "last_change": {"time": iso(last), "text": f"Glucose {shown:.0f} mg/dL", "event": "g-0"},
            "channels": self.channels(),
            "open_disagreements": 0 if self.answered else 1,
            "model": {"kind": "physiological", "name": "Glucose-insulin S2008", "reason": None},
            "headline": self.headline(),
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
            "recent": {
                "times": [iso(self.start - 300 * k) for k in range(36, -1, -1)],
                "values": [glucose(self.start - 300 * k) for k in range(36, -1, -1)],
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
            "recent": None,
        }
        return {"now": iso(now), "patients": [ada, ben, cleo]}

    def channels(self) -> list[dict[str, Any]]:
        return [
            {
                "quantity": "glucose",
                "label": "Glucose (CGM)",
                "last": iso(self.start),
                "expected_every_s": 300,
                "state": "fresh",
            },
            {
                "quantity": "heart_rate",
                "label": "Heart rate",
                "last": iso(self.start - 2700),
                "expected_every_s": 900,
                "state": "late",
            },
        ]

    def headline(self) -> dict[str, Any]:
        at, value = self.latest or (self.start, glucose(self.start))
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

    def source(self) -> dict[str, Any]:
        return {
            "system": "dexcom-clarity-csv",
            "label": "Dexcom Clarity CSV",
            "first": iso(self.start - 14 * 86400),
            "last": iso(self.start),
            "received": iso(self.start + 20),
            "facts": 4032,
            "quarantined": 1,
            "expected_every_s": 300,
            "latency_s": 0,
            "state": "fresh",
        }

    def patient(self, identity: str) -> dict[str, Any]:
        statistical = identity == "ben"
        summary = next(p for p in self.worklist()["patients"] if p["id"] == identity)
        return {
            "now": iso(time.time()),
            "id": identity,
            "name": summary["name"],
            "synthetic": True,
            "identifiers": [{"system": "urn:example:made-up", "value": f"MRN-{identity}"}],
            "sex": "female",
            "birth": "1981-04",
            "zone": {"name": "Europe/London", "offset_known": not statistical},
            "sources": [self.source()],
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
            "timelines": [
                {"quantity": "glucose", "label": "Glucose", "unit": "mg/dL", "window_hours": 12},
                {"quantity": "heart_rate", "label": "Heart rate", "unit": "/min", "window_hours": 72},
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

    def timeline(self, identity: str, quantity: str, since: float, until: float) -> dict[str, Any]:
        noise = random.Random(7)
        times = list(range(self.start - 3 * 86400, self.start + 1, 300))
        errors = {t: noise.gauss(0, 6) for t in times}
        inside = [t for t in times if since <= t <= until]
        flagged = inside[-20] if len(inside) > 20 else None
        values = [glucose(t) + errors[t] - (55 if t == flagged else 0) for t in inside]
        inputs = []
        for k in range(12):
            at = self.start - 3600 * (2 + 6 * k)
            common = {"event": f"m-{k}", "until": None, "intent": "happened", "inferred": False}
            inputs += [
                {
                    **common,
                    "quantity": "carbohydrate_intake",
                    "label": "Meal",
                    "time": iso(at),
                    "value": 35 + 5 * (k % 5),
                    "unit": "g",
                },
                {
                    **common,
                    "quantity": "insulin_bolus",
                    "label": "Bolus",
                    "time": iso(at - 600),
                    "value": 3 + 0.5 * (k % 4),
                    "unit": "U",
                },
            ]
        inputs += [
            {
                "event": None,
                "quantity": "carbohydrate_intake",
                "label": "Meal",
                "time": iso(self.start - 3600 * 5),
                "until": None,
                "value": 38,
                "unit": "g",
                "intent": "happened",
                "inferred": True,
            },
            {
                "event": "p-1",
                "quantity": "carbohydrate_intake",
                "label": "Meal",
                "time": iso(self.start + 5400),
                "until": None,
                "value": 60,
                "unit": "g",
                "intent": "planned",
                "inferred": False,
            },
            {
                "event": "basal-1",
                "quantity": "insulin_basal",
                "label": "Basal",
                "time": iso(self.start - 8 * 3600),
                "until": iso(self.start),
                "value": 0.85,
                "unit": "U/h",
                "intent": "happened",
                "inferred": False,
            },
        ]
        belief = {
            "times": [iso(t) for t in inside],
            "mean": [glucose(t) for t in inside],
            "lower": [glucose(t) - 10 - 3 * math.sin(t / 3000) for t in inside],
            "upper": [glucose(t) + 10 + 3 * math.sin(t / 3000) for t in inside],
            "level": 0.9,
        }
        return {
            "now": iso(time.time()),
            "patient": identity,
            "quantity": quantity,
            "label": "Glucose" if quantity == "glucose" else "Heart rate",
            "unit": "mg/dL" if quantity == "glucose" else "/min",
            "display_units": UNITS if quantity == "glucose" else [{"unit": "/min", "scale": 1, "decimals": 0}],
            "plausible": {"lower": 20, "upper": 600},
            "target": TARGET if quantity == "glucose" else None,
            "since": iso(since),
            "until": iso(until),
            "measurements": {
                "times": [iso(t) for t in inside],
                "values": values,
                "sd": [8.0 for _ in inside],
                "flags": ["sensor suspected low" if t == flagged else None for t in inside],
                "events": [f"g-{(self.start - t) // 300}" for t in inside],
                "omitted": 0,
            },
            "belief": None if identity == "ben" else belief,
            "inputs": [i for i in inputs if datetime.fromisoformat(i["until"] or i["time"]).timestamp() >= since],
        }

    def future(self, hours: float, shift: list[float] | None = None) -> dict[str, Any]:
        moments = [self.start + 300 * k for k in range(int(hours * 12) + 1)]
        shift = shift or [0.0] * len(moments)
        median = [glucose(t) + s for t, s in zip(moments, shift, strict=True)]
        width = [9 + 26 * (1 - math.exp(-k / 14)) for k in range(len(moments))]
        columns = {
            "median": median,
            "lower50": [m - 0.41 * w for m, w in zip(median, width, strict=True)],
            "upper50": [m + 0.41 * w for m, w in zip(median, width, strict=True)],
            "lower90": [m - w for m, w in zip(median, width, strict=True)],
            "upper90": [m + w for m, w in zip(median, width, strict=True)],
        }
        return {"times": [iso(t) for t in moments], **columns}

    def about_forecast(self, identity: str, quantity: str) -> dict[str, Any]:
        statistical = identity == "ben"
        return {
            "now": iso(time.time()),
            "patient": identity,
            "quantity": quantity,
            "label": "Glucose",
            "unit": "mg/dL",
            "display_units": UNITS,
            "made_at": iso(self.start),
            "basis": {
                "kind": "statistical" if statistical else "physiological",
                "label": "Statistical forecast" if statistical else "S2008 with calibrated residual",
            },
            "withheld": "no glucose for 5 h" if statistical else None,
            "widened": None if statistical else "heart rate is late, activity is not known",
        }

    def forecast(self, identity: str, quantity: str, hours: float) -> dict[str, Any]:
        about = self.about_forecast(identity, quantity)
        future = self.future(hours)
        if about["withheld"]:
            future = {key: [] for key in future}
        return {**about, **future, "calibration": {"coverage90": 0.91, "n": 412, "horizon_minutes": 60}}

    def what_if(self, identity: str, request: dict[str, Any]) -> dict[str, Any]:
        self.what_ifs.append(request)
        hours = float(request["hours"])
        steps = int(hours * 12) + 1
        shift = [0.0] * steps
        for event in request["planned"]:
            start = (datetime.fromisoformat(event["time"]).timestamp() - self.start) / 60
            gain = 0.9 if event["quantity"] == "carbohydrate_intake" else -11
            for k in range(steps):
                passed = k * 5 - start
                if passed > 0:
                    shift[k] += gain * event["value"] * (passed / 60) * math.exp(1 - passed / 60)
        baseline, scenario = self.future(hours), self.future(hours, shift)
        times = baseline.pop("times")
        scenario.pop("times")
        low, other = min(baseline["median"]), min(scenario["median"])
        return {
            **self.about_forecast(identity, "glucose"),
            "target": TARGET,
            "times": times,
            "baseline": baseline,
            "scenario": scenario,
            "difference": {
                "median": shift,
                "lower90": [s - 0.3 * abs(s) - 0.5 for s in shift],
                "upper90": [s + 0.3 * abs(s) + 0.5 for s in shift],
            },
            "outcomes": [
                {
                    "label": "Lowest",
                    "baseline": {"value": low, "lower": low - 25, "upper": low + 25, "level": 0.9, "unit": "mg/dL"},
                    "scenario": {
                        "value": other,
                        "lower": other - 25,
                        "upper": other + 25,
                        "level": 0.9,
                        "unit": "mg/dL",
                    },
                },
                {
                    "label": "Chance below 70 mg/dL",
                    "baseline": {"value": 4, "lower": 2, "upper": 6, "level": 0.9, "unit": "%"},
                    "scenario": {"value": 9, "lower": 6, "upper": 12, "level": 0.9, "unit": "%"},
                },
            ],
            "planned": request["planned"],
        }

    def parameters(self, identity: str) -> dict[str, Any]:
        common = {"model": "Glucose-insulin S2008", "level": 0.9, "updated": iso(self.start), "reason": None}
        calibration = {"coverage": 0.902, "level": 0.9, "n": 400}
        return {
            "now": iso(time.time()),
            "patient": identity,
            "parameters": []
            if identity == "ben"
            else [
                {
                    **common,
                    "name": "insulin_sensitivity",
                    "label": "Insulin sensitivity",
                    "meaning": "How strongly insulin makes tissue take up glucose.",
                    "unit": "mg/kg/min per pmol/L",
                    "scale": "log",
                    "source": "Dalla Man 2007, table I; between-person spread from Visentin 2016.",
                    "prior": {"median": 0.047, "lower": 0.019, "upper": 0.115},
                    "posterior": {"median": 0.061, "lower": 0.051, "upper": 0.073},
                    "shrinkage": 0.93,
                    "state": "learnt",
                    "calibration": calibration,
                },
                {
                    **common,
                    "name": "meal_absorption",
                    "label": "Meal absorption",
                    "meaning": "The rate at which the gut hands glucose to the blood.",
                    "unit": "/min",
                    "scale": "log",
                    "source": "Dalla Man 2006.",
                    "prior": {"median": 0.057, "lower": 0.03, "upper": 0.108},
                    "posterior": {"median": 0.049, "lower": 0.038, "upper": 0.064},
                    "shrinkage": 0.71,
                    "state": "learnt",
                    "calibration": calibration,
                },
                {
                    **common,
                    "name": "renal_threshold",
                    "label": "Renal threshold",
                    "meaning": "The glucose above which the kidney lets glucose pass.",
                    "unit": "mg/kg",
                    "scale": "linear",
                    "source": "Dalla Man 2007.",
                    "prior": {"median": 339, "lower": 280, "upper": 398},
                    "posterior": {"median": 341, "lower": 282, "upper": 399},
                    "shrinkage": 0.02,
                    "state": "unknown",
                    "calibration": calibration,
                },
                {
                    **common,
                    "name": "gastric_emptying",
                    "label": "Gastric emptying",
                    "meaning": "How fast the stomach lets a meal go.",
                    "unit": "/min",
                    "scale": "log",
                    "source": "Dalla Man 2006.",
                    "prior": {"median": 0.04, "lower": 0.02, "upper": 0.08},
                    "posterior": None,
                    "shrinkage": None,
                    "state": "withheld",
                    "reason": "90 % intervals cover 71 %, outside 86 to 94 %",
                    "calibration": {"coverage": 0.71, "level": 0.9, "n": 400},
                },
            ],
        }

    def event(self, number: int) -> dict[str, Any]:
        at = self.start - 300 * number
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

    def events(self, identity: str, offset: int, limit: int) -> dict[str, Any]:
        return {
            "now": iso(time.time()),
            "patient": identity,
            "total": 864,
            "offset": offset,
            "limit": limit,
            "quantities": [{"quantity": "glucose", "label": "Glucose (CGM)", "count": 864}],
            "events": [self.event(k) for k in range(offset, min(offset + limit, 864))],
        }

    def event_detail(self, identity: str, event: str) -> dict[str, Any]:
        number = int(event.split("-")[1]) if event.startswith("g-") else 0
        fact = self.event(number)
        return {
            "now": iso(time.time()),
            "patient": identity,
            "event": fact,
            "chain": [self.event(4), self.event(3)] if number in (3, 4) else [fact],
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

    def raw(self, digest: str, locator: str | None) -> dict[str, Any]:
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

    def disagreement(self) -> dict[str, Any]:
        since = self.start - 4500
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
            "status": "answered" if self.answered else "open",
            "answered": self.answered,
            "events": ["g-8", "g-7", "g-6"],
        }

    def quarantine(self) -> dict[str, Any]:
        item = {
            "id": "q-1",
            "time": iso(self.start - 5400),
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
        return {"now": iso(time.time()), "items": [item] if self.quarantined else []}

    def status(self) -> dict[str, Any]:
        return {
            "now": iso(time.time()),
            "version": "fixture",
            "warm": True,
            "store": "fixture",
            "patients": 3,
            "events": 4898,
            "quarantined": int(self.quarantined),
            "research_notice": "Research software. Not a medical device: do not use it to decide on treatment.",
        }

    # ---------------------------------------------------------------- routes

    def get(self, parts: list[str], query: dict[str, str]) -> dict[str, Any] | None:
        def moment(name: str, default: float) -> float:
            return datetime.fromisoformat(query[name]).timestamp() if name in query else default

        match parts:
            case ["patients"]:
                return self.worklist()
            case ["patients", ("ada" | "ben" | "cleo") as identity, *rest]:
                match rest:
                    case []:
                        return self.patient(identity)
                    case ["timeline"]:
                        until = moment("until", time.time())
                        quantity = query.get("quantity", "glucose")
                        return self.timeline(identity, quantity, moment("since", until - 12 * 3600), until)
                    case ["forecast"]:
                        return self.forecast(identity, query.get("quantity", "glucose"), float(query.get("hours", 6)))
                    case ["parameters"]:
                        return self.parameters(identity)
                    case ["events"]:
                        return self.events(identity, int(query.get("offset", 0)), int(query.get("limit", 100)))
                    case ["events", event]:
                        return self.event_detail(identity, event)
                    case ["raw", digest]:
                        return self.raw(digest, query.get("locator"))
                    case ["disagreements"]:
                        found = [self.disagreement()] if identity == "ada" else []
                        return {"now": iso(time.time()), "patient": identity, "disagreements": found}
            case ["quarantine"]:
                return self.quarantine()
            case ["sources"]:
                return {"now": iso(time.time()), "sources": [{**self.source(), "patients": 2}], "unassigned": 14}
            case ["status"]:
                return self.status()
        return None

    def post(self, parts: list[str], body: dict[str, Any]) -> dict[str, Any] | None:
        match parts:
            case ["patients", identity, "what-if"]:
                return self.what_if(identity, body)
            case ["patients", "ada", "disagreements", "d-1", "answer"]:
                label = {a["answer"]: a["label"] for a in self.disagreement()["answers"]}[body["answer"]]
                self.answered = {"answer": body["answer"], "label": label, "time": iso(time.time()), "by": "local user"}
                message = {"patient": "ada", "id": "d-1", "status": "answered", "question": "", "open": 0}
                self.push("disagreement", message)
                return self.disagreement()
            case ["quarantine", "q-1", "replay"]:
                self.quarantined = False
                self.push("quarantine", {"id": "q-1", "file": "export", "resolved": True, "total": 0})
                return {"id": "q-1", "resolved": True, "new_facts": 288, "duplicates": 0, "still": None}
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fixture: Fixture

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def answer(self, found: dict[str, Any] | None) -> None:
        if found is None:
            problem = {"title": "Not found", "detail": f"There is nothing at {self.path}.", "status": 404}
            self.send(404, "application/json", json.dumps(problem).encode())
        else:
            self.send(200, "application/json", json.dumps(found).encode())

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        parts = [unquote(part) for part in address.path.split("/") if part]
        if parts[:3] == ["api", "v1", "stream"]:
            self.stream()
        elif parts[:2] == ["api", "v1"]:
            self.answer(self.fixture.get(parts[2:], {k: v[0] for k, v in parse_qs(address.query).items()}))
        else:
            file = (STATIC / "/".join(parts or ["index.html"])).resolve()
            if file.is_file() and STATIC.resolve() in file.parents:
                self.send(200, TYPES.get(file.suffix, "application/octet-stream"), file.read_bytes())
            else:
                self.send(404, "text/plain", b"not found")

    def do_POST(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/") if part]
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        guard = self.headers.get("X-Medtwin-Request")
        self.fixture.guarded.append(guard)
        if guard != "1":
            problem = {"title": "Refused", "detail": "The request lacks X-Medtwin-Request: 1.", "status": 403}
            self.send(403, "application/json", json.dumps(problem).encode())
        else:
            self.answer(self.fixture.post(parts[2:], body))

    def stream(self) -> None:
        mine: queue.Queue[tuple[int, str, dict[str, Any]]] = queue.Queue()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        mine.put((0, "hello", {"now": iso(time.time()), "version": "fixture"}))
        self.fixture.listeners.append(mine)
        try:
            while True:
                try:
                    serial, kind, message = mine.get(timeout=1)
                except queue.Empty:
                    self.wfile.write(b": still here\n\n")
                else:
                    if serial < 0:
                        return
                    self.wfile.write(f"id: {serial}\nevent: {kind}\ndata: {json.dumps(message)}\n\n".encode())
                self.wfile.flush()
        except OSError:
            pass
        finally:
            self.fixture.listeners.remove(mine)


class Server:
    """The fixture server in a thread: `with Server() as server: server.url, server.fixture`."""

    def __init__(self, port: int = 0) -> None:
        self.fixture = Fixture()
        handler = type("BoundHandler", (Handler,), {"fixture": self.fixture})
        self.http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)

    def __enter__(self) -> Server:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()


if __name__ == "__main__":
    with Server(int(sys.argv[1]) if len(sys.argv) > 1 else 8766) as server:
        print(f"made-up people at {server.url}", flush=True)
        while True:
            time.sleep(5)
            server.fixture.push_reading(glucose(time.time()) + random.gauss(0, 4))
