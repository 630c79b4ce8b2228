"""Facts into the durable record: in lots, one by one, and by 64 senders at once; and out again as a record.

    python -m benchmarks.store_append [--json]

CPU time of this process, which holds the whole of SQLite; medians of three homes. Gate: 30,000 facts a CPU second in lots
of 5,000, acknowledged, with their audit rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from medtwin.record import Event, Moment, Precision, Source, SourcePatient
from medtwin.record.home import open_store

GATE = 30_000.0
COUNT, LOT = 50_000, 5_000
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def facts(count: int, owner: str) -> list[Event]:
    """What a reader of a sensor's export makes: nothing of it is shared or hashed yet."""
    return [
        Event(
            subject=SourcePatient("dexcom", owner),
            quantity="glucose",
            value=100.0 + number % 90,
            text=str(100 + number % 90),
            unit_text="mg/dL",
            time=Moment((BEGIN + timedelta(minutes=5 * number)).replace(tzinfo=None), Precision.SECOND, 60),
            available=BEGIN + timedelta(minutes=5 * number),
            source=Source("dexcom", "dexcom_clarity/1", "ab" * 16, f"line {number}", "export.csv"),
            key=f"{owner}/{number}/glucose",
        )
        for number in range(count)
    ]


def spent(action: Callable[[], Any]) -> tuple[float, float]:
    """(CPU seconds, wall seconds)."""
    cpu, wall = time.process_time(), time.monotonic()
    action()
    return time.process_time() - cpu, time.monotonic() - wall


def once() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, open_store(folder) as store:
        grant = store.issue_grant()
        events, few = facts(COUNT, "lots"), facts(500, "single")
        crowd = [facts(20, f"crowd {number}") for number in range(64)]
        store.link(SourcePatient("dexcom", "lots"), "P", grant)

        def in_lots() -> None:
            for start in range(0, COUNT, LOT):
                store.append(events[start : start + LOT], grant)

        def one_by_one() -> None:
            for event in few:
                store.append([event], grant)

        def all_at_once() -> None:
            def send(mine: list[Event]) -> None:
                for event in mine:
                    store.append([event], grant)

            with ThreadPoolExecutor(64) as pool:
                list(pool.map(send, crowd))

        lots, again, single, many = spent(in_lots), spent(in_lots), spent(one_by_one), spent(all_at_once)
        read = spent(lambda: store.record("P", grant))
        return {
            "lots_per_cpu_s": COUNT / lots[0],
            "lots_per_wall_s": COUNT / lots[1],
            "duplicates_per_cpu_s": COUNT / again[0],
            "single_durable_per_wall_s": len(few) / single[1],
            "senders_64_durable_per_wall_s": 64 * 20 / many[1],
            "record_facts_per_cpu_s": COUNT / read[0],
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store_append", description=__doc__)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    runs = [once() for _ in range(3)]
    figures = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    passed = figures["lots_per_cpu_s"] >= GATE
    if given.json:
        said = {"schema": "medtwin/benchmarks/store_append/1", "gate_lots_per_cpu_s": GATE, "passed": passed}
        print(json.dumps({**said, **figures}, indent=1))
    else:
        for name, value in figures.items():
            print(f"{name:<34}{value:12,.0f}")
        print(f"gate: {GATE:,.0f} facts a CPU second in lots")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
