"""The plan as a document, and as plain values."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import medtwin
from medtwin.applications.day_plan.figure import ranking
from medtwin.applications.day_plan.plan import DayPlan, Effect, Ranked
from medtwin.applications.glucose_report.unit import Unit
from medtwin.reports.document import Block, Box, Document, Figure, Heading, Listing, Paragraph, Table
from medtwin.reports.save import save_document

SYNTHETIC = "SYNTHETIC DATA"
FOOTER = "medtwin day plan. Research software: not a medical device, and no advice on treatment or diet."
EFFECTS = {
    "carbohydrate": "more carbohydrate", "fat": "more fat beside it", "protein": "more protein beside it",
    "fibre": "more fibre", "before": "a higher level before eating", "slope": "glucose rising before eating",
    "morning": "the same meal in the morning", "evening": "the same meal in the evening", "steps": "a walk in the hour after",
    "sleep": "a longer night before",
}  # fmt: skip
_METHOD = (
    "The rise is the greatest sensor reading within two hours after the meal began, less the mean of the 20 min before it. "
    "A person's own "
    "meals correct what the meals of six other people showed (docs/evidence/meal-response.md has how well that foretells).",
    "The thick line holds what is expected on average with 90 %, the thin one the next time with 90 %; rings are rises "
    "that were measured.",
    "Each meal is asked at this person's usual level before eating, and at the hour at which it was last eaten. That one "
    "meal raises glucose "
    "less says nothing of its worth as food.",
)


def document(plan: DayPlan, made_at: datetime | None = None) -> Document:
    """Headings, sentences, the picture and tables."""
    blocks: list[Block] = [Heading(f"Day plan: {plan.patient}", 1)]
    if plan.synthetic:
        blocks.append(Paragraph(f"{SYNTHETIC}: this person is made up."))
    blocks.append(Paragraph(
        f"From {len(plan.responses)} meals with dense sensor readings, of {plan.eaten} in the 90 days to "
        f"{plan.at:%Y-%m-%d %H:%M} UTC. "
        f"Usual level before eating: {plan.unit.words(plan.usual_before)} {plan.unit.name}."
    ))  # fmt: skip
    blocks.append(Paragraph(headline(plan), strong=True))
    blocks.append(
        Box(
            "What this is",
            ("Research output: what this person's sensor would likely show. No advice on treatment or diet.",),
            "caution",
        )
    )
    blocks.append(Figure(ranking(plan.meals, plan.unit), "Meals by the rise that is expected, mildest first."))
    blocks += [_meals(plan), _effects(plan)]
    if plan.notes:
        blocks += [Heading("About these meals"), Listing(plan.notes)]
    blocks += [Heading("How it was calculated"), Listing(_METHOD)]
    stamp = made_at or datetime.now(UTC)
    return Document(
        title=f"Day plan: {plan.patient}", label=SYNTHETIC if plan.synthetic else "", footer=FOOTER,
        made_at=f"{stamp:%Y-%m-%dT%H:%M:%SZ}", version=medtwin.__version__, blocks=tuple(blocks),
    )  # fmt: skip


def headline(plan: DayPlan) -> str:
    """One sentence: the mildest meal against the strongest, where the two can be told apart."""
    first, last = plan.meals[0], plan.meals[-1]
    if len(plan.meals) < 2 or first.expected[2] >= last.expected[0]:
        return "No two of these meals can be told apart with 90 %: their expected rises overlap."
    return (
        f"Of the meals in the record {first.name!r} raises glucose least ({_range(first, plan.unit)}), {last.name!r} most "
        f"({_range(last, plan.unit)})."
    )


def meal_rows(plan: DayPlan) -> tuple[tuple[str, ...], ...]:
    """name, hour, carbohydrate, expected rise, next time, chances, measured."""
    made, unit = [], plan.unit
    for one in plan.meals:
        chances = (f"{one.above[limit]:.0%}" for limit in sorted(one.above))
        grams = "" if one.carbohydrate is None else f"{one.carbohydrate:.0f}"
        made.append((
            one.name, f"{int(one.hour):02d}:{int(60 * (one.hour % 1)):02d}", grams,
            _words(one.expected, unit), f"{unit.words(one.next[0])} to {unit.words(one.next[2])}", *chances,
            _words(one.with_walk, unit) if one.with_walk else "not known", ", ".join(unit.words(rise) for rise in one.seen),
        ))  # fmt: skip
    return tuple(made)


def effect_rows(plan: DayPlan) -> tuple[tuple[str, ...], ...]:
    """what, per, change of the rise, and what it rests on."""
    return tuple(
        (EFFECTS[one.name], per(one, plan.unit), _words(one.change, plan.unit, sign=True), rests(one))
        for one in plan.effects
    )


def per(one: Effect, unit: Unit) -> str:
    """How much of it an effect is of: a level in the unit that is shown."""
    return re.sub(r"([0-9.]+) mg/dL", lambda found: f"{unit.words(float(found[1]))} {unit.name}", one.per)


def rests(one: Effect) -> str:
    """On what an effect rests, in words."""
    if not one.known:
        return "unknown for this person; the number is what was assumed"
    return "this person's meals" if one.clear else "this person's meals; may be none"


def content(plan: DayPlan) -> dict[str, Any]:
    """For JSON, glucose in the plan's unit; limits stay those of mg/dL that they are named by."""
    unit = plan.unit
    return {
        "patient": plan.patient, "synthetic": plan.synthetic, "at": plan.at, "unit": unit.name, "meals_recorded": plan.eaten,
        "meals_with_response": len(plan.responses), "usual_before": unit.of(plan.usual_before), "summary": headline(plan),
        "meals": [
            {"name": one.name, "times": one.times, "hour": one.hour, "carbohydrate_g": one.carbohydrate,
             "expected": _interval(one.expected, unit), "next": _interval(one.next, unit),
             "chance_above": {f"{limit:g}": chance for limit, chance in one.above.items()},
             "measured": [unit.of(rise) for rise in one.seen],
             "with_walk": one.with_walk and _interval(one.with_walk, unit)}
            for one in plan.meals
        ],
        "effects": [
            {"name": one.name, "per": per(one, unit), **_interval(one.change, unit), "known": one.known, "clear": one.clear}
            for one in plan.effects
        ],
        "noise": unit.of(plan.learnt.belief.noise), "interval_level": 0.9, "notes": list(plan.notes), "research_only": True,
    }  # fmt: skip


