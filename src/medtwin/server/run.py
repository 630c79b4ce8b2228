"""Open a home, bind the address, serve until told to stop."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import uvicorn

from medtwin.errors import MedtwinError
from medtwin.record.home import home_path, open_store, write_private
from medtwin.server.app import make_app, now
from medtwin.server.guard import loopback

PORT = 8765
TOKEN_FILE = "server.token"  # noqa: S105 - the name of a file
LOCK_FILE = "server.lock"


class ServeError(MedtwinError):
    """A server that cannot start."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises :class:`ServeError` that says what to do where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ServeError(
            f"the address {host}:{port} in use or not allowed ({error.strerror})", expected="a free address",
            remedy=f"end what uses it, or choose another with --port (for example --port {port + 1})",
        ) from None  # fmt: skip
    listener.setblocking(False)
    return listener


def token_of(folder: Path) -> str | None:
    """The login of a home, if it has one."""
    file = folder / TOKEN_FILE
    if not file.exists():
        return None
    if file.stat().st_mode & 0o077:
        raise ServeError("a token that other users can read", expected="mode 0600", where=str(file))
    token = file.read_text(encoding="utf-8").strip()
    if len(token) < 20:
        raise ServeError("a token shorter than 20 characters", where=str(file), remedy="make one with --new-token")
    return token


def new_token(folder: Path) -> str:
    """Make the login of a home: whoever has the token may do what this user may."""
    token = secrets.token_urlsafe(32)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(folder / TOKEN_FILE, token.encode())
    return token


def refuse_beyond_loopback(host: str, token: str | None) -> None:
    """A server that others can reach must have a login."""
    if not loopback(host) and token is None:
        raise ServeError(
            f"the address {host} without a login",
            expected="127.0.0.1, or a login",
            remedy="make a token with `medtwin serve --new-token`, or leave --host out",
        )


def alone(folder: Path) -> Callable[[], None]:
    """One server follows a home; the result lets another one. Raises :class:`ServeError` where one does already."""
    file = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise ServeError("another server over this home", where=str(folder), remedy="end it first") from None
    return lambda: os.close(file)


class Server(uvicorn.Server):
    """uvicorn in a thread or in the foreground; the one subclass that its interface asks for."""

    def stop(self) -> None:
        """End it, from any thread or a signal handler: first the live messages, which never end by themselves."""
        self.config.app.state.context.hub.end()  # type: ignore[union-attr]
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the command."""
        yield


def server(
    home: Path | str | None, listener: socket.socket, clock: Callable[[], datetime] = now,
    *, host: str = "127.0.0.1", names: tuple[str, ...] = (), warm_up: bool = True,
) -> tuple[Server, Callable[[], None]]:  # fmt: skip
    """A server over a home, not yet running, and what closes its store."""
    sys.setswitchinterval(0.001)  # a new belief must not wait for a forecast's turn
    folder = home_path(home)
    token = token_of(folder)
    refuse_beyond_loopback(host, token)
    try:
        store = open_store(home)
    except MedtwinError:
        listener.close()
        raise
    try:
        release = alone(folder)
    except MedtwinError:
        listener.close()
        store.close()
        raise
    app = make_app(
        store, store.issue_grant(), clock, renew=store.issue_grant, hosts=(*names, host), token=token, warm_up=warm_up
    )
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, date_header=False, lifespan="on",
        timeout_graceful_shutdown=3, proxy_headers=False, ws="none",
    )  # fmt: skip

    def close() -> None:
        store.close()
        release()

    return Server(config), close


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server on this machine listens."""

    port: int

    def __str__(self) -> str:
        return address("127.0.0.1", self.port)


def address(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else ("127.0.0.1" if host in ("0.0.0.0", "") else host)  # noqa: S104
    return f"http://{shown}:{port}/"


def private() -> None:
    """What this process writes is this user's only."""
    os.umask(0o077)
