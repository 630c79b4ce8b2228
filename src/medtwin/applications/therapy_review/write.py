"""The review as words, plain values and a document."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import medtwin
from medtwin.applications.glucose_report.unit import UNITS, Unit
from medtwin.applications.therapy_review.review import (
    MOST_DEEP,
    MOST_LOW,
    RISK,
    Interval,
    Review,
    Setting,
    Shares,
    Step,
)
from medtwin.reports.document import Block, Box, Document, Heading, Listing, Paragraph, Table
from medtwin.reports.save import save_document

SYNTHETIC = "SYNTHETIC DATA"
FOOTER = "medtwin therapy review. Research software: not a medical device, and no advice on treatment."
_METHOD = (
    "The person's own days were lived again with each step: the twin's belief of twelve hours before each day runs with and "
    "without it, and the paired difference, widened by the model's own error, is added to the readings of that day.",
    "Intervals (90 %) hold the days' own variation, the belief's spread and the model's error of an effect "
    "(docs/evidence/what-if.md).",
)


def limit(unit: Unit) -> str:
    """The limit of risk in words."""
    return (
        f"More insulin is suggested only where the chance of more than {MOST_LOW:g} % of time below {unit.words(70.0)} "
        f"{unit.name} or {MOST_DEEP:g} % below {unit.words(54.0)} stays within {RISK:.0%}; steps are bounded at 20 %. "
        "Research output: a clinician decides."
    )


LIMIT = limit(UNITS["mg/dL"])


def setting_rows(made: Review) -> tuple[tuple[str, ...], ...]:
    """setting, in use, U a day, suggestion, change of time in range, time below 70 then, risk, why."""
    rows = []
    for one in made.settings:
        step = one.suggested
        rows.append((
            one.name, one.used, f"{one.daily:.1f}", "none" if step is None else _insulin(step),
            "" if step is None else _words(step.change, sign=True), "" if step is None else _words(step.shares.below_70),
            "" if step is None else f"{step.risk:.0%}", one.why,
        ))  # fmt: skip
    return tuple(rows)


def head(unit: Unit) -> tuple[str, ...]:
    """The titles of :func:`setting_rows`."""
    low = f"below {unit.words(70.0)}, %"
    return ("setting", "in use", "U/day", "suggestion", "in range, points", low, "risk", "why")


def headline(made: Review) -> str:
    """One sentence."""
    if made.withheld:
        return f"No suggestion: {made.withheld}."
    best = max((one for one in made.settings if one.suggested), key=lambda one: one.suggested.change[1], default=None)  # type: ignore[union-attr]
    if best is None or best.suggested is None:
        return "No step of any setting is suggested."
    step = best.suggested
    return (
        f"The clearest step: {best.name} {_insulin(step)}, time in range {_words(step.change, sign=True)} points, "
        f"chance of too many lows {step.risk:.0%} (now {made.risk:.0%})."
    )


def together(made: Review) -> str | None:
    """One sentence on all suggestions at once; None where there are not several."""
    step = made.together
    if step is None:
        return None
    return (
        f"All suggestions together: time in range {_words(step.change, sign=True)} points, time below "
        f"{made.unit.words(70.0)} {_words(step.shares.below_70)} %, chance of too many lows {step.risk:.0%}."
    )


def content(made: Review) -> dict[str, Any]:
    """For JSON."""
    return {
        "patient": made.patient, "synthetic": made.synthetic, "at": made.at, "days": made.days, "summary": headline(made),
        "total_daily_insulin_U": made.total_daily, "basal_share": made.basal_share, "now": _shares(made.now),
        "risk_now": made.risk, "together": made.together and _step(made.together),
        "limit": {"below_70_percent": MOST_LOW, "below_54_percent": MOST_DEEP, "chance": RISK, "greatest_step": 0.2},
        "settings": [
            {"name": one.name, "kind": one.kind, "used": one.used, "daily_U": one.daily, "why": one.why,
             "suggested_factor": one.suggested and one.suggested.factor, "steps": [_step(step) for step in one.steps]}
            for one in made.settings
        ],
        "withheld": made.withheld, "notes": list(made.notes), "interval_level": 0.9, "research_only": True,
    }  # fmt: skip


def document(made: Review, made_at: datetime | None = None) -> Document:
    """Headings, sentences and tables."""
    blocks: list[Block] = [Heading(f"Therapy review: {made.patient}", 1)]
    if made.synthetic:
        blocks.append(Paragraph(f"{SYNTHETIC}: this person is made up."))
    blocks.append(Paragraph(
        f"{made.days} days up to {made.at:%Y-%m-%d %H:%M} UTC. {made.total_daily:.1f} U of insulin a day, "
        f"{made.basal_share:.0%} of it basal. "
        f"Time in range {_words(made.now.in_range)} %, below {made.unit.words(70.0)} {made.unit.name} "
        f"{_words(made.now.below_70)} %; chance of too many lows with today's settings {made.risk:.0%}."
    ))  # fmt: skip
    blocks.append(Paragraph(headline(made), strong=True))
    if said := together(made):
        blocks.append(Paragraph(said))
    blocks.append(Box("Not a prescription", (limit(made.unit),), "danger" if made.withheld else "caution"))
    blocks.append(
        Table(caption="Settings", head=head(made.unit), rows=setting_rows(made), numbers=frozenset((2, 4, 5, 6)))
    )
    blocks += [_steps(one, made.unit) for one in made.settings]
    blocks += [Heading("About this review"), Listing(made.notes), Heading("How it was calculated"), Listing(_METHOD)]
    stamp = made_at or datetime.now(UTC)
    return Document(
        title=f"Therapy review: {made.patient}", label=SYNTHETIC if made.synthetic else "", footer=FOOTER,
        made_at=f"{stamp:%Y-%m-%dT%H:%M:%SZ}", version=medtwin.__version__, blocks=tuple(blocks),
    )  # fmt: skip


def save(made: Review, path: Path, made_at: datetime | None = None) -> None:
    """One file, .html or .pdf by its name."""
    save_document(document(made, made_at), path)


def _steps(one: Setting, unit: Unit = UNITS["mg/dL"]) -> Table:
    rows = tuple(
        (
            _insulin(s), _words(s.shares.in_range), _words(s.change, sign=True), _words(s.shares.below_70),
            _words(s.change_low, sign=True), _words(s.shares.below_54), f"{s.risk:.0%}",
            "within the limit" if s.within else "beyond the limit",
        )
        for s in one.steps
    )  # fmt: skip
    low, deep = (f"below {unit.words(limit)}, %" for limit in (70.0, 54.0))
    titles = ("insulin", "in range, %", "change, points", low, "change, points", deep, "risk", "")
    return Table(caption=f"{one.name}: {one.used}", head=titles, rows=rows, numbers=frozenset((1, 2, 3, 4, 5, 6)))


def _insulin(step: Step) -> str:
    return "" if step.factor is None else f"{step.factor - 1:+.0%} insulin"


def _step(step: Step) -> dict[str, Any]:
    return {
        "factor": step.factor, **_shares(step.shares), "change_in_range": _three(step.change),
        "change_below_70": _three(step.change_low), "risk": step.risk, "within_limit": step.within,
    }  # fmt: skip


def _shares(shares: Shares) -> dict[str, Any]:
    return {
        "in_range_percent": _three(shares.in_range), "below_70_percent": _three(shares.below_70),
        "below_54_percent": _three(shares.below_54),
    }  # fmt: skip


def _three(interval: Interval) -> dict[str, float]:
    return dict(zip(("lower", "median", "upper"), interval, strict=True))


def _words(interval: Interval, *, sign: bool = False) -> str:
    mark = "+" if sign else ""
    return f"{interval[1]:{mark}.1f} ({interval[0]:{mark}.1f} to {interval[2]:{mark}.1f})"
