"""Two plans compared: the twin's answer and a black box's, against what two worlds of other equations truly do.

Run: ``python -m medtwin.evidence.counterfactual [--people 10] [--adults 8] [--days 8]``; writes
``docs/evidence/counterfactuals.md``.

Whether an answer to "and if I took half the bolus?" is right can be known on simulators only, where both lives can be lived. Two
are asked, neither with the twin's equations, both read through a sensor's error:

- *Hovorka*: people of the worlds (Hovorka 2004, exercise by heart rate, a Vettoretti sensor), whose files go through the door;
- *simglucose*: adults of simglucose (UVA/Padova S2008, its own Dexcom error), without exercise, as records.

Questions (:data:`QUESTIONS`) are differences of two plans that begin ``LATER`` minutes after asking. The twin answers with
:func:`medtwin.twin.contrast.contrast`, the median scored as its answer and the interval of 90 % as its promise; the ridge of
:mod:`medtwin.evidence.black_box`, which saw the same facts, with the difference of two predictions. The truth is the
world's interstitial glucose in both lives, without sensor error. How wrong the model is about an effect
(:mod:`medtwin.twin.effects`) was estimated in other people of the Hovorka world, asked about plans against no plan
(``what-if.md``); nothing was estimated on simglucose or on a question of this page.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from medtwin.evidence import black_box, simglucose_people
from medtwin.evidence.other_equations import START, ingested
from medtwin.record import Event, Intent, Moment, Record, Source, SourcePatient
from medtwin.statistics.coverage import share
from medtwin.twin.choice import STRUCTURES, choose
from medtwin.twin.contrast import contrast
from medtwin.twin.snapshot import MemoryShelf
from medtwin.twin.twin import assimilate
from medtwin.worlds.counterfactual import Given, futures
from medtwin.worlds.facts import Person
from medtwin.worlds.people import NAMES, Order, make

ZONE = "Europe/Berlin"
LUNCH, DINNER = 10.6, 17.6  #: hours UTC at which it is asked; half an hour or so before people there usually eat
ORIGINS = ((3, LUNCH), (3, DINNER), (2, LUNCH), (2, DINNER), (1, LUNCH))  #: days before the end, hour
LATER, ASKED = 20, (1, 2, 3, 4)  #: minutes to the plan; hours after its beginning
WALK = (30, 40)  #: minutes after the meal, for how long
HALF, MORE, WALKED = "half the bolus", "60 g instead of 30 g", "a walk after lunch"
QUESTIONS = {  #: (carbohydrate, carbohydrate that the bolus is for, walk?) of the plan, and of what is done instead
    HALF: ((60.0, 60.0, False), (60.0, 30.0, False)),
    MORE: ((30.0, 30.0, False), (60.0, 30.0, False)),
    WALKED: ((60.0, 60.0, False), (60.0, 60.0, True)),
}
PLANS = list(dict.fromkeys(plan for pair in QUESTIONS.values() for plan in pair))
RESAMPLED = 2000


@dataclass(frozen=True)
class Answer:
    """``hours`` after a plan's beginning: the true difference, what the black box said, and what was promised, mg/dL."""

    person: int
    question: str
    hours: int
    truth: float
    black_box: float
    lower: float
    median: float
    upper: float


def given(ratio: float, plan: tuple[float, float, bool], rise: float) -> Given:
    """What a person with this carbohydrate ratio (g/U) does under a plan."""
    grams, dosed, walks = plan
    return Given(grams, round(dosed / ratio / 0.05) * 0.05, (*WALK, rise) if walks else None)


def planned(one: Given, begin: datetime, heart_rate: float) -> tuple[Event, ...]:
    """The plan as events; a walk is planned as the heart rate (1/min) that it brings."""
    facts = [("carbohydrate_intake", one.grams, 0, 15), ("insulin_bolus", one.units, 0, None)]
    if one.walk is not None:
        later, length, _ = one.walk
        facts.append(("heart_rate", heart_rate, later, later + length))
    return tuple(
        Event(
            subject=SourcePatient("scenario", "plan"), quantity=quantity, value=float(value), key=f"plan|{quantity}",
            time=Moment.of(begin + timedelta(minutes=after)), available=begin, intent=Intent.PLANNED,
            until=None if until is None else Moment.of(begin + timedelta(minutes=until)),
            source=Source("scenario", "plan/1", "0" * 32, quantity),
        )
        for quantity, value, after, until in facts
    )  # fmt: skip


