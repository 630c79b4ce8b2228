"""``medtwin sources``: which systems send, how fresh they are, and what of theirs was not understood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from medtwin.cli.common import Home, Json, command, emit, note, opened, table


def register(app: typer.Typer) -> None:
    command(
        app, sources, "medtwin sources", "medtwin sources --hours 1 --json", "medtwin sources --prometheus > medtwin.prom"
    )  # fmt: skip


def sources(
    hours: Annotated[
        float, typer.Option("--hours", min=0.01, max=8760.0, help="Hours over which the rate is counted.")
    ] = 24.0,
    prometheus: Annotated[
        bool,
        typer.Option("--prometheus", help="Print counts and times for Prometheus, such as its textfile collector."),
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the systems that send: people, facts, rate, lag, what waits for a person or was not understood, the last error.

    The lag is the age of the newest fact that happened. The same numbers stand at /api/v1/metrics while medtwin serves.
    """
    from medtwin.record.store import QUARANTINE
    from medtwin.sources.metrics import exposition

    now = datetime.now(UTC)
    with opened(home) as (store, grant):
        found = store.systems(grant, now - timedelta(hours=hours))
    if prometheus:
        typer.echo(exposition(found), nl=False)
        return
    if as_json:
        emit("sources", {
            "at": now, "hours": hours,
            "sources": [
                {"system": one.system, "patients": one.patients, "unassigned": one.unassigned, "facts": one.facts,
                 "facts_per_hour": one.recent / hours, "newest": one.newest, "recorded": one.recorded,
                 "received": one.received, "lag_s": (now - one.newest).total_seconds() if one.newest else None,
                 "raws": one.raws, "bytes": one.bytes, "quarantined": one.quarantined,
                 "last_error": one.last_error and {
                     "id": one.last_error.id, "received": one.last_error.received, "found": one.last_error.found,
                     "expected": one.last_error.expected, "where": one.last_error.locator, "todo": one.last_error.remedy,
                 }}
                for one in found
            ],
        })  # fmt: skip
        return
    if not found:
        typer.echo("Nothing has come in yet.")
        note("take something in: medtwin ingest FILE, medtwin listen mllp, medtwin serve")
        return
    rows = [
        ("(no person)" if one.system == QUARANTINE else one.system, str(one.patients), f"{one.facts:,}",
         f"{one.recent / hours:.3g}", _age(now, one.newest), _age(now, one.received), str(one.unassigned),
         str(one.quarantined), one.last_error.found if one.last_error else "")
        for one in found
    ]  # fmt: skip
    head = ("system", "people", "facts", "facts/h", "newest", "received", "unassigned", "not understood", "last error")
    table(f"Sources, rate over {hours:g} h", head, rows, right=range(1, 8))
    if any(one.unassigned for one in found if one.system != QUARANTINE):
        note("say whose the unassigned keys are: medtwin assign")
    if any(one.quarantined for one in found):
        note("what was not understood, and what to do: medtwin quarantine list")


def _age(now: datetime, moment: datetime | None) -> str:
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    if seconds < 0:
        return f"in {-seconds / 60:.0f} min" if seconds > -7200 else f"in {-seconds / 3600:.0f} h"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"
