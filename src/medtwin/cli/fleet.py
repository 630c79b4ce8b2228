"""Many people followed live: what a source sends becomes record and beliefs, round by round."""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import Home, Json, ModelName, command, complain, emit, note, opened, progress

if TYPE_CHECKING:
    from medtwin.applications.fleet import Round

LINES = 20_000  #: of a stream that make a round at most
SHOWN = 5  #: people who are likely low, named on the terminal


def register(app: typer.Typer) -> None:
    command(
        app, fleet,
        "medtwin fleet inbox/                       # every file that comes, until Ctrl-C",
        "medtwin fleet inbox/ --once --json",
        "medtwin fleet inbox/ --ahead 30            # and who is likely low in half an hour",
        "medtwin fleet - --every 1                  # lines on standard input, a round a second",
    )  # fmt: skip


def fleet(
    source: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where files arrive; -: lines of FHIR (NDJSON) on standard input.")
    ],
    every: Annotated[
        float,
        typer.Option(
            "--every", metavar="SECONDS", min=0.05, help="Between looks at the folder, or rounds of a stream."
        ),
    ] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="What is there now, then end.")] = False,
    ahead: Annotated[
        int,
        typer.Option(
            "--ahead", metavar="MINUTES", min=0, help="Say of whom low glucose is likely by then: 5, 10 ... 120."
        ),
    ] = 0,
    model: ModelName = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Follow many people live: what arrives becomes durable record, and the beliefs of all whom it concerns move.

    A round takes new files (or lines), carries beliefs on and keeps them. With --json each round is one document on one
    line, with its CPU and wall seconds by stage. It may be killed at any time: what was kept is taken up again, what was recorded
    since is read again, and a file that was read before adds nothing. What --ahead says is the model alone, not calibrated on
    anybody's past; nothing here is a treatment decision.
    """
    from medtwin.applications.fleet import Live
    from medtwin.twin.choice import GLUCOSE
    from medtwin.twin.precision import prepare

    prepare()
    streamed = str(source) == "-"
    if not streamed and not source.is_dir():
        raise typer.BadParameter(f"found no folder {str(source)[:80]}", param_hint="FOLDER")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # the round that is under way is ended first
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, lambda *_: stop.set())
    lost = False
    with opened(home, make=True) as (store, grant), progress("fleet", quiet=as_json) as tell:
        live = Live(store, grant, model=model or GLUCOSE, minutes=ahead, progress=tell)
        _say(live.begin(), len(live.fleet.members), ahead, as_json)
        for sent in _stream(every, stop) if streamed else _files(source, every, once, stop):
            made = live.take(sent)
            lost |= bool(made.not_stored)
            _say(made, len(live.fleet.members), ahead, as_json)
    raise typer.Exit(1 if lost else 0)


def _files(folder: Path, every: float, once: bool, stop: threading.Event) -> Iterator[Sequence[Path]]:
    from medtwin.applications.fleet import waiting

    seen: dict[Path, tuple[int, int]] = {}
    while not stop.is_set():
        if found := waiting(folder, seen):
            yield found
        if once:
            return
        stop.wait(every)


def _stream(every: float, stop: threading.Event) -> Iterator[bytes]:
    """Lines of standard input, gathered for ``every`` seconds or until there are :data:`LINES`."""
    lines: queue.Queue[bytes | None] = queue.Queue(4 * LINES)

    def read() -> None:
        for line in sys.stdin.buffer:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    ended = False
    while not (ended or stop.is_set()):
        held: list[bytes] = []
        until = time.monotonic() + every
        while len(held) < LINES and not stop.is_set() and (left := until - time.monotonic()) > 0:
            try:
                line = lines.get(timeout=min(left, 0.2))
            except queue.Empty:
                continue
            if line is None:
                ended = True
                break
            held.append(line)
        if held:
            yield b"".join(held)


def _say(made: Round, people: int, minutes: int, as_json: bool) -> None:
    from medtwin.twin.fleet_ahead import LABEL

    likely = [one for one in made.ahead if one.low >= 0.5]
    if as_json:
        content: dict[str, Any] = {
            "round": made.number, "people": people, "files": made.files, "readings": made.readings, "facts": made.facts,
            "duplicates": made.duplicates, "quarantined": made.quarantined, "not_stored": made.not_stored,
            "carried_on": made.quick, "made_anew": made.anew, "without_model": made.without, "kept": made.kept,
            "wall_s": round(made.wall, 4), "cpu_s": round(made.cpu, 4), "facts_per_s": round(made.per_second, 1),
            "readings_per_s": round(made.readings / made.wall if made.wall else 0.0, 1), "stages": made.stages,
        }  # fmt: skip
        if minutes:
            rows = [
                {"patient": a.patient, "at": a.at, "mean": round(a.mean, 1), "sd": round(a.sd, 1), "unit": "mg/dL",
                 "low": round(a.low, 4)}
                for a in made.ahead
            ]  # fmt: skip
            content |= {"ahead": {"minutes": minutes, "label": LABEL, "research_only": True, "people": rows}}
        emit("fleet", content)
        sys.stdout.flush()
        return
    stages = ", ".join(f"{name} {spent['wall_s']:.1f}" for name, spent in made.stages.items())
    if made.number == 0:
        typer.echo(f"{people:,} people are followed ({stages} s)")
        return
    typer.echo(
        f"round {made.number}: {made.facts:,} new facts of {made.files} files, {made.quick + made.anew:,} beliefs moved, "
        f"{made.per_second:,.0f} facts a second ({stages} s); {people:,} people"
    )
    for sentence in made.not_stored:
        complain(f"not stored: {sentence}")
    if made.quarantined:
        note(f"{made.quarantined} items went to quarantine: see `medtwin quarantine`")
    if likely:
        names = ", ".join(f"{one.patient} ({one.low:.0%})" for one in likely[:SHOWN])
        more = f" and {len(likely) - SHOWN} more" if len(likely) > SHOWN else ""
        note(f"likely below 70 mg/dL in {minutes} min: {names}{more} ({LABEL}; research output)")
