"""A fact comes in, a belief moves, and everybody who listens is told."""

import asyncio
import http.client
import json
import re
import threading
import time
from datetime import timedelta

import pytest

from medtwin.quantities import registry
from medtwin.record.home import open_store
from medtwin.server import live
from medtwin.server.app import make_app
from medtwin.server.hub import Hub
from medtwin.server.live import SUBSCRIBER
from medtwin.server.living import Living
from medtwin.sources.ingest import ingest_bytes
from server.conftest import BASE, NOW, Clock, Running, Served, TestClient, copied, meal, next_readings, reading
from waiting import waited


def belief_at(served, moment):
    band = served.get(
        f"/patients/ada/timeline?since={(moment - timedelta(minutes=30)).isoformat().replace('+', '%2B')}"
    )["belief"]
    written = moment.isoformat().replace("+00:00", "Z")
    place = band["times"].index(written)
    return band["mean"][place], band["upper"][place] - band["mean"][place]


def test_a_live_reading_moves_and_narrows_the_belief_and_changes_the_forecast(fresh, people):
    moment = NOW + timedelta(minutes=5)
    fresh.clock.moment = moment
    before, forecast = belief_at(fresh, moment), fresh.get("/patients/ada/forecast")
    value = round(before[0] + 14)
    accepted = fresh.post("/facts", reading(people["ada"], moment, value, "planted"))
    assert accepted["new"] == 1
    assert accepted["patients"] == ["ada"]
    assert accepted["sequence"] == fresh.store.sequence()
    (event,) = accepted["events"]
    told = fresh.until(lambda: fresh.messages("belief"))[0]
    assert told["event"] == event
    assert told["patient"] == "ada"
    assert told["unit"] == "mg/dL"
    assert told["replayed_since"] is None
    assert 0 < told["latency_ms"] < 60_000
    after = belief_at(fresh, moment)
    assert before[0] < after[0] < value
    assert after[1] < before[1]
    assert told["mean"] == pytest.approx(after[0])
    assert fresh.get("/patients/ada/forecast")["median"] != forecast["median"]
    (fact,) = fresh.messages("event")
    assert fact["event"] == event
    assert fact["text"] == f"Glucose {value} mg/dL"


def test_the_same_fact_twice_is_one_fact(fresh, people):
    _, resource = next_readings(people["ada"], 1)[0]
    fresh.clock.moment = NOW + timedelta(minutes=10)
    first, second = fresh.post("/facts", resource), fresh.post("/facts", resource)
    assert (first["new"], second["new"], second["duplicate"]) == (1, 0, 1)
    assert first["events"] == second["events"]


def test_a_late_meal_replays_the_past_and_says_since_when(fresh, people):
    fresh.get("/patients/ada")
    eaten = NOW - timedelta(minutes=75)
    fresh.post("/facts", meal(people["ada"], eaten, 60, "late", told=NOW))
    told = fresh.until(lambda: fresh.messages("belief"))[0]
    assert told["replayed_since"] == eaten.isoformat().replace("+00:00", "Z")


def test_a_fact_that_the_model_is_not_told_moves_no_belief(fresh, people):
    resource = next_readings(people["ada"], 1)[0][1]
    steps = {
        **resource, "id": "steps-1", "code": {"coding": [{"system": "http://loinc.org", "code": "55423-8"}]},
        "effectiveDateTime": NOW.isoformat(), "valueQuantity": {"value": 12, "unit": "{steps}", "code": "{steps}"},
    }  # fmt: skip
    fresh.get("/patients/ada")
    before = fresh.context.living.held("ada").twin.snapshot
    fresh.post("/facts", steps)
    fresh.until(lambda: fresh.messages("event"))
    fresh.until(lambda: len(fresh.context.living.held("ada").record.of("step_count")) and True)
    assert fresh.messages("belief") == []
    assert fresh.context.living.held("ada").twin.snapshot == before


def test_facts_of_another_process_are_noticed(template, people, tmp_path):
    home = copied(template, tmp_path)
    _, resource = next_readings(people["ada"], 1)[0]
    clock = Clock(NOW + timedelta(minutes=10))
    with open_store(home) as store, open_store(home) as other:
        with TestClient(make_app(store, store.issue_grant(), clock, warm_up=False), base_url=BASE) as client:
            served = Served(store, client, clock)
            served.get("/patients/ada")
            report = ingest_bytes(json.dumps(resource).encode(), "other.json", other, other.issue_grant())
            assert report.new == 1
            told = served.until(lambda: served.messages("belief"))
            assert told[0]["patient"] == "ada"


def test_a_restart_goes_on_where_it_was(template, people, tmp_path):
    home = copied(template, tmp_path)
    (_, first), (_, second), (_, third) = next_readings(people["ada"], 3)
    clock = Clock(NOW + timedelta(minutes=30))

    def serve(resource=None, *, expect):
        with open_store(home) as store:
            with TestClient(make_app(store, store.issue_grant(), clock, warm_up=False), base_url=BASE) as client:
                served = Served(store, client, clock)
                if resource is not None:
                    served.get("/patients/ada")
                    served.post("/facts", resource)
                told = served.until(lambda: len(served.messages("event")) >= expect and served.messages("event"))
                served.until(lambda: store.cursor(SUBSCRIBER) == store.sequence())
                return [message["value"] for message in told]

    value = [float(r["valueQuantity"]["value"]) for r in (first, second, third)]
    assert serve(first, expect=1) == [value[0]]
    with open_store(home) as store:  # while no server runs
        for resource in (second, third):
            ingest_bytes(json.dumps(resource).encode(), "away.json", store, store.issue_grant())
    assert serve(expect=2) == value[1:]


