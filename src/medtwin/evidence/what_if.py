"""What a plan changes: the twin's answer against the truth of people of other equations.

Run: ``python -m medtwin.evidence.what_if [--people 12] [--days 7]``; writes ``docs/evidence/what-if.md``.

People of the worlds live for a week; their files go through the door. At three moments of three days each is asked what
45 g of carbohydrate, or 3 U of insulin, twenty minutes later would change. The truth is the world's own counterfactual
(:mod:`medtwin.worlds.counterfactual`). How wrong the model's equations are about an effect
(:mod:`medtwin.twin.effects`) is estimated in one set of people and scored in two others: of the same habits, and of people
who leave a third of their meals untold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medtwin.evidence.other_equations import KINDS, START, ingested
from medtwin.statistics.coverage import share
from medtwin.twin.choice import STRUCTURES, choose
from medtwin.twin.effects import ERROR, HOURS
from medtwin.twin.forecast import forecast, learn
from medtwin.twin.scenario import events, planned
from medtwin.twin.snapshot import MemoryShelf
from medtwin.twin.twin import assimilate
from medtwin.worlds.counterfactual import changes
from medtwin.worlds.people import NAMES, Order, make

ORIGINS = ((3, 10.0), (2, 15.0), (1, 6.0))  #: days before the end, hour of the day (UTC)
LATER, ASKED = 20, (1, 2, 3, 4, 6)  #: minutes to the plan; hours after asking
PLANS = {"45 g of carbohydrate": (45.0, 0.0), "3 U of insulin": (0.0, 3.0)}
SMALL = 3.0  #: mg/dL; a ratio to a smaller median says nothing
ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class Answer:
    """One question: ``hours`` after asking, the true change and the quantiles 5, 50 and 95 % that were promised, mg/dL."""

    person: int
    plan: str
    hours: int
    truth: float
    lower: float
    median: float
    upper: float


def ask(kind: str, people: int, days: int, seed: int, *, widen: bool = True, model: str | None = None) -> list[Answer]:
    """Ask everybody everything; without ``widen`` the members' own spread alone. ``model``: the structure that answers."""
    now = START + timedelta(days=days)
    orders = [Order(seed, i, kind, START, now, days * 1440, ZONE, NAMES[i % len(NAMES)]) for i in range(people)]
    with tempfile.TemporaryDirectory() as folder:
        records = ingested(make(orders), Path(folder))
    shelves = [MemoryShelf() for _ in records]
    found = []
    for before, hour in ORIGINS:
        minute = round((days - before) * 1440 + hour * 60)
        at = START + timedelta(minutes=minute)
        truths = changes(orders, minute + LATER, 6.5, list(PLANS.values()))
        for k, record in enumerate(records):
            known = record.known_by(at)
            choice = choose(known, model=model)
            twin, _ = assimilate(record.patient, choice, known, at, shelves[k])
            learnt = learn(twin, choice, known, at)
            for (name, (grams, units)), truth in zip(PLANS.items(), truths, strict=True):
                what = ("carbohydrate_intake", f"{grams:g} g") if grams else ("insulin_bolus", f"{units:g} U")
                until = f"+{LATER + 15}m" if grams else None
                plans = events(planned([what], f"+{LATER}m", until), at, ZONE)
                made = forecast(twin, choice, known, learnt, at, planned=plans, model_error=1.0 if widen else 0.0)
                for hours in ASKED:
                    if 12 * hours > len(made.quantiles):  # withheld, or the last reading too old for one this far
                        continue
                    low, _, middle, _, high = made.quantiles[12 * hours - 1]
                    true = float(truth[60 * hours - LATER - 1, k])
                    found.append(Answer(k, name, hours, true, float(low), float(middle), float(high)))
    return found


def error(answers: list[Answer], hours: int) -> float:
    """Root mean square of log(true / median), of effects of a size that can be compared; the sign must agree."""
    ratio = np.array([a.truth / a.median for a in answers if a.hours == hours and abs(a.median) > SMALL])
    return float(np.sqrt(np.mean(np.log(np.clip(ratio, 0.05, 20.0)) ** 2)))


