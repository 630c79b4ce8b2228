"""Whether a trial's population is the one that a score was trained on: by baseline columns and the score alone.

By column, historical (h, n of them) against trial (t, m), with a test beside each measure so that a flag does not depend on
how many patients there are:

    difference     (mean_t - mean_h)/s, s^2 the mean of both variances; flagged where above 0.1 and Welch's test rejects
    stability      sum_b (p_tb - p_hb) ln(p_tb/p_hb) over the training deciles or levels, half a patient added to each; flagged
                   where above 0.1 and above its chance distribution, (1/n + 1/m) chi2(bins - 1) (Yurdakul 2018, dissertation,
                   Western Michigan University)
    distribution   Kolmogorov and Smirnov's distance; flagged where their test rejects. Needs the historical table
    range          share beyond the training minimum and maximum; flagged where above 1 % and as many beyond either end are
                   not credible: P(k of m beyond the largest of n) = prod_{i<k} (m - i)/(n + m - i)
    missing        share missing; flagged where it moved by over 0.05 and Fisher's exact test rejects
    together       how well boosted trees tell both apart, out of fold: area under the curve; flagged where above 0.6 and Mann
                   and Whitney's test rejects. Needs the historical table

Each family is tested at 5 % over all its columns (Bonferroni), so that without drift a family raises a flag in at most one
trial of twenty. Fewer than ``LEAST`` patients on either side are not judged. Once outcomes of the trial's controls are known,
calibration is told: what was seen less what was foretold, and the slope of the outcome on the score.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import polars as pl
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.score.arms import one_row_each
from medtwin.trials.score.calibration import Calibration, calibration
from medtwin.trials.score.columns import MISSING, Column, encode, numbers, words
from medtwin.trials.score.prints import table_hash
from medtwin.trials.score.score import TrainedScore

LEVEL, LEAST = 0.05, 30
LARGE = {"difference": 0.1, "stability": 0.1, "distribution": 0.0, "range": 0.01, "missing": 0.05, "together": 0.6}


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one column."""

    column: str
    measure: str
    value: float
    p_value: float  #: of no drift
    flagged: bool
    words: str = ""


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """All measures; ``notes`` say what could not be judged."""

    historical: int
    trial: int
    measures: tuple[Measure, ...]
    calibration: Calibration | None
    notes: tuple[str, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """In words."""
        flagged = tuple(f"{one.column}: {one.measure} {one.words}" for one in self.measures if one.flagged)
        return flagged if self.calibration is None else (*flagged, *self.calibration.flags)


def drift(
    score: TrainedScore, table: pl.DataFrame, *, historical: pl.DataFrame | None = None, arm: str | None = None,
    control: Any = None, outcome: str | None = None, event: str | None = None, exposure: str | None = None,
) -> DriftReport:  # fmt: skip
    """Of a trial's table (one row a patient) against what the score keeps of its training data, or the ``historical`` table.

    Outcomes are looked at only where ``arm`` and ``control`` are named, and only those of the controls.
    """
    notes: list[str] = []
    one_row_each(score, table)
    if (arm is None) != (control is None):
        raise AnalysisError("an arm without its control, or a control without its arm", expected="both, or neither")
    columns = list(score.columns) + ([score.forecast] if score.forecast is not None else [])
    rows, n = table.height, score.columns[0].rows if score.columns else score.training.patients
    if min(rows, n) < LEAST:
        notes.append(f"{n} historical and {rows} trial patients: fewer than {LEAST} on a side are not judged")
        return DriftReport(historical=n, trial=rows, measures=(), calibration=None, notes=tuple(notes))
    if historical is not None and not _same(score, historical):
        notes.append("the historical table is not the one that the score was trained on (its hash differs)")
    applied = score.apply(table, unseen="usual")
    notes.extend(note for note in applied.notes if "training data do not have" in note)
    made: dict[str, list[tuple[str, float, float, str]]] = {name: [] for name in LARGE}
    for column in columns:
        own = _Side.of(table, column)
        before = None if historical is None else _Side.of(_once(score, historical), column)
        _compare(column, own, before, made)
    shown = _Side(values=applied.values, missing=0, rows=rows)
    past = None if historical is None else _Side.of_values(score.apply(_once(score, historical), unseen="usual").values)
    if historical is not None:
        notes.append(
            "the score of historical patients is that of a model that knows them: its distribution is a little wide"
        )
    _compare(score.distribution, shown, past, made)
    if historical is None:
        notes.append("distributions were not compared and no classifier was trained: that needs the historical table")
    else:
        made["together"].append(_together(score, table, _once(score, historical)))
    measures = []
    for name, tested in made.items():
        for column_name, value, p, told in tested:
            flagged = p < LEVEL / len(tested) and abs(value) > LARGE[name]
            measures.append(
                Measure(column=column_name, measure=name, value=value, p_value=p, flagged=flagged, words=told)
            )
    calibrated = None
    if arm is not None:
        calibrated = calibration(
            score, table, arm=arm, control=control, outcome=outcome, event=event, exposure=exposure
        )
        if calibrated is None:
            notes.append(f"fewer than {LEAST} controls with an outcome: calibration is not judged")
    return DriftReport(historical=n, trial=rows, measures=tuple(measures), calibration=calibrated, notes=tuple(notes))


class _Side:
    """One column of one population; words as levels."""

    def __init__(self, *, values: Any, missing: int, rows: int) -> None:
        self.values, self.missing, self.rows = values, missing, rows

    @classmethod
    def of(cls, table: pl.DataFrame, column: Column) -> _Side:
        if column.kind == "number":
            held = numbers(table, column.name)
            return cls(values=held[np.isfinite(held)], missing=int(np.isnan(held).sum()), rows=len(held))
        met = words(table, column.name)
        return cls(values=met, missing=met.count(MISSING), rows=len(met))

    @classmethod
    def of_values(cls, values: np.ndarray) -> _Side:
        return cls(values=values, missing=0, rows=len(values))


def _compare(
    column: Column, own: _Side, before: _Side | None, made: dict[str, list[tuple[str, float, float, str]]]
) -> None:
    """Adds (column, value, p, words) to each family."""
    name, m = column.name, own.rows - own.missing
    n = column.rows - column.missing
    table = [[column.missing, column.rows - column.missing], [own.missing, own.rows - own.missing]]
    moved = own.missing / own.rows - column.missing / column.rows
    p = float(stats.fisher_exact(table)[1]) if column.missing + own.missing else 1.0
    made["missing"].append((name, moved, p, f"{column.missing / column.rows:.1%} to {own.missing / own.rows:.1%}"))
    if m < 2 or n < 2:
        return
    if column.kind == "words":
        levels = [level for level in column.levels if level != MISSING]
        seen = [column.counts[column.levels.index(level)] for level in levels]
        met = [own.values.count(level) for level in levels]
        strange = m - sum(met)
        if strange:
            seen, met = [*seen, 0], [*met, strange]
        made["stability"].append((name, *_stability(np.array(seen), np.array(met))))
        return
    counts = np.bincount(np.searchsorted(column.edges, own.values, side="left"), minlength=len(column.counts))
    if len(counts) > 1:
        made["stability"].append((name, *_stability(np.array(column.counts), counts)))
    mean, variance = float(own.values.mean()), float(own.values.var(ddof=1))
    spread = math.sqrt((column.sd**2 + variance) / 2.0)
    error = math.sqrt(column.sd**2 / n + variance / m)
    if error > 0.0:
        away = mean - column.mean
        df = error**4 / ((column.sd**2 / n) ** 2 / (n - 1) + (variance / m) ** 2 / (m - 1))
        made["difference"].append(
            (name, away / spread, float(2.0 * stats.t.sf(abs(away) / error, df)), f"{away / spread:+.2f} SD")
        )
    above, below = int((own.values > column.high).sum()), int((own.values < column.low).sum())
    p = min(1.0, 2.0 * min(_beyond(above, m, n), _beyond(below, m, n)))
    made["range"].append((name, (above + below) / m, p, f"{below} below, {above} above, of {m}"))
    if before is not None and len(before.values) > 1:
        tested = stats.ks_2samp(before.values, own.values, method="auto")
        made["distribution"].append((name, float(tested.statistic), float(tested.pvalue), f"{tested.statistic:.2f}"))


def _stability(before: np.ndarray, now: np.ndarray) -> tuple[float, float, str]:
    kept = (before + now) > 0
    before, now = before[kept], now[kept]
    n, m, bins = before.sum(), now.sum(), len(now)
    p = (before + 0.5) / (n + 0.5 * bins)
    q = (now + 0.5) / (m + 0.5 * bins)
    value = float(((q - p) * np.log(q / p)).sum())
    chance = float(stats.chi2.sf(value / (1.0 / n + 1.0 / m), max(bins - 1, 1)))
    return value, chance, f"{value:.2f}"


def _beyond(k: int, m: int, n: int) -> float:
    """P(at least k of m values above the largest of n others), all of one continuous law."""
    return math.exp(sum(math.log(m - i) - math.log(n + m - i) for i in range(k)))


def _together(score: TrainedScore, table: pl.DataFrame, historical: pl.DataFrame) -> tuple[str, float, float, str]:
    from sklearn.ensemble import GradientBoostingClassifier

    columns = (*score.columns, *((score.forecast,) if score.forecast is not None else ()))
    x = np.vstack([encode(part, columns, "usual")[0] for part in (historical, table)])
    y = np.repeat([0, 1], [historical.height, table.height])
    fold = np.empty(len(y), dtype=int)
    rng = np.random.default_rng(score.specification.seed)
    for side in (0, 1):
        mine = rng.permutation(np.flatnonzero(y == side))
        fold[mine] = np.arange(len(mine)) % 5
    areas, errors = [], []
    for k in range(5):
        machine = GradientBoostingClassifier(n_estimators=50, max_depth=2, random_state=0, min_samples_leaf=10)
        held = fold == k
        values = machine.fit(x[~held], y[~held]).decision_function(x[held])
        here = y[held]
        a, b = int((here == 0).sum()), int((here == 1).sum())
        ranks = stats.rankdata(values)
        areas.append(float((ranks[here == 1].sum() - b * (b + 1) / 2.0) / (a * b)))
        errors.append((a + b + 1) / (12.0 * a * b))  # variance without drift (Mann and Whitney 1947)
    area, error = float(np.mean(areas)), math.sqrt(sum(errors)) / 5.0
    return "all columns", area, float(stats.norm.sf((area - 0.5) / error)), f"area under the curve {area:.2f}"


def _once(score: TrainedScore, historical: pl.DataFrame) -> pl.DataFrame:
    """One row a patient."""
    asked = score.specification
    if asked.arm is not None and asked.arm in historical.columns:
        mine = np.array([label == str(asked.control) for label in words(historical, asked.arm)])
        historical = historical.filter(pl.Series(mine))
    if asked.visit is not None and asked.subject is not None:
        return historical.unique(asked.subject, keep="first", maintain_order=True)
    return historical


def _same(score: TrainedScore, historical: pl.DataFrame) -> bool:
    asked = score.specification
    if asked.arm is not None and asked.arm in historical.columns:
        mine = np.array([label == str(asked.control) for label in words(historical, asked.arm)])
        historical = historical.filter(pl.Series(mine))
    names = score.training.columns
    return set(names) <= set(historical.columns) and table_hash(historical, names) == score.training.sha256
