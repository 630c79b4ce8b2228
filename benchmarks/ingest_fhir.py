"""FHIR ingest to a durable record against the mere parsing of fhir.resources: the same Synthea R4 bundles, CPU time.

    python -m benchmarks.ingest_fhir [--json] [--bundles FOLDER]

Ours splits, keeps the raw bytes encrypted, makes facts, appends them to a SQLite store that commits with fsync, links
patients and writes the audit chain; theirs (R4B, since fhir.resources has no R4) only makes objects. The gate is the
ratio of resources per CPU second: at least 3. One Observation, as a server gets it, is timed beside it (wall clock,
since it waits for the disk twice).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

GATES = {"ratio": 3.0}
COPIES = 20
#: whole servers' own figures for bundle import, resources/s of wall time on many cores: printed beside, not gated
PUBLISHED = (
    "Blaze 10,108 (16 cores), 23,829 (128 cores); Smile CDR 22,251 (cluster); on 8 cores Aidbox 2,678, HAPI 2,214, "
    "Medplum 764 resources/s"
)
SHARED = Path(os.environ.get("MEDTWIN_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def copies(bundles: list[bytes], number: int) -> list[bytes]:
    """Other people with the same histories: every uuid is replaced, alike within one bundle."""
    made = []
    for copy in range(number):
        for bundle in bundles:
            names: dict[bytes, bytes] = {}

            def other(found: re.Match[bytes], names: dict[bytes, bytes] = names, copy: int = copy) -> bytes:
                if found[0] not in names:
                    names[found[0]] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{copy}{found[0]!r}")).encode()
                return names[found[0]]

            made.append(_UUID.sub(other, bundle))
    return made


def median_cpu(run: Callable[[], Any], repeats: int) -> float:
    """Median CPU time of the process over ``repeats`` runs."""
    spent = []
    for _ in range(repeats):
        before = time.process_time()
        run()
        spent.append(time.process_time() - before)
    return statistics.median(spent)


def ours(folder: Path) -> int:
    """Ingest a folder into a new home; the number of facts."""
    from medtwin.record.home import open_store
    from medtwin.sources.ingest import ingest

    with tempfile.TemporaryDirectory() as home, open_store(home) as store:
        report = ingest([folder], store, store.issue_grant())
        if report.exit_code or report.quarantine:
            raise SystemExit(f"the bundles did not come in whole: {report.to_json().decode()[:2000]}")
        return report.new


def live(observation: bytes, number: int = 60) -> tuple[float, float]:
    """Median wall and CPU milliseconds from one posted Observation to its durable fact."""
    from medtwin.record.home import open_store
    from medtwin.sources.ingest import ingest_bytes

    walls, cpus = [], []
    with tempfile.TemporaryDirectory() as home, open_store(home) as store:
        grant = store.issue_grant()
        for index in range(number):
            content = observation.replace(b"ID", str(index).encode())
            wall, cpu = time.perf_counter(), time.process_time()
            if ingest_bytes(content, "posted", store, grant).new != 1:
                raise SystemExit("the Observation did not become a fact")
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
    return statistics.median(walls) * 1000, statistics.median(cpus) * 1000


OBSERVATION = (
    b'{"resourceType":"Observation","id":"o-ID","status":"final","code":{"coding":[{"system":"http://loinc.org",'
    b'"code":"2339-0"}]},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2024-01-01T10:00:00Z",'
    b'"valueQuantity":{"value":7.40,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}'
)


def measure(folder: Path) -> dict[str, float]:
    bundles = [path.read_bytes() for path in sorted(folder.glob("*.json"))]
    if not bundles:
        raise SystemExit(f"no bundles in {folder}: set MEDTWIN_SHARED_DATA, or name a folder with --bundles")
    resources = sum(len(json.loads(bundle)["entry"]) for bundle in bundles)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fhir.resources.R4B.bundle import Bundle
    with tempfile.TemporaryDirectory() as made:
        for index, bundle in enumerate(copies(bundles, COPIES)):
            Path(made, f"{index:04d}.json").write_bytes(bundle)
        ours(folder)  # warm
        for bundle in bundles:
            Bundle.model_validate_json(bundle)
        ingest_s = median_cpu(lambda: ours(Path(made)), 5) / COPIES
    parse_s = median_cpu(lambda: [Bundle.model_validate_json(bundle) for bundle in bundles], 5)
    wall, cpu = live(OBSERVATION)
    return {
        "resources": resources,
        "ingest_resources_per_cpu_s": resources / ingest_s,
        "fhir_resources_parse_per_cpu_s": resources / parse_s,
        "ratio": parse_s / ingest_s,
        "one_observation_wall_ms": wall,
        "one_observation_cpu_ms": cpu,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--bundles", type=Path, default=SHARED / "plumbing" / "fhir_r4_synthea")
    options = parser.parse_args(arguments)
    figures = measure(options.bundles)
    passed = figures["ratio"] >= GATES["ratio"]
    if options.json:
        print(json.dumps({"benchmark": "ingest_fhir", "figures": figures, "gates": GATES, "passed": passed}))
    else:
        print(f"FHIR ingest to durable record   {figures['ingest_resources_per_cpu_s']:10,.0f} resources/CPU-s")
        print(f"fhir.resources, parse alone     {figures['fhir_resources_parse_per_cpu_s']:10,.0f} resources/CPU-s")
        print(f"ratio                           {figures['ratio']:10.2f}   gate >= {GATES['ratio']:g}")
        print(f"one Observation                 {figures['one_observation_wall_ms']:10.2f} ms wall, "
              f"{figures['one_observation_cpu_ms']:.2f} ms CPU")  # fmt: skip
        print(f"published servers               {PUBLISHED}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
