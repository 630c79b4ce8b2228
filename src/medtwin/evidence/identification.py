"""Is identification as sure as it should be, and what does it find of people whose equations it does not know?

Run: ``python -m medtwin.evidence.identification [--people 48] [--days 5] [--world 6] [--real FOLDER]``; writes
``docs/evidence/identification.md`` and, beside this file, ``identification.json``: ``medtwin identify`` shows no parameter whose
90 % interval covers less than 86 % or more than 94 % there (of the two kinds of sensor the worse counts).

Three looks, each at what the one before it cannot see:

- *calibration* (Talts et al. 2018, arXiv:1804.06788): people drawn from the model's own prior with the mismatch that the method
  assumes (:mod:`medtwin.evidence.identified`), and the same with Breton2008's sensor error, which it does not assume. The rank of
  each truth in its posterior is uniform where posteriors are as sure as they should be; 90 % intervals are to cover 86 to 94 %.
- *other equations*: people of :mod:`medtwin.worlds` (a Hovorka body). There are no true parameters; the identified model
  replays the days after those it was fitted to, told their meals and insulin, beside the same model at its prior's median and
  the person's mean.
- *real people* of T1D-UOM where the folder is there, the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from medtwin import worlds
from medtwin.evidence.calibration import HIGHEST, LOWEST, Row, row
from medtwin.evidence.identified import live
from medtwin.evidence.other_equations import ingested
from medtwin.inference.identification import ROUNDS, START_SPREAD, STARTS, WIDER, draws, identify, modes, window
from medtwin.inference.mismatch import Mismatch
from medtwin.physiology.glucose_meals import GlucoseMeals
from medtwin.physiology.model import Model
from medtwin.record import Record
from medtwin.statistics.ranks import among
from medtwin.twin.identify import Identification, identify_patient, tape_of

BLOCK, DRAWS = 16, 999
START = datetime(2026, 1, 5, tzinfo=UTC)
HERE = Path(__file__).parent
MAPPING = Path("docs/mappings/t1d_uom.yaml")


@dataclass(frozen=True)
class Calibration:
    """Rows of one kind of sensor error, and what else was seen."""

    sensor: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Later:
    """How a person's replay did on the days after those it was fitted to; RMSE in mg/dL."""

    person: str
    withheld: str | None
    fitted: float
    later: float
    prior: float  #: of the model at its prior's median
    mean: float  #: of the mean of the fitted days
    readings: int
    edge: int
    notes: tuple[str, ...]


def calibrate(
    model: Model, people: int, days: int, seed: int, *, sensor: str = "assumed", starts: int = STARTS
) -> Iterator[Calibration]:
    """Ranks of the truths of people drawn from the prior: after each block those of all so far, as if no more had been asked."""
    ranks, spreads, at_best, several, settled = [], [], 0, 0, []
    rng = np.random.default_rng(seed)
    names: tuple[str, ...] = ()
    for first in range(0, people, BLOCK):
        lived = live(model, BLOCK, days, seed + first, sensor=sensor)
        held = window(lived.tape, dt=model.clock.step, readings=days * 288)
        found = identify(lived.replay, held, jax.random.PRNGKey(first), starts=starts)
        names = found.names
        for i in range(min(BLOCK, people - first)):
            ranks.append(among(draws(found, i, DRAWS, first + i, WIDER).T, lived.truth[:, i], rng))
            spreads.append(np.sqrt(np.diagonal(found.covariance[i])))
            weights = modes(found, i)
            several += len(weights) > 1
            at_best += weights[0].starts
        settled.append(found.settled.mean())
        print(f"calibration, {sensor}: {min(first + BLOCK, people)} of {people} people", file=sys.stderr, flush=True)
        rank, spread = np.stack(ranks), np.stack(spreads)
        rows = tuple(
            row(model.name, name, rank[:, k], spread[:, k], float(days))
            for k, name in enumerate(names)
            if name in model.inferred
        )
        notes = (
            f"{several} of {len(ranks)} people have more than one mode; {at_best / len(ranks) / starts:.0%} of starts end in the "
            "heaviest.",
            f"{np.mean(settled):.0%} of climbs came to their end within the iterations allowed.",
        )
        yield Calibration(sensor, rows, notes)


def settings() -> dict[str, str]:
    """What the figures hold for: change one of these, and the study is to be run again."""
    return {
        "mismatch": repr(Mismatch()),
        "rounds": repr(ROUNDS),
        "start_spread": repr(START_SPREAD),
        "wider": repr(WIDER),
        "starts": repr(STARTS),
    }


