"""Analysis results data: one row a statistic, of every analysis, also of those that failed.

The columns are those of the R package ``cards`` (pharmaverse; its reference pages and examples were read): ``group1`` and
``group1_level`` (and 2) say of whom, ``variable`` and ``variable_level`` of what, ``context`` by which method, ``stat_name``
and ``stat_label`` which statistic, ``stat`` its value, ``stat_fmt`` that as the report shows it, ``warning`` the notes of the
analysis, ``error`` why there is no value. Before them stand ``analysis``, ``role``, ``method`` and ``unit``. A value that is
not finite is null; where that has a meaning (a normal quantile's degrees of freedom) ``stat_fmt`` has the word.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from medtwin.reports.figures.text import clean
from medtwin.trials.analysis_plan.analysed import Analysed, Result
from medtwin.trials.estimate import Estimate
from medtwin.trials.report.numbers import degrees, exact, fixed, p_words, reported, short

#: What a group may be; the last two are groups of numbers rather than of patients.
ARM, CONTRAST, HYPOTHESIS, COVARIATE, TIME, FACTOR = (
    "arm",
    "contrast",
    "hypothesis",
    "covariate",
    "time",
    "delta factor",
)

LABELS = {
    "N": "patients", "estimate": "estimate", "conf.low": "lower confidence limit", "conf.high": "upper confidence limit",
    "conf.level": "confidence level", "std.error": "standard error (of a ratio: of its logarithm)",
    "log.estimate": "logarithm of the ratio", "df": "degrees of freedom", "statistic": "test statistic", "p.value": "p value",
    "null": "value under the hypothesis", "num.df": "numerator degrees of freedom", "den.df": "denominator degrees of freedom",
    "smd.before": "standardised difference before weighting", "smd.after": "standardised difference after weighting",
    "variance.ratio.before": "variance ratio before weighting", "variance.ratio.after": "variance ratio after weighting",
    "mean.treated": "weighted mean, treated", "mean.control": "weighted mean, control", "ess": "effective sample size",
    "survival": "share without the event", "n.risk": "at risk", "n.event": "events", "level": "level of the p value",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One row."""

    result: int  #: number of the analysis in the plan's order
    group1: str = ""
    group1_level: str = ""
    group2: str = ""
    group2_level: str = ""
    variable_level: str = ""
    context: str
    name: str
    value: float | None
    shown: str
    unit: str = "1"
    error: str = ""


def statistics(analysed: Analysed, most_times: int | None = None) -> tuple[Statistic, ...]:
    """Every statistic of every analysis, in the plan's order; of a curve at most so many times, spread evenly over them."""
    return tuple(row for number, result in enumerate(analysed.results) for row in _result(number, result, most_times))


def table(analysed: Analysed) -> pl.DataFrame:
    """The rows as a frame of text and numbers."""
    results = analysed.results
    columns: dict[str, list[object]] = {name: [] for name in SCHEMA}
    for row in statistics(analysed):
        of = results[row.result]
        notes = of.analysis.notes if of.analysis is not None else ()
        values = (
            of.name, of.role, of.method, row.unit, row.group1, row.group1_level, row.group2, row.group2_level, of.outcome,
            row.variable_level, row.context, row.name, LABELS.get(row.name, row.name), row.value, row.shown,
            "; ".join(notes), row.error,
        )  # fmt: skip
        for name, value in zip(SCHEMA, values, strict=True):
            columns[name].append(clean(value) or None if isinstance(value, str) else value)
    return pl.DataFrame(columns, schema=SCHEMA)


SCHEMA = {
    name: pl.Float64 if name == "stat" else pl.String
    for name in (
        "analysis", "role", "method", "unit", "group1", "group1_level", "group2", "group2_level", "variable",
        "variable_level", "context", "stat_name", "stat_label", "stat", "stat_fmt", "warning", "error",
    )
}  # fmt: skip


FORMULA = r"^\s*[=+\-@]|^[\t\r]"  #: how a cell begins that a spreadsheet computes
NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"


def csv(analysed: Analysed) -> bytes:
    """UTF-8. A text that a spreadsheet might take for a formula stands behind an apostrophe: all that begin as one does, and
    are not a number as a whole."""
    words = pl.col(pl.String)
    guarded = table(analysed).with_columns(
        pl.when(words.str.contains(FORMULA) & ~words.str.contains(NUMBER))
        .then(pl.lit("'") + words)
        .otherwise(words)
        .name.keep()
    )
    return guarded.write_csv().encode()


def parquet(analysed: Analysed) -> bytes:
    """The same without the apostrophes."""
    out = io.BytesIO()
    table(analysed).write_parquet(out, compression="zstd", statistics=False)
    return out.getvalue()


