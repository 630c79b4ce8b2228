"""The report as a document: the first page is the report, the second the same in numbers with intervals and method."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import medtwin
from medtwin.applications.glucose_report import episode_rows
from medtwin.applications.glucose_report.episode_rows import local
from medtwin.applications.glucose_report.figures.day import day
from medtwin.applications.glucose_report.figures.days import MOST, days, name_of
from medtwin.applications.glucose_report.figures.overview import overview
from medtwin.applications.glucose_report.figures.scale import HIGH, LOW
from medtwin.applications.glucose_report.report import GlucoseReport
from medtwin.applications.glucose_report.rows import rows
from medtwin.applications.glucose_report.sentences import change, sufficiency
from medtwin.reports.document import Block, Box, Document, Figure, Heading, Listing, PageBreak, Paragraph, Table
from medtwin.reports.save import save_document

SYNTHETIC = "SYNTHETIC DATA"
FOOTER = "medtwin glucose report. Research software: not a medical device, and no advice on treatment."
_WHOSE = {
    "adult": "Ranges and data rules: international consensus (Battelino et al., Diabetes Care 2019), goals for adults with "
    "type 1 or type 2 diabetes; for older people, those at high risk and in pregnancy other goals hold.",
    "older": "Ranges and data rules: international consensus (Battelino et al., Diabetes Care 2019), goals for older people "
    "and those at high risk of hypoglycaemia.",
}
_METHOD = (
    "GMI = 3.31 + 0.02392 mean: what HbA1c would be on average among people of this mean, not this person's HbA1c. The "
    "glycation gap is the laboratory's HbA1c less the GMI of the 12 weeks before it; its interval leaves out the "
    "laboratory's own error.",
    "GRI = 3.0 (very low + 0.8 low) + 1.6 (very high + 0.5 high), zones A to E by fifths (Klonoff et al. 2023). LBGI and "
    "HBGI: Kovatchev et al. 1997. MAGE: crossings of moving averages of 5 and 32 points. MODD and CONGA: differences over "
    "24 h.",
    "Episodes begin with 15 min beyond the limit and end before 15 min back within. Gaps of more than 45 min are never "
    "bridged.",
    "Intervals (95 %) are of 2,000 resamples of whole days, neighbours together. A trend within the period is not in them. In "
    "a simulation of 14 days the interval of a change left out the truth in 4 to 11 % of people, that of one period in 6 to "
    "18 % (the most for time below 70 and CV: a few days decide them). The sensor's own error is not in them "
    "either. MAGE, CONGA and episodes have none.",
    "The profile pools, at each quarter of an hour, the readings of all days within 30 min; where fewer than 3 days speak "
    "it is empty.",
)


def document(report: GlucoseReport, made_at: datetime | None = None) -> Document:
    """Headings, sentences, figures and tables."""
    now = report.now
    blocks: list[Block] = [Heading(f"Glucose report: {report.patient}", 1)]
    if report.synthetic:
        blocks.append(Paragraph(f"{SYNTHETIC}: this person is made up."))
    blocks.append(Paragraph(
        f"{local(now.since, report)} to {local(now.until, report)} ({report.zone or 'UTC or the device clock'}), "
        f"{report.days} days, readings on {now.days} calendar days; sensor active {now.active:.0f} % of the time."
    ))  # fmt: skip
    blocks.append(Paragraph(change(report), strong=True))
    if rule := sufficiency(report):
        blocks.append(Box("Not enough data", (rule,), "caution"))
    blocks += figures(report)
    blocks += [PageBreak(), Heading("The same in numbers"), _numbers(report), _profile(report), _daily(report)]
    blocks.append(_episodes(report))
    if report.notes:
        blocks += [Heading("About these readings"), Listing(report.notes)]
    blocks += [Heading("How it was calculated"), Listing((_WHOSE[report.goals], *_METHOD))]
    stamp = made_at or datetime.now(UTC)
    return Document(
        title=f"Glucose report: {report.patient}", label=SYNTHETIC if report.synthetic else "", footer=FOOTER,
        made_at=f"{stamp:%Y-%m-%dT%H:%M:%SZ}", version=medtwin.__version__, blocks=tuple(blocks),
    )  # fmt: skip


def figures(report: GlucoseReport) -> tuple[Figure, Figure, Figure]:
    """The head with the key numbers, the profile of the day, the days."""
    return (
        Figure(overview(report), "Key numbers, times in ranges with the goals of the consensus, risk."),
        Figure(day(report.profile, report.now.days, report.unit), _profile_caption(report)),
        Figure(days(report.daily, report.unit), _days_caption(report)),
    )


def save(report: GlucoseReport, path: Path, made_at: datetime | None = None) -> None:
    """One file, .html or .pdf by its name."""
    save_document(document(report, made_at), path)


def _profile_caption(report: GlucoseReport) -> str:
    unit = report.unit
    return (
        "Line: median. Bands: 25 to 75 %, and 5 to 95 % (dotted) of readings. "
        f"Green: {unit.words(70.0)} to {unit.words(180.0)} {unit.name}. Beyond {unit.words(HIGH)}: at the edge."
    )


def _days_caption(report: GlucoseReport) -> str:
    unit = report.unit
    more = f" The period's other {len(report.daily) - MOST} days are in the table." if len(report.daily) > MOST else ""
    return (
        f"Each day on the person's clock, {unit.words(LOW)} to {unit.words(HIGH)} {unit.name} (beyond: at the edge); "
        f"a gap is a gap in the readings.{more}"
    )


def _numbers(report: GlucoseReport) -> Table:
    head = ("", "value", "unit", "95 % interval", "goal", "period before")
    return Table(caption="Every metric", head=head, rows=rows(report), numbers=frozenset((1, 3, 5)))


def _episodes(report: GlucoseReport) -> Table:
    left = episode_rows.left_out(report)
    clock = f"on the clock of {report.zone}" if report.zone else "on the device's own clock or UTC"
    older = f"; {left} older ones are not shown" if left else ""
    caption = f"Episodes, {report.unit.name}, times {clock}{older}"
    return Table(caption=caption, head=episode_rows.HEAD, rows=episode_rows.rows(report), numbers=frozenset((3, 4, 5)))


def _profile(report: GlucoseReport) -> Table:
    made = report.profile
    lines = []
    for hour in range(0, 24, 2):
        at = made.glucose[:, hour * 4].tolist()
        words = [report.unit.words(value) if value == value else "" for value in at]
        lines.append((f"{hour:02d}:00", *words, str(int(made.days[hour * 4]))))
    head = ("time", *(f"{level:g} %" for level in made.levels), "days")
    return Table(
        caption=f"Profile of the day, {report.unit.name}", head=head, rows=tuple(lines), numbers=frozenset(range(1, 7))
    )


def _daily(report: GlucoseReport) -> Table:
    lines = []
    for view in report.daily:
        value = view.glucose
        if not value.size:
            lines.append((name_of(view.day), "0", "", "", "", ""))
            continue
        inside = 100.0 * float(((value >= 70.0) & (value <= 180.0)).mean())
        mean, lowest, highest = (report.unit.words(float(one)) for one in (value.mean(), value.min(), value.max()))
        lines.append((name_of(view.day), str(value.size), mean, lowest, highest, f"{inside:.0f} %"))
    head = ("day", "readings", "mean", "lowest", "highest", "in range")
    return Table(caption=f"Days, {report.unit.name}", head=head, rows=tuple(lines), numbers=frozenset(range(1, 6)))
