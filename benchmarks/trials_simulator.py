"""The trial simulator from scenario to operating characteristics, per trial and CPU second, against one trial after the other.

    python -m benchmarks.trials_simulator [--json] [--peers PYTHON] [--cells 100]

Through ``medtwin.trials.simulate.simulate``, one process: 10,000 trials of ANCOVA with HC3 (400 patients, score and covariate),
4,000 of logistic g-computation with influence-function variance (the same), 10,000 log-rank tests of 500 patients; all with their
simulation, decisions and sums. Peers as in ``benchmarks.trials_analysis``: statsmodels and lifelines where this interpreter or
that of ``--peers`` has them, timed without their simulation but for ANCOVA; medians of the ratios of three pairs of runs, CPU
time (set OMP_NUM_THREADS=1). Gates: 15x, 20x and 300x; without peers a plain loop of numpy, 1.5x, 2x and 5x.

The grid: 100 cells of 10,000 trials of ANCOVA (160 to 240 patients), on two processes. Gated is its CPU time as a ratio to
that of numpy drawing the same numbers (``standard_normal``): at most 12; wall time, and whether it would be under 60 s on two
free cores, are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks.trials_analysis import PEERS, plain_ancova, plain_logistic, plain_logrank
from medtwin.trials.simulate import Scenario, simulate
from medtwin.trials.simulate.analysers.ancova import Ancova
from medtwin.trials.simulate.analysers.logistic import Logistic
from medtwin.trials.simulate.analysers.logrank import Logrank
from medtwin.trials.simulate.grid import Grid, run_grid

PAIRS = 3
CASES: dict[str, tuple[Scenario, Any, int]] = {
    "ancova": (
        Scenario(n_control=200, n_treated=200, correlation=0.5, baseline=1, baseline_correlation=0.3),
        Ancova(adjust="all", variance="HC3", df="residual"), 10_000,
    ),
    "logistic": (
        Scenario(endpoint="binary", n_control=200, n_treated=200, risk_control=0.5, risk_treated=0.5, correlation=0.3, baseline=1,
                 baseline_correlation=0.3),
        Logistic(adjust="all", variance="influence"), 4000,
    ),
    "logrank": (
        Scenario(endpoint="survival", n_control=250, n_treated=250, hazard_control=1.4, accrual=1.0, followup=0.25),
        Logrank(adjust="none"), 10_000,
    ),
}  # fmt: skip
GATES = {
    "ancova": ("statsmodels", 15.0, 1.5),
    "logistic": ("statsmodels", 20.0, 2.0),
    "logrank": ("lifelines", 300.0, 5.0),
}
PLAIN = {"ancova": plain_ancova, "logistic": plain_logistic, "logrank": plain_logrank}
GRID_GATE = 12.0


def cpu(action: Callable[[], object]) -> float:
    """Seconds of CPU of this process and of its children."""
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    action()
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after, strict=True))


def best(action: Callable[[], object], times: int = 3) -> float:
    """The least of several."""
    return min(cpu(action) for _ in range(times))


def ours(name: str) -> float:
    """Milliseconds a trial."""
    scenario, analyser, trials = CASES[name]
    return best(lambda: simulate(scenario, [analyser], trials=trials)) / trials * 1e3


def peers(python: str) -> dict[str, Any]:
    """Milliseconds a trial, by peer."""
    done = subprocess.run([python, "-c", PEERS], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def grid(cells: int) -> dict[str, float]:
    """The grid on two processes."""
    effects = tuple(np.round(np.linspace(0.0, 0.5, max(1, cells // 20)), 3).tolist())
    made = Grid(
        base={"n_treated": 120}, analyses=(Ancova(),), trials=10_000,
        vary={"effect": effects, "correlation": (0.0, 0.3, 0.5, 0.7), "n_control": (40, 60, 80, 100, 120)},
    )  # fmt: skip
    patients = sum(scenario.patients for _, scenario in made.cells())
    began = time.monotonic()
    took = cpu(lambda: run_grid(made, processes=2))
    wall = time.monotonic() - began
    rng, block = np.random.default_rng(0), 1_000_000
    drawn = best(lambda: rng.standard_normal(block)) / block * patients * 2 * made.trials  # score and outcome
    return {
        "cells": float(len(made.cells())),
        "cpu_s": took,
        "wall_s": wall,
        "numpy_draws_s": drawn,
        "times_draws": took / drawn,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials_simulator", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peers", default=sys.executable, help="an interpreter that has statsmodels and lifelines")
    parser.add_argument("--cells", type=int, default=100)
    given = parser.parse_args()
    rounds = [(peers(given.peers), {name: ours(name) for name in CASES}) for _ in range(PAIRS)]
    figures: dict[str, Any] = {}
    passed = True
    for name, (peer, gate, plain_gate) in GATES.items():
        plain = best(lambda name=name: [PLAIN[name]() for _ in range(300)]) / 300 * 1e3  # type: ignore[misc]
        mine = float(np.median([held[name] for _, held in rounds]))
        figure: dict[str, Any] = {"ms_a_trial": mine, "plain_loop_ms": plain, "times_plain_loop": plain / mine}
        passed &= figure["times_plain_loop"] >= plain_gate
        if peer in rounds[0][0]:
            figure |= {"peer": f"{peer} {rounds[0][0][peer]['version']}"}
            figure["peer_ms"] = float(np.median([theirs[peer][name] for theirs, _ in rounds]))
            figure["times_peer"] = float(np.median([theirs[peer][name] / held[name] for theirs, held in rounds]))
            passed &= figure["times_peer"] >= gate
        else:
            figure["peer"] = f"{peer} is not installed: compared with a plain loop only"
        figures[name] = figure
    made = grid(given.cells)
    figures["grid"] = made | {"under_60_s_on_two_free_cores": made["cpu_s"] / 2.0 < 60.0}
    passed &= made["times_draws"] <= GRID_GATE
    if given.json:
        print(
            json.dumps({"schema": "medtwin/benchmarks/trials_simulator/1", "passed": bool(passed), **figures}, indent=1)
        )
    else:
        print(json.dumps(figures, indent=1))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
