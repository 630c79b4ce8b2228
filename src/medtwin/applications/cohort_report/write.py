"""One page of a cohort (.html, .pdf), or a table with one row a person (.parquet)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

import medtwin
from medtwin.applications.cohort_report.content import (
    WHO,
    compared_sentence,
    difference_rows,
    refusals,
    rows,
    sentence,
)
from medtwin.applications.cohort_report.figures import distributions, risk
from medtwin.applications.glucose_report.figures.day import day
from medtwin.applications.glucose_report.unit import UNITS
from medtwin.population.cohort import Cohort, Difference
from medtwin.reports.document import Block, Box, Document, Figure, Heading, Listing, PageBreak, Paragraph, Table
from medtwin.reports.save import write

SYNTHETIC = "SYNTHETIC DATA"
FOOTER = "medtwin cohort report. Research software: simulated people, no evidence about a real treatment."
SUFFIXES = (".html", ".pdf", ".parquet")
_METHOD = (
    "People are draws from the prior of the model's parameters that pass filters of plausibility; their spread is that of "
    "the prior, not that of a clinic.",
    "Times in ranges, GRI, LBGI, HBGI and episodes: as in the glucose report, for a reading every 5 min.",
    "The standard error is that of the mean over people. It says nothing of how wrong the model is.",
    "A comparison is paired: the same people, meals and sensor noise under both controllers; its interval is Student's t.",
)


def document(
    made: Cohort, against: Cohort | None = None, differences: Mapping[str, Difference] | None = None,
    made_at: datetime | None = None,
) -> Document:  # fmt: skip
    """Headings, sentences, figures and tables."""
    who = f"{len(made.people)} people, {WHO[made.people.kind]}"
    blocks: list[Block] = [
        Heading(f"Virtual cohort: {who}", 1),
        Box(SYNTHETIC, ("Nobody here ever lived.",), "caution"),
    ]
    blocks.append(Paragraph(sentence(made)))
    if against is not None and differences is not None:
        blocks.append(Paragraph(compared_sentence(made, against, differences), strong=True))
    words = f" of {len(made.people)} virtual people"
    caption = "Line: median. Bands: 25 to 75 %, and 5 to 95 % (dotted) over people and days. Green: 70 to 180 mg/dL."
    blocks += [
        Figure(day(made.profile, made.days, UNITS["mg/dL"], whose=words), caption),
        Figure(distributions(made), "How people differ in their times in ranges. Dashed: median."),
        Figure(risk(made), "Risk grid: zones A to E by fifths of the index."),
        PageBreak(),
        Table(caption="Outcomes over people", head=("", "unit", "mean", "standard error", "5 %", "25 %", "50 %", "75 %", "95 %"),
              rows=rows(made), numbers=frozenset(range(2, 9))),
    ]  # fmt: skip
    if against is not None and differences is not None:
        blocks.append(Table(
            caption=f"{made.controller} less {against.controller}, the same people",
            head=("", "unit", "difference", "95 % interval", "rose in", "fell in"), rows=difference_rows(differences),
            numbers=frozenset((2, 3, 4, 5)),
        ))  # fmt: skip
    blocks += [Heading("How it was made"), Listing((refusals(made), *_METHOD))]
    stamp = made_at or datetime.now(UTC)
    return Document(
        title=f"Virtual cohort: {who}", label=SYNTHETIC, footer=FOOTER, made_at=f"{stamp:%Y-%m-%dT%H:%M:%SZ}",
        version=medtwin.__version__, blocks=tuple(blocks),
    )  # fmt: skip


def people_frame(made: Cohort) -> pl.DataFrame:
    """One row a person: number, therapy settings, every outcome. ``synthetic`` is true in each."""
    therapy = made.people.therapy
    settings = {} if therapy is None else {
        name: getattr(therapy, name) for name in ("body_weight", "basal", "carbohydrate_ratio", "correction_factor")
    }  # fmt: skip
    return pl.DataFrame(
        {"person": made.people.number, **settings, **made.outcomes}
    ).with_columns(synthetic=pl.lit(True), kind=pl.lit(made.people.kind), controller=pl.lit(made.controller))  # fmt: skip


def save(
    made: Cohort, path: Path, against: Cohort | None = None, differences: Mapping[str, Difference] | None = None
) -> None:
    """By the suffix of its name."""
    if path.suffix.lower() == ".parquet":
        frame = people_frame(made) if against is None else pl.concat([people_frame(made), people_frame(against)])
        held = io.BytesIO()
        frame.write_parquet(held)
        write(path, held.getvalue(), "a table")
        return
    page = document(made, against, differences)
    if path.suffix.lower() == ".pdf":
        from medtwin.reports.pdf import paginated

        write(path, paginated(page))
    else:
        from medtwin.reports.html import page as rendered

        write(path, rendered(page).encode())
