"""The calibrated residual: what physiology leaves over in a person's readings, learnt from that person, with honest bands.

A bare physiological filter is worse than persistence at 30 min on real people and over-confident. So its forecast is one
column among others of a small linear autoregression, one for each horizon::

    y(t + h) - y(t) = w_h . x(t) + r          x: the columns of medtwin.twin.features, and physiology's own change

fitted on readings only (never on interpolated ones: that leaks the future). ``w_h`` is the mean of three learners: of
movement alone, of movement with the day's meals, insulin and clock, of everything (``features.PREFIXES``). The small one
is steady where habits change, the large one knows the habits; their mean is again linear and beats each. Each is drawn
towards the weights of other people (:mod:`medtwin.twin.population`), which count as ``EVIDENCE`` of the person's own, or towards
zero where no population is given. What each part is worth is measured in ``docs/evidence/forecast-people.md``.

Bands are conformal: the absolute size of r is modelled linearly in level and recent movement (s(x) > 0), and the
quantiles of r / s(x), weighted by recency, are taken from forecasts of days that the weights had not seen (blocked
cross-validation). Weighted conformal prediction: Barber, Candes, Ramdas, Tibshirani, "Conformal prediction beyond
exchangeability", Annals of Statistics 51 (2023), eq. 11; locally scaled scores: Lei et al., JASA 113 (2018), section 5.2.
What then falls outside more or less often than one in ten widens or narrows them step by step (``followed``), so that they
hold for a person whose days change: Gibbs and Candes, "Adaptive conformal inference under distribution shift", NeurIPS 34
(2021), here on the logarithm of the width.

Without a physiological model the same machine is the statistical forecast. Arrays are NumPy; times are seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from medtwin.twin.features import LAG as LAG
from medtwin.twin.features import LAGS as LAGS
from medtwin.twin.features import PREFIXES, Array, worn
from medtwin.twin.features import Readings as Readings
from medtwin.twin.features import columns as columns
from medtwin.twin.features import outcomes as outcomes
from medtwin.twin.features import settled as settled
from medtwin.twin.population import Population

RIDGE = 100.0  #: penalty on standardised columns where there is no population
EVIDENCE = 6 * 3600.0  #: of the person's own readings, that the population counts as
HALF_LIFE = 7 * 86400.0  #: of a score's weight in the quantiles
FOLD = 86400.0  #: length of a block of cross-validation
LEVELS = np.concatenate([[0.005], np.arange(0.01, 0.995, 0.01), [0.995]])
PACE = 0.01 / 300.0  #: per second between origins, by which an outcome outside the 90 % band widens it
NARROWEST, WIDEST = np.log(0.5), np.log(3.0)
TRIAL = 86400.0  #: the last day of wear, forecast with what was learnt before it: from there comes the present width
FEWEST = 200  #: readings with a known outcome below which no forecast is made


@dataclass(frozen=True)
class Horizon:
    """What was learnt for one horizon."""

    seconds: float
    weights: Array = field(repr=False)  #: of centred and scaled columns, and the constant last
    centre: Array = field(repr=False)
    scale: Array = field(repr=False)
    spread: Array = field(repr=False)  #: weights of s(x)
    floor: float
    quantiles: Array = field(repr=False)  #: of r / s(x) at LEVELS
    width: float  #: by which the bands are widened at present
    outcomes: int
    coverage90: float  #: of 90 % bands on the held-out days

    def centre_and_size(self, x: Array, now: Array) -> tuple[Array, Array]:
        """The linear forecast ``(n,)`` and s(x) ``(n,)``, from columns ``x (n, columns)`` and y(t) ``now``."""
        standard = np.column_stack([(x - self.centre) / self.scale, np.ones(len(x))])
        return now + standard @ self.weights, np.maximum(_shape(x) @ self.spread, self.floor)

    def predict(self, x: Array, now: Array, width: Array | None = None) -> tuple[Array, Array]:
        """Median ``(n,)`` and quantiles ``(n, LEVELS)`` of the reading; ``width (n,)`` instead of the present one."""
        centre, s = self.centre_and_size(x, now)
        s = s * (self.width if width is None else width)
        bands = centre[:, None] + s[:, None] * self.quantiles[None]
        return bands[:, len(LEVELS) // 2], bands


@dataclass(frozen=True)
class Residual:
    """The learnt residual of one person: one :class:`Horizon` for each horizon, shortest first."""

    horizons: tuple[Horizon, ...]
    physiological: bool
    until: float = np.inf  #: second of the last origin learnt from; the bands follow what came after it


def _shape(x: Array) -> Array:
    """Columns of s(x): constant, level, its distance from 130, recent movement over 15 and 60 min."""
    return np.stack(
        [
            np.ones(len(x)),
            np.abs(x[:, 0] - 130.0) / 100.0,
            np.maximum(x[:, 0] - 130.0, 0.0) / 100.0,
            np.abs(x[:, 3]) / 30.0,
            np.abs(x[:, 12]) / 60.0,
        ],
        axis=1,
    )


def fit(
    readings: Readings, index: NDArray[np.int64], horizons: Array, physiology: Array | None = None,
    population: Population | None = None, *, prefixes: tuple[int, ...] = PREFIXES,
) -> Residual | None:  # fmt: skip
    """Learn from the readings ``index`` (origins). ``physiology (n, horizons)``: the model's own change, if there is one.

    Origins whose lags would reach over the beginning of a wear period are left out. ``prefixes``: of columns, one for each
    learner. None when fewer than ``FEWEST`` outcomes are known at the longest horizon that matters (60 min).
    """
    kept = settled(readings)[index]
    index, physiology = index[kept], None if physiology is None else physiology[kept]
    learnt: list[Horizon] = []
    bare = columns(readings, index)
    for j, seconds in enumerate(horizons):
        known, after = outcomes(readings, index, float(seconds))
        if known.sum() < FEWEST:
            if seconds <= 3600.0:
                return None
            break
        x = bare if physiology is None else np.column_stack([bare, physiology[:, j]])
        x, now, after, time = x[known], readings.value[index][known], after[known], readings.time[index][known]
        horizon = _fit(x, after - now, time, float(seconds), population, prefixes)
        trial = worn(time) > worn(time)[-1] - TRIAL
        if (~trial).sum() >= FEWEST:
            earlier = _fit(x[~trial], (after - now)[~trial], time[~trial], float(seconds), population, prefixes)
            width = followed(earlier, x[trial], now[trial], after[trial], time[trial])[-1]
            horizon = replace(horizon, width=float(width))
        learnt.append(horizon)
    return Residual(tuple(learnt), physiology is not None, float(readings.time[index[-1]]) if len(index) else np.inf)


@dataclass(frozen=True)
class _Drawn:
    """The penalty of the learners: ``(w - towards)' firmness (w - towards)`` over columns divided by ``scale``."""

    scale: Array
    firmness: Array
    towards: Array
    learners: tuple[Array, ...]  #: the columns of each

    def solve(self, x: Array, y: Array) -> tuple[Array, float]:
        """Mean weights of the learners, of columns divided by ``scale``, and the constant."""
        centre, middle = x.mean(0), float(y.mean())
        z = x - centre
        gram, covariance = z.T @ z, z.T @ (y - middle)
        weights = np.zeros(x.shape[1])
        for own in self.learners:
            firm, towards = self.firmness[np.ix_(own, own)], self.towards[own]
            weights[own] += np.linalg.solve(gram[np.ix_(own, own)] + firm, covariance[own] + firm @ towards)
        weights /= len(self.learners)
        return weights, middle - float(centre @ weights)