def answers(
    person: int, record: Record, shelf: MemoryShelf, at: datetime, plans: Sequence[Given], walking: float,
    questions: Sequence[str], truths: Sequence[np.ndarray], model: str,
) -> list[Answer]:  # fmt: skip
    """Twin and black box asked at ``at``. ``truths``: glucose of each of ``PLANS``, by minute since it began."""
    known = record.known_by(at)
    choice = choose(known, model=model)
    twin, _ = assimilate(record.patient, choice, known, at, shelf)
    reach = [60.0 * h + LATER for h in ASKED]
    other = black_box.learn(known, at, reach)
    begin = at + timedelta(minutes=LATER)
    times = [begin + timedelta(hours=h) for h in ASKED]
    found = []
    for name in questions:
        first, second = (PLANS.index(plan) for plan in QUESTIONS[name])
        plan, instead = (planned(plans[k], begin, walking) for k in (first, second))
        promised = contrast(twin, choice.headline, plan, instead, times, levels=(0.05, 0.5, 0.95))
        for hours, minutes, (low, middle, high) in zip(ASKED, reach, promised, strict=True):
            true = float(truths[second][60 * hours - 1] - truths[first][60 * hours - 1])
            said = float("nan") if other is None else other.contrast(at, plan, instead, minutes)
            found.append(Answer(person, name, hours, true, said, float(low), float(middle), float(high)))
    return found


def hovorka(people: int, days: int, seed: int, model: str, kind: str = "type_1") -> list[Answer]:
    """All questions to people of the worlds; that of a walk where the ``model`` knows exercise."""
    now = START + timedelta(days=days)
    longer = days * 1440 + 360  # so that the last question's lives can be lived
    orders = [Order(seed, i, kind, START, now, longer, ZONE, NAMES[i % len(NAMES)]) for i in range(people)]
    made = make(orders)
    with tempfile.TemporaryDirectory() as folder:
        records = ingested(made, Path(folder))
    shelves = [MemoryShelf() for _ in records]
    found = []
    for before, hour in ORIGINS:
        minute = round((days - before) * 1440 + hour * 60)
        plans = [[given(_ratio(p), plan, p.habits.walk_rise) for p in made] for plan in PLANS]
        lived = futures(orders, minute + LATER, max(ASKED) + 0.5, plans)
        asked = list(QUESTIONS) if hour == LUNCH and model == "glucose_meals" else [HALF, MORE]
        for k, (person, record) in enumerate(zip(made, records, strict=True)):
            at = START + timedelta(minutes=minute)
            walking = person.habits.resting_heart_rate + 12.0 + person.habits.walk_rise
            own = [plan[k] for plan in plans]
            found += answers(k, record, shelves[k], at, own, walking, asked, [one[:, k] for one in lived], model)
    return found


def _ratio(person: Person) -> float:
    """The ratio that the person doses by (g/U), which is not quite right."""
    assert person.dosing is not None
    return person.dosing.ratio


def simglucose(adults: int, days: int, seed: int, model: str) -> list[Answer]:
    """The questions without a walk to adults of simglucose."""
    stops = [round((days - before) * 1440 + hour * 60) for before, hour in ORIGINS]
    found = []
    for k in range(adults):
        adult = simglucose_people.live(f"adult#{k + 1:03d}", days, START, seed, stops)
        shelf = MemoryShelf()
        plans = [given(adult.ratio, plan, 0.0) for plan in PLANS]
        for stop in stops:
            lived = [
                simglucose_people.fork(adult, stop, LATER, LATER + 270, one.grams, one.units)[LATER:] for one in plans
            ]
            at = START + timedelta(minutes=stop)
            found += answers(k, adult.record, shelf, at, plans, 0.0, [HALF, MORE], lived, model)
    return found


def rmse(found: Sequence[Answer], *, of: str = "median") -> float:
    """Root mean square of the answer minus the truth, mg/dL."""
    return float(np.sqrt(np.mean([(getattr(a, of) - a.truth) ** 2 for a in found])))


def covered(found: Sequence[Answer]) -> np.ndarray:
    return np.array([a.lower <= a.truth <= a.upper for a in found])


def outside(found: Sequence[Answer]) -> tuple[int, int]:
    """How many truths lay outside the interval because they were larger than promised, and smaller (or of the other sign)."""
    sign = [float(np.sign(a.median)) for a in found]
    larger = sum(s * a.truth > max(s * a.lower, s * a.upper) for s, a in zip(sign, found, strict=True))
    smaller = sum(s * a.truth < min(s * a.lower, s * a.upper) for s, a in zip(sign, found, strict=True))
    return larger, smaller


def ratio(found: Sequence[Answer]) -> tuple[float, float, float]:
    """RMSE of the twin over that of the black box, and its 95 % interval when people are drawn anew."""
    people = np.array(sorted({a.person for a in found}))
    squares = np.array(
        [
            [sum((getattr(a, of) - a.truth) ** 2 for a in found if a.person == p) for p in people]
            for of in ("median", "black_box")
        ]
    )
    drawn = np.random.default_rng(0).integers(len(people), size=(RESAMPLED, len(people)))
    ours, theirs = squares[:, drawn].sum(axis=2)
    low, high = np.quantile(np.sqrt(ours / theirs), [0.025, 0.975])
    return float(np.sqrt(squares[0].sum() / squares[1].sum())), float(low), float(high)


