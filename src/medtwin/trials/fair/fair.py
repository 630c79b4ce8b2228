"""One verb: what a score does for each group of patients, what must be flagged, and what cannot be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.fair import flags as flagged
from medtwin.trials.fair.censored import known_by
from medtwin.trials.fair.compare import Comparison, Heterogeneity, compare
from medtwin.trials.fair.decision import THRESHOLDS, DecisionCurve, decision_curve
from medtwin.trials.fair.figures import EVERY, Made, coverage_of, figures_of
from medtwin.trials.fair.groups import EVERYBODY, Group, find_groups
from medtwin.trials.fair.inputs import Sample, as_frame, read_sample
from medtwin.trials.fair.number import Number, Withheld
from medtwin.trials.fair.overlap import Representativeness, against_margins, against_table
from medtwin.trials.fair.parity import Disparity, counted, disparities
from medtwin.trials.fair.proportion import proportion
from medtwin.trials.fair.representativeness import Margin
from medtwin.trials.fair.rules import Rules, shown
from medtwin.trials.fair.smooth import CalibrationCurve

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One group. Counts that are too small to show are none, and their words say so."""

    column: str
    level: str
    patients: int | None
    events: int | None  #: of events; none where counted in words
    words: str  #: "102 patients, 17 events"; "fewer than 5 patients"
    numbers: tuple[Number, ...]
    width: (
        float | None
    )  #: of a conformal interval that is one for all, outcome's unit; of events the mean size of a set
    own_width: float | None  #: of the group's own (Mondrian)

    def __getitem__(self, name: str) -> Number:
        """The figure of this name."""
        for number in self.numbers:
            if number.name == name:
                return number
        raise AnalysisError(
            f"no figure {name!r}", expected=f"one of {[n.name for n in self.numbers]}", where=self.level
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FairUse:
    """The report. Made by :func:`fair_use`."""

    kind: str  #: binary | continuous | survival
    outcome: str  #: column
    prediction: str  #: column
    patients: int  #: with outcome and prediction
    left_out: int
    confidence: float
    rules: Rules
    groups: tuple[GroupRow, ...]  #: everybody first
    heterogeneity: tuple[Heterogeneity, ...]
    comparisons: tuple[Comparison, ...]
    disparities: tuple[Disparity, ...]
    decision_curves: tuple[DecisionCurve, ...]
    calibration_curves: tuple[CalibrationCurve, ...]
    representativeness: Representativeness | None
    flags: tuple[flagged.Flag, ...]
    withheld: tuple[Withheld, ...]
    notes: tuple[str, ...]

    def group(self, column: str, level: str) -> GroupRow:
        """The row of a group."""
        for row in self.groups:
            if (row.column, row.level) == (column, level):
                return row
        raise AnalysisError(
            f"no group {column} {level}", expected=f"one of {[(r.column, r.level) for r in self.groups]}"
        )

    def to_builtins(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        made: dict[str, Any] = _plain(self)
        return made


def fair_use(
    table: Any, *, outcome: str, prediction: str, groups: Sequence[str], kind: str | None = None, baseline: Sequence[str] = (),
    treatment: str | None = None, control: Any = None, event: str | None = None, horizon: float | None = None,
    thresholds: Sequence[float] = (), decision_thresholds: Sequence[float] = THRESHOLDS, calibration: str | None = None,
    subject: str | None = None, target: Any = None, covariates: Sequence[str] = (),
    bands: Mapping[str, Sequence[float]] | None = None, intersections: bool = True, coverage: float = 0.9,
    confidence: float = 0.95, rules: Rules | None = None, draws: int = 200, seed: int = 0,
) -> FairUse:  # fmt: skip
    """Report on ``prediction`` (mean, risk, or risk by ``horizon``) of ``outcome`` in the levels of ``groups``.

    ``table``: polars, pandas, a mapping of columns, or what has a ``frame``; one row a patient. With ``event`` the outcome is a
    time. ``baseline``: columns whose value is taken out before the score's benefit is counted. ``treatment``: arms are taken
    out of that benefit too; with ``control`` named, calibration and the rest are looked at in that arm. ``thresholds``: risks
    from which a decision would be taken. ``calibration``: column of 0 and 1, patients that set the width of conformal
    intervals; without it each is held to what all others give. ``target``: table of the patients that the result is for, or
    mapping of :class:`Margin` by covariate; ``covariates``: what is compared (baseline and group columns where none is named).
    ``draws``: bootstrap samples of the integrated calibration index and, five times as many, of gaps of rates; 0: neither.
    """
    if not 0.0 < confidence < 1.0 or not 0.0 < coverage < 1.0:
        raise AnalysisError(f"confidence {confidence:g}, coverage {coverage:g}", expected="between 0 and 1")
    if strange := [t for t in (*thresholds, *decision_thresholds) if not 0.0 < t < 1.0]:
        raise AnalysisError(f"thresholds {strange}", expected="risks between 0 and 1", where="thresholds")
    if draws and draws < 20:
        raise AnalysisError(f"{draws} draws", expected="20 or more, or 0 for none", where="bootstrap")
    held_to = rules or Rules()
    frame = as_frame(table)
    if absent := [name for name in (*groups, *covariates) if name not in frame.columns]:
        raise AnalysisError(f"no column {absent}", expected=f"some of {frame.columns}", where="the table")
    sample = read_sample(
        frame, outcome=outcome, prediction=prediction, kind=kind, baseline=baseline, treatment=treatment, control=control,
        event=event, horizon=horizon, calibration=calibration, subject=subject,
    )  # fmt: skip
    everyone = find_groups(frame, groups, bands=bands, intersections=intersections)
    inside = [Group(g.column, g.level, g.members[sample.complete]) for g in everyone]
    notes = [*sample.notes, *_words(sample, held_to, thresholds, calibration, coverage, draws)]
    made = [
        figures_of(sample, g, held_to, thresholds=thresholds, confidence=confidence, draws=draws, seed=seed) for g in inside
    ]  # fmt: skip
    widths = _coverages(sample, made, coverage, confidence)
    _without_outcome(made, everyone, sample, held_to, confidence)
    rows = _rows(sample, made, widths, held_to)
    figures = [(row.column, row.level, number) for row in rows for number in row.numbers]
    compared = _compared(figures, held_to)
    tests, comparisons = compare(compared)
    notes += _alone(made, compared)
    curves = _curves(sample, made, decision_thresholds, thresholds)
    found = _represent(frame, target, covariates or (*baseline, *groups), everyone, confidence, held_to.small_cell)
    flags = (
        *flagged.differences(tests, comparisons, held_to), *flagged.faults(figures, held_to), *flagged.benefits(figures),
        *flagged.decisions(curves, thresholds), *(flagged.representation(found) if found else ()),
    )  # fmt: skip
    gaps = _disparities(sample, made, thresholds, confidence, 5 * draws, seed)
    return FairUse(
        kind=sample.kind, outcome=outcome, prediction=prediction, patients=len(sample.outcome), confidence=confidence,
        left_out=frame.height - len(sample.outcome), rules=held_to, groups=rows, heterogeneity=tests, comparisons=comparisons,
        disparities=gaps, decision_curves=curves,
        calibration_curves=tuple(curve for one in made for curve in one.curves), representativeness=found, flags=flags,
        withheld=tuple(w for one in made for w in one.withheld), notes=tuple(notes),
    )  # fmt: skip


def _words(
    sample: Sample, rules: Rules, thresholds: Sequence[float], calibration: str | None, coverage: float, draws: int
) -> list[str]:
    notes = [
        f"figures of fewer than {rules.min_patients} patients, or {rules.min_events} with and {rules.min_events} without the"
        f" event, are withheld; counts from 1 to {rules.small_cell - 1} are not shown, by column: tables that cross each other"
        " may still tell them",
    ]  # fmt: skip
    if sample.kind == "survival":
        notes.append("with censored times there are no parity of decisions, coverage or benefit by group; figures at the horizon"
                     " take censoring not to depend on who will have the event")  # fmt: skip
    elif calibration is None:
        notes.append(
            f"no calibration patients were named: intervals of {coverage:.0%} are set for each patient by all others; a width of"
            " a group's own then covers it by construction, and no coverage of it is reported"
        )
    if sample.kind == "continuous":
        notes.append("observed to expected is reported where no outcome and no prediction is negative")
    if sample.kind == "binary" and not thresholds:
        notes.append("no threshold was stated: no rates and no parity of decisions")
    if not draws:
        notes.append("no bootstrap was asked for: no integrated calibration index, no largest gap of any rate")
    return notes


def _coverages(
    sample: Sample, made: Sequence[Made], target: float, confidence: float
) -> list[tuple[float | None, float | None]]:
    """Adds coverage to every group; (width for all, own width) of each."""
    mates = {
        column: np.any([one.group.members for one in made if one.group.column == column], axis=0)
        for column in {one.group.column for one in made}
    }
    return [coverage_of(sample, one, mates[one.group.column], target=target, confidence=confidence) for one in made]


def _without_outcome(
    made: Sequence[Made], everyone: Sequence[Group], sample: Sample, rules: Rules, confidence: float
) -> None:
    """Share of each group that no figure speaks for: itself a figure by which groups can differ."""
    if sample.complete.all():
        return
    for one, whole in zip(made, everyone, strict=True):
        size, kept = int(whole.members.sum()), int((whole.members & sample.complete).sum())
        if size >= rules.min_patients:
            one.numbers.append(proportion("without outcome or prediction", size - kept, size, confidence))


def _rows(
    sample: Sample, made: Sequence[Made], widths: Sequence[tuple[float | None, float | None]], rules: Rules
) -> tuple[GroupRow, ...]:
    rows: list[GroupRow] = []
    for column in dict.fromkeys(one.group.column for one in made):
        mine = [(one, width) for one, width in zip(made, widths, strict=True) if one.group.column == column]
        sizes = [int(one.group.members.sum()) for one, _ in mine]
        counts = shown(sizes, rules.small_cell)
        happened: tuple[int | None, ...] = (None,) * len(mine)
        if sample.kind != "continuous":
            seen = (
                sample.outcome == 1.0
                if sample.event is None
                else sample.event & (sample.outcome <= float(sample.horizon or 0))
            )
            had = [int((one.group.members & seen).sum()) for one, _ in mine]
            of_events = shown(had, rules.small_cell)
            of_others = shown([n - k for n, k in zip(sizes, had, strict=True)], rules.small_cell)
            happened = tuple(
                None if None in (n, k, other) else k for n, k, other in zip(counts, of_events, of_others, strict=True)
            )
        for (one, width), size, count, events in zip(mine, sizes, counts, happened, strict=True):
            words = f"{count} patients" if count is not None else (
                f"fewer than {rules.small_cell} patients" if size < rules.small_cell
                else "a count that would tell a small one")  # fmt: skip
            if sample.kind != "continuous" and count is not None:
                words += f", {events} events" if events is not None else ", a count of events too small to show"
            rows.append(GroupRow(column=column, level=one.group.level, patients=count, events=events, words=words,
                                 numbers=tuple(one.numbers), width=width[0], own_width=width[1]))  # fmt: skip
    return tuple(rows)


def _compared(figures: Sequence[tuple[str, str, Number]], rules: Rules) -> dict[tuple[str, str], dict[str, Number]]:
    held: dict[tuple[str, str], dict[str, Number]] = {}
    for column, level, number in figures:
        if column != EVERYBODY and number.name.startswith(rules.compared):
            held.setdefault((column, number.name), {})[level] = number
    return held


def _alone(made: Sequence[Made], compared: Mapping[tuple[str, str], Mapping[str, Number]]) -> list[str]:
    """Columns of which no two groups can be held against each other."""
    most: dict[str, int] = {one.group.column: 0 for one in made if one.group.column != EVERYBODY}
    for (column, _), held in compared.items():
        most[column] = max(most[column], len(held))
    return [
        f"groups of {column} are not compared: fewer than two can be shown"
        for column, count in most.items()
        if count < 2
    ]


def _of_events(sample: Sample, one: Made) -> np.ndarray | None:
    """(patient,) those of a group of whom figures of risk are shown."""
    if sample.kind == "continuous" or any(held.name == EVERY for held in one.withheld):
        return None
    return one.group.members & sample.untreated


def _curves(
    sample: Sample, made: Sequence[Made], grid: Sequence[float], stated: Sequence[float]
) -> tuple[DecisionCurve, ...]:
    at = sorted({*grid, *stated})
    curves = []
    for one in made:
        mine = _of_events(sample, one)
        if mine is None or not at:
            continue
        y, weight = sample.outcome[mine], None
        if sample.event is not None:
            case, weight = known_by(y, sample.event[mine], float(sample.horizon or 0.0))
            y = case.astype(float)
        curves.append(
            decision_curve(y, sample.predicted[mine], at, weight=weight, column=one.group.column, level=one.group.level)
        )
    return tuple(curves)


def _disparities(
    sample: Sample,
    made: Sequence[Made],
    thresholds: Sequence[float],
    confidence: float,
    draws: int,
    seed: int,
) -> tuple[Disparity, ...]:
    out: list[Disparity] = []
    if sample.kind != "binary":
        return ()
    for column in dict.fromkeys(one.group.column for one in made if one.group.column != EVERYBODY):
        mine = {one.group.level: where for one in made if one.group.column == column
                and (where := _of_events(sample, one)) is not None}  # fmt: skip
        for threshold in thresholds if len(mine) > 1 else ():
            counts = {level: counted(sample.outcome[w], sample.predicted[w], threshold) for level, w in mine.items()}
            out += disparities(counts, column, threshold, confidence=confidence, draws=draws, seed=seed)
    return tuple(out)


def _represent(
    frame: pl.DataFrame, target: Any, covariates: Sequence[str], groups: Sequence[Group], confidence: float, small: int
) -> Representativeness | None:
    if target is None:
        return None
    if isinstance(target, Mapping) and target and all(isinstance(margin, Margin) for margin in target.values()):
        return against_margins(frame, target, groups, confidence, small)
    return against_table(frame, as_frame(target), tuple(dict.fromkeys(covariates)), groups, confidence, small)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(held) for key, held in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(held) for held in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return value
