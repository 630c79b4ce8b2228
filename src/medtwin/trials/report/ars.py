"""The results shaped after CDISC's Analysis Results Standard 1.0: one ``ReportingEvent`` as JSON.

Names of classes and attributes are those of the logical model ``ars_ldm`` of cdisc-org/analysis-results-standard (read at
commit cf0aedf; the tests check the file against that repository's JSON schema). What is covered:

    ReportingEvent           the analysis of the trial; its list of contents, the plan and the lock as reference documents
    AnalysisSet              one: the patients in the table. The plan says who they are; no flag of a data set is invented
    GroupingFactor           arms, given beforehand; contrasts, hypotheses, covariates, times, delta factors from the results
    AnalysisMethod           each method with an ``Operation`` for each statistic that it gives
    Analysis                 each analysis of the plan, a failed one without results; ``reason`` says whether it was locked
    OperationResult          every row of :mod:`~medtwin.trials.report.ard`: ``rawValue`` unrounded, ``formattedValue`` as
                             shown; of a survival curve at most ``MOST_TIMES`` event times
    Output, OutputDisplay    the report's files and, for each analysis, title and notes

Not covered: data subsets, programming code, page references. Reasons and purposes that the standard has no term for (a plan
that was not locked, a sensitivity analysis) are sponsor terms of ``terminologyExtensions``.
"""

from __future__ import annotations

import json as standard
from collections.abc import Sequence
from typing import Any

from medtwin.reports.figures.text import clean
from medtwin.trials.analysis_plan.analysed import Analysed, Result
from medtwin.trials.report import ard
from medtwin.trials.report.first_page import SYNTHETIC
from medtwin.trials.report.write import FOOTER

GROUPINGS = {
    ard.ARM: "Grp_Arm", ard.CONTRAST: "Grp_Contrast", ard.HYPOTHESIS: "Grp_Hypothesis", ard.COVARIATE: "Grp_Covariate",
    ard.TIME: "Grp_Time", ard.FACTOR: "Grp_DeltaFactor",
}  # fmt: skip
PURPOSES = {"primary": "PRIMARY OUTCOME MEASURE", "secondary": "SECONDARY OUTCOME MEASURE"}
MOST_TIMES = 100  #: of one survival curve; the ARD and the JSON have all
_SET = "AnalysisSet_01"


