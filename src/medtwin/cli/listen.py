"""``medtwin listen``: live intakes, one command a protocol."""

from __future__ import annotations

from typing import Annotated

import typer

from medtwin.cli.common import Home, Json, command, emit
from medtwin.cli.intake import SourceName, Zone

listen_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Take in live messages until Ctrl-C.")


def register(app: typer.Typer) -> None:
    command(
        listen_app, mllp,
        "medtwin listen mllp --port 2575",
        "medtwin listen mllp --port 2575 --host 0.0.0.0 --timezone Europe/Berlin",
        "medtwin listen mllp --port 0 --json",
    )  # fmt: skip
    app.add_typer(listen_app, name="listen")


def mllp(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 2575,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. MLLP knows no login and no encryption: keep it inside.")
    ] = "127.0.0.1",
    timezone: Zone = None,
    source: SourceName = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take in HL7v2 messages over MLLP, each acknowledged (MSA AA) only when it is durable.

    A message that is none is answered AR and kept in quarantine, one that cannot be kept AE: the sender has it still. Facts
    follow at once; after a crash the next start goes on where the last one was. Once a minute, and at the end, a line (with
    --json a document) says what came in, and what moved: a merge, a zone.
    """
    import asyncio
    import signal

    from medtwin.record.home import open_store
    from medtwin.sources.clock import known_zone
    from medtwin.sources.mllp_listener import Listener, status

    zone = known_zone(timezone) if timezone else None

    told: list[str] = []

    def tell(listener: Listener) -> None:
        said, notes = status(listener), listener.follower.standing.notes
        fresh = [note for note in notes if note not in told]
        told[:] = notes
        if as_json:
            emit("listen", {**said, "notes": fresh})
        else:
            typer.echo(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in said.items() if value != ""))
            for note in fresh:
                typer.echo(f"  {note}")

    async def run() -> None:
        with open_store(home) as store:
            listener = Listener(store, host=host, port=port, zone=zone, source=source)
            await listener.start()
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, ended.set)
            if as_json:
                emit("listen", status(listener))
            else:
                typer.echo(f"medtwin listens for MLLP on {host}:{listener.port}; Ctrl-C ends it.")
            while not ended.is_set():
                try:
                    await asyncio.wait_for(ended.wait(), 60.0)
                except TimeoutError:
                    tell(listener)
            await listener.stop()
            tell(listener)

    asyncio.run(run())
