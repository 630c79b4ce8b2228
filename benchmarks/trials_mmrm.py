"""The mixed model for repeated measures against one dense Cholesky pass over the same subjects. CPU time, medians.

    python -m benchmarks.trials_mmrm [--json]

One pass: every subject's own covariance matrix is factored and its design and outcome are solved by it, all subjects
stacked (``numpy.linalg.cholesky`` and ``numpy.linalg.solve``): what one evaluation of the likelihood costs at least where
subjects share nothing. A fit is everything from arrays in memory to an estimate with its degrees of freedom, unstructured
covariance, REML, converged to a Newton decrement below 1e-16. Gates, at 1,000 subjects by 10 visits and at 200 by 4 with a
fifth of the outcomes missing at random:

- without a step for the degrees of freedom (between-within): at most 15 passes (1,000 x 10) and 35 (200 x 4);
- with Kenward-Roger (and its second-order term): at most 17 passes and 40.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from medtwin.trials.mmrm import fit

#: (subjects, visits) -> passes allowed without and with Kenward-Roger
GATES = {(200, 4): (35.0, 40.0), (1000, 10): (15.0, 17.0)}
REPEATS = 11


def trial(subjects: int, visits: int) -> tuple[Any, ...]:
    """(outcome, design, subject, visit): arm by visit and a baseline value; a fifth of the outcomes missing."""
    rng = np.random.default_rng(0)
    time_ = np.arange(visits)
    spread = 2.0 + 0.2 * time_
    root = np.linalg.cholesky((0.3 + 0.7 * 0.8 ** abs(time_[:, None] - time_)) * np.outer(spread, spread))
    arm, base = np.arange(subjects) % 2, rng.normal(size=subjects)
    y = base[:, None] + 0.1 * arm[:, None] * time_ + rng.normal(size=(subjects, visits)) @ root.T
    y[rng.random(y.shape) < 0.2] = np.nan
    s, v = np.repeat(np.arange(subjects), visits), np.tile(time_, subjects)
    x = np.column_stack(
        [(v == k) & (np.repeat(arm, visits) >= j) for j in (0, 1) for k in time_] + [np.repeat(base, visits)]
    )
    return y.ravel(), x.astype(float), s, v


def cpu(work: Callable[[], object]) -> float:
    """Milliseconds of CPU, the median of several runs after one that warms."""
    work()
    times = []
    for _ in range(REPEATS):
        before = time.process_time()
        work()
        times.append(time.process_time() - before)
    return float(np.median(times)) * 1e3


def dense_pass(subjects: int, visits: int, columns: int) -> Callable[[], object]:
    """Factor and solve for each subject."""
    rng = np.random.default_rng(1)
    sigma = np.tile(np.eye(visits) + 0.5, (subjects, 1, 1))
    values = rng.normal(size=(subjects, visits, columns))
    return lambda: np.linalg.solve(np.linalg.cholesky(sigma), values)


def case(subjects: int, visits: int) -> dict[str, float]:
    data = trial(subjects, visits)
    columns = data[1].shape[1]
    last = np.eye(columns)[2 * visits - 1]
    once = cpu(dense_pass(subjects, visits, columns + 1))
    figures = {"subjects": float(subjects), "visits": float(visits), "pass_ms": once}
    for name, degrees in (
        ("plain", "between-within"),
        ("satterthwaite", "satterthwaite"),
        ("kenward_roger", "kenward-roger"),
    ):
        took = cpu(lambda degrees=degrees: fit(*data, degrees=degrees).estimate(last, "last visit"))  # type: ignore[misc]
        figures |= {f"{name}_ms": took, f"{name}_passes": took / once}
    own = fit(*data)
    return figures | {"newton_steps": float(own.iterations), "decrement": own.decrement}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials_mmrm", description=__doc__)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = [case(*size) for size in GATES]
    passed = all(
        row["plain_passes"] <= plain and row["kenward_roger_passes"] <= adjusted
        for row, (plain, adjusted) in zip(rows, GATES.values(), strict=True)
    )
    if given.json:
        gates = [{"subjects": n, "visits": m, "plain": a, "kenward_roger": b} for (n, m), (a, b) in GATES.items()]
        print(json.dumps({"gates": gates, "rows": rows, "passed": passed}))
    else:
        for row, (plain, adjusted) in zip(rows, GATES.values(), strict=True):
            print(
                f"{row['subjects']:.0f} x {row['visits']:.0f}: one pass {row['pass_ms']:.2f} ms CPU, "
                f"{row['newton_steps']:.0f} Newton steps\n"
                f"  fit {row['plain_ms']:.1f} ms: {row['plain_passes']:.1f} passes (at most {plain:.0f})\n"
                f"  with Satterthwaite {row['satterthwaite_ms']:.1f} ms: {row['satterthwaite_passes']:.1f} passes\n"
                f"  with Kenward-Roger {row['kenward_roger_ms']:.1f} ms: {row['kenward_roger_passes']:.1f} passes "
                f"(at most {adjusted:.0f})"
            )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
