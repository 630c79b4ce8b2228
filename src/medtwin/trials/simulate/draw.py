"""A chunk of trials of a scenario, drawn by its place: ``draw(scenario, seed, chunk)`` is always the same."""

from __future__ import annotations

import numpy as np

from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.outcomes import binary, continuous, count, repeated, survival
from medtwin.trials.simulate.randomise import people
from medtwin.trials.simulate.scenario import Scenario
from medtwin.trials.simulate.seeds import chunk_trials, generator

KINDS = {"continuous": continuous.draw, "binary": binary.draw, "count": count.draw, "survival": survival.draw,
         "repeated": repeated.draw}  # fmt: skip


def draw(scenario: Scenario, seed: int, chunk: int) -> Batch:
    """All trials of a chunk."""
    rng = generator(scenario, seed, chunk)
    trials = chunk_trials(scenario)
    own = _part(scenario, rng, trials, external=False)
    if not scenario.n_external:
        return own
    beside = _part(scenario, rng, trials, external=True)
    return Batch(
        arm=own.arm, outcome=own.outcome, known=own.known, strata=own.strata, event=own.event,
        entry=own.entry, lost=own.lost, external=beside,
    )  # fmt: skip


def _part(scenario: Scenario, rng: np.random.Generator, trials: int, *, external: bool) -> Batch:
    who = people(scenario, rng, trials, external=external)
    made = KINDS[scenario.endpoint](scenario, rng, who, external=external)
    lost = rng.random(who.score.shape) < scenario.dropout if scenario.dropout and scenario.endpoint != "count" else None
    return Batch(arm=who.arm, known=who.known, strata=who.strata, lost=lost, **made)