def evidence(calibrated: Sequence[Calibration], seed: int) -> dict[str, Any]:
    """What :mod:`medtwin.evidence.calibrated` reads: a parameter's worst coverage of those of the sensors."""
    rows = []
    for each in zip(*(study.rows for study in calibrated), strict=True):
        r = max(each, key=lambda one: abs(one.coverage - 0.9))
        rows.append(
            {"model": r.model, "parameter": r.parameter, "days": r.days, "n": r.n, "coverage": r.coverage, "level": 0.9,
             "spread": r.spread, "uniform_p": r.uniform_p}
        )  # fmt: skip
    return {"dialect": "medtwin-identification/1", "seed": seed, "settings": settings(), "parameters": rows}


def later(record: Record, model: Model, *, days: int, test: int, starts: int | None = None) -> Later:
    """Fit on the days before the last ``test`` days with readings, replay those."""
    last = max(e.instant for e in record.of("glucose"))
    split = last - timedelta(days=test)
    found = identify_patient(record, model, days=days, at=split, starts=starts)
    if found.withheld:
        nothing = float("nan")
        return Later(record.patient, found.withheld, nothing, nothing, nothing, nothing, 0, 0, ())
    seen, path, plain = replayed(record, found, split, test)
    here = found.identified
    mean = float(np.nanmean(_fitted_values(found)))
    return Later(
        record.patient, None, found.rmse, _rmse(path - seen), _rmse(plain - seen), _rmse(mean - seen), len(seen),
        sum(p.edge for p in found.parameters), found.notes if here is not None else (),
    )  # fmt: skip


