"""The few HL7v2 code tables that facts need, with the FHIR code of each where one is used.

Targets follow HL7's v2-to-FHIR concept maps (github.com/HL7/v2-to-fhir, folder mappings/codesystems, read at 8c9b414); where
those leave a code without a target, the choice is ours and is said so. A code that is not here is kept as it was sent.
"""

from __future__ import annotations

from medtwin.record.event import Status

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"

#: table 0396 (coding systems) to addresses; the names before 2.5 too
SYSTEMS = {
    "LN": LOINC, "LOINC": LOINC, "SCT": SNOMED, "SNM": SNOMED, "SNOMED": SNOMED, "SNOMED-CT": SNOMED, "SCT2": SNOMED,
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm", "RXN": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "NDC": "http://hl7.org/fhir/sid/ndc", "CVX": "http://hl7.org/fhir/sid/cvx", "MVX": "http://hl7.org/fhir/sid/mvx",
    "I9": "http://hl7.org/fhir/sid/icd-9-cm", "I9C": "http://hl7.org/fhir/sid/icd-9-cm", "I9CDX": "http://hl7.org/fhir/sid/icd-9-cm",
    "I10": "http://hl7.org/fhir/sid/icd-10", "I10C": "http://hl7.org/fhir/sid/icd-10-cm", "I10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "I10G": "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "C4": "http://www.ama-assn.org/go/cpt", "CPT": "http://www.ama-assn.org/go/cpt",
    "ATC": "http://www.whocc.no/atc", "UCUM": "http://unitsofmeasure.org", "WC": "http://www.whocc.no/atc",
    "ICDO": "http://terminology.hl7.org/CodeSystem/icd-o", "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "ISO+": "urn:iso:std:iso:2955:ansi+", "MDC": "urn:iso:std:iso:11073:10101",
}  # fmt: skip

#: table 0001, administrative sex; ambiguous and not applicable are "other" in the map, and no statement for a model
SEX = {"M": "male", "F": "female", "O": "other", "A": "other"}

_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
#: table 0004, patient class, to Encounter.class; the others stay in table 0004
CLASS = {
    "E": (_ACT, "EMER", "emergency"), "I": (_ACT, "IMP", "inpatient encounter"), "O": (_ACT, "AMB", "ambulatory"),
    "P": (_ACT, "PRENC", "pre-admission"),
}  # fmt: skip
CLASS_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0004"

#: table 0085, observation result status (OBX-11). B, R, S, U and V have no target in the map: what is appended is corrected, not
#: yet verified and partial are preliminary, verified and changed to final are final.
RESULT = {
    "F": Status.FINAL, "V": Status.FINAL, "U": Status.FINAL, "C": Status.CORRECTED, "A": Status.CORRECTED, "B": Status.CORRECTED,
    "P": Status.PRELIMINARY, "R": Status.PRELIMINARY, "S": Status.PRELIMINARY, "D": Status.ENTERED_IN_ERROR,
    "W": Status.ENTERED_IN_ERROR,
}  # fmt: skip
#: of table 0085: there is no result, and was none
NO_RESULT = {"X": "cannot be obtained", "I": "pending", "N": "not asked", "O": "order detail"}

#: table 0123, result status of an order (OBR-25). A and M have no target in the map.
REPORT = {
    "F": Status.FINAL, "C": Status.CORRECTED, "M": Status.CORRECTED, "P": Status.PRELIMINARY, "A": Status.PRELIMINARY,
    "R": Status.PRELIMINARY,
}  # fmt: skip

#: table 0119, order control: taken back, ended, or a mere notice. Others state the order as it stands.
CANCELLED = frozenset(("CA", "CR", "OC", "OD", "DE", "UA"))
ENDED = frozenset(("DC", "DR"))

#: table 0322, completion status of an administration
NOT_GIVEN = frozenset(("RE", "NA"))

#: words and codes for "no known allergy" that stand where a code of an allergen stands
NO_ALLERGY = frozenset(("NKA", "NKDA", "NKFA", "NKEA", "NONE", "NO KNOWN ALLERGIES", "NO KNOWN DRUG ALLERGIES"))
