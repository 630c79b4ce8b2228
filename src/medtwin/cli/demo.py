"""``medtwin demo``: four synthetic people, from their files to a living page, and live events that keep it moving.

Their files come from a world whose equations the twin never sees, and are taken in as anybody's would be. The demo has a
home and a clock of its own: it begins two days ago and runs faster than life until it has caught up with the present.
"""

from __future__ import annotations

import json
import queue
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from medtwin.cli.common import Home, Json, command, complain, emit, progress
from medtwin.errors import MedtwinError

if TYPE_CHECKING:
    from medtwin.server.run import Address
    from medtwin.worlds import Person

DIALECT = "medtwin-demo/1"
STATE = "demo.json"
BEHIND = timedelta(hours=47)  #: how far before the present a new demo begins
OLDEST = timedelta(days=14)  #: a demo that began earlier is made anew
AHEAD = 24.0  #: hours of life beyond the present
HEADER = {"X-Medtwin-Request": "1", "Content-Type": "application/fhir+json"}
CHECKED = "ada"
CLEARLY = 5.0  #: mg/dL by which a reading must lie away from the belief
TRIED = 120  #: readings among which one lies clearly away

Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, show_default="8765", help="Port to listen on.")]
Check = Annotated[bool, typer.Option("--check", help="Post one live reading, assert what it must change, and end.")]
Factor = Annotated[float, typer.Option("--factor", min=1.0, max=3600.0, help="How much faster than life.")]


class DemoError(MedtwinError):
    """A demo that does not show what it must."""


def register(app: typer.Typer) -> None:
    command(app, demo, "medtwin demo", "medtwin demo --port 8800 --factor 300", "medtwin demo --check --json")


class Clock:
    """The demo's present: stands at ``position`` until it is started, runs ``factor`` times faster, never past today."""

    def __init__(self, position: datetime, factor: float) -> None:
        self.position, self.factor, self.begun = position, factor, 0.0

    def start(self) -> None:
        self.begun = time.monotonic()

    def set(self, moment: datetime) -> None:
        """Stand at a moment (never earlier than before)."""
        self.position = max(moment, self.position)

    def __call__(self) -> datetime:
        if not self.begun:
            return self.position
        run = timedelta(seconds=(time.monotonic() - self.begun) * self.factor)
        return min(self.position + run, datetime.now(UTC))


def demo(
    home: Home = None, port: Port = None, check: Check = False, factor: Factor = 60.0, as_json: Json = False
) -> None:
    """Make four synthetic people, take in their files, serve the page, and stream live events until Ctrl-C.

    The demo keeps to a home of its own (HOME/demo), apart from your records. A second run goes on where the first
    ended. With --check it asserts that a live reading moves and narrows the belief and changes the forecast.
    """
    from medtwin.record.home import home_path
    from medtwin.server import run

    run.private()
    folder = home_path(home) / "demo"
    listener = run.bind("127.0.0.1", (0 if check else run.PORT) if port is None else port)
    start = _start(folder)
    with progress("making four synthetic people", quiet=as_json) as tell:
        people = _people(start)
        tell("", 1, 1)
    _take_in(folder, people, start, quiet=as_json)
    clock = Clock(_position(folder, start), factor)
    with _serving(folder, listener, clock) as (where, stop):
        if check:
            _wait_until_warm(where, stop, quiet=as_json)
            _check(where, clock, people, as_json)
            return
        typer.echo(_greeting(folder, where))
        _wait_until_warm(where, stop, quiet=False)
        clock.start()
        typer.echo(f"Live: one hour of their lives takes {3600 / factor:.0f} s. Ctrl-C ends it.")
        _stream(where, clock, people, stop)
    typer.echo("Ended. `medtwin demo` goes on from here.")


def _greeting(folder: Path, where: Address) -> str:
    return f"""
medtwin demo: four synthetic people, none of whom exists.

  open {where}

  Ada    type 1 diabetes, tells nearly all     timeline, what is known, what if
  Ben    type 1 diabetes, meals left untold    the questions that the twin asks
  Clara  a failing heart, a cuff and a scale   the circulation
  Deniz  type 2 diabetes                       no physiological model yet, and it says so

Their files are in {folder / "incoming"}; other commands see them with --home {folder}
(for example: medtwin show ada --home {folder}).
"""


# their files


