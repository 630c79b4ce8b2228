"""A live MLLP listener: messages from many senders, acknowledged when they are durable, never before.

    sender -> frame -> queue on disk (one sync for all that wait) -> AA        follower: queue -> facts

A message is answered AA when it is in the durable queue (:mod:`medtwin.sources.spool`), AR when it is no HL7v2 message (it is
kept all the same, and ends in quarantine), AE when it could not be kept. A sender whose answer is lost sends again: the same
facts are known by their ids. A connection has one message at work, so a fast sender waits in its own socket; a queue at its
limit stops the reading of all. No peer holds what others need: a frame that began has to end in time, a connection that says
nothing is closed after long, or at once when a new one finds no room, and all of them together hold a bounded number of
bytes: past it, whoever holds the most is answered AE.

Each part fails alone: a broken connection ends that connection, a failing store stops no
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
FRAME = 120.0  #: seconds that a message may take from its VT to its end, and an answer to be taken (judgement)
IDLE = 3600.0  #: seconds that a connection may say nothing (judgement: a sender that is quiet at night connects again)
LATE = 1.0  #: seconds for the CR behind an FS; a sender without it is answered then (judgement)
BUFFERED = 256 * 1024 * 1024  #: bytes of messages of all connections together that are not in the queue yet (judgement)
_PIECE = 64 * 1024


class _Peer:
    """One connection: what it holds, and since when it says nothing."""

    __slots__ = ("begun", "frames", "held", "idle", "reader", "task", "writer")

    def __init__(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int
    ) -> None:
        self.task, self.reader, self.writer, self.frames = task, reader, writer, Frames(most)
        self.held = 0  #: bytes of messages that are not in the queue yet
        self.begun: float | None = None  #: when its frame began (the loop's time); None where none has
        self.idle: float | None = None  #: since when nothing of it is under way


class Listener:
    """Listens on ``host`` and ``port`` (0 takes a free one) until :meth:`stop`."""

    def __init__(
        self, store: SqlStore, *, host: str = "127.0.0.1", port: int = 0, name: str = "mllp", zone: str | None = None,
        source: str | None = None, backlog: int = BACKLOG, connections: int = CONNECTIONS, most: int = MOST,
        spool: Spool | None = None, frame: float = FRAME, idle: float = IDLE, buffered: int = BUFFERED,
    ) -> None:  # fmt: skip
        self.host, self.port, self._most = host, port, most
        self._limit, self._connections = backlog, connections
        self._frame, self._idle, self._buffered = frame, idle, buffered
        self._held = 0  #: bytes of all connections
        self.standing = Standing()
        self.spool = spool or spool_of(store, name)
        self.follower = Follower(
            store, self.spool, f"{name} message", zone=zone, source=source, standing=self.standing, likely=Reader()
        )
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._wanted = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writer: asyncio.Task[None] | None = None
        self._open: dict[asyncio.Task[None], _Peer] = {}
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
        if len(self._open) >= self._connections and not self._made_room():
            self.standing.turned_away += 1
            writer.close()
            return
        peer = self._open[task] = _Peer(task, reader, writer, self._most)
        try:
            await self._serve(peer)
        except TimeoutError:  # it does not take its answers
            self.standing.timed_out += 1
            writer.transport.abort()
        except (ConnectionError, asyncio.CancelledError):
            pass
        except Exception as error:  # a fault of ours ends this connection, and is said; the sender sends again
            self.standing.last_error = f"{type(error).__name__}: {error}"[:300]
        finally:
            self._open.pop(task, None)
            self._holds(peer, 0)
            writer.close()

    def _made_room(self) -> bool:
        """Close the connection that has said nothing for longest; False where each of them is in the middle of a message."""
        idle = [(peer.idle, id(peer), peer) for peer in self._open.values() if peer.idle is not None]
        if not idle:
            return False
        longest = min(idle)[2]
        self.standing.closed += 1
        del self._open[longest.task]
        longest.task.cancel()
        return True

    async def _serve(self, peer: _Peer) -> None:
        frames = peer.frames
        while piece := await self._piece(peer):
            before = frames.skipped
            try:
                messages = frames.feed(piece)
            except FormatError as error:
                self.standing.refused += 1
                self.standing.last_error = str(error)
                await self._say(peer, answer(frames.head, REFUSED, str(error)))
                return
            finally:
                self.standing.skipped += frames.skipped - before
            self._holds(peer, frames.pending + sum(map(len, messages)))
            while self._held > self._buffered:
                if self._cut(peer, messages):
                    return
            if messages:
                peer.begun = None
            await self._take(messages, peer)
        if piece is not None:
            await self._take(frames.finish(), peer)

    async def _piece(self, peer: _Peer) -> bytes | None:
        """The next bytes; none at the end of the stream, None where it took too long."""
        loop, frames = asyncio.get_running_loop(), peer.frames
        now = loop.time()
        while True:
            if not frames.pending:
                peer.begun, peer.idle, until = None, now, now + self._idle
            else:
                peer.begun = now if peer.begun is None else peer.begun
                until = min(peer.begun + self._frame, now + LATE) if frames.ended else peer.begun + self._frame
            try:
                async with asyncio.timeout_at(until):
                    return await peer.reader.read(_PIECE)
            except TimeoutError:
                if frames.ended:
                    await self._take(frames.finish(), peer)
                    now = loop.time()
                    continue
                self.standing.timed_out += 1
                if frames.pending:
                    said = f"a message that did not end within {self._frame:g} seconds"
                    await self._say(peer, answer(frames.head, ERROR, said))
                return None
            finally:
                peer.idle = None

    def _holds(self, peer: _Peer, size: int) -> None:
        self._held += size - peer.held
        peer.held = size

    def _cut(self, peer: _Peer, messages: list[bytes]) -> bool:
        """Answer AE to whoever holds the most, of those that wait for bytes and of ``peer``; whether that was ``peer``."""
        others = [one for one in self._open.values() if one.begun is not None and one.frames.pending == one.held]
        most = max([peer, *others], key=lambda one: one.held)
        said = f"more than {self._buffered} bytes of messages at once; send again"
        self.standing.failed += 1
        self.standing.last_error = said
        for head in messages if most is peer and messages else [most.frames.head]:
            most.writer.write(framed(answer(head, ERROR, said)))
        if most is not peer:
            self._holds(most, 0)
            del self._open[most.task]
            most.task.cancel()
        return most is peer

    async def _take(self, messages: list[bytes], peer: _Peer) -> None:
        for message in messages:
            if message.strip():
                await self._say(peer, await self._answer(message))
            self._holds(peer, peer.held - len(message))

    async def _say(self, peer: _Peer, said: bytes) -> None:
        peer.writer.write(framed(said))
        async with asyncio.timeout(self._frame):
            await peer.writer.drain()

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
        "attempts": standing.attempts, "damaged": listener.spool.damaged, "turned_away": standing.turned_away,
        "closed": standing.closed, "timed_out": standing.timed_out, "skipped": standing.skipped,
        "last_error": standing.last_error,
    }  # fmt: skip
