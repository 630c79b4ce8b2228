"""MLLP and its durable queue: frames, answers, what is acknowledged and when, and everything that goes wrong on the way."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.errors import AccessDenied, FormatError, StoreError
from medtwin.governance.grant import Grant
from medtwin.record.sql import SqlStore
from medtwin.sources.follower import Follower
from medtwin.sources.mllp import Frames, answer, framed
from medtwin.sources.mllp_listener import Listener, status
from medtwin.sources.spool import Spool, spool_of
from sources.test_hl7v2 import HEAD, PID, message, result
from waiting import waited

SECRET = b"s" * 32


def numbered(number: int, patient: int = 4711) -> bytes:
    return message(
        *result(f"{5 + number / 100:.2f}", order=f"A{number}"),
        number=f"M{number}",
        pid=PID.replace("4711", str(patient)),
    )


# frames and answers


@given(
    st.lists(st.binary(min_size=1, max_size=40).filter(lambda one: not {11, 28} & set(one)), max_size=8),
    st.integers(1, 7),
)
def test_frames_come_out_whole_whatever_pieces_they_come_in(messages: list[bytes], size: int) -> None:
    stream = b"junk" + b"".join(framed(one) for one in messages)
    frames = Frames()
    found = [one for start in range(0, len(stream), size) for one in frames.feed(stream[start : start + size])]
    assert found == messages


def test_a_frame_that_was_begun_anew_and_one_without_its_cr() -> None:
    assert Frames().feed(b"\x0bgiven up\x0bMSH|\x1c\x0bsecond\x1c\r") == [b"MSH|", b"second"]


def test_text_may_hold_the_marks_of_a_frame_and_what_is_skipped_is_counted() -> None:
    first, second = b"MSH|^~|a\rOBX|1|TX|a||one \x1c two\x0bthree\rOBX|2", b"MSH|^~|b"
    frames = Frames()
    assert frames.feed(b"junk" + framed(first) + b"??" + framed(second)) == [first, second]
    assert frames.skipped == 6
    assert [one for byte in framed(first) for one in frames.feed(bytes([byte]))] == [first]
    assert frames.feed(b"\x0bMSH|given up\x0bMSH|anew\x1c\r") == [b"MSH|anew"]
    assert frames.skipped == 6 + len("vMSH|given up")


def test_the_last_frame_of_a_stream_may_lack_its_cr() -> None:
    frames = Frames()
    assert frames.feed(b"\x0bMSH|last\x1c") == []
    assert (frames.ended, frames.pending) == (True, 10)
    assert frames.finish() == [b"MSH|last"]
    assert (frames.feed(b"\x0bMSH|never ended"), frames.finish(), frames.skipped) == ([], [], 16)


def test_a_batch_and_another_code_page_are_answered_in_their_own_words() -> None:
    batch = b"BHS|^~\\&|A|B|C|D|20240101|secret|name^x|of John Doe|CTRL9|REF\r" + message(*result()) + b"BTS|1\r"
    said = answer(batch, "AA").split(b"\r")
    assert said[0].startswith(b"MSH|^~\\&|C|D|A|B|")
    assert said[0].endswith(b"||ACK|CTRL9|P|2.5")
    assert said[1] == b"MSA|AA|CTRL9"
    short = answer(b"FHS|^~\\&|A\r", "AR", "nothing in it").split(b"\r")
    assert short[1] == b"MSA|AR||nothing in it"
    umlaut = r"MSH|^~\&|A|B|C|D|20240101||ORU^R01|" + "\u00dc7|P|2.5||||||8859/1"
    answered = answer(umlaut.encode("latin-1"), "AA").split(b"\r")
    assert answered[1] == "MSA|AA|\u00dc7".encode("latin-1")
    assert answered[0].endswith(b"|P|2.5||||||8859/1")
    assert answer(umlaut.removesuffix("8859/1").encode(), "AA").split(b"\r")[1] == "MSA|AA|\u00dc7".encode()


def test_a_message_without_an_end_is_refused_and_noise_takes_no_memory() -> None:
    frames = Frames(100)
    assert frames.feed(b"x" * 90) == []
    assert frames.feed(b"x" * 90) == []  # no frame has begun: nothing is held
    with pytest.raises(FormatError):
        frames.feed(b"\x0b" + b"x" * 101)


def test_an_answer_in_the_senders_own_words() -> None:
    said = answer(message(*result()), "AE", "the disk | is\rfull").decode().split("\r")
    assert said[0].startswith(r"MSH|^~\&|EHR|HOSPITAL|LAB|HOSPITAL|")
    assert "|ACK^R01|1|P|2.5" in said[0]
    assert said[1] == "MSA|AE|1|the disk   is full"
    assert said[2].startswith("ERR|||207^Application internal error^HL70357|E")
    other = message(*result()).decode().translate(str.maketrans({"|": "!", "^": "*"})).encode()
    assert answer(other, "AA").split(b"\r")[1] == b"MSA!AA!1"
    assert answer(b"\xff nothing", "AR", "no MSH").split(b"\r")[1] == b"MSA|AR||no MSH"


@given(st.binary(max_size=200))
def test_whatever_came_has_an_answer(content: bytes) -> None:
    for one in (content, HEAD.encode() + content, b"MSH" + content):
        assert b"MSA" in answer(one, "AA", content.decode("latin-1"))


# the queue


def test_the_queue_gives_back_what_it_was_given_until_it_is_done(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", SECRET, segment=300)
    for number in range(20):
        spool.append([b"message %d" % number, b"x" * 100])
    assert spool.backlog == 40
    first = spool.take(7)
    assert [one.content for one in first] == [one.content for one in spool.take(7)]
    spool.done(first)
    assert spool.backlog == 33
    spool.close()
    again = Spool(tmp_path / "q", SECRET, segment=300)
    assert again.backlog == 33
    rest = again.take(100)
    assert [one.content for one in rest][0] == b"x" * 100
    assert len(rest) == 33
    again.done(rest)
    assert again.take(5) == []
    assert len(list((tmp_path / "q").glob("*.spool"))) == 1  # what the cursor passed is gone
    again.append([b"late"])
    assert [one.content for one in again.take(5)] == [b"late"]
    again.close()


def test_nothing_of_a_message_lies_readable_on_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([message(*result())])
    spool.close()
    held = b"".join(path.read_bytes() for path in (tmp_path / "q").iterdir())
    assert b"MUSTER" not in held
    assert b"MSH" not in held


@pytest.mark.parametrize("cut", [1, 3, 5, 30, 60])
def test_a_tail_that_a_crash_cut_is_dropped_and_the_queue_goes_on(tmp_path: Path, cut: int) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([b"kept"])
    spool.append([b"never acknowledged" * 3])
    spool.close()
    (path,) = (tmp_path / "q").glob("*.spool")
    os.truncate(path, path.stat().st_size - cut)
    again = Spool(tmp_path / "q", SECRET)
    again.append([b"next"])
    assert [one.content for one in again.take(9)] == [b"kept", b"next"]
    again.close()


def test_a_damaged_record_is_set_aside_and_counted_and_the_others_are_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([b"first" * 9, b"second" * 9, b"third" * 9])
    (path,) = (tmp_path / "q").glob("*.spool")
    content = bytearray(path.read_bytes())
    content[150] ^= 1
    path.write_bytes(content)
    assert [one.content for one in spool.take(9)] == [b"first" * 9, b"third" * 9]
    spool.take(9)
    assert spool.damaged == 1
    assert len(list((tmp_path / "q").glob("*.damaged"))) == 1
    spool.close()


@pytest.mark.parametrize("written", [b"", b"x", b"1 999999", b"7 24", b"0 0", b"1 0"])
def test_a_cursor_that_leads_nowhere_loses_no_message_that_comes(tmp_path: Path, written: bytes) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([b"before"])
    spool.done(spool.take(9))
    spool.close()
    (tmp_path / "q" / "cursor").write_bytes(written)
    again = Spool(tmp_path / "q", SECRET)
    again.append([b"after"])
    found = [one.content for one in again.take(9)]
    assert found in ([b"after"], [b"before", b"after"])  # read again at worst
    assert again.backlog == len(found)
    again.close()


def test_files_that_were_taken_away_leave_a_queue_that_works(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([b"gone" * 50])
    spool.done(spool.take(9))
    spool.close()
    (path,) = (tmp_path / "q").glob("*.spool")
    path.unlink()
    again = Spool(tmp_path / "q", SECRET)
    again.append([b"new"])
    assert [one.content for one in again.take(9)] == [b"new"]
    again.close()


def test_a_queue_that_is_empty_leaves_its_file_and_the_messages_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([b"first", b"second"])
    spool.done(spool.take(9))
    assert not spool.sweep()  # too young: a file costs two syncs
    monkeypatch.setattr("medtwin.sources.spool.REST", 0.0)
    assert spool.sweep()
    assert [path.name for path in (tmp_path / "q").glob("*.spool")] == ["00000002.spool"]
    assert not spool.sweep()  # nothing to leave
    spool.append([b"third"])
    assert not spool.sweep()  # it waits for its facts
    assert [one.content for one in spool.take(9)] == [b"third"]
    spool.close()
    (tmp_path / "q" / "cursor").unlink()  # whoever loses the cursor finds no old message
    again = Spool(tmp_path / "q", SECRET)
    assert [one.content for one in again.take(9)] == [b"third"]
    again.close()


def test_a_crash_between_a_new_file_and_the_cursor_loses_nothing_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medtwin.sources.spool.REST", 0.0)
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([b"first"])
    spool.done(spool.take(9))
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", lambda *given: (_ for _ in ()).throw(OSError(errno.EIO, "the crash")))
        with pytest.raises(StoreError):
            spool.sweep()
    spool.close()
    again = Spool(tmp_path / "q", SECRET)
    assert (again.backlog, again.take(9)) == (0, [])
    again.append([b"second"])
    found = again.take(9)
    assert [one.content for one in found] == [b"second"]
    again.done(found)
    assert again.backlog == 0
    assert again.sweep()
    assert [path.name for path in (tmp_path / "q").glob("*.spool")] == ["00000003.spool"]
    again.close()


def lengths(path: Path) -> list[int]:
    """Where the records of a file begin."""
    content, found = path.read_bytes(), []
    at = content.find(b"\x1eREC")
    while at >= 0:
        found.append(at)
        at = content.find(b"\x1eREC", at + 1)
    return found


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("byte", [0, 4, 7, 9])
def test_a_length_that_is_damaged_costs_its_own_record_and_no_other(tmp_path: Path, which: int, byte: int) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    for content in (b"first" * 9, b"second" * 9, b"third" * 9):
        spool.append([content])
    spool.close()
    (path,) = (tmp_path / "q").glob("*.spool")
    content = bytearray(path.read_bytes())
    content[lengths(path)[which] + byte] ^= 0x7F
    path.write_bytes(content)
    again = Spool(tmp_path / "q", SECRET)
    again.append([b"next"])
    left = [one * 9 for one in (b"first", b"second", b"third")]
    del left[which]
    found = again.take(9)
    assert [one.content for one in found] == [*left, b"next"]
    again.done(found)
    assert (again.take(9), again.backlog) == ([], 0)
    aside = [one.read_bytes() for one in (tmp_path / "q").glob("*.damaged")]
    assert again.damaged == len(aside) == 1
    assert aside[0] in bytes(content)
    again.close()


def test_zeros_at_the_end_are_no_messages(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([b"kept"])
    spool.close()
    (path,) = (tmp_path / "q").glob("*.spool")
    with path.open("ab") as stream:
        stream.write(bytes(4000))
    again = Spool(tmp_path / "q", SECRET)
    assert again.backlog == 1
    again.append([b"next"])
    assert [one.content for one in again.take(9)] == [b"kept", b"next"]
    assert again.damaged == 0
    again.close()


def test_a_file_of_another_dialect_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "q").mkdir()
    path = tmp_path / "q" / "00000001.spool"
    path.write_bytes(b"medtwin-spool/9\n" + b"z" * 90)
    with pytest.raises(StoreError, match="another beginning"):
        Spool(tmp_path / "q", SECRET)
    assert path.stat().st_size == 106


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([b"mine"])
    spool.close()
    other = Spool(tmp_path / "q", b"o" * 32)
    assert other.take(9) == []
    assert other.damaged == 1
    other.close()


def test_a_queue_belongs_to_one_process(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    with pytest.raises(StoreError, match="another process"):
        Spool(tmp_path / "q", SECRET)
    spool.close()


def test_a_write_that_fails_halfway_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "q", SECRET)
    spool.append([b"before"])
    write, full = os.write, OSError(errno.ENOSPC, "No space left on device")

    def half(file: int, block: bytes) -> int:
        write(file, bytes(block)[:10])
        raise full

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(StoreError, match="free space"):
        spool.append([b"lost" * 20])
    monkeypatch.undo()
    spool.append([b"after"])
    assert [one.content for one in spool.take(9)] == [b"before", b"after"]
    spool.close()


# the listener


async def ask(port: int, *messages: bytes) -> list[bytes]:
    """Send one after the other, each after the answer to the one before; the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = []
    try:
        for one in messages:
            writer.write(framed(one))
            said.append(await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 20))
    finally:
        await ended(writer)
    return said


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def listening(store: SqlStore, work: Callable[[Listener], Awaitable[None]], **given: object) -> dict[str, object]:
    """A listener while ``work`` runs; its standing at the end, after all facts are kept."""

    async def run() -> dict[str, object]:
        listener = Listener(store, **given)  # type: ignore[arg-type]
        await listener.start()
        try:
            await work(listener)
            assert await asyncio.to_thread(listener.follower.drain, 30.0)
            return status(listener)
        finally:
            await listener.stop()

    return waited(run())


