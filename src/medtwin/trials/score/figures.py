"""What a score is worth, always by two figures: beside R2 the squared partial correlation beyond the baseline value.

With out-of-fold predictions s, outcome y (of survival the martingale residual) and baseline value b,

    correlation          r = corr(y, s), interval by Fisher's z with standard error 1/sqrt(n - 3)
    beyond baseline      r_p^2 = corr(y, s | b)^2, Fisher's z with 1/sqrt(n - 3 - 1) (one variable taken out)
    R2                   1 - loss(s)/loss(the mean): squared error, Brier score, Poisson deviance; survival: r^2; bootstrap

An analysis that adjusts for s needs ``1 - r^2`` of the patients of one that does not adjust (equal slopes and variances),
and ``1 - r_p^2`` of one that adjusts for b. With treated arm fixed the control arm can shrink by ``1 - 1/(2/(1 - r^2) - 1)``
at 1:1 and equal power. A negative r saves nothing here: a score that points the wrong way is not one to plan with.
The intervals hold the sampling of patients, not that another history would give another score; Fisher's z is of normal data.
Below ``FEW`` patients the intervals hold less than they say (docs/evidence/prognostic-score.md), and the sentence says so.
Predictions are pooled over the folds, whose constants differ a little: a score that says nothing comes out a little below zero.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from scipy import special, stats

from medtwin.errors import AnalysisError
from medtwin.trials.score.history import History
from medtwin.trials.score.outcomes import correlation, expected, losses, partial_correlation, target

DRAWS = 1000
FEW = 300  #: patients below which the intervals are said to be too narrow
NARROW = (
    "intervals of fewer than 300 patients are too narrow: in simulations of 100 patients those said to be 95 % held the truth in "
    "87 to 88 %"
)  #: docs/evidence/prognostic-score.md, whose test holds these numbers
MEASURES = {"continuous": "R2", "binary": "R2 of the Brier score", "count": "deviance R2",
            "survival": "squared correlation with martingale residuals"}  # fmt: skip


class Figure(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class Figures(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """All of them together."""

    patients: int
    how: str  #: "10-fold cross-validated", "among trial controls"
    measure: str  #: what ``r_squared`` is, by the endpoint
    r_squared: Figure
    correlation: Figure
    saved: Figure  #: r^2: share of patients saved against no adjustment
    controls_saved: float  #: share of the control arm, treated arm fixed, 1:1
    beyond_baseline: (
        Figure | None
    )  #: r_p^2: share saved against adjustment for the baseline value; none: no baseline is named
    baseline: str | None
    baseline_correlation: float | None = None  #: of the baseline value alone
    auc: Figure | None = None
    brier: Figure | None = None
    apparent: float | None = None  #: R2 in the training data themselves, which flatters

    @property
    def sentence(self) -> str:
        """Both figures in one sentence, and of few patients how far their intervals are to be trusted."""
        beyond = (
            "no baseline value was named, so that what it adds is unknown" if self.beyond_baseline is None
            else f"beyond {self.baseline} {_percent(self.beyond_baseline)}"
        )  # fmt: skip
        few = f"; {NARROW}" if self.patients < FEW else ""
        return (
            f"{self.measure} {self.r_squared.value:.3f} ({self.r_squared.low:.3f} to {self.r_squared.high:.3f}), {self.how}, "
            f"{self.patients} patients; patients saved against no adjustment {_percent(self.saved)}; {beyond}{few}"
        )


def figures(
    history: History, scale: str, values: np.ndarray, *, how: str, baseline: str | None, seed: int = 0,
    apparent: float | None = None,
) -> Figures:  # fmt: skip
    """Of predictions (patient,) that have not seen the outcomes of ``history``."""
    seen = history.complete & np.isfinite(values)
    history, values = history.rows(np.flatnonzero(seen)), values[seen]
    n = history.size
    if n < 10:
        raise AnalysisError(f"{n} patients with an outcome", expected="at least 10", where="figures of a score")
    y, mean = target(history), expected(scale, values)
    r = correlation(y, mean)
    partial, own = None, None
    if history.baseline is not None:
        b = history.baseline[:, None]
        held = partial_correlation(y, mean, b)
        partial, own = square(fisher(held, n, 1)), correlation(y, history.baseline)
    together = fisher(r, n, 0)
    saved = square(together)
    drawn = None if history.endpoint == "survival" else _resampled(history, scale, values, seed)
    return Figures(
        patients=n, how=how, measure=MEASURES[history.endpoint], r_squared=saved if drawn is None else drawn["r_squared"],
        correlation=together, saved=saved, controls_saved=1.0 - 1.0 / (2.0 / (1.0 - min(saved.value, 0.999999)) - 1.0),
        beyond_baseline=partial, baseline=baseline, baseline_correlation=own, auc=drawn.get("auc") if drawn else None,
        brier=drawn.get("brier") if drawn else None, apparent=apparent,
    )  # fmt: skip


def r_squared(history: History, scale: str, values: np.ndarray) -> float:
    """1 - loss/loss of the mean; can be negative. Of survival the squared correlation."""
    y, mean = target(history), expected(scale, values)
    if history.endpoint == "survival":
        return max(correlation(y, mean), 0.0) ** 2
    if history.endpoint == "count":
        rate = history.outcome.sum() / (len(y) if history.exposure is None else history.exposure.sum())
        least = float(losses(history, "rate", np.full(len(y), float(rate))).sum())
        return 1.0 - float(losses(history, scale, values).sum()) / least if least > 0.0 else 0.0
    whole = float(((y - y.mean()) ** 2).sum())
    return 1.0 - float(((y - mean) ** 2).sum()) / whole if whole > 0.0 else 0.0


def area(event: np.ndarray, values: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Under the receiver operating characteristic: P(s of an event > s of none), ties half; each patient ``weight`` times."""
    counted = np.ones(len(event)) if weight is None else weight
    _, place = np.unique(values, return_inverse=True)
    with_, without = (np.bincount(place, counted * part) for part in (event, 1.0 - event))
    pairs = float(with_.sum() * without.sum())
    return float(with_ @ (np.cumsum(without) - without / 2.0)) / pairs if pairs > 0.0 else 0.5


