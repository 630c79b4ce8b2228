"""The hub: numbered messages, a memory, slow listeners, an end."""

from medtwin.server import hub as hubs
from medtwin.server.hub import Hub
from medtwin.server.shapes import HelloMessage, QuarantineMessage
from server.conftest import NOW
from waiting import waited

HELLO = HelloMessage(now=NOW, version="1")


def message(number):
    return QuarantineMessage(id=str(number), file="f", resolved=False, total=number)


def test_messages_come_in_order_with_ids_and_a_heartbeat_between():
    async def play():
        hub = Hub()
        stream = hub.stream(HELLO, None, heartbeat=0.02)
        first = await anext(stream)
        assert b"event: hello" in first
        assert await anext(stream) == b": still here\n\n"
        hub.publish("quarantine", message(1))
        hub.publish("quarantine", message(2))
        got = [await anext(stream), await anext(stream)]
        assert got[0].startswith(f"id: {hub.boot}-1\nevent: quarantine\n".encode())
        assert got[1].startswith(f"id: {hub.boot}-2\n".encode())
        hub.close()
        assert [one async for one in stream] == []
        assert hub.listeners == set()

    waited(play())


def test_what_was_published_while_a_listener_was_away_comes_once():
    async def play():
        hub = Hub()
        for number in range(1, 6):
            hub.publish("quarantine", message(number))
        stream = hub.stream(HELLO, f"{hub.boot}-3", heartbeat=5)
        got = [await anext(stream) for _ in range(3)]
        hub.publish("quarantine", message(6))
        got.append(await anext(stream))
        return [one.partition(b"-")[2].partition(b"\n")[0] for one in got]

    assert waited(play()) == [b"3", b"4", b"5", b"6"]


def test_a_greeting_reaches_those_who_listen_and_is_not_remembered():
    async def play():
        hub = Hub()
        hub.publish("quarantine", message(1))
        stream = hub.stream(HELLO, f"{hub.boot}-0", heartbeat=5)
        await anext(stream), await anext(stream)
        hub.greet(HELLO)
        hub.publish("quarantine", message(2))
        got = [await anext(stream), await anext(stream)]
        assert got[0].startswith(b"event: hello\n")
        assert got[1].startswith(f"id: {hub.boot}-2\n".encode())
        assert [number for number, _ in hub.missed(f"{hub.boot}-0")] == [1, 2]

    waited(play())


def test_a_slow_listener_is_cut_off_and_harms_nobody(monkeypatch):
    monkeypatch.setattr(hubs, "WAITING", 3)

    async def play():
        hub = Hub()
        slow, quick = hub.stream(HELLO, None, 5), hub.stream(HELLO, None, 5)
        await anext(slow)
        await anext(quick)
        for number in range(1, 6):
            hub.publish("quarantine", message(number))
            await anext(quick)
        assert len(hub.listeners) == 1
        return len([one async for one in slow])

    assert waited(play()) == 3