def ars(analysed: Analysed) -> str:
    """The file's text."""
    return standard.dumps(reporting_event(analysed), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def reporting_event(analysed: Analysed) -> dict[str, Any]:
    """As plain values, attributes that are empty left out."""
    rows: list[list[ard.Statistic]] = [[] for _ in analysed.results]
    for row in ard.statistics(analysed, MOST_TIMES):
        rows[row.result].append(row)
    arms = _arms(analysed)
    methods, held = _methods(analysed.results, rows)
    title = clean(analysed.title) or "Analysis of a trial"
    label = f"{SYNTHETIC}. " if analysed.synthetic else ""
    return {
        "name": title,
        "description": f"{label}{FOOTER} Analysed {clean(analysed.made_at)} with medtwin {clean(analysed.version)}.",
        "id": "RE_01",
        "version": 1,
        "mainListOfContents": _contents(analysed),
        "referenceDocuments": [
            {"name": clean(name), "id": f"Doc_{number:02d}", "description": f"sha256 {clean(value)}"}
            for number, (name, value) in enumerate(analysed.hashes.items(), start=1)
        ],
        "terminologyExtensions": _terms(),
        "analysisSets": [
            {
                "name": "Patients in the table", "id": _SET, "level": 1, "order": 1,
                "description": clean("\n".join([analysed.estimand, *analysed.notes]).strip()) or "as the plan says",
            }
        ],
        "analysisGroupings": _groupings(analysed, arms),
        "methods": methods,
        "analyses": [
            _analysis(number, result, rows[number], held[number], arms, analysed)
            for number, result in enumerate(analysed.results)
        ],
        "outputs": [_output(analysed)],
    }  # fmt: skip


def _analysis(
    number: int, result: Result, rows: Sequence[ard.Statistic], method: str, arms: Sequence[str], analysed: Analysed
) -> dict[str, Any]:
    used = list(dict.fromkeys(group for row in rows for group in (row.group1, row.group2) if group))
    made: dict[str, Any] = {
        "name": clean(result.name) or f"analysis {number + 1}", "id": _id(number), "version": 1, "reason": _reason(analysed),
        "purpose": _purpose(result.role), "variable": clean(result.outcome), "analysisSetId": _SET, "methodId": method,
    }  # fmt: skip
    notes = list(result.analysis.notes) if result.analysis is not None else []
    said = [f"Failed: {result.failure}"] if result.failure else []
    if said + notes:
        made["description"] = clean("; ".join([*said, *notes]))
    if used:
        made["orderedGroupings"] = [
            {"order": order, "groupingId": GROUPINGS[group], "resultsByGroup": True}
            for order, group in enumerate(used, start=1)
        ]
    results = [_outcome(row, method, arms) for row in rows if not row.error]
    if results:
        made["results"] = results
    return made


def _outcome(row: ard.Statistic, method: str, arms: Sequence[str]) -> dict[str, Any]:
    groups = []
    for group, level in ((row.group1, row.group1_level), (row.group2, row.group2_level)):
        if group == ard.ARM and level in arms:
            groups.append({"groupingId": GROUPINGS[group], "groupId": f"Grp_Arm_{arms.index(level) + 1}"})
        elif group:
            groups.append({"groupingId": GROUPINGS[group], "groupValue": clean(level)})
    made: dict[str, Any] = {"operationId": _operation(method, row)}
    if groups:
        made["resultGroups"] = groups
    if row.value is not None:
        made["rawValue"] = repr(row.value)
    made["formattedValue"] = row.shown
    return made


def _methods(
    results: Sequence[Result], rows: Sequence[Sequence[ard.Statistic]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Methods by their words and statistics, each once; and of each analysis the method's id."""
    known: dict[tuple[str, ...], str] = {}
    made, held = [], []
    for result, own in zip(results, rows, strict=True):
        operations: dict[str, str] = {}
        for row in own:
            operations.setdefault(_statistic(row), f"{ard.LABELS.get(row.name, row.name)}, {row.group1 or 'all'}")
        operations = operations or {"estimate": "estimate"}
        words = result.analysis.method if result.analysis is not None else result.method
        key = (words, *operations)
        if key not in known:
            known[key] = f"Mth_{len(known) + 1:02d}"
            made.append({
                "name": clean(words) or "method", "id": known[key], "label": clean(result.method),
                "operations": [
                    {"name": label, "label": label, "id": f"{known[key]}_{name}", "order": order}
                    for order, (name, label) in enumerate(operations.items(), start=1)
                ],
            })  # fmt: skip
        held.append(known[key])
    return made, held


def _statistic(row: ard.Statistic) -> str:
    """What tells the operations of a method apart: the statistic and what it is of."""
    of = "_".join(GROUPINGS[group].removeprefix("Grp_") for group in (row.group1, row.group2) if group)
    return f"{row.name}_{of}" if of else row.name


def _operation(method: str, row: ard.Statistic) -> str:
    return f"{method}_{_statistic(row)}"


def _arms(analysed: Analysed) -> list[str]:
    named: list[str] = [str(arm) for arm in analysed.patients]
    for result in analysed.results:
        named += [str(arm) for arm in (result.analysis.patients if result.analysis is not None else {})]
        named += [str(arm) for arm in result.curves]
    return list(dict.fromkeys(named))


def _groupings(analysed: Analysed, arms: Sequence[str]) -> list[dict[str, Any]]:
    column = analysed.plan.get("arm")
    groups: list[dict[str, Any]] = []
    for number, arm in enumerate(arms, start=1):
        group: dict[str, Any] = {"name": clean(arm), "id": f"Grp_Arm_{number}", "level": 1, "order": number}
        if isinstance(column, str):
            group["condition"] = {"variable": clean(column), "comparator": "EQ", "value": [clean(arm)]}
        groups.append(group)
    first: dict[str, Any] = {"name": "Arm", "id": GROUPINGS[ard.ARM], "dataDriven": False, "groups": groups}
    if isinstance(column, str):
        first["groupingVariable"] = clean(column)
    rest = [
        {"name": name.capitalize(), "id": identifier, "dataDriven": True}
        for name, identifier in GROUPINGS.items() if name != ard.ARM
    ]  # fmt: skip
    return [first, *rest]


def _reason(analysed: Analysed) -> dict[str, str]:
    if not analysed.locked_at:
        return {"sponsorTermId": "Reason_NotLocked"}
    return {"sponsorTermId": "Reason_Deviates"} if analysed.deviations else {"controlledTerm": "SPECIFIED IN SAP"}


def _purpose(role: str) -> dict[str, str]:
    if role in PURPOSES:
        return {"controlledTerm": PURPOSES[role]}
    return {"sponsorTermId": "Purpose_Subgroup" if role == "subgroup" else "Purpose_Sensitivity"}


def _terms() -> list[dict[str, Any]]:
    def term(identifier: str, value: str, words: str) -> dict[str, str]:
        return {"id": identifier, "submissionValue": value, "description": words}

    return [
        {"id": "Terms_Reason", "enumeration": "AnalysisReasonEnum", "sponsorTerms": [
            term("Reason_NotLocked", "PLAN NOT LOCKED", "The plan was not locked before the outcomes were seen."),
            term("Reason_Deviates", "DEVIATES FROM LOCKED PLAN", "The plan was locked; what was done departs from it."),
        ]},
        {"id": "Terms_Purpose", "enumeration": "AnalysisPurposeEnum", "sponsorTerms": [
            term("Purpose_Sensitivity", "SENSITIVITY ANALYSIS", "Whether an answer holds under other assumptions."),
            term("Purpose_Subgroup", "SUBGROUP ANALYSIS", "The answer within a part of the patients."),
        ]},
        {"id": "Terms_File", "enumeration": "OutputFileTypeEnum", "sponsorTerms": [
            term("File_Html", "html", "Self-contained HTML."), term("File_Json", "json", "JSON."),
        ]},
    ]  # fmt: skip


def _output(analysed: Analysed) -> dict[str, Any]:
    displays = []
    for number, result in enumerate(analysed.results):
        identifier = f"Disp_{number + 1:02d}"
        sections = [_section("Title", f"{identifier}_Title", [f"{result.name} ({result.role})"])]
        if result.analysis is not None and result.analysis.notes:
            sections.append(_section("Footnote", f"{identifier}_Note", result.analysis.notes))
        sections.append(_section("Footer", f"{identifier}_Footer", [FOOTER]))
        name = clean(result.name) or identifier
        displays.append({
            "order": number + 1,
            "display": {"name": name, "id": identifier, "version": 1, "displayTitle": name, "displaySections": sections},
        })  # fmt: skip
    return {
        "name": "Report", "id": "Out_01", "version": 1,
        "fileSpecifications": [
            {"name": "report.pdf", "fileType": {"controlledTerm": "pdf"}, "location": "report.pdf"},
            {"name": "report.html", "fileType": {"sponsorTermId": "File_Html"}, "location": "report.html"},
            {"name": "report.json", "fileType": {"sponsorTermId": "File_Json"}, "location": "report.json"},
        ],
        "displays": displays,
    }  # fmt: skip


def _section(kind: str, identifier: str, texts: Sequence[str]) -> dict[str, Any]:
    return {
        "sectionType": kind,
        "orderedSubSections": [
            {"order": order, "subSection": {"id": f"{identifier}_{order}", "text": clean(text)}}
            for order, text in enumerate(texts, start=1)
        ],
    }


def _contents(analysed: Analysed) -> dict[str, Any]:
    items = [
        {
            "name": clean(result.name) or f"analysis {number + 1}",
            "level": 2,
            "order": number + 1,
            "analysisId": _id(number),
        }
        for number, result in enumerate(analysed.results)
    ]
    return {
        "name": "List of the analyses",
        "contentsList": {"listItems": [
            {"name": "Report", "level": 1, "order": 1, "outputId": "Out_01", "sublist": {"listItems": items}},
        ]},
    }  # fmt: skip


def _id(number: int) -> str:
    return f"An_{number + 1:02d}"