def replayed(
    record: Record, found: Identification, split: datetime, test: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(readings after ``split``, the replay there at the mode, and at the prior's median), each day told its inputs."""
    from medtwin.twin.identify import told_window

    known, _, _, _ = told_window(found.model, record, split + timedelta(days=test), test)
    tape, _, _ = tape_of(known, split, test)
    held = window(tape, dt=found.model.clock.step)
    z = np.stack([found.identified.mode[:, 0], np.zeros(len(found.identified.names))], axis=1)
    z[-1] = 0.0  # where the test begins nobody told
    path = np.asarray(found.replay(held, jnp.asarray(z)[:, :, None]))[:, :, 0]
    at, here = np.asarray(held.place)[:, 0], np.asarray(held.present)[:, 0]
    return np.asarray(held.value)[here, 0], path[at[here], 0], path[at[here], 1]


def _fitted_values(found: Identification) -> np.ndarray:
    assert found.facts is not None
    boundary, value, *_ = found.facts.readings["glucose"]
    return value[(boundary > found.first) & (boundary <= found.first + found.steps)]


def _rmse(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(error**2)))


def world(people: int, days: int, test: int, seed: int) -> list[Later]:
    """People of other equations, through their files."""
    made = worlds.population(seed, people, days + test, START, "Europe/Berlin", "type_1")
    with tempfile.TemporaryDirectory() as folder:
        records = ingested(made, Path(folder))
    return [_noted(later(record, GlucoseMeals(), days=days, test=test)) for record in records]


def real(folder: Path, days: int, test: int) -> list[Later]:
    """The people of T1D-UOM."""
    from medtwin.record.home import open_store
    from medtwin.sources.ingest import ingest

    with tempfile.TemporaryDirectory() as home, open_store(Path(home)) as store:
        grant = store.issue_grant()
        report = ingest([folder], store, grant, mapping=MAPPING)
        records = [store.record(patient, grant) for patient in sorted(report.patients)]
    return [_noted(later(record, GlucoseMeals(), days=days, test=test)) for record in records]


def _noted(one: Later) -> Later:
    print(f"{one.person}: fitted {one.fitted:.1f}, later {one.later:.1f} mg/dL", file=sys.stderr, flush=True)
    return one


def page(calibrated: Sequence[Calibration], others: Sequence[tuple[str, Sequence[Later]]], command: str) -> str:
    """The report, Markdown."""
    lines = [
        "# Identification of a person's parameters", "",
        f"Generated by `{command}`; do not edit. Method: `medtwin/inference/identification.py`, "
        "`medtwin/evidence/identification.py`.",
    ]  # fmt: skip
    told = {
        "assumed": "the slow and the white error that the method assumes",
        "breton": "the slow error that it assumes, and Breton2008's sensor, which it does not",
    }
    for study in calibrated:
        met = sum(LOWEST <= r.coverage <= HIGHEST for r in study.rows)
        within = sum(r.low <= 0.9 <= r.high for r in study.rows)
        pooled = np.mean([r.coverage for r in study.rows])
        lines += [
            "", f"## Own equations; readings err by {told[study.sensor]}", "",
            f"{study.rows[0].n} people, {study.rows[0].days:g} days. 90 % intervals cover {pooled:.1%} on average over shown "
            "parameters; "
            f"{met} of {len(study.rows)} lie in {LOWEST:.0%} to {HIGHEST:.0%}; for {within} the exact interval holds 90 %.",
            "", "| parameter | coverage of 90 % (exact 95 % interval) | spread | ranks, ten bins | uniform p | |",
            "|---|---|---|---|---|---|",
        ]  # fmt: skip
        for r in study.rows:
            verdict = "" if LOWEST <= r.coverage <= HIGHEST else "outside the aim"
            lines.append(
                f"| {r.parameter} | {r.coverage:.1%} ({r.low:.1%} to {r.high:.1%}) | {r.spread:.2f} "
                f"| {' '.join(str(c) for c in r.histogram)} | {r.uniform_p:.3f} | {verdict} |"
            )
        lines += ["", *(f"- {note}" for note in study.notes)]
        lines += ["- `spread`: posterior sd of the deviate; 1 is the prior's, and its coverage then says nothing."]
    for title, people in others:
        lines += [
            "", f"## {title}", "",
            "RMSE in mg/dL. `later`: the days after, told their meals, insulin and heart rate, no reading of them; from rest.",
            "",
            "| person | fitted | later | prior's median, later | mean of the fitted days, later | readings | at the edge | |",
            "|---|---|---|---|---|---|---|---|",
        ]  # fmt: skip
        for p in people:
            if p.withheld:
                lines.append(f"| {p.person} | | | | | | | withheld: {p.withheld} |")
                continue
            lines.append(
                f"| {p.person} | {p.fitted:.1f} | {p.later:.1f} | {p.prior:.1f} | {p.mean:.1f} | {p.readings} | {p.edge} "
                f"| {'; '.join(p.notes)} |"
            )
        made = [p for p in people if not p.withheld]
        if made:
            better = sum(p.later < p.prior for p in made)
            beaten = sum(p.later < p.mean for p in made)
            lines += [
                "", f"- Of {len(made)} people the identified model is better on later days than its prior for {better}, "
                f"better than the person's own mean for {beaten}.",
                "- A replay gets no reading: it is no forecast (`docs/evidence/forecast-*.md` has those). Where it is worse than "
                "the mean, what is told does not explain this person's glucose by this model, and its parameters stand for "
                "something else.",
            ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Run the looks that were asked for and write the page."""
    parser = argparse.ArgumentParser(prog="python -m medtwin.evidence.identification", description=__doc__)
    parser.add_argument("--people", type=int, default=48)
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--sensors", nargs="+", choices=("assumed", "breton"), default=["assumed", "breton"])
    parser.add_argument("--world", type=int, default=6, help="people of other equations")
    parser.add_argument("--fit", type=int, default=7, help="days that are fitted of them and of real people")
    parser.add_argument("--test", type=int, default=2, help="days after those")
    parser.add_argument("--real", type=Path, help="the folder t1d_uom of the data")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--report", type=Path, default=Path("docs/evidence/identification.md"))
    parser.add_argument(
        "--json", type=Path, default=HERE / "identification.json", help="what `medtwin identify` follows"
    )
    given = parser.parse_args(argv)
    from medtwin.twin.precision import prepare

    prepare()
    model = GlucoseMeals()
    given.report.parent.mkdir(parents=True, exist_ok=True)

    def command(people: int) -> str:
        return (
            f"python -m medtwin.evidence.identification --people {people} --days {given.days} "
            f"--sensors {' '.join(given.sensors)} --world {given.world} "
            f"--fit {given.fit} --test {given.test} --seed {given.seed}" + (" --real t1d_uom" if given.real else "")
        )

    calibrated: Sequence[Calibration] = ()
    studies = (calibrate(model, given.people, given.days, given.seed, sensor=sensor) for sensor in given.sensors)
    for calibrated in zip(*studies, strict=True) if given.people else ():
        # what is there stands on the page at once: a run that is ended early leaves that of fewer people
        given.report.write_text(page(calibrated, (), command(calibrated[0].rows[0].n)))
        given.json.write_text(json.dumps(evidence(calibrated, given.seed), indent=1) + "\n")
    others: list[tuple[str, Sequence[Later]]] = []
    if given.world:
        title = f"Other equations: a Hovorka body, {given.fit} days fitted, {given.test} replayed"
        others.append((title, world(given.world, given.fit, given.test, given.seed)))
    if given.real:
        others.append(
            (
                f"Real people, T1D-UOM, {given.fit} days fitted, {given.test} replayed",
                real(given.real, given.fit, given.test),
            )
        )
    given.report.write_text(page(calibrated, others, command(given.people)))
    print(given.report.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
