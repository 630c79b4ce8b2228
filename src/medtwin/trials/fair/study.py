"""How often the report is right: levels of its flags and intervals, and what it finds, on trials that are drawn.

Run: ``python -m medtwin.trials.fair.study [--repeats 400]``; writes ``docs/evidence/fair-use.md``. About two minutes of one core.

Binary trials: log odds normal (-0.4, 1), events drawn from the risk; the score says that risk, or in group b one that is off.
Measured trials: outcome = baseline + rest + error, the score baseline + rest, or in group b the baseline alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from medtwin.trials.fair.fair import FairUse, fair_use
from medtwin.trials.fair.figures import figures_of
from medtwin.trials.fair.groups import Group
from medtwin.trials.fair.inputs import as_frame, read_sample
from medtwin.trials.fair.proportion import clopper_pearson
from medtwin.trials.fair.rules import Rules

Trial = Callable[[np.random.Generator, int], dict[str, Any]]
SIZES = (60, 100, 200, 500)


def binary(shift: float = 0.0, flatten: float = 1.0) -> Trial:
    """In group b the score's log odds are divided by ``flatten`` and lowered by ``shift``."""

    def draw(rng: np.random.Generator, size: int) -> dict[str, Any]:
        group = rng.choice(["a", "b", "c"], size)
        eta = rng.normal(-0.4, 1.0, size)
        y = (rng.random(size) < special.expit(eta)).astype(float)
        return {"y": y, "p": special.expit(np.where(group == "b", eta / flatten - shift, eta)), "group": group.tolist()}

    return draw


def measured(useless: bool = False, noise: float = 1.0) -> Trial:
    """In group b the score knows the baseline only (``useless``), or errors are ``noise`` times as large."""

    def draw(rng: np.random.Generator, size: int) -> dict[str, Any]:
        group = rng.choice(["a", "b", "c"], size)
        mine = group == "b"
        baseline, rest, error = rng.normal(size=(3, size))
        told = np.where(mine & useless, rng.normal(size=size), rest)
        y = baseline + rest + error * np.where(mine, noise, 1.0)
        half = rng.integers(0, 2, size)
        return {"y": y, "p": baseline + told, "y0": baseline, "half": half, "group": group.tolist()}

    return draw


