"""FHIR R4: what each resource becomes, whose it is, and what is kept without being mapped."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from medtwin.errors import FormatError
from medtwin.governance.grant import Grant
from medtwin.record.event import Basis, Code, Comparator, Flag, Intent, SourcePatient, Status
from medtwin.record.moment import Precision
from medtwin.record.sql import SqlStore
from medtwin.sources.fact import amount
from medtwin.sources.fhir_r4 import Reader
from medtwin.sources.ingest import ingest_bytes
from medtwin.sources.item import Origin
from sources.reading import events, items, named, parts, reasons, unmapped

FHIR = Reader()
UCUM = "http://unitsofmeasure.org"
AMOUNT = {"unit": "mg/dL", "system": UCUM, "code": "mg/dL"}
KILOGRAMS = {"unit": "kg", "system": UCUM, "code": "kg"}


def loinc(code: str, text: str = "") -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": code, "display": text}]}


def observation(**fields: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "id": "o1", "status": "final", "code": loinc("2339-0", "Glucose"),
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2024-01-01T10:00:00+02:00",
        "valueQuantity": {"value": 95, "unit": "mg/dL", "system": UCUM, "code": "mg/dL"}, **fields,
    }  # fmt: skip


def bundle(*resources: dict[str, Any], url: str = "urn:uuid:{}", kind: str = "transaction") -> bytes:
    entries = [
        {"fullUrl": url.format(resource.get("id", "x"), type=resource["resourceType"]), "resource": resource}
        for resource in resources
    ]
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()


def one(resource: dict[str, Any], **stated: Any) -> Any:
    (event,) = events(json.dumps(resource).encode(), FHIR, **stated)
    return event


def test_a_number_keeps_its_text_its_unit_and_its_offset() -> None:
    raw = json.dumps(observation()).encode().replace(b'"value": 95', b'"value": 7.40').replace(b"mg/dL", b"mmol/L")
    (event,) = events(raw, FHIR)
    assert (event.text, event.unit_text) == ("7.40", "mmol/L")
    assert event.value == pytest.approx(133.315, abs=1e-3)
    assert (event.time.offset, event.time.precision) == (120, Precision.SECOND)
    assert event.key == "Observation/o1"
    assert event.subject == SourcePatient("fhir", "p1")
    assert event.source.locator == "resource"


@pytest.mark.parametrize(
    ("stated", "precision"),
    [("2023", Precision.YEAR), ("2023-05", Precision.MONTH), ("2023-05-01", Precision.DAY)],
)
def test_a_partial_date_stays_partial_and_is_known_when_it_is_over(stated: str, precision: Precision) -> None:
    event = one(observation(effectiveDateTime=stated))
    assert (event.time.text, event.time.precision) == (stated, precision)
    assert event.available == event.time.end
    assert Flag.OFFSET_UNKNOWN in event.flags


def test_issued_is_when_it_could_be_known() -> None:
    assert one(observation(issued="2024-01-01T09:30:00Z")).available == datetime(2024, 1, 1, 9, 30, tzinfo=UTC)
    assert one(observation()).available == datetime(2024, 1, 1, 8, 0, tzinfo=UTC)


def test_nothing_that_happened_is_known_before_it_was_true() -> None:
    assert one(observation(issued="2023-01-01T00:00:00Z")).available == datetime(2024, 1, 1, 8, 0, tzinfo=UTC)


def test_a_period_has_an_end() -> None:
    event = one(
        observation(
            effectiveDateTime=None, effectivePeriod={"start": "2024-01-01T10:00:00Z", "end": "2024-01-01T11:00:00Z"}
        )
    )
    assert event.until is not None
    assert event.until.text == "2024-01-01T11:00:00+00:00"


@pytest.mark.parametrize(
    ("stated", "status"),
    [("amended", Status.CORRECTED), ("corrected", Status.CORRECTED), ("entered-in-error", Status.ENTERED_IN_ERROR),
     ("preliminary", Status.PRELIMINARY), ("registered", Status.PRELIMINARY), ("final", Status.FINAL)],
)  # fmt: skip
def test_status(stated: str, status: Status) -> None:
    assert one(observation(status=stated)).status is status


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("issued", ["2024-01-01T11:00:00Z", "2024-01-01T10:00:00Z", None])
def test_a_final_result_supersedes_the_preliminary_one(
    store: SqlStore, grant: Grant, turn: int, issued: str | None
) -> None:
    """Whichever came first, and whatever the two say of their times of issue."""
    first = observation(status="preliminary", issued="2024-01-01T10:30:00Z", valueQuantity=AMOUNT | {"value": 90})
    last = observation(
        issued=issued, valueQuantity=AMOUNT | {"value": 95}, meta={"lastUpdated": "2024-01-01T10:10:00Z"}
    )
    for resource in (first, last)[::turn]:
        ingest_bytes(json.dumps(resource).encode(), "m", store, grant, patient="jane")
        stands = [(event.value, event.status) for event in store.record("jane", grant).events]
        assert stands == [(90, Status.PRELIMINARY) if resource is first and turn == 1 else (95, Status.FINAL)]


@pytest.mark.parametrize(
    ("text", "value", "comparator", "unit"),
    [
        ("7.4 mmol/L", 133.315, None, "mmol/L"), (" <40mg/dL ", 40, Comparator.BELOW, "mg/dL"),
        (">= 95 mg/dL", 95, Comparator.AT_LEAST, "mg/dL"),
    ],
)  # fmt: skip
def test_a_number_with_its_unit_in_a_text_is_a_value(
    text: str, value: float, comparator: Comparator | None, unit: str
) -> None:
    event = one(observation(valueQuantity=None, valueString=text))
    assert (event.quantity, event.text, event.unit_text) == ("blood_glucose", text, unit)
    assert event.value == pytest.approx(value, abs=1e-3)
    assert event.comparator == comparator


def test_powers_and_annotations_are_units_in_a_text() -> None:
    count = one(observation(code=loinc("55423-8"), valueQuantity=None, valueString="120"))
    assert (count.quantity, count.value, count.flags) == ("step_count", 120, (Flag.UNIT_ASSUMED,))
    assert amount("5.2 10*3/uL") == (5.2, None, "10*3/uL")
    assert amount("16/min") == (16, None, "/min")


@pytest.mark.parametrize("text", ["7.4", "7,4 mmol/L", "120/80", "high", "7.4 mmol/L, fasting", "7.4 stone", "1 2", ""])
def test_any_other_text_where_a_number_belongs_waits_with_its_reason(text: str) -> None:
    resource = observation(valueQuantity=None, valueString=text)
    assert events(json.dumps(resource).encode(), FHIR) == []
    assert len(reasons(json.dumps(resource).encode(), FHIR)) == 1
    wrong = one(resource | {"status": "entered-in-error"})  # still retracts
    assert (wrong.quantity, wrong.value, wrong.status) == ("blood_glucose", None, Status.ENTERED_IN_ERROR)


def test_several_values_of_one_moment_contradict_each_other_as_in_a_table() -> None:
    def weight(name: str, kilograms: float, **more: Any) -> dict[str, Any]:
        return observation(id=name, code=loinc("29463-7"), valueQuantity=KILOGRAMS | {"value": kilograms}, **more)

    def flags(*resources: dict[str, Any]) -> list[bool]:
        found = sorted(events(bundle(*resources), FHIR), key=lambda event: event.key)
        return [Flag.CONTRADICTED in event.flags for event in found]

    three = [weight("a", 70), weight("b", 80), weight("c", 90)]
    assert flags(*three) == [True] * 3
    assert flags(*three[:2], weight("c", 90, effectiveDateTime="2024-01-02T10:00:00Z")) == [True, True, False]
    assert flags(weight("a", 70), weight("b", 70)) == [False] * 2
    assert flags(weight("a", 70), weight("b", 80, status="entered-in-error")) == [False] * 2
    assert flags(weight("a", 70), weight("a", 80, status="corrected")) == [False] * 2  # a version replaces another
    assert flags(weight("a", 70), weight("b", 80, derivedFrom=[{"reference": "x"}])) == [False] * 2
    lines = b"\n".join(json.dumps(resource).encode() for resource in three) + b"\n"
    assert all(Flag.CONTRADICTED in event.flags for event in events(lines, FHIR))


def test_a_correction_is_known_when_the_server_updated_it() -> None:
    event = one(
        observation(status="amended", issued="2024-01-01T09:00:00Z", meta={"lastUpdated": "2024-01-03T09:00:00Z"})
    )
    assert event.available == datetime(2024, 1, 3, 9, tzinfo=UTC)


def test_an_error_without_a_value_still_retracts() -> None:
    event = one({key: value for key, value in observation(status="entered-in-error").items() if key != "valueQuantity"})
    assert (event.status, event.value, event.quantity) == (Status.ENTERED_IN_ERROR, None, "blood_glucose")


def test_the_code_of_a_unit_wins_over_its_label_and_a_label_serves_alone() -> None:
    weight = observation(
        code=loinc("29463-7"), valueQuantity={"value": 185, "unit": "lbs", "system": UCUM, "code": "[lb_av]"}
    )
    assert one(weight).value == pytest.approx(83.9146, abs=1e-4)
    weight["valueQuantity"] = {"value": 185, "unit": "pounds"}
    assert one(weight).unit_text == "pounds"


def test_a_number_without_a_unit_is_no_fact() -> None:
    found = reasons(json.dumps(observation(valueQuantity={"value": 95})).encode(), FHIR)
    assert "without a unit" in found[0].found


@pytest.mark.parametrize("value", ['"95"', "true", "1e999", "[]"])
def test_a_value_that_is_no_number_is_no_fact(value: str) -> None:
    raw = json.dumps(observation()).encode().replace(b'"value": 95', b'"value": ' + value.encode())
    assert len(reasons(raw, FHIR)) == 1


def test_implausible_and_future_are_flagged_never_repaired() -> None:
    event = one(observation(effectiveDateTime="2099-01-01T00:00:00Z", valueQuantity={"value": 9500, "unit": "mg/dL"}))
    assert event.value == 9500
    assert set(event.flags) == {Flag.IMPLAUSIBLE, Flag.FUTURE}


def test_blood_pressure_is_two_facts_of_one_group() -> None:
    pressure = observation(
        code=loinc("85354-9"), valueQuantity=None,
        component=[
            {"code": loinc("8480-6"), "valueQuantity": {"value": 120, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}},
            {"code": loinc("8462-4"), "valueQuantity": {"value": 80, "unit": "mmHg"}},
        ],
    )  # fmt: skip
    upper, lower = events(json.dumps(pressure).encode(), FHIR)
    assert (upper.quantity, upper.value, upper.key) == ("systolic_pressure", 120, "Observation/o1#8480-6")
    assert (lower.quantity, lower.value) == ("diastolic_pressure", 80)
    assert upper.group == lower.group == "Observation/o1"
    assert lower.source.locator == "resource.component[1]"


def test_a_comparator_is_kept() -> None:
    event = one(observation(valueQuantity={"value": 5, "comparator": "<", "unit": "mg/dL"}))
    assert event.comparator is Comparator.BELOW


def test_codes_texts_and_truths_are_findings() -> None:
    smoking = observation(
        code=loinc("72166-2", "Smoking status"), valueQuantity=None,
        valueCodeableConcept={"coding": [{"system": "http://snomed.info/sct", "code": "8517006", "display": "Ex-smoker"}]},
    )  # fmt: skip
    event = one(smoking)
    assert event.value == Code("http://snomed.info/sct", "8517006", "Ex-smoker")
    assert event.text == "Smoking status: Ex-smoker"
    pregnant = observation(code=loinc("82810-3", "Pregnancy"), valueQuantity=None, valueBoolean=False)
    assert one(pregnant).value.negated
    said = observation(code=loinc("48767-8", "Comment"), valueQuantity=None, valueString="dizzy")
    assert one(said).text == "dizzy"
    steps = observation(code=loinc("55423-8"), valueQuantity=None, valueInteger=900)
    assert (one(steps).quantity, one(steps).value, one(steps).flags) == ("step_count", 900, (Flag.UNIT_ASSUMED,))


def test_what_has_no_quantity_is_counted() -> None:
    raw = bundle(
        observation(id="a", code=loinc("72514-3")),
        observation(id="b", code=loinc("72514-3")),
        observation(id="c", valueQuantity=None, dataAbsentReason={"text": "unknown"}),
        observation(id="d", valueQuantity=None, valueRange={"low": {"value": 1}}),
        observation(id="e", status="cancelled"),
        {"resourceType": "Claim", "id": "f", "patient": {"reference": "Patient/p1"}},
    )
    assert events(raw, FHIR) == []
    assert unmapped(raw, FHIR) == {
        "Observation loinc|72514-3": 2, "Observation without value (dataAbsentReason)": 1,
        "Observation value[x] of loinc|2339-0": 1, "Observation cancelled": 1, "resource Claim": 1,
    }  # fmt: skip


def test_derived_observations_say_so() -> None:
    assert one(observation(derivedFrom=[{"reference": "Observation/x"}])).basis is Basis.DERIVED


SNOMED = "http://snomed.info/sct"


def statement(kind: str, **fields: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": "s1", "subject": {"reference": "Patient/p1"}, **fields}


def test_conditions_allergies_and_negations() -> None:
    diabetes = {"coding": [{"system": SNOMED, "code": "44054006", "display": "Type 2 diabetes"}]}
    event = one(
        statement(
            "Condition",
            code=diabetes,
            onsetDateTime="2010-03",
            abatementDateTime="2020",
            recordedDate="2011-01-05",
            verificationStatus={"coding": [{"code": "refuted"}]},
        )
    )
    assert event.value == Code(SNOMED, "44054006", "Type 2 diabetes", negated=True)
    assert (event.time.text, event.until.text) == ("2010-03", "2020")
    assert event.available == datetime(2011, 1, 5, tzinfo=UTC)
    none = {"coding": [{"system": SNOMED, "code": "716186003", "display": "No known allergy"}]}
    allergy = {"resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": "Patient/p1"}, "code": none,
               "recordedDate": "2011-01-05"}  # fmt: skip
    assert one(allergy).value.negated
    wrong = statement(
        "Condition", code=diabetes, recordedDate="2011", verificationStatus={"coding": [{"code": "entered-in-error"}]}
    )
    assert one(wrong).status is Status.ENTERED_IN_ERROR


def test_a_standing_statement_without_a_date_stood_at_its_last_update() -> None:
    allergy = {"resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": "Patient/p1"},
               "code": {"text": "peanut"}, "meta": {"lastUpdated": "2020-02-02T00:00:00Z"}}  # fmt: skip
    assert one(allergy).time.text == "2020-02-02T00:00:00+00:00"
    del allergy["meta"]
    assert "without onset" in reasons(json.dumps(allergy).encode(), FHIR)[0].found


def test_what_was_not_done_is_negated() -> None:
    shot = {"resourceType": "Immunization", "id": "i", "patient": {"reference": "Patient/p1"}, "status": "not-done",
            "vaccineCode": {"text": "influenza"}, "occurrenceDateTime": "2020-01-01"}  # fmt: skip
    assert one(shot).value.negated
    done = statement("Procedure", status="not-done", code={"text": "x"}, performedDateTime="2020-01-01")
    assert one(done).value.negated


def test_encounters_and_reports() -> None:
    event = one(
        statement(
            "Encounter",
            status="planned",
            **{"class": {"system": "act", "code": "AMB"}},
            period={"start": "2030-01-01T10:00:00Z", "end": "2030-01-01T10:30:00Z"},
        )
    )
    assert (event.intent, event.value, event.flags) == (Intent.PLANNED, Code("act", "AMB"), ())
    report = statement("DiagnosticReport", status="final", code=loinc("58410-2", "CBC"), issued="2020-01-01T10:00:00Z")
    assert one(report).quantity == "report"


LISPRO = {
    "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "86009", "display": "insulin lispro"}]
}


def administration(drug: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps(
        statement(
            "MedicationAdministration",
            status="completed",
            medicationCodeableConcept=drug,
            effectiveDateTime="2024-01-01T12:00:00Z",
            dosage={"dose": {"value": 4.50, "unit": "U", "system": UCUM, "code": "[iU]"}},
            **fields,
        )
    ).encode()


@pytest.mark.parametrize(
    ("drug", "quantity"),
    [
        (LISPRO, "insulin_bolus"),
        ({"text": "NovoRapid 100 U/mL"}, "insulin_bolus"),
        (
            {"coding": [{"system": "x", "code": "1", "display": "insulin glulisine 100 UNT/ML [Apidra]"}]},
            "insulin_bolus",
        ),
        ({"text": "Lantus SoloStar (insulin glargine)"}, "insulin_long_acting"),
        (
            {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "274783"}]},
            "insulin_long_acting",
        ),
        ({"text": "insulin lispro protamine 75/25"}, None),
        ({"text": "insulin NPH (isophane)"}, None),
        ({"text": "NovoMix 30 (biphasic insulin aspart)"}, None),
        ({"text": "amoxicillin"}, None),
    ],
)
def test_a_dose_of_rapid_insulin_is_a_bolus_and_of_others_is_not(drug: dict[str, Any], quantity: str | None) -> None:
    found = events(administration(drug), FHIR)
    assert found[0].quantity == "medication"
    assert found[0].intent is Intent.HAPPENED
    doses = {event.quantity: event for event in found[1:]}
    assert set(doses) == ({quantity} if quantity else set())
    if quantity:
        assert (doses[quantity].value, doses[quantity].key) == (4.5, "MedicationAdministration/s1#dose")


def test_a_dose_in_milligrams_of_insulin_is_refused() -> None:
    raw = administration(LISPRO).replace(b'"[iU]"', b'"mg"').replace(b'"unit": "U"', b'"unit": "mg"')
    assert [reason.where for reason in reasons(raw, FHIR)] == ["resource"]


def test_a_dose_that_was_not_given_is_no_dose() -> None:
    found = events(administration(LISPRO).replace(b"completed", b"not-done"), FHIR)
    assert [event.quantity for event in found] == ["medication"]
    assert found[0].value.negated


def test_orders_statements_and_contained_medications() -> None:
    order = statement(
        "MedicationRequest", status="active", intent="order", authoredOn="2024-01-01",
        medicationReference={"reference": "#m"},
        contained=[{"resourceType": "Medication", "id": "m", "code": {"text": "metformin"}}],
    )  # fmt: skip
    event = one(order)
    assert (event.intent, event.value.display) == (Intent.ORDERED, "metformin")
    plan = statement(
        "MedicationRequest", intent="plan", authoredOn="2024-01-01", medicationCodeableConcept={"text": "x"}
    )
    assert one(plan).intent is Intent.PLANNED
    said = statement("MedicationStatement", effectiveDateTime="2024", medicationCodeableConcept={"text": "x"})
    assert one(said).intent is Intent.STATED


def test_a_medication_of_the_bundle_is_found() -> None:
    request = statement(
        "MedicationRequest", authoredOn="2024-01-01", medicationReference={"reference": "urn:uuid:med"},
        subject={"reference": "urn:uuid:p1"},
    )  # fmt: skip
    raw = bundle(
        {"resourceType": "Patient", "id": "p1"},
        request,
        {"resourceType": "Medication", "id": "med", "code": {"text": "aspirin"}},
    )
    assert [event.value.display for event in events(raw, FHIR)] == ["aspirin"]


# whose it is


def person(number: str, **fields: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": number, "gender": "female", "birthDate": "1980-02-03", **fields}


def test_a_patient_is_described_and_dated_by_birth() -> None:
    raw = bundle(
        person(
            "p1",
            name=[{"given": ["Ann", "B"], "family": "Lee"}],
            identifier=[{"system": "urn:mrn", "value": "77"}],
            meta={"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]},
        )
    )
    (part,) = parts(raw, FHIR)
    ((owner, said),) = part.people
    assert (owner, said.name, said.birth_date, said.sex, said.synthetic) == (
        SourcePatient("fhir", "p1"), "Ann B Lee", "1980-02-03", "female", True,
    )  # fmt: skip
    assert said.identifiers == (SourcePatient("urn:mrn", "77"),)
    (sex,) = part.read(Origin(raw="r", file="f"))
    assert (sex.quantity, sex.time.text, sex.value.code) == ("sex", "1980-02-03", "female")


def test_one_persons_bundle_keeps_its_bytes() -> None:
    raw = bundle(
        person("p1"), observation(subject={"reference": "urn:uuid:p1"}), {"resourceType": "Organization", "id": "org"}
    )
    (part,) = parts(raw, FHIR)
    assert part.raw == raw
    assert part.named


def test_several_persons_are_split_and_none_holds_the_others_bytes() -> None:
    raw = bundle(
        person("p1", name=[{"family": "Alpha"}]), person("p2", name=[{"family": "Beta"}]),
        observation(id="o1", subject={"reference": "urn:uuid:p1"}), observation(id="o2", subject={"reference": "urn:uuid:p2"}),
        {"resourceType": "Claim", "id": "c2", "patient": {"reference": "urn:uuid:p2"}},
        {"resourceType": "Organization", "id": "org"},
    )  # fmt: skip
    split = {part.owner.value: part for part in parts(raw, FHIR)}
    assert set(split) == {"p1", "p2", ""}
    assert b"Alpha" in split["p1"].raw
    assert b"Beta" not in split["p1"].raw
    assert b'"c2"' in split["p2"].raw
    assert b"org" in split[""].raw
    assert not split[""].named
    for key, part in split.items():
        again = {event.id for event in events(part.raw, FHIR)}
        assert again == {item.id for item in part.read(Origin(raw="r", file="f")) if hasattr(item, "quantity")}
        for event in events(part.raw, FHIR):
            entry = json.loads(part.raw)["entry"][int(event.source.locator[6:-1])]
            assert entry["resource"]["resourceType"] in ("Patient", "Observation"), key


@pytest.mark.parametrize(
    ("reference", "url", "owner"),
    [
        ("Patient/p1", "http://a.org/fhir/Observation/o1", SourcePatient("http://a.org/fhir", "p1")),
        ("http://b.org/fhir/Patient/p1", "http://a.org/fhir/Observation/o1", SourcePatient("http://b.org/fhir", "p1")),
        ("http://b.org/fhir/Patient/p1/_history/3", "", SourcePatient("http://b.org/fhir", "p1")),
        ("urn:uuid:77", "", SourcePatient("fhir", "77")),
        ("Patient/p1", "", SourcePatient("fhir", "p1")),
        ("#pat", "http://a.org/fhir/Observation/o1", SourcePatient("http://a.org/fhir", "Observation/o1#pat")),
    ],
)
def test_references_are_resolved_against_their_server(reference: str, url: str, owner: SourcePatient) -> None:
    entry = {"fullUrl": url, "resource": observation(subject={"reference": reference})}
    raw = json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": [entry]}).encode()
    assert [event.subject for event in events(raw, FHIR)] == [owner]


def test_a_stated_source_names_the_system() -> None:
    raw = bundle(observation(), url="http://a.org/fhir/{type}/{}")
    (event,) = events(raw, FHIR, source="st-mary")
    assert (event.subject, event.source.system) == (SourcePatient("st-mary", "p1"), "st-mary")


def test_a_fact_about_nobody_waits_and_one_about_a_group_is_counted() -> None:
    alone = {key: value for key, value in observation().items() if key != "subject"}
    (part,) = parts(json.dumps(alone).encode(), FHIR)
    assert (part.owner, part.named) == (SourcePatient("fhir", "anonymous-1"), False)
    group = json.dumps(observation(subject={"reference": "Group/g1"})).encode()
    assert unmapped(group, FHIR) == {"Observation whose subject is no patient": 1}


def test_a_subject_by_identifier() -> None:
    event = one(observation(subject={"identifier": {"system": "urn:nhs", "value": "943"}}))
    assert event.subject == SourcePatient("urn:nhs", "943")


def test_results_of_a_report_are_one_panel() -> None:
    raw = bundle(
        person("p1"), observation(id="o1", subject={"reference": "urn:uuid:p1"}),
        statement("DiagnosticReport", id="r1", subject={"reference": "urn:uuid:p1"}, code=loinc("x", "CBC"),
                  issued="2024-01-01T10:00:00Z", result=[{"reference": "urn:uuid:o1"}]),
    )  # fmt: skip
    glucose = next(event for event in events(raw, FHIR) if event.quantity == "blood_glucose")
    assert glucose.group == "DiagnosticReport/r1"


# NDJSON, and what is broken


def test_ndjson_is_read_line_by_line_and_split_by_person() -> None:
    lines = [observation(id=f"o{index}", subject={"reference": f"Patient/p{index % 2}"}) for index in range(4)]
    raw = b"\r\n".join(json.dumps(line).encode() for line in lines) + b"\r\n\r\n{broken\n"
    found = {part.owner.value: part for part in parts(raw, FHIR)}
    assert set(found) >= {"p0", "p1"}
    assert len(events(raw, FHIR)) == 4
    assert [event.source.locator for event in events(found["p0"].raw, FHIR)] == ["line 1", "line 2"]
    assert len(reasons(raw, FHIR)) == 1


def test_one_broken_resource_harms_no_other() -> None:
    raw = bundle(person("p1"), observation(id="a", subject={"reference": "urn:uuid:p1"}),
                 observation(id="b", subject={"reference": "urn:uuid:p1"}, effectiveDateTime="yesterday"),
                 observation(id="c", subject={"reference": "urn:uuid:p1"}, status=7))  # fmt: skip
    assert [event.key for event in events(raw, FHIR)] == ["Patient/p1#sex", "Observation/a"]
    assert [reason.where for reason in reasons(raw, FHIR)] == ["entry[2]", "entry[3]"]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"resourceType":"Observation"', b"[" * 100_000, b'{"resourceType":"Bundle","entry":7}', b"\xff\xfe{}",
     b'{"resourceType":"Bundle","entry":[' + b'{"resource":' * 5000],
)  # fmt: skip
def test_what_is_no_json_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(FormatError):
        items(raw, FHIR)


def test_recognised_by_content() -> None:
    assert named(json.dumps(observation()).encode(), "anything.bin") == "fhir_r4"
    assert named(b"\xef\xbb\xbf" + json.dumps(observation()).encode()) == "fhir_r4"
    assert named(b'{"a": 1}') is None


def test_a_suspicion_says_so_and_what_is_over_has_an_end() -> None:
    def condition(**more: Any) -> Any:
        code = {"coding": [{"system": SNOMED, "code": "46635009"}]}
        return one(statement("Condition", code=code, onsetDateTime="2001", recordedDate="2002-05-06", **more))

    def coded(code: str) -> dict[str, Any]:
        return {"coding": [{"code": code}]}

    assert condition().until is None
    for code in ("provisional", "differential", "unconfirmed"):
        event = condition(verificationStatus=coded(code))
        assert (event.value.unconfirmed, event.value.negated, event.status) == (True, False, Status.FINAL)
    assert condition(verificationStatus=coded("confirmed")).id == condition().id  # no word of doubt, the same statement
    assert condition(clinicalStatus=coded("resolved"), abatementDateTime="2005").until.text == "2005"
    assert condition(clinicalStatus=coded("resolved")).until.text == "2002-05-06"  # it held when it was recorded
    assert condition(abatementString="in childhood").until.text == "2002-05-06"
    allergy = {"resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": "Patient/p1"},
               "code": {"text": "peanut"}, "recordedDate": "2011", "clinicalStatus": coded("inactive"),
               "verificationStatus": coded("unconfirmed")}  # fmt: skip
    event = one(allergy)
    assert (event.value, event.until.text) == (Code("", "", "peanut", unconfirmed=True), "2011")


@pytest.mark.parametrize("words", [("differential", "confirmed"), ("confirmed", "provisional")])
def test_a_diagnosis_that_is_confirmed_or_doubted_later_is_a_new_version(
    store: SqlStore, grant: Grant, words: tuple[str, str]
) -> None:
    code = {"coding": [{"system": SNOMED, "code": "46635009"}]}
    for word in words:
        resource = statement(
            "Condition", code=code, recordedDate="2002-05-06", verificationStatus={"coding": [{"code": word}]}
        )
        ingest_bytes(json.dumps(resource).encode(), "m", store, grant, patient="jane")
        (event,) = store.record("jane", grant).events
        assert isinstance(event.value, Code)
        assert event.value.unconfirmed == (word != "confirmed")
