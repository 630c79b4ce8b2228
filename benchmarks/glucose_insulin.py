"""S2008 against simglucose's own patient: one patient-day, the same meals and boluses, CPU time.

    python -m benchmarks.glucose_insulin [--json]

All run in one child process on one thread, since the figures are per core, and take turns, so that a busy machine
slows them alike. Gates are ratios: one patient at least 1,000 times as fast as simglucose (64 bit), a batch in 32 bit
at least 50,000 times per patient-day. simglucose steps its patient minute by minute, as its users do; we return the
sensor glucose every five minutes. Compiled and warm. The same day is compared: their glucose and ours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

GATES = {"one_patient": 1_000.0, "batch_32_bit": 50_000.0}
MINUTES = 1440
MEALS = ((420, 45.0, 4.0), (720, 70.0, 6.0), (1110, 80.0, 7.0))
BASAL = 0.02  # U/min
BATCH = 2048
SUBJECT = "adult#001"


def cpu_seconds(run: Callable[[], Any], repeats: int = 1) -> float:
    """Median CPU time of this process over ``repeats`` runs."""
    spent = []
    for _ in range(repeats):
        before = time.process_time()
        run()
        spent.append(time.process_time() - before)
    return statistics.median(spent)


def simglucose_day() -> list[float]:
    """One day of one subject of simglucose: sensor glucose every minute."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from simglucose.patient.t1dpatient import Action, T1DPatient
    patient = T1DPatient.withName(SUBJECT)
    boluses = {minute: (grams, units) for minute, grams, units in MEALS}
    seen = []
    for minute in range(MINUTES):
        grams, units = boluses.get(minute, (0.0, 0.0))
        patient.step(Action(insulin=BASAL + units, CHO=grams))
        seen.append(float(patient.observation.Gsub))
    return seen


def measure(rounds: int) -> dict[str, float]:
    """All figures, in this process: medians over rounds in which the three take turns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import simglucose
    import jax
    import jax.numpy as jnp
    import numpy as np

    from medtwin.physiology.exposures import Grid, basal, bolus, inputs, meal
    from medtwin.physiology.glucose_insulin import GlucoseInsulin
    from medtwin.physiology.glucose_insulin_subjects import parameters_of, read_subjects
    from medtwin.physiology.model import draw, simulate

    model = GlucoseInsulin()
    given = [basal(0.0, BASAL * 60)]
    for minute, grams, units in MEALS:
        given += [*meal(minute * 60.0, carbohydrate=grams), bolus(minute * 60.0, units)]
    held = inputs(given, model.accepts, Grid(start=0.0, step=60.0, count=MINUTES), unit=60.0)
    table = Path(simglucose.__file__).parent / "params" / "vpatient_params.csv"

    @jax.jit
    def day(state: Any, parameters: Any, held: Any) -> Any:
        return simulate(model, state, parameters, held, every=5)

    def prepared(wide: bool, parameters: Callable[[], Any]) -> Callable[[], Any]:
        with jax.enable_x64(wide):
            person = parameters()
            arguments = (model.initial(person), person, {name: jnp.asarray(value) for name, value in held.items()})

        def run() -> Any:
            with jax.enable_x64(wide):
                return jax.block_until_ready(day(*arguments))

        run()  # compiled and warm
        return run

    one = prepared(True, lambda: parameters_of(read_subjects(table)[SUBJECT]))
    batch = prepared(False, lambda: draw(model, jax.random.key(0), BATCH))
    seen, theirs = np.asarray(one()[1]["glucose"]), np.array(simglucose_day())[4::5]
    assert seen.dtype == np.float64
    assert batch()[1]["glucose"].dtype == np.float32
    turns = [(cpu_seconds(simglucose_day), cpu_seconds(one, 15), cpu_seconds(batch, 5)) for _ in range(rounds)]
    theirs_s, one_s, batch_s = (statistics.median(column) for column in zip(*turns, strict=True))
    return {
        "simglucose_s": theirs_s,
        "one_patient_s": one_s,
        "batch_32_bit_s": batch_s / BATCH,
        "swing_mg_dl": float(np.ptp(theirs)),
        "largest_difference_mg_dl": float(np.abs(seen - theirs).max()),
    }


def child(rounds: int) -> dict[str, float]:
    """Measure in a fresh process with one thread."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    }
    command = [sys.executable, "-m", "benchmarks.glucose_insulin", "--measure", str(rounds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the measuring process failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def report() -> dict[str, Any]:
    """All figures, ratios and verdicts."""
    figures = child(rounds=3)
    ratios = {name: figures["simglucose_s"] / figures[f"{name}_s"] for name in GATES}
    return {
        "benchmark": "glucose_insulin",
        "figures": figures | {"patient_days_per_core_second": 1.0 / figures["batch_32_bit_s"]},
        "ratios": ratios,
        "gates": GATES,
        "passed": all(ratios[name] >= gate for name, gate in GATES.items())
        and figures["largest_difference_mg_dl"] <= 0.1,
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
    table = Table(title="One patient-day of S2008 (CPU time, medians)")
    for column in ("who", "per patient-day", "times simglucose", "gate"):
        table.add_column(column, justify="right" if column != "who" else "left")
    table.add_row("simglucose, patient only", f"{figures['simglucose_s']:.2f} s", "1", "")
    for name, words in (
        ("one_patient", "one patient, 64 bit"),
        ("batch_32_bit", f"batch of {BATCH}, 32 bit, per core"),
    ):
        table.add_row(
            words, f"{1e3 * figures[f'{name}_s']:.3f} ms", f"{found['ratios'][name]:,.0f}", f"{GATES[name]:,.0f}"
        )
    console = Console()
    console.print(table)
    console.print(
        f"{figures['patient_days_per_core_second']:,.0f} patient-days per core and second; largest difference from "
        f"simglucose {figures['largest_difference_mg_dl']:.3f} mg/dL; {'passed' if found['passed'] else 'FAILED'}"
    )
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
