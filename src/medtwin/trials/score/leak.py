"""A score that saw what it is to predict: by date, by hash, by implausibility.

Certain, and refused:

    date      the training data cut, or a training outcome, on or after the trial's first randomisation
    date      a baseline column that was measured after the patient was randomised
    hash      the training outcomes are the trial's, all of them (or those of one arm)
    hash      patients of the trial in the training data, with their outcomes or, by their baseline values, with another outcome
              or none yet; more than can share all of a row by chance: with m trial and n training patients k matches,
              P(Poisson(10 m n chance) >= k) < 1e-6, chance as in ``prints``, ten times it for columns that go together
    value     the score, or one of its columns, correlates above 0.999 with the outcome within an arm
    value     a column of the score that is the outcome's own

Suspicions, reported: fewer matches than that; a correlation in the trial so far above the cross-validated one that chance
does not explain it (5 standard errors of Fisher's z). What could not be looked at, because a date or an outcome is not
known, is said. None of it proves that there is no leak: a score can have been tuned on the trial's outcomes by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

import msgspec
import numpy as np
import polars as pl
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.score.arms import outcomes_of
from medtwin.trials.score.columns import numbers
from medtwin.trials.score.history import History
from medtwin.trials.score.outcomes import correlation, expected, martingale, target
from medtwin.trials.score.prints import mark, outcomes_mark, row_texts, with_outcome
from medtwin.trials.score.reading import as_dates
from medtwin.trials.score.score import TrainedScore

IMPLAUSIBLE, CREDIBLE = 0.999, 1e-6


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    kind: str  #: date | hash | value
    certain: bool
    words: str


class LeakReport(msgspec.Struct, frozen=True, kw_only=True):
    """All findings, what was looked at, and what could not be."""

    findings: tuple[Finding, ...]
    looked_at: tuple[str, ...]
    not_looked_at: tuple[str, ...]

    @property
    def certain(self) -> tuple[Finding, ...]:
        """Those that rule the score out."""
        return tuple(finding for finding in self.findings if finding.certain)


def refuse_leaks(score: TrainedScore, table: pl.DataFrame, **more: object) -> LeakReport:
    """As :func:`leaks`; raises AnalysisError where one is certain."""
    report = leaks(score, table, **more)  # type: ignore[arg-type]
    if report.certain:
        raise AnalysisError(
            f"a score that saw the outcome: {'; '.join(finding.words for finding in report.certain)}", where=score.name,
            expected="a score frozen before the trial, on other patients", remedy="train one on historical patients only",
        )  # fmt: skip
    return report


def leaks(
    score: TrainedScore, table: pl.DataFrame, *, arm: str | None = None, outcome: str | None = None, event: str | None = None,
    exposure: str | None = None, randomised: str | date | None = None, measured: Mapping[str, str] | None = None,
) -> LeakReport:  # fmt: skip
    """Of a score and a trial's table (one row a patient).

    ``arm``, ``outcome``: columns; the outcome's and the event's default to those of the training table, and are looked at where
    the table has them. ``randomised``: the column with each patient's date of randomisation, or the first date of all.
    ``measured``: by baseline column, the column with the date on which it was measured.
    """
    found: list[Finding] = []
    looked: list[str] = []
    missed: list[str] = []
    first, each = _first(table, randomised)
    _by_date(score, first, found, looked, missed)
    _by_measurement(table, each, measured or {}, found, looked, missed)
    column = outcome or score.specification.outcome
    if column in table.columns and table[column].null_count() < table.height:
        history, labels = outcomes_of(score, table, arm=arm, outcome=outcome, event=event, exposure=exposure)
        _by_person(score, table, numbers(table, column), found, looked, missed)
        _by_outcomes(score, table, column, labels, found, looked)
        _by_value(score, table, history, labels, found, looked)
    else:
        _by_person(score, table, None, found, looked, missed)
        missed.append("outcomes and correlations: the table has none")
    return LeakReport(findings=tuple(found), looked_at=tuple(looked), not_looked_at=tuple(missed))


def _first(table: pl.DataFrame, randomised: str | date | None) -> tuple[date | None, list[date | None] | None]:
    if randomised is None or isinstance(randomised, date):
        return randomised, None
    if randomised not in table.columns:
        try:
            return date.fromisoformat(randomised), None
        except ValueError:
            raise AnalysisError(f"no column {randomised!r}", expected="a column of dates, or a date") from None
    each = as_dates(table[randomised])
    known = [day for day in each if day is not None]
    return (min(known) if known else None), each


def _by_date(
    score: TrainedScore, first: date | None, found: list[Finding], looked: list[str], missed: list[str]
) -> None:
    stated = {"the last training outcome": score.training.last_outcome, "the training data's cut": score.training.cut}
    known = {name: date.fromisoformat(text) for name, text in stated.items() if text is not None}
    if first is None or not known:
        missed.append("dates: " + ("when the first patient was randomised is not known" if first is None
                                   else "the training data name no date of outcome or cut"))  # fmt: skip
        return
    looked.append("dates of the training data against the first randomisation")
    for name, day in known.items():
        if day >= first:
            found.append(Finding(kind="date", certain=True, words=f"{name} is of {day.isoformat()}, and the trial's first "
                                 f"randomisation of {first.isoformat()}"))  # fmt: skip


def _by_measurement(
    table: pl.DataFrame, each: list[date | None] | None, measured: Mapping[str, str], found: list[Finding],
    looked: list[str], missed: list[str],
) -> None:  # fmt: skip
    if not measured:
        missed.append("dates of baseline measurements: none are named")
        return
    if each is None:
        missed.append("dates of baseline measurements: each patient's date of randomisation is not known")
        return
    for name, column in measured.items():
        if column not in table.columns:
            raise AnalysisError(f"no column {column!r}", expected=f"the dates of {name}")
        late = sum(
            day is not None and begun is not None and day > begun
            for day, begun in zip(as_dates(table[column]), each, strict=True)
        )
        looked.append(f"dates of {name}")
        if late:
            found.append(Finding(kind="date", certain=True,
                                 words=f"{name} was measured after randomisation in {late} patients"))  # fmt: skip


def _by_outcomes(
    score: TrainedScore, table: pl.DataFrame, outcome: str, labels: np.ndarray, found: list[Finding], looked: list[str]
) -> None:
    held = score.prints
    if held is None:
        return
    looked.append("hash of all outcomes")
    values = numbers(table, outcome)
    parts = {"the trial": np.ones(table.height, bool), **{f"arm {name}": labels == name for name in np.unique(labels)}}
    for name, mine in parts.items():
        if np.isfinite(values[mine]).sum() > 5 and outcomes_mark(values[mine], held.salt) == held.outcomes:
            found.append(Finding(kind="hash", certain=True, words=f"the training outcomes are those of {name}"))
            return


def _by_person(
    score: TrainedScore, table: pl.DataFrame, outcome: np.ndarray | None, found: list[Finding], looked: list[str],
    missed: list[str],
) -> None:  # fmt: skip
    held = score.prints
    if held is None:
        missed.append("hashes: the score keeps none")
        return
    looked.append("hashes of patients")
    people = row_texts(table, score.columns if score.forecast is None else (*score.columns, score.forecast))
    asked = [("with the same baseline values", people, held.people, held.people_chance)]
    if outcome is not None:
        asked.insert(0, ("with their outcomes", with_outcome(people, outcome), held.rows, held.chance))
    for told, texts, known, chance in asked:
        seen = set(known)
        matches = sum(mark(row, held.salt) in seen for row in texts)
        credible = float(stats.poisson.sf(matches - 1, 10.0 * len(texts) * len(known) * chance))
        if matches and credible < 0.05:
            words = f"{matches} of {len(texts)} patients of the trial are in the training data, {told}"
            found.append(Finding(kind="hash", certain=credible < CREDIBLE, words=words))
            return


def _by_value(
    score: TrainedScore, table: pl.DataFrame, history: History, labels: np.ndarray, found: list[Finding], looked: list[str]
) -> None:  # fmt: skip
    looked.append("correlations within arms")
    mean = expected(score.model.scale, score.predict(table))
    for name in np.unique(labels):
        mine = history.complete & (labels == name)
        n = int(mine.sum())
        if n < 10:
            continue
        part = history.rows(np.flatnonzero(mine))
        where = f" in arm {name}" if name else ""
        if part.endpoint == "survival":
            assert part.event is not None
            y = martingale(part.outcome, part.event)
        else:
            y = target(part)
        r = correlation(mean[mine], y)
        if abs(r) > IMPLAUSIBLE:
            found.append(Finding(kind="value", certain=True,
                                 words=f"the score correlates {r:.6f} with the outcome{where}"))  # fmt: skip
        elif r > 0.0:
            before = score.figures.correlation.value
            apart = math.atanh(r) - math.atanh(min(max(before, -0.999), 0.999))
            error = math.sqrt(1.0 / (n - 3) + 1.0 / max(score.figures.patients - 3, 1))
            if apart / error > 5.0:
                found.append(Finding(kind="value", certain=False, words=f"the score correlates {r:.3f} with the outcome{where}, "
                                     f"and {before:.3f} in the training data"))  # fmt: skip
        for column in score.columns:
            if column.kind != "number":
                continue
            values = numbers(table, column.name)[mine]
            both = np.isfinite(values)
            if both.sum() >= 10 and abs(correlation(values[both], y[both])) > IMPLAUSIBLE:
                found.append(Finding(kind="value", certain=True, words=f"column {column.name} is the outcome{where}"))
