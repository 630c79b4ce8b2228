"""What the checks of a score do when nothing is wrong and when something is, and what its figures promise.

Run: ``python -m medtwin.trials.score.study [--data FOLDER] [--runs 300]``; writes ``docs/evidence/prognostic-score.md`` (3 min).
"""

from __future__ import annotations

import argparse
import math
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from medtwin.statistics.binomial import exact_interval
from medtwin.trials.analysis import read_trial
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.score.arms import within_arms
from medtwin.trials.score.drift import drift
from medtwin.trials.score.leak import leaks
from medtwin.trials.score.score import TrainedScore
from medtwin.trials.score.specification import Context, ScoreSpecification
from medtwin.trials.score.train import train

CONTEXT = Context(
    population="simulated", endpoint="y", time="end", unit="1", intended_use="study", not_for="anything else"
)
SLOPES, R2, PARTIAL = (0.6, 0.4), 0.52, 0.25
IDLE = 12  #: covariates that say nothing, of the scores that saw the outcomes
RAW = [
    "age",
    "wtkg",
    "hemo",
    "homo",
    "drugs",
    "karnof",
    "oprior",
    "preanti",
    "race",
    "gender",
    "str2",
    "symptom",
    "cd40",
    "cd80",
]


def patients(n: int, rng: np.random.Generator, arms: int = 1) -> pl.DataFrame:
    """y of variance one: 0.6 base + 0.4 x + noise, arms without an effect."""
    base, x, idle, noise = rng.normal(size=(4, n))
    y = SLOPES[0] * base + SLOPES[1] * x + math.sqrt(1.0 - R2) * noise
    return pl.DataFrame({"base": base, "x": x, "idle": idle, "y": y, "arm": rng.permutation(np.arange(n) % arms)})


def asked(**more: object) -> ScoreSpecification:
    """Of the simulated patients."""
    given = ScoreSpecification(name="study", kind="linear", endpoint="continuous", outcome="y", context=CONTEXT, folds=5,
                               baseline="base", covariates=["base", "x", "idle"])  # fmt: skip
    return msgspec.structs.replace(given, **more)


def share(hits: int, runs: int) -> str:
    """With its exact interval."""
    low, high = exact_interval(hits, runs)
    return f"{hits / runs:.1%} ({low:.1%} to {high:.1%})"


def intervals(runs: int) -> list[str]:
    """How often both figures' intervals hold the truth."""
    lines = ["| historical patients | interval of R2 holds 0.52 | beyond baseline holds 0.25 | mean R2 | mean beyond baseline |",
             "|---|---|---|---|---|"]  # fmt: skip
    for n in (100, 300, 1000):
        rng = np.random.default_rng(n)
        told = [train(patients(n, rng), asked(keep_prints=False)).figures for _ in range(runs)]
        beyond = [one.beyond_baseline for one in told if one.beyond_baseline is not None]
        first = sum(one.r_squared.low <= R2 <= one.r_squared.high for one in told)
        second = sum(one.low <= PARTIAL <= one.high for one in beyond)
        means = np.mean([one.r_squared.value for one in told]), np.mean([one.value for one in beyond])
        lines.append(f"| {n} | {share(first, runs)} | {share(second, runs)} | {means[0]:.3f} | {means[1]:.3f} |")
    return lines


def rejections(runs: int) -> list[str]:
    """Null trials analysed with a frozen score, and with scores that were trained on their own outcomes."""
    lines = ["| control + treated | frozen before | the trial's own outcomes, arms unseen | its own controls' outcomes |",
             "|---|---|---|---|"]  # fmt: skip
    for n in (15, 30, 100):
        rng = np.random.default_rng(n)
        frozen = train(patients(300, rng), asked(keep_prints=False), evaluate=False)
        hits = [0, 0, 0]
        for _ in range(runs):
            trial = patients(2 * n, rng, arms=2)
            y, controls = trial["y"].to_numpy(), trial["arm"].to_numpy() == 0
            idle = np.column_stack([np.ones(2 * n), rng.normal(size=(2 * n, IDLE))])
            own = idle @ np.linalg.lstsq(idle, y, rcond=None)[0]
            half = idle @ np.linalg.lstsq(idle[controls], y[controls], rcond=None)[0]
            for k, values in enumerate((frozen.predict(trial), own, half)):
                data = read_trial(
                    trial.with_columns(pl.Series("s", values)), outcome="y", arm="arm", control=0, covariates=["s"]
                )
                hits[k] += ancova(data)["1 - 0"].p_value < 0.05
        lines.append(f"| {n} + {n} | " + " | ".join(share(count, runs) for count in hits) + " |")
    return lines


def drifts(runs: int) -> list[str]:
    """How often each family of drift flags, without drift and with a baseline that moved."""
    families = ("difference", "stability", "distribution", "range", "missing", "together")
    lines = ["| drift of the baseline value | " + " | ".join(families) + " |", "|---|" + "---|" * len(families)]
    for moved in (0.0, 0.25, 0.5):
        rng = np.random.default_rng(round(100 * moved))
        hits = dict.fromkeys(families, 0)
        for _ in range(runs):
            past = patients(300, rng)
            made = train(past, asked(keep_prints=False), evaluate=False)
            trial = patients(200, rng).with_columns(pl.col("base") + moved)
            for name in {one.measure for one in drift(made, trial, historical=past).measures if one.flagged}:
                hits[name] += 1
        lines.append(f"| {moved:g} SD | " + " | ".join(share(hits[name], runs) for name in families) + " |")
    return lines


