"""The road as a document: two figures with bands, a table, and the limits in words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import medtwin
from medtwin.applications.metabolic_road.road import Course, Road
from medtwin.reports.document import Block, Box, Document, Figure, Heading, Listing, Paragraph, Table
from medtwin.reports.figures.axis import Axis, labels, spread
from medtwin.reports.figures.drawing import Line, Polygon, Polyline, Scene, Shape, Stroke, Text, series
from medtwin.reports.save import write

SYNTHETIC = "SYNTHETIC DATA"
FOOTER = "medtwin road. Research software: not a medical device, and no advice on treatment."
LIMITS = (
    "Research output. It is no treatment decision: never stop or start a drug because of it.",
    "Bands (90 %) hold what differs between persons who fit the same few measurements. That the equations are wrong is not in "
    "them: docs/evidence/road.md compares them with the DiRECT trial, and says where they miss.",
    "The model is far too pessimistic about remission after weight loss (docs/evidence/road.md). What DiRECT saw at the weight "
    "loss foreseen here stands beside it: people with diabetes for less than six years and without insulin, one year after a "
    "total diet replacement.",
    "The chance counts HbA1c below 6.5 % at the end, with every glucose-lowering drug away for the last three months. Its "
    "interval is of the number of draws only.",
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
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def chance(course: Course) -> str:
    """By the model, and as in the trial, in words."""
    (low, high), (least, most) = course.chance_interval, course.trial_interval
    return (
        f"{100 * course.chance:.0f} % by the model ({100 * low:.0f} to {100 * high:.0f} %), "
        f"{100 * course.trial:.0f} % in DiRECT at this weight loss ({100 * least:.0f} to {100 * most:.0f} %)"
    )


def document(road: Road, patient: str, plan_words: str, synthetic: bool, made_at: datetime | None = None) -> Document:
    """Headings, sentences, figures and a table."""
    blocks: list[Block] = [Heading(f"The road of {patient}", 1)]
    if synthetic:
        blocks.append(Paragraph(f"{SYNTHETIC}: this person is made up."))
    blocks += [
        Paragraph(f"{road.months} months of 30 days. Plan: {plan_words}."),
        Paragraph(
            f"Chance of HbA1c below 6.5 % without drugs at the end: {chance(road.planned)} under the plan, "
            f"{chance(road.as_now)} as now.", strong=True,
        ),
        Figure(figure(road, "weight", "Weight, kg"), "Weight. Line: median; band: 90 %. Dashed, orange: under the plan."),
        Figure(figure(road, "hba1c", "HbA1c, %"), "HbA1c with a laboratory's error. Fine line: 6.5 %."),
        Box("What this is not", LIMITS, "caution"),
        Table(
            caption="Median and 90 % interval", head=("month", "weight as now, kg", "planned", "HbA1c as now, %", "planned"),
            rows=rows(road), numbers=frozenset((1, 2, 3, 4)),
        ),
        Heading("How it was calculated"),
        Listing((
            "Persons are drawn from the prior, live ten years up to the present weight, and are weighted by the newest HbA1c "
            f"and the mean of the sensor; {road.effective:.0f} independent draws count.",
            "Weight: Hall 2011 with appetite's answer. Beta cells: Yildirim 2023. HbA1c: red cells of twelve ages. Drugs: "
            "docs/evidence/drugs.md.",
        )),
    ]  # fmt: skip
    stamp = made_at or datetime.now(UTC)
    return Document(
        title=f"The road of {patient}", label=SYNTHETIC if synthetic else "", footer=FOOTER,
        made_at=f"{stamp:%Y-%m-%dT%H:%M:%SZ}", version=medtwin.__version__, blocks=tuple(blocks),
    )  # fmt: skip


def figure(road: Road, what: str, title: str) -> Scene:
    """Both courses over the months, with bands."""
    courses = [getattr(c, what) for c in (road.as_now, road.planned)]
    ends = [float(min(c.min() for c in courses)), float(max(c.max() for c in courses))]
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
        months = [x(k + 1.0) for k in range(road.months)]
        down, line, up = ([y(float(v)) for v in values[k]] for k in range(3))
        around = [*zip(months, up, strict=True), *reversed(list(zip(months, down, strict=True)))]
        stroke = series(number)
        shapes.append(Polygon(tuple(around), stroke.colour, None, 0.18, f"band {number}"))
        shapes.append(Polyline(tuple(zip(months, line, strict=True)), stroke, f"median {number}"))
    end = [f"{c[1, -1]:.1f} ({c[0, -1]:.1f} to {c[2, -1]:.1f})" for c in courses]
    said = f"{title} after {road.months} months: as now {end[0]}, under the plan {end[1]}."
    return Scene(width=720.0, height=232.0, title=title, description=said, shapes=tuple(shapes))


def save(road: Road, patient: str, plan_words: str, synthetic: bool, path: Path) -> None:
    """One file, .html or .pdf by its name."""
    made = document(road, patient, plan_words, synthetic)
    if path.suffix.lower() == ".pdf":
        from medtwin.reports.pdf import paginated

        write(path, paginated(made))
    else:
        from medtwin.reports.html import page

        write(path, page(made).encode())
