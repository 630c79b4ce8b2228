"""Which diagnoses let the glucose model speak: type 1, confirmed, current, and not beside type 2."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from medtwin.errors import InferenceError
from medtwin.record import Code, Moment, Precision, Record
from medtwin.sources.ingest import ingest_bytes
from medtwin.twin.choice import (
    CONTRADICTED,
    GLUCOSE,
    PREDIABETIC,
    SNOMED,
    STRUCTURES,
    TYPE_1,
    TYPE_2,
    choose,
    diagnosed,
)
from medtwin.twin.covariates import known
from medtwin.twin.scenario import plannable
from twin.people import NOW, committed, event

T1, T2 = Code(SNOMED[0], "46635009"), Code(SNOMED[0], "44054006")
DAYS = timedelta(days=1)


def record_of(*diagnoses):
    """A person with a sensor and insulin; each diagnosis is a code, or a code and when it ended."""
    told = [event("glucose", 120.0, NOW), event("insulin_bolus", 3.0, NOW)]
    for number, code in enumerate(diagnoses):
        code, until = code if isinstance(code, tuple) else (code, None)
        told.append(event("diagnosis", code, NOW - 9000 * DAYS, key=f"d{number}", until=until))
    return Record("ada", committed(told))


@pytest.mark.parametrize(
    ("code", "speaks"),
    [
        (T1, True), (Code("http://hl7.org/fhir/sid/icd-10-cm", "E10.65"), True),
        (Code("http://hl7.org/fhir/sid/icd-10", "E10"), True), (Code("http://hl7.org/fhir/sid/icd-10", "E11.9"), False),
        (Code("", "", "Type 1 diabetes"), False), (Code("", "46635009"), False), (Code("", "E10"), False),
        (Code("http://hospital.example/codes", "E10.9"), False), (Code("http://hospital.example/codes", "46635009"), False),
        (Code(SNOMED[0], "E10"), False), (Code("http://hl7.org/fhir/sid/icd-10", "46635009"), False),
        (Code(SNOMED[0], "46635009", negated=True), False), (Code(SNOMED[0], "46635009", unconfirmed=True), False),
    ],
)  # fmt: skip
def test_a_code_counts_within_its_system_where_it_is_confirmed(code, speaks):
    assert choose(record_of(code)).physiological == speaks


def test_a_diagnosis_that_has_ended_is_none_from_then_on():
    ended = NOW - 100 * DAYS
    record = record_of((T1, Moment.of(ended)))
    assert not choose(record).physiological  # at the newest fact
    assert choose(record, ended - DAYS).physiological
    assert not choose(record, ended).physiological
    year = record_of((T1, Moment(datetime(2025, 1, 1), Precision.YEAR)))  # noqa: DTZ001  (the year 2025)
    assert diagnosed(year, TYPE_1, datetime(2025, 12, 31, tzinfo=UTC))
    assert not diagnosed(year, TYPE_1, datetime(2026, 1, 1, tzinfo=UTC))


def test_both_types_at_once_contradict_each_other():
    both = choose(record_of(T1, T2))
    assert (both.physiological, both.reason) == (False, CONTRADICTED)
    assert choose(record_of(T1, (T2, Moment.of(NOW - DAYS)))).physiological
    assert choose(record_of(T1, Code(*T2.content[:3], unconfirmed=True))).physiological
    assert diagnosed(record_of(T2), TYPE_2)


def coded(code):
    return {"coding": [{"code": code}]}


@pytest.mark.parametrize(
    ("said", "speaks"),
    [
        ({}, True),
        ({"clinicalStatus": coded("active"), "verificationStatus": coded("confirmed")}, True),
        ({"clinicalStatus": coded("recurrence")}, True),
        ({"clinicalStatus": coded("resolved"), "abatementDateTime": "2005"}, False),
        ({"abatementDateTime": "2005"}, False), ({"abatementPeriod": {"start": "2004", "end": "2005"}}, False),
        ({"clinicalStatus": coded("resolved")}, False), ({"clinicalStatus": coded("inactive")}, False),
        ({"clinicalStatus": "resolved"}, False), ({"clinicalStatus": coded("remission")}, False),
        ({"abatementString": "as a child"}, False), ({"abatementAge": {"value": 9}}, False),
        *(({"verificationStatus": coded(code)}, False) for code in
          ("unconfirmed", "provisional", "differential", "refuted", "entered-in-error")),
    ],
)  # fmt: skip
def test_a_condition_speaks_for_type_1_where_it_is_confirmed_and_not_over(own_home, said, speaks):
    from medtwin.record.home import open_store

    condition = {
        "resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1"}, "onsetDateTime": "2001-02-03",
        "recordedDate": "2002-02-03", "code": {"coding": [{"system": SNOMED[0], "code": "46635009"}]}, **said,
    }  # fmt: skip
    with open_store(own_home) as store:
        grant = store.issue_grant()
        ingest_bytes(json.dumps(condition).encode(), "c.json", store, grant, patient="ada")
        assert list(store.quarantined(grant)) == []
        history = store.record("ada", grant).history
    others = record_of().history
    assert choose(Record("ada", (*history, *others))).physiological == speaks


def fed(*diagnoses, **more):
    """A person with a sensor who logs meals and injects nothing."""
    told = [event("glucose", 120.0, NOW), event("carbohydrate_intake", 40.0, NOW - timedelta(hours=1))]
    told += [event("diagnosis", code, NOW - 900 * DAYS, key=f"d{number}") for number, code in enumerate(diagnoses)]
    told += [event(name, value, NOW) for name, value in more.items()]
    return Record("deniz", committed(told))


@pytest.mark.parametrize(
    ("diagnosis", "share"),
    [(T2, 1.0), (Code(SNOMED[0], "714628002"), PREDIABETIC), (Code(SNOMED[0], "73211009", negated=True), 0.0)],
)
def test_who_injects_nothing_and_logs_meals_has_a_model_with_secretion(diagnosis, share):
    record = fed(diagnosis)
    found = choose(record)
    assert found.model.name == "glucose_type_2"
    assert plannable(found) == ("carbohydrate_intake",)
    assert known(found.model, record)(NOW)["type_2_diabetes"] == share


def test_without_a_diagnosis_meals_or_with_insulin_nobody_with_secretion_speaks():
    assert "no diagnosis says" in choose(fed()).reason
    no_meals = Record("deniz", committed([event("glucose", 120.0, NOW), event("diagnosis", T2, NOW - DAYS)]))
    assert "no meals" in choose(no_meals).reason
    assert "insulin is injected" in choose(fed(T2, insulin_bolus=3.0)).reason
    assert "insulin is injected" in choose(fed(T2, insulin_long_acting=10.0)).reason


def test_a_structure_is_asked_by_name():
    assert choose(record_of(T1)).model.name == GLUCOSE
    for name in STRUCTURES:
        assert choose(record_of(T1), model=name).model.name == name
    with pytest.raises(InferenceError, match="glucose_insulin or glucose_meals"):
        choose(record_of(T1), model="glucose_other")
