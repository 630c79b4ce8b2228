"""FHIR R4 (4.0.1): a Bundle of one person, and single resources for the live stream.

Every resource carries the tag ``HTEST`` (test health data) of HL7's v3 ActReason, the Patient also an identifier that
says synthetic and a name that begins so. ``issued`` / ``meta.lastUpdated`` is when the fact could be known. Vital
signs, laboratory and device readings are Observations (a cuff reading one panel with components), a bolus is a
MedicationAdministration with a dose in international units, a basal rate one with a ``rateQuantity`` and a period, a
diagnosis a Condition, a medicine a MedicationStatement. Layout of the Bundle (transaction, urn:uuid, POST) as in
Synthea's. Identifiers are made from the content, so the same fact has the same id in file and stream.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from medtwin.worlds.facts import UNITS, Fact, Person

SYNTHETIC = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
SNOMED, RXNORM = "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"
CODES = {  # LOINC code, display, category
    "glucose": ("99504-3", "Glucose [Mass/volume] in Interstitial fluid", "laboratory"),
    "hba1c": ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "laboratory"),
    "body_weight": ("29463-7", "Body weight", "vital-signs"),
    "body_height": ("8302-2", "Body height", "vital-signs"),
    "heart_rate": ("8867-4", "Heart rate", "vital-signs"),
    "systolic_pressure": ("8480-6", "Systolic blood pressure", "vital-signs"),
    "diastolic_pressure": ("8462-4", "Diastolic blood pressure", "vital-signs"),
    "mean_arterial_pressure": ("8478-0", "Mean blood pressure", "vital-signs"),
    "step_count": ("55423-8", "Number of steps in unspecified time Pedometer", "activity"),
    "sleep_duration": ("93832-4", "Sleep duration", "activity"),
    "carbohydrate_intake": ("9059-7", "Carbohydrate intake Estimated", "survey"),
}
SHOWN = {"[iU]": "U", "[iU]/h": "U/h", "/min": "beats/minute", "{steps}": "steps", "mm[Hg]": "mmHg"}
PANEL = ("85354-9", "Blood pressure panel with all children optional")


def stamp(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def identity(person: Person, *parts: object) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join(["medtwin-world", person.identifier, *map(str, parts)])))


def reference(person: Person) -> str:
    return f"urn:uuid:{identity(person, 'Patient')}"


def _coding(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _quantity(quantity: str, value: float) -> dict[str, Any]:
    unit = UNITS[quantity]
    number = int(value) if float(value).is_integer() else round(value, 3)
    return {"value": number, "unit": SHOWN.get(unit, unit), "system": UCUM, "code": unit}


def _meta(person: Person, moment: datetime) -> dict[str, Any]:
    return {"lastUpdated": stamp(moment, person.zone), "tag": [SYNTHETIC]}


def patient(person: Person) -> dict[str, Any]:
    official = {"use": "official", "text": f"Synthetic {person.name}", "family": person.name, "given": ["Synthetic"]}
    return {
        "resourceType": "Patient",
        "id": identity(person, "Patient"),
        "meta": _meta(person, person.start),
        "identifier": [{"system": "urn:medtwin:synthetic-person", "value": person.identifier}],
        "active": True,
        "name": [official],
        "gender": person.sex,
        "birthDate": person.birth_date.isoformat(),
    }


def condition(person: Person, code: str, display: str) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": identity(person, "Condition", code),
        "meta": _meta(person, person.start),
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
        "verificationStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]
        },
        "code": _coding(SNOMED, code, display),
        "subject": {"reference": reference(person)},
        "onsetDateTime": str(max(person.birth_date.year + 20, person.start.year - 12)),
        "recordedDate": stamp(person.start, person.zone),
    }


def medication_statement(person: Person, code: str, display: str) -> dict[str, Any]:
    return {
        "resourceType": "MedicationStatement",
        "id": identity(person, "MedicationStatement", code),
        "meta": _meta(person, person.start),
        "status": "active",
        "medicationCodeableConcept": _coding(RXNORM, code, display),
        "subject": {"reference": reference(person)},
        "effectivePeriod": {"start": person.start.astimezone(ZoneInfo(person.zone)).date().isoformat()},
        "dateAsserted": stamp(person.start, person.zone),
    }


def administration(person: Person, fact: Fact) -> dict[str, Any]:
    """A bolus, or a stretch of basal infusion whose end is stated only where it is known."""
    code, display = person.medications[0]
    dosage: dict[str, Any] = {"route": _coding(SNOMED, "34206005", "Subcutaneous route (qualifier value)")}
    out: dict[str, Any] = {
        "resourceType": "MedicationAdministration",
        "id": identity(person, fact.quantity, fact.time.isoformat()),
        "meta": _meta(person, fact.available),
        "status": "completed",
        "medicationCodeableConcept": _coding(RXNORM, code, display),
        "subject": {"reference": reference(person)},
    }
    if fact.quantity == "insulin_bolus":
        out["effectiveDateTime"] = stamp(fact.time, person.zone)
        dosage["dose"] = _quantity(fact.quantity, fact.value)
        dosage["text"] = "bolus"
    else:
        period = {"start": stamp(fact.time, person.zone)}
        if fact.until is not None and fact.until <= person.now:
            period["end"] = stamp(fact.until, person.zone)
        else:
            out["status"] = "in-progress"
        out["effectivePeriod"] = period
        dosage["rateQuantity"] = _quantity(fact.quantity, fact.value)
        dosage["text"] = "basal"
    out["dosage"] = dosage
    return out


def observation(person: Person, facts: tuple[Fact, ...]) -> dict[str, Any]:
    """One Observation: of one fact, or of a cuff reading's pressures."""
    first = facts[0]
    panel = len(facts) > 1
    code, display, category = (*PANEL, "vital-signs") if panel else CODES[first.quantity]
    out: dict[str, Any] = {
        "resourceType": "Observation",
        "id": identity(person, "panel" if panel else first.quantity, first.source, first.time.isoformat()),
        "meta": _meta(person, first.available),
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category}]}
        ],
        "code": _coding(LOINC, code, display),
        "subject": {"reference": reference(person)},
    }
    if first.until is not None:
        out["effectivePeriod"] = {"start": stamp(first.time, person.zone), "end": stamp(first.until, person.zone)}
    else:
        out["effectiveDateTime"] = stamp(first.time, person.zone)
    out["issued"] = stamp(max(f.available for f in facts), person.zone)
    if panel:
        out["component"] = [
            {"code": _coding(LOINC, *CODES[f.quantity][:2]), "valueQuantity": _quantity(f.quantity, f.value)}
            for f in facts
        ]
    else:
        out["valueQuantity"] = _quantity(first.quantity, first.value)
        if first.text == "Low":
            out["valueQuantity"]["comparator"] = "<"
        elif first.text == "High":
            out["valueQuantity"]["comparator"] = ">"
    if first.source in ("cgm", "watch", "cuff", "scale"):
        out["device"] = {"display": f"synthetic {first.source}"}
    return out


