"""From levels to a decision: the arithmetic by hand, and the rules that no number of bits overrules."""

import math

import msgspec
import pytest

from medtwin.errors import FormatError
from medtwin.record import SourcePatient
from medtwin.record.identity import score as scores
from medtwin.record.identity.compare import LEVELS, WHERE, compare, person
from medtwin.record.identity.score import Decision, Weight, score, weights
from medtwin.record.store import Demographics
from record.identity.test_compare import ANNA, SSN

PEOPLE = 50_000


def scored(one=None, **other):
    a, b = (person(Demographics(**(ANNA | more))) for more in (one or {}, other))
    return score(compare(a, b), PEOPLE)


def test_bits_are_the_logarithm_of_m_over_u_and_the_prior_is_one_in_all_people():
    """By hand: 8 bits of a name and 10 of a date against one of 4096: 2^18 / 2^12 is 64 to 1."""
    plain = msgspec.structs.replace(weights(), population=1)
    fields = dict(plain.fields)
    fields["given"] = Weight(dict.fromkeys(LEVELS["given"], 0.5), dict.fromkeys(LEVELS["given"], 0.5 / 256), "")
    fields["birth_date"] = Weight(
        dict.fromkeys(LEVELS["birth_date"], 0.5), dict.fromkeys(LEVELS["birth_date"], 0.5 / 1024), ""
    )
    found = score({"given": "same", "birth_date": "same"}, 4096, by=msgspec.structs.replace(plain, fields=fields))
    assert [part.bits for part in found.parts] == [8.0, 10.0]
    assert found.probability == pytest.approx(64 / 65)


def test_parts_add_up_to_the_probability():
    found = scored(given="Peter", identifiers=())
    odds = found.probability / (1 - found.probability)
    assert math.log2(odds) == pytest.approx(sum(part.bits for part in found.parts) - math.log2(PEOPLE), abs=1e-6)


def test_the_same_statement_twice_is_one_person():
    assert scored().decision is Decision.LINK


def test_a_common_name_weighs_less():
    rare, common = (score({"family": "same"}, PEOPLE, {"family": (count, PEOPLE)}).parts[0].bits for count in (0, 1500))
    assert rare - common > 2
    assert score({"family": "same"}, PEOPLE).parts[0].bits == pytest.approx(rare, abs=0.1)


def test_people_who_moved_lose_no_more_than_a_limit():
    where = {"street": "1 Elm Road", "city": "Perth", "postal_code": "6000", "state": "WA"}
    parts = [part.bits for part in scored(**where).parts if part.field in (*WHERE, "household")]
    assert sum(parts) == pytest.approx(weights().household[0])


def test_a_household_shares_more_than_its_parts_say():
    parts = scored(given="Peter", birth_date="1940-01-05", identifiers=()).parts
    where = [part.bits for part in parts if part.field in ("family", *WHERE, "household")]
    assert sum(where) == pytest.approx(weights().household[1])


NOWHERE = {"street": "", "city": "", "postal_code": "", "state": "", "identifiers": ()}
INSURER = (SourcePatient("insurer", "AB123"),)


@pytest.mark.parametrize(
    "where",
    [
        {"city": "Hobart"}, {"city": "Hobart", "state": "TAS"}, {"postal_code": "7000"}, {"street": "Tulip Street"},
        {"street": "unknown", "city": "unknown"}, {"street": "No fixed abode", "city": "Hobart", "postal_code": "99999"},
        {"phone": "0300000000"}, {"phone": "030 000 0000"}, {"street": "NFA", "postal_code": "ZZ99 3VZ"},
    ],
)  # fmt: skip
def test_too_little_of_an_address_is_no_corroboration(where):
    found = scored(NOWHERE | where, **(NOWHERE | where))
    assert "nothing beyond name, birth date and sex speaks for it" in found.reasons


@pytest.mark.parametrize(
    "where",
    [
        {"phone": "03 6555 0101"},
        {"street": "6 Tulip Street", "postal_code": "7000"},
        {"identifiers": ANNA["identifiers"]},
    ],
)
def test_a_phone_a_house_or_a_number_is(where):
    assert scored(NOWHERE | where, **(NOWHERE | where)).decision is Decision.LINK


