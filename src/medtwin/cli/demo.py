"""``medtwin demo``: four synthetic people, from their files to a living page, and live events that keep it moving.

Their files come from a world whose equations the twin never sees, and are taken in as anybody's would be. The demo has a
home and a clock of its own: it begins two days ago and runs faster than life until it has caught up with the present.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medtwin.cli.common import Home, Json, command, progress
from medtwin.cli.demo_check import check_live
from medtwin.cli.demo_live import Clock, stream
from medtwin.cli.demo_people import beginning, make_people, reached, take_in
from medtwin.cli.demo_server import serving, wait_until_warm

if TYPE_CHECKING:
    from medtwin.server.run import Address

Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, show_default="8765", help="Port to listen on.")]
Check = Annotated[bool, typer.Option("--check", help="Post one live reading, assert what it must change, and end.")]
Factor = Annotated[float, typer.Option("--factor", min=1.0, max=3600.0, help="How much faster than life.")]


def register(app: typer.Typer) -> None:
    command(app, demo, "medtwin demo", "medtwin demo --port 8800 --factor 300", "medtwin demo --check --json")


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
    start = beginning(folder)
    with progress("making four synthetic people", quiet=as_json) as tell:
        people = make_people(start)
        tell("", 1, 1)
    take_in(folder, people, start, quiet=as_json)
    clock = Clock(reached(folder, start), factor)
    with serving(folder, listener, clock) as (where, stop):
        if check:
            wait_until_warm(where, stop, quiet=as_json)
            check_live(where, clock, people, as_json)
            return
        typer.echo(_greeting(folder, where))
        wait_until_warm(where, stop, quiet=False)
        clock.start()
        typer.echo(f"Live: one hour of their lives takes {3600 / factor:.0f} s. Ctrl-C ends it.")
        stream(where, clock, people, stop)
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
