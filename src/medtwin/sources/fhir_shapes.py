"""The hot fields of FHIR R4 resources as msgspec structs; whatever else a resource holds stays in its raw bytes.

Names are those of FHIR R4 (4.0.1), so that a reader finds them in the specification. Numbers are ``Raw``: FHIR R4
2.24.0.1 (decimal) forbids changing their precision, and a float would turn 7.40 into 7.4.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

#: What decoding raises: text that is no UTF-8 shows only where a string is read.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)

#: What a ``Raw`` field holds when it is not there: msgspec keeps no ``Raw | None``.
NOTHING = Raw()


class Coding(Struct, gc=False):
    system: str = ""
    code: str = ""
    display: str = ""


class CodeableConcept(Struct, gc=False):
    coding: list[Coding] = []
    text: str = ""


class Identifier(Struct, gc=False):
    system: str = ""
    value: str = ""


class Reference(Struct, gc=False):
    reference: str = ""
    type: str = ""
    identifier: Identifier | None = None


class Amount(Struct, gc=False):
    """Quantity (FHIR R4 2.24.0.9): ``unit`` is for people, ``code`` in ``system`` for machines; they may differ."""

    value: Raw = NOTHING
    comparator: str | None = None
    unit: str = ""
    system: str = ""
    code: str = ""


class Period(Struct, gc=False):
    start: str | None = None
    end: str | None = None


class Meta(Struct, gc=False):
    lastUpdated: str | None = None
    tag: list[Coding] = []


class Head(Struct, gc=False, rename={"for_": "for"}):
    """Enough of any resource to know what it is and whose it is."""

    resourceType: str
    id: str = ""
    subject: Reference | list[Reference] | None = None
    patient: Reference | list[Reference] | None = None
    beneficiary: Reference | None = None
    for_: Reference | None = None


class Entry(Struct, gc=False):
    fullUrl: str = ""
    resource: Raw = NOTHING


class Bundle(Struct, gc=False):
    resourceType: str
    type: str = ""
    entry: list[Entry] = []


class HumanName(Struct, gc=False):
    use: str = ""
    text: str = ""
    family: str = ""
    given: list[str] = []


class Address(Struct, gc=False):
    line: list[str] = []
    city: str = ""
    state: str = ""
    postalCode: str = ""


class ContactPoint(Struct, gc=False):
    system: str = ""
    value: str = ""


class Patient(Struct, gc=False):
    id: str = ""
    meta: Meta | None = None
    name: list[HumanName] = []
    gender: str = ""
    birthDate: str = ""
    identifier: list[Identifier] = []
    address: Raw = NOTHING  #: read apart, so that an odd address does not cost the person
    telecom: Raw = NOTHING


class Value(Struct, gc=False):
    """What Observation and Observation.component share (FHIR R4 10.1): a code and value[x]."""

    code: CodeableConcept | None = None
    valueQuantity: Amount | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueString: str | None = None
    valueInteger: Raw = NOTHING
    valueBoolean: bool | None = None
    valueRange: Raw = NOTHING
    valueRatio: Raw = NOTHING
    valueSampledData: Raw = NOTHING
    valueTime: Raw = NOTHING
    valueDateTime: Raw = NOTHING
    valuePeriod: Raw = NOTHING
    dataAbsentReason: CodeableConcept | None = None


class Observation(Value, gc=False):
    id: str = ""
    meta: Meta | None = None
    status: str = ""
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    effectiveInstant: str | None = None
    issued: str | None = None
    component: list[Value] = []
    hasMember: list[Reference] = []
    derivedFrom: list[Reference] = []


class Condition(Struct, gc=False):
    meta: Meta | None = None
    clinicalStatus: CodeableConcept | str | None = None
    verificationStatus: CodeableConcept | str | None = None
    code: CodeableConcept | None = None
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    abatementDateTime: str | None = None
    abatementPeriod: Period | None = None
    abatementAge: Raw = NOTHING
    abatementRange: Raw = NOTHING
    abatementString: Raw = NOTHING
    recordedDate: str | None = None


class AllergyIntolerance(Struct, gc=False):
    meta: Meta | None = None
    clinicalStatus: CodeableConcept | str | None = None
    verificationStatus: CodeableConcept | str | None = None
    code: CodeableConcept | None = None
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    recordedDate: str | None = None


class Medication(Struct, gc=False):
    """MedicationRequest, MedicationStatement, MedicationAdministration, and a contained Medication (its ``code``)."""

    id: str = ""
    meta: Meta | None = None
    status: str = ""
    intent: str = ""
    code: CodeableConcept | None = None
    doNotPerform: bool = False
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    authoredOn: str | None = None
    dateAsserted: str | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    dosage: Raw = NOTHING
    contained: list[Raw] = []


class Dosage(Struct, gc=False):
    """MedicationAdministration.dosage (FHIR R4 11.3.4)."""

    dose: Amount | None = None
    rateQuantity: Amount | None = None


class Procedure(Struct, gc=False):
    meta: Meta | None = None
    status: str = ""
    code: CodeableConcept | None = None
    performedDateTime: str | None = None
    performedPeriod: Period | None = None


class Encounter(Struct, gc=False, rename={"class_": "class"}):
    meta: Meta | None = None
    status: str = ""
    class_: Coding | None = None
    type: list[CodeableConcept] = []
    period: Period | None = None


class DiagnosticReport(Struct, gc=False):
    meta: Meta | None = None
    status: str = ""
    code: CodeableConcept | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    issued: str | None = None
    result: list[Reference] = []


class Immunization(Struct, gc=False):
    meta: Meta | None = None
    status: str = ""
    vaccineCode: CodeableConcept | None = None
    occurrenceDateTime: str | None = None
    recorded: str | None = None
