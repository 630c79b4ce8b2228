"""People of several systems, end to end: what the dialects say of a person meets, waits or stays apart in a real store."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from medtwin.governance.grant import Grant
from medtwin.record import SourcePatient
from medtwin.record.sql import SqlStore
from medtwin.sources.ingest import ingest_bytes
from sources.test_fhir_r4 import bundle, observation, person
from sources.test_hl7v2 import message, result

LAB = "PID|1||4711^^^LAB^MR~512-44-8807^^^USSSA^SS||LINDQVIST^ANNA^M||19710328|F|||6 Tulip Street^^Hobart^TAS^7000||03 6555 0101"
ELSE = "PID|1||4711^^^LAB^MR||OKAFOR^PETER||19481102|M|||1 Elm Road^^Perth^WA^6000"
FHIR = {
    "name": [{"use": "official", "given": ["Anna", "Maria"], "family": "Lindqvist"}], "birthDate": "1971-03-28",
    "identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "512448807"}],
    "address": [{"line": ["6 Tulip St"], "city": "Hobart", "state": "TAS", "postalCode": "7000"}],
    "telecom": [{"system": "email", "value": "a@example.org"}, {"system": "phone", "value": "+61 3 6555 0101"}],
}  # fmt: skip


def hl7(store: SqlStore, grant: Grant, pid: str, order: str = "A1", value: str = "7.40"):
    return ingest_bytes(message(*result(value, order=order), pid=pid), f"{order}.hl7", store, grant)


def fhir(store: SqlStore, grant: Grant, **more):
    raw = bundle(person("p1", **(FHIR | more)), observation(subject={"reference": "urn:uuid:p1"}))
    return ingest_bytes(raw, "bundle.json", store, grant)


def keys(store: SqlStore, grant: Grant) -> dict[str, set[str]]:
    return {entry.id: {key.value for key in entry.keys} for entry in store.patients(grant)}


def test_what_a_message_says_of_a_person_is_kept(store: SqlStore, grant: Grant) -> None:
    hl7(store, grant, LAB)
    said = store.demographics("lab-4711", grant)
    assert (said.given, said.family, said.birth_date, said.sex) == ("ANNA M", "LINDQVIST", "1971-03-28", "female")
    assert (said.street, said.city, said.state, said.postal_code) == ("6 Tulip Street", "Hobart", "TAS", "7000")
    assert said.phone == "03 6555 0101"
    assert SourcePatient("urn:oid:2.16.840.1.113883.4.1", "512-44-8807") in said.identifiers


def test_what_a_resource_says_of_a_person_is_kept(store: SqlStore, grant: Grant) -> None:
    fhir(store, grant)
    said = store.demographics("p1", grant)
    assert (said.given, said.family, said.street, said.postal_code) == ("Anna Maria", "Lindqvist", "6 Tulip St", "7000")
    assert said.phone == "+61 3 6555 0101"


@pytest.mark.parametrize("odd", [{"address": {"line": "x"}}, {"address": [{"line": 7}]}, {"telecom": "none"}])
def test_an_odd_address_costs_no_person(store: SqlStore, grant: Grant, odd: dict) -> None:  # type: ignore[type-arg]
    report = fhir(store, grant, **odd)
    assert (report.new, report.quarantine) == (2, [])
    assert store.demographics("p1", grant).family == "Lindqvist"


def test_one_person_of_two_dialects_is_one_patient(store: SqlStore, grant: Grant) -> None:
    hl7(store, grant, LAB)
    report = fhir(store, grant)
    assert keys(store, grant) == {"lab-4711": {"4711", "p1"}}
    assert report.patients == ["lab-4711"]
    assert any("belongs to lab-4711 now" in note for note in report.notes)
    assert len(store.record("lab-4711", grant).of("blood_glucose")) == 2
    assert fhir(store, grant).notes == []
    store.separate("lab-4711", "p1", grant)
    assert keys(store, grant) == {"lab-4711": {"4711"}, "p1": {"p1"}}
    fhir(store, grant)
    hl7(store, grant, LAB, "A2")
    assert keys(store, grant) == {"lab-4711": {"4711"}, "p1": {"p1"}}


def test_somebody_alike_waits(store: SqlStore, grant: Grant) -> None:
    hl7(store, grant, LAB)
    report = fhir(store, grant, identifier=[], name=[{"given": ["Petra"], "family": "Lindqvist"}])
    assert len(keys(store, grant)) == 2
    assert any("medtwin people matches" in note for note in report.notes)
    assert len(store.matches(grant)) == 1


def test_one_number_with_somebody_else_s_name_is_kept_apart(store: SqlStore, grant: Grant) -> None:
    """An assigning authority left at its default: one root and extension on two people."""
    hl7(store, grant, LAB)
    report = hl7(store, grant, ELSE, "B1", "5.1")
    assert any("somebody else" in note for note in report.notes)
    (mine, other) = keys(store, grant)
    assert mine == "lab-4711"
    assert [event.text for event in store.record(mine, grant).of("blood_glucose")] == ["7.40"]
    (fact,) = store.record(other, grant).of("blood_glucose")
    assert (fact.text, fact.subject.system) == ("5.1", "LAB")
    assert fact.subject.value.startswith("4711#")
    assert b"OKAFOR" in store.raw(other, fact.source.raw, grant)
    hl7(store, grant, ELSE, "B2", "5.2")
    hl7(store, grant, LAB, "A2", "7.50")
    assert [len(store.record(patient, grant).of("blood_glucose")) for patient in (mine, other)] == [2, 2]
    (match,) = store.matches(grant)
    assert any("one number" in reason for reason in match.reasons)


BARE = "PID|1||4711^^^LAB^MR"


def values(store: SqlStore, grant: Grant) -> list[list[str]]:
    return [
        [event.text for event in store.record(patient, grant).of("blood_glucose")] for patient in keys(store, grant)
    ]


def test_a_batch_in_which_one_number_is_two_people_s_is_two_patients(store: SqlStore, grant: Grant) -> None:
    batch = b"\r".join(
        message(*result(value, order=order), pid=pid, number=order)
        for order, value, pid in (("A1", "7.40", LAB), ("B1", "5.1", ELSE), ("A2", "7.50", LAB), ("C1", "6.0", BARE))
    )
    report = ingest_bytes(batch, "batch.hl7", store, grant)
    assert any("somebody else" in note for note in report.notes)
    assert values(store, grant) == [["7.40", "7.50"], ["5.1"]]
    assert [key.value[:6] for key in store.unassigned(grant)] == ["4711#?"]
    mine, other = keys(store, grant)
    for patient, theirs in ((mine, b"OKAFOR"), (other, b"LINDQVIST")):
        for event in store.record(patient, grant).of("blood_glucose"):
            assert theirs not in store.raw(patient, event.source.raw, grant)


def test_a_stated_patient_is_none_of_two_people_of_one_number(store: SqlStore, grant: Grant) -> None:
    batch = b"\r".join(
        message(*result("7.0", order=order), pid=pid, number=order) for order, pid in (("A1", LAB), ("B1", ELSE))
    )
    report = ingest_bytes(batch, "batch.hl7", store, grant, patient="anna")
    assert any("--patient was not used" in note for note in report.notes)
    assert "anna" not in keys(store, grant)


def test_a_message_with_one_number_for_two_people_is_two_patients(store: SqlStore, grant: Grant) -> None:
    both = message(*result("7.40", order="A1"), ELSE, *result("5.1", order="B1"), pid=LAB)
    ingest_bytes(both, "both.hl7", store, grant)
    assert values(store, grant) == [["7.40"], ["5.1"]]


def test_a_number_alone_wipes_nothing_and_is_nobody_s_where_two_have_it(store: SqlStore, grant: Grant) -> None:
    hl7(store, grant, LAB)
    hl7(store, grant, BARE, "A2", "7.50")
    assert store.demographics("lab-4711", grant).family == "LINDQVIST"
    hl7(store, grant, ELSE, "B1", "5.1")
    assert values(store, grant) == [["7.40", "7.50"], ["5.1"]]
    report = hl7(store, grant, BARE, "C1", "6.0")
    assert any("several people have" in note for note in report.notes)
    assert values(store, grant) == [["7.40", "7.50"], ["5.1"]]
    assert [key.value[:6] for key in store.unassigned(grant)] == ["4711#?"]


def test_whoever_assigns_a_nameless_message_says_nothing_of_the_next(store: SqlStore, grant: Grant) -> None:
    hl7(store, grant, LAB)
    hl7(store, grant, ELSE, "B1", "5.1")
    stated = ingest_bytes(message(*result("6.0", order="C1"), pid=BARE), "C1.hl7", store, grant, patient="lab-4711")
    assert stated.patients == ["lab-4711"]
    hl7(store, grant, BARE, "C2", "6.1")
    assert [sorted(texts) for texts in values(store, grant)] == [["6.0", "7.40"], ["5.1"]]
    assert len(store.unassigned(grant)) == 1


def test_two_people_of_one_new_number_at_once_are_two_patients(store: SqlStore, grant: Grant) -> None:
    sent = [(LAB if at % 2 else ELSE, f"{at}", f"{at}.5") for at in range(12)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda one: hl7(store, grant, *one), sent))
    found = [sorted(float(text) % 2 for text in texts) for texts in values(store, grant)]
    assert sorted(found) == [[0.5] * 6, [1.5] * 6]


def test_two_resources_of_one_id_and_different_people_are_refused(store: SqlStore, grant: Grant) -> None:
    other = FHIR | {"name": [{"given": ["Peter"], "family": "Okafor"}], "birthDate": "1948-11-02", "identifier": []}
    raw = bundle(person("p1", **FHIR), person("p1", **other), observation(subject={"reference": "urn:uuid:p1"}))
    report = ingest_bytes(raw, "bundle.json", store, grant)
    assert any("somebody else" in said.reason for said in report.not_stored)
    assert store.record("p1", grant).events == ()


def test_the_same_bytes_again_and_a_replay_find_the_key_apart(store: SqlStore, grant: Grant) -> None:
    hl7(store, grant, LAB)
    hl7(store, grant, ELSE, "B1", "5.1")
    before = keys(store, grant)
    again = hl7(store, grant, ELSE, "B1", "5.1")
    assert (again.new, again.raw_duplicate) == (0, 1)
    assert keys(store, grant) == before


def test_a_wedding_is_no_other_person(store: SqlStore, grant: Grant) -> None:
    hl7(store, grant, LAB)
    report = hl7(
        store, grant, LAB.replace("LINDQVIST", "OKAFOR").replace("6 Tulip Street^^Hobart^TAS^7000", "1 Elm Road"), "A2"
    )
    assert report.notes == []
    assert keys(store, grant) == {"lab-4711": {"4711"}}


def test_merges_that_a_source_states_are_rows_of_the_stream(store: SqlStore, grant: Grant) -> None:
    hl7(store, grant, LAB)
    hl7(store, grant, ELSE.replace("4711", "4712"), "B1")
    before = {patient: store.record(patient, grant).events for patient in keys(store, grant)}
    ingest_bytes(message("MRG|4712^^^LAB^MR", kind="ADT^A40", pid=LAB), "a40.hl7", store, grant)
    assert keys(store, grant) == {"lab-4711": {"4711", "4712"}}
    ingest_bytes(message(ELSE.replace("4711", "4712"), kind="ADT^A37", pid=LAB), "a37.hl7", store, grant)
    assert {patient: store.record(patient, grant).events for patient in keys(store, grant)} == before
    told = [
        (event.kind.value, event.key.value, event.before, event.patient, event.why) for event in store.identity(grant)
    ]
    assert told[::-1] == [
        ("link", "4711", None, "lab-4711", "new here"), ("link", "4712", None, "lab-4712", "new here"),
        ("unlink", "4712", "lab-4712", None, "A40"), ("link", "4712", None, "lab-4711", "A40"),
        ("unlink", "4712", "lab-4711", None, "A37"), ("link", "4712", None, "lab-4712", "A37"),
        ("refused", "4712", None, None, "A37"),
    ]  # fmt: skip


def test_a_merge_that_a_source_stated_is_undone_like_any_other(store: SqlStore, grant: Grant) -> None:
    hl7(store, grant, LAB)
    hl7(store, grant, ELSE.replace("4711", "4712"), "B1")
    before = {patient: store.record(patient, grant).events for patient in keys(store, grant)}
    ingest_bytes(message("MRG|4712^^^LAB^MR", kind="ADT^A40", pid=LAB), "a40.hl7", store, grant)
    assert store.separate("lab-4711", "lab-4712", grant) == 1
    assert {patient: store.record(patient, grant).events for patient in keys(store, grant)} == before