def _start(folder: Path) -> datetime:
    """When the demo's life begins: as it was, or anew where there is none or where it lies far back."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    file = folder / STATE
    if file.exists():
        state = json.loads(file.read_text(encoding="utf-8"))
        if state.get("dialect") != DIALECT:
            raise DemoError(f"a demo of dialect {state.get('dialect')!r}", expected=DIALECT, where=str(folder))
        start = datetime.fromisoformat(state["start"])
        if timedelta(0) <= now - start <= OLDEST:
            return start
        shutil.rmtree(folder)  # nothing but the demo's own is in a folder that carries its mark
    elif folder.exists() and any(folder.iterdir()):
        raise DemoError("a folder that is no demo's", expected=f"{STATE} in it, or no such folder", where=str(folder))
    return now - BEHIND


def _people(start: datetime) -> list[Person]:
    from medtwin.worlds import demo_persons

    lived = (datetime.now(UTC) - start) / timedelta(hours=1)
    return demo_persons(start, ahead_hours=float(int(lived + AHEAD)))


def _name(person: Person) -> str:
    return person.name.lower()


def _take_in(folder: Path, people: Sequence[Person], start: datetime, *, quiet: bool) -> None:
    """Write their files and take them in by the path that anybody's files take; once."""
    from medtwin.record.home import open_store
    from medtwin.sources.ingest import ingest
    from medtwin.worlds import export

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / STATE
    state = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if state.get("taken_in"):
        return
    state = {"dialect": DIALECT, "start": start.isoformat(), "taken_in": False}
    file.write_text(json.dumps(state), encoding="utf-8")
    with open_store(folder) as store:
        grant = store.issue_grant()
        for person in people:
            paths = export.write(person, folder / "incoming" / _name(person))
            mappings = [path for path in paths if path.name.endswith(".mapping.yaml")]
            with progress(f"taking in the files of {person.name}", quiet=quiet, unit="bytes") as tell:
                report = ingest(
                    [path for path in paths if path not in mappings], store, grant, patient=_name(person),
                    zone=person.zone, mapping=mappings or None, progress=tell,
                )  # fmt: skip
            if report.not_stored:
                raise DemoError(f"files that were not stored: {report.not_stored[0].reason}", where=person.name)
    file.write_text(json.dumps({**state, "taken_in": True}), encoding="utf-8")


def _position(folder: Path, start: datetime) -> datetime:
    """Where the demo's life has come to: the newest fact that it holds."""
    from medtwin.record.home import open_store

    with open_store(folder) as store:
        lasts = [entry.last for entry in store.patients(store.issue_grant()) if entry.last is not None]
    return min(max([start, *lasts]), datetime.now(UTC))


# the server, and life going on


@contextmanager
def _serving(folder: Path, listener: Any, clock: Clock) -> Iterator[tuple[Address, threading.Event]]:
    """The server in a thread; Ctrl-C and a termination set the event."""
    import signal

    from medtwin.server import run

    server, close = run.server(folder, listener, clock)
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]), name="medtwin-server", daemon=True)
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda _number, _frame: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.02)
        if not server.started:
            raise DemoError("a server that did not start")
        yield run.Address(listener.getsockname()[1]), stop
    finally:
        server.stop()
        thread.join(15.0)
        close()
        for number, handler in before.items():
            signal.signal(number, handler)


class Client:
    """One connection to the demo's own server; it speaks HTTP as anybody would."""

    def __init__(self, where: Address) -> None:
        self.connection = HTTPConnection("127.0.0.1", where.port, timeout=600)

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        self.connection.request(method, f"/api/v1{path}", body=body, headers=HEADER)
        response = self.connection.getresponse()
        said = json.loads(response.read() or b"{}")
        if response.status >= 400:
            raise DemoError(f"{said.get('title', response.status)}: {said.get('detail', '')}", where=f"{method} {path}")
        return said


def _wait_until_warm(where: Address, stop: threading.Event, *, quiet: bool) -> None:
    """The models compile once on a machine; the page is up meanwhile."""
    client = Client(where)
    with progress("compiling the models (once on this machine)", quiet=quiet) as tell:
        while not stop.is_set() and not client.ask("GET", "/status")["warm"]:
            tell("", 0, 1)
            stop.wait(0.2)


def _coming(people: Sequence[Person], since: datetime) -> list[tuple[datetime, str, dict[str, Any]]]:
    """What becomes known after a moment, in that order."""
    from medtwin.worlds import live

    queued = [
        (moment, _name(person), resource)
        for person in people
        for moment, resource in live.resources(person)
        if moment > since
    ]
    return sorted(queued, key=lambda entry: entry[0])


def _stream(where: Address, clock: Clock, people: Sequence[Person], stop: threading.Event) -> None:
    client = Client(where)
    for moment, _, resource in _coming(people, clock()):
        while (ahead := (moment - clock()).total_seconds()) > 0:
            if stop.wait(min(ahead / clock.factor, 1.0)):
                return
        if stop.is_set():
            return
        client.ask("POST", "/facts", resource)
    stop.wait()


# the check


def _listen(where: Address, heard: queue.Queue[dict[str, Any]]) -> HTTPConnection:
    """Follow the server's live messages in a thread; beliefs land in the queue."""
    connection = HTTPConnection("127.0.0.1", where.port, timeout=600)
    connection.request("GET", "/api/v1/stream", headers=HEADER)
    response = connection.getresponse()

    def follow() -> None:
        kind = ""
        try:
            for line in response:
                if line.startswith(b"event: "):
                    kind = line[7:].decode().strip()
                elif line.startswith(b"data: ") and kind == "belief":
                    heard.put(json.loads(line[6:]))
        except (OSError, ValueError, AttributeError):
            pass  # closed

    threading.Thread(target=follow, name="medtwin-demo-listen", daemon=True).start()
    return connection


