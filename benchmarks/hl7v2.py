"""HL7v2 against PyPI's ``hl7``: parsing, and a live MLLP listener, CPU time, in one run.

    python -m benchmarks.hl7v2 [--json] [--messages FOLDER]

*Parse*: every segment, field, repetition, component and subcomponent of the same messages, with ``hl7.parse`` and with
``hl7v2_message.parse(...).tree()``; best of several rounds. Gate: at least 20 times, where only what is asked for is split (as
our readers do); the whole tree is gated at 12 times and printed.

*Live*: 64 senders at once, each waiting for its answer, both ends in one process. Theirs is ``hl7.mllp``'s server which answers
and keeps nothing. Ours answers after each message lies sealed and synced in the durable queue; then its facts (seven a
message) go to the record. Gates: acknowledged after the commit at least 5 times their echo a CPU second. Beside it, with no gate:
the rate until every fact is durable, too, from which no listener can escape for long.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

GATES = {"parse_ratio": 20.0, "tree_ratio": 12.0, "acknowledged_ratio": 5.0}
SHARED = Path(os.environ.get("MEDTWIN_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SENDERS = 64
ANALYTES = (
    ("2951-2^Sodium^LN", "140", "mmol/L"), ("2823-3^Potassium^LN", "4.1", "mmol/L"), ("2160-0^Creatinine^LN", "0.90", "mg/dL"),
    ("2345-7^Glucose^LN", "95", "mg/dL"), ("718-7^Hemoglobin^LN", "14.1", "g/dL"),
)  # fmt: skip


def message(number: int) -> bytes:
    """A laboratory's result of five analytes of one of 64 patients, about 1 kB."""
    hour, minute = number // 60 % 24, number % 60
    time_, doctor = f"20240501{hour:02d}{minute:02d}00+0200", "1234^DOCTOR^ANNA"
    panel = "24323-8^Comprehensive metabolic panel^LN"
    segments = [
        rf"MSH|^~\&|LAB|HOSPITAL|EHR|HOSPITAL|{time_}||ORU^R01^ORU_R01|M{number}|P|2.5.1|||AL|NE",
        f"PID|1||{4000 + number % SENDERS}^^^HOSPITAL^MR||MUSTER^ERIKA^M||19640812|F|||Street 1^^Town^^12345^DE||030123456",
        f"PV1|1|I|WARD^101^1||||{doctor}|||MED||||||||V{number % SENDERS}{'|' * 25}20240430080000+0200",
        f"ORC|RE|P{number}^EHR|F{number}^LAB|||||||||{doctor}",
        f"OBR|1|P{number}^EHR|F{number}^LAB|{panel}|||{time_}|||||||||{doctor}||||||{time_}|||F",
    ]
    for index, (code, value, unit) in enumerate(ANALYTES, 1):
        segments.append(f"OBX|{index}|NM|{code}||{value}|{unit}^{unit}^UCUM|1-200|N|||F|||{time_}||TECH^LAB")
    return ("\r".join(segments) + "\r").encode()


def best(work: Callable[[], object], rounds: int) -> float:
    """Least CPU seconds of several rounds, since other work on the machine only adds."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def parsing(folder: Path, rounds: int = 7) -> dict[str, float]:
    import hl7

    from medtwin.sources.hl7v2_message import decoded, parse, plain

    raw = [
        plain(path.read_bytes()).replace(b"\r\n", b"\r").replace(b"\n", b"\r") for path in sorted(folder.glob("*.hl7"))
    ]
    if not raw:
        raw = [message(number) for number in range(48)]
    texts = [decoded(one) for one in raw]

    def theirs() -> None:
        for text in texts:
            hl7.parse(text)

    def ours() -> None:
        for one in raw:
            for segment in parse(decoded(one)).segments:
                segment.text(3)

    def tree() -> None:
        for one in raw:
            parse(decoded(one)).tree()

    a, b, c = best(theirs, rounds), best(ours, rounds * 3), best(tree, rounds * 3)
    return {
        "messages": len(raw), "mean_bytes": sum(map(len, raw)) / len(raw), "hl7_per_cpu_s": len(raw) / a,
        "parse_per_cpu_s": len(raw) / b, "tree_per_cpu_s": len(raw) / c, "parse_ratio": a / b, "tree_ratio": a / c,
    }  # fmt: skip


async def send(port: int, messages: list[bytes]) -> None:
    """One after the other, each after the answer to the one before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for one in messages:
        writer.write(b"\x0b" + one + b"\x1c\r")
        said = await reader.readuntil(b"\x1c\r")
        if b"|AA|" not in said:
            raise SystemExit(f"not accepted: {said!r}")
    writer.close()


