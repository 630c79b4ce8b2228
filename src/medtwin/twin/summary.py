"""What is known of a patient at a moment, in plain numbers: for tables, pages and notebooks.

Everything downstream sees a belief through its members; so do these intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import jax
import jax.numpy as jnp
import numpy as np

from medtwin.inference.belief import members
from medtwin.physiology.model import variables
from medtwin.quantities import registry
from medtwin.record import Basis, Code, Event, Intent
from medtwin.twin.patients import Life
from medtwin.twin.twin import Twin, prior_intervals

MEMBERS = 1000
TAILS = (0.05, 0.5, 0.95)
Interval = tuple[float, float, float]  #: lower, median, upper: 90 %


@dataclass(frozen=True)
class Parameter:
    """One thing that data teach of this person: what was believed of anybody, and what is believed now."""

    name: str
    unit: str
    meaning: str
    prior: Interval
    posterior: Interval


@dataclass(frozen=True)
class Explanation:
    """One named reason why readings and model may disagree, and how likely it is now."""

    name: str
    meaning: str
    probability: float
    question: str


@dataclass(frozen=True)
class Latest:
    """The newest fact of one quantity. ``beside`` counts facts of it in all."""

    event: Event
    age: float  #: seconds
    facts: int


@dataclass(frozen=True)
class Summary:
    """One patient as the twin sees them ``at`` a moment."""

    at: datetime
    latest: tuple[Latest, ...]
    diagnoses: tuple[Code, ...]
    belief: dict[str, Interval]
    parameters: tuple[Parameter, ...]
    explanations: tuple[Explanation, ...]
    snapshot: str | None
    model: str | None
    reason: str
    headline: str


def summary(life: Life, at: datetime) -> Summary:
    """What this life holds at ``at``: newest facts, belief, parameters prior and posterior, explanations."""
    happened = [
        e
        for e in life.record.events
        if e.instant <= at and e.intent is Intent.HAPPENED and (e.basis is Basis.OBSERVED or isinstance(e.value, Code))
    ]  # a derived number stands for readings that are here; a derived code (a diplotype) says more than its genotypes
    newest: dict[str, Event] = {}
    counts: dict[str, int] = {}
    for event in happened:
        newest[event.quantity] = event
        counts[event.quantity] = counts.get(event.quantity, 0) + 1
    latest = tuple(
        Latest(event, (at - event.instant).total_seconds(), counts[quantity])
        for quantity, event in sorted(newest.items(), key=lambda pair: pair[1].instant, reverse=True)
    )
    codes = {e.value.code: e.value for e in happened if e.quantity == "diagnosis" and isinstance(e.value, Code)}
    twin, choice = life.twin, life.choice
    belief: dict[str, Interval] = {}
    parameters: tuple[Parameter, ...] = ()
    if twin is not None:
        belief, parameters = _believed(twin)
    return Summary(
        at, latest, tuple(codes.values()), belief, parameters, () if twin is None else explanations(twin),
        None if twin is None else twin.snapshot, None if choice.model is None else choice.model.name, choice.reason,
        choice.headline,
    )  # fmt: skip


def _believed(twin: Twin) -> tuple[dict[str, Interval], tuple[Parameter, ...]]:
    state, drawn = members(twin.problem, twin.belief, MEMBERS, jax.random.key(0))
    clock = jnp.asarray(twin.axis.since_midnight(twin.step), float)
    seen = twin.model.observe(clock, state, drawn)
    prior = prior_intervals(twin)
    declared = {v.name: v for v in variables(twin.model.Parameters)}
    parameters = tuple(
        Parameter(name, declared[name].unit, declared[name].meaning, prior[name], _interval(getattr(drawn, name)))
        for name in twin.model.inferred
    )
    return {quantity: _interval(values) for quantity, values in seen.items()}, parameters


def _interval(values: object) -> Interval:
    lower, middle, upper = (float(q) for q in np.quantile(np.asarray(values), TAILS))
    return lower, middle, upper


def explanations(twin: Twin) -> tuple[Explanation, ...]:
    """The filter's hypotheses with their probabilities now, likeliest first, and the question that each one asks."""
    columns = twin.pieces[-1].columns
    probability = getattr(twin.belief, "probability", None)
    if probability is None or not len(columns["boundary"]):
        return ()
    found = []
    for hypothesis, share in zip(twin.choice.update.bank, np.asarray(probability), strict=True):  # type: ignore[union-attr]
        amount = columns.get(f"amount:{hypothesis.name}", np.array([np.nan]))[-1]
        ago = columns.get(f"ago:{hypothesis.name}", np.array([0.0]))[-1]
        unit = registry.get(hypothesis.opens.quantity).unit if hypothesis.opens else ""
        when = twin.axis.moment(
            int(columns["boundary"][-1] - (ago if np.isfinite(ago) else 0.0) * 60 / twin.axis.length)
        )
        question = hypothesis.question.format(
            amount=amount if np.isfinite(amount) else 0.0, unit=unit, time=f"{when:%H:%M} UTC"
        )
        found.append(Explanation(hypothesis.name, hypothesis.meaning, float(share), question))
    return tuple(sorted(found, key=lambda one: -one.probability))
