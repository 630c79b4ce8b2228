"""Signed senders: the standard's own example, registrations that void older secrets, and what is turned away."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from medtwin.errors import AccessDenied, FormatError, StoreError
from medtwin.record import webhooks
from medtwin.record.event import SourcePatient
from medtwin.record.webhooks import check, signature

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def headers(body=b"{}", at=NOW, secret=SECRET, identifier="msg_1"):
    stamp = str(int(at.timestamp()))
    return {
        "webhook-id": identifier, "webhook-timestamp": stamp, "webhook-signature": signature(secret, identifier, stamp, body)
    }  # fmt: skip


def test_the_example_of_the_standard():
    """The signature that the reference libraries of Standard Webhooks give for this message (their tests)."""
    signed = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signed_request_passes_and_several_signatures_may_stand():
    check(SECRET, headers(), b"{}", NOW)
    given = headers()
    given["webhook-signature"] = f"v1a,other v1,bm9uZQ== {given['webhook-signature']}"
    check(SECRET, given, b"{}", NOW + timedelta(minutes=4))


@pytest.mark.parametrize("broken", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_asked_for_and_signed(broken):
    given = headers()
    with pytest.raises(AccessDenied, match="without its signature"):
        check(SECRET, {**given, broken: ""}, b"{}", NOW)
    with pytest.raises(AccessDenied):
        check(SECRET, {**given, broken: given[broken] + "1"}, b"{}", NOW)


def test_another_body_another_secret_and_another_time_are_turned_away():
    with pytest.raises(AccessDenied, match="not this sender's"):
        check(SECRET, headers(), b"{ }", NOW)
    with pytest.raises(AccessDenied, match="not this sender's"):
        check("whsec_AAAA", headers(), b"{}", NOW)
    for minutes in (-6, 6):
        with pytest.raises(AccessDenied, match="not of now"):
            check(SECRET, headers(at=NOW + timedelta(minutes=minutes)), b"{}", NOW)


def test_a_registration_voids_the_one_before_even_after_a_removal(store):
    folder, master = store.access.folder, store.access.master
    first = webhooks.secret_of(webhooks.add(folder, "scale"), master)
    second = webhooks.secret_of(webhooks.add(folder, "scale", patient="anna"), master)
    webhooks.remove(folder, "scale")
    assert webhooks.find(folder, "scale") is None
    third = webhooks.secret_of(webhooks.add(folder, "scale"), master)
    assert len({first, second, third}) == 3
    assert first.startswith("whsec_")
    assert (folder / webhooks.FILE).stat().st_mode & 0o077 == 0
    assert first.removeprefix("whsec_") not in (folder / webhooks.FILE).read_text()
    assert [one.name for one in webhooks.webhooks(folder)] == ["scale"]


def test_a_void_secret_stays_void_where_the_file_is_lost(store):
    folder, master = store.access.folder, store.access.master
    first = webhooks.secret_of(webhooks.add(folder, "pump"), master)
    webhooks.remove(folder, "pump")
    (folder / webhooks.FILE).unlink()
    second = webhooks.add(folder, "pump")
    assert webhooks.secret_of(second, master) != first
    assert webhooks.secret_of(webhooks.find(folder, "pump"), master) == webhooks.secret_of(second, master)
    assert second.number == 1
    assert "nonce" not in webhooks.described(second)


def test_a_registration_of_before_keeps_its_secret(store):
    """As the derivation was when a registration had no random number of its own."""
    written = b'{"last":1,"webhooks":[{"name":"pump","number":1,"created":"2026-01-01T00:00:00Z"}]}'
    (store.access.folder / webhooks.FILE).write_bytes(written)
    master = store.access.master
    held = webhooks.secret_of(webhooks.find(store.access.folder, "pump"), master)
    assert base64.b64decode(held.removeprefix("whsec_")) == master.derived(b"webhook/1/pump")


def test_erasing_a_patient_removes_their_senders(store, grant):
    store.link(SourcePatient("fhir", "p1"), "anna", grant)
    folder = store.access.folder
    webhooks.add(folder, "scale", patient="anna")
    webhooks.add(folder, "pump", patient="bob")
    webhooks.add(folder, "gateway")
    assert store.erase("anna", grant)["webhooks"] == 1
    assert [one.name for one in webhooks.webhooks(folder)] == ["gateway", "pump"]
    assert "anna" not in (folder / webhooks.FILE).read_text()


def test_names_that_cannot_be_and_files_that_cannot_be_read(store):
    for name in ("", "A", "../x", "a b", "x" * 64):
        with pytest.raises(FormatError, match="the name"):
            webhooks.add(store.access.folder, name)
    with pytest.raises(FormatError, match="the name"):
        webhooks.remove(store.access.folder, "nobody")
    (store.access.folder / webhooks.FILE).write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        webhooks.webhooks(store.access.folder)
