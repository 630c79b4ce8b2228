"""Cohorts of virtual people: the model alone, and days with sensor, controller and metrics; CPU time per patient-day.

    python -m benchmarks.population [--json] [--people 1000000]

One child process on one thread, since figures are per core; compiled and warm, but for the cohort of ``--people``, which is
drawn, filtered, given therapy settings and simulated for one day from the start. simglucose's patient and the bare batch of
S2008 are those of ``benchmarks.glucose_insulin``, run before the cohorts. Gates: the bare batch in 32 bit at least
50,000 times simglucose per patient-day, a cohort's whole day at least 5,000 times. simglucose has neither sensor
nor controller nor metrics in its time here. People are drawn, live their day and are counted block by block, and neither
they nor their traces are kept: memory does not grow with the cohort.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.glucose_insulin import child as bare_child
from benchmarks.glucose_insulin import cpu_seconds

GATES = {"bare_batch": 50_000.0, "open-loop": 5_000.0, "predictive": 5_000.0}
DAYS, SOME = 4, 512


def measure(people: int) -> dict[str, Any]:
    """All figures of cohorts, in this process."""
    from medtwin.population.controllers import BUILT_IN
    from medtwin.population.metrics import outcomes
    from medtwin.population.people import in_blocks, virtual_people
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
            spent[name].append(cpu_seconds(partial(days, name)))
    figures: dict[str, Any] = {name: statistics.median(values) / (DAYS * SOME) for name, values in spent.items()}

    before, wall = time.process_time(), time.monotonic()
    drawn = in_range = below = 0.0
    refused, blocks = 0, in_blocks("t1d", people, seed=0)
    while True:
        began = time.process_time()
        block = next(blocks, None)
        drawn += time.process_time() - began
        if block is None:
            break
        refused += sum(block.refused.values())
        for lived in simulate(block, course_of(block, BUILT_IN["open-loop"]()), 1):
            found = outcomes(lived.tally)
            in_range += float(found["in_range"].sum())
            below += float(found["below_70"].sum())
    whole = time.process_time() - before
    return {
        "cpu_s_per_patient_day": figures,
        "cohort": {
            "people": people, "refused": refused, "cpu_s": whole, "of_it_drawing_and_settings_s": drawn,
            "wall_s": time.monotonic() - wall,
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


def page(found: dict[str, Any], command: str) -> str:
    """The cohort's figures, Markdown."""
    one = found["cohort"]
    return "\n".join(
        [
            f"# {one['people']:,} virtual people, one day each", "",
            f"Generated by `{command}`; do not edit. Method: `benchmarks/population.py`. One thread of "
            f"{platform.processor() or platform.machine()}.",
            "",
            f"Drawn from the prior of S2008 and filtered ({one['refused']:,} draws refused), given therapy settings, "
            "a day lived with a sensor and open-loop pumps, and counted.",
            "", "| | |", "|---|---|",
            f"| CPU seconds, all | {one['cpu_s']:,.1f} |",
            f"| of it drawing people and finding their settings | {one['of_it_drawing_and_settings_s']:,.1f} |",
            f"| wall seconds | {one['wall_s']:,.1f} |",
            f"| patient-days a core second, all | {one['patient_days_per_core_second']:,.0f} |",
            f"| patient-days a core second, the day alone | {one['days_only_per_core_second']:,.0f} |",
            f"| most memory, MB | {found['most_memory_mb']:,.0f} |",
            f"| mean time in range, % | {one['in_range_percent']:.1f} |",
            f"| mean time below 70 mg/dL, % | {one['below_70_percent']:.2f} |",
            "", "Of the same run, 512 people and four days, compiled and warm, against simglucose's patient "
            f"({found['simglucose_s']:.2f} CPU s a patient-day): "
            + "; ".join(f"{name} {ratio:,.0f} times" for name, ratio in found["ratios"].items()) + ".",
        ]
    ) + "\n"  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print the report; 0 when every gate is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--people", type=int, default=1_000_000, help="of the cohort of one day")
    parser.add_argument("--report", type=Path, help="write the cohort's figures there as a page")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.measure:
        print(json.dumps(measure(chosen.people)))
        return 0
    found = report(chosen.people)
    if chosen.report:
        chosen.report.write_text(page(found, f"python -m benchmarks.population --people {chosen.people}"))
    print(json.dumps(found) if chosen.json else json.dumps(found, indent=1))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
