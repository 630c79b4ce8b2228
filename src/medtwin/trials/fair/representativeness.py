"""How the trial's patients differ from those whom the result is for: a table of them, or their published margins.

Of each covariate, trial against target:

    SMD         (mean_trial - mean_target) / sqrt((s_trial^2 + s_target^2)/2), variances on n - 1; of a level its share, with
                s^2 = p (1 - p) where only the share is published; large-sample error as of Cohen's d (Hedges & Olkin 1985,
                from memory): sqrt(1/n + 1/m + d^2/2(n + m))
    PSI         sum (target - trial) log(target / trial) over tenths of the target (lower edge within), or levels; shares of
                nothing are taken as 1e-4
    KS          largest distance of the two distribution functions, two-sample p

The probability of being in the trial given all covariates (logistic) gives, with a table,

    generalisability   integral sqrt(f_trial f_target) of kernel densities of that probability, bandwidth (4 s^5/3n)^(1/5):
                       1 like a random sample, 0 no overlap (Tipton, J Educ Behav Stat 2014;39:478); she calls .9 very
                       high, .8 high, .5 medium (thresholds from memory)
    overlap            integral min(f_trial, f_target) of the same densities
    within reach       share of the target within the range of the trial's probabilities
    weights            odds of being in the target: they make the trial's covariates those of the target

With margins only, weights are those of entropy balancing, which reach the published means exactly. The effective number
(sum w)^2/sum w^2, of all and of each group, is what the trial is worth for the target.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.fair.number import Number, normal_number
from medtwin.trials.fair.rules import shown

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateRow:
    """One covariate, or one level of one; none: cannot be had from published margins."""

    name: str  #: "age", "sex=F"
    trial: float  #: mean or share
    target: float
    smd: Number | None
    psi: float | None
    ks: float | None
    ks_p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """A published margin of the target: of a number ``mean`` and ``sd``, of a characteristic ``shares`` by level."""

    mean: float | None = None
    sd: float | None = None
    shares: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.shares is not None:
            total = sum(self.shares.values())
            if (
                self.mean is not None
                or self.sd is not None
                or not abs(total - 1.0) < 5e-3
                or min(self.shares.values()) < 0.0
            ):
                raise AnalysisError(
                    f"shares that sum to {total:g}", expected="shares alone, with sum 1", where="margin"
                )
        elif self.mean is None or self.sd is None or not (math.isfinite(self.mean) and self.sd > 0.0):
            raise AnalysisError(f"mean {self.mean}, sd {self.sd}", expected="both, or shares by level", where="margin")


def standardised_difference(
    trial: np.ndarray, target: np.ndarray, name: str = "SMD", confidence: float = 0.95
) -> Number:
    """SMD of two samples (patient,)."""
    return _smd(name, float(trial.mean()), float(trial.var(ddof=1)), len(trial), float(target.mean()),
                float(target.var(ddof=1)), len(target), confidence)  # fmt: skip


def stability_index(trial: np.ndarray, target: np.ndarray, bins: int = 10) -> float:
    """PSI of a number over ``bins`` quantile classes of the target; of few values over the values themselves."""
    values = np.unique(target)
    if len(values) <= bins:
        values = np.union1d(values, trial)
        here, there = (np.array([(x == value).mean() for value in values]) for x in (trial, target))
        return psi_of_shares(here, there)
    edges = np.unique(np.quantile(target, np.linspace(0.0, 1.0, bins + 1)))[1:-1]
    shares = [
        np.bincount(np.searchsorted(edges, x, side="right"), minlength=len(edges) + 1) / len(x) for x in (trial, target)
    ]
    return psi_of_shares(shares[0], shares[1])


def psi_of_shares(trial: np.ndarray, target: np.ndarray, least: float = 1e-4) -> float:
    """PSI of two rows of shares."""
    p, q = np.maximum(trial, least), np.maximum(target, least)
    return float(((q - p) * np.log(q / p)).sum())


def hidden_levels(levels: np.ndarray, small_cell: int) -> set[Any]:
    """Levels whose share in the trial would tell a count below ``small_cell``, with one more where one alone is."""
    kinds, counts = np.unique(levels, return_counts=True)
    return {
        kind for kind, count in zip(kinds.tolist(), shown(counts.tolist(), small_cell), strict=True) if count is None
    }


def rows_of_table(
    trial: pl.DataFrame, target: pl.DataFrame, covariates: Sequence[str], confidence: float = 0.95, small_cell: int = 0
) -> tuple[CovariateRow, ...]:
    """Every covariate; of words one row a level with the PSI of the whole. Shares of small cells are left out."""
    rows = []
    for name in covariates:
        if is_number(trial[name]) and is_number(target[name]):
            a, b = (frame[name].cast(float).to_numpy() for frame in (trial, target))
            if len(np.unique(a)) == 2 and hidden_levels(a, small_cell):
                continue
            ks = stats.ks_2samp(a, b)
            rows.append(CovariateRow(
                name=name, trial=float(a.mean()), target=float(b.mean()), psi=stability_index(a, b), ks=float(ks.statistic),
                ks_p=float(ks.pvalue), smd=_or_none(standardised_difference, a, b, f"SMD of {name}", confidence),
            ))  # fmt: skip
            continue
        (a, b), levels = _words(trial, target, name)
        share = [np.array([(x == level).mean() for level in levels]) for x in (a, b)]
        psi = psi_of_shares(share[0], share[1])
        unseen = hidden_levels(a, small_cell)
        for level in (level for level in levels if level not in unseen):
            x, y = (a == level).astype(float), (b == level).astype(float)
            rows.append(CovariateRow(
                name=f"{name}={level}", trial=float(x.mean()), target=float(y.mean()), psi=psi, ks=None, ks_p=None,
                smd=_or_none(standardised_difference, x, y, f"SMD of {name}={level}", confidence),
            ))  # fmt: skip
    return tuple(rows)


def rows_of_margins(
    trial: pl.DataFrame, margins: Mapping[str, Margin], confidence: float = 0.95, small_cell: int = 0
) -> tuple[CovariateRow, ...]:
    """The same against published margins, which are taken as known."""
    rows = []
    for name, margin in margins.items():
        if margin.shares is None:
            x = trial[name].cast(float).to_numpy()
            rows.append(CovariateRow(
                name=name, trial=float(x.mean()), target=float(margin.mean or 0.0), psi=None, ks=None, ks_p=None,
                smd=_smd(f"SMD of {name}", float(x.mean()), float(x.var(ddof=1)), len(x), float(margin.mean or 0.0),
                         float(margin.sd or 0.0) ** 2, None, confidence),
            ))  # fmt: skip
            continue
        levels = word_levels(trial, name)
        if strange := sorted(set(levels.tolist()) - set(margin.shares)):
            raise AnalysisError(
                f"levels {strange} of {name}", expected=f"some of {sorted(margin.shares)}", where="margins"
            )
        here = np.array([(levels == level).mean() for level in margin.shares])
        psi = psi_of_shares(here, np.array(list(margin.shares.values())))
        unseen = hidden_levels(levels, small_cell)
        for level, share in ((level, share) for level, share in margin.shares.items() if level not in unseen):
            x = (levels == level).astype(float)
            rows.append(CovariateRow(
                name=f"{name}={level}", trial=float(x.mean()), target=float(share), psi=psi, ks=None, ks_p=None,
                smd=_or_none(_smd, f"SMD of {name}={level}", float(x.mean()), float(x.var(ddof=1)), len(x), float(share),
                             share * (1.0 - share), None, confidence),
            ))  # fmt: skip
    return tuple(rows)


def is_number(column: pl.Series) -> bool:
    """Whether a covariate is compared by its mean (numbers and yes/no) or by levels."""
    return column.dtype.is_numeric() or str(column.dtype) == "Boolean"


def word_levels(frame: pl.DataFrame, name: str) -> np.ndarray:
    """(patient,) levels as words."""
    from medtwin.trials.fair.groups import words

    return np.array([words(value) for value in frame[name].to_list()], dtype=object)


def _words(trial: pl.DataFrame, target: pl.DataFrame, name: str) -> tuple[tuple[np.ndarray, np.ndarray], list[str]]:
    pair = word_levels(trial, name), word_levels(target, name)
    return pair, sorted({*pair[0].tolist(), *pair[1].tolist()})


def _or_none(make: Any, *given: Any) -> Number | None:
    try:
        made: Number = make(*given)
    except AnalysisError:
        return None  # no spread in either: nothing to standardise by; the two shares stand beside it
    return made


def _smd(
    name: str, mean: float, variance: float, size: int, target: float, target_variance: float, target_size: int | None,
    confidence: float,
) -> Number:  # fmt: skip
    spread = math.sqrt((variance + target_variance) / 2.0)
    if not spread > 0.0:
        raise AnalysisError(f"{name}: the same for everybody", expected="a covariate that varies", where="SMD")
    d = (mean - target) / spread
    together = size if target_size is None else size + target_size
    error = math.sqrt(1.0 / size + (0.0 if target_size is None else 1.0 / target_size) + d * d / (2.0 * together))
    return normal_number(name, d, error, confidence, "normal, large sample", unit="standard deviations", ideal=0.0)