def test_twins_of_close_names_at_one_address_and_phone_wait():
    home = {"identifiers": (), "phone": "03 6555 0101"}
    found = scored(home | {"given": "Maria"}, **(home | {"given": "Marie"}))
    assert any("twins" in reason for reason in found.reasons)
    assert scored({"given": "Maria"}, given="Marie").decision is Decision.LINK  # one national number


def test_father_and_son_without_a_birth_date_wait():
    one = {"identifiers": INSURER, "phone": "03 6555 0101"}
    found = scored(one, **(one | {"birth_date": ""}))
    assert found.decision is Decision.POSSIBLE
    assert any("father and son" in reason for reason in found.reasons)


TRAPS = {
    "one number alone": ({}, {"given": "", "family": "", "birth_date": "", "street": "", "city": "", "postal_code": "",
                              "state": "", "sex": ""}),
    "a national number on two people": ({}, {"given": "Peter", "family": "Okafor", "birth_date": "1948-11-02", "sex": "male",
                                             "street": "1 Elm Road", "city": "Perth", "postal_code": "6000", "state": "WA"}),
    "one number with two birth years": ({}, {"birth_date": "1959-03-28"}),
    "twins": ({"identifiers": ()}, {"given": "Petra", "identifiers": ()}),
    "a namesake with another birth date at one address": ({}, {"birth_date": "1938-10-05", "identifiers": ()}),
    "name, birth date and sex alone": ({}, {"identifiers": (), "street": "", "city": "", "postal_code": "", "state": ""}),
    "two national numbers": ({}, {"identifiers": (SourcePatient(SSN, "301-90-1145"),)}),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_never_linked_by_a_machine(trap):
    one, other = TRAPS[trap]
    found = scored(one, **other)
    assert found.decision is not Decision.LINK
    if found.decision is Decision.POSSIBLE:
        assert found.reasons or found.probability < weights().link


@pytest.mark.parametrize(
    "trap", ["one number alone", "a national number on two people", "one number with two birth years"]
)
def test_a_number_with_other_demographics_waits_for_a_person(trap):
    one, other = TRAPS[trap]
    found = scored(one, **other)
    assert found.decision in (
        (Decision.POSSIBLE,) if trap != "one number alone" else (Decision.POSSIBLE, Decision.NONE)
    )


def test_a_namesake_with_another_birth_date_elsewhere_is_nobody():
    where = {"street": "1 Elm Road", "city": "Perth", "postal_code": "6000", "state": "WA"}
    assert scored(birth_date="1938-10-05", identifiers=(), **where).decision is Decision.NONE


def test_nothing_said_is_no_evidence():
    assert (score({}, PEOPLE).decision, score({}, PEOPLE).parts) == (Decision.NONE, ())


def test_people_who_moved_and_married_are_at_least_seen():
    moved = {"street": "1 Elm Road", "city": "Perth", "postal_code": "6000", "state": "WA"}
    assert scored(**moved).decision is Decision.LINK  # a national number, names and birth date
    assert scored(family="Okafor", **moved).decision in (Decision.LINK, Decision.POSSIBLE)
    assert scored(family="Okafor", identifiers=()).decision is Decision.LINK


def test_statements_of_one_key_go_together_or_not():
    ours = person(Demographics(**ANNA))
    for more, together in (
        ({"family": "Okafor"}, True), ({"birth_date": "1938-10-05"}, False), ({"given": "Peter"}, False), ({"sex": "male"}, True),
        ({"birth_date": "1971-03-29"}, True), ({"given": "Ana", "sex": "male"}, False),
        ({"given": "UNKNOWN", "family": "UNKNOWN"}, True),
        ({"given": "Peter", "family": "Okafor", "birth_date": "1948-11-02", "sex": "male"}, False),
    ):  # fmt: skip
        assert scores.compatible(compare(ours, person(Demographics(**(ANNA | more))))) is together


def test_weights_of_another_dialect_are_refused():
    shipped = msgspec.json.encode(weights())
    with pytest.raises(FormatError):
        scores.read(shipped.replace(b"weights/1", b"weights/9"))
    with pytest.raises(FormatError):
        scores.read(b"{}")
    assert scores.read(shipped) == weights()


def test_weights_are_probabilities_and_say_where_they_are_from():
    for weight in weights().fields.values():
        assert sum(weight.m.values()) == pytest.approx(1, abs=1e-6)
        assert sum(weight.u.values()) == pytest.approx(1, abs=1e-6)
        assert min(*weight.m.values(), *weight.u.values()) > 0
        assert weight.origin