def _belief_at(client: Client, moment: datetime) -> tuple[float, float]:
    """(mean, half width of the 90 % interval) of glucose at a moment, as the page would read it."""
    window = f"since={quote(_z(moment - timedelta(minutes=20)))}&until={quote(_z(moment))}"
    band = client.ask("GET", f"/patients/{CHECKED}/timeline?quantity=glucose&{window}")["belief"]
    for at, mean, upper in zip(*(reversed(band[name]) for name in ("times", "mean", "upper")), strict=True):
        if datetime.fromisoformat(at) == moment:
            return mean, upper - mean
    raise DemoError(f"no belief at {moment:%H:%M}", expected="one at the moment of the reading")


def _z(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _medians(client: Client) -> list[float]:
    found: list[float] = client.ask("GET", f"/patients/{CHECKED}/forecast?hours=2")["median"]
    return found


def _check(where: Address, clock: Clock, people: Sequence[Person], as_json: bool) -> None:
    """Live readings of Ada from her own world, until one lies clearly away from the belief; then what it changed."""
    client, heard = Client(where), queue.Queue[dict[str, Any]]()
    listening = _listen(where, heard)
    try:
        found = _one_reading(client, clock, people, heard)
    finally:
        listening.close()
    if as_json:
        emit("demo-check", found)
    else:
        typer.echo(
            f"{CHECKED} at {found['time']}: belief {found['before']['mean']:.1f} ± {found['before']['half_width']:.1f} "
            f"-> {found['after']['mean']:.1f} ± {found['after']['half_width']:.1f} mg/dL after a live reading of "
            f"{found['reading']:.0f}; forecast moved by up to {found['forecast_moved']:.1f} mg/dL; "
            f"event to belief {found['latency_ms']:.0f} ms"
        )
    if found["failures"]:
        for failure in found["failures"]:
            complain(f"found {failure}")
        raise typer.Exit(1)


def _one_reading(
    client: Client, clock: Clock, people: Sequence[Person], heard: queue.Queue[dict[str, Any]]
) -> dict[str, Any]:
    tried = 0
    for moment, name, resource in _coming(people, clock()):
        if name != CHECKED:
            continue
        known = max(moment, clock())
        if resource.get("code", {}).get("text", "").startswith("Glucose") is False or "valueQuantity" not in resource:
            clock.set(known)
            client.ask("POST", "/facts", resource)
            continue
        taken = datetime.fromisoformat(resource["effectiveDateTime"]).astimezone(UTC)
        reading = float(resource["valueQuantity"]["value"])
        clock.set(taken)
        before = _belief_at(client, taken) if clock() == taken else None
        away = before is not None and abs(reading - before[0]) > max(CLEARLY, 0.6 * before[1])
        forecast = _medians(client) if away else []
        accepted = client.ask("POST", "/facts", resource)
        if not accepted["new"]:  # an earlier run came this far
            continue
        message = _heard(heard, accepted["events"])
        if away and before is not None:
            return _compared(client, taken, reading, before, forecast, message)
        tried += 1
        if tried >= TRIED:
            break
    raise DemoError(f"no reading of {tried} that lies clearly away from the belief", expected="one")


def _heard(heard: queue.Queue[dict[str, Any]], ids: list[str]) -> dict[str, Any]:
    """The belief that those facts made."""
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        try:
            message = heard.get(timeout=1.0)
        except queue.Empty:
            continue
        if message["event"] in ids:
            return message
    raise DemoError("no new belief within 60 s of a live reading", expected="one in 0.1 s")


def _compared(
    client: Client, taken: datetime, reading: float, before: tuple[float, float], forecast: list[float],
    message: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """What the reading changed, and what it should have changed and did not."""
    after, changed = _belief_at(client, taken), _medians(client)
    moved = max((abs(a - b) for a, b in zip(forecast, changed, strict=False)), default=0.0)
    failures = []
    if (after[0] - before[0]) * (reading - before[0]) <= 0 or abs(reading - after[0]) >= abs(reading - before[0]):
        failures.append(f"a belief that went from {before[0]:.1f} to {after[0]:.1f}, not towards {reading:.0f} mg/dL")
    if after[1] >= before[1]:
        failures.append(f"a belief that did not narrow: ± {before[1]:.2f}, then ± {after[1]:.2f} mg/dL")
    if moved < 0.1:
        failures.append("a forecast that did not change")
    return {
        "patient": CHECKED, "time": _z(taken), "reading": reading, "unit": "mg/dL",
        "before": {"mean": before[0], "half_width": before[1]}, "after": {"mean": after[0], "half_width": after[1]},
        "level": 0.9, "forecast_moved": moved, "latency_ms": message["latency_ms"], "failures": failures,
        "passed": not failures, "synthetic": True,
    }  # fmt: skip
