"""Every benchmark, one after the other, each in a process of its own; a table at the end.

    python -m benchmarks [--json] [NAME ...]

Ratios gate (a benchmark exits 1 where one is missed); absolute figures are printed for orientation, with the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """Benchmarks by the name of their file."""
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def run(name: str) -> dict[str, object]:
    """One benchmark's own JSON, and how it ended."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--json"], capture_output=True, text=True)
    try:
        figures = json.loads(done.stdout)
    except json.JSONDecodeError:
        figures = {"output": done.stdout[-2000:]}
    failed = {"error": done.stderr[-2000:]} if done.returncode not in (0, 1) else {}
    return {
        "name": name,
        "passed": done.returncode == 0,
        "seconds": time.monotonic() - began,
        "figures": figures,
        **failed,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these", default=[])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    unknown = set(given.names) - set(names())
    if unknown:
        parser.error(f"found {sorted(unknown)}; expected some of {names()}")
    results = []
    for name in given.names or names():
        print(f"{name} ...", file=sys.stderr, flush=True)
        results.append(run(name))
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    if given.json:
        print(json.dumps({"schema": "medtwin/benchmarks/1", "machine": machine, "results": results}, indent=1))
    else:
        print(f"machine: {machine}")
        for result in results:
            print(f"\n{'passed' if result['passed'] else 'MISSED'}  {result['name']}  ({result['seconds']:.0f} s)")
            print("  " + json.dumps(result["figures"], indent=1).replace("\n", "\n  "))
            if "error" in result:
                print(result["error"])
    return 0 if all(result["passed"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