def glucose(store: SqlStore, grant: Grant) -> list[str | None]:
    return sorted(
        event.text for one in store.patients(grant) for event in store.record(one.id, grant).of("blood_glucose")
    )  # type: ignore[type-var]


def test_a_message_is_answered_and_its_facts_follow(store: SqlStore, grant: Grant) -> None:
    async def work(listener: Listener) -> None:
        said = await ask(listener.port, numbered(1), numbered(2))
        assert [b"MSA|AA|M1" in said[0], b"MSA|AA|M2" in said[1]] == [True, True]

    found = listening(store, work)
    assert (found["received"], found["read"], found["waiting"]) == (2, 2, 0)
    assert glucose(store, grant) == ["5.01", "5.02"]


def test_sixty_four_senders_of_one_patient_at_once_and_again(store: SqlStore, grant: Grant) -> None:
    async def work(listener: Listener) -> None:
        for _ in range(2):  # every answer of the first round was lost, say: all of them send again
            said = await asyncio.gather(
                *(ask(listener.port, numbered(2 * one), numbered(2 * one + 1)) for one in range(64))
            )
            assert all(b"MSA|AA" in one for pair in said for one in pair)

    found = listening(store, work)
    assert found["read"] == 256
    assert len(store.patients(grant)) == 1
    assert glucose(store, grant) == [f"{5 + number / 100:.2f}" for number in range(128)]
    assert found["facts"] == 128 * 2 + 1  # a glucose and a report each, and one sex
    assert store.unassigned(grant) == ()


