"""The hub of Server-Sent Events: numbered messages, a memory for those who come back, a queue for each listener.

An id is ``BOOT-NUMBER``. A listener that comes back with the last id it saw gets what it missed; one whose id is of an
earlier run of the server, or older than the memory, gets all that is remembered and is told so in ``hello``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from medtwin.server.shapes import HelloMessage

REMEMBERED = 4000
HEARTBEAT = 10.0  #: seconds of silence after which a comment shows that the line is open
WAITING = 1000  #: messages that wait for one slow listener before it is cut off (it comes back and is told)
ALWAYS = 1 << 62  #: stands for the number of what nobody has seen before
_encode = msgspec.json.Encoder().encode


class Hub:
    """Publish from the event loop only."""

    def __init__(self) -> None:
        self.boot = secrets.token_hex(3)
        self.number = 0
        self.memory: deque[tuple[int, bytes]] = deque(maxlen=REMEMBERED)
        self.listeners: set[asyncio.Queue[tuple[int, bytes] | None]] = set()
        self.closed = False
        self.loop: asyncio.AbstractEventLoop | None = None

    def publish(self, kind: str, message: Any) -> None:
        self.number += 1
        framed = self.frame(kind, message, self.number)
        self.memory.append((self.number, framed))
        self._send(self.number, framed)

    def greet(self, hello: HelloMessage) -> None:
        """Tell those who listen now that what they show may be old; it has no number and nobody is told it later."""
        self._send(ALWAYS, self.frame("hello", hello))

    def _send(self, number: int, framed: bytes) -> None:
        for queue in tuple(self.listeners):
            if queue.qsize() >= WAITING:
                self.listeners.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait((number, framed))

    def frame(self, kind: str, message: Any, number: int | None = None) -> bytes:
        head = b"" if number is None else f"id: {self.boot}-{number}\n".encode()
        return head + f"event: {kind}\ndata: ".encode() + _encode(message) + b"\n\n"

    def missed(self, last: str | None) -> list[tuple[int, bytes]]:
        """What a listener that saw ``last`` has missed."""
        if not last:
            return []
        boot, _, number = last.partition("-")
        if boot != self.boot or not number.isdigit():
            return list(self.memory)
        return [entry for entry in self.memory if entry[0] > int(number)]

    async def stream(self, hello: HelloMessage, last: str | None, heartbeat: float = HEARTBEAT) -> AsyncIterator[bytes]:
        """The bytes of one connection, until it is closed."""
        self.loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        before = self.missed(last)
        reached = before[-1][0] if before else self.number
        self.listeners.add(queue)
        try:
            yield b"retry: 2000\n" + self.frame("hello", hello, before[0][0] - 1 if before else self.number)
            for _, framed in before:
                yield framed
            while not self.closed:
                try:
                    entry = await asyncio.wait_for(queue.get(), heartbeat)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if entry is None:
                    return
                if entry[0] > reached:
                    yield entry[1]
        finally:
            self.listeners.discard(queue)

    def close(self) -> None:
        """End every connection."""
        self.closed = True
        for queue in tuple(self.listeners):
            queue.put_nowait(None)

    def end(self) -> None:
        """:meth:`close`, from any thread or a signal handler."""
        self.closed = True
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.close)
