"""Integrated calibration index: mean distance of predictions from a smooth curve of what was observed.

    ICI = mean_i | curve(p_i) - p_i |         Austin & Steyerberg, Stat Med 2019;38:4051, doi 10.1002/sim.8281

Theirs is a loess curve; here it is a restricted cubic spline (Harrell's knots: quantiles .1 .5 .9, from 100 patients on
.05 .35 .65 .95; linear where knots coincide), logistic on logit p for events, least squares on p for measured outcomes. It
has no span to choose and can be fitted to all bootstrap samples at once.

An absolute distance is never below 0: even of a perfect score the index is positive, and more so in a small group. So the
index of a perfectly calibrated score of this size stands beside it, by drawing outcomes from the predictions, and the
p value is the share of those draws that reach the index seen. The bootstrap interval (percentile) inherits the same
upward pull.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.fair.calibration import both_kinds
from medtwin.trials.fair.number import Number


def integrated_index(
    outcome: np.ndarray, predicted: np.ndarray, *, binary: bool, confidence: float = 0.95, draws: int = 200, seed: int = 0,
    unit: str = "1",
) -> tuple[Number, Number]:  # fmt: skip
    """(the index, what it would be of a perfectly calibrated score); ``draws`` of the bootstrap and of perfect outcomes."""
    if draws < 20:
        raise AnalysisError(f"{draws} draws", expected="20 or more", where="ICI")
    order = np.lexsort((outcome, predicted))
    y, p = outcome[order], predicted[order]
    if binary:
        both_kinds(y)
    basis = spline(special.logit(p) if binary else p)
    rng = np.random.default_rng(seed)
    size = len(y)
    index = float(_index(basis, p, y[None], np.ones((1, size)), binary)[0])
    counts = rng.multinomial(size, np.full(size, 1.0 / size), size=draws).astype(float)
    again = _index(basis, p, y[None], counts, binary)
    if binary:
        perfect = (rng.random((draws, size)) < p).astype(float)
    else:
        left = y - _curve(basis, y[None], np.ones((1, size)), False)[0]
        perfect = p + rng.choice(left - left.mean(), size=(draws, size))
    floor = _index(basis, p, perfect, np.ones((1, size)), binary)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(again, (tail, 1.0 - tail))
    floor_low, floor_high = np.quantile(floor, (tail, 1.0 - tail))
    p_value = (1.0 + float((floor >= index).sum())) / (draws + 1.0)
    return (
        Number(name="integrated calibration index", value=index, low=float(low), high=float(high), unit=unit,
               method=f"percentile bootstrap, {draws} samples", p_value=p_value),
        Number(name="index of a perfect score", value=float(floor.mean()), low=float(floor_low), high=float(floor_high),
               unit=unit, method=f"{draws} sets of outcomes drawn from the predictions"),
    )  # fmt: skip


def spline(values: np.ndarray) -> np.ndarray:
    """(patient, column) orthonormal basis: constant, linear, and the restricted cubic terms (Harrell 2001, section 2.4.5)."""
    if np.ptp(values) <= 1e-9 * (1.0 + float(np.abs(values).max())):
        raise AnalysisError("the same prediction for every patient", expected="predictions that vary", where="ICI")
    knots = np.unique(np.quantile(values, (0.05, 0.35, 0.65, 0.95) if len(values) >= 100 else (0.1, 0.5, 0.9)))
    columns = [np.ones(len(values)), values]
    if len(knots) >= 3:
        first, before, last = knots[0], knots[-2], knots[-1]

        def cube(knot: float) -> np.ndarray:
            return np.maximum(values - knot, 0.0) ** 3

        for knot in knots[:-2]:
            bent = (
                cube(knot)
                - cube(before) * (last - knot) / (last - before)
                + cube(last) * (before - knot) / (last - before)
            )
            columns.append(bent / (last - first) ** 2)
    design = np.column_stack(columns)
    basis, size, _ = np.linalg.svd(design / np.linalg.norm(design, axis=0), full_matrices=False)
    kept: np.ndarray = basis[:, size > 1e-9 * size.max()]
    return kept * np.sqrt(len(values))


def _index(basis: np.ndarray, p: np.ndarray, y: np.ndarray, counts: np.ndarray, binary: bool) -> np.ndarray:
    away = np.abs(_curve(basis, y, counts, binary) - p)
    return np.asarray((away * counts).sum(axis=1) / counts.sum(axis=1))


def _curve(basis: np.ndarray, y: np.ndarray, counts: np.ndarray, binary: bool) -> np.ndarray:
    """(draw, patient) fitted values; ``y`` and ``counts`` (draw or 1, patient)."""
    products = np.einsum("nk,nl->nkl", basis, basis).reshape(len(basis), -1)
    columns = basis.shape[1]

    def solved(weight: np.ndarray, score: np.ndarray) -> np.ndarray:
        squares = (weight @ products).reshape(-1, columns, columns) + 1e-8 * len(basis) * np.eye(columns)
        found: np.ndarray = np.linalg.solve(squares, (score @ basis)[..., None])[..., 0]
        return found

    if not binary:
        return solved(counts, counts * y) @ basis.T
    beta = np.zeros((max(len(y), len(counts)), columns))
    for _ in range(30):
        mean = special.expit(beta @ basis.T)
        step = solved(counts * np.maximum(mean * (1.0 - mean), 1e-8), counts * (y - mean))
        length = np.abs(step).max(axis=1, keepdims=True)
        step = step * np.minimum(1.0, 2.0 / np.maximum(length, 1e-300))
        beta = beta + step
        if float(length.max()) < 1e-8:
            break
    return np.asarray(special.expit(beta @ basis.T))