def test_what_is_no_message_is_refused_with_its_reason_and_kept(store: SqlStore, grant: Grant) -> None:
    async def work(listener: Listener) -> None:
        (said,) = await ask(listener.port, b"hello")
        assert b"MSA|AR||found a message that begins with 'hel'" in said
        (again,) = await ask(listener.port, numbered(1))
        assert b"MSA|AA" in again

    found = listening(store, work)
    assert (found["refused"], found["received"], found["quarantined"]) == (1, 1, 1)
    (item,) = store.quarantined(grant)
    assert store.raw(None, item.raw, grant) == b"hello"


def test_a_full_disk_acknowledges_nothing_and_says_so(
    store: SqlStore, grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    put = Spool._put

    def refuse(self: Spool, block: bytes) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(self, block)

    monkeypatch.setattr(Spool, "_put", refuse)

    async def work(listener: Listener) -> None:
        nonlocal full
        said = await ask(listener.port, numbered(1), numbered(2))
        assert all(b"MSA|AE" in one and b"No space left" in one and b"free space" in one for one in said)
        assert listener.spool.backlog == 0
        full = False
        (after,) = await ask(listener.port, numbered(1))
        assert b"MSA|AA" in after

    found = listening(store, work)
    assert (found["failed"], found["received"]) == (2, 1)
    assert glucose(store, grant) == ["5.01"]


def test_a_store_that_refuses_delays_facts_and_loses_none(
    store: SqlStore, grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, calls = SqlStore.append, 0

    def refuse(self: SqlStore, *given: object) -> object:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise StoreError("a database that refused (database or disk is full)")
        return append(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(SqlStore, "append", refuse)

    async def work(listener: Listener) -> None:
        (said,) = await ask(listener.port, numbered(1))
        assert b"MSA|AA" in said

    found = listening(store, work)
    assert found["attempts"] == 2
    assert "disk is full" in str(found["last_error"])
    assert glucose(store, grant) == ["5.01"]


def test_a_queue_at_its_limit_makes_senders_wait_and_memory_stays(store: SqlStore, grant: Grant) -> None:
    async def work(listener: Listener) -> None:
        listener.follower._stop.set()  # the follower stands still
        listener.follower._thread.join()
        for number in range(3):
            await ask(listener.port, numbered(number))
        late = asyncio.create_task(ask(listener.port, numbered(3)))
        await asyncio.sleep(0.2)
        assert not late.done()
        assert listener.spool.backlog == 3
        fresh = Follower(store, listener.spool, "again", standing=listener.standing)
        listener.follower = fresh
        fresh.start()
        assert b"MSA|AA" in (await late)[0]

    found = listening(store, work, backlog=3)
    assert found["read"] == 4


def test_what_waited_is_read_by_the_next_start(store: SqlStore, grant: Grant) -> None:
    spool = spool_of(store, "mllp")
    spool.append([numbered(1), numbered(2)])
    spool.close()

    async def work(listener: Listener) -> None: ...

    assert listening(store, work)["read"] == 2
    assert glucose(store, grant) == ["5.01", "5.02"]


def test_a_withdrawn_consent_stops_that_person_and_nobody_else(store: SqlStore, grant: Grant) -> None:
    async def before(listener: Listener) -> None:
        await ask(listener.port, numbered(1), numbered(2, patient=99))

    listening(store, before)
    (mine,) = [one.id for one in store.patients(grant) if "4711" in {key.value for key in one.keys}]
    store.withdraw(mine, grant)

    both = message(*result("5.05", order="A5"), PID.replace("4711", "99"), *result("5.06", order="A6"), number="M5")

    async def after(listener: Listener) -> None:
        await ask(listener.port, numbered(3), numbered(4, patient=99), both)

    found = listening(store, after)
    fresh = store.issue_grant()
    assert found["denied"] == 2
    assert glucose(store, fresh) == ["5.02", "5.04", "5.06"]
    with pytest.raises(AccessDenied):
        store.record(mine, fresh)


def test_the_message_of_a_person_who_was_erased_does_not_stay_in_the_queue(
    store: SqlStore, grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medtwin.sources.spool.REST", 0.0)

    async def work(listener: Listener) -> None:
        await ask(listener.port, numbered(1))
        assert await asyncio.to_thread(listener.follower.drain, 30.0)
        (patient,) = store.patients(grant)
        assert "queue" in str(store.erase(patient.id, grant)["not erased"])
        held = listener.spool.folder
        for _ in range(200):
            if sum(path.stat().st_size for path in held.glob("*.spool")) == 32:
                break
            await asyncio.sleep(0.02)
        assert [path.stat().st_size for path in held.glob("*.spool")] == [32]  # a header and no message

    listening(store, work)


def test_a_connection_that_breaks_harms_no_other(store: SqlStore, grant: Grant) -> None:
    async def work(listener: Listener) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(framed(numbered(1))[:50])
        await writer.drain()
        writer.transport.abort()
        await ended(writer)
        (said,) = await ask(listener.port, numbered(2))
        assert b"MSA|AA" in said

    listening(store, work)
    assert glucose(store, grant) == ["5.02"]


def test_a_fault_of_our_own_ends_one_connection_and_is_said(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(self: Frames, piece: bytes) -> list[bytes]:
        raise ZeroDivisionError("a fault")

    async def work(listener: Listener) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Frames, "feed", fault)
            with pytest.raises(asyncio.IncompleteReadError):
                await ask(listener.port, numbered(1))
        (said,) = await ask(listener.port, numbered(1))
        assert b"MSA|AA" in said

    assert listening(store, work)["last_error"] == "ZeroDivisionError: a fault"


def test_too_long_a_message_ends_its_connection_with_a_reason(store: SqlStore) -> None:
    async def work(listener: Listener) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"\x0b" + numbered(1) + b"x" * 3000)
        assert b"MSA|AR|M1|found a message of more than 2000 bytes" in await reader.read()
        await ended(writer)

    assert listening(store, work, most=2000)["refused"] == 1


def test_who_says_nothing_makes_room_and_who_finds_none_is_counted(store: SqlStore) -> None:
    async def work(listener: Listener) -> None:
        quiet = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(3)]
        await asyncio.sleep(0.05)
        quiet[0][1].write(framed(numbered(1)))  # the first one is not the one that was quiet for longest
        assert b"AA" in await quiet[0][0].readuntil(b"\x1c\r")
        (said,) = await ask(listener.port, numbered(2))
        assert b"MSA|AA|M2" in said
        assert await quiet[1][0].read() == b""
        quiet[0][1].write(framed(numbered(3)))
        assert b"AA|M3" in await quiet[0][0].readuntil(b"\x1c\r")
        busy = [quiet[0], quiet[2], await asyncio.open_connection("127.0.0.1", listener.port)]
        for _, writer in busy:
            writer.write(b"\x0bMSH|begun")
        await asyncio.sleep(0.1)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await ask(listener.port, numbered(4))
        for _, writer in [*busy, quiet[1]]:
            await ended(writer)

    found = listening(store, work, connections=3)
    assert (found["closed"], found["turned_away"], found["received"]) == (1, 1, 3)


def test_a_frame_that_does_not_end_and_silence_end_their_connections(store: SqlStore) -> None:
    async def work(listener: Listener) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(framed(numbered(1))[:-2])
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await asyncio.sleep(0.2)
            writer.write(b"x")
        last = loop.time()
        assert b"MSA|AE|M1|a message that did not end within 1 seconds" in await reader.read()
        assert loop.time() - last < 0.9  # a byte now and then does not keep it open
        await ended(writer)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        await ended(writer)

    found = listening(store, work, frame=1.0, idle=0.3)
    assert (found["timed_out"], found["received"]) == (2, 0)


def test_a_sender_without_the_last_cr_is_answered_and_what_is_skipped_is_said(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medtwin.sources.mllp_listener.LATE", 0.05)

    async def work(listener: Listener) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        for number in (1, 2):
            writer.write(b"noise" + framed(numbered(number))[:-1])
            assert b"MSA|AA|M%d" % number in await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 5)
        writer.write(framed(numbered(3))[:-1])
        writer.write_eof()
        assert b"MSA|AA|M3" in await reader.read()
        await ended(writer)

    found = listening(store, work)
    assert (found["received"], found["skipped"]) == (3, 10)


def test_all_connections_together_hold_so_much_and_the_largest_is_told(store: SqlStore) -> None:
    async def work(listener: Listener) -> None:
        large, small = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
        large[1].write(b"\x0b" + numbered(1) + b"x" * 20_000)
        small[1].write(b"\x0b" + numbered(2) + b"x" * 8_000)
        await asyncio.sleep(0.1)
        assert listener._held > 28_000
        (said,) = await ask(listener.port, numbered(3) + b"NTE|" + b"x" * 8_000)
        assert b"MSA|AA|M3" in said
        assert b"MSA|AE|M1|more than 30000 bytes" in await large[0].read()
        small[1].write(b"\x1c\r")
        assert b"MSA|AA|M2" in await small[0].readuntil(b"\x1c\r")
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"\x0b" + numbered(4) + b"x" * 31_000)
        assert b"MSA|AE|M4|more than 30000 bytes" in await reader.read()
        for one in (large[1], small[1], writer):
            await ended(one)
        await asyncio.sleep(0.05)
        assert listener._held == 0

    found = listening(store, work, buffered=30_000)
    assert (found["failed"], found["received"]) == (2, 2)


def test_a_port_that_is_taken(store: SqlStore) -> None:
    async def work(listener: Listener) -> None:
        other = Listener(store, port=listener.port, spool=spool_of(store, "other"))
        with pytest.raises(StoreError, match="choose another"):
            await other.start()
        other.spool.close()

    listening(store, work)
