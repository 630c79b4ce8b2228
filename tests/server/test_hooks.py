"""A sender pushes over HTTP: durable facts for a signed delivery, once, and nothing for any other."""

import io
import json
import zipfile

import pytest

from medtwin.errors import StoreError
from medtwin.record import webhooks
from medtwin.record.webhooks import secret_of, signature
from medtwin.sources.ingest import ingest_bytes
from server.conftest import NOW, reading
from sources.test_fhir_r4 import bundle, observation, person


@pytest.fixture
def sender(fresh):
    made = webhooks.add(fresh.store.access.folder, "pump")
    return secret_of(made, fresh.store.access.master)


def sent(fresh, secret, body, *, name="pump", status=200, **other):
    stamp = str(int(fresh.clock().timestamp()))
    headers = {
        "webhook-id": "m1", "webhook-timestamp": stamp, "webhook-signature": signature(secret, "m1", stamp, body), **other
    }  # fmt: skip
    answer = fresh.client.post(f"/hooks/{name}", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_signed_delivery_is_durable_and_counted_once(fresh, sender, people):
    body = json.dumps(reading(people["ada"], NOW, 140.0, "pushed")).encode()
    before = fresh.get("/status")["events"]
    assert sent(fresh, sender, body) == {"new": 1, "duplicate": 0, "superseded": 0, "unassigned": 0, "quarantined": 0}
    assert sent(fresh, sender, body)["duplicate"] == 1
    assert fresh.get("/status")["events"] == before + 1


def test_what_is_not_understood_is_kept_with_its_reason(fresh, sender):
    assert sent(fresh, sender, b"nobody knows this")["quarantined"] == 1
    assert sent(fresh, sender, b"  ", status=422)["title"] == "Nothing was sent"


def test_whoever_cannot_sign_is_turned_away_and_learns_no_name(fresh, sender, people):
    body = json.dumps(reading(people["ada"], NOW, 140.0, "pushed")).encode()
    before = fresh.get("/status")["events"]
    wrong = sent(fresh, "whsec_AAAA", body, status=401)
    unknown = sent(fresh, "whsec_AAAA", body, name="nobody", status=401)
    assert wrong == unknown
    assert fresh.client.post("/hooks/pump", content=body).status_code == 401
    assert fresh.client.get("/hooks/pump").status_code == 404
    assert sent(fresh, sender, body, status=403, Origin="http://evil.example")
    webhooks.remove(fresh.store.access.folder, "pump")
    sent(fresh, sender, body, status=401)
    assert fresh.get("/status")["events"] == before


def test_a_senders_secret_opens_nothing_else(fresh, sender):
    assert fresh.client.post("/hooks/../api/v1/facts", content=b"{}").status_code in (403, 404, 405)
    assert fresh.client.post("/hooks/%2e%2e/api/v1/facts", content=b"{}").status_code in (403, 404, 405)


# a sender that is bound to one patient

MERGE = (
    b"MSH|^~\\&|fhir|H|X|Y|20240101080000||ADT^A40|M9|P|2.5\rEVN|A40|20240101\r"
    b"PID|1||anna^^^fhir||Schmidt^Anna\rMRG|bob^^^fhir\r"
)
ANNA = {"name": [{"family": "Schmidt", "given": ["Anna"]}], "birthDate": "1970-01-01", "gender": "female"}
BOB = {"name": [{"family": "Brown", "given": ["Bob"]}], "birthDate": "1945-05-05", "gender": "male"}


def of(name, number):
    return observation(id=number, subject={"reference": f"Patient/{name}"})


@pytest.fixture
def two(fresh):
    """Anna and Bob, each with a glucose."""
    raw = bundle(person("anna", **ANNA), person("bob", **BOB), of("anna", "a1"), of("bob", "b1"), url="")
    ingest_bytes(raw, "two", fresh.store, fresh.store.issue_grant())
    return fresh


def bound(fresh, patient="anna", **more):
    made = webhooks.add(fresh.store.access.folder, "scale", patient=patient, timezone="UTC", **more)
    return secret_of(made, fresh.store.access.master)


def whole(fresh):
    """Everybody's keys and facts; quarantine."""
    grant = fresh.store.issue_grant()
    people = {entry.id: (entry.keys, entry.events) for entry in fresh.store.patients(grant)}
    return people, fresh.store.unassigned(grant), len(fresh.store.quarantined(grant))


@pytest.mark.parametrize(
    "body",
    [
        bundle(of("bob", "x1"), of("anna", "x2"), url=""),
        bundle(of("bob", "x1"), url=""),
        bundle(person("bob", **BOB), of("bob", "x1"), url=""),
        bundle(person("carl"), of("carl", "x1"), of("anna", "x2"), url=""),
        bundle(of("carl", "x1"), url=""),
        bundle(person("anna", **BOB), of("anna", "x1"), url=""),
        MERGE,
    ],
)  # fmt: skip
def test_a_bound_sender_reaches_its_patient_only(two, body):
    secret, before = bound(two, source="fhir"), whole(two)
    refused = sent(two, secret, body, name="scale", status=422)
    assert refused["title"] == "Not this sender's"
    for name in ("anna", "bob", "carl", "Brown", "Schmidt"):
        assert name not in json.dumps(refused)
    assert whole(two) == before
    assert sent(two, secret, bundle(of("anna", "x2"), url=""), name="scale")["new"] == 1
    after, _, _ = whole(two)
    assert {name: count for name, (_, count) in after.items() if count != before[0][name][1]} == {
        "anna": before[0]["anna"][1] + 1
    }


def test_members_of_an_archive_are_of_the_patient_too(two):
    secret, before = bound(two, source="fhir"), whole(two)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.json", bundle(of("anna", "x1"), url=""))
        archive.writestr("b.json", bundle(of("bob", "x2"), url=""))
    sent(two, secret, held.getvalue(), name="scale", status=422)
    assert whole(two) == before


def test_a_bound_senders_own_key_becomes_the_patients_once(two):
    secret = bound(two)
    assert sent(two, secret, bundle(of("user-7", "x1"), url=""), name="scale")["new"] == 1
    assert sent(two, secret, bundle(of("user-7", "x1"), url=""), name="scale")["duplicate"] == 1
    sent(two, secret, bundle(of("user-8", "x2"), url=""), name="scale", status=422)
    sent(two, secret, bundle(person("user-7", **BOB), of("user-7", "x3"), url=""), name="scale", status=422)
    people, waiting, _ = whole(two)
    assert [key.value for key in people["anna"][0]] == ["anna", "user-7"]
    assert waiting == ()


def test_a_bound_sender_makes_its_patient_and_what_names_nobody_is_the_patients(two):
    secret = bound(two, "dora")
    csv = b"not known to any dialect"
    assert sent(two, secret, csv, name="scale")["quarantined"] == 1
    assert sent(two, secret, csv + b"!", name="scale")["quarantined"] == 1
    nobody = {key: value for key, value in of("x", "x1").items() if key != "subject"}
    assert sent(two, secret, json.dumps(nobody).encode(), name="scale")["new"] == 1
    later = {**nobody, "id": "x9", "effectiveDateTime": "2024-01-09T08:00:00Z"}
    assert sent(two, secret, json.dumps(later).encode(), name="scale")["new"] == 1
    people, waiting, _ = whole(two)
    assert (people["dora"][1], waiting) == (2, ())


def test_a_bound_sender_of_somebody_who_withdrew_is_refused(two):
    secret = bound(two, source="fhir")
    two.store.withdraw("anna", two.store.issue_grant())
    assert "anna" not in json.dumps(sent(two, secret, bundle(of("anna", "x1"), url=""), name="scale", status=422))


def test_what_the_store_says_goes_to_no_sender(two, monkeypatch):
    secret = bound(two, source="fhir")

    def full(self, *_):
        raise StoreError("the facts of anna")

    monkeypatch.setattr(type(two.store), "append", full)
    assert "anna" not in json.dumps(sent(two, secret, bundle(of("anna", "x1"), url=""), name="scale", status=503))
