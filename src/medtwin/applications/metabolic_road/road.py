"""The months ahead under a plan, and without it: weight, HbA1c, and the chance of HbA1c below 6.5 % without drugs.

Fat of liver and pancreas carries what lost weight does to HbA1c. Its two fitted numbers, the trials that were held out and what
the model missed in them are in docs/evidence/road.md: HbA1c and the chance are stated where such a trial was, their
intervals hold what was missed, and beyond they are withheld with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from medtwin.applications.metabolic_road.members import LABORATORY, Members, steady, steady_states
from medtwin.applications.metabolic_road.plan import DRUGS, Dose, Plan
from medtwin.physiology.haemoglobin import settled
from medtwin.physiology.metabolism import ENERGY_OF_GLUCOSE, metabolism
from medtwin.physiology.model import simulate

MONTH = 30  #: days
REMISSION = 6.5  #: %
OFF = 90  #: days without drugs before it counts (consensus of 2021: three months)
WALK = 0.035  #: kcal/kg/min above rest, slow to brisk walking of about 3 MET less 1 (from memory)
LEVELS = (5.0, 50.0, 95.0)
STEADY = (
    2.0  #: kg, weight that counts as not moved: what any model says of HbA1c within is less than a laboratory's error
)
MOST = 18.0  #: kg lost, the most that a trial of docs/evidence/road.md stands behind
TRIED_MONTHS = 24  #: the longest of them
#: points of HbA1c by which the model missed the means of held-out trials, root of the mean square: docs/evidence/road.md; a test
#: holds it to that page
MISSED = 0.35
#: kcal/d a month, how intake wanders though nothing is meant: such that weight's sd after a year is that of DiRECT's control arm,
#: 3.7 kg (Lean 2018, abstract, from memory); a test holds it to that
WANDERING = 140.0
UNMOVED = 0.5  #: kg
IMPOSSIBLE = 20.0  #: %, HbA1c
#: Remission at one year in DiRECT, both arms: weight lost, from (kg), remissions, people (Lean 2018, abstract, from memory)
DIRECT = (
    ("none", float("-inf"), 0, 76),
    ("0 to 5 kg", 0.0, 6, 89),
    ("5 to 10 kg", 5.0, 19, 56),
    ("10 to 15 kg", 10.0, 16, 28),
    ("15 kg and more", 15.0, 31, 36),
)


@dataclass(frozen=True)
class Trial:
    """What DiRECT saw among those who lost as much weight: not a statement about this person."""

    lost: str
    reached: int
    people: int
    interval: tuple[float, float]  #: 95 %


@dataclass(frozen=True)
class Course:
    """At the end of each month: ``(3, months)`` of the levels 5, 50 and 95 %; HbA1c is NaN where it is withheld."""

    weight: np.ndarray
    hba1c: np.ndarray
    chance: float | None  #: of HbA1c below 6.5 % at the end, all drugs away for the last three months; where it holds
    #: 95 %, of the draws that count, and of a miss of ``MISSED`` that all of them share
    chance_interval: tuple[float, float] | None
    trial: Trial | None  #: at the median of the weight lost; nothing where weight stays
    withheld: str | None  #: why HbA1c is not stated up to the end, in words


@dataclass(frozen=True)
class Road:
    """Both courses."""

    months: int
    as_now: Course
    planned: Course
    effective: float


def road(people: Members, weight: float, taking: Mapping[str, Dose], plan: Plan, seed: int = 0) -> Road:
    """Of these members. ``weight`` now, kg."""
    as_now = _course(people, weight, taking, Plan(months=plan.months), seed)
    return Road(plan.months, as_now, _course(people, weight, taking, plan, seed), people.effective)


def _course(people: Members, weight: float, taking: Mapping[str, Dose], plan: Plan, seed: int) -> Course:
    wanders = wandering(len(people.cells.glucose), plan.months, seed)
    with_drugs = lived_on(people, weight, taking, plan, wanders=wanders)
    without = lived_on(people, weight, taking, plan, without_at_the_end=True, wanders=wanders)
    weights = np.percentile(with_drugs["body_weight"], LEVELS, axis=1)
    lost = weight - weights[1]
    holds, withheld = stated(lost)
    random = np.random.default_rng(seed)
    laboratory = LABORATORY * random.standard_normal(with_drugs["hba1c"].shape)
    moved = np.abs(lost)[:, None] > STEADY
    missed = np.where(moved, MISSED, 0.0) * random.standard_normal(with_drugs["hba1c"].shape[1])
    hba1c = np.nanpercentile(with_drugs["hba1c"] + laboratory + missed, LEVELS, axis=1)
    hba1c[:, ~holds] = np.nan
    share = interval = None
    if holds[-1]:
        share, interval = below(without["hba1c"][-1] + laboratory[-1], REMISSION, people.effective, bool(moved[-1, 0]))
    return Course(weights, hba1c, share, interval, in_trial(float(lost[-1])), withheld)


def stated(lost: np.ndarray) -> tuple[np.ndarray, str | None]:
    """At the end of which months HbA1c may be stated, of the median weight lost (kg) at each; and why not beyond."""
    months = np.arange(1, len(lost) + 1)
    checks = (
        (lost < -STEADY, f"weight rises by more than {STEADY:g} kg, and no trial of weight gain was looked at"),
        (lost > MOST, f"more than {MOST:g} kg are lost, and no trial that was looked at went so far"),
        (
            np.maximum.accumulate(np.abs(lost) > STEADY) & (months > TRIED_MONTHS),
            f"the trials that were looked at last {TRIED_MONTHS} months",
        ),
    )
    holds = np.ones(len(lost), bool)
    said = [(int(np.argmax(one)), why) for one, why in checks if one.any()]
    for first, _ in said:
        holds[first:] = False
    return holds, min(said)[1] if said else None


def below(hba1c: np.ndarray, limit: float, effective: float, moved: bool) -> tuple[float, tuple[float, float]]:
    """Share of draws below ``limit`` (%), and its 95 % interval: of as many draws as count and, where weight ``moved``, of a
    shift by 1.96 times ``MISSED`` that all draws share."""
    fine = hba1c[np.isfinite(hba1c)]
    shift = 1.96 * MISSED if moved else 0.0
    low, middle, high = (float((fine + by < limit).mean()) for by in (shift, 0.0, -shift))
    return middle, (wilson(low, effective)[0], wilson(high, effective)[1])


def wandering(count: int, months: int, seed: int) -> np.ndarray:
    """How far intake wanders off what is meant, kcal/d, as ``(days, count)``: a random walk of :data:`WANDERING` a month."""
    steps = WANDERING * np.random.default_rng(seed + 1).standard_normal((months, count))
    return np.repeat(np.cumsum(steps, axis=0), MONTH, axis=0)


def lived_on(
    people: Members,
    weight: float,
    taking: Mapping[str, Dose],
    plan: Plan,
    without_at_the_end: bool = False,
    wanders: np.ndarray | float = 0.0,
) -> dict[str, np.ndarray]:
    """Weight (kg), HbA1c (%), glucose (mg/dL) and glucose in urine (g/d) of each member at the end of each month, as
    ``(months, members)``. ``wanders (days, members)``: intake beside what is meant, kcal/d. A member whose equations leave
    what is possible is not a number from then on."""
    coupled, p = metabolism(people.incretin), people.parameters
    daily = {name: one.daily for name, one in taking.items()}
    effects = steady(coupled, p, daily)
    state = coupled.initial(p)
    drugs = steady_states(coupled, p, daily)
    parts = {name: value for drug in drugs.values() for name, value in vars(drug).items() if hasattr(state, name)}
    for label, drug in drugs.items():  # the joint name of a state that two drugs share
        parts |= {f"{label}_{n}": v for n, v in vars(drug).items() if hasattr(state, f"{label}_{n}")}
    red = coupled._own([m.name for m in coupled.models].index("haemoglobin"), p)
    state = replace(
        state, **parts, **vars(people.cells), **vars(people.fat), **vars(settled(red, people.cells.glucose))
    )

    days = MONTH * plan.months
    usual = coupled.resting(p)["energy_intake"] + effects["appetite_effect"]
    usual = usual + ENERGY_OF_GLUCOSE * people.cells.urine_glucose
    eaten = usual + plan.intake - WALK * weight * plan.walk
    inputs = {"energy_intake": jnp.broadcast_to(eaten, (days, *eaten.shape)) + wanders}
    for name in DRUGS:
        if name not in {one.quantity for one in coupled.accepts}:
            continue
        new = plan.start.get(name)
        one = new or (None if name in plan.stop else taking.get(name))
        given = np.array([one.on(day, new=new is not None) if one else 0.0 for day in range(days)])
        if without_at_the_end:
            given[max(days - OFF, 0) :] = 0.0
        inputs[name] = jnp.broadcast_to(jnp.asarray(given)[:, None], (days, *eaten.shape))
    seen = _run(people.incretin, state, p, inputs)
    found = {name: np.array(value) for name, value in seen.items()}
    gone = np.maximum.accumulate(~(found["hba1c"] < IMPOSSIBLE), axis=0)
    found["hba1c"][gone] = found["blood_glucose"][gone] = np.nan
    return found


@eqx.filter_jit
def _run(incretin: str, state: Any, parameters: Any, inputs: Any) -> Any:
    state = jax.tree.map(lambda x: x + jnp.zeros_like(inputs["energy_intake"][0]), state)
    seen = simulate(metabolism(incretin), state, parameters, inputs, every=MONTH)[1]
    return {name: seen[name] for name in ("body_weight", "hba1c", "blood_glucose", "glucose_excretion")}


def in_trial(lost: float) -> Trial | None:
    """DiRECT's remission at one year in the class of this weight lost (kg); nothing where weight stays."""
    if abs(lost) < UNMOVED:
        return None
    name, _, reached, people = [one for one in DIRECT if one[1] <= lost + 1e-9][-1]
    return Trial(name, reached, people, wilson(reached / people, people))


def wilson(share: float, count: float) -> tuple[float, float]:
    """Interval (95 %) of a share of so many independent draws."""
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)
