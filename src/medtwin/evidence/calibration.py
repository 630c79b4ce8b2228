"""Simulation-based calibration of the parameters that a person gets to see.

Run: ``python -m medtwin.evidence.calibration [--people 400] [--days 3]``; writes ``docs/evidence/calibration.md`` and
``src/medtwin/evidence/calibration.json``, which the page reads: a parameter whose 90 % interval covers less than 86 % or
more than 94 % of truths is withheld.

Method (Talts et al. 2018, arXiv:1804.06788; Cook, Gelman & Rubin 2006). People are drawn from a model's whole prior: its
inferred parameters, those that are never shown, the state. They live with the model's process noise and are read with
the stated error; the shipped filter follows. The rank of each truth in its belief (probability of less than the truth) is then
uniform if, and only if on average, beliefs are as sure as they should be. Forecasts cannot show this: they can be calibrated
while parameters are far too sure. People's parameters stay the same here; the filter lets them drift a little.

It sees over-confidence of the method, not a wrong model: for that other equations are needed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from medtwin.evidence.following import follow, placed
from medtwin.evidence.lives import live
from medtwin.inference import tape as tapes
from medtwin.inference.belief import Mixture
from medtwin.inference.problem import Problem, problem
from medtwin.inference.shipped import circulation_update
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import run, start
from medtwin.physiology.circulation_daily import CirculationDaily
from medtwin.physiology.model import draw
from medtwin.statistics.coverage import central
from medtwin.statistics.ranks import uniformity
from medtwin.twin.choice import structure

Array = NDArray[np.float64]
LOWEST, HIGHEST, LEVEL = 0.86, 0.94, 0.9
HERE = Path(__file__).parent
DIALECT = "medtwin-calibration/1"
GLUCOSE_MODELS = {
    "glucose_insulin": "Glucose and insulin", "glucose_meals": "Meals by the hour, with exercise",
    "glucose_type_2": "Glucose with own insulin",
}  # fmt: skip
CUFF = {"systolic_pressure": 8.0, "diastolic_pressure": 8.0, "heart_rate": 3.0}  # sd of one reading


@dataclass(frozen=True)
class Row:
    """How the intervals of one parameter did at one moment."""

    model: str
    parameter: str
    level: float
    coverage: float
    low: float  #: exact 95 % interval of the coverage
    high: float
    n: int
    days: float
    spread: float  #: mean posterior sd of the deviate; 1 is the prior's
    histogram: tuple[int, ...]
    uniform_p: float  #: Kolmogorov's test of uniform ranks
    shown: bool


def row(model: str, parameter: str, rank: Array, spread: Array, days: float) -> Row:
    """The figures of one parameter from its ranks. One that is not finite, where the filter failed, counts as missed."""
    covered, shape = central(np.where(np.isfinite(rank), rank, 0.0), LEVEL), uniformity(rank)
    return Row(
        model=model,
        parameter=parameter,
        level=LEVEL,
        coverage=covered.value,
        low=covered.low,
        high=covered.high,
        n=covered.trials,
        days=days,
        spread=float(np.nanmean(spread)),
        histogram=shape.counts,
        uniform_p=shape.deviation_p,
        shown=LOWEST <= covered.value <= HIGHEST,
    )


def glucose(name: str, people: int, days: int, seed: int) -> tuple[list[Row], list[str]]:
    """A sensor, meals and, of a model of people who inject insulin, a pump in closed loop; the figures after each day."""
    model, update = structure(name)
    posed = problem(model)
    lives = live(posed, people, days, seed, injects=name != "glucose_type_2")
    assert isinstance(update, Unscented)
    followed = follow(lives, posed, update, note=_note(name))
    rows = [
        row(name, parameter, followed.rank[day, k], followed.deviate_sd[day, k], day + 1.0)
        for day in range(days)
        for k, parameter in enumerate(posed.shown)
    ]
    ranks = followed.reading_rank[np.isfinite(followed.reading_rank)]
    covered = central(ranks, LEVEL)
    notes = [
        f"Readings: 90 % predictive intervals, five minutes ahead, cover {covered.value:.1%} of {covered.trials:,}; "
        f"mean squared innovation over its predicted variance {np.nanmean(followed.nis):.2f}.",
        f"Covariances that had to be mended: {followed.repairs}.",
    ]
    if lost := int((~np.isfinite(followed.rank[-1])).any(0).sum()):
        notes.append(
            f"{lost} of {people} people have no finite belief at the end: the filter failed, which counts as missed."
        )
    return rows, notes


@eqx.filter_jit
def _drift(posed: Problem, state: Any, parameters: Any, key: Any, steps: int) -> Any:
    """States after each step, with process noise."""
    model = posed.model
    dt = jnp.asarray(model.clock.step, float)

    def step(state: Any, i: Any) -> Any:
        after = model.step(i.astype(dt.dtype) * dt, dt, state, parameters, {})
        packed = posed.pack(after, state.tone.shape)
        noise = posed.noise_sd(after, parameters, state.tone.shape) * jnp.sqrt(dt)
        packed = packed + noise * jax.random.normal(jax.random.fold_in(key, i), packed.shape)
        after = model.project(posed.unpack(packed, posed.recall(after, state.tone.shape)), parameters)
        return after, after

    return jax.lax.scan(step, state, jnp.arange(steps))[1]


@eqx.filter_jit
def _look(posed: Problem, state: Any, parameters: Any) -> Any:
    return posed.model.observe(jnp.asarray(0.0), state, parameters)


def circulation(people: int, seed: int, days: int = 15) -> tuple[list[Row], list[str]]:
    """Two cuff readings a day, with pulse, for two weeks."""
    model = CirculationDaily()
    posed, update, block = problem(model), circulation_update(), 50
    assert isinstance(update, Unscented)
    steps = round(days / model.clock.step)
    rng = np.random.default_rng(seed)
    parameters = draw(model, jax.random.PRNGKey(seed), people)
    truth = np.stack([np.asarray(posed.curves[k].deviate(getattr(parameters, k))) for k in posed.inferred])
    rest = posed.pack(model.initial(parameters), (people,))
    begin = rest + np.asarray(posed.spread)[:, None] * rng.standard_normal(rest.shape)
    state = posed.unpack(begin, jnp.zeros((0, people)))
    path = _drift(posed, state, parameters, jax.random.PRNGKey(seed + 1), steps)
    tape = tapes.blank(model, steps, (people,))
    for place in np.concatenate([np.arange(7, steps, 24), np.arange(19, steps, 24)]):
        seen = _look(posed, jax.tree.map(lambda leaf, place=place: leaf[place], path), parameters)
        for name, sd in CUFF.items():
            reading = tape.readings[name]
            reading.value[place] = np.asarray(seen[name]) + sd * rng.standard_normal(people)
            reading.sd[place], reading.present[place] = sd, True
    ranks, spreads, note = [], [], _note("circulation")
    for first in range(0, people, block):
        who = np.minimum(np.arange(first, first + block), people - 1)
        real = min(block, people - first)
        mine = jax.tree.map(lambda x, who=who: x[..., who] if np.ndim(x) and x.shape[-1] == people else x, tape)
        belief, _ = run(update, posed, start(update, posed, (block,)), mine)
        assert isinstance(belief, Mixture)
        rank, spread = placed(posed, belief, truth[: len(posed.shown)][:, who], real)
        ranks.append(rank)
        spreads.append(spread)
        note(first + real, people)
    rank, spread = np.concatenate(ranks, 1), np.concatenate(spreads, 1)
    rows = [row(model.name, name, rank[k], spread[k], float(days)) for k, name in enumerate(posed.shown)]
    return rows, [f"Readings: {', '.join(f'{name} (sd {sd:g})' for name, sd in CUFF.items())}, twice a day."]


def _note(what: str) -> Any:
    def note(done: int, of: int) -> None:
        print(f"{what}: {done} of {of} people", file=sys.stderr, flush=True)

    return note


def page(studies: dict[str, tuple[list[Row], list[str]]], command: str) -> str:
    """The report, Markdown."""
    lines = [
        "# Calibration of parameters",
        "",
        f"Generated by `{command}`; do not edit. Method: `medtwin/evidence/calibration.py`.",
        "",
        "People drawn from a model's whole prior are followed by the filter as shipped. A 90 % interval should hold the "
        "truth in 90 % of them; outside 86 to 94 % a parameter is withheld from the page. `spread` is the posterior's "
        "mean standard deviation over the prior's: near 1, nothing was learnt, and a covering interval is then the prior's.",
    ]
    for title, (rows, notes) in studies.items():
        last = max(r.days for r in rows)
        lines += ["", f"## {title}", ""]
        lines += [
            "| parameter | days | n | coverage of 90 % (exact 95 % interval) | spread | ranks, ten bins | uniform p | |"
        ]
        lines += ["|---|---|---|---|---|---|---|---|"]
        for r in rows:
            verdict = "" if r.days < last else "shown" if r.shown else "**withheld**"
            lines.append(
                f"| {r.parameter} | {r.days:g} | {r.n} | {r.coverage:.1%} ({r.low:.1%} to {r.high:.1%}) | {r.spread:.2f} "
                f"| {' '.join(str(c) for c in r.histogram)} | {r.uniform_p:.3f} | {verdict} |"
            )
        lines += [""] + [f"- {note}" for note in notes]
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Run the studies and write what the page and the reader see."""
    parser = argparse.ArgumentParser(prog="python -m medtwin.evidence.calibration", description=__doc__)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--report", type=Path, default=Path("docs/evidence/calibration.md"))
    parser.add_argument("--json", type=Path, default=HERE / "calibration.json")
    given = parser.parse_args(argv)
    jax.config.update("jax_enable_x64", True)
    studies = {
        **{title: glucose(name, given.people, given.days, given.seed) for name, title in GLUCOSE_MODELS.items()},
        "Circulation, from a cuff": circulation(given.people, given.seed),
    }
    rows = [r for study, _ in studies.values() for r in study if r.days == max(s.days for s in study)]
    filters = {name: repr(structure(name)[1]) for name in GLUCOSE_MODELS}
    filters["circulation_daily"] = repr(circulation_update())
    content = {"dialect": DIALECT, "seed": given.seed, "filters": filters, "parameters": [asdict(r) for r in rows]}
    given.json.write_text(json.dumps(content, indent=1) + "\n")
    command = f"python -m medtwin.evidence.calibration --people {given.people} --days {given.days} --seed {given.seed}"
    given.report.write_text(page(studies, command))
    print(given.report.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
