"""A fleet of live glucose twins: a reading each, from its sender's bytes to a durable belief.

    python -m benchmarks.fleet [--patients 1000] [--rounds 2] [--folder FOLDER | --home FOLDER] [--json]

A home is made with so many people with type 1 diabetes (a diagnosis, a weight, a basal rate, a meal or none, one
reading), and the beliefs of all are made; that is timed and not counted. ``--home`` keeps that home, and a second run
in it takes the beliefs up and goes on with later rounds. Then, in each round, one FHIR Observation of each
person comes in as one file of NDJSON (FHIR Bulk Data), at everybody's own phase of the five minutes, and one in ten
brings a meal with its bolus. Stages, in CPU and wall seconds:

- record: parse, raw bytes split by patient and sealed, facts, audit rows, all durable;
- follow: read back what was committed, and carry the beliefs on with the filter and the bank as shipped, within it
  *filter*, the batches alone;
- keep: every belief sealed under its patient's key, and durable with its audit row.

Each round ends with the beliefs of three people compared with their own twins made from the record alone (not counted).
Gate: 100,000 people within 300 s on two cores, which is 333 readings a second end to end (each round on its own).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

from medtwin.record import Code, Event, Moment, Source, SourcePatient
from medtwin.record.home import open_store
from medtwin.sources.ingest import ingest
from medtwin.twin.precision import prepare

GATE = 100_000 / 300.0
BEGIN = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
TYPE_1 = Code("http://snomed.info/sct", "46635009", "Diabetes mellitus type 1")
SENDERS = 64


def told(number: int) -> list[Event]:
    """What the home knows of a person before the first round."""
    chance = random.Random(number)
    subject = SourcePatient("fhir", f"p{number}")
    day = BEGIN - timedelta(days=1)
    facts: list[tuple[str, Any, datetime]] = [
        ("diagnosis", TYPE_1, day),
        ("body_weight", float(max(40, round(chance.gauss(75.0, 12.0)))), day),
        ("insulin_basal_rate", round(chance.uniform(0.5, 1.5), 2), day),
    ]
    if chance.random() < 0.3:
        eaten = BEGIN - timedelta(minutes=chance.randrange(10, 110))
        facts += [("carbohydrate_intake", float(chance.randrange(15, 80)), eaten), ("insulin_bolus", 4.0, eaten)]
    return [
        Event(
            subject=subject, quantity=quantity, value=value, time=Moment.of(at), available=at,
            source=Source("fhir", "fhir_r4/1", "0" * 32, "before", "before"), key=f"{number}/{quantity}/{at:%s}",
        )
        for quantity, value, at in facts
    ]  # fmt: skip


def sent(number: int, turn: int) -> bytes:
    """The Observation of a person's sensor in a round, as a sender writes it."""
    chance = random.Random(number * 1000 + turn)
    at = BEGIN + timedelta(minutes=5 * turn, seconds=(number * 37) % 300)
    stamp = at.isoformat().replace("+00:00", "Z")
    return json.dumps(
        {
            "resourceType": "Observation", "id": f"{number}-{turn}", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "99504-3"}]},
            "subject": {"reference": f"Patient/p{number}"}, "effectiveDateTime": stamp, "issued": stamp,
            "valueQuantity": {
                "value": max(45, round(120 + 30 * random.Random(number).gauss(0, 1) + 2 * turn + chance.gauss(0, 4))),
                "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL",
            },
        },
        separators=(",", ":"),
    ).encode()  # fmt: skip


def eaten(number: int, turn: int) -> list[Event]:
    at = BEGIN + timedelta(minutes=5 * turn, seconds=(number * 37) % 300)
    return [
        Event(
            subject=SourcePatient("fhir", f"p{number}"), quantity=quantity, value=value, time=Moment.of(at), available=at,
            source=Source("fhir", "fhir_r4/1", "0" * 32, "meal", "meal"), key=f"{number}/{quantity}/{turn}",
        )
        for quantity, value in (("carbohydrate_intake", 40.0), ("insulin_bolus", 4.0))
    ]  # fmt: skip


