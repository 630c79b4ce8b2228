"""Which drug to step down first: the one without which mean HbA1c rises least; and the chance to stay below 6.5 and 7.0 %.

The same members live the same plan with all drugs and, once for each drug, without it: differences between drugs are of
pairs. What a drug does differs between members as its prior says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from medtwin.applications.metabolic_road.members import LABORATORY, Members
from medtwin.applications.metabolic_road.plan import Dose, Plan
from medtwin.applications.metabolic_road.road import LEVELS, STEADY, below, lived_on, stated, wandering
from medtwin.errors import AnalysisError

LIMITS = (6.5, 7.0)  #: %
FEWEST_MONTHS = 3  #: until HbA1c has followed


@dataclass(frozen=True)
class Step:
    """One drug stopped (``None``: all kept): chances of HbA1c below each of ``LIMITS`` at the end, with 95 % intervals; HbA1c and
    weight there (5, 50, 95 %); and the share of members in whom stopping this drug raises HbA1c least."""

    stopped: str | None
    chances: tuple[float, float]
    intervals: tuple[tuple[float, float], tuple[float, float]]
    hba1c: tuple[float, float, float]
    weight: tuple[float, float, float]
    least: float | None


@dataclass(frozen=True)
class StepDown:
    """All drugs kept, then each stopped: lowest mean HbA1c first. ``clear``: the order of the first two is more than
    the draws' own noise (95 %, pairs). Nothing but the reason where HbA1c is ``withheld``."""

    kept: Step | None
    steps: tuple[Step, ...]
    clear: bool
    withheld: str | None


def step_down(people: Members, weight: float, taking: Mapping[str, Dose], plan: Plan, seed: int = 0) -> StepDown:
    """Of these members under ``plan`` (whose own ``stop`` and ``start`` stay). Raises :class:`AnalysisError` where fewer than two
    drugs are taken on or the plan is too short."""
    candidates = [name for name in taking if name not in plan.stop]
    if len(candidates) < 2:
        raise AnalysisError(
            f"{len(candidates)} drugs that could be stopped", expected="two at least, to say which first",
            remedy='state them with --taking "metformin 2000 mg daily" --taking "glimepiride 4 mg daily"',
        )  # fmt: skip
    if plan.months < FEWEST_MONTHS:
        raise AnalysisError(f"{plan.months} months", expected=f"{FEWEST_MONTHS} at least: HbA1c follows within three")
    ends = {}
    wanders = wandering(len(people.cells.glucose), plan.months, seed)
    for name in (None, *candidates):
        stopped = plan.stop | ({name} if name else set())
        seen = lived_on(people, weight, taking, replace(plan, stop=frozenset(stopped)), wanders=wanders)
        lost = weight - np.percentile(seen["body_weight"], 50, axis=1)
        holds, why = stated(lost)
        if not holds[-1]:
            return StepDown(None, (), False, why)
        ends[name] = (seen["hba1c"][-1], seen["body_weight"][-1], abs(float(lost[-1])) > STEADY)
    noise = LABORATORY * np.random.default_rng(seed).standard_normal(len(ends[None][0]))
    together = np.stack([ends[name][0] for name in candidates])
    fine = np.isfinite(together).all(axis=0) & np.isfinite(ends[None][0])
    least = np.argmin(together[:, fine], axis=0)

    def told(name: str | None) -> Step:
        hba1c, kilograms, moved = ends[name]
        found = [below(hba1c[fine] + noise[fine], limit, people.effective, moved) for limit in LIMITS]
        low, middle, high = (float(x) for x in np.percentile(hba1c[fine] + noise[fine], LEVELS))
        down, usual, up = (float(x) for x in np.percentile(kilograms, LEVELS))
        share = None if name is None else float((least == candidates.index(name)).mean())
        return Step(
            name, (found[0][0], found[1][0]), (found[0][1], found[1][1]), (low, middle, high), (down, usual, up), share
        )

    # the same persons with each drug stopped: whose mean HbA1c rises least. A chance alone can speak of the few whom the
    # model has gain by stopping, while most lose
    mean = {name: float(ends[name][0][fine].mean()) for name in candidates}
    steps = sorted((told(name) for name in candidates), key=lambda one: mean[str(one.stopped)])
    apart = ends[steps[0].stopped][0][fine] - ends[steps[1].stopped][0][fine]
    error = float(apart.std() / max(people.effective, 1.0) ** 0.5)
    return StepDown(told(None), tuple(steps), bool(abs(apart.mean()) > 1.96 * error), None)