def test_what_is_understood_by_nobody_waits_in_quarantine_and_can_be_tried_again(fresh):
    (known,) = fresh.get("/quarantine")["items"]
    assert known["file"] == "export_final(2).csv"
    assert known["reason"]["found"]
    assert "Glukose" in known["excerpt"]
    fresh.until(lambda: fresh.context.follower.in_quarantine is not None)
    accepted = fresh.post("/facts", b"\x00\x01 neither this nor that", params={"file": "/tmp/odd.bin"})
    assert accepted["quarantined"] == 1
    assert accepted["events"] == []
    items = fresh.get("/quarantine")["items"]
    assert [item["file"] for item in items] == ["odd.bin", "export_final(2).csv"]
    told = fresh.until(lambda: fresh.messages("quarantine"))
    assert told[0]["total"] == 2
    again = fresh.post(f"/quarantine/{items[0]['id']}/replay", {})
    assert again["resolved"] is False
    assert again["still"]["id"] == items[0]["id"]
    fresh.post("/quarantine/999/replay", {}, status=404)


def test_files_of_other_dialects_are_taken_by_content(fresh):
    text = (
        b"Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Event Subtype,Patient Info,Device Info,Source Device ID,"
        b"Glucose Value (mg/dL),Insulin Value (u),Carb Value (grams),Duration (hh:mm:ss),"
        b"Glucose Rate of Change (mg/dL/min),Transmitter Time (Long Integer),Transmitter ID\n"
        b"1,2026-03-04T10:20:00,EGV,,,,Dexcom G6,151,,,,,1,8X\n"
    )
    accepted = fresh.post("/facts", text, params={"patient": "ada", "timezone": "Europe/Berlin", "file": "c.csv"})
    assert accepted["new"] == 1, accepted
    assert accepted["patients"] == ["ada"]


@pytest.mark.parametrize("content", [b"", b"   \n"])
def test_nothing_is_no_fact(fresh, content):
    fresh.post("/facts", content, status=422)


def test_a_body_beyond_the_limit_is_refused(fresh, monkeypatch):
    monkeypatch.setattr("medtwin.server.facts.content.__defaults__", (1000,))
    fresh.post("/facts", b"x" * 2000, status=413)


def test_a_withdrawn_consent_bites_at_once(fresh):
    assert fresh.get("/patients/ada/timeline")["belief"] is not None
    fresh.store.withdraw("ada", fresh.store.issue_grant())
    assert fresh.get("/patients/ada/timeline", status=404)["status"] == 404
    assert "ada" not in [p["id"] for p in fresh.get("/patients")["patients"]]


def test_what_was_under_way_when_consent_was_withdrawn_is_not_kept(fresh, monkeypatch):
    living = fresh.context.living
    standing = living.bring("ada")
    patients = living.patients()
    life, made = patients.held("ada"), patients.forecast

    def withdrawn(*given, **more):
        answer = made(*given, **more)
        fresh.store.withdraw("ada", fresh.store.issue_grant())
        living.check()
        return answer

    monkeypatch.setattr(patients, "forecast", withdrawn)
    living.forecast(standing, 6.0, ())
    monkeypatch.setattr("medtwin.applications.therapy_review.review.review", lambda *_, **__: "a review")
    assert living.reviewed(standing, 7, True) == "a review"  # asked before, computed after
    living._stand("ada", life)
    assert not living._effects
    assert not living._learnt
    assert not living._reviews
    assert living.held("ada") is None


def test_a_long_review_holds_up_no_forecast(fresh, monkeypatch):
    living, begun, go = fresh.context.living, threading.Event(), threading.Event()

    def long(*_):
        begun.set()
        assert go.wait(60)
        return "a review"

    monkeypatch.setattr(living, "reviewed", long)

    async def both():
        review = asyncio.create_task(living.review(None, 7, True))
        await asyncio.to_thread(begun.wait, 60)
        monkeypatch.setattr(living, "forecast", lambda *_: "a forecast")
        made = await asyncio.wait_for(living.effect(None, 6.0), 30)
        assert not review.done()
        go.set()
        return made, await review

    try:
        assert waited(both()) == ("a forecast", "a review")
    finally:
        go.set()


