"""``medtwin serve``: the twin API, live events and the page over a home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medtwin.cli.common import Home, Json, command, emit

if TYPE_CHECKING:
    from collections.abc import Callable

Host = Annotated[str, typer.Option("--host", help="Address to listen on; beyond this machine a login is needed.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
NewToken = Annotated[
    bool, typer.Option("--new-token", help="Make a new login for this home first, and print its address.")
]
Name = Annotated[
    list[str] | None, typer.Option("--name", metavar="HOST", help="Another name that this server is reached by.")
]


def register(app: typer.Typer) -> None:
    command(
        app, serve,
        "medtwin serve",
        "medtwin serve --port 8800",
        "medtwin serve --port 0 --json",
        "medtwin serve --host 0.0.0.0 --new-token",
    )  # fmt: skip


def serve(
    home: Home = None,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    new_token: NewToken = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Serve the page and the API over this home until Ctrl-C.

    With --json one line is printed as soon as it listens: its address, and the one to open where a login is needed.
    """
    import sys

    from medtwin.record.home import home_path
    from medtwin.server import run

    run.private()
    folder = home_path(home)
    token = run.new_token(folder) if new_token else run.token_of(folder)
    run.refuse_beyond_loopback(host, token)
    listener = run.bind(host, port)
    begun, close = run.server(home, listener, host=host, names=tuple(name or ()))
    where = run.address(host, listener.getsockname()[1])
    page = f"{where}{f'login?token={token}' if token else ''}"
    if as_json:
        emit("serve", {"home": str(folder), "address": where, "open": page, "port": listener.getsockname()[1]})
    else:
        typer.echo(f"medtwin serves {folder}")
        typer.echo(f"open {page}")
        typer.echo("Ctrl-C ends it.")
    sys.stdout.flush()
    until_told(lambda: begun.run(sockets=[listener]), begun.stop, close)


def until_told(work: Callable[[], None], stop: Callable[[], None], close: Callable[[], None]) -> None:
    """Run ``work`` until it ends or Ctrl-C or a termination is asked for, then close."""
    import signal

    def told(number: int, frame: object) -> None:
        stop()

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        work()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        close()
