"""A made-up day as the charts show it: timeline, forecast, what if, parameters."""

from __future__ import annotations

import math
import random
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from browser.fixture_day import TARGET, UNITS, glucose, iso

if TYPE_CHECKING:
    from browser.fixture_content import Fixture


def timeline(made: Fixture, identity: str, quantity: str, since: float, until: float) -> dict[str, Any]:
    noise = random.Random(7)
    times = list(range(made.start - 3 * 86400, made.start + 1, 300))
    errors = {t: noise.gauss(0, 6) for t in times}
    inside = [t for t in times if since <= t <= until]
    flagged = inside[-20] if len(inside) > 20 else None
    values = [glucose(t) + errors[t] - (55 if t == flagged else 0) for t in inside]
    inputs = []
    for k in range(12):
        at = made.start - 3600 * (2 + 6 * k)
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
            "time": iso(made.start - 3600 * 5),
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
            "time": iso(made.start + 5400),
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
            "time": iso(made.start - 8 * 3600),
            "until": iso(made.start),
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
            "events": [f"g-{(made.start - t) // 300}" for t in inside],
            "omitted": 0,
        },
        "belief": None if identity == "ben" else belief,
        "inputs": [i for i in inputs if datetime.fromisoformat(i["until"] or i["time"]).timestamp() >= since],
    }


def parameters(made: Fixture, identity: str) -> dict[str, Any]:
    common = {"model": "Glucose-insulin S2008", "level": 0.9, "updated": iso(made.start), "reason": None}
    calibration = {"coverage": 0.902, "level": 0.9, "n": 400, "days": 3.0, "even": True}
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
                "calibration": {"coverage": 0.71, "level": 0.9, "n": 400, "days": 3.0, "even": True},
            },
        ],
    }


def forecast(made: Fixture, identity: str, quantity: str, hours: float) -> dict[str, Any]:
    about = about_forecast(made, identity, quantity)
    shown = future(made, hours)
    if about["withheld"]:
        shown = {key: [] for key in shown}
    return {**about, **shown, "calibration": {"coverage90": 0.91, "n": 412, "horizon_minutes": 60}}


def what_if(made: Fixture, identity: str, request: dict[str, Any]) -> dict[str, Any]:
    hours = float(request["hours"])
    steps = int(hours * 12) + 1
    shift = [0.0] * steps
    for event in request["planned"]:
        start = (datetime.fromisoformat(event["time"]).timestamp() - made.start) / 60
        gain = 0.9 if event["quantity"] == "carbohydrate_intake" else -11
        for k in range(steps):
            passed = k * 5 - start
            if passed > 0:
                shift[k] += gain * event["value"] * (passed / 60) * math.exp(1 - passed / 60)
    baseline, scenario = future(made, hours), future(made, hours, shift)
    times = baseline.pop("times")
    scenario.pop("times")
    low, other = min(baseline["median"]), min(scenario["median"])
    return {
        **about_forecast(made, identity, "glucose"),
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


def about_forecast(made: Fixture, identity: str, quantity: str) -> dict[str, Any]:
    statistical = identity == "ben"
    return {
        "now": iso(time.time()),
        "patient": identity,
        "quantity": quantity,
        "label": "Glucose",
        "unit": "mg/dL",
        "display_units": UNITS,
        "made_at": iso(made.start),
        "basis": {
            "kind": "statistical" if statistical else "physiological",
            "label": "Statistical forecast" if statistical else "S2008 with calibrated residual",
        },
        "withheld": "no glucose for 5 h" if statistical else None,
        "widened": None if statistical else "heart rate is late, activity is not known",
    }


def future(made: Fixture, hours: float, shift: list[float] | None = None) -> dict[str, Any]:
    moments = [made.start + 300 * k for k in range(int(hours * 12) + 1)]
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
