"""A listener killed at random moments: what it acknowledged is a fact in the end, and what was sent twice is one fact."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from medtwin.record.home import open_store
from medtwin.sources.mllp import framed
from medtwin.sources.mllp_listener import Listener
from sources.test_hl7v2 import message, result
from waiting import waited

pytestmark = pytest.mark.crash
SENDERS, RUNS = 8, 25


def numbered(number):
    return message(*result(f"{5 + number / 10000:.4f}", order=f"A{number}"), number=f"M{number}")


async def send(port, sender, progress):
    """Messages of one sender from the first that nobody acknowledged on; ends when the connection does."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return  # killed before it listened to this one
    try:
        while True:
            writer.write(framed(numbered(sender * 100_000 + progress[sender])))
            said = await reader.readuntil(b"\x1c\r")
            assert b"MSA|AA" in said
            progress[sender] += 1
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def run(port, pid, progress, seconds):
    tasks = [asyncio.create_task(send(port, sender, progress)) for sender in range(SENDERS)]
    await asyncio.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*tasks)


def test_acknowledged_is_kept_and_sent_twice_is_once(tmp_path):
    home, progress, chance = tmp_path / "home", [0] * SENDERS, random.Random(5)
    with open_store(home):
        pass
    victim = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("mllp_victim.py")), str(home)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    for _ in range(RUNS):
        victim.stdin.write("\n")
        victim.stdin.flush()
        lines = sorted(victim.stdout.readline().split() for _ in range(2))  # born and ready, in either order
        (_, pid), (_, port) = lines
        waited(run(int(port), int(pid), progress, chance.uniform(0.01, 0.15)))
        assert victim.stdout.readline().split() == ["dead"]
    victim.stdin.close()
    victim.wait(10)
    victim.stdout.close()
    assert sum(progress) > 25  # on a slow machine some runs end before the first answer

    async def rest(store):
        listener = Listener(store)
        await listener.start()
        assert await asyncio.to_thread(listener.follower.drain, 60.0)
        await listener.stop()
        assert listener.spool.damaged == 0

    with open_store(home) as store:
        waited(rest(store))
        grant = store.issue_grant()
        (patient,) = store.patients(grant)
        found = [event.key for event in store.record(patient.id, grant).of("blood_glucose")]
    kept = {key.split("|")[1].partition("^")[0] for key in found}
    promised = {f"A{sender * 100_000 + number}" for sender in range(SENDERS) for number in range(progress[sender])}
    assert promised <= kept
    assert len(kept - promised) <= SENDERS * RUNS  # kept, and killed before it was said
    assert len(found) == len(set(found)) == len(kept)
