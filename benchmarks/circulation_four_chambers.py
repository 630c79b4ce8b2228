"""The four-chamber circulation: beats of 1,000 patients, personalisation of a patient, compilation cold and from the cache.

    python -m benchmarks.circulation_four_chambers [--json]

Everything runs in child processes on one thread. 1,000 draws of the prior run 20 beats in 32 bit at 100 steps a beat; the error
is that of the end-diastolic volume against 1,000 steps in 64 bit (median of the people, since a prior draw may be stiff).
Personalisation: a block of 32 people with ten readings each. Compilation: the same 20 beats in a fresh process with an empty
cache, and again with that cache. Gates are the targets of the circulation's issue; what misses them is printed as missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

GATES = {"beats_cpu_s": 0.3, "personalise_cpu_s_per_patient": 0.3, "compile_cold_s": 8.0, "compile_cached_s": 1.0}
PEOPLE, BEATS, STEPS = 1000, 20, 100


def beats() -> dict[str, float]:
    """CPU seconds of 1,000 patients by 20 beats, and of compiling it, in this process."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from medtwin.physiology.circulation_beat import LOOP
    from medtwin.physiology.cycle import settle
    from medtwin.physiology.model import draw

    jax.config.update("jax_enable_x64", True)
    people = draw(LOOP, jax.random.key(0), PEOPLE)
    start = LOOP.initial(people)
    narrow = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (start, people))

    def run(steps: int) -> Any:
        watch = lambda s: {"volume": s.left_ventricular_volume}  # noqa: E731
        return jax.jit(lambda s, p: settle(LOOP, s, p, cycles=BEATS, steps=steps, watch=watch).high["volume"])

    ours = run(STEPS)
    before = time.process_time()
    compiled = ours.lower(*narrow).compile()
    compiling = time.process_time() - before
    compiled(*narrow).block_until_ready()
    spent = []
    for _ in range(5):
        before = time.process_time()
        volume = compiled(*narrow).block_until_ready()
        spent.append(time.process_time() - before)
    if os.environ.get("ONLY_COMPILE"):
        return {"compile_s": compiling}
    fine = run(1000)(start, people)
    error = np.abs(np.asarray(volume) / np.asarray(fine) - 1.0)
    whole = np.isfinite(error)
    return {"compile_s": compiling, "beats_cpu_s": min(spent), "edv_error_median": float(np.median(error[whole])),
            "share_finite": float(whole.mean())}  # fmt: skip


def personalised() -> dict[str, float]:
    """CPU seconds a patient of one block, compiled."""
    import medtwin.twin  # noqa: F401 - 64 bit
    from medtwin.inference.haemodynamics import BLOCK, personalise

    one = {"heart_rate": 68.0, "diastolic_pressure": 76.0, "cardiac_output": 5.6, "left_ventricular_ejection_fraction": 62.0,
           "left_ventricular_end_diastolic_volume": 145.0, "pulmonary_artery_systolic_pressure": 21.0,
           "pulmonary_artery_diastolic_pressure": 9.0, "pulmonary_wedge_pressure": 8.0,
           "right_atrial_mean_pressure": 4.0}  # fmt: skip
    people = [one | {"systolic_pressure": 110.0 + i} for i in range(BLOCK)]
    before = time.process_time()
    personalise(people)
    first = time.process_time() - before
    before = time.process_time()
    found = personalise(people)
    spent = time.process_time() - before
    return {"personalise_cpu_s_per_patient": spent / BLOCK, "personalise_first_call_cpu_s": first,
            "personalise_settled": sum(b.settled for b in found) / BLOCK}  # fmt: skip


def child(what: str, cache: str, **more: str) -> dict[str, float]:
    """One part in a process of its own, on one thread."""
    environment = os.environ | {
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
        "JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    } | more  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.circulation_four_chambers", "--part", what],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.circulation_four_chambers", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=("beats", "personalised"))
    given = parser.parse_args()
    if given.part:
        print(json.dumps(beats() if given.part == "beats" else personalised()))
        return 0
    with tempfile.TemporaryDirectory() as cache:
        figures = child("beats", cache)
        figures["compile_cold_s"] = figures.pop("compile_s")
        figures["compile_cached_s"] = child("beats", cache, ONLY_COMPILE="1")["compile_s"]
        figures |= child("personalised", cache)
    missed = [name for name, gate in GATES.items() if figures[name] > gate]
    if given.json:
        print(json.dumps({"figures": figures, "gates": GATES, "missed": missed}))
    else:
        for name, value in figures.items():
            gate = f"  (gate {GATES[name]:g}{', MISSED' if name in missed else ''})" if name in GATES else ""
            print(f"{name:36s} {value:.4g}{gate}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
