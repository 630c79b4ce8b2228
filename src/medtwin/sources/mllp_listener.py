"""A live MLLP listener: messages from many senders, acknowledged when they are durable, never before.

    sender -> frame -> queue on disk (one sync for all that wait) -> AA        follower: queue -> facts

A message is answered AA when it is in the durable queue (:mod:`medtwin.sources.spool`), AR when it is no HL7v2 message (it is
kept all the same, and ends in quarantine), AE when it could not be kept. A sender whose answer is lost sends again: the same
facts are known by their ids. A connection has one message at work, so a fast sender waits in its own socket; a queue at its
limit stops the reading of all. Each part fails alone: a broken connection ends that connection, a failing store stops no
answer until the queue is full, and the follower starts again by itself.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from medtwin.errors import FormatError, StoreError
from medtwin.record.sql import SqlStore
from medtwin.sources.follower import Follower, Standing
from medtwin.sources.hl7v2 import Reader
from medtwin.sources.mllp import ACCEPTED, ERROR, MOST, REFUSED, Frames, answer, framed, header_of
from medtwin.sources.spool import Spool, spool_of

BACKLOG = 100_000  #: messages that may wait for their facts before senders wait
CONNECTIONS = 512  #: at once
_PIECE = 64 * 1024


class Listener:
    """Listens on ``host`` and ``port`` (0 takes a free one) until :meth:`stop`."""

    def __init__(
        self, store: SqlStore, *, host: str = "127.0.0.1", port: int = 0, name: str = "mllp", zone: str | None = None,
        source: str | None = None, backlog: int = BACKLOG, connections: int = CONNECTIONS, most: int = MOST,
        spool: Spool | None = None,
    ) -> None:  # fmt: skip
        self.host, self.port, self._most = host, port, most
        self._limit, self._connections = backlog, connections
        self.standing = Standing()
        self.spool = spool or spool_of(store, name)
        self.follower = Follower(
            store, self.spool, f"{name} message", zone=zone, source=source, standing=self.standing, likely=Reader()
        )
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._wanted = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writer: asyncio.Task[None] | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._disk = ThreadPoolExecutor(1, "medtwin-spool")

    async def start(self) -> None:
        """Begin to listen; the port is in :attr:`port` afterwards. Raises :class:`StoreError` where it is taken."""
        try:
            self._server = await asyncio.start_server(self._connected, self.host, self.port, backlog=1024)
        except OSError as error:
            raise StoreError(
                f"a port that cannot be listened on ({error.strerror})", where=f"{self.host}:{self.port}",
                remedy="choose another with --port",
            ) from error  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]
        self.follower.start()
        self._writer = asyncio.create_task(self._write())

    async def stop(self) -> None:
        """End, and let the follower finish its lot; what waits in the queue stays there.

        Whoever has no answer yet sends again, as after a crash.
        """
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        await asyncio.get_running_loop().run_in_executor(None, self.follower.stop)
        self._disk.shutdown()
        self.spool.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= self._connections:
            writer.close()
            return
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError, TimeoutError):
            pass
        except Exception as error:  # a fault of ours ends this connection, and is said; the sender sends again
            self.standing.last_error = f"{type(error).__name__}: {error}"[:300]
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames(self._most)
        while piece := await reader.read(_PIECE):
            try:
                messages = frames.feed(piece)
            except FormatError as error:
                self.standing.refused += 1
                self.standing.last_error = str(error)
                writer.write(framed(answer(frames.head, REFUSED, str(error))))
                await writer.drain()
                return
            await self._take(messages, writer)
        await self._take(frames.finish(), writer)

    async def _take(self, messages: list[bytes], writer: asyncio.StreamWriter) -> None:
        for message in messages:
            if message.strip():
                writer.write(framed(await self._answer(message)))
        await writer.drain()

    async def _answer(self, message: bytes) -> bytes:
        """Keep a message, and say so."""
        while self.spool.backlog >= self._limit:
            await asyncio.sleep(0.02)
        code, said = ACCEPTED, ""
        try:
            header_of(message)
        except FormatError as error:
            code, said = REFUSED, str(error)
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((message, kept))
        self._wanted.set()
        try:
            await asyncio.shield(kept)
        except StoreError as error:
            self.standing.failed += 1
            self.standing.last_error = str(error)
            return answer(message, ERROR, str(error))
        if code == ACCEPTED:
            self.standing.received += 1
        else:
            self.standing.refused += 1
        return answer(message, code, said)

    async def _write(self) -> None:
        """All that waits goes to the disk together; while it does, the next ones gather."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            lot, self._waiting = self._waiting, []
            if not lot:
                continue
            error: Exception | None = None
            try:
                await loop.run_in_executor(self._disk, self.spool.append, [content for content, _ in lot])
            except Exception as failed:  # nothing of the lot is kept: each sender is told
                error = failed if isinstance(failed, StoreError) else StoreError(f"a failure ({type(failed).__name__})")
            for _, kept in lot:
                if kept.done():
                    continue
                if error is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(error)
            if error is None:
                self.follower.wake()


def status(listener: Listener) -> dict[str, object]:
    """The standing of a listener as plain data."""
    standing = listener.standing
    return {
        "port": listener.port, "received": standing.received, "refused": standing.refused, "failed": standing.failed,
        "read": standing.read, "waiting": listener.spool.backlog, "facts": standing.facts,
        "duplicate": standing.duplicate, "quarantined": standing.quarantined, "denied": standing.denied,
        "attempts": standing.attempts, "damaged": listener.spool.damaged, "last_error": standing.last_error,
    }  # fmt: skip