def covered(answers: list[Answer]) -> NDArray[np.bool_]:
    return np.array([a.lower <= a.truth <= a.upper for a in answers])


def _row(name: str, answers: list[Answer]) -> str:
    hits = covered(answers)
    held = share(int(hits.sum()), len(hits))
    people = sorted({a.person for a in answers})
    lowest = min(hits[[a.person == p for a in answers]].mean() for p in people)
    size = float(np.median([abs(a.truth) for a in answers]))
    off = float(np.median([abs(a.truth - a.median) for a in answers]))
    width = float(np.median([a.upper - a.lower for a in answers]))
    return (
        f"| {name} | {len(hits)} | {size:.0f} | {off:.0f} | {width:.0f} | {held.value:.0%} "
        f"({held.low:.0%} to {held.high:.0%}) | {lowest:.0%} |"
    )


@dataclass(frozen=True)
class Study:
    """One structure: its error where it was estimated, and its answers in others."""

    model: str
    estimated: list[float]
    bare: list[Answer]
    scored: dict[str, list[Answer]]


def page(studies: list[Study], command: str) -> str:
    """The report, Markdown: the structure that speaks first, then the others."""
    lines = [
        "# What a plan changes",
        "",
        f"Generated by `{command}`; do not edit. Method: `medtwin/evidence/what_if.py`. All people are synthetic.",
        "",
        "The change of glucose that 45 g of carbohydrate or 3 U of insulin make, one to six hours after asking, mg/dL, against "
        "the true change in people whose equations no twin knows. Answers of one person go together, so the true "
        "intervals of coverage are wider.",
        "",
        "Every structure that may speak for people who inject insulin answers the same questions.",
    ]
    for study in studies:
        lines += _section(study)
    return "\n".join(lines) + "\n"


def _section(study: Study) -> list[str]:
    estimated, bare, scored = study.estimated, study.bare, study.scored
    lines = [
        "",
        f"## {study.model}",
        "",
        "| hours since the plan | " + " | ".join(f"{h:.1f}" for h in HOURS) + " |",
        "|---|" + "---|" * len(HOURS),
        "| sd of the log effect, estimated in this run | " + " | ".join(f"{e:.2f}" for e in estimated) + " |",
        "| as shipped | " + " | ".join(f"{e:.2f}" for e in ERROR[study.model]) + " |",
        "",
        "| people and question | answers | true size, median | error of the median | width of 90 % | in 90 % "
        "| of the worst person |",
        "|---|---|---|---|---|---|---|",
        _row("members alone, where it was estimated", bare),
    ]
    for kind, answers in scored.items():
        lines.append(_row(f"others, who {KINDS[kind]}", answers))
        lines += [_row(f"- {plan}", [a for a in answers if a.plan == plan]) for plan in PLANS]
        lines += [_row(f"- after {h} h", [a for a in answers if a.hours == h]) for h in ASKED]
    every = [a for answers in scored.values() for a in answers]
    held = float(covered(every).mean())
    met = "met" if 0.85 <= held <= 0.95 else "**missed**"
    lines += ["", f"90 % intervals of people they were not made on hold {held:.0%} (aim: 85 to 95 %): {met}."]
    return lines


def main(argv: list[str] | None = None) -> int:
    """Run the study and write the report."""
    parser = argparse.ArgumentParser(prog="python -m medtwin.evidence.what_if", description=__doc__)
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--report", type=Path, default=Path("docs/evidence/what-if.md"))
    given = parser.parse_args(argv)
    studies = []
    for model in STRUCTURES:
        bare = ask("type_1", given.people, given.days, given.seed, widen=False, model=model)
        estimated = [error(bare, hours) for hours in ASKED]
        print(model, "estimated", [round(e, 3) for e in estimated], file=sys.stderr, flush=True)
        scored = {
            kind: ask(kind, given.people, given.days, given.seed + 1 + i, model=model) for i, kind in enumerate(KINDS)
        }
        studies.append(Study(model, estimated, bare, scored))
    command = f"python -m medtwin.evidence.what_if --people {given.people} --days {given.days} --seed {given.seed}"
    given.report.write_text(page(studies, command))
    print(given.report.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
