"""The trial against its target as a whole: overlap, generalisability, and what the trial is worth for the target.

Formulas and sources in :mod:`representativeness`, whose rows are one part of what is handed back here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.external.balance import effective_sample_size
from medtwin.trials.external.propensity import propensity_score
from medtwin.trials.external.tilting import tilt
from medtwin.trials.fair import representativeness as rows_of
from medtwin.trials.fair.groups import Group
from medtwin.trials.fair.rules import shown

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Effective number of one group once the trial is weighted to the target."""

    column: str
    level: str
    patients: int | None  #: none: too few to show
    effective: float | None  #: patients


@dataclass(frozen=True, slots=True, kw_only=True)
class Representativeness:
    """The trial against the target. None: cannot be had, the notes say why."""

    target: str  #: "a table of 1200 patients", "published margins"
    trial_patients: int
    target_patients: int | None
    rows: tuple[rows_of.CovariateRow, ...]
    generalisability: float | None  #: 0 to 1
    overlap: float | None  #: of the two densities of the probability of being in the trial, 0 to 1
    target_within_reach: float | None  #: share
    weights: str  #: how the effective numbers were weighted
    strata: tuple[Stratum, ...]
    notes: tuple[str, ...] = ()


def against_table(
    trial: pl.DataFrame, target: pl.DataFrame, covariates: Sequence[str], groups: Sequence[Group], confidence: float = 0.95,
    small_cell: int = 5,
) -> Representativeness:  # fmt: skip
    """Against patients of the target; ``groups`` are of the rows of ``trial``."""
    _there(trial, covariates, "trial")
    _there(target, covariates, "target")
    notes: list[str] = []
    here, kept = _complete(trial, covariates, "trial", notes)
    there, _ = _complete(target, covariates, "target", notes)
    rows = rows_of.rows_of_table(here, there, covariates, confidence, small_cell)
    index: float | None = None
    shared: float | None = None
    within: float | None = None
    strata: tuple[Stratum, ...] = ()
    try:
        values = np.vstack(design(here, there, covariates))
        both = TrialData.of(
            np.zeros(len(values)), np.arange(len(values)) < here.height, control=False, covariates=values
        )
        score = propensity_score(both).score
    except AnalysisError as error:
        notes.append(f"no probability of being in the trial: {error}")
    else:
        inside, outside = score[: here.height], score[here.height :]
        index, shared = generalisability(inside, outside), overlap(inside, outside)
        within = float(((outside >= inside.min()) & (outside <= inside.max())).mean())
        strata = _strata(groups, kept, (1.0 - inside) / inside, small_cell)
    return Representativeness(
        target=f"a table of {there.height} patients", trial_patients=here.height, target_patients=there.height, rows=rows,
        weights="odds of being in the target (logistic model)", strata=strata, notes=tuple(notes),
        generalisability=index, target_within_reach=within, overlap=shared,
    )  # fmt: skip


def against_margins(
    trial: pl.DataFrame, margins: Mapping[str, rows_of.Margin], groups: Sequence[Group], confidence: float = 0.95,
    small_cell: int = 5,
) -> Representativeness:  # fmt: skip
    """Against published margins, by name of the covariate."""
    _there(trial, list(margins), "trial")
    notes = ["published margins say nothing of how covariates go together: no probability of being in the trial"]
    here, kept = _complete(trial, list(margins), "trial", notes)
    rows = rows_of.rows_of_margins(here, margins, confidence, small_cell)
    columns, goals, names = [], [], []
    for name, margin in margins.items():
        if margin.shares is None:
            columns.append(here[name].cast(float).to_numpy())
            goals.append(float(margin.mean or 0.0))
            names.append(name)
            continue
        levels = rows_of.word_levels(here, name)
        for level, share in list(margin.shares.items())[1:]:
            columns.append((levels == level).astype(float))
            goals.append(float(share))
            names.append(f"{name}={level}")
    strata: tuple[Stratum, ...] = ()
    try:
        tilted = tilt(np.column_stack(columns), np.array(goals), names=names, where="weights to the target")
    except AnalysisError as error:
        notes.append(f"no weights reach the margins: {error}")
    else:
        notes += tilted.notes
        strata = _strata(groups, kept, tilted.weights, small_cell)
    return Representativeness(
        target="published margins", trial_patients=here.height, target_patients=None, rows=rows, generalisability=None,
        target_within_reach=None, overlap=None, weights="entropy balancing to the published means and shares", strata=strata,
        notes=tuple(notes),
    )  # fmt: skip


