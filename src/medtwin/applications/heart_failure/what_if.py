"""Several plans of drugs for one circulation, side by side: bands, the order by the user's measure, and what to fear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from numpy.typing import NDArray

from medtwin.applications.heart_failure.limits import refuse_state, refuse_time
from medtwin.applications.heart_failure.people import Whose
from medtwin.applications.heart_failure.warnings import LOW_PRESSURE, LOW_RATE, RULES, Warning, chance_low, warnings
from medtwin.errors import AnalysisError
from medtwin.inference.drug_response import PEOPLE, Followed, follow, people
from medtwin.physiology.circulation_beat import OBSERVED
from medtwin.physiology.drugs.heart_failure import DRUGS
from medtwin.physiology.drugs.heart_failure.regimen import Regimen
from medtwin.physiology.drugs.heart_failure.response import changes
from medtwin.quantities import registry

Vector = NDArray[np.float64]

LEVELS = (0.05, 0.5, 0.95)
SHOWN = (
    "systolic_pressure", "diastolic_pressure", "mean_arterial_pressure", "heart_rate", "pulmonary_wedge_pressure",
    "right_atrial_mean_pressure", "pulmonary_artery_diastolic_pressure", "stroke_volume", "cardiac_output",
    "left_ventricular_ejection_fraction",
    "left_ventricular_end_diastolic_volume", "left_ventricular_end_systolic_volume",
)  # fmt: skip
LETHAL = 50.0  #: mm[Hg], mean pressure below which a plan is not borne (judgement)
UNBORNE = -100.0  #: points of whoever does not bear a plan, whatever else it brings
TOO_OFTEN = 0.2  #: chance of hypotension above which a plan is not ranked among the first (judgement)
DRY = 12.0  #: mm[Hg], wedge pressure below which a further fall brings no points (judgement)
ENOUGH = 0.95  #: share of draws with a beat that closes, below which the answer says so
CONGESTED = 18.0  #: mm[Hg], wedge pressure above which lungs count as congested (Forrester's limit, from memory)
MOMENTS = (0.25, 7.0, 28.0, 84.0, 168.0, 365.0)  #: days that are looked at before the last one
#: Utility where the user states none: points for each unit of change, and for each of the events; judgement, to be replaced.
UTILITY: Mapping[str, float] = {
    "pulmonary_wedge_pressure": -1.0, "left_ventricular_ejection_fraction": 0.5, "hypotension": -10.0, "bradycardia": -5.0,
}  # fmt: skip
EVENTS = ("hypotension", "bradycardia", "congestion")


@dataclass(frozen=True)
class Option:
    """One plan. Bands ``[day, level]`` by quantity, of the value and of its change; ``congestion``: chance at each day."""

    words: str
    planned: tuple[Regimen, ...]
    days: tuple[float, ...]
    bands: Mapping[str, Vector]
    change: Mapping[str, Vector]
    congestion: tuple[float, ...]
    lost: tuple[float, float, float]
    held: tuple[float, float, float]
    utility: tuple[float, float, float]
    expected: float
    chance_best: float
    warnings: tuple[Warning, ...]
    limits: tuple[str, ...]
    hypotension: float = 0.0
    unborne: float = 0.0  #: chance of a mean pressure below :data:`LETHAL`
    demoted: bool = False  #: ranked behind the others for its hypotension


@dataclass(frozen=True)
class Answer:
    """All plans, the best by expected utility first, and the circulation that they begin with: ``now`` ``[level]`` by
    quantity."""

    options: tuple[Option, ...]
    now: Mapping[str, Vector]
    utility: Mapping[str, float]
    drawn: int
    used: int
    notes: tuple[str, ...] = ()


def moments(days: float) -> tuple[float, ...]:
    """Days at which a plan of that length is looked at."""
    return (*(one for one in MOMENTS if one < days), days)


def measure(utility: Mapping[str, float]) -> Mapping[str, float]:
    """The user's utility. Raises AnalysisError for a name that is no quantity of the beat and no event."""
    for name in utility:
        if name not in OBSERVED and name not in EVENTS:
            raise AnalysisError(f"a utility of {name[:40]!r}", expected=f"of {', '.join((*EVENTS, *OBSERVED))}")
    return dict(utility)


