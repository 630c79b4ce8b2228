"""Heartbeats a second: our fixed-step loop against diffrax's adaptive Tsit5 on the same equations at the same accuracy.

    python -m benchmarks.circulation [--json]

All run in one child process on one thread, since the figures are per core, and take turns, so that a busy machine slows
them alike. Both solve five beats of the four-chamber loop from the same states; the error is the greatest difference
of any volume or vessel pressure at the end from 8,000 steps a beat, as a share of its scale, the worst of 50 people.
diffrax takes the loosest tolerance with which it is at least as accurate as we are at 200 steps a beat. Gates are
ratios of CPU time a beat: a batch at least 20 times as fast, one person (64 bit) not slower, since there both pay
for the launch of some dozen small kernels a step, not for arithmetic. The cost of one look at the daily model (a
filter's 40 points) is printed, and gated at 50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

GATES = {"one_person": 1.0, "batch": 20.0}
LOOK_GATE_S = 0.050
BEATS = 5
STEPS = 200
BATCH = 512
DIFFRAX_BATCH = 50
TOLERANCES = (1e-3, 5e-4, 2e-4, 1e-4, 7e-5, 5e-5, 3e-5, 2e-5, 1e-5, 3e-6, 1e-6)


def cpu_seconds(run: Callable[[], Any], repeats: int) -> float:
    """Median CPU time of this process over ``repeats`` runs."""
    spent = []
    for _ in range(repeats):
        before = time.process_time()
        run()
        spent.append(time.process_time() - before)
    return statistics.median(spent)


def measure(rounds: int) -> dict[str, float]:
    """All figures, in this process."""
    from functools import partial

    import diffrax
    import jax
    import jax.numpy as jnp
    import numpy as np

    from medtwin.physiology.circulation import Circulation
    from medtwin.physiology.circulation_daily import CirculationDaily
    from medtwin.physiology.cycle import settle
    from medtwin.physiology.model import draw, parameters_at

    jax.config.update("jax_enable_x64", True)
    model = Circulation()
    sizes = {"right_atrial_volume": 50.0, "right_ventricular_volume": 100.0, "left_atrial_volume": 50.0,
             "left_ventricular_volume": 100.0, "pulmonary_artery_pressure": 15.0, "aortic_pressure": 100.0,
             "small_artery_pressure": 100.0}  # fmt: skip

    def ours(steps: int, beats: int = BEATS) -> Callable[[Any, Any], Any]:
        return jax.jit(lambda s, p: settle(model, s, p, cycles=beats, steps=steps).state)

    people = draw(model, jax.random.key(0), DIFFRAX_BATCH)
    start = ours(1000, 15)(model.initial(people), people)
    start = jax.tree.map(lambda x: 1.02 * x, start)  # away from the settled beat
    fine = ours(8000)(start, people)

    def error(final: Any) -> float:
        apart = [np.abs(np.asarray(getattr(final, n) - getattr(fine, n))).max() / size for n, size in sizes.items()]
        return float(max(apart))

    def field(t: Any, state: Any, parameters: Any) -> Any:
        return model.rates(t, model.project(state, parameters), parameters, {})

    def theirs(state: Any, parameters: Any, tolerance: Any) -> Any:
        end = BEATS * model.period(parameters)
        controller = diffrax.PIDController(rtol=tolerance, atol=tolerance)
        solved = diffrax.diffeqsolve(
            diffrax.ODETerm(field), diffrax.Tsit5(), 0.0, end, 1e-3, state, parameters, max_steps=200_000,
            stepsize_controller=controller, adjoint=diffrax.ForwardMode(),
        )  # fmt: skip
        return jax.tree.map(lambda x: x[-1], solved.ys), solved.stats["num_steps"]

    many = jax.jit(jax.vmap(theirs, in_axes=(0, 0, None)))
    target = error(ours(STEPS)(start, people))
    for tolerance in TOLERANCES:
        final, taken = many(start, people, tolerance)
        if error(final) <= target:
            break

    first = jax.tree.map(lambda x: x[0], (start, people))
    single, loop = jax.jit(theirs), ours(STEPS)
    crowd = draw(model, jax.random.key(1), BATCH)
    narrow = jax.tree.map(lambda x: x.astype(jnp.float32), crowd)
    daily = CirculationDaily()
    z = jax.random.normal(jax.random.key(2), (len(daily.inferred), 40, 1))
    points = parameters_at(daily, {name: z[i] for i, name in enumerate(daily.inferred)})
    points = jax.tree.map(lambda x: x if float(jnp.ptp(x)) > 0 else x[:1, :1], points)
    state = jax.tree.map(lambda x: jnp.zeros((40, 1)), daily.initial(points))
    look = jax.jit(lambda s, p: daily.observe(jnp.zeros(()), s, p))

    runs = {
        "ours_one_s": (partial(loop, *first), 1, 20),
        "diffrax_one_s": (partial(single, *first, tolerance), 1, 5),
        "ours_batch_64_bit_s": (partial(loop, model.initial(crowd), crowd), BATCH, 5),
        "ours_batch_32_bit_s": (partial(loop, model.initial(narrow), narrow), BATCH, 5),
        "diffrax_batch_s": (partial(many, start, people, tolerance), DIFFRAX_BATCH, 1),
        "look_of_40_points_s": (partial(look, state, points), 1.0 / BEATS, 10),
    }
    compiling = time.process_time()
    jax.block_until_ready(look(state, points))
    compiling = time.process_time() - compiling
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for run, _, _ in runs.values():
        jax.block_until_ready(run())
    for _ in range(rounds):
        for name, (run, persons, repeats) in runs.items():
            spent[name].append(cpu_seconds(lambda run=run: jax.block_until_ready(run()), repeats) / (persons * BEATS))
    return {name: statistics.median(values) for name, values in spent.items()} | {
        "error_ours": target,
        "error_diffrax": error(final),
        "diffrax_tolerance": float(tolerance),
        "diffrax_steps_a_beat": float(np.mean(np.asarray(taken))) / BEATS,
        "look_compile_s": compiling,
    }


def child(rounds: int) -> dict[str, float]:
    """Measure in a fresh process with one thread."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    }
    command = [sys.executable, "-m", "benchmarks.circulation", "--measure", str(rounds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the measuring process failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def report() -> dict[str, Any]:
    """All figures, ratios and verdicts."""
    figures = child(rounds=3)
    ratios = {
        "one_person": figures["diffrax_one_s"] / figures["ours_one_s"],
        "batch": figures["diffrax_batch_s"] / figures["ours_batch_64_bit_s"],
    }
    beats = {
        f"beats_per_core_second_{name}": 1.0 / figures[f"ours_{name}_s"]
        for name in ("one", "batch_64_bit", "batch_32_bit")
    }
    return {
        "benchmark": "circulation",
        "figures": figures | beats,
        "ratios": ratios,
        "gates": GATES | {"look_of_40_points_s": LOOK_GATE_S},
        "passed": all(ratios[name] >= gate for name, gate in GATES.items())
        and figures["error_diffrax"] <= figures["error_ours"]
        and figures["look_of_40_points_s"] <= LOOK_GATE_S,
    }


def main(arguments: list[str] | None = None) -> int:
    """Print the report; 0 when every gate is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.measure:
        print(json.dumps(measure(chosen.measure)))
        return 0
    found = report()
    if chosen.json:
        print(json.dumps(found))
        return 0 if found["passed"] else 1
    from rich.console import Console
    from rich.table import Table

    figures = found["figures"]
    table = Table(title="One heartbeat of the four-chamber loop (CPU time, medians)")
    for column in ("who", "a beat", "beats per core and second", "diffrax over ours", "gate"):
        table.add_column(column, justify="right" if column != "who" else "left")
    rows = (
        ("diffrax Tsit5, one person", "diffrax_one_s", None),
        (f"{STEPS} steps, one person", "ours_one_s", "one_person"),
        (f"diffrax Tsit5, batch of {DIFFRAX_BATCH}", "diffrax_batch_s", None),
        (f"{STEPS} steps, batch of {BATCH}, 64 bit", "ours_batch_64_bit_s", "batch"),
        (f"{STEPS} steps, batch of {BATCH}, 32 bit", "ours_batch_32_bit_s", None),
    )
    for words, name, gate in rows:
        ratio = (f"{found['ratios'][gate]:,.0f}", f"{GATES[gate]:,.0f}") if gate else ("", "")
        table.add_row(words, f"{1e6 * figures[name]:,.1f} us", f"{1 / figures[name]:,.0f}", *ratio)
    console = Console()
    console.print(table)
    console.print(
        f"errors: ours {figures['error_ours']:.1e}, diffrax {figures['error_diffrax']:.1e} "
        f"(tolerance {figures['diffrax_tolerance']:g}, {figures['diffrax_steps_a_beat']:.0f} steps a beat); one look "
        f"of 40 points at the daily model {1e3 * figures['look_of_40_points_s']:.1f} ms, compiled in "
        f"{figures['look_compile_s']:.1f} s; {'passed' if found['passed'] else 'FAILED'}"
    )
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
