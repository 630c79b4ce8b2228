"""Planted causes of the wide bank: what four more hypotheses name, what they ask in vain, and what they cost.

Run: ``python -m medtwin.evidence.wide_causes``; writes ``docs/evidence/planted-causes-wide.md``.

The same lives and the same rule of asking as :mod:`medtwin.evidence.causes`, for both structures that speak for people who inject
insulin, each followed twice: with the bank that ships and with :func:`medtwin.inference.hypotheses.wide`. Four scenes are
added: boluses that nobody recorded, recorded boluses that did not arrive, a sensor that drifts, illness. A cause counts as
*named* by a question of a hypothesis that asks the same of the person (:data:`SAME`): a drift is named by
the question for a finger-prick, whichever hypothesis asks it. It counts as *mistaken* where only other questions arise in
its time.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import jax
import numpy as np
from numpy.typing import NDArray

from medtwin.evidence import causes
from medtwin.evidence.causes import Ask, Cause, asks, false_asks, hour_errors
from medtwin.evidence.following import follow
from medtwin.evidence.lives import DAY, Lives, live
from medtwin.inference import shipped
from medtwin.inference.hypotheses import SENSITIVITIES
from medtwin.inference.problem import Problem, problem
from medtwin.physiology.models import by_name
from medtwin.statistics.coverage import share

Array = NDArray[np.float64]
MODELS = ("glucose_insulin", "glucose_meals")
BANKS = ("shipped", "wide")
SCENES = ("nothing", "meals", "pressed", "shifted", "drifted", "untold", "lost", "ill")
TITLES = {
    "nothing": "nothing is wrong",
    "meals": "a quarter of the meals is not announced",
    "pressed": "the sensor is pressed once each night",
    "shifted": "the sensor's offset jumps, and hours later back",
    "drifted": "the sensor drifts 20 to 35 mg/dL away in 6 to 10 h",
    "untold": "a quarter of the boluses is given and not recorded",
    "lost": "a quarter of the boluses is recorded and does not arrive",
    "ill": "from the end of the first day insulin acts 40 % less",
}
#: hypotheses whose questions ask the same of the person
SAME = {
    "sensor_bias": ("sensor_bias", "sensor_drift"),
    "sensor_drift": ("sensor_bias", "sensor_drift"),
    "illness": ("illness", "patient_change"),
}
LEAST_BOLUS = 2.0  #: U; of smaller boluses nobody is asked


def drifted(n: int, minutes: int, rng: np.random.Generator) -> tuple[Array, list[Cause]]:
    """On the second day each sensor drifts by 20 to 35 mg/dL up or down in 6 to 10 h, and stays there."""
    fault, planted = np.zeros((minutes, n)), []
    for who in range(n):
        begin, length = DAY + int(rng.integers(60, 360)), int(rng.integers(360, 600))
        way = np.clip((np.arange(minutes) - begin) / length, 0.0, 1.0)
        fault[:, who] = way * float(rng.choice([-1.0, 1.0]) * rng.uniform(20.0, 35.0))
        planted.append(Cause(who, "sensor_drift", float(begin), float(begin + length + 120)))
    return fault, planted


def boluses(lives: Lives, chosen: NDArray[np.bool_], hypothesis: str) -> list[Cause]:
    """Causes of the boluses of at least LEAST_BOLUS at ``chosen`` minutes, as they are before the record is altered."""
    given = np.asarray(lives.tape.inputs["insulin_bolus"])
    last = given.shape[0]
    return [
        Cause(int(who), hypothesis, float(at), float(at) + 240.0, float(given[at, who]))
        for at, who in zip(*np.nonzero(chosen & (given >= LEAST_BOLUS)), strict=True)
        if 240 < at < last - 240
    ]


def scene(name: str, posed: Problem, people: int, seed: int) -> tuple[Lives, list[Cause]]:
    """Two days of ``people`` people in which that is wrong, and what was planted."""
    rng = np.random.default_rng(seed + 1)
    if name in causes.SCENES:
        return causes.scene(name, posed, people, seed)
    if name == "drifted":
        fault, planted = drifted(people, 2 * DAY, rng)
        return live(posed, people, 2, seed, faults=fault), planted
    if name == "ill":
        sensitivities = SENSITIVITIES[posed.model.name]
        lives = live(posed, people, 2, seed, change=(sensitivities, 0.6, DAY))
        return lives, [Cause(who, "illness", float(DAY), 2.0 * DAY) for who in range(people)]
    chosen = rng.random((2 * DAY, people)) < 0.25
    if name == "lost":
        lives = live(posed, people, 2, seed, lost=chosen)
        return lives, boluses(lives, chosen, "lost_bolus")
    lives = live(posed, people, 2, seed)
    planted = boluses(lives, chosen, "missed_bolus")
    for cause in planted:
        lives.tape.inputs["insulin_bolus"][int(cause.begin), cause.person] = 0.0
    return lives, planted


def named(planted: list[Cause], raised: list[Ask]) -> list[Ask | None]:
    """For each cause the first question in its time that asks the right thing, else None."""
    found: list[list[Ask | None]] = []
    most = max((len(SAME.get(c.hypothesis, ())) for c in planted), default=1) or 1
    for k in range(most):
        names = [SAME.get(c.hypothesis, (c.hypothesis,))[k : k + 1] for c in planted]
        asked = [replace(c, hypothesis=n[0] if n else "") for c, n in zip(planted, names, strict=True)]
        found.append(causes.named(asked, raised))
    return [min((a for a in each if a), key=lambda a: a.begin, default=None) for each in zip(*found, strict=True)]


def overlapped(planted: list[Cause], raised: list[Ask], early: float = 15.0) -> list[bool]:
    """For each cause whether any question arose in its time."""
    return [
        any(a.person == c.person and a.begin <= c.until and a.end >= c.begin - early for a in raised) for c in planted
    ]


@dataclass(frozen=True)
class Figures:
    """What one scene showed of one model and bank."""

    model: str
    bank: str
    scene: str
    people: int
    planted: int
    named: int
    named_low: float  #: exact 95 % interval of the share that was named
    named_high: float
    mistaken: int  #: only other questions arose in time
    minutes_to_ask: float  #: median
    false_asks_per_day: float  #: per person and day
    false_by: dict[str, int]  #: false questions by hypothesis
    hour_rmse: float  #: mg/dL, one hour ahead, second day


def figures(model: str, name: str, people: int, seed: int) -> list[Figures]:
    """One scene of one model, with each bank."""
    posed = problem(by_name(model))
    lives, planted = scene(name, posed, people, seed)
    rows = []
    for bank in BANKS:
        update = shipped.wide_update(model) if bank == "wide" else _usual(model)
        followed = follow(lives, posed, update)  # type: ignore[arg-type]
        raised = asks(followed)
        hits = named(planted, raised)
        met = overlapped(planted, raised)
        found = share(sum(h is not None for h in hits), len(planted)) if planted else None
        false = false_asks(planted, raised)
        waits = [h.begin - c.begin for c, h in zip(planted, hits, strict=True) if h is not None]
        rows.append(
            Figures(
                model=model, bank=bank, scene=name, people=people, planted=len(planted),
                named=sum(h is not None for h in hits), named_low=found.low if found else float("nan"),
                named_high=found.high if found else float("nan"),
                mistaken=sum(m and h is None for m, h in zip(met, hits, strict=True)),
                minutes_to_ask=float(np.median(waits)) if waits else float("nan"),
                false_asks_per_day=len(false) / (people * 2.0),
                false_by={n: k for n in followed.hypotheses if (k := sum(a.hypothesis == n for a in false))},
                hour_rmse=hour_errors(lives, followed),
            )
        )  # fmt: skip
    return rows


def _usual(model: str) -> object:
    return {"glucose_insulin": shipped.glucose_update, "glucose_meals": shipped.glucose_meals_update}[model]()


def page(rows: list[Figures], command: str) -> str:
    """The report, Markdown."""
    lines = [
        "# Planted causes: the bank that ships and the wide one",
        "",
        f"Generated by `{command}`; do not edit. Method: `medtwin/evidence/wide_causes.py`.",
        "",
        "Virtual people of each model's own equations, two days each; the record does not tell what was planted. The wide "
        "bank adds to the one that ships: a bolus that nobody recorded, a recorded bolus that did not arrive, a sensor that "
        "drifts, illness (`medtwin show --hypotheses wide`). *Named*: a question that asks the right thing of the person "
        "arises in time; *mistaken*: only other questions do. A question is false when nothing was planted in the four hours "
        "before it. RMSE is that of glucose one hour ahead on the second day.",
    ]
    for model in dict.fromkeys(r.model for r in rows):
        own = [r for r in rows if r.model == model]
        lines += [
            "",
            f"## {model}",
            "",
            "| what is wrong | bank | planted | named (exact 95 % interval) | mistaken | median minutes to the question "
            "| false questions per person-day | RMSE, mg/dL |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for r in own:
            told = f"{r.named / r.planted:.0%} ({r.named_low:.0%} to {r.named_high:.0%})" if r.planted else "-"
            mistaken = f"{r.mistaken / r.planted:.0%}" if r.planted else "-"
            minutes = f"{r.minutes_to_ask:.0f}" if np.isfinite(r.minutes_to_ask) else "-"
            lines.append(
                f"| {TITLES[r.scene]} | {r.bank} | {r.planted or '-'} | {told} | {mistaken} | {minutes} "
                f"| {r.false_asks_per_day:.2f} | {r.hour_rmse:.1f} |"
            )
        calm = {r.bank: r for r in own if r.scene == "nothing"}
        if len(calm) == len(BANKS):
            more = {bank: ", ".join(f"{n} {k}" for n, k in r.false_by.items()) or "none" for bank, r in calm.items()}
            lines += [
                "",
                f"Where nothing is wrong ({calm['wide'].people} people, two days): false questions of the bank that ships: "
                f"{more['shipped']}; of the wide one: {more['wide']}.",
            ]
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Run the scenes and write the report."""
    parser = argparse.ArgumentParser(prog="python -m medtwin.evidence.wide_causes", description=__doc__)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--seed", type=int, default=131)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--scenes", default=",".join(SCENES))
    parser.add_argument("--report", type=Path, default=Path("docs/evidence/planted-causes-wide.md"))
    parser.add_argument("--json", type=Path, default=None, help="rows; those that stand there are not run again")
    given = parser.parse_args(argv)
    jax.config.update("jax_enable_x64", True)
    rows: list[Figures] = []
    if given.json is not None and given.json.exists():
        rows = [Figures(**one) for one in json.loads(given.json.read_text())]
    done = {(r.model, r.scene) for r in rows if r.people == given.people}
    for model in given.models.split(","):
        for name in given.scenes.split(","):
            if (model, name) in done:
                continue
            rows += figures(model, name, given.people, given.seed + SCENES.index(name))
            for one in rows[-2:]:
                print(one, file=sys.stderr, flush=True)
            if given.json is not None:
                given.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")
    command = f"python -m medtwin.evidence.wide_causes --people {given.people} --seed {given.seed}"
    for name, usual in (("models", MODELS), ("scenes", SCENES)):
        if getattr(given, name) != ",".join(usual):
            command += f" --{name} {getattr(given, name)}"
    order = sorted(rows, key=lambda r: (MODELS.index(r.model), SCENES.index(r.scene), BANKS.index(r.bank)))
    given.report.write_text(page(order, command))
    print(given.report.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