def answer(
    whose: Whose,
    options: Sequence[Sequence[Regimen]],
    *,
    days: float,
    taking: Sequence[Regimen] = (),
    utility: Mapping[str, float] = UTILITY,
    potassium: float | None = None,
    filtration: float | None = None,
    seed: int = 0,
    count: int = PEOPLE,
) -> Answer:
    """Every option beside going on as now. Raises AnalysisError where nothing can be said."""
    weights = measure(utility)
    for planned in options:
        refuse_time(planned, days)
    key = jax.random.key(seed)
    who = people(whose.belief, whose.held, key, readings=whose.readings, errors=whose.errors, count=count)
    refuse_state({name: float(np.median(who.seen[name])) for name in OBSERVED} | dict(whose.readings))
    every: list[tuple[tuple[Regimen, ...], Followed]] = [
        (tuple(planned), follow(who, planned, taking, moments(days), key)) for planned in ((), *options)
    ]
    sound = np.all([seen.sound.all(axis=0) for _, seen in every], axis=0)
    share = who.closed / who.drawn * sound.mean()  # of all that were drawn, not of those that were left
    if share < 0.5:
        raise AnalysisError(
            f"{share:.0%} of the circulations drawn bear every plan",
            expected="most of them",
            remedy="ask for lower doses",
        )
    points = np.array([_points(seen, weights) for _, seen in every])[:, sound]
    potassium, filtration, notes = _worse(whose, potassium, filtration)
    if share < ENOUGH:
        notes = (
            *notes,
            f"the beat of {1.0 - share:.0%} of the circulations drawn did not close and is not in the figures: "
            "chances of harm may be too low",
        )
    best = np.bincount(points.argmax(axis=0), minlength=len(every)) / points.shape[1]
    made = [
        Option(
            words=" + ".join(one.words for one in planned) or "as now",
            planned=planned,
            days=seen.days,
            bands={name: _bands(seen.seen[name][:, sound]) for name in SHOWN},
            change={name: _bands(seen.change[name][:, sound]) for name in SHOWN},
            congestion=tuple(float(v) for v in (seen.seen["pulmonary_wedge_pressure"][:, sound] > CONGESTED).mean(axis=1)),
            lost=_three(seen.lost[-1, sound]),
            held=_three(seen.held[-1, sound]),
            utility=_three(points[k]),
            expected=float(points[k].mean()),
            chance_best=float(best[k]),
            warnings=warnings(
                planned,
                taking,
                who,
                seen,
                potassium=potassium,
                filtration=filtration,
            ) + _fear(seen) if planned else (),
            limits=tuple(DRUGS[name].limits for name in changes(planned, taking) if DRUGS[name].limits),
            hypotension=chance_low(seen.seen["systolic_pressure"], LOW_PRESSURE),
            unborne=chance_low(seen.seen["mean_arterial_pressure"], LETHAL),
            demoted=bool(planned) and chance_low(seen.seen["systolic_pressure"], LOW_PRESSURE) > TOO_OFTEN,
        )
        for k, (planned, seen) in enumerate(every)
    ]  # fmt: skip
    made.sort(key=lambda one: (one.demoted, -one.expected))
    now = {name: np.quantile(who.seen[name][sound], LEVELS) for name in SHOWN}
    return Answer(tuple(made), now, weights, len(sound), int(sound.sum()), notes)


def _points(seen: Followed, weights: Mapping[str, float]) -> Vector:
    """Utility of each person at the last day; an event counts where it happens at any day. A wedge pressure counts down to
    :data:`DRY`, and whoever has a mean pressure below :data:`LETHAL` at any day has :data:`UNBORNE` points."""
    total = np.zeros(seen.sound.shape[1])
    happened = {
        "hypotension": (seen.seen["systolic_pressure"] < LOW_PRESSURE).any(axis=0),
        "bradycardia": (seen.seen["heart_rate"] < LOW_RATE).any(axis=0),
        "congestion": seen.seen["pulmonary_wedge_pressure"][-1] > CONGESTED,
    }
    for name, weight in weights.items():
        if name == "pulmonary_wedge_pressure":
            after = seen.seen[name][-1]
            total = total + weight * (np.maximum(after, DRY) - np.maximum(after - seen.change[name][-1], DRY))
        else:
            total = total + weight * (happened[name] if name in happened else seen.change[name][-1])
    return np.where((seen.seen["mean_arterial_pressure"] < LETHAL).any(axis=0), UNBORNE, total)


def _worse(
    whose: Whose, potassium: float | None, filtration: float | None
) -> tuple[float | None, float | None, tuple[str, ...]]:
    """The higher potassium and the lower filtration of the record and of what was stated, and a sentence where they differ."""
    notes = []
    for name, own, said in (("potassium", whose.potassium, potassium), ("filtration", whose.filtration, filtration)):
        if own is not None and said is not None and own != said:
            notes.append(f"{name} {own:g} in the record and {said:g} stated: the rules take the worse")
    high = [one for one in (whose.potassium, potassium) if one is not None]
    low = [one for one in (whose.filtration, filtration) if one is not None]
    return max(high, default=None), min(low, default=None), tuple(notes)


def _fear(seen: Followed) -> tuple[Warning, ...]:
    """Why a plan is ranked behind the others."""
    out = []
    low, lethal = (
        chance_low(seen.seen[name], limit)
        for name, limit in (("systolic_pressure", LOW_PRESSURE), ("mean_arterial_pressure", LETHAL))
    )
    if low > TOO_OFTEN:
        out.append(
            Warning(
                "rank",
                f"not ranked among the first: hypotension has a chance of {low:.0%}, above {TOO_OFTEN:.0%}",
                RULES["rank"],
            )
        )
    if lethal > 0.0:
        out.append(
            Warning(
                "unborne",
                f"mean pressure below {LETHAL:g} mmHg at some time, not borne: chance {lethal:.0%}",
                RULES["rank"],
            )
        )
    return tuple(out)


def _bands(values: Vector) -> Vector:
    return np.quantile(values, LEVELS, axis=1).T


def _three(values: Vector) -> tuple[float, float, float]:
    low, middle, high = (float(v) for v in np.quantile(values, LEVELS))
    return low, middle, high


def unit(name: str) -> str:
    """Of a quantity, as people write it."""
    return registry.get(name).unit.replace("mm[Hg]", "mmHg")
