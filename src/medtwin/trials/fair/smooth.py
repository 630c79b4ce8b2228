"""Integrated calibration index: mean distance of predictions from a smooth curve of what was observed.

    ICI = mean_i | curve(p_i) - p_i |         Austin & Steyerberg, Stat Med 2019;38:4051, doi 10.1002/sim.8281

Theirs is a loess curve; here it is a restricted cubic spline (Harrell's knots: quantiles .1 .5 .9, from 100 patients on
.05 .35 .65 .95; linear where knots coincide), logistic on logit p for events, least squares on p for measured outcomes. It
has no span to choose and can be fitted to many bootstrap samples at once.

An absolute distance is never below 0: even of a perfect score the index is positive, and more so in a small group. So the
index of a perfectly calibrated score of this size stands beside it, by drawing outcomes from the predictions, and the
p value is the share of those draws that reach the index seen. The bootstrap interval (percentile) inherits the same
upward pull.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.fair.calibration import both_kinds
from medtwin.trials.fair.lots import lots
from medtwin.trials.fair.number import Number

AT_ONCE = 4_000_000  #: draws times patients that are fitted together


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationCurve:
    """What was observed against what was predicted, smoothed: data of a figure, (point,) each."""

    column: str
    level: str
    predicted: tuple[float, ...]  #: evenly from the 2nd to the 98th percentile of the predictions
    observed: tuple[float, ...]
    low: tuple[float, ...]  #: pointwise, percentile bootstrap
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Spline:
    """A restricted cubic spline (Harrell, Regression Modeling Strategies, 2001, section 2.4.5; from memory)."""

    knots: np.ndarray
    mix: np.ndarray  #: (term, column) of its terms to columns that are orthogonal over the patients, of mean square 1

    @classmethod
    def of(cls, values: np.ndarray) -> Spline:
        """For ``values`` (patient,)."""
        if np.ptp(values) <= 1e-9 * (1.0 + float(np.abs(values).max())):
            raise AnalysisError("the same prediction for every patient", expected="predictions that vary", where="ICI")
        knots = np.unique(np.quantile(values, (0.05, 0.35, 0.65, 0.95) if len(values) >= 100 else (0.1, 0.5, 0.9)))
        terms = _terms(values, knots)
        length = np.linalg.norm(terms, axis=0)
        _, size, turned = np.linalg.svd(terms / length, full_matrices=False)
        kept = size > 1e-9 * size.max()
        return cls(knots, (turned[kept] / length).T / size[kept] * np.sqrt(len(values)))

    def at(self, values: np.ndarray) -> np.ndarray:
        """(value, column)."""
        made: np.ndarray = _terms(values, self.knots) @ self.mix
        return made


def integrated_index(
    outcome: np.ndarray, predicted: np.ndarray, *, binary: bool, confidence: float = 0.95, draws: int = 200, seed: int = 0,
    unit: str = "1", column: str = "all", level: str = "all",
) -> tuple[Number, Number, CalibrationCurve]:  # fmt: skip
    """(the index, what it would be of a perfectly calibrated score, the curve); ``draws`` of bootstrap and perfect outcomes."""
    if draws < 20:
        raise AnalysisError(f"{draws} draws", expected="20 or more", where="ICI")
    order = np.lexsort((outcome, predicted))
    y, p = outcome[order], predicted[order]
    if binary:
        both_kinds(y)
    seen = special.logit(p) if binary else p
    spline = Spline.of(seen)
    basis = spline.at(seen)
    grid = np.linspace(float(np.quantile(p, 0.02)), float(np.quantile(p, 0.98)), 41)
    on_grid = spline.at(special.logit(grid) if binary else grid)
    rng = lots(seed, y, p)
    size = len(y)
    ones = np.ones((1, size))
    beta = _fit(basis, y[None], ones, binary)
    fitted = _mean(basis, beta, binary)[0]
    index = float(np.abs(fitted - p).mean())
    left = y - fitted
    again, floor, curves = np.empty(draws), np.empty(draws), np.empty((draws, len(grid)))
    for part in _pieces(draws, size):
        many = part.stop - part.start
        counts = rng.multinomial(size, np.full(size, 1.0 / size), size=many).astype(float)
        found = _fit(basis, y[None], counts, binary, beta)
        again[part] = (np.abs(_mean(basis, found, binary) - p) * counts).mean(axis=1)
        curves[part] = _mean(on_grid, found, binary)
    start = _fit(basis, p[None], ones, binary)
    for part in _pieces(draws, size):
        many = part.stop - part.start
        perfect = (rng.random((many, size)) < p).astype(float) if binary else p + rng.choice(left, size=(many, size))
        floor[part] = np.abs(_mean(basis, _fit(basis, perfect, ones, binary, start), binary) - p).mean(axis=1)
    tail = ((1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0)
    low, high = np.quantile(again, tail)
    floor_low, floor_high = np.quantile(floor, tail)
    bands = np.quantile(curves, tail, axis=0)
    p_value = (1.0 + float((floor >= index).sum())) / (draws + 1.0)
    return (
        Number(name="integrated calibration index", value=index, low=float(low), high=float(high), unit=unit,
               method=f"percentile bootstrap, {draws} samples", p_value=p_value),
        Number(name="index of a perfect score", value=float(floor.mean()), low=float(floor_low), high=float(floor_high),
               unit=unit, method=f"{draws} sets of outcomes drawn from the predictions"),
        CalibrationCurve(column=column, level=level, predicted=tuple(grid.tolist()), low=tuple(bands[0].tolist()),
                         observed=tuple(_mean(on_grid, beta, binary)[0].tolist()), high=tuple(bands[1].tolist())),
    )  # fmt: skip


def _terms(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Constant, linear, and the terms that are cubic between the knots and linear beyond them."""
    columns = [np.ones(len(values)), values]
    if len(knots) >= 3:
        first, before, last = knots[0], knots[-2], knots[-1]

        def cube(knot: float) -> np.ndarray:
            return np.maximum(values - knot, 0.0) ** 3

        for knot in knots[:-2]:
            bent = cube(knot) * (last - before) - cube(before) * (last - knot) + cube(last) * (before - knot)
            columns.append(bent / (last - before) / (last - first) ** 2)
    return np.column_stack(columns)


