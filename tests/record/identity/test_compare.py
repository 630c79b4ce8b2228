"""What two people's fields say of each other: similarity against published values, placeholders as nothing, levels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.record import SourcePatient
from medtwin.record.identity import blocking, text
from medtwin.record.identity.compare import compare, person
from medtwin.record.store import Demographics

SSN = "urn:oid:2.16.840.1.113883.4.1"
ANNA = {
    "given": "Anna", "family": "Lindqvist", "birth_date": "1971-03-28", "sex": "female", "street": "6 Tulip Street",
    "city": "Hobart", "postal_code": "7000", "state": "TAS", "identifiers": (SourcePatient(SSN, "512-44-8807"),),
}  # fmt: skip


def levels(**other):
    return compare(person(Demographics(**ANNA)), person(Demographics(**(ANNA | other))))


@pytest.mark.parametrize(
    ("a", "b", "similar"),
    # Winkler 1990, table of string comparators, as many implementations reprint it
    [("MARTHA", "MARHTA", 0.9611), ("DIXON", "DICKSONX", 0.8133), ("DWAYNE", "DUANE", 0.8400), ("ABC", "XYZ", 0.0)],
)
def test_similarity_is_that_of_the_published_table(a, b, similar):
    assert text.jaro_winkler(a, b) == pytest.approx(similar, abs=5e-5)
    assert text.jaro_winkler(b, a) == pytest.approx(similar, abs=5e-5)


@given(st.text("abc", max_size=7), st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edits_count_least_changes(a, b, c):
    assert text.edits(a, b) == text.edits(b, a)
    assert (text.edits(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= text.edits(a, b) <= max(len(a), len(b))
    assert text.edits(a + c, b + c) <= text.edits(a, b)


def test_an_exchange_of_two_neighbours_is_one_edit():
    assert text.edits("19710328", "19710382") == 1
    assert text.edits("kitten", "sitting") == 3  # Levenshtein's own example


@pytest.mark.parametrize(
    "written",
    ["000-00-0000", "999-99-9999", "111111111", "123-45-6789", "078-05-1120", "UNKNOWN", "none", "0", "", "XXXXXXXXX"],
)
def test_placeholder_numbers_are_no_evidence(written):
    assert text.number(written) == ""
    both = Demographics(identifiers=(SourcePatient(SSN, written),))
    assert compare(person(both), person(both)) == {}
    assert not [key for key in blocking.keys(person(both)) if key.startswith("number")]


@pytest.mark.parametrize("written", ["1900-01-01", "0001-01-01", "9999-12-31", "", "unknown", "1111-11-11"])
def test_placeholder_dates_are_no_evidence(written):
    assert "birth_date" not in levels(birth_date=written)


@pytest.mark.parametrize("written", ["UNKNOWN", "Baby Boy", "xxx", "N.N.", "test"])
def test_placeholder_names_are_no_evidence(written):
    assert "given" not in levels(given=written)


@pytest.mark.parametrize(
    ("field", "written", "level"),
    [
        ("birth_date", "1971-03-28", "same"), ("birth_date", "1971-03-82", "slip"), ("birth_date", "1971-08-28", "slip"),
        ("birth_date", "1971-28-03", "exchanged"), ("birth_date", "1971-11-28", "part"), ("birth_date", "1948-11-02", "differs"),
        ("birth_date", "1971", None), ("birth_date", "1972", "differs"),
        ("given", "ANNA", "same"), ("given", "Anne", "close"), ("given", "Anna Maria", "close"), ("given", "A", None),
        ("given", "Peter", "differs"), ("family", "Lindquist", "close"), ("family", "Lindqvist-Berg", "close"),
        ("family", "Okafor", "differs"), ("sex", "male", "differs"), ("sex", "unknown", None),
        ("postal_code", "7001", "close"), ("postal_code", "3121", "differs"), ("city", "Hobarth", "close"),
    ],
)  # fmt: skip
def test_each_field_has_its_level(field, written, level):
    assert levels(**{field: written}).get(field) == level


def test_accents_and_spelling_of_one_name_are_one_name():
    assert levels(family="LINDQVÏST")["family"] == "same"
    assert compare(person(Demographics(family="Müller")), person(Demographics(family="MULLER"))) == {"family": "same"}
    assert compare(person(Demographics(family="Müller")), person(Demographics(family="Mueller"))) == {"family": "close"}


def test_names_that_were_exchanged_are_seen():
    assert {k: v for k, v in levels(given="Lindqvist", family="Anna").items() if k in ("given", "family")} == {
        "given": "exchanged",
        "family": "same",
    }


def test_a_house_is_told_from_its_street_wherever_its_number_stands():
    assert person(Demographics(street="Hauptstraße 12a")).house == "12a"
    assert levels(street="16 Tulip Street") | {"house": "close", "street": "same"} == levels(street="16 Tulip Street")


def test_numbers_of_different_systems_say_nothing_of_each_other():
    assert "number" not in levels(identifiers=(SourcePatient("LAB", "77"),))
    assert levels(identifiers=(SourcePatient("http://hl7.org/fhir/sid/us-ssn", "512448807"),))["number"] == "same"
    assert levels(identifiers=(SourcePatient(SSN, "512-44-8870"),))["number"] == "close"
    assert levels(identifiers=(SourcePatient(SSN, "301-90-1145"),))["number"] == "differs"


def test_local_numbers_of_one_system_that_differ_are_no_evidence():
    """One hospital gives one person two numbers often enough: that is what merges are for."""
    one, other = (person(Demographics(), SourcePatient("HOSPITAL", number)) for number in ("4711", "4712"))
    assert compare(one, other) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"given": "Lindqvist", "family": "Anna"}, {"birth_date": "1971-28-03"}, {"birth_date": ""}, {"family": "Okafor"},
        {"given": "", "family": "Lindquist"}, {"postal_code": "3121", "city": "Melbourne", "street": "1 Elm Road"},
    ],
)  # fmt: skip
def test_a_person_is_found_in_spite_of_it(wrong):
    without = {"identifiers": ()}
    keys = [set(blocking.keys(person(Demographics(**(ANNA | without | more))))) for more in ({}, wrong)]
    assert keys[0] & keys[1]


def test_digests_hide_and_depend_on_the_home():
    assert blocking.digest("born|19710328", b"one") != blocking.digest("born|19710328", b"two")
    assert -(2**63) <= blocking.digest("x", b"one") < 2**63