def _resampled(history: History, scale: str, values: np.ndarray, seed: int) -> dict[str, Figure]:
    """Percentile intervals of ``DRAWS`` resamples: every measure is a function of sums over patients."""
    n, rng = history.size, np.random.default_rng(seed)
    y, mean, loss = target(history), expected(scale, values), losses(history, scale, values)
    if history.endpoint == "count":
        at_risk = np.ones(n) if history.exposure is None else history.exposure
        sums = np.column_stack([loss, history.outcome, at_risk, special.xlogy(history.outcome, y)])
    else:
        sums = np.column_stack([(y - mean) ** 2, y, y**2, np.ones(n)])

    def measured(weight: np.ndarray) -> tuple[float, float, float]:
        total = weight @ sums
        if history.endpoint == "count":
            least = 2.0 * (total[3] - special.xlogy(total[1], total[1] / total[2]))
            return (1.0 - total[0] / least if least > 0.0 else 0.0), 0.0, 0.0
        least = total[2] - total[1] ** 2 / total[3]
        share = area(y, values, weight) if history.endpoint == "binary" else 0.0
        return (1.0 - total[0] / least if least > 1e-12 * total[2] else 0.0), total[0] / n, share

    held = np.array(measured(np.ones(n)))
    draws = [measured(np.bincount(rng.integers(0, n, size=n), minlength=n).astype(float)) for _ in range(DRAWS)]
    low, high = np.quantile(np.array(draws), (0.025, 0.975), axis=0)
    names = ("r_squared", "brier", "auc") if history.endpoint == "binary" else ("r_squared",)
    return {name: Figure(value=float(held[k]), low=float(low[k]), high=float(high[k])) for k, name in enumerate(names)}


def fisher(r: float, n: int, out: int) -> Figure:
    """A correlation of n patients with ``out`` variables taken out, with its interval."""
    if n - 3 - out <= 0:
        return Figure(value=r, low=-1.0, high=1.0)
    inside = math.atanh(max(-1.0 + 1e-12, min(1.0 - 1e-12, r)))
    reach = float(stats.norm.ppf(0.975)) / math.sqrt(n - 3 - out)
    return Figure(value=r, low=math.tanh(inside - reach), high=math.tanh(inside + reach))


def square(r: Figure) -> Figure:
    """Of a correlation and its interval; negative ones count as zero."""
    value, low, high = (max(v, 0.0) ** 2 for v in (r.value, r.low, r.high))
    return Figure(value=value, low=low, high=high)


def _percent(figure: Figure) -> str:
    return f"{100 * figure.value:.1f} % ({100 * figure.low:.1f} to {100 * figure.high:.1f})"