def reports(draw: Trial, size: int, repeats: int, seed: int, calibration: str | None = None) -> list[FairUse]:
    """Reports of ``repeats`` trials of ``size`` patients; ``calibration``: the column that marks half of them for it."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(repeats):
        data = draw(rng, size)
        made.append(fair_use(
            data, outcome="y", prediction="p", groups=["group"], baseline=["y0"] if "y0" in data else (), draws=0,
            thresholds=() if "y0" in data else (0.4,), decision_thresholds=(), calibration=calibration,
        ))  # fmt: skip
    return made


def coverage(kind: str, size: int, repeats: int, seed: int, truth: Mapping[str, float]) -> Counter[str]:
    """How often intervals of one group of ``size`` patients hold the ``truth``."""
    rng = np.random.default_rng(seed)
    held: Counter[str] = Counter()
    for _ in range(repeats):
        data = (binary() if kind == "binary" else measured())(rng, size)
        sample = read_sample(as_frame(data), outcome="y", prediction="p", baseline=["y0"] if "y0" in data else ())
        group = Group("all", "all", np.ones(size, dtype=bool))
        for number in figures_of(sample, group, Rules(min_events=5), draws=0).numbers:
            if number.name in truth and number.low <= truth[number.name] <= number.high:
                held[number.name] += 1
    return held


def whole_truth(kind: str, size: int, seed: int) -> dict[str, float]:
    """What figures tend to: known, or those of one large group."""
    data = (binary() if kind == "binary" else measured())(np.random.default_rng(seed), size)
    sample = read_sample(as_frame(data), outcome="y", prediction="p", baseline=["y0"] if "y0" in data else ())
    made = figures_of(sample, Group("all", "all", np.ones(size, dtype=bool)), Rules(), draws=0).numbers
    truth = {number.name: number.value if number.ideal is None else number.ideal for number in made}
    mapped = ("variance", "patients", "controls", "r")  # squares of a correlation that has a row of its own
    return {name: value for name, value in truth.items() if name.split()[0] not in mapped}


def share(count: int, of: int) -> str:
    """A share with its exact interval."""
    low, high = clopper_pearson(count, of)
    return f"{count / of:.1%} ({low:.1%} to {high:.1%})"


def _flag_row(name: str, size: int, made: Sequence[FairUse], figure: str = "") -> str:
    found = [
        sum(any(f.kind == "difference" and f.name.startswith(figure) for f in one.flags) for one in made),
        sum(any(f.kind == "fault" and f.column == "all" for f in one.flags) for one in made),
        sum(any(f.kind == "fault" and f.column != "all" for f in one.flags) for one in made),
        sum(any(f.kind == "fault" and f.level == "b" for f in one.flags) for one in made),
        sum(any(f.kind == "hint" for f in one.flags) for one in made),
    ]
    return f"| {name} | {size} | " + " | ".join(share(count, len(made)) for count in found) + " |"


def page(repeats: int, seed: int) -> str:
    """The report."""
    lines = [
        "# Fair use of a score: levels and power of the report",
        "",
        f"Generated by `python -m medtwin.trials.fair.study --repeats {repeats} --seed {seed}`; do not edit. Method:"
        " `medtwin/trials/fair/study.py`. All patients are drawn.",
        "",
        "Share of trials with at least one flag of a kind, three groups of about equal size; level of each family of flags 5 %."
        " A hint is a comparison that falls by false discovery rate alone.",
        "",
        "| trial | patients | difference | fault of everybody | fault of a group | fault of b | hint |",
        "|---|---|---|---|---|---|---|",
    ]
    asked: list[tuple[str, Trial, int, str]] = [
        ("nobody wronged, events", binary(), 300, ""),
        ("nobody wronged, events", binary(), 900, ""),
        ("nobody wronged, measured", measured(), 300, ""),
        ("nobody wronged, measured", measured(), 900, ""),
        ("risk of b half of the log odds too low", binary(shift=0.5), 900, "calibration in the large"),
        ("risk of b twice as extreme", binary(flatten=0.5), 900, "calibration slope"),
        ("score of no use beyond baseline in b", measured(useless=True), 300, "partial correlation"),
        ("errors of b twice as large", measured(noise=2.0), 900, "coverage"),
    ]
    tail = ""
    for number, (name, draw, size, figure) in enumerate(asked):
        made = reports(draw, size, repeats, seed + number)
        title = f"{name}; difference in {figure}" if figure else name
        lines.append(_flag_row(title, size, made, figure))
        if "twice as large" in name:
            halved = reports(draw, size, repeats, seed + len(asked), "half")
            split, own = (
                np.mean([one.group("group", "b")[width].value for one in halved])
                for width in ("coverage, one width for all", "coverage, a width of its own")
            )
            tail = (
                "Coverage of 90 % intervals in that group b, set on one half of the patients and tested on the other: one width"
                f" for all {split:.1%}, a width of its own {own:.1%}."
            )
        print(lines[-1], file=sys.stderr, flush=True)
    lines += ["", tail, "", "Share of 95 % intervals that hold the truth, by patients in the group.", ""]
    lines += ["| outcome | figure | " + " | ".join(map(str, SIZES)) + " |", "|---|---|" + "---|" * len(SIZES)]
    for kind in ("binary", "measured"):
        truth = whole_truth(kind, 1000 * repeats, seed)
        held = [coverage(kind, size, repeats, seed + size, truth) for size in SIZES]
        lines += [
            f"| {kind} | {name} | " + " | ".join(f"{one[name] / repeats:.1%}" for one in held) + " |" for name in truth
        ]  # fmt: skip
    error = np.sqrt(0.95 * 0.05 / repeats)
    lines += ["", f"Monte Carlo standard error of a share near 95 %: {error:.1%}."]
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Run the study and write the report."""
    parser = argparse.ArgumentParser(prog="python -m medtwin.trials.fair.study", description=__doc__)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=Path("docs/evidence/fair-use.md"))
    given = parser.parse_args(argv)
    given.report.write_text(page(given.repeats, given.seed), encoding="utf-8")
    print(given.report.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