class Watch:
    """CPU and wall seconds of stages."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Any:
        cpu, wall = time.process_time(), time.monotonic()
        yield
        self.stages[name] = {
            "cpu_s": round(time.process_time() - cpu, 3), "wall_s": round(time.monotonic() - wall, 3)
        }  # fmt: skip
        print(f"  {name:<28}{self.stages[name]}", file=sys.stderr, flush=True)


def nearness(fleet: Any, store: Any, grant: Any, patients: list[str]) -> float:
    """The largest distance of means, in scales and prior sds, from the patients' own twins."""
    from medtwin.twin.choice import choose
    from medtwin.twin.twin import assimilate

    worst = 0.0
    for patient in patients:
        record = store.record(patient, grant)
        twin, _ = assimilate(patient, choose(record), record, fleet.at(patient) + timedelta(seconds=29))
        apart = np.asarray(fleet.belief(patient).moments()[0]) - np.asarray(twin.belief.moments()[0])
        worst = max(worst, float(np.abs(apart).max()))
    return worst


def once(people: int, rounds: int, folder: Path) -> dict[str, Any]:
    prepare()
    from medtwin.twin.choice import Choice, structure
    from medtwin.twin.fleet import Fleet

    watch, present = Watch(), [BEGIN + timedelta(minutes=5)]
    figures: dict[str, Any] = {"patients": people, "rounds": []}
    note = folder / "benchmark-fleet.json"  # of a home that was kept: how many people, the next round
    first = 0
    if note.exists():
        held = json.loads(note.read_text())
        assert held["patients"] == people, f"that home holds {held['patients']} people"
        first = held["next"]
    with open_store(folder) as store:
        grant = store.issue_grant()
        if not first:
            with watch.stage("made: people"), ThreadPoolExecutor(SENDERS) as pool:
                link = lambda i: store.link(SourcePatient("fhir", f"p{i}"), f"p{i}", grant, zone="Europe/Berlin")  # noqa: E731
                for _ in pool.map(link, range(people)):
                    pass
            with watch.stage("made: facts"):
                for begin in range(0, people, 2000):
                    store.append([e for i in range(begin, min(begin + 2000, people)) for e in told(i)], grant)
        fleet = Fleet(
            store, grant, Choice("glucose", "benchmark", *structure("glucose_insulin")), clock=lambda: present[0]
        )
        if first:
            present[0] = BEGIN + timedelta(minutes=5 * first)
            with watch.stage("made: taken up"):
                assert fleet.load() == people
            figures["made"] = watch.stages
        for turn in range(first, first + rounds + (0 if first else 1)):
            present[0] = BEGIN + timedelta(minutes=5 * (turn + 1))
            file = folder / f"round-{turn}.ndjson"
            file.write_bytes(b"\n".join(sent(i, turn) for i in range(people)))
            watch = watch if turn == 0 else Watch()
            began = time.monotonic(), time.process_time()
            label = "made: " if turn == 0 else ""
            with watch.stage(f"{label}record"):
                report = ingest([file], store, grant)
                assert not report.not_stored, report.not_stored
                assert sum(row.new for row in report.sources) == people
            with watch.stage(f"{label}record meals"):
                meals = [e for i in range(turn, people, 10) for e in eaten(i, turn)] if turn else []
                store.append(meals, grant)
            before = dict(fleet.fold.spent)
            with watch.stage(f"{label}follow"):
                done = fleet.follow()
            filter_s = {name: round(value - before[name], 3) for name, value in fleet.fold.spent.items()}
            with watch.stage(f"{label}keep"):
                kept = fleet.keep()
            wall, cpu = time.monotonic() - began[0], time.process_time() - began[1]
            file.unlink()
            note.write_text(json.dumps({"patients": people, "next": turn + 1}))
            assert (kept, done.quick) == (people, people if turn else 0), done.anew
            if turn:
                figures["rounds"].append(
                    {
                        "wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "readings_per_s": round(people / wall, 1),
                        "readings_per_cpu_s": round(people / cpu, 1), "stages": watch.stages, "filter": filter_s,
                        "apart": nearness(fleet, store, grant, ["p0", f"p{people // 2}", f"p{people - 1}"]),
                    }
                )  # fmt: skip
                print(f"  round {turn}: {figures['rounds'][-1]}", file=sys.stderr, flush=True)
            else:
                figures["made"] = watch.stages
        figures["belief_bytes"] = len(next(iter(fleet.members.values())).row)
        fleet.members.clear()  # memory for one fleet at a time
        again = Fleet(
            store, grant, Choice("glucose", "benchmark", *structure("glucose_insulin")), clock=lambda: present[0]
        )
        watch = Watch()
        with watch.stage("restart"):
            assert again.load() == people
            assert again.follow().facts == 0
        figures["restart"] = watch.stages["restart"]
    figures["store_mib"] = round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 2**20, 1)
    figures["peak_memory_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    return figures


def page(said: dict[str, Any], command: str) -> str:
    """The figures, Markdown."""
    people = said["patients"]
    lines = [
        f"# A fleet of {people:,} live glucose twins", "",
        f"Generated by `{command}`; do not edit. Method: `benchmarks/fleet.py`. {said['machine']}",
        "",
        "A round is a reading of everybody (and a meal with its bolus of one in ten): bytes of FHIR, raw bytes sealed by person, "
        "facts, audit, beliefs by the filter and the bank as shipped, beliefs sealed; each stage durable when it ends. "
        f"The aim is a round within {people / said['gate_readings_per_s']:.0f} s "
        f"({said['gate_readings_per_s']:.0f} readings a second) on two cores.",
        "", "| round | readings a second | readings a CPU second | stage | CPU s | wall s |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for number, one in enumerate(said["rounds"], 1):
        rows = [("all", {"cpu_s": one["cpu_s"], "wall_s": one["wall_s"]}), *one["stages"].items()]
        rows.append(("of following, the filter", one["filter"]))
        for name, spent in rows:
            first = (
                (number, f"{one['readings_per_s']:,}", f"{one['readings_per_cpu_s']:,}")
                if name == "all"
                else ("", "", "")
            )
            lines.append(f"| {' | '.join(map(str, first))} | {name} | {spent['cpu_s']:,.1f} | {spent['wall_s']:,.1f} |")
    worst = max(one["apart"] for one in said["rounds"])
    lines += [
        "",
        f"- Against the twins of three people made from the record alone: at most {worst:.1e} of a scale or a prior sd apart.",
        f"- Peak memory {said['peak_memory_mib'] / 1024:.1f} GiB; the home takes {said['store_mib'] / 1024:.1f} GiB, "
        f"{1024 * said['store_mib'] / people:.0f} kB a person; a belief at rest {said['belief_bytes'] / 1e3:.0f} kB.",
        f"- A restart takes all beliefs up in {said['restart']['wall_s']:.0f} s ({said['restart']['cpu_s']:.0f} CPU s).",
        f"- Other work ran on the machine: the load before the rounds was {said['load']:.1f} on {os.cpu_count()} cores. CPU "
        "seconds suffer less from that than the wall's clock.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the home is made (default: a temporary folder)")
    parser.add_argument("--home", type=Path, help="a home that is kept, and gone on with if it is there")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--report", type=Path, help="write the figures there as a page")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    if given.home:
        given.home.mkdir(parents=True, exist_ok=True)
        figures = once(given.patients, given.rounds, given.home)
    else:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            figures = once(given.patients, given.rounds, Path(folder))
    passed = all(one["readings_per_s"] >= GATE for one in figures["rounds"])
    machine = (
        f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}, Python {platform.python_version()}."
    )
    said = {
        "schema": "medtwin/benchmarks/fleet/1", "gate_readings_per_s": round(GATE, 1), "passed": passed, "load": load,
        "machine": machine, **figures,
    }  # fmt: skip
    if given.report:
        command = f"python -m benchmarks.fleet --patients {given.patients} --rounds {given.rounds}"
        given.report.write_text(page(said, command + (" --home FOLDER" if given.home else "")))
    if given.json:
        print(json.dumps(said, indent=1))
    else:
        for turn, one in enumerate(figures["rounds"], 1):
            print(f"round {turn}: {given.patients:,} readings in {one['wall_s']} s, {one['readings_per_s']:,} a second")
            for name, spent in one["stages"].items():
                print(f"  {name:<16}{spent['cpu_s']:10.2f} CPU s {spent['wall_s']:10.2f} s")
        print(f"restart: {figures['restart']}; peak memory {figures['peak_memory_mib']:,} MiB")
        print(f"gate: {GATE:.0f} readings a second")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
