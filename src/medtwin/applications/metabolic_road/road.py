"""The months ahead under a plan, and without it: weight, HbA1c, and the chance of HbA1c below 6.5 % without drugs."""

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
#: Remission at one year in DiRECT by the weight lost (kg, from), of so many: Lean 2018 (abstract as summarised)
DIRECT = ((float("-inf"), 0, 76), (0.0, 6, 89), (5.0, 19, 56), (10.0, 16, 28), (15.0, 31, 36))


@dataclass(frozen=True)
class Course:
    """At the end of each month: ``(3, months)`` of the levels 5, 50 and 95 %; ``chance`` with an interval (95 %)."""

    weight: np.ndarray
    hba1c: np.ndarray
    chance: float  #: of HbA1c below 6.5 % at the end, all glucose-lowering drugs away for the last three months
    chance_interval: tuple[float, float]  #: of the draws that count only; what the model gets wrong is not in it
    trial: float  #: the share in remission in DiRECT among people who lost as much weight as these members do
    trial_interval: tuple[float, float]  #: of the numbers of people in that trial


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
    with_drugs = _lived(people, weight, taking, plan, without_at_the_end=False)
    without = _lived(people, weight, taking, plan, without_at_the_end=True)
    error = LABORATORY * np.random.default_rng(seed).standard_normal(with_drugs["hba1c"].shape)
    reached = (without["hba1c"][-1] + error[-1]) < REMISSION
    return Course(
        weight=np.percentile(with_drugs["body_weight"], LEVELS, axis=1),
        hba1c=np.percentile(with_drugs["hba1c"] + error, LEVELS, axis=1),
        chance=float(reached.mean()),
        chance_interval=wilson(float(reached.mean()), people.effective),
        **in_trial(weight - with_drugs["body_weight"][-1]),
    )


def _lived(people: Members, weight: float, taking: Mapping[str, Dose], plan: Plan, without_at_the_end: bool) -> Any:
    coupled, p = metabolism(people.incretin), people.parameters
    daily = {name: one.daily for name, one in taking.items()}
    effects = steady(coupled, p, daily)
    state = coupled.initial(p)
    drugs = steady_states(coupled, p, daily)
    parts = {name: value for drug in drugs.values() for name, value in vars(drug).items() if hasattr(state, name)}
    for label, drug in drugs.items():  # the joint name of a state that two drugs share
        parts |= {f"{label}_{n}": v for n, v in vars(drug).items() if hasattr(state, f"{label}_{n}")}
    red = coupled._own([m.name for m in coupled.models].index("haemoglobin"), p)
    state = replace(state, **parts, **vars(people.cells), **vars(settled(red, people.cells.glucose)))

    days = MONTH * plan.months
    usual = coupled.resting(p)["energy_intake"] + effects["appetite_effect"]
    usual = usual + ENERGY_OF_GLUCOSE * people.cells.urine_glucose
    eaten = usual + plan.intake - WALK * weight * plan.walk
    inputs = {"energy_intake": jnp.broadcast_to(eaten, (days, *eaten.shape))}
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
    return {name: np.asarray(value) for name, value in seen.items()}


@eqx.filter_jit
def _run(incretin: str, state: Any, parameters: Any, inputs: Any) -> Any:
    state = jax.tree.map(lambda x: x + jnp.zeros_like(inputs["energy_intake"][0]), state)
    seen = simulate(metabolism(incretin), state, parameters, inputs, every=MONTH)[1]
    return {name: seen[name] for name in ("body_weight", "hba1c", "blood_glucose")}


def in_trial(lost: np.ndarray) -> dict[str, Any]:
    """DiRECT's remission at the weights ``lost`` (kg), and its interval (95 %), by draws of each class's share."""
    number = np.searchsorted([low for low, *_ in DIRECT], lost + 1e-9, side="right") - 1
    held = np.bincount(number, minlength=len(DIRECT)) / len(lost)
    draws = np.random.default_rng(0)
    shares = [draws.beta(reached + 0.5, count - reached + 0.5, 4000) for _, reached, count in DIRECT]
    mixed = sum(share * part for share, part in zip(shares, held, strict=True))
    expected = sum(part * reached / count for part, (_, reached, count) in zip(held, DIRECT, strict=True))
    low, high = np.percentile(mixed, (2.5, 97.5))
    return {"trial": float(expected), "trial_interval": (float(low), float(high))}


def wilson(share: float, count: float) -> tuple[float, float]:
    """Interval (95 %) of a share of so many independent draws."""
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)