async def their_echo(messages: list[bytes]) -> float:
    """CPU seconds of ``hl7.mllp``'s server and our client."""
    from hl7.mllp import start_hl7_server

    async def handler(reader: object, writer: object) -> None:
        try:
            while True:
                received = await reader.readmessage()  # type: ignore[attr-defined]
                writer.writemessage(received.create_ack())  # type: ignore[attr-defined]
                await writer.drain()  # type: ignore[attr-defined]
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()  # type: ignore[attr-defined]

    server = await start_hl7_server(handler, host="127.0.0.1", port=0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        began = time.process_time()
        await asyncio.gather(*(send(port, messages[k::SENDERS]) for k in range(SENDERS)))
        return time.process_time() - began


async def our_listener(messages: list[bytes]) -> tuple[float, float, float, int]:
    """CPU seconds until all is acknowledged, then until all facts are durable; wall seconds of the first; facts."""
    from medtwin.record.home import open_store
    from medtwin.sources.follower import Follower
    from medtwin.sources.mllp_listener import Listener

    with tempfile.TemporaryDirectory() as home, open_store(home) as store:
        listener = Listener(store, backlog=len(messages) + 1)
        follower = listener.follower
        idle = Follower(store, listener.spool, "idle", standing=listener.standing)
        idle.stop()
        listener.follower = idle  # facts wait, so that the two costs can be told apart
        await listener.start()
        began, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(send(listener.port, messages[k::SENDERS]) for k in range(SENDERS)))
        acknowledged, wall = time.process_time() - began, time.perf_counter() - wall
        listener.follower = follower
        follower.start()
        if not await asyncio.to_thread(follower.drain, 600.0):
            raise SystemExit("the facts did not become durable")
        everything = time.process_time() - began
        facts = listener.standing.facts
        await listener.stop()
        if listener.standing.received != len(messages) or listener.standing.quarantined:
            raise SystemExit("messages were lost or not understood")
        return acknowledged, everything, wall, facts


def live(number: int = 4096) -> dict[str, float]:
    messages = [message(index) for index in range(number)]
    asyncio.run(their_echo(messages[:256]))
    theirs = asyncio.run(their_echo(messages[:1024])) / 1024
    asyncio.run(our_listener(messages[:256]))
    acknowledged, everything, wall, facts = asyncio.run(our_listener(messages))
    return {
        "echo_per_cpu_s": 1 / theirs, "acknowledged_per_cpu_s": number / acknowledged, "acknowledged_per_wall_s": number / wall,
        "facts_durable_per_cpu_s": number / everything, "facts": facts, "acknowledged_ratio": theirs * number / acknowledged,
        "facts_durable_ratio": theirs * number / everything,
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--messages", type=Path, default=SHARED / "plumbing" / "hl7v2_ms_fhir_converter")
    options = parser.parse_args(arguments)
    try:
        import hl7  # noqa: F401
    except ImportError:
        raise SystemExit("found no package hl7 to compare with; install it: pip install hl7==0.4.5") from None
    figures = parsing(options.messages) | live()
    passed = all(figures[name] >= gate for name, gate in GATES.items())
    if options.json:
        print(json.dumps({"benchmark": "hl7v2", "figures": figures, "gates": GATES, "passed": passed}))
    else:
        print(f"{figures['messages']:.0f} messages of {figures['mean_bytes']:,.0f} bytes, messages a CPU second:")
        print(f"  hl7.parse                     {figures['hl7_per_cpu_s']:10,.0f}")
        for name, words in (("parse", "ours, what is asked for"), ("tree", "ours, the whole tree")):
            ratio = figures[f"{name}_ratio"]
            print(
                f"  {words:<28}  {figures[f'{name}_per_cpu_s']:10,.0f}   {ratio:.1f} times, gate >= {GATES[f'{name}_ratio']:g}"
            )
        print(f"{SENDERS} senders over MLLP, both ends, messages a CPU second:")
        print(f"  hl7.mllp, nothing kept        {figures['echo_per_cpu_s']:10,.0f}")
        print(
            f"  ours, acknowledged when synced {figures['acknowledged_per_cpu_s']:9,.0f}   "
            f"{figures['acknowledged_ratio']:.1f} times, gate >= {GATES['acknowledged_ratio']:g}; "
            f"{figures['acknowledged_per_wall_s']:,.0f} a second of wall time"
        )
        print(f"  ours, all {figures['facts']:,.0f} facts durable  {figures['facts_durable_per_cpu_s']:9,.0f}   "
              f"{figures['facts_durable_ratio']:.1f} times, no gate")  # fmt: skip
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
