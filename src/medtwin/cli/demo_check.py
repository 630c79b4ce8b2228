"""``medtwin demo --check``: one live reading of Ada must move and narrow the belief and change the forecast."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import typer

from medtwin.cli.common import complain, emit
from medtwin.cli.demo_live import Clock, coming
from medtwin.cli.demo_people import DemoError
from medtwin.cli.demo_server import HEADER, Client

if TYPE_CHECKING:
    from medtwin.server.run import Address
    from medtwin.worlds import Person

CHECKED = "ada"
CLEARLY = 5.0  #: mg/dL by which a reading must lie away from the belief
TRIED = 120  #: readings among which one lies clearly away


def check_live(where: Address, clock: Clock, people: Sequence[Person], as_json: bool) -> None:
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
    for moment, name, resource in coming(people, clock()):
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


def _belief_at(client: Client, moment: datetime) -> tuple[float, float]:
    """(mean, half width of the 90 % interval) of glucose at a moment, as the page would read it."""
    window = f"since={quote(_z(moment - timedelta(minutes=20)))}&until={quote(_z(moment))}"
    band = client.ask("GET", f"/patients/{CHECKED}/timeline?quantity=glucose&{window}")["belief"]
    for at, mean, upper in zip(*(reversed(band[name]) for name in ("times", "mean", "upper")), strict=True):
        if datetime.fromisoformat(at) == moment:
            return mean, upper - mean
    raise DemoError(f"no belief at {moment:%H:%M}", expected="one at the moment of the reading")


def _medians(client: Client) -> list[float]:
    found: list[float] = client.ask("GET", f"/patients/{CHECKED}/forecast?hours=2")["median"]
    return found


def _z(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


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
