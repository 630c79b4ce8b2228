"""The filter's own cost: updates and replays against only propagating the same sigma points. CPU time, medians.

    python -m benchmarks.filter_update [--json]

Model: glucose and insulin, minutes, 64 bit; a reading every five minutes; state, shown and hidden parameters in the
vector. Three banks: one hypothesis with the shown parameters alone, one hypothesis with all, and the five as shipped.
"Only propagating" carries the very same points (as many hypotheses, parameters and people, in the same blocks) through
the model's steps and does nothing else. Both gates hold for each:

- one update (five minutes and a reading) of 1,000 people: at most 2.5 times only propagating;
- 24 hours of one person: at most 3 times one forward pass of the points.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from medtwin.inference import tape as tapes
from medtwin.inference.hypotheses import SINGLE
from medtwin.inference.problem import Problem, problem
from medtwin.inference.shipped import glucose_update
from medtwin.inference.tape import Tape
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import BLOCK, run, start
from medtwin.physiology.glucose_insulin import GlucoseInsulin

UPDATE_GATE, REPLAY_GATE = 2.5, 3.0
PEOPLE, UPDATES, REPEATS = 1000, 12, 9


def day(batch: tuple[int, ...], steps: int) -> Tape:
    """Meals, boluses, a basal rate, and a reading every five minutes."""
    rng = np.random.default_rng(0)
    tape = tapes.blank(GlucoseInsulin(), steps, batch)
    tape.inputs["insulin_basal_rate"][...] = 0.9
    for minute in range(20, steps, 300):
        tape.inputs["carbohydrate_intake"][minute : minute + 10] = 5.0
        tape.inputs["insulin_bolus"][minute] = 4.0
    reading = tape.readings["glucose"]
    reading.value[...] = 130.0 + 10.0 * rng.normal(size=reading.value.shape)
    reading.sd[...] = 8.0
    reading.present[4::5] = True
    return tapes.typed(tape)


@eqx.filter_jit
def propagate(posed: Problem, state: Any, values: Any, tape: Tape) -> Any:
    """The points of all blocks through the model's steps: leaves ``[block, point, hypothesis, person]``."""

    def block(mine: tuple[Any, Any, Any]) -> Any:
        state, values, inputs = mine
        parameters = posed.parameters(values, jax.tree.leaves(state)[0])

        def step(state: Any, now: tuple[Any, Any]) -> tuple[Any, None]:
            i, held = now
            t = tape.start + i.astype(float)
            held = {name: value[None, None] for name, value in held.items()}
            return posed.model.step(t, jnp.asarray(1.0), state, parameters, held), None

        return jax.lax.scan(step, state, (jnp.arange(tape.steps), inputs))[0]

    return jax.lax.map(block, (state, values, _blocks(tape.inputs)))


def _blocks(tree: Any) -> Any:
    """The last axis cut into the filter's own blocks, which come first."""

    def cut(leaf: Any) -> Any:
        flat = leaf.reshape(*leaf.shape[:-1], -1) if leaf.ndim > 1 else leaf[..., None]
        people = flat.shape[-1]
        size = max(k for k in range(1, BLOCK + 1) if people % k == 0)
        return jnp.moveaxis(flat.reshape(*flat.shape[:-1], people // size, size), -2, 0)

    return jax.tree.map(cut, tree)


def cpu(work: Any) -> float:
    """Milliseconds of CPU, the median of several runs after one that compiles."""
    jax.block_until_ready(work())
    times = []
    for _ in range(REPEATS):
        before = time.process_time()
        jax.block_until_ready(work())
        times.append(time.process_time() - before)
    return float(np.median(times)) * 1e3


def case(posed: Problem, update: Unscented, people: int | None, steps: int) -> tuple[float, float]:
    """(only propagating, the filter), milliseconds."""
    batch = () if people is None else (people,)
    tape, belief = day(batch, steps), start(update, posed, batch)
    flat = lambda leaf, lead: leaf.reshape(*leaf.shape[:lead], people or 1)  # noqa: E731
    points = update._points(posed, flat(belief.mean, 2), flat(belief.memory, 2), flat(belief.root, 3))
    state, values = _blocks(points)
    return cpu(lambda: propagate(posed, state, values, tape)), cpu(lambda: run(update, posed, belief, tape))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filter_update", description=__doc__)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    shipped = glucose_update()
    assert isinstance(shipped, Unscented)
    weight = {"body_weight": 75.0}
    banks = {
        "one hypothesis, shown parameters": (problem(GlucoseInsulin(), weight, hidden=()), Unscented(bank=SINGLE)),
        "one hypothesis, all parameters": (problem(GlucoseInsulin(), weight), Unscented(bank=SINGLE)),
        "as shipped": (problem(GlucoseInsulin(), weight), shipped),
    }
    rows = []
    for name, (posed, update) in banks.items():
        forward, updates = case(posed, update, PEOPLE, UPDATES * 5)
        through, replay = case(posed, update, None, 1440)
        rows.append(
            {
                "bank": name,
                "hypotheses": len(update.bank),
                "points": 2 * posed.size + 1,
                "propagate_1000_ms": forward / UPDATES,
                "update_1000_ms": updates / UPDATES,
                "update_ratio": updates / forward,
                "forward_24h_ms": through,
                "replay_24h_ms": replay,
                "replay_ratio": replay / through,
            }
        )
    passed = all(r["update_ratio"] <= UPDATE_GATE and r["replay_ratio"] <= REPLAY_GATE for r in rows)  # type: ignore[operator]
    if given.json:
        print(json.dumps({"gates": {"update": UPDATE_GATE, "replay": REPLAY_GATE}, "rows": rows, "passed": passed}))
    else:
        for r in rows:
            print(
                f"{r['bank']}: {r['hypotheses']} x {r['points']} points\n"
                f"  update of 1,000 people {r['update_1000_ms']:.1f} ms CPU, only propagating {r['propagate_1000_ms']:.1f} ms: "
                f"{r['update_ratio']:.2f} times (at most {UPDATE_GATE})\n"
                f"  24 h of one person {r['replay_24h_ms']:.1f} ms CPU, forward pass {r['forward_24h_ms']:.1f} ms: "
                f"{r['replay_ratio']:.2f} times (at most {REPLAY_GATE})"
            )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
