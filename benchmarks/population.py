"""Cohorts of virtual people: the model alone, and days with sensor, controller and metrics; CPU time per patient-day.

    python -m benchmarks.population [--json] [--people 1000000]

One child process on one thread, since figures are per core; compiled and warm, but for the cohort of ``--people``, which is
drawn, filtered, given therapy settings and simulated for one day from the start. simglucose's patient and the bare batch of
S2008 are those of ``benchmarks.glucose_insulin``, run before the cohorts. Gates: the bare batch in 32 bit at least
50,000 times simglucose per patient-day, a cohort's whole day at least 5,000 times. simglucose has neither sensor
nor controller nor metrics in its time here. Nobody's trace is kept: memory is that of a block.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.glucose_insulin import child as bare_child
from benchmarks.glucose_insulin import cpu_seconds

GATES = {"bare_batch": 50_000.0, "open-loop": 5_000.0, "predictive": 5_000.0}
DAYS, SOME = 4, 512


def measure(people: int) -> dict[str, Any]:
    """All figures of cohorts, in this process."""
    from medtwin.population.controllers import BUILT_IN
    from medtwin.population.metrics import outcomes
    from medtwin.population.people import virtual_people
    from medtwin.population.simulate import course_of, simulate

    held = virtual_people("t1d", SOME, seed=1)
    courses = {name: course_of(held, make()) for name, make in BUILT_IN.items()}

    def days(name: str) -> None:
        for lived in simulate(held, courses[name], DAYS):
            outcomes(lived.tally)

    for name in courses:
        days(name)  # compiled and warm
    spent: dict[str, list[float]] = {name: [] for name in courses}
    for _ in range(5):  # they take turns
        for name in courses:
            spent[name].append(cpu_seconds(lambda name=name: days(name)))
    figures: dict[str, Any] = {name: statistics.median(values) / (DAYS * SOME) for name, values in spent.items()}

    before, wall = time.process_time(), time.monotonic()
    many = virtual_people("t1d", people, seed=0)
    drawn = time.process_time() - before
    in_range = below = 0.0
    for lived in simulate(many, course_of(many, BUILT_IN["open-loop"]()), 1):
        found = outcomes(lived.tally)
        in_range += float(found["in_range"].sum())
        below += float(found["below_70"].sum())
    whole = time.process_time() - before
    return {
        "cpu_s_per_patient_day": figures,
        "cohort": {
            "people": people, "cpu_s": whole, "of_it_drawing_and_settings_s": drawn, "wall_s": time.monotonic() - wall,
            "patient_days_per_core_second": people / whole, "days_only_per_core_second": people / (whole - drawn),
            "in_range_percent": in_range / people, "below_70_percent": below / people,
        },
        "most_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
    }  # fmt: skip


def child(people: int) -> dict[str, Any]:
    """Measure in a fresh process with one thread."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    }
    command = [sys.executable, "-m", "benchmarks.population", "--measure", "--people", str(people)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the measuring process failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def report(people: int) -> dict[str, Any]:
    """All figures, ratios and verdicts."""
    bare, found = bare_child(rounds=2), child(people)
    theirs = bare["simglucose_s"]
    each = {"bare_batch": bare["batch_32_bit_s"]} | found["cpu_s_per_patient_day"]
    ratios = {name: theirs / value for name, value in each.items()}
    return {
        "benchmark": "population",
        "simglucose_s": theirs,
        "patient_days_per_core_second": {name: 1.0 / value for name, value in each.items()},
        "ratios": ratios,
        "gates": GATES,
        "cohort": found["cohort"],
        "most_memory_mb": found["most_memory_mb"],
        "passed": all(ratios[name] >= gate for name, gate in GATES.items()),
    }


def main(arguments: list[str] | None = None) -> int:
    """Print the report; 0 when every gate is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--people", type=int, default=1_000_000, help="of the cohort of one day")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.measure:
        print(json.dumps(measure(chosen.people)))
        return 0
    found = report(chosen.people)
    print(json.dumps(found) if chosen.json else json.dumps(found, indent=1))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