def design(trial: pl.DataFrame, target: pl.DataFrame, covariates: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(patient, column) of both: numbers as they are, of words an indicator of each level but the first."""
    columns: list[tuple[np.ndarray, np.ndarray]] = []
    for name in covariates:
        if rows_of.is_number(trial[name]) and rows_of.is_number(target[name]):
            columns.append((trial[name].cast(float).to_numpy(), target[name].cast(float).to_numpy()))
            continue
        a, b = rows_of.word_levels(trial, name), rows_of.word_levels(target, name)
        for level in sorted({*a.tolist(), *b.tolist()})[1:]:
            columns.append(((a == level).astype(float), (b == level).astype(float)))
    return np.column_stack([pair[0] for pair in columns]), np.column_stack([pair[1] for pair in columns])


def generalisability(trial: np.ndarray, target: np.ndarray) -> float:
    """Tipton's index of two samples of probabilities (patient,): integral of sqrt(f g), f and g Gaussian kernel densities."""
    f, g, step = _densities(trial, target)
    return float(min(np.sqrt(f * g).sum() * step, 1.0))


def overlap(trial: np.ndarray, target: np.ndarray) -> float:
    """Overlap coefficient, integral of min(f, g) of the same densities: 1 alike, 0 apart."""
    f, g, step = _densities(trial, target)
    return float(min(np.minimum(f, g).sum() * step, 1.0))


def _densities(trial: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """(f, g, step) on one fine grid."""
    widths = [(4.0 * float(x.std(ddof=1)) ** 5 / (3.0 * len(x))) ** 0.2 for x in (trial, target)]
    if not min(widths) > 0.0:
        raise AnalysisError("the same probability for every patient", expected="covariates that vary", where="overlap")
    low = float(min(trial.min(), target.min())) - 6.0 * max(widths)
    high = float(max(trial.max(), target.max())) + 6.0 * max(widths)
    cells = int(min(max((high - low) / (min(widths) / 25.0), 1000), 200_000))
    step = (high - low) / cells
    made = []
    for x, width in zip((trial, target), widths, strict=True):
        counts = np.bincount(np.minimum(((x - low) / step).astype(int), cells - 1), minlength=cells) / (len(x) * step)
        half = int(np.ceil(6.0 * width / step))
        kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * step / width) ** 2)
        made.append(np.maximum(_convolved(counts, kernel / kernel.sum()), 0.0))
    return made[0], made[1], step


def _convolved(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    size = len(values) + len(kernel) - 1
    whole = np.fft.irfft(np.fft.rfft(values, size) * np.fft.rfft(kernel, size), size)
    return np.asarray(whole[len(kernel) // 2 : len(kernel) // 2 + len(values)])


def _there(frame: pl.DataFrame, names: Sequence[str], whose: str) -> None:
    absent = [name for name in names if name not in frame.columns]
    if absent or not names:
        raise AnalysisError(
            f"no column {absent or 'named'}", expected="covariates of trial and target", where=f"{whose} table"
        )


def _complete(
    frame: pl.DataFrame, names: Sequence[str], whose: str, notes: list[str]
) -> tuple[pl.DataFrame, np.ndarray]:
    """Rows with every number; a missing word is a level of its own."""
    import polars as pl

    numbers = [name for name in names if rows_of.is_number(frame[name])]
    kept = np.ones(frame.height, dtype=bool)
    for name in numbers:
        kept &= np.isfinite(frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy())
        if not kept.all():
            notes.append(f"{whose}: {name} missing; {int((~kept).sum())} patients left out of the comparison so far")
    if kept.sum() < 2:
        raise AnalysisError(
            f"{int(kept.sum())} patients with every covariate", expected="two or more", where=f"{whose} table"
        )
    return frame.filter(pl.Series(kept)), kept


def _strata(groups: Sequence[Group], kept: np.ndarray, weights: np.ndarray, small_cell: int) -> tuple[Stratum, ...]:
    made: list[Stratum] = []
    for column in dict.fromkeys(group.column for group in groups):
        mine = [(group.level, group.members[kept]) for group in groups if group.column == column]
        for (level, members), count in zip(mine, shown([int(m.sum()) for _, m in mine], small_cell), strict=True):
            effective = None if count is None else effective_sample_size(weights[members])
            made.append(Stratum(column=column, level=level, patients=count, effective=effective))
    return tuple(made)
