"""The fields of FHIR resources that the twin uses of an HL7v2 message, chosen before anything was scored.

Each is compared where the expected bundle states it. A field is used when it decides who somebody is, which fact it is, what
it says, when it held, or how it stands. Addresses, telephone numbers, practitioners, locations, insurances, ids and narrative
are not facts of the twin and are not compared.
"""

from __future__ import annotations

#: resource type to its compared fields
FIELDS: dict[str, tuple[str, ...]] = {
    "Patient": ("identifier", "name.family", "name.given", "birthDate", "gender"),
    "Observation": ("code", "value", "unit", "status", "effective"),
    "DiagnosticReport": ("code", "status", "effective"),
    "Condition": ("code", "onset"),
    "AllergyIntolerance": ("code", "onset"),
    "Procedure": ("code", "performed"),
    "Encounter": ("class", "identifier", "start", "end"),
    "MedicationRequest": ("code", "authoredOn"),
    "MedicationDispense": ("code", "whenHandedOver"),
    "MedicationAdministration": ("code", "effective"),
    "Immunization": ("code", "occurrence"),
    "Appointment": ("identifier", "start", "end"),
    "DocumentReference": ("type", "identifier", "status"),
    "Linkage": ("alternate",),
}
