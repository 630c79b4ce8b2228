"""Covariate-adjusted and stratified log-rank tests, and marginal hazard ratios, of many two-arm trials at once.

As :func:`medtwin.trials.analysis.logrank.logrank`, patients along the last axis. Patients are sorted by stratum and falling
time, so that the numbers at risk are running counts; with p = e^theta Y1 / (Y0 + e^theta Y1) and h = dN / (Y0 + e^theta Y1)

    arm 1   O = d (1-p) - e^theta cumsum((1-p) h)          arm 0   O = d p - cumsum(p h)

are regressed on the covariates within arms. Times that are equal within a stratum, one an event, are left to the scalar
function, trial by trial.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import batch
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.logrank import Score

CHUNK = 8 * batch.CHUNK


@dataclass(frozen=True, slots=True, eq=False)
class BatchScore:
    """Of each trial (...); nan where it could not be estimated."""

    excess: np.ndarray  #: events of the treated arm beyond those expected, adjusted
    variance: np.ndarray
    log_ratio: np.ndarray | None = None  #: marginal log hazard ratio
    ratio_error: np.ndarray | None = None


def adjusted_logrank_batch(
    time: np.ndarray, event: np.ndarray, arm: np.ndarray, covariates: np.ndarray | None = None,
    strata: np.ndarray | None = None, *, small_sample: bool = True, hazard_ratio: bool = False,
) -> BatchScore:  # fmt: skip
    """``time`` (..., patient), ``event``, ``arm`` of 0 and 1, ``strata`` of whole numbers from 0, ``covariates``
    (..., covariate, patient); all broadcast."""
    time = np.asarray(time, dtype=float)
    shape, patients = time.shape[:-1], time.shape[-1]
    flat = time.reshape(-1, patients) + 0.0
    if not (flat >= 0.0).all() or not np.isfinite(flat).all():
        raise AnalysisError("times that are negative or missing", expected="at least 0", where="log-rank")
    table = np.zeros((0, patients)) if covariates is None else np.asarray(covariates, dtype=float)
    seen = batch.broadcast(np.asarray(event, dtype=bool), shape, (patients,))
    groups = batch.broadcast(np.asarray(arm, dtype=float), shape, (patients,))
    c = batch.broadcast(table, shape, (table.shape[-2], patients))
    z = None if strata is None else batch.broadcast(np.asarray(strata, dtype=int), shape, (patients,))
    out = np.full((4, len(flat)), np.nan)
    step = max(1, CHUNK // patients // (table.shape[-2] + 2))
    for begin in range(0, len(flat), step):
        rows = slice(begin, min(begin + step, len(flat)))
        size = rows.stop - begin

        def of(values: np.ndarray, rows: slice = rows, size: int = size) -> np.ndarray:
            return values[rows] if len(values) > 1 else np.broadcast_to(values, (size, *values.shape[1:]))

        chunk = _Chunk(flat[rows], of(seen), of(groups), of(c), None if z is None else of(z), small_sample)
        chunk.into(out[:, rows], hazard_ratio)
    parts = [one.reshape(shape) for one in out]
    return BatchScore(parts[0], parts[1], *(parts[2:] if hazard_ratio else ()))


class _Chunk:
    """Sorted trials (t, p), and what does not depend on theta."""

    def __init__(
        self, time: np.ndarray, event: np.ndarray, arm: np.ndarray, covariates: np.ndarray, strata: np.ndarray | None,
        small_sample: bool,
    ) -> None:  # fmt: skip
        self.raw = (time, event, arm, covariates, strata)
        self.small_sample = small_sample
        order = np.argsort(time, axis=-1, kind="stable")
        if strata is not None:
            own = np.take_along_axis(strata, order, axis=-1)
            order = np.take_along_axis(order, np.argsort(own, axis=-1, kind="stable"), axis=-1)

        def sort(values: np.ndarray) -> np.ndarray:
            return np.take_along_axis(values, order, axis=-1)

        t, self.d, self.a = sort(time), sort(event).astype(float), sort(arm)
        self.levels = np.zeros(t.shape, dtype=int) if strata is None else sort(strata)
        self.x = np.take_along_axis(covariates, order[:, None, :], axis=-1)
        _size, patients = t.shape
        place = np.arange(patients)
        new = np.ones(t.shape, dtype=bool)
        new[:, 1:] = self.levels[:, 1:] != self.levels[:, :-1]
        self.begin = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
        last = np.ones(t.shape, dtype=bool)
        last[:, :-1] = new[:, 1:]
        end = np.minimum.accumulate(np.where(last, place, patients)[:, ::-1], axis=-1)[:, ::-1]
        self.y = (end + 1 - place).astype(float)
        upto = np.cumsum(self.a, axis=-1)
        self.y1 = np.take_along_axis(upto, end, axis=-1) - upto + self.a
        self.y0 = self.y - self.y1
        same = (t[:, 1:] == t[:, :-1]) & ~new[:, 1:] & ((self.d[:, 1:] + self.d[:, :-1]) > 0.0)
        self.tied = same.any(axis=-1)
        self.bad = ~((self.d > 0.0) & (self.y1 > 0.0) & (self.y0 > 0.0)).any(axis=-1)
        self.count = int(self.levels.max()) + 1
        self.inside = (
            [self.levels == level for level in range(self.count)] if self.count > 1 else [np.ones(t.shape, bool)]
        )
        self.x = self._within(self.x, np.ones(t.shape))

    def _within(self, values: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Less its mean within strata, of the patients of ``weight`` 1; 0 for the others. (t, p) or (t, q, p)."""
        wide = values.ndim == 3
        out = np.zeros_like(values)
        for inside in self.inside:
            mine = inside * weight
            count = np.maximum(mine.sum(axis=-1), 1.0)
            held = mine[:, None] if wide else mine
            mean = (values * held).sum(axis=-1) / (count[:, None] if wide else count)
            out += (values - mean[..., None]) * held
        return out

    def plain(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n U, n g)."""
        grown = np.exp(theta)[:, None] * self.y1
        p = grown / (grown + self.y0)
        return (self.d * (self.a - p)).sum(axis=-1), (self.d * p * (1.0 - p)).sum(axis=-1)

    def _running(self, values: np.ndarray) -> np.ndarray:
        """Cumulative sums within strata."""
        total = np.cumsum(values, axis=-1)
        if self.count == 1:
            return total
        return total - np.take_along_axis(total - values, self.begin, axis=-1)

    def adjustment(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(taken off n U, taken off n g)."""
        size, q, patients = self.x.shape
        if not q:
            return np.zeros(size), np.zeros(size)
        risk = np.exp(theta)[:, None]
        total = self.y0 + risk * self.y1
        p, h = risk * self.y1 / total, self.d / total
        own = np.where(
            self.a > 0.5, self.d * (1.0 - p) - risk * self._running((1.0 - p) * h), self.d * p - self._running(p * h)
        )
        moved, slopes, uncertain = np.zeros(size), np.zeros((size, q)), np.zeros((size, q, q))
        for code, sign in ((1, 1.0), (0, -1.0)):
            mine = (self.a > 0.5 if code else self.a < 0.5).astype(float)
            x, o = self._within(self.x, mine), self._within(own, mine)
            gram = x @ x.swapaxes(-1, -2)
            self.bad |= _singular(gram)
            gram[self.bad] = np.eye(q)
            inverse = np.linalg.inv(gram)
            slope = (inverse @ (x @ o[..., None]))[..., 0]
            moved += sign * ((self.x * mine[:, None]).sum(axis=-1) * slope).sum(axis=-1)
            slopes += slope
            strata = sum((inside * mine).any(axis=-1).astype(float) for inside in self.inside)
            left = mine.sum(axis=-1) - strata - q
            if self.small_sample:
                self.bad |= left < 1.0
                noise = ((o - (slope[:, None] @ x)[:, 0]) ** 2).sum(axis=-1) / np.maximum(left, 1.0)
                uncertain += noise[:, None, None] * inverse
        spread, used = np.zeros((size, q, q)), np.zeros(size)
        for inside in self.inside:
            count = inside.sum(axis=-1).astype(float)
            some = count > 1.0
            x = self.x * inside[:, None]
            weight = np.where(some, count / np.maximum(count - 1.0, 1.0), 0.0)
            spread += (x @ x.swapaxes(-1, -2)) * weight[:, None, None]
            used += np.where(some, count, 0.0)
        both = (slopes[:, None] @ spread @ slopes[..., None])[:, 0, 0]
        saved = (both - 2.0 * (spread * uncertain).sum(axis=(-1, -2))) / used
        share = self.a.mean(axis=-1)
        return moved, patients * share * (1.0 - share) * saved

    def root(self, target: np.ndarray) -> np.ndarray:
        """theta at which n U = target, by Newton kept within a bracket."""
        telling = self.d * (self.y1 > 0.0) * (self.y0 > 0.0)
        treated = (telling * self.a).sum(axis=-1)
        none = ~((-(telling.sum(axis=-1) - treated) < target) & (target < treated))
        theta = np.zeros(len(target))
        low, high = np.full(len(target), -np.inf), np.full(len(target), np.inf)
        for _ in range(100):
            value, slope = self.plain(theta)
            low, high = np.where(value > target, theta, low), np.where(value > target, high, theta)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = np.where(slope > 0.0, (value - target) / slope, np.copysign(2.0, value - target))
            after = theta + np.clip(np.where(none, 0.0, step), -2.0, 2.0)
            with np.errstate(invalid="ignore"):
                after = np.where((after >= low) & (after <= high), after, (low + high) / 2.0)
            after = np.where(none, 0.0, after)
            still = np.abs(after - theta) > 1e-13 * (1.0 + np.abs(theta))
            theta = after
            if not still.any():
                break
        return np.where(none, np.nan, theta)

    def into(self, out: np.ndarray, hazard_ratio: bool) -> None:
        """Fills (excess, variance, log ratio, its error)."""
        zero = np.zeros(len(self.d))
        (score, variance), (moved, saved) = self.plain(zero), self.adjustment(zero)
        out[0], out[1] = score - moved, variance - saved
        if hazard_ratio:
            theta = self.root(zero)
            moved, saved = self.adjustment(np.nan_to_num(theta))
            if self.x.shape[1]:
                theta = np.where(np.isnan(theta), np.nan, self.root(moved))
            _, slope = self.plain(np.nan_to_num(theta))
            with np.errstate(invalid="ignore", divide="ignore"):
                out[2], out[3] = theta, np.where(slope - saved > 0.0, np.sqrt(slope - saved) / slope, np.nan)
        out[:, self.bad] = np.nan
        out[:2, ~(out[1] > 0.0)] = np.nan
        if hazard_ratio:
            out[2:, np.isnan(out[2]) | np.isnan(out[3])] = np.nan
        for number in np.flatnonzero(self.tied):
            out[:, number] = self._alone(int(number), hazard_ratio)

    def _alone(self, number: int, hazard_ratio: bool) -> np.ndarray:
        time, event, arm, covariates, strata = self.raw
        made = np.full(4, np.nan)
        try:
            trial = TrialData.of(time[number], arm[number].astype(int), covariates=covariates[number].T, event=event[number],
                                 strata=None if strata is None else strata[number])  # fmt: skip
            score = Score(trial, adjusted=True, small_sample=self.small_sample)
            made[:2] = score.test()
            if hazard_ratio:
                made[2:] = score.ratio()
        except AnalysisError:
            pass  # nan: counted as failed by whoever asked
        return made


def _singular(gram: np.ndarray) -> np.ndarray:
    diagonal = np.einsum("...ii->...i", gram)
    size = np.sqrt(np.maximum(diagonal, 1e-300))
    scaled = gram / (size[..., :, None] * size[..., None, :])
    return ~(np.linalg.det(scaled) > 1e-12) | (diagonal <= 1e-20).any(axis=-1)
