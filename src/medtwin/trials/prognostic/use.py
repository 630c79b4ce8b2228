"""What a trial takes from twins: a score for each patient as a covariate, and a synthetic control arm to plan with.

The score is the mean of the draws at the target visit, on the outcome's working scale, fixed before randomisation: a function
of baseline (and of visits before randomisation) alone. A synthetic control arm is for planning: it is drawn, it holds under
the conditions that it names, and it must not stand in for patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.draws import Draws
from medtwin.trials.prognostic.evaluation.accuracy import correlation, squared_partial
from medtwin.trials.prognostic.generator import Generator, draw

Array = np.ndarray


def prognostic_score(
    generator: Generator, baseline: Baseline, time: float, outcome: str, *, history: Cohort | None = None, draws: int = 1000,
    seed: int = 0, natural: bool = False,
) -> pl.DataFrame:  # fmt: skip
    """subject, ``score`` (mean), ``score_sd`` of the patient's outcome, ``monte_carlo_error`` of the score.

    ``natural``: in the outcome's unit instead of its working scale.
    """
    drawn = draw(generator, baseline, [time], outcomes=[outcome], history=history, draws=draws, seed=seed)
    values = (drawn.values if natural else drawn.working)[:, :, 0]
    sd = values.std(0, ddof=1)
    return pl.DataFrame({
        "subject": list(drawn.subjects), "score": values.mean(0), "score_sd": sd, "monte_carlo_error": sd / np.sqrt(draws),
    })  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PlanningValues:
    """Of an outcome at one visit on its working scale, over draws of a synthetic control arm: mean (2.5 %, 97.5 %)."""

    outcome: str
    time: float
    mean: tuple[float, float, float]
    sd: tuple[float, float, float]  #: between patients
    score_correlation: tuple[float, float, float]  #: of outcome and score
    partial: tuple[float, float, float]  #: squared partial correlation of the score given the baseline value
    patients: int
    conditions: tuple[str, ...]


def synthetic_control_arm(
    generator: Generator,
    baseline: Baseline,
    times: Array,
    *,
    patients: int | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Draws:
    """One arm in each draw: the baseline's patients, or ``patients`` of them with replacement (named anew)."""
    people = baseline
    if patients is not None:
        if patients < 2:
            raise AnalysisError(f"{patients} patients", expected="two or more", where="synthetic control arm")
        rows = np.random.default_rng([seed, 8]).integers(len(baseline.subjects), size=patients)
        people = Baseline.of([f"synthetic {k + 1}" for k in range(patients)], baseline.covariates[rows], baseline.names)
    return draw(generator, people, times, draws=draws, seed=seed)


def planning_values(arm: Draws, baseline: Baseline, time: float, outcome: str) -> PlanningValues:
    """What a power calculation asks for, with how far it is uncertain for an arm of this size."""
    names = [one.name for one in arm.outcomes]
    rows = np.flatnonzero(arm.time == time)
    if outcome not in names or len(rows) != len(arm.subjects) or arm.subjects != baseline.subjects:
        raise AnalysisError(f"outcome {outcome!r}, time {time:g}", where="planning values",
                            expected="an outcome and a time of the arm, and its own baseline")  # fmt: skip
    o = names.index(outcome)
    y = arm.working[:, rows, o]
    score = y.mean(0)
    label = f"baseline {arm.outcomes[o].label}"
    first = baseline.column(label) if label in baseline.names else np.zeros(len(score))

    def spread(values: list[float] | Array) -> tuple[float, float, float]:
        low, high = np.quantile(values, [0.025, 0.975])
        return float(np.mean(values)), float(low), float(high)

    return PlanningValues(
        outcome=outcome, time=time, mean=spread(y.mean(1)), sd=spread(y.std(1, ddof=1)),
        score_correlation=spread([correlation(one, score) for one in y]),
        partial=spread([squared_partial(one, score, first) for one in y]), patients=len(score), conditions=arm.conditions,
    )  # fmt: skip