def test_while_a_twin_is_being_made_the_worklist_says_so_and_shows_the_record(fresh):
    assert not fresh.context.living.warm
    listed = {one["id"]: one for one in fresh.get("/patients")["patients"]}
    for name, one in listed.items():
        assert one["model"]["name"] == "Twin being made"
        assert "being made" in one["model"]["reason"]
        assert one["headline"] is None
        record = fresh.store.record(name, fresh.store.issue_grant())
        past = [e for e in record.events if e.instant <= NOW and e.intent == "happened"]
        levels = [e for e in past if registry.get(e.quantity).kind == "level"]
        assert one["last_datum"]["time"] == max(e.instant for e in levels).isoformat().replace("+00:00", "Z")
        assert one["last_change"]["time"] == max(e.instant for e in past).isoformat().replace("+00:00", "Z")
        assert one["last_change"]["text"]


def test_pages_are_told_to_look_again_when_a_twin_was_made(template, tmp_path, monkeypatch):
    greeted = []
    monkeypatch.setattr(Hub, "greet", lambda hub, hello: greeted.append(hello))
    monkeypatch.setattr(Living, "warm_up", lambda living, told: told("ada", 0.1))
    with open_store(copied(template, tmp_path)) as store:
        with TestClient(make_app(store, store.issue_grant(), Clock()), base_url=BASE) as client:
            Served(store, client, None).until(lambda: greeted)
    assert greeted[0].now == NOW


def audit_rows(store):
    store.flush()
    with store.access.database.reading() as connection:
        return int(connection.rows("SELECT audit_number FROM head")[0][0])


def test_an_idle_server_leaves_no_audit_row(fresh, monkeypatch):
    monkeypatch.setattr(live, "POLL", 0.1)
    fresh.until(lambda: fresh.context.follower.mark is not None)
    fresh.get("/patients")  # somebody reads: that is one row each, and wakes nobody
    time.sleep(0.5)
    before = audit_rows(fresh.store)
    time.sleep(1.5)
    assert audit_rows(fresh.store) == before


def test_facts_of_somebody_who_withdrew_are_not_asked_for_again_and_again(fresh, people, monkeypatch):
    monkeypatch.setattr(live, "POLL", 0.1)
    fresh.until(lambda: fresh.context.follower.mark is not None)
    fresh.store.withdraw("clara", fresh.store.issue_grant())  # hers came in last
    fresh.context.follower.sequence -= 5  # as if they had come in just before
    fresh.store.access.writer.do(lambda work: work.connection.run("UPDATE cursor SET sequence = sequence - 5"))
    fresh.until(lambda: fresh.context.follower.sequence == fresh.store.sequence())
    time.sleep(0.5)
    before = audit_rows(fresh.store)
    time.sleep(1.0)
    assert audit_rows(fresh.store) == before


# over a real connection


def lines(port, count, last=None):
    """The first messages of a connection: (id, kind, data)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/api/v1/stream", headers={"Last-Event-ID": last} if last else {})
    response = connection.getresponse()
    assert response.getheader("content-type").startswith("text/event-stream")
    assert response.getheader("cache-control") == "no-store"
    found, name, kind = [], "", ""
    while len(found) < count:
        line = response.readline().decode()
        if line.startswith("id: "):
            name = line[4:].strip()
        elif line.startswith("event: "):
            kind = line[7:].strip()
        elif line.startswith("data: "):
            found.append((name, kind, json.loads(line[6:])))
    connection.close()
    return found


def send(port, resource):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"X-Medtwin-Request": "1", "Content-Type": "application/fhir+json"}
    connection.request("POST", "/api/v1/facts", json.dumps(resource), headers)
    said = json.loads(connection.getresponse().read())
    connection.close()
    return said


def test_a_listener_that_comes_back_gets_what_it_missed(template, people, tmp_path):
    clock = Clock(NOW + timedelta(minutes=30))
    coming = [resource for _, resource in next_readings(people["ada"], 3)]
    with Running(copied(template, tmp_path), clock) as running:
        heard = []
        listener = threading.Thread(target=lambda: heard.extend(lines(running.port, 3)))
        listener.start()
        hub = running.server.config.app.state.context.hub
        while not hub.listeners:
            time.sleep(0.02)
        send(running.port, coming[0])
        listener.join(60)
        assert [kind for _, kind, _ in heard] == ["hello", "event", "belief"]
        assert heard[0][2]["now"] == "2026-03-04T10:00:00Z"
        send(running.port, coming[1])  # nobody listens
        send(running.port, coming[2])
        end = time.monotonic() + 60
        while hub.number < 6:
            assert time.monotonic() < end
            time.sleep(0.02)
        missed = lines(running.port, 5, last=heard[2][0])
        assert [kind for _, kind, _ in missed] == ["hello", "event", "belief", "event", "belief"]
        numbers = [int(name.partition("-")[2]) for name, _, _ in missed]
        assert numbers == [2, 3, 4, 5, 6]
        of_another_run = lines(running.port, 7, last="ffffff-900")
        assert [kind for _, kind, _ in of_another_run][:3] == ["hello", "event", "belief"]


def test_metrics_count_what_the_record_holds(served):
    answer = served.client.get("/api/v1/metrics")
    held = {one.system: one.facts for one in served.store.systems(served.store.issue_grant(), served.context.clock())}
    told = dict(re.findall(r'medtwin_source_facts_total\{system="([^"]+)"\} (\d+)', answer.text))
    assert {system: int(count) for system, count in told.items()} == held
    assert sum(held.values()) > 1000
