"""The compared fields of an expected FHIR bundle, resource by resource, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Codes = list[tuple[str, str, str]]  #: (code, display, system)

#: codes that the converter makes up for what ACC and PDA say
_MADE = "http://example.com/v2-to-fhir-converter/CodeSystem/"
_MADE_UP = frozenset(("observation-code", "procedure-code", "accident-indicator"))


@dataclass(slots=True)
class Expected:
    """One resource (or one component of an Observation), its compared fields, and what rules need to know of it."""

    resource: str
    fields: dict[str, Any] = field(default_factory=dict)
    made: bool = False  #: the converter made it of a segment that is no statement of its own
    original: bool = False  #: intent original-order: an RXO


def codes(concept: dict[str, Any] | None) -> Codes:
    if not concept:
        return []
    found = [(one.get("code", ""), one.get("display", ""), one.get("system", "")) for one in concept.get("coding", ())]
    if concept.get("text"):
        found.append(("", concept["text"], ""))
    return [one for one in found if one[0] or one[1]]


def _values(resource: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "valueQuantity" in resource:
        amount = resource["valueQuantity"]
        if "value" in amount:
            found["value"] = amount["value"]
        unit = amount.get("unit") or amount.get("code")
        if unit:
            found["unit"] = unit
    elif "valueCodeableConcept" in resource:
        found["value"] = codes(resource["valueCodeableConcept"])
    elif "valueString" in resource:
        found["value"] = resource["valueString"]
    return found


def _observation(resource: dict[str, Any]) -> list[Expected]:
    shared = {}
    if resource.get("effectiveDateTime"):
        shared["effective"] = resource["effectiveDateTime"]
    if resource.get("status"):
        shared["status"] = resource["status"]
    concept = resource.get("code", {})
    made = any(one[2].removeprefix(_MADE) in _MADE_UP for one in codes(concept))
    pieces = resource.get("component") or [resource]
    found = []
    for piece in pieces:
        own = codes(piece.get("code", concept)) or codes(concept)
        found.append(Expected("Observation", {"code": own, **_values(piece), **shared}, made=made))
    return found


def _start(resource: dict[str, Any], name: str) -> Any:
    return resource.get(f"{name}DateTime") or resource.get(f"{name}Period", {}).get("start")


def expected(bundle: dict[str, Any]) -> list[Expected]:
    """The resources of a bundle that the twin has a fact for, in order."""
    resources = [entry["resource"] for entry in bundle["entry"]]
    medicines = {f"Medication/{one['id']}": one.get("code") for one in resources if one["resourceType"] == "Medication"}
    found: list[Expected] = []
    for one in resources:
        kind = one["resourceType"]
        if kind == "Observation":
            found += _observation(one)
        elif kind == "Patient":
            name: dict[str, Any] = next((name for name in one.get("name", ()) if name.get("family")), {})
            found.append(
                Expected(
                    kind,
                    {
                        "identifier": [ident["value"] for ident in one.get("identifier", ()) if ident.get("value")],
                        "name.family": name.get("family"), "name.given": " ".join(name.get("given", ())[:1]),
                        "birthDate": one.get("birthDate"), "gender": one.get("gender"),
                    },
                )
            )  # fmt: skip
        elif kind in ("Condition", "AllergyIntolerance", "Procedure", "DiagnosticReport", "Immunization"):
            concept = codes(one.get("code") or one.get("vaccineCode"))
            made = any(code[2].removeprefix(_MADE) in _MADE_UP for code in concept)
            fields = {
                "code": concept, "onset": _start(one, "onset"), "performed": _start(one, "performed"),
                "effective": _start(one, "effective"), "status": one.get("status") if kind == "DiagnosticReport" else None,
                "occurrence": one.get("occurrenceDateTime"),
            }  # fmt: skip
            found.append(Expected(kind, fields, made=made))
        elif kind == "Encounter":
            period = one.get("period", {})
            fields = {
                "class": codes({"coding": [one["class"]]}) if one.get("class") else None,
                "identifier": [ident.get("value", "") for ident in one.get("identifier", ())],
                "start": period.get("start"), "end": period.get("end"),
            }  # fmt: skip
            found.append(Expected(kind, fields))
        elif kind in ("MedicationRequest", "MedicationDispense", "MedicationAdministration"):
            drug = one.get("medicationCodeableConcept") or medicines.get(
                one.get("medicationReference", {}).get("reference", "")
            )
            fields = {
                "code": codes(drug), "authoredOn": one.get("authoredOn"), "whenHandedOver": one.get("whenHandedOver"),
                "effective": _start(one, "effective"),
            }  # fmt: skip
            found.append(Expected(kind, fields, original=one.get("intent") == "original-order"))
        elif kind == "Appointment":
            fields = {
                "identifier": [ident.get("value", "") for ident in one.get("identifier", ())], "start": one.get("start"),
                "end": one.get("end"),
            }  # fmt: skip
            found.append(Expected(kind, fields))
        elif kind == "DocumentReference":
            fields = {
                "type": codes(one.get("type")), "identifier": [one.get("masterIdentifier", {}).get("value", "")],
                "status": one.get("docStatus"),
            }  # fmt: skip
            found.append(Expected(kind, fields))
        elif kind == "Linkage":
            gone = [item["resource"]["identifier"]["value"] for item in one["item"]
                    if item["type"] == "historical" and "identifier" in item["resource"]]  # fmt: skip
            for value in gone:
                found.append(Expected(kind, {"alternate": value}))
    for each in found:
        each.fields = {name: value for name, value in each.fields.items() if value not in (None, [], "", [""])}
    return found
