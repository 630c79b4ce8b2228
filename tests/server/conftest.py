"""A home with three synthetic people, made once; a served copy of it for each module; a real server on a port."""

import shutil
import threading
import time
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medtwin.record.home import open_store
from medtwin.server import run
from medtwin.server.app import make_app
from medtwin.sources.ingest import ingest
from medtwin.worlds import export, live, population

with warnings.catch_warnings():  # starlette announces another client; this one is what the lock file holds
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
BROKEN = b"Datum;Zeit;Glukose\n01.03.2026;07:40;7,4\n"
WRITES = {"X-Medtwin-Request": "1"}
BASE = "http://127.0.0.1:8765"


class Clock:
    """The present, as a test sets it."""

    def __init__(self, moment=NOW):
        self.moment = moment

    def __call__(self):
        return self.moment


@pytest.fixture(scope="session")
def people():
    """Ada (type 1), Deniz (type 2, no model) and Clara (a failing heart), with six more hours to come."""
    start = NOW - timedelta(days=2)
    made = {}
    for seed, name, kind in ((43, "ada", "type_1"), (11, "deniz", "type_2"), (31, "clara", "heart_failure")):
        somebody = population(seed, 1, 2.0, start, kind=kind, ahead_hours=6.0)[0]
        made[name] = replace(somebody, name=name.capitalize())
    return made


@pytest.fixture(scope="session")
def template(people, tmp_path_factory):
    """The home that every other one is a copy of."""
    home = tmp_path_factory.mktemp("template") / "home"
    with open_store(home) as store:
        grant = store.issue_grant()
        for name, person in people.items():
            files = tmp_path_factory.mktemp(name)
            paths = export.write(person, files)
            mappings = [path for path in paths if path.name.endswith(".mapping.yaml")]
            report = ingest(
                [p for p in paths if p not in mappings], store, grant, patient=name, zone=person.zone,
                mapping=mappings or None, now=NOW,
            )  # fmt: skip
            assert not report.not_stored
        broken = tmp_path_factory.mktemp("broken") / "export_final(2).csv"
        broken.write_bytes(BROKEN)
        assert ingest([broken], store, grant, now=NOW).quarantine
    return home


def copied(template, folder):
    home = folder / "home"
    shutil.copytree(template, home)
    home.chmod(0o700)
    return home


class Served:
    """The app in process over a copy of the home: ``get`` and ``post`` speak JSON."""

    def __init__(self, store, client, clock):
        self.store, self.client, self.clock = store, client, clock
        self.context = client.app.state.context

    def get(self, path, status=200, **headers):
        answer = self.client.get(path if path.startswith("/api") else f"/api/v1{path}", headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path, content=None, status=200, **more):
        how = {"content": content} if isinstance(content, bytes) else {"json": content}
        answer = self.client.post(f"/api/v1{path}", headers=WRITES, **how, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def until(self, true, seconds=30.0):
        """What ``true()`` gives, as soon as it gives something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := true():
                return found
            time.sleep(0.02)
        raise AssertionError("nothing came")

    def messages(self, kind, after=0):
        """Live messages of one kind that were published after a number."""
        import json

        found = []
        for number, framed in list(self.context.hub.memory):
            head, _, data = framed.decode().partition("\ndata: ")
            if number > after and head.endswith(f"event: {kind}"):
                found.append(json.loads(data))
        return found


@pytest.fixture(scope="module")
def served(template, tmp_path_factory):
    clock = Clock()
    with open_store(copied(template, tmp_path_factory.mktemp("served"))) as store:
        app = make_app(store, store.issue_grant(), clock, renew=store.issue_grant, warm_up=False)
        with TestClient(app, base_url=BASE) as client:
            yield Served(store, client, clock)


@pytest.fixture
def fresh(template, tmp_path):
    """The same for one test that changes much."""
    clock = Clock()
    with open_store(copied(template, tmp_path)) as store:
        app = make_app(store, store.issue_grant(), clock, renew=store.issue_grant, warm_up=False)
        with TestClient(app, base_url=BASE) as client:
            yield Served(store, client, clock)


class Running:
    """A real server on a port of its own, in a thread."""

    def __init__(self, home, clock):
        self.home, self.clock = home, clock
        self.listener = run.bind("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.server, self.release = run.server(home, self.listener, clock)
        self.thread = threading.Thread(target=lambda: self.server.run(sockets=[self.listener]), daemon=True)

    def __enter__(self):
        self.thread.start()
        end = time.monotonic() + 30
        while not self.server.started:
            assert time.monotonic() < end
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.server.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.release()

    @property
    def warm(self):
        return self.server.config.app.state.context.living.warm


def next_readings(person, count):
    """The person's next glucose readings as (instant, FHIR resource)."""
    found = []
    for moment, resource in live.resources(person):
        if "valueQuantity" in resource and resource["code"]["text"].startswith("Glucose"):
            found.append((moment, resource))
            if len(found) == count:
                break
    return found


def reading(person, when, value, name):
    """A glucose reading of one's own making, labelled synthetic."""
    _, resource = next_readings(person, 1)[0]
    return {
        **resource,
        "id": name,
        "effectiveDateTime": when.isoformat(),
        "issued": when.isoformat(),
        "valueQuantity": {**resource["valueQuantity"], "value": value},
    }


def meal(person, when, grams, name, told=None):
    _, resource = next_readings(person, 1)[0]
    return {
        "resourceType": "Observation", "id": name, "status": "final", "subject": resource["subject"],
        "meta": resource["meta"], "code": {"coding": [{"system": "http://loinc.org", "code": "9059-7"}], "text": "Meal"},
        "effectiveDateTime": when.isoformat(), "issued": (told or when).isoformat(),
        "valueQuantity": {"value": grams, "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"},
    }  # fmt: skip