def _drawn(x: Array, time: Array, seconds: float, population: Population | None, prefixes: tuple[int, ...]) -> _Drawn:
    count = x.shape[1]
    more = np.arange(PREFIXES[-1], count)  # physiology is a column of each learner
    learners = tuple(np.concatenate([np.arange(n), more]) for n in prefixes)
    own = x.std(0)
    scale = np.where(own > 1e-9, own, 1.0)
    if population is None:
        return _Drawn(scale, RIDGE * np.eye(count), np.zeros(count), learners)
    n = EVIDENCE / max(float(np.median(np.diff(time))), 1.0)
    known = len(population.scale)
    scale[:known] = population.scale
    firmness = np.eye(count)
    firmness[:known, :known] = population.gram + 1e-3 * np.eye(known)
    return _Drawn(scale, n * firmness, np.concatenate([population.at(seconds), np.zeros(len(more))]), learners)


def _ridge(x: Array, y: Array, penalty: float) -> Array:
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += penalty * np.r_[np.ones(x.shape[1] - 1), 1e-9]
    return np.asarray(np.linalg.solve(gram, x.T @ y), np.float64)


def _fit(
    x: Array, y: Array, time: Array, seconds: float, population: Population | None, prefixes: tuple[int, ...]
) -> Horizon:
    drawn = _drawn(x, time, seconds, population, prefixes)
    centre = x.mean(0)
    z = (x - centre) / drawn.scale
    block = (worn(time) // FOLD).astype(int)
    folds = block % min(max(block.max() + 1, 2), 7)
    if len(np.unique(folds)) < 2:
        folds = np.arange(len(y)) * 4 // len(y)
    held = np.empty(len(y))
    for fold in np.unique(folds):
        test = folds == fold
        # what lies within a horizon of the held-out block is in neither part
        right = np.searchsorted(time[test], time)
        ends = np.concatenate([[-np.inf], time[test], [np.inf]])
        train = np.minimum(time - ends[right], ends[right + 1] - time) > seconds
        if train.sum() < 2 * x.shape[1]:
            train = ~test
        weights, constant = drawn.solve(z[train], y[train])
        held[test] = y[test] - z[test] @ weights - constant
    form = _shape(x)
    spread = _ridge(form[:, ::-1], np.abs(held), 1.0)[::-1]
    floor = 0.3 * float(np.mean(np.abs(held))) + 1e-6
    s = np.maximum(form @ spread, floor)
    score = held / s
    clock = worn(time)
    weight = 0.5 ** ((clock[-1] - clock) / HALF_LIFE)
    quantiles = weighted_quantiles(score, weight, LEVELS)
    inside = _held_out_coverage(score, weight, folds)
    weights, constant = drawn.solve(z, y)
    return Horizon(
        seconds, np.append(weights, constant), centre, drawn.scale, spread, floor, quantiles, 1.0, len(y), inside
    )


def followed(horizon: Horizon, x: Array, now: Array, after: Array, time: Array) -> Array:
    """The width ``(n + 1,)`` of the bands at each origin, and after the last, in order of ``time (n,)``.

    ``x``, ``now`` as for :meth:`Horizon.predict`, ``after (n,)``: the outcomes. Only those known by an origin's time have
    moved its width.
    """
    centre, size = horizon.centre_and_size(x, now)
    low, high = np.interp([0.05, 0.95], LEVELS, horizon.quantiles)
    score = (after - centre) / size
    outside = np.maximum(score / low, score / high).tolist()  # of a band of width g, where it exceeds g
    moments = time.tolist()
    pace = PACE * min(max(float(np.median(np.diff(time))), 1.0), 900.0) if len(time) > 1 else 0.0
    widths: list[float] = []
    logs, done = math.log(horizon.width), 0
    for i in range(len(moments) + 1):
        while done < i and (i == len(moments) or moments[done] + horizon.seconds <= moments[i]):
            logs = min(max(logs + pace * ((outside[done] > widths[done]) - 0.1), NARROWEST), WIDEST)
            done += 1
        widths.append(math.exp(logs))
    return np.array(widths)


def _held_out_coverage(score: Array, weight: Array, folds: NDArray[np.int64]) -> float:
    """Share of scores inside 90 % bounds that come from the other folds only: bounds never see what they are judged on."""
    inside = np.empty(len(score), bool)
    for fold in np.unique(folds):
        test = folds == fold
        low, high = weighted_quantiles(score[~test], weight[~test], np.array([0.05, 0.95]))
        inside[test] = (score[test] >= low) & (score[test] <= high)
    return float(inside.mean())


def weighted_quantiles(values: Array, weight: Array, levels: Array) -> Array:
    """Quantiles of a weighted sample with the conformal correction: the new point has the greatest weight, at infinity.

    Levels that the sample cannot support take its extremes.
    """
    order = np.argsort(values)
    v, w = values[order], weight[order]
    total = w.sum() + w.max()
    upper = np.cumsum(w) / total
    lower = (np.cumsum(w) - w + w.max()) / total
    place = np.where(levels >= 0.5, np.searchsorted(upper, levels), np.searchsorted(lower, levels, side="right") - 1)
    return v[np.clip(place, 0, len(v) - 1)]
