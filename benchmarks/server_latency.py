"""From the acceptance of a fact to the new belief on every page, on a warm server, over HTTP on this machine.

Three settings: nobody else asks (quiet); a page reads the patients, the patient, timeline and forecast after each belief
(watched); a meal is told 45 minutes late, so that the past is replayed (late). Each figure is taken by the server
(acceptance to belief) and by the client (before the POST to the arrival of the message). The client shares the server's
process, so the figures are rather too large.
"""

from __future__ import annotations

import argparse
import json
import queue
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

from medtwin.cli.demo_live import Clock
from medtwin.cli.demo_server import Client
from medtwin.record.home import open_store
from medtwin.server import run
from medtwin.sources.ingest import ingest
from medtwin.worlds import export, live, person

BOUND = 100.0  #: ms, of the median


def follow(port: int, heard: queue.Queue) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", "/api/v1/stream")
    kind = ""
    try:
        for line in connection.getresponse():
            if line.startswith(b"event: "):
                kind = line[7:].decode().strip()
            elif line.startswith(b"data: ") and kind == "belief":
                heard.put((time.perf_counter(), json.loads(line[6:])))
    except (OSError, AttributeError, ValueError):
        pass


def watch(where: run.Address, wake: threading.Event, stop: threading.Event) -> None:
    """What a page does after a belief, at most every 1.5 s for each part, as the page does."""
    client = Client(where)
    while not stop.is_set():
        if wake.wait(0.2):
            wake.clear()
            for path in ("/patients", "/patients/ada", "/patients/ada/timeline", "/patients/ada/forecast?hours=6"):
                client.ask("GET", path)
            stop.wait(1.5)


def late_meal(resource: dict, when: datetime) -> dict:
    """A meal of 35 g, told 45 minutes after it was eaten."""
    return {
        "resourceType": "Observation", "id": f"late-{int(when.timestamp())}", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "9059-7"}], "text": "Carbohydrate intake"},
        "subject": resource["subject"], "effectiveDateTime": when.isoformat(),
        "issued": (when + timedelta(minutes=45)).isoformat(),
        "valueQuantity": {"value": 35, "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"},
    }  # fmt: skip


def percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
        "n": len(ordered),
    }


def measure(count: int) -> dict[str, object]:
    begin = (datetime.now(UTC) - timedelta(days=2)).replace(second=0, microsecond=0)
    somebody = person(43, 10.0, begin - timedelta(days=10), kind="type_1", ahead_hours=40.0)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with open_store(home) as store:
            paths = export.write(somebody, Path(folder) / "files")
            ingest(paths, store, store.issue_grant(), patient="ada", zone=somebody.zone)
        clock = Clock(begin, 1.0)
        listener = run.bind("127.0.0.1", 0)
        server, close = run.server(home, listener, clock)
        threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True).start()
        while not server.started:
            time.sleep(0.05)
        where = run.Address(listener.getsockname()[1])
        client = Client(where)
        while not client.ask("GET", "/status")["warm"]:
            time.sleep(0.2)
        heard: queue.Queue = queue.Queue()
        threading.Thread(target=follow, args=(where.port, heard), daemon=True).start()
        time.sleep(0.5)
        figures: dict[str, object] = {}
        stream = iter(live.resources(somebody))
        wake, stop = threading.Event(), threading.Event()

        def post(resource: dict) -> tuple[float, float]:
            begun = time.perf_counter()
            ids = client.ask("POST", "/facts", resource)["events"]
            while True:
                arrived, message = heard.get(timeout=60)
                if message["event"] in ids:
                    wake.set()
                    return message["latency_ms"], 1000.0 * (arrived - begun)

        def readings(number: int, pause: float) -> list[tuple[float, float]]:
            found: list[tuple[float, float]] = []
            for moment, resource in stream:
                if "valueQuantity" not in resource or not resource["code"]["text"].startswith("Glucose"):
                    continue
                clock.set(moment)
                found.append(post(resource))
                time.sleep(pause)
                if len(found) >= number + 3:
                    return found[3:]
            return found

        def told(name: str, found: list[tuple[float, float]]) -> None:
            figures[name] = {
                "server_ms": percentiles([one for one, _ in found]), "client_ms": percentiles([two for _, two in found])
            }  # fmt: skip

        began = time.process_time()
        told("quiet", readings(count, 0.05))
        figures["cpu_ms_per_event"] = round(1000.0 * (time.process_time() - began) / (count + 3), 1)  # client included
        threading.Thread(target=watch, args=(where, wake, stop), daemon=True).start()
        told("watched", readings(count, 0.5))
        stop.set()
        time.sleep(2.0)
        found = []
        for _ in range(max(count // 5, 4)):
            readings(0, 0.0)
            _, resource = next(stream)
            found.append(post(late_meal(resource, clock() - timedelta(minutes=45))))
        told("late", found)
        server.stop()
        time.sleep(0.5)
        close()
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--count", type=int, default=40)
    given = parser.parse_args()
    figures = measure(given.count)
    passed = figures["quiet"]["server_ms"]["p50"] < BOUND  # type: ignore[index]
    figures |= {"bound_ms": BOUND, "passed": passed}
    print(json.dumps(figures) if given.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