def _row(name: str, found: Sequence[Answer]) -> str:
    hits = covered(found)
    held = share(int(hits.sum()), len(hits))
    lowest = min(hits[[a.person == p for a in found]].mean() for p in {a.person for a in found})
    size, said = (
        np.mean([abs(value) for value in column]) for column in zip(*((a.truth, a.median) for a in found), strict=True)
    )
    width = np.median([a.upper - a.lower for a in found])
    against, low, high = ratio(found)
    return (
        f"| {name} | {len(found)} | {size:.1f} | {said:.1f} | {rmse(found):.1f} | {rmse(found, of='black_box'):.1f} | "
        f"{against:.2f} ({low:.2f} to {high:.2f}) | {width:.0f} | "
        f"{held.value:.0%} ({held.low:.0%} to {held.high:.0%}) | {lowest:.0%} |"
    )


def page(worlds: dict[str, list[Answer]], command: str) -> str:
    """The report, Markdown."""
    lines = [
        "# Two plans compared, where the truth is known",
        "",
        f"Generated by `{command}`; do not edit. Method: `medtwin/evidence/counterfactual.py`. All people are synthetic.",
        "",
        "The difference of glucose that doing one thing instead of another makes, one to four hours after the plan begins, "
        f"mg/dL. *{HALF}*: 60 g with the bolus for 30 g, against 60 g with that for 60 g. *{MORE}*: with the bolus for 30 g "
        f"in both. *{WALKED}*: 60 g with its bolus, and {WALK[1]} minutes of walking from {WALK[0]} minutes on, against none.",
        "",
        "Twin: its median and its 90 % interval, of each structure that may speak. Black box: ridge regression on the "
        "same person's "
        "same facts, which is also told what was eaten, injected and walked after each past origin. Answers of one person go "
        "together: intervals of the ratio draw people anew; those of coverage do not, and are too narrow. simglucose has the "
        "equations of glucose_insulin: what that structure answers there is no test of other equations.",
    ]
    aims = []
    for name, found in worlds.items():
        lines += [
            "",
            f"## {name}: {len({a.person for a in found})} people",
            "",
            "| question | answers | true size, mean | answered | RMSE, twin | RMSE, black box | their ratio (95 %) "
            "| width of 90 %, median | in 90 % | of the worst person |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for question in [q for q in QUESTIONS if any(a.question == q for a in found)]:
            part = [a for a in found if a.question == question]
            lines.append(_row(question, part))
            lines += [_row(f"- after {h} h", [a for a in part if a.hours == h]) for h in ASKED]
            held, (against, low, high) = float(covered(part).mean()), ratio(part)
            met = "met" if 0.85 <= held <= 0.95 else "**missed**"
            aims.append(f"- {name}, {question}: 90 % intervals hold 85 to 95 % of truths: {held:.0%}, {met}")
            met = "met" if high < 1.0 else "met, but not beyond chance" if against < 1.0 else "**missed**"
            aims.append(
                f"- {name}, {question}: RMSE below the black box's: ratio {against:.2f} ({low:.2f} to {high:.2f}), {met}"
            )
            beyond, short = outside(part)
            aims.append(
                f"- {name}, {question}: {beyond} of {len(part)} truths were larger than the interval, {short} smaller"
            )
            size = float(np.sqrt(np.mean([a.truth**2 for a in part])))
            met = "met" if rmse(part) < size else "**missed**"
            aims.append(
                f"- {name}, {question}: RMSE below that of saying 'no difference': {rmse(part):.1f} against {size:.1f}, {met}"
            )
    return "\n".join([*lines, "", "## Aims", "", *aims]) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Run the study and write the report."""
    parser = argparse.ArgumentParser(prog="python -m medtwin.evidence.counterfactual", description=__doc__)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--adults", type=int, default=8, help="0: without simglucose")
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--seed", type=int, default=211)
    parser.add_argument("--report", type=Path, default=Path("docs/evidence/counterfactuals.md"))
    asked = parser.parse_args(argv)
    worlds = {}
    for model in STRUCTURES:
        worlds[f"Hovorka, asked of {model}"] = hovorka(asked.people, asked.days, asked.seed, model)
        if asked.adults:
            worlds[f"simglucose, asked of {model}"] = simglucose(asked.adults, asked.days, asked.seed, model)
        print(f"{model} done", file=sys.stderr, flush=True)
    command = (
        f"python -m medtwin.evidence.counterfactual --people {asked.people} --adults {asked.adults} --days {asked.days} "
        f"--seed {asked.seed}"
    )
    asked.report.write_text(page(worlds, command))
    print(asked.report.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
