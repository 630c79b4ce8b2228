"""The calibrated residual: what physiology leaves over in a person's readings, learnt from that person, with honest bands.

A bare physiological filter is worse than persistence at 30 min on real people and over-confident. So its forecast is one
column among others of a small linear autoregression, one for each horizon::

    y(t + h) - y(t) = w_h . [y(t), y(t) - y(t - 5 min) ... y(t) - y(t - 115 min), time of day, physiology's own change] + r

ridge-penalised, fitted on readings only (never on interpolated ones: that leaks the future). Bands are conformal: the
absolute size of r is modelled linearly in level and recent movement (s(x) > 0), and the quantiles of r / s(x), weighted by
recency, are taken from forecasts of days that the weights had not seen (blocked cross-validation). Weighted conformal
prediction: Barber, Candes, Ramdas, Tibshirani, "Conformal prediction beyond exchangeability", Annals of Statistics 51
(2023), eq. 11; locally scaled scores: Lei et al., JASA 113 (2018), section 5.2.

Without a physiological model the same machine is the statistical forecast. Arrays are NumPy; times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LAGS = 24
LAG = 300.0  #: seconds between lags
RIDGE = 100.0  #: penalty on standardised columns
HALF_LIFE = 7 * 86400.0  #: of a score's weight in the quantiles
FOLD = 86400.0  #: length of a block of cross-validation
LEVELS = np.concatenate([[0.005], np.arange(0.01, 0.995, 0.01), [0.995]])
FEWEST = 200  #: readings with a known outcome below which no forecast is made
DAY = 86400.0


@dataclass(frozen=True)
class Readings:
    """Exact readings of one quantity in order of time: ``time`` (s, any origin), ``value``; ``midnight`` is the second of
    that origin at which the person's day begins."""

    time: Array = field(repr=False)
    value: Array = field(repr=False)
    midnight: float = 0.0

    @property
    def interval(self) -> float:
        """Usual seconds between readings."""
        return float(np.median(np.diff(self.time))) if len(self.time) > 1 else LAG


@dataclass(frozen=True)
class Horizon:
    """What was learnt for one horizon."""

    seconds: float
    weights: Array = field(repr=False)  #: of standardised columns, and the constant last
    centre: Array = field(repr=False)
    scale: Array = field(repr=False)
    spread: Array = field(repr=False)  #: weights of s(x)
    floor: float
    quantiles: Array = field(repr=False)  #: of r / s(x) at LEVELS
    outcomes: int
    coverage90: float  #: of 90 % bands on the held-out days

    def predict(self, x: Array, now: Array) -> tuple[Array, Array]:
        """Median ``(n,)`` and quantiles ``(n, LEVELS)`` of the reading, from columns ``x (n, columns)`` and y(t) ``now``."""
        standard = np.column_stack([(x - self.centre) / self.scale, np.ones(len(x))])
        centre = now + standard @ self.weights
        s = np.maximum(_shape(x) @ self.spread, self.floor)
        bands = centre[:, None] + s[:, None] * self.quantiles[None]
        return bands[:, len(LEVELS) // 2], bands


@dataclass(frozen=True)
class Residual:
    """The learnt residual of one person: one :class:`Horizon` for each horizon, shortest first."""

    horizons: tuple[Horizon, ...]
    physiological: bool


def columns(readings: Readings, index: NDArray[np.int64], physiology: Array | None = None) -> Array:
    """Columns ``(n, columns)`` at the readings ``index``; nothing after each reading is looked at.

    A lag between two past readings is interpolated between them. ``physiology (n,)``: its change of the quantity from now
    to the horizon, if there is a model.
    """
    t, y = readings.time, readings.value
    at = t[index]
    lags = np.interp(at[:, None] - LAG * np.arange(LAGS), t, y)
    since = np.minimum(at - t[np.maximum(index - 1, 0)], 7200.0) / 3600.0
    day = 2.0 * np.pi * ((at - readings.midnight) % DAY) / DAY
    parts = [
        lags[:, :1],
        lags[:, :1] - lags[:, 1:],
        np.stack([np.sin(day), np.cos(day), np.sin(2 * day), np.cos(2 * day), since], 1),
    ]
    if physiology is not None:
        parts.append(physiology[:, None])
    return np.concatenate(parts, axis=1)


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


def outcomes(readings: Readings, index: NDArray[np.int64], seconds: float) -> tuple[NDArray[np.bool_], Array]:
    """Whether a real reading stands at the horizon (within half an interval), and it."""
    t, y = readings.time, readings.value
    goal = t[index] + seconds
    right = np.clip(np.searchsorted(t, goal), 1, len(t) - 1)
    near = np.where(goal - t[right - 1] <= t[right] - goal, right - 1, right)
    return np.abs(t[near] - goal) <= 0.5 * min(readings.interval, 900.0) + 1.0, y[near]


def fit(
    readings: Readings, index: NDArray[np.int64], horizons: Array, physiology: Array | None = None
) -> Residual | None:
    """Learn from the readings ``index`` (origins). ``physiology (n, horizons)``: the model's own change, if there is one.

    None when fewer than ``FEWEST`` outcomes are known at the longest horizon that matters (60 min).
    """
    learnt = []
    for j, seconds in enumerate(horizons):
        x = columns(readings, index, None if physiology is None else physiology[:, j])
        known, after = outcomes(readings, index, float(seconds))
        if known.sum() < FEWEST:
            if seconds <= 3600.0:
                return None
            break
        learnt.append(
            _fit(x[known], after[known] - readings.value[index][known], readings.time[index][known], float(seconds))
        )
    return Residual(tuple(learnt), physiology is not None)


def _ridge(x: Array, y: Array, penalty: float) -> Array:
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += penalty * np.r_[np.ones(x.shape[1] - 1), 1e-9]
    return np.asarray(np.linalg.solve(gram, x.T @ y), np.float64)


def _fit(x: Array, y: Array, time: Array, seconds: float) -> Horizon:
    centre, scale = x.mean(0), x.std(0) + 1e-9
    z = np.column_stack([(x - centre) / scale, np.ones(len(x))])
    block = ((time - time[0]) // FOLD).astype(int)
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
        held[test] = y[test] - z[test] @ _ridge(z[train], y[train], RIDGE)
    form = _shape(x)
    spread = _ridge(form[:, ::-1], np.abs(held), 1.0)[::-1]
    floor = 0.3 * float(np.mean(np.abs(held))) + 1e-6
    s = np.maximum(form @ spread, floor)
    score = held / s
    weight = 0.5 ** ((time[-1] - time) / HALF_LIFE)
    quantiles = weighted_quantiles(score, weight, LEVELS)
    inside = _held_out_coverage(score, weight, folds)
    return Horizon(seconds, _ridge(z, y, RIDGE), centre, scale, spread, floor, quantiles, len(y), inside)


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
