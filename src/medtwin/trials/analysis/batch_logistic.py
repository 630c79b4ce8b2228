"""Marginal effects of a binary outcome for many two-arm trials at once, patients along the last axis.

As :func:`medtwin.trials.analysis.marginal.marginal_effects` with a logistic model of common slopes, one Newton iteration of
all trials of a chunk at a time. The logit link is canonical and the model holds the arm, so that the complete influence
function needs one linear form: with ``G`` the mean slope of the contrast J0 psi0 + J1 psi1 by the coefficients,

    phi_i = J1 (mu1(X_i) - psi1) + J0 (mu0(X_i) - psi0) + G' (X'WX/n)^-1 x_i e_i / (1-h_i)^k,    SE^2 = sum phi_i^2 / n^2
"""

from __future__ import annotations

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import batch
from medtwin.trials.analysis.batch import BatchFit

VARIANCES = ("HC0", "HC2", "HC3", "influence")
MEASURES = ("difference", "ratio", "odds ratio")


def logistic_batch(
    outcome: np.ndarray, arm: np.ndarray, covariates: np.ndarray | None = None, *, measure: str = "difference",
    variance: str = "HC2",
) -> BatchFit:  # fmt: skip
    """``outcome`` of 0 and 1 (..., patient), ``arm`` of 0 and 1 and ``covariates`` (..., covariate, patient), both broadcast.

    ``ratio`` and ``odds ratio`` on the log scale. ``failed`` counts trials that are separated, collinear or of one arm.
    """
    if variance not in VARIANCES or measure not in MEASURES:
        raise AnalysisError(f"{variance!r}, {measure!r}", expected=f"{VARIANCES}; {MEASURES}")
    outcome = np.asarray(outcome, dtype=float)
    if not ((outcome == 0.0) | (outcome == 1.0)).all():
        raise AnalysisError("outcomes other than 0 and 1", expected="0 or 1", where="logistic model")
    shape, patients = outcome.shape[:-1], outcome.shape[-1]
    table = np.zeros((0, patients)) if covariates is None else np.asarray(covariates, dtype=float)
    columns = table.shape[-2]
    if patients <= columns + 2:
        raise AnalysisError(
            f"{patients} patients for {columns + 2} coefficients", expected="more", where="logistic model"
        )
    y = outcome.reshape(-1, patients)
    a = batch.broadcast(np.asarray(arm), shape, (patients,))
    c = batch.broadcast(table, shape, (columns, patients))
    value, error = np.full(len(y), np.nan), np.full(len(y), np.nan)
    failed = 0
    step = max(1, batch.CHUNK // patients)
    x = np.ones((step, columns + 2, patients))
    for begin in range(0, len(y), step):
        end = min(begin + step, len(y))
        rows = x[: end - begin]
        rows[:, 1] = a[begin:end] if len(a) > 1 else a
        rows[:, 2:] = c[begin:end] if len(c) > 1 else c
        failed += _chunk(rows, y[begin:end], measure, variance, value[begin:end], error[begin:end])
    df = np.full(shape, float(patients - columns - 2))
    return BatchFit(value.reshape(shape), error.reshape(shape), df, failed)


def _chunk(x: np.ndarray, y: np.ndarray, measure: str, variance: str, value: np.ndarray, error: np.ndarray) -> int:
    patients = x.shape[-1]
    centre, spread = x[:, 2:].mean(axis=-1, keepdims=True), x[:, 2:].std(axis=-1, keepdims=True)
    bad = (spread <= 1e-12 * np.abs(centre))[..., 0].any(axis=-1)
    x[:, 2:] -= centre
    x[:, 2:] /= np.where(spread > 0.0, spread, 1.0)
    share = x[:, 1].mean(axis=-1)
    events = np.stack([((1.0 - x[:, 1]) * y).sum(axis=-1), (x[:, 1] * y).sum(axis=-1)])
    sizes = patients * np.stack([1.0 - share, share])
    bad |= ((events == 0.0) | (events == sizes)).any(axis=0)  # separated by the arm, or an arm is empty
    beta = np.zeros(x.shape[:2])
    beta[:, 0] = np.where(bad, 0.0, np.log((y.mean(axis=-1) + 1e-9) / (1.0 - y.mean(axis=-1) + 1e-9)))
    information = np.tile(np.eye(x.shape[1]), (len(x), 1, 1))
    enough = 1e-6 if variance == "influence" else 1e-9  # the others use the information before the last step too
    moved = np.full(len(x), np.inf)
    weighted, weight = np.empty_like(x), np.empty_like(y)  # fresh memory costs more than the arithmetic
    for _ in range(30):
        mean = _expit((beta[:, None, :] @ x)[:, 0])
        np.multiply(np.subtract(1.0, mean, out=weight), mean, out=weight)
        np.multiply(x, weight[:, None, :], out=weighted)
        information = weighted @ x.swapaxes(-1, -2)
        score = (x @ np.subtract(y, mean, out=mean)[..., None])[..., 0]
        bad |= _singular(information)
        if bad.any():
            information[bad] = np.eye(x.shape[1])
        step = np.linalg.solve(information, score[..., None])[..., 0]
        step[bad] = 0.0
        moved = np.abs(step).max(axis=-1)
        step *= np.minimum(1.0, 4.0 / np.maximum(moved, 1e-300))[:, None]
        beta += step
        bad |= np.abs(beta).max(axis=-1) > 25.0
        beta[bad] = 0.0
        if (moved[~bad] < enough).all():  # quadratic: what is left is of the order of its square
            break
    else:
        bad |= moved >= enough
        beta[bad] = 0.0
    base = (beta[:, None, :] @ x)[:, 0] - beta[:, 1, None] * x[:, 1]
    mu = _expit(np.stack([base, base + beta[:, 1, None]]))  # (arm, trial, patient)
    psi = mu.mean(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure == "difference":
            value[:], slope = psi[1] - psi[0], np.stack([-np.ones_like(psi[0]), np.ones_like(psi[1])])
        elif measure == "ratio":
            value[:], slope = np.log(psi[1] / psi[0]), np.stack([-1.0 / psi[0], 1.0 / psi[1]])
        else:
            odds = psi / (1.0 - psi)
            value[:] = np.log(odds[1] / odds[0])
            slope = np.stack([-1.0, 1.0])[:, None] / (psi * (1.0 - psi))
    residual = y - np.where(x[:, 1] > 0.5, mu[1], mu[0])
    phi = ((mu - psi[..., None]) * slope[..., None]).sum(axis=0)
    scale = np.sqrt(patients / (patients - 1.0))
    if variance == "influence":
        with np.errstate(divide="ignore", invalid="ignore"):
            direct = np.where(x[:, 1] > 0.5, (slope[1] / share)[:, None], (slope[0] / (1.0 - share))[:, None])
        total = ((phi + direct * residual) ** 2).sum(axis=-1) * scale**2
    else:
        grown = mu * (1.0 - mu) * slope[..., None]
        gradient = (x @ grown.sum(axis=0)[..., None])[..., 0]
        gradient[:, 1] = grown[1].sum(axis=-1)  # everyone in arm 1 there, nobody in arm 0
        linear = (np.linalg.solve(information, gradient[..., None]).swapaxes(-1, -2) @ x)[:, 0]
        rest = linear * residual
        if variance != "HC0":
            weight = np.where(x[:, 1] > 0.5, mu[1], mu[0])
            weight *= 1.0 - weight
            root = np.linalg.inv(np.linalg.cholesky(information)) @ x
            left = 1.0 - weight * (root**2).sum(axis=-2)
            bad |= (left <= 1e-10).any(axis=-1)
            left[bad] = 1.0
            rest /= np.sqrt(left) if variance == "HC2" else left
        total = (phi**2).sum(axis=-1) * scale**2 + (2.0 * phi * rest + rest**2).sum(axis=-1)
    error[:] = np.sqrt(total) / patients
    value[bad] = error[bad] = np.nan
    return int((bad | ~np.isfinite(error)).sum())


def _expit(eta: np.ndarray) -> np.ndarray:
    """In place."""
    with np.errstate(over="ignore"):  # 1 / inf is 0
        np.exp(np.negative(eta, out=eta), out=eta)
    eta += 1.0
    return np.reciprocal(eta, out=eta)


def _singular(information: np.ndarray) -> np.ndarray:
    diagonal = np.einsum("...ii->...i", information)
    size = np.sqrt(np.maximum(diagonal, 1e-300))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = information / (size[..., :, None] * size[..., None, :])
        determinant = np.linalg.det(scaled)
    return ~(determinant > 1e-12) | (diagonal <= 1e-12).any(axis=-1)
