"""Open mHealth data points: a JSON array of header and body, in the versions that the samples hold.

Bodies follow the schemas blood-pressure 3.0, body-weight 2.0, heart-rate 2.0, blood-glucose 3.0 and step-count 3.0;
headers follow header 1.2 (``id``, ``creation_date_time``, ``schema_id``, provenance). Times carry their offset.
"""

from __future__ import annotations

import json
from typing import Any

from medtwin.worlds.export.fhir import identity, stamp
from medtwin.worlds.facts import Fact, Person

SCHEMAS = {
    "body_weight": ("body-weight", "2.0", "body_weight", "kg"),
    "heart_rate": ("heart-rate", "2.0", "heart_rate", "beats/min"),
    "glucose": ("blood-glucose", "3.0", "blood_glucose", "mg/dL"),
    "step_count": ("step-count", "3.0", "step_count", "steps"),
}


def _point(person: Person, fact: Fact, name: str, version: str, body: dict[str, Any]) -> dict[str, Any]:
    if fact.until is None:
        frame: dict[str, Any] = {"date_time": stamp(fact.time, person.zone)}
    else:
        frame = {
            "time_interval": {
                "start_date_time": stamp(fact.time, person.zone),
                "end_date_time": stamp(fact.until, person.zone),
            }
        }
    return {
        "header": {
            "id": identity(person, name, fact.source, fact.time.isoformat()),
            "creation_date_time": stamp(fact.available, person.zone),
            "schema_id": {"namespace": "omh", "name": name, "version": version},
            "acquisition_provenance": {"source_name": f"synthetic {fact.source}", "modality": "sensed"},
        },
        "body": {**body, "effective_time_frame": frame},
    }


def points(person: Person, facts: tuple[Fact, ...]) -> list[dict[str, Any]]:
    """Data points of ``facts``; the two pressures of a cuff reading make one, a mean pressure has no schema."""
    out: list[dict[str, Any]] = []
    diastolic = {f.group: f for f in facts if f.quantity == "diastolic_pressure"}
    for fact in facts:
        if fact.quantity == "systolic_pressure":
            pair = {"systolic": fact.value, "diastolic": diastolic[fact.group].value}
            body = {f"{k}_blood_pressure": {"value": round(v), "unit": "mmHg"} for k, v in pair.items()}
            out.append(_point(person, fact, "blood-pressure", "3.0", body))
        elif fact.quantity in SCHEMAS:
            name, version, key, unit = SCHEMAS[fact.quantity]
            out.append(_point(person, fact, name, version, {key: {"value": fact.value, "unit": unit}}))
    return out


def write(person: Person, facts: tuple[Fact, ...]) -> bytes:
    return json.dumps(points(person, facts), indent=1).encode()
