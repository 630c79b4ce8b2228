"""A cohort as plain values: every outcome with its unit, what varied between people, and differences with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import medtwin
from medtwin.population.cohort import Cohort, Difference, described

#: What is shown, in its order: words, unit, decimals.
SHOWN: Mapping[str, tuple[str, str, int]] = {
    "mean": ("mean glucose", "mg/dL", 1),
    "variation": ("coefficient of variation", "%", 1),
    "above_250": ("very high, above 250 mg/dL", "%", 2),
    "above_180": ("high or very high, above 180 mg/dL", "%", 2),
    "in_range": ("in range, 70-180 mg/dL", "%", 2),
    "tight": ("in tight range, 70-140 mg/dL", "%", 2),
    "below_70": ("low or very low, below 70 mg/dL", "%", 2),
    "below_54": ("very low, below 54 mg/dL", "%", 2),
    "lowest": ("lowest glucose", "mg/dL", 1),
    "risk_index": ("glycaemia risk index", "", 1),
    "low_index": ("LBGI", "", 2),
    "high_index": ("HBGI", "", 2),
    "hypo_1_a_day": ("episodes below 70", "a day", 3),
    "hypo_2_a_day": ("episodes below 54", "a day", 3),
    "hypo_extended_a_day": ("below 70 for more than 120 min", "a day", 3),
    "hyper_1_a_day": ("episodes above 180", "a day", 3),
    "hyper_2_a_day": ("episodes above 250", "a day", 3),
    "insulin_a_day": ("insulin", "U a day", 1),
    "basal_a_day": ("of it as basal", "U a day", 1),
    "eaten_a_day": ("carbohydrate", "g a day", 0),
    "rescue_a_day": ("of it against lows", "g a day", 1),
}
WHO = {"t1d": "type 1 diabetes", "t2d": "type 2 diabetes, untreated", "healthy": "no diabetes"}
MEASURES = {
    "blood_glucose": "plasma glucose, which only a simulation knows",
    "glucose": "interstitial glucose without the sensor's noise",
    "sensor": "what the sensor reads",
}


def content(
    made: Cohort, against: Cohort | None = None, differences: Mapping[str, Difference] | None = None
) -> dict[str, Any]:
    """For JSON."""
    return {
        "synthetic": True, "kind": made.people.kind, "model": made.people.model.name, "people": len(made.people),
        "candidates": made.people.candidates, "refused": dict(made.people.refused), "seed": made.people.seed,
        "days": made.days, "measured": made.measured, "controller": made.controller, "version": medtwin.__version__,
        "outcomes": _outcomes(made), "risk_zones": dict(made.zones),
        "profile": {
            "unit": "mg/dL", "minute_of_day": made.profile.minute.tolist(),
            "percentiles": {
                f"{level:g}": row for level, row in zip(made.profile.levels, made.profile.glucose.tolist(), strict=True)
            },
        },
        "against": None if against is None else {"controller": against.controller, "outcomes": _outcomes(against)},
        "differences": {
            name: {
                "value": one.value, "lower": one.lower, "upper": one.upper, "level": one.level, "unit": SHOWN[name][1],
                "rose": one.rose, "fell": one.fell,
            }
            for name, one in (differences or {}).items() if name in SHOWN
        },
    }  # fmt: skip


def _outcomes(made: Cohort) -> dict[str, Any]:
    found = {}
    for name, (_, unit, _) in SHOWN.items():
        one = described(made.outcomes[name])
        found[name] = {
            "mean": one.mean, "unit": unit, "standard_error": _finite(one.error), "sd": _finite(one.sd),
            "percentiles": {f"{level:g}": value for level, value in one.percentiles.items()},
        }  # fmt: skip
    return found


def rows(made: Cohort) -> tuple[tuple[str, ...], ...]:
    """Outcome, unit, mean, standard error, and percentiles over people."""
    found = []
    for name, (words, unit, places) in SHOWN.items():
        one = described(made.outcomes[name])
        error = f"{one.error:.{places + 1}f}" if math.isfinite(one.error) else ""
        found.append(
            (words, unit, f"{one.mean:.{places}f}", error, *(f"{x:.{places}f}" for x in one.percentiles.values()))
        )
    return tuple(found)


def difference_rows(differences: Mapping[str, Difference]) -> tuple[tuple[str, ...], ...]:
    """Outcome, unit, difference, 95 % interval, share of people for whom it rose and fell."""
    found = []
    for name, (words, unit, places) in SHOWN.items():
        one, more = differences[name], places + 1
        found.append((
            words, unit, f"{one.value:+.{more}f}", f"{one.lower:+.{more}f} to {one.upper:+.{more}f}",
            f"{one.rose:.0%}", f"{one.fell:.0%}",
        ))  # fmt: skip
    return tuple(found)


def sentence(made: Cohort) -> str:
    """Who, how long, what doses, what is measured."""
    doses = "" if made.controller == "none" else f", insulin by {made.controller}"
    return (
        f"{len(made.people)} virtual people ({WHO[made.people.kind]}; model {made.people.model.name}, seed {made.people.seed}), "
        f"{made.days} day{'' if made.days == 1 else 's'}{doses}; measured: {MEASURES[made.measured]}."
    )


def compared_sentence(made: Cohort, against: Cohort, differences: Mapping[str, Difference]) -> str:
    """The first thing that is asked of a comparison."""
    time, low = differences["in_range"], differences["below_70"]
    return (
        f"On the same people {made.controller} changes time in range by {time.value:+.2f} points ({time.lower:+.2f} to "
        f"{time.upper:+.2f}) and time below 70 by {low.value:+.2f} ({low.lower:+.2f} to {low.upper:+.2f}) against "
        f"{against.controller}."
    )


def refusals(made: Cohort) -> str:
    """How many candidates were left out, and why."""
    refused = {words: count for words, count in made.people.refused.items() if count}
    if not refused:
        return f"None of the {made.people.candidates} candidates looked at was refused."
    total = sum(refused.values())
    return (
        f"{total} candidates were refused as implausible: "
        + "; ".join(f"{n} for {words}" for words, n in refused.items())
        + "."
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