def _pieces(draws: int, size: int) -> Iterator[slice]:
    step = max(1, AT_ONCE // size)
    for start in range(0, draws, step):
        yield slice(start, min(start + step, draws))


def _mean(basis: np.ndarray, beta: np.ndarray, binary: bool) -> np.ndarray:
    """(draw, patient)."""
    eta = beta @ basis.T
    return np.asarray(special.expit(eta) if binary else eta)


def _fit(
    basis: np.ndarray, y: np.ndarray, counts: np.ndarray, binary: bool, start: np.ndarray | None = None
) -> np.ndarray:
    """(draw, column) coefficients; ``y`` and ``counts`` (draw or 1, patient), ``start`` (1, column)."""
    columns = basis.shape[1]
    products = np.einsum("nk,nl->nkl", basis, basis).reshape(len(basis), -1)

    def solved(weight: np.ndarray, score: np.ndarray) -> np.ndarray:
        squares = (weight @ products).reshape(-1, columns, columns) + 1e-8 * len(basis) * np.eye(columns)
        found: np.ndarray = np.linalg.solve(squares, (score @ basis)[..., None])[..., 0]
        return found

    if not binary:
        return solved(counts, counts * y)
    many = max(len(y), len(counts))
    beta = np.zeros((many, columns)) if start is None else np.repeat(start, many, axis=0)
    for _ in range(30):
        mean = special.expit(beta @ basis.T)
        step = solved(counts * np.maximum(mean * (1.0 - mean), 1e-8), counts * (y - mean))
        length = np.abs(step).max(axis=1, keepdims=True)
        beta = beta + step * np.minimum(1.0, 2.0 / np.maximum(length, 1e-300))
        if float(length.max()) < 1e-5:  # the next step would be its square
            break
    return beta
