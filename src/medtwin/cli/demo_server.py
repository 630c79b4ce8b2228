"""The demo's server in a thread, and a client that speaks to it as anybody would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtwin.cli.common import progress
from medtwin.cli.demo_people import DemoError

if TYPE_CHECKING:
    from medtwin.server.run import Address

HEADER = {"X-Medtwin-Request": "1", "Content-Type": "application/fhir+json"}


@contextmanager
def serving(folder: Path, listener: Any, clock: Callable[[], datetime]) -> Iterator[tuple[Address, threading.Event]]:
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
            raise DemoError("a server that did not start", remedy="run it again with MEDTWIN_DEBUG=1 to see why")
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
        self.connection.close()  # opened again by the next request: the server ends one that was idle for seconds
        if response.status >= 400:
            raise DemoError(
                f"{said.get('title', response.status)}: {said.get('detail', '')}", where=f"{method} {path}",
                remedy="run the demo again; where it stays, report it",
            )  # fmt: skip
        return said


def wait_until_warm(where: Address, stop: threading.Event, *, quiet: bool) -> None:
    """The models compile once on a machine; the page is up meanwhile."""
    client = Client(where)
    with progress("compiling the models (once on this machine)", quiet=quiet) as tell:
        while not stop.is_set() and not client.ask("GET", "/status")["warm"]:
            tell("", 0, 1)
            stop.wait(0.2)