def planted(runs: int) -> list[str]:
    """How often a leak is found: some of the trial's patients among the training data."""
    lines = ["| patients of the trial in the training data | certain | suspected | silent |", "|---|---|---|---|"]
    for k in (0, 1, 2, 10):
        rng = np.random.default_rng(k)
        counts = [0, 0, 0]
        for _ in range(runs):
            trial = patients(200, rng, arms=2)
            made = train(pl.concat([patients(300, rng), trial.head(k)]), asked(), evaluate=False)
            report = leaks(made, trial, arm="arm", randomised=date(2024, 1, 1))
            counts[0 if report.certain else 1 if report.findings else 2] += 1
        lines.append(f"| {k} | " + " | ".join(share(count, runs) for count in counts) + " |")
    return lines


def actg(folder: Path) -> list[str]:
    """Kinds of score on ACTG175: what training promises, and what the trial gives."""
    whole = pl.read_csv(folder / "actg175.csv", null_values="NA")
    past = whole.filter(pl.col("arms") == 0).sort("pidnum").gather_every(2)
    trial = whole.join(pl.read_csv(folder / "actg175_split_score.csv"), on="pidnum")
    base = ScoreSpecification(name="CD4", kind="linear", endpoint="continuous", outcome="cd420", context=CONTEXT, baseline="cd40",
                              covariates=RAW, folds=10)  # fmt: skip
    kinds = {
        "least squares": base, "ridge": msgspec.structs.replace(base, ridge=True),
        "boosting": msgspec.structs.replace(base, kind="boosting"),
        "baseline value alone": msgspec.structs.replace(base, covariates=["cd40"]),
    }  # fmt: skip
    lines = ["| score | R2 in training | R2, 10-fold | beyond cd40, 10-fold | r controls | r treated | beyond cd40, trial | "
             "variance against cd40 (HC3) |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, spec in kinds.items():
        made = train(past, spec)
        lines.append(f"| {name} | " + " | ".join(_worth(made, trial)) + " |")
    return lines


def _worth(made: TrainedScore, trial: pl.DataFrame) -> list[str]:
    control, treated, both = within_arms(made, trial, arm="A")
    told, table = made.figures, trial.with_columns(pl.Series("s", made.predict(trial)))
    errors = [ancova(read_trial(table, outcome="cd420", arm="A", control=0, covariates=[name]), variance="HC3")["1 - 0"]
              .standard_error for name in ("s", "cd40")]  # fmt: skip
    beyond = [
        one and f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})"
        for one in (told.beyond_baseline, both.beyond_baseline)
    ]
    return [
        f"{told.apparent:.3f}", f"{told.r_squared.value:.3f} ({told.r_squared.low:.3f} to {told.r_squared.high:.3f})",
        str(beyond[0]), f"{control.correlation.value:.3f}", f"{treated.correlation.value:.3f}", str(beyond[1]),
        f"{(errors[0] / errors[1]) ** 2 - 1:+.1%}",
    ]  # fmt: skip


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--report", type=Path, default=Path("docs/evidence/prognostic-score.md"))
    given = parser.parse_args()
    runs = given.runs
    parts = [
        "# Prognostic scores", "",
        "Generated by `python -m medtwin.trials.score.study --data FOLDER` (the folder with `actg175.csv`); do not edit. Shares "
        "have their exact 95 % interval. Simulated outcomes: 0.6 baseline + 0.4 x + noise, variance one, so that R2 is 0.52 "
        "and the squared partial correlation beyond the baseline value 0.25.", "",
        f"## Intervals of both figures ({runs} histories each)", "", *intervals(runs), "",
        "A small history makes a score that is worth less than the best one (0.52 and 0.25), and the figures say so.", "",
        f"## Two-sided type I error at 5 %, ANCOVA with the score, HC2 ({5 * runs} null trials each)", "",
        *rejections(5 * runs), "",
        f"The last two were fitted by least squares on {IDLE} covariates that say nothing. What such a score does to the level "
        "depends on how it was made; it is refused because nobody can tell, and because it was not specified before.", "",
        f"## Flags of drift, 300 historical and 200 trial patients ({max(runs // 4, 1)} pairs each)", "",
        *drifts(max(runs // 4, 1)), "",
        f"## Leaks, 300 historical and 200 trial patients ({max(runs // 4, 1)} pairs each)", "", *planted(max(runs // 4, 1)), "",
    ]  # fmt: skip
    if given.data is not None:
        parts += [
            "## ACTG175: 266 historical controls, 266 controls and 522 treated patients",
            "",
            *actg(given.data),
            "",
        ]
        parts += ["The intervals of the trial's figures hold the sampling of its patients alone. What the score adds to the "
                  "baseline value is small here, whatever its R2 says.", ""]  # fmt: skip
    given.report.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