def resources(person: Person, facts: tuple[Fact, ...]) -> list[dict[str, Any]]:
    """The resources of ``facts``, a cuff's pressures joined into one panel."""
    out: list[dict[str, Any]] = []
    panels: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.quantity.startswith("insulin"):
            out.append(administration(person, fact))
        elif fact.group is not None and fact.quantity.endswith("_pressure"):
            panels.setdefault(fact.group, []).append(fact)
        else:
            out.append(observation(person, (fact,)))
    return out + [observation(person, tuple(p)) for p in panels.values()]


def bundle(person: Person, facts: tuple[Fact, ...]) -> dict[str, Any]:
    """A transaction Bundle of the person and ``facts``."""
    content = [
        patient(person),
        *(condition(person, *c) for c in person.conditions),
        *(medication_statement(person, *m) for m in person.medications),
        *resources(person, facts),
    ]
    return {
        "resourceType": "Bundle",
        "id": identity(person, "Bundle"),
        "meta": {"tag": [SYNTHETIC]},
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"urn:uuid:{r['id']}",
                "resource": r,
                "request": {"method": "POST", "url": r["resourceType"]},
            }
            for r in content
        ],
    }


def write(person: Person, facts: tuple[Fact, ...]) -> bytes:
    return json.dumps(bundle(person, facts), indent=1).encode()
