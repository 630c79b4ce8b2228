"""Which figures a report has, and the table that goes with each: every figure can also be read as numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from medtwin.errors import AnalysisError
from medtwin.reports.document import Block, Box, Figure, Heading, Table
from medtwin.reports.figures.axis import linear_ticks
from medtwin.trials.analysis_plan.analysed import Analysed, Result
from medtwin.trials.planning.curve import Figure as PowerCurves
from medtwin.trials.report.figures.balance import love
from medtwin.trials.report.figures.forest import Row, forest
from medtwin.trials.report.figures.kaplan_meier import at_risk, kaplan_meier
from medtwin.trials.report.figures.power import power
from medtwin.trials.report.figures.tipping import tipping
from medtwin.trials.report.numbers import fixed, p_words, short

MOST_ROWS = 24  #: of one forest plot; the rest goes on in the next


def figures(analysed: Analysed) -> tuple[Block, ...]:
    """A forest plot for each scale and unit, then what single analyses have."""
    blocks: list[Block] = list(_forests(analysed.results))
    for result in analysed.results:
        if result.balance is not None and result.balance.rows:
            blocks += _drawn(_balance, result)
        if result.curves:
            blocks += _drawn(_curves, result)
        if result.tipping is not None:
            blocks += _drawn(_tipping, result)
        if any(isinstance(one, PowerCurves) for one in result.further.values()):
            blocks += _drawn(_power, result)
    return (Heading("Figures"), *blocks) if blocks else ()


def _drawn(draw: Callable[[Result], list[Block]], result: Result) -> list[Block]:
    """A figure that cannot be drawn says so in its place: the report is for the rest too."""
    try:
        return draw(result)
    except AnalysisError as error:
        return [Box(f"{result.name}: no figure", (str(error),))]


def _forests(results: Sequence[Result]) -> list[Block]:
    """Of each analysis the estimates that compare: the first, and the others on its scale that are not an arm's own level."""
    groups: dict[tuple[str, str, float, str], list[Row]] = {}
    for result in results:
        if result.analysis is None:
            continue
        for number, estimate in enumerate(result.analysis.estimates):
            if number and not compares(estimate.name, result.analysis.patients):
                continue
            unit = estimate.unit if estimate.scale == "identity" else "1"
            if estimate.name.startswith("log-rank"):  # events beyond those expected: no size of an effect
                continue
            alike = result.outcome if unit == "1" and estimate.scale == "identity" else ""
            key = (estimate.scale, unit, estimate.null, alike)
            label = f"{result.name}: {estimate.name}"
            groups.setdefault(key, []).append(
                Row(label=label, estimate=estimate, strong=result.role == "primary" and not number)
            )
    made: list[Block] = []
    for (scale, unit, _, about), rows in groups.items():
        what = (
            "ratio"
            if scale == "log"
            else f"difference{f' of {about}' if about else ''}"
            if unit == "1"
            else f"difference ({unit})"
        )
        for part in range(0, len(rows), MOST_ROWS):
            more = ", continued" if part else ""
            title = f"Estimates with their intervals: {what}{more}"
            said = f"{title}. The dashed line is the value under the hypothesis that p tests."
            try:
                scene = forest(rows[part : part + MOST_ROWS], title=title, across=what)
            except AnalysisError as error:
                made.append(Box(f"{title}: no figure", (str(error),)))
            else:
                made.append(Figure(scene, said))
    return made


def compares(name: str, arms: Mapping[str, int]) -> bool:
    """Whether an estimate's name speaks of two arms, or of none by name (a ratio, a difference)."""
    if name.startswith("mean "):
        return False
    if name.startswith("log-rank") or " - " in name or " / " in name:
        return True
    named = [arm for arm in arms if arm and re.search(rf"(?<!\w){re.escape(arm)}(?!\w)", name)]
    return len(named) != 1


