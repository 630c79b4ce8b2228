"""Matches over the API: both sides field by field, and the three decisions of a person."""

import pytest

from medtwin.record import SourcePatient
from medtwin.record.store import Demographics
from medtwin.server import shapes
from record.identity.test_compare import ANNA
from record.making import fact
from server.test_contract import conforms

HOME, LAB = SourcePatient("HOSPITAL", "4711"), SourcePatient("LAB", "L-9")


@pytest.fixture
def twins(fresh):
    store = fresh.store
    grant = store.issue_grant()
    for key, patient, given in ((HOME, "anna", "Anna"), (LAB, "petra", "Petra")):
        store.link(key, patient, grant)
        store.append([fact(1, 100.0, owner=key)], grant)
        store.identify(key, Demographics(**(ANNA | {"given": given, "identifiers": ()})), grant)
    return fresh


def test_a_match_goes_out_and_is_decided(twins):
    told = twins.get("/people/matches")
    conforms(told, shapes.Matches)
    (match,) = told["matches"]
    assert (match["older"]["name"], match["newer"]["name"]) == ("anna", "petra")
    assert {"field": "surname", "older": "Lindqvist", "newer": "Lindqvist"}.items() <= match["fields"][1].items()
    linked = twins.post("/people/link", {"one": "anna", "other": "petra", "why": "seen"})
    assert linked == {"one": "anna", "other": "petra", "keys": 1}
    assert twins.get("/people/matches")["matches"] == []
    assert {one["id"] for one in twins.get("/patients")["patients"]} >= {"anna"}
    twins.get("/patients/petra", status=404)
    assert twins.post("/people/unlink", {"one": "anna", "other": "petra"})["keys"] == 1
    twins.get("/patients/petra")
    assert twins.get("/people/matches")["matches"] == []


def test_what_was_shown_of_a_patient_is_made_anew_when_keys_move(twins):
    before = twins.get("/patients/anna/events")["events"]
    twins.post("/people/link", {"one": "anna", "other": "petra"})
    merged = twins.get("/patients/anna/events")["events"]
    assert (len(before), len(merged)) == (1, 2)
    assert twins.context.living.held("anna") is None or len(twins.context.living.held("anna").record.history) == 2
    twins.get("/patients/anna")
    assert len(twins.context.living.held("anna").record.history) == 2
    twins.post("/people/unlink", {"one": "anna", "other": "petra"})
    twins.get("/patients/anna")
    assert len(twins.context.living.held("anna").record.history) == 1
    assert twins.get("/patients/anna/events")["events"] == before


def test_a_match_is_refused(twins):
    assert twins.post("/people/refuse", {"one": "anna", "other": "LAB|L-9", "why": "twins"})["keys"] == 1
    assert twins.get("/people/matches")["matches"] == []


def test_what_cannot_be_done_is_said(twins):
    assert twins.post("/people/unlink", {"one": "anna", "other": "petra"}, status=409)["title"] == "Not as it stands"
    twins.post("/people/link", {"one": "anna", "other": "anna"}, status=409)
    twins.post("/people/link", {"one": "anna", "other": "nobody"}, status=404)
    twins.post("/people/link", {"one": "anna"}, status=400)
    twins.post("/people/link", {"one": "anna", "other": "petra", "more": 1}, status=400)
