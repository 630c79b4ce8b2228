"""people matches, link, unlink, refuse, history: what a data person does with two keys that may be one person's."""

import pytest

from medtwin.record import SourcePatient
from medtwin.record.home import open_store
from medtwin.record.store import Demographics
from record.identity.test_compare import ANNA
from record.making import fact

HOME, LAB = SourcePatient("HOSPITAL", "4711"), SourcePatient("LAB", "L-9")


@pytest.fixture
def twins(own_home):
    """Two patients who share all but the given name."""
    with open_store(own_home) as store:
        grant = store.issue_grant()
        for key, patient, given in ((HOME, "anna", "Anna"), (LAB, "petra", "Petra")):
            store.link(key, patient, grant)
            store.append([fact(1, 100.0, owner=key)], grant)
            store.identify(key, Demographics(**(ANNA | {"given": given, "identifiers": ()})), grant)
    return own_home


def test_a_match_is_shown_with_both_sides(run, twins):
    (match,) = run.json("people", "matches")["matches"]
    assert (match["older"]["patient"], match["newer"]["patient"]) == ("anna", "petra")
    fields = {line["field"]: line for line in match["fields"]}
    assert (fields["given name"]["older"], fields["given name"]["newer"]) == ("Anna", "Petra")
    assert fields["given name"]["bits"] < 0 < fields["birth date"]["bits"]
    assert fields["sex"]["level"] == "same"
    shown = run("people", "matches").stdout
    for words in ("Anna", "Petra", "different", "medtwin people link 'anna' 'petra'", "twins"):
        assert words in shown


def test_two_are_linked_and_parted_again(run, twins):
    assert run.json("people", "link", "anna", "petra", "--why", "seen")["keys"] == 1
    assert [entry["id"] for entry in run.json("patients")["patients"]] == ["anna"]
    assert "No match" in run("people", "matches").stdout
    assert "1 key of anna went back to petra" in run("people", "unlink", "anna", "petra").stdout
    assert [entry["id"] for entry in run.json("patients")["patients"]] == ["anna", "petra"]
    events = run.json("people", "history", "petra")["events"]
    assert [event["kind"] for event in events] == ["refused", "unlink", "link", "possible", "link"]
    assert "seen" in run("people", "history").stdout


def test_a_key_may_be_named(run, twins):
    assert run.json("people", "link", "HOSPITAL|4711", "petra")["patient"] == "anna"
    assert run.json("people", "unlink", "anna", f"{LAB.system}|{LAB.value}")["keys"] == 1
    assert [entry["id"] for entry in run.json("patients")["patients"]] == ["anna", "petra"]
    assert "not known here" in run("people", "link", "anna", "LAB|nobody", code=1).stderr


def test_a_match_is_refused(run, twins):
    assert "two people" in run("people", "refuse", "anna", "petra", "--why", "twins").stdout
    assert run.json("people", "matches")["matches"] == []


@pytest.mark.parametrize(
    "wrong",
    [("link", "anna", "nobody"), ("link", "nobody", "anna"), ("unlink", "anna", "petra"), ("refuse", "anna", "anna")],
)
def test_what_cannot_be_done_ends_in_one_sentence(run, twins, wrong):
    said = run("people", *wrong, code=1).stderr
    assert said.startswith("found ")
    assert len(said.strip().splitlines()) <= 3