def _balance(result: Result) -> list[Block]:
    assert result.balance is not None
    held = result.balance
    caption = (
        f"{result.name}: standardised differences before and after weighting. Effective patients: treated "
        f"{held.effective_treated:.1f}, control {held.effective_control:.1f}."
    )
    rows = tuple(
        (row.name, short(row.mean_treated), short(row.mean_control), fixed(row.difference_before, 3),
         fixed(row.difference_after, 3), fixed(row.variance_ratio_before, 3), fixed(row.variance_ratio_after, 3))
        for row in held.rows
    )  # fmt: skip
    head = ("covariate", "mean treated (weighted)", "mean control (weighted)", "difference before", "after",
            "variance ratio before", "after")  # fmt: skip
    table = Table(caption=f"{result.name}: balance", head=head, rows=rows, numbers=frozenset(range(1, 7)))
    return [Figure(love(held, title=f"{result.name}: balance of the covariates"), caption), table]


def _curves(result: Result) -> list[Block]:
    unit = str(result.further.get("time_unit", ""))
    censored = censoring(result)
    patients = result.analysis.patients if result.analysis is not None else {}
    confidence = result.analysis.estimates[0].confidence if result.analysis and result.analysis.estimates else 0.95
    across = f"time ({unit})" if unit else "time, in the unit of the data"
    scene = kaplan_meier(
        result.curves, title=f"{result.name}: Kaplan-Meier", across=across, confidence=confidence, censored=censored,
        patients=patients,
    )  # fmt: skip
    rows = []
    for arm, curve in result.curves.items():
        for time in linear_ticks(0.0, curve.followed_until, 6):
            survival = curve.at(time)[0]
            low, high = curve.interval(time, confidence)
            least, most = at_risk(curve, time, (censored or {}).get(arm), patients.get(arm))
            risk = str(least) if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            rows.append((arm, f"{time:g}", fixed(survival, 3), f"{fixed(low, 3)} to {fixed(high, 3)}", risk))
    head = ("arm", across, "without the event", f"{100 * confidence:g} % interval", "at risk")
    table = Table(
        caption=f"{result.name}: Kaplan-Meier estimates", head=head, rows=tuple(rows), numbers=frozenset((1, 2, 3, 4))
    )
    return [Figure(scene, f"{result.name}: share without the event, with pointwise intervals."), table]


def censoring(result: Result) -> Mapping[str, Sequence[float]] | None:
    """Times of censoring by arm, where the analysis holds those of every arm."""
    held: Any = result.further.get("censored")
    return held if isinstance(held, Mapping) and set(result.curves) <= set(held) else None


def _tipping(result: Result) -> list[Block]:
    assert result.tipping is not None
    found = result.tipping
    null = 0.0
    if result.analysis is not None:
        null = next((one.null for one in result.analysis.estimates if one.name == found.estimate), 0.0)
    scene = tipping(found, title=f"{result.name}: tipping point", null=null)
    said = " ".join(f"{note}." for note in found.notes) or "p value and estimate against the factor of the delta."
    rows = tuple(
        (f"{x:g}", fixed(value, 4), p_words(p))
        for x, value, p in zip(found.factors, found.values, found.p_values, strict=True)
    )
    tips = tuple(
        (f"{tip:.4g}", fixed(analysis[found.estimate].value, 4), p_words(analysis[found.estimate].p_value))
        for tip, analysis in zip(found.tips, found.at_tips, strict=True)
        if any(one.name == found.estimate for one in analysis.estimates)
    )
    strong = frozenset(range(len(rows), len(rows) + len(tips)))
    table = Table(
        caption=f"{result.name}: the same in numbers; tipping points in bold", head=("factor of the delta", "estimate", "p"),
        rows=(*rows, *tips), numbers=frozenset((0, 1, 2)), strong=strong,
    )  # fmt: skip
    return [Figure(scene, said), table]


def _power(result: Result) -> list[Block]:
    """Curves of the plan, where the analysis carries them among its further numbers."""
    blocks: list[Block] = []
    for held in (one for one in result.further.values() if isinstance(one, PowerCurves)):
        said = f"{result.name}: {held.title}. Dotted: the planned power{'' if held.marked is None else ', the planned size'}."
        rows = tuple(
            (f"{curve.name} ({curve.method})", f"{x:g}", fixed(value, 4))
            for curve in held.curves for x, value in zip(curve.x, curve.power, strict=True)
        )  # fmt: skip
        table = Table(caption=held.title, head=("curve", held.across, "power"), rows=rows, numbers=frozenset((1, 2)))
        blocks += [Figure(power(held), said), table]
    return blocks