def _result(number: int, result: Result, most_times: int | None) -> Iterator[Statistic]:
    context = result.analysis.method if result.analysis is not None else result.method
    if result.failure:
        yield Statistic(
            result=number, context=context, name="estimate", value=None, shown="failed", error=result.failure
        )
    if result.analysis is not None:
        for arm, count in result.analysis.patients.items():
            yield Statistic(result=number, group1=ARM, group1_level=str(arm), context=context, name="N",
                            value=float(count), shown=str(count))  # fmt: skip
        for one in result.analysis.estimates:
            yield from _estimate(number, one)
    for test in result.tests:
        for name, value, shown in (
            ("statistic", test.statistic, fixed(test.statistic, 4)), ("num.df", float(test.numerator), str(test.numerator)),
            ("den.df", test.denominator, degrees(test.denominator)), ("p.value", test.p_value, p_words(test.p_value)),
        ):  # fmt: skip
            yield Statistic(result=number, group1=HYPOTHESIS, group1_level=test.name, context=test.method, name=name,
                            value=_finite(value), shown=shown)  # fmt: skip
    yield from _balance(number, result)
    yield from _curves(number, result, most_times)
    yield from _tipping(number, result)


def _estimate(number: int, one: Estimate) -> Iterator[Statistic]:
    value, low, high = exact(one)
    shown, shown_low, shown_high = reported(one)
    unit = "1" if one.scale == "log" else one.unit
    null = math.exp(one.null) if one.scale == "log" else one.null
    rows = [
        ("estimate", value, shown, unit), ("conf.low", low, shown_low, unit), ("conf.high", high, shown_high, unit),
        ("conf.level", one.confidence, f"{one.confidence:g}", "1"),
        ("std.error", one.standard_error, fixed(one.standard_error, 4), unit),
    ]  # fmt: skip
    if one.scale == "log":
        rows.append(("log.estimate", one.value, fixed(one.value, 4), "1"))
    rows += [
        ("df", one.df, degrees(one.df), "1"), ("statistic", one.statistic, fixed(one.statistic, 4), "1"),
        ("p.value", one.p_value, p_words(one.p_value), "1"), ("null", null, short(null), unit),
    ]  # fmt: skip
    for name, number_of, words, of in rows:
        yield Statistic(result=number, group1=CONTRAST, group1_level=one.name, context=one.method, name=name,
                        value=_finite(number_of), shown=words, unit=of)  # fmt: skip


def _balance(number: int, result: Result) -> Iterator[Statistic]:
    if result.balance is None:
        return
    for row in result.balance.rows:
        for name, value in (
            ("mean.treated", row.mean_treated), ("mean.control", row.mean_control), ("smd.before", row.difference_before),
            ("smd.after", row.difference_after), ("variance.ratio.before", row.variance_ratio_before),
            ("variance.ratio.after", row.variance_ratio_after),
        ):  # fmt: skip
            yield Statistic(result=number, group1=COVARIATE, group1_level=row.name, context="balance", name=name,
                            value=_finite(value), shown=fixed(value, 3))  # fmt: skip
    for arm, size in (("treated", result.balance.effective_treated), ("control", result.balance.effective_control)):
        yield Statistic(result=number, group1=ARM, group1_level=arm, context="balance", name="ess", value=_finite(size),
                        shown=fixed(size, 1), unit="patients")  # fmt: skip


def _curves(number: int, result: Result, most_times: int | None) -> Iterator[Statistic]:
    """At every event time, so that the curve can be drawn from the rows."""
    held = result.analysis
    confidence = held.estimates[0].confidence if held is not None and held.estimates else 0.95
    for arm, curve in result.curves.items():
        shown: Sequence[int] = range(len(curve.times))
        if most_times is not None and len(shown) > most_times:
            shown = sorted({round(at * (len(shown) - 1) / (most_times - 1)) for at in range(most_times)})
        for at in shown:
            time = curve.times[at]
            low, high = curve.interval(float(time), confidence)
            for name, value in (
                ("survival", float(curve.survival[at])), ("conf.low", low), ("conf.high", high),
                ("n.risk", float(curve.at_risk[at])), ("n.event", float(curve.events[at])),
            ):  # fmt: skip
                yield Statistic(
                    result=number, group1=ARM, group1_level=str(arm), group2=TIME, group2_level=f"{time:.10g}",
                    context="Kaplan-Meier", name=name, value=_finite(value),
                    shown=f"{value:.0f}" if name.startswith("n.") else fixed(value, 4),
                    unit="patients" if name.startswith("n.") else "1",
                )  # fmt: skip


def _tipping(number: int, result: Result) -> Iterator[Statistic]:
    if result.tipping is None:
        return
    found = result.tipping
    for factor, value, p in zip(found.factors, found.values, found.p_values, strict=True):
        for name, one, shown in (("estimate", value, fixed(value, 4)), ("p.value", p, p_words(p))):
            yield Statistic(
                result=number, group1=CONTRAST, group1_level=found.estimate, group2=FACTOR, group2_level=f"{factor:g}",
                context="tipping point", name=name, value=_finite(one), shown=shown,
            )  # fmt: skip
    for tip in found.tips:
        yield Statistic(
            result=number, group1=CONTRAST, group1_level=found.estimate, group2=FACTOR, group2_level=f"{tip:.6g}",
            context="tipping point", name="p.value", value=found.level, shown=f"{found.level:g}",
        )  # fmt: skip


def _finite(value: float) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
