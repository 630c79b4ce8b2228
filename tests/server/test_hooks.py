"""A sender pushes over HTTP: durable facts for a signed delivery, once, and nothing for any other."""

import json

import pytest

from medtwin.record import webhooks
from medtwin.record.webhooks import secret_of, signature
from server.conftest import NOW, reading


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
