"""What the report says: an ``Analysed`` as a document, the first page before all else."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import yaml

from medtwin.reports.document import Block, Box, Document, Heading, Listing, PageBreak, Paragraph, Table, Verbatim
from medtwin.trials.analysis_plan.analysed import Analysed, Result
from medtwin.trials.planning.curve import Figure as PowerCurves
from medtwin.trials.report.figured import compares, figures
from medtwin.trials.report.first_page import SYNTHETIC, first_page
from medtwin.trials.report.numbers import bayesian, degrees, fixed, p_words, reported, short
from medtwin.trials.report.plain import plain
from medtwin.trials.report.score import known, score
from medtwin.trials.report.sources import sources

FOOTER = "Research software; supports preparing a trial's analysis and its report; not a regulatory submission."
_HELD_ELSEWHERE = ("censored", "time_unit")  #: what the figures show of ``further``


def document(analysed: Analysed) -> Document:
    """The whole report."""
    blocks: list[Block] = [*first_page(analysed), PageBreak(), *_patients(analysed), Heading("Analyses")]
    for result in analysed.results:
        blocks += _result(result)
    if not analysed.results:
        blocks.append(Paragraph("The plan names no analysis."))
    blocks += figures(analysed)
    blocks += score(analysed.historical)
    blocks += _appendix(analysed)
    return Document(
        title=analysed.title or "Analysis of a trial", label=SYNTHETIC if analysed.synthetic else "", footer=FOOTER,
        made_at=analysed.made_at, version=analysed.version, blocks=tuple(blocks),
    )  # fmt: skip


def _patients(analysed: Analysed) -> list[Block]:
    blocks: list[Block] = [Heading("Patients")]
    if analysed.patients:
        rows = tuple((arm, str(count)) for arm, count in analysed.patients.items())
        rows = (*rows, ("all", str(sum(analysed.patients.values()))))
        blocks.append(Table(caption="Patients in the table, by arm", head=("arm", "patients"), rows=rows,
                            numbers=frozenset((1,)), strong=frozenset((len(rows) - 1,))))  # fmt: skip
    else:
        blocks.append(Paragraph("The number of patients by arm was not given."))
    blocks.append(Heading("On the whole table", 3))
    if analysed.notes:
        blocks.append(Listing(analysed.notes))
    blocks.append(Paragraph("Who was left out of one analysis, and what was put in, stands in its own notes."))
    several = sum(one.role in ("primary", "secondary", "subgroup") for one in analysed.results) > 1
    if several:
        blocks.append(
            Paragraph("Intervals and p values are those of each analysis alone: nothing is adjusted for their number.")
        )
    return blocks


def _result(result: Result) -> list[Block]:
    """One analysis: method, patients, estimates, tests, notes, or why there is none of these."""
    blocks: list[Block] = [Heading(f"{result.name} ({result.role})", 3)]
    asked = f"Outcome: {result.outcome}. Method in the plan: {result.method}."
    if result.failure:
        blocks += [Paragraph(asked), Box("Failed", (result.failure,), "danger")]
    if result.analysis is not None:
        held = result.analysis
        counted = ", ".join(f"{arm} {count}" for arm, count in held.patients.items())
        blocks.append(Paragraph(f"{asked} As carried out: {held.method}. Patients analysed: {counted or 'not given'}."))
        if held.estimates:
            blocks.append(_estimates(result))
    elif not result.failure:
        blocks += [Paragraph(asked), Box("No result", ("Neither estimates nor a reason for their absence.",))]
    if result.tests:
        rows = tuple(
            (
                test.name,
                fixed(test.statistic, 4),
                f"{test.numerator}, {degrees(test.denominator)}",
                p_words(test.p_value),
            )
            for test in result.tests
        )
        blocks.append(Table(caption="F tests", head=("hypothesis", "F", "degrees of freedom", "p"), rows=rows,
                            numbers=frozenset((1, 2, 3))))  # fmt: skip
    rest = {
        name: value for name, value in result.further.items()
        if name not in _HELD_ELSEWHERE and not isinstance(value, PowerCurves)
    }  # fmt: skip
    blocks += known("Further numbers of the method", rest)
    said = [*(result.analysis.notes if result.analysis is not None else ())]
    said += [*(result.balance.notes if result.balance is not None else ())]
    said += [*(result.tipping.notes if result.tipping is not None else ())]
    if said:
        blocks += [Heading("Notes", 4), Listing(tuple(said))]
    return blocks


def _estimates(result: Result) -> Table:
    assert result.analysis is not None
    rows, several = [], len({one.method for one in result.analysis.estimates} - {result.analysis.method}) > 0
    for one in result.analysis.estimates:
        value, low, high = reported(one)
        unit = "ratio" if one.scale == "log" else "" if one.unit == "1" else one.unit
        error = f"{fixed(one.standard_error, 4)}{' (log)' if one.scale == 'log' else ''}"
        name = f"{one.name} [{one.method}]" if several and one.method != result.analysis.method else one.name
        # nobody asks whether an arm's own mean is zero
        p = p_words(one.p_value) if compares(one.name, result.analysis.patients) and not bayesian(one) else ""
        p += f" (null {short(one.null)})" if one.null else ""
        rows.append((name, value, unit, f"{low} to {high}", f"{100 * one.confidence:g} %", error, degrees(one.df), p))
    return Table(
        caption="Estimates", rows=tuple(rows), numbers=frozenset((1, 3, 4, 5, 6, 7)), strong=frozenset((0,)),
        head=("estimate", "value", "unit", "interval", "confidence", "standard error", "df", "p"),
    )  # fmt: skip


def _appendix(analysed: Analysed) -> list[Block]:
    blocks: list[Block] = [Heading("What went in")]
    hashes = tuple((name, value) for name, value in analysed.hashes.items())
    blocks.append(
        Table(caption="sha256", head=("of", "hash"), rows=hashes) if hashes else Paragraph("No hashes were kept.")
    )
    if analysed.deviations:
        rows = tuple((one.of, one.words, one.locked, one.found) for one in analysed.deviations)
        blocks.append(Table(caption="Deviations from the lock", head=("of", "in words", "locked", "found"), rows=rows))
    blocks += [Heading("The plan", 3), Verbatim(plan_text(analysed.plan))]
    listed = sources(analysed)
    blocks += [Heading("Sources of the methods"), Listing(listed) if listed else Paragraph("None is known.")]
    blocks += [Heading("Versions"), Listing(versions(analysed))]
    return blocks


def plan_text(plan: Mapping[str, Any]) -> str:
    """The plan as YAML: what tells an analysis first, what was left empty not at all."""
    shown = yaml.safe_dump(_said(plain(plan)), sort_keys=False, allow_unicode=True, width=100).rstrip()
    return shown or "{}"


_FIRST = ("dialect", "title", "name", "role", "endpoint", "outcome", "kind", "covariates", "method")


def _said(value: Any) -> Any:
    """Without empty names, in the order of ``_FIRST`` and then as it stands."""
    if isinstance(value, Mapping):
        names = sorted(value, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
        return {name: _said(value[name]) for name in names if value[name] not in (None, "", [], {})}
    return [_said(one) for one in value] if isinstance(value, list | tuple) else value


def versions(analysed: Analysed) -> tuple[str, ...]:
    """Of the program that made the analysis; of what this report was written with."""
    parts = [f"{name} {metadata.version(name)}" for name in ("numpy", "scipy", "polars")]
    return (
        f"analysed with medtwin {analysed.version}",
        f"report written with Python {platform.python_version()}, {', '.join(parts)}",
    )
