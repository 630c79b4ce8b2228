"""The road as a document: two figures with bands, a table, and the limits in words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import medtwin
from medtwin.applications.metabolic_road.road import MISSED, MOST, STEADY, TRIED_MONTHS, Course, Road
from medtwin.applications.metabolic_road.step_down import StepDown
from medtwin.reports.document import Block, Box, Document, Figure, Heading, Listing, Paragraph, Table
from medtwin.reports.figures.axis import Axis, labels, spread
from medtwin.reports.figures.drawing import Line, Polygon, Polyline, Scene, Shape, Stroke, Text, series
from medtwin.reports.save import write

SYNTHETIC = "SYNTHETIC DATA"
FOOTER = "medtwin road. Research software: not a medical device, and no advice on treatment."
LIMITS = (
    "Research output. It is no treatment decision: never stop or start a drug because of it.",
    "Bands (90 %) hold what differs between persons who fit the same few measurements, a laboratory's error and, where weight "
    f"has moved, {MISSED:g} points by which the model missed trials that it had not seen: docs/evidence/road.md.",
    "HbA1c and the chance are withheld where no trial stands behind the model: weight more than "
    f"{STEADY:g} kg above today's (median) or more than {MOST:g} kg below, or moved weight beyond {TRIED_MONTHS} months. "
    "Insulin, surgery and diabetes of more than ten years are not modelled.",
    "What DiRECT saw is of a trial, not of this person: people with diabetes for less than six years and without insulin, "
    "one year after a total diet replacement, by the weight that they had lost.",
    "The chance, where shown, counts HbA1c below 6.5 % at the end, with every glucose-lowering drug away for the last three "
    "months. Its interval is of the number of draws and of what the model missed in trials.",
    "Appetite answers weight lost (about 95 kcal a day per kg): a fall of intake is the effort that is kept up, and what is "
    "really eaten comes nearer to the usual with every kilogram.",
    "Walking counts by its energy only. Sides of drugs, hypoglycaemia, dropping out and illness are not modelled.",
)


def rows(road: Road) -> tuple[tuple[str, ...], ...]:
    """One line a month (of more than 24, one a quarter of a year)."""
    every = 1 if road.months <= 24 else 3
    made = []
    for k in range(every - 1, road.months, every):
        cells = [_cell(c.weight[:, k]) for c in (road.as_now, road.planned)]
        cells += [_cell(c.hba1c[:, k]) for c in (road.as_now, road.planned)]
        made.append((str(k + 1), *cells))
    return tuple(made)


def _cell(levels: np.ndarray) -> str:
    low, middle, high = levels.tolist()
    if np.isnan(middle):
        return "withheld"
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def chance(course: Course) -> str:
    """By the model where trials stand behind it, and what DiRECT saw, in words."""
    said = [f"withheld by the model: {course.withheld}"]
    if course.chance is not None and course.chance_interval is not None:
        low, high = course.chance_interval
        said = [f"{100 * course.chance:.0f} % by the model ({100 * low:.0f} to {100 * high:.0f} %)"]
    if course.trial is not None:
        trial, (low, high) = course.trial, course.trial.interval
        said.append(
            f"in DiRECT, of those who lost {trial.lost}, {trial.reached} of {trial.people} were in remission at one year "
            f"({100 * low:.0f} to {100 * high:.0f} %)"
        )
    return "; ".join(said)


STEP_HEAD = ("stopped", "below 6.5 %, chance", "below 7.0 %, chance", "HbA1c at the end, %", "weight, kg")


def step_rows(ranked: StepDown) -> tuple[tuple[str, ...], ...]:
    """One line a drug, the best first, after that of all drugs kept."""
    made = []
    for step in ([ranked.kept] if ranked.kept else []) + list(ranked.steps):
        shares = [
            f"{100 * share:.0f} % ({100 * low:.0f} to {100 * high:.0f})"
            for share, (low, high) in zip(step.chances, step.intervals, strict=True)
        ]
        ends = [f"{middle:.1f} ({low:.1f} to {high:.1f})" for low, middle, high in (step.hba1c, step.weight)]
        made.append((step.stopped or "none", *shares, *ends))
    return tuple(made)


def order(ranked: StepDown) -> str:
    """Which drug first, in words, and how sure that is."""
    if not ranked.steps:
        return f"Which drug to stop first is withheld: {ranked.withheld}."
    first, second = ranked.steps[:2]
    said = f"By the model {first.stopped} first: HbA1c rises least without it; it stays below 7.0 % with "
    said += f"{100 * first.chances[1]:.0f} %, against {100 * second.chances[1]:.0f} % when {second.stopped} is stopped"
    if first.least is not None:
        said += f"; of all drugs it is missed least by {100 * first.least:.0f} % of the drawn persons"
    return said + ("." if ranked.clear else ". The two are as good as equal.")


def document(
    road: Road,
    patient: str,
    plan_words: str,
    synthetic: bool,
    made_at: datetime | None = None,
    ranked: StepDown | None = None,
) -> Document:
    """Headings, sentences, figures and a table."""
    blocks: list[Block] = [Heading(f"The road of {patient}", 1)]
    if synthetic:
        blocks.append(Paragraph(f"{SYNTHETIC}: this person is made up."))
    blocks += [
        Paragraph(f"{road.months} months of 30 days. Plan: {plan_words}."),
        Paragraph(
            f"HbA1c below 6.5 % without drugs at the end. Under the plan: {chance(road.planned)}. As now: "
            f"{chance(road.as_now)}.", strong=True,
        ),
        Figure(figure(road, "weight", "Weight, kg"), "Weight. Line: median; band: 90 %. Dashed, orange: under the plan."),
        Figure(
            figure(road, "hba1c", "HbA1c, %"),
            "HbA1c with a laboratory's error, where trials stand behind it. Fine line: 6.5 %.",
        ),
        Box("What this is not", LIMITS, "caution"),
        Table(
            caption="Median and 90 % interval", head=("month", "weight as now, kg", "planned", "HbA1c as now, %", "planned"),
            rows=rows(road), numbers=frozenset((1, 2, 3, 4)),
        ),
        *_stepped(ranked),
        Heading("How it was calculated"),
        Listing((
            "Persons are drawn from the prior, live ten years up to the present weight, and are weighted by the newest HbA1c "
            f"and the mean of the sensor; {road.effective:.0f} independent draws count.",
            "Weight: Hall 2011 with appetite's answer; intake wanders so that after a year weight spreads as in a control "
            "arm. Fat of liver and pancreas: after Taylor, two numbers fitted to DiRECT's first year. Beta cells: Yildirim 2023. "
            "HbA1c: red cells of twelve ages. Drugs: docs/evidence/drugs.md.",
        )),
    ]  # fmt: skip
    stamp = made_at or datetime.now(UTC)
    return Document(
        title=f"The road of {patient}", label=SYNTHETIC if synthetic else "", footer=FOOTER,
        made_at=f"{stamp:%Y-%m-%dT%H:%M:%SZ}", version=medtwin.__version__, blocks=tuple(blocks),
    )  # fmt: skip


def _stepped(ranked: StepDown | None) -> list[Block]:
    if ranked is None:
        return []
    made: list[Block] = [Heading("Which drug to stop first"), Paragraph(order(ranked))]
    if ranked.steps:
        caption = "Each drug stopped under the plan, all others kept; 95 % intervals of chances, 90 % of values"
        made.append(Table(caption=caption, head=STEP_HEAD, rows=step_rows(ranked), numbers=frozenset((1, 2, 3, 4))))
    return made


def figure(road: Road, what: str, title: str) -> Scene:
    """Both courses over the months, with bands."""
    courses = [getattr(c, what) for c in (road.as_now, road.planned)]
    ends = [float(np.nanmin(courses)), float(np.nanmax(courses))] if not np.isnan(courses).all() else [6.3, 6.7]
    if what == "hba1c":
        ends = [min(ends[0], 6.3), max(ends[1], 6.7)]
    x = Axis(low=0.0, high=float(road.months), start=50.0, end=700.0)
    low, high = spread(*ends)
    y = Axis(low=low, high=high, start=200.0, end=24.0)
    shapes: list[Shape] = [Text(50.0, 14.0, title, 11.0, bold=True)]
    for tick, word in zip(y.ticks(5), labels(y.ticks(5)), strict=True):
        shapes += [
            Line(50.0, y(tick), 700.0, y(tick), Stroke(colour="grid", width=0.5)),
            Text(46.0, y(tick) + 3.0, word, 9.0, "end"),
        ]
    for tick, word in zip(x.ticks(8), labels(x.ticks(8)), strict=True):
        shapes.append(Text(x(tick), 214.0, word, 9.0, "middle"))
    shapes.append(Text(375.0, 226.0, "months", 9.0, "middle"))
    if what == "hba1c":
        shapes.append(Line(50.0, y(6.5), 700.0, y(6.5), Stroke(colour="ink", width=0.8), "threshold"))
    for number, values in enumerate(courses):
        shown = int((~np.isnan(values[1])).sum())
        if not shown:
            continue
        months = [x(k + 1.0) for k in range(shown)]
        down, line, up = ([y(float(v)) for v in values[k, :shown]] for k in range(3))
        around = [*zip(months, up, strict=True), *reversed(list(zip(months, down, strict=True)))]
        stroke = series(number)
        shapes.append(Polygon(tuple(around), stroke.colour, None, 0.18, f"band {number}"))
        shapes.append(Polyline(tuple(zip(months, line, strict=True)), stroke, f"median {number}"))
    end = [_cell(c[:, -1]) for c in courses]
    said = f"{title} after {road.months} months: as now {end[0]}, under the plan {end[1]}."
    return Scene(width=720.0, height=232.0, title=title, description=said, shapes=tuple(shapes))


def save(
    road: Road, patient: str, plan_words: str, synthetic: bool, path: Path, ranked: StepDown | None = None
) -> None:
    """One file, .html or .pdf by its name."""
    made = document(road, patient, plan_words, synthetic, ranked=ranked)
    if path.suffix.lower() == ".pdf":
        from medtwin.reports.pdf import paginated

        write(path, paginated(made))
    else:
        from medtwin.reports.html import page

        write(path, page(made).encode())
