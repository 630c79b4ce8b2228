"""A whole analysis by the platform's own methods on simulated patients, and the same made hostile."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl

from medtwin.trials.analysis.cox import cox
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.kaplan import kaplan_meier, survival_effects
from medtwin.trials.analysis.linear import ancova
from medtwin.trials.analysis.marginal import marginal_effects
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis_plan.analysed import Analysed, Deviation, Result
from medtwin.trials.external.balance import balance, effective_sample_size
from medtwin.trials.external.effect import weighted_effect
from medtwin.trials.external.tilting import entropy_weights
from medtwin.trials.missing import Delta, RepeatedTrial, conditionally, tipping_point
from medtwin.trials.mmrm import fit_table
from medtwin.trials.planning.curve import Curve, Figure

UNIT = "points"
PLANNED = Figure(
    title="Power against patients in each arm", across="patients in each arm", target=0.9, marked=60.0,
    curves=(
        Curve("with the score", (20.0, 40.0, 60.0, 80.0), (0.45, 0.75, 0.9, 0.96), "exact"),
        Curve("without", (20.0, 40.0, 60.0, 80.0), (0.31, 0.56, 0.74, 0.85), "exact"),
    ),
)  # fmt: skip
VISITS = ("week 4", "week 8", "week 12")


def patients(size: int = 120, seed: int = 7):
    """Baseline values, score, arm, outcomes at the visits with drop-out, time to an event."""
    rng = np.random.default_rng(seed)
    arm = np.arange(size) % 2
    score = rng.normal(50.0, 8.0, size)
    age = rng.normal(58.0, 9.0, size)
    time = np.arange(3)
    y = (
        0.5 * score[:, None]
        - 3.4 * arm[:, None] * (time + 1) / 3
        + rng.normal(0, 4, (size, 1))
        + rng.normal(0, 3, (size, 3))
    )
    gone = np.maximum.accumulate(rng.random((size, 3)) < 0.08, 1)
    gone[:, 0] = False
    y[gone] = np.nan
    life = rng.exponential(30.0 * np.exp(0.45 * arm - 0.02 * (age - 58.0)), size)
    cut = rng.uniform(6.0, 36.0, size)
    return arm, score, age, y, np.round(np.minimum(life, cut), 2), life <= cut


@cache
def example() -> Analysed:
    """Primary ANCOVA, MMRM, missing data with a tipping point, survival, responders, external controls, one failure."""
    arm, score, age, y, time, event = patients()
    names = np.where(arm, "drug", "placebo")
    last = np.isfinite(y[:, 2])
    covariates = np.column_stack([score, age])
    both = ["prognostic score", "age"]
    gone = {name: int((~last & (names == name)).sum()) for name in ("drug", "placebo")}
    told = (
        f"{sum(gone.values())} patients left out, without hamd17_week12: "
        + ", ".join(f"{count} of arm {name}" for name, count in gone.items()),
    )
    trial = replace(
        TrialData.of(y[last, 2], names[last], control="placebo", covariates=covariates[last], covariate_names=both),
        notes=told,
    )
    repeated = RepeatedTrial.of(y, names, visits=VISITS, control="placebo", covariates=covariates, covariate_names=both)
    tip = tipping_point(
        conditionally(repeated), Delta(by_arm={"drug": 1.0}), estimate="drug - placebo at week 12", high=20.0, points=11
    )
    long = pl.DataFrame({
        "id": np.repeat(np.arange(len(arm)), 3), "arm": np.repeat(names, 3), "visit": list(VISITS) * len(arm),
        "y": y.ravel(), "score": np.repeat(score, 3),
    }).with_columns(pl.col("y").fill_nan(None))  # fmt: skip
    mixed = fit_table(
        long,
        outcome="y",
        subject="id",
        visit="visit",
        arm="arm",
        covariates=["score"],
        arms=["placebo", "drug"],
        unit=UNIT,
    )
    survived = TrialData.of(time, names, control="placebo", covariates=covariates, covariate_names=both, event=event)
    arms = {"placebo": arm == 0, "drug": arm == 1}
    responder = TrialData.of(
        (y[last, 2] < 24.0).astype(float),
        names[last],
        control="placebo",
        covariates=covariates[last],
        covariate_names=both,
    )
    outer = np.random.default_rng(3)
    shift = np.where(arm == 1, 0.0, 4.0)
    external = TrialData.of(
        np.nan_to_num(y[:, 0], nan=25.0), np.where(arm, "drug", "register"), control="register",
        covariates=np.column_stack([score + shift, age + 0.7 * shift, outer.integers(0, 2, len(arm))]),
        covariate_names=["prognostic score", "age", "female"],
    )  # fmt: skip
    weights = entropy_weights(external).weights
    results = (
        Result(name="primary", role="primary", method="ancova", outcome="hamd17_week12", analysis=ancova(trial, unit=UNIT),
               further={"R2 of the model": 0.41, "residual_sd": 5.1, "planned": PLANNED}),
        Result(name="classical variance", role="sensitivity", method="ancova", outcome="hamd17_week12",
               analysis=ancova(trial, unit=UNIT, variance="classical")),
        Result(name="all visits", role="sensitivity", method="mmrm", outcome="hamd17",
               analysis=Analysis(method=mixed.fit.method, estimates=tuple(mixed.differences().values()),
                                 patients={"placebo": 60, "drug": 60}, notes=mixed.fit.notes),
               tests=(mixed.any_difference(), mixed.interaction())),
        Result(name="missing not at random", role="sensitivity", method="conditional-mean", outcome="hamd17_week12",
               analysis=conditionally(repeated)(Delta(by_arm={"drug": 0.0})), tipping=tip),
        Result(name="responders", role="secondary", method="g-computation", outcome="responder",
               analysis=marginal_effects(responder, family="logistic", measures=("difference", "ratio", "odds ratio"))),
        Result(name="time to relapse", role="secondary", method="cox", outcome="weeks", analysis=cox(survived),
               curves={name: kaplan_meier(time[mine], event[mine]) for name, mine in arms.items()},
               further={"censored": {name: time[mine & ~event].tolist() for name, mine in arms.items()}, "time_unit": "weeks"}),
        Result(name="relapse-free at 12 weeks", role="secondary", method="kaplan-meier", outcome="weeks",
               analysis=survival_effects(survived, times=[12.0], tau=24.0, unit="weeks")),
        Result(name="against the register", role="sensitivity", method="entropy-balancing", outcome="hamd17_week4",
               analysis=weighted_effect(external, weights, method="entropy balancing", unit=UNIT),
               balance=balance(external, weights),
               further={"effective sample size": effective_sample_size(weights[external.arm == 0])}),
        Result(name="log-rank in women", role="subgroup", method="logrank", outcome="weeks",
               failure="found no event in arm drug; expected events in every arm; at log-rank; wait for events"),
    )  # fmt: skip
    return Analysed(
        title="Drug against placebo in major depression, week 12",
        synthetic=True,
        plan={
            "title": "Drug against placebo in major depression, week 12", "synthetic": True, "arm": "arm",
            "control": "placebo", "subject": "id", "covariates": both,
            "analyses": [{"name": r.name, "role": r.role, "method": r.method, "outcome": r.outcome} for r in results],
        },
        estimand=(
            "Treatment: drug against placebo\nPopulation: adults with major depression, all randomised\nVariable: HAMD17 at "
            "week 12 (continuous)\nIntercurrent events:\n  dropout: hypothetical (had nobody stopped); missing outcomes: MAR\n"
            "Summary: difference in means"
        ),
        results=results,
        hashes={"plan": "a" * 64, "data": "b" * 64, "score": "c" * 64, "lock": "d" * 64},
        made_at="2026-03-05T09:30:00Z",
        version="0.1.0",
        locked_at="2026-01-12T08:00:00Z",
        deviations=(
            Deviation(of="data", locked="b0" * 32, found="bb" * 32,
                      words="The table is not the one that was locked: its sha256 begins bbbb instead of b0b0."),
        ),
        notes=told,
        patients={"placebo": 60, "drug": 60},
        historical={
            "context of use": "adults with major depression, score from baseline HAMD17 and demographics",
            "r2": 0.44, "partial_r2": 0.12,
            "drift": [
                {"covariate": "age", "historical": 55.2, "trial": 58.1, "standardised difference": 0.31},
                {"covariate": "baseline HAMD17", "historical": 22.1, "trial": 22.4, "standardised difference": 0.05},
            ],
        },
    )  # fmt: skip


def hostile(words: str) -> Analysed:
    """Every name of the example is ``words``."""
    made = example()
    results = tuple(
        replace(
            result, name=words, outcome=words, method=words, failure=result.failure and words,
            analysis=None if result.analysis is None else replace(
                result.analysis, method=words, notes=(words,), patients={words: 3, words + "2": 4},
                estimates=tuple(replace(one, name=words, method=words, unit=words) for one in result.analysis.estimates),
            ),
            tests=tuple(replace(test, name=words, method=words) for test in result.tests),
            curves={words + str(number): curve for number, curve in enumerate(result.curves.values())},
            balance=None if result.balance is None else replace(
                result.balance, rows=tuple(replace(row, name=words) for row in result.balance.rows), notes=(words,)
            ),
            tipping=None if result.tipping is None else replace(result.tipping, estimate=words, notes=(words,)),
            further={words: words},
        )
        for result in made.results
    )  # fmt: skip
    return replace(
        made, title=words, estimand=words, plan={words: [words, {words: None}]}, results=results, notes=(words,),
        hashes={words: words}, version=words, patients={words: 1},
        deviations=(Deviation(of=words, locked=words, found=words, words=words),),
        historical={"context of use": words, words: {words: words}},
    )  # fmt: skip