def save(plan: DayPlan, path: Path, made_at: datetime | None = None) -> None:
    """One file, .html or .pdf by its name."""
    save_document(document(plan, made_at), path)


def _meals(plan: DayPlan) -> Table:
    unit = plan.unit
    limits = [unit.words(limit) for limit in (140.0, 180.0)]
    head = (
        "meal", "hour", "carbohydrate, g", "expected rise", "next time", *(f"above {limit}" for limit in limits),
        "with a 15 min walk", "measured",
    )  # fmt: skip
    caption = f"Meals, rise in {unit.name} (90 % interval); chance to exceed {' and '.join(limits)} {unit.name} within two hours"
    return Table(caption=caption, head=head, rows=meal_rows(plan), numbers=frozenset((2, 5, 6)))


def _effects(plan: DayPlan) -> Table:
    head = ("what changes", "per", f"change of the rise, {plan.unit.name} (90 %)", "rests on")
    return Table(caption="What changes the rise", head=head, rows=effect_rows(plan))


def _range(one: Ranked, unit: Unit) -> str:
    low, middle, high = (unit.words(value) for value in one.expected)
    return f"{middle} {unit.name}, {low} to {high}"


def _words(three: tuple[float, float, float], unit: Unit, *, sign: bool = False) -> str:
    mark = "+" if sign else ""
    low, middle, high = (f"{unit.of(value):{mark}.{unit.places}f}" for value in three)
    return f"{middle} ({low} to {high})"


def _interval(three: tuple[float, float, float], unit: Unit) -> dict[str, float | None]:
    return {
        name: unit.of(value) if math.isfinite(value) else None
        for name, value in zip(("lower", "median", "upper"), three, strict=True)
    }
