"""Marginal effects of a count for many two-arm trials at once, patients along the last axis.

As :func:`medtwin.trials.analysis.marginal.marginal_effects` with a Poisson or negative binomial model of common slopes: one
Newton iteration of all trials of a chunk at a time, theta by Newton on its logarithm in turn with the coefficients, and trials
that are done left out. A trial whose counts vary no more than Poisson's has the Poisson model.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import batch
from medtwin.trials.analysis.batch import BatchFit

VARIANCES = ("HC0", "HC2", "HC3", "influence")
MEASURES = ("difference", "ratio")
FAMILIES = ("poisson", "negative-binomial")
ROUNDS = 200


def count_batch(
    outcome: np.ndarray, arm: np.ndarray, covariates: np.ndarray | None = None, *, family: str = "negative-binomial",
    measure: str = "ratio", variance: str = "HC2", exposure: np.ndarray | None = None,
) -> BatchFit:  # fmt: skip
    """``outcome`` counts (..., patient), ``arm`` of 0 and 1, ``covariates`` (..., covariate, patient), ``exposure``; broadcast.

    ``ratio`` on the log scale. ``failed``: arms without events, collinear covariates, a rate of zero, no convergence.
    """
    if variance not in VARIANCES or measure not in MEASURES or family not in FAMILIES:
        raise AnalysisError(f"{variance!r}, {measure!r}, {family!r}", expected=f"{VARIANCES}; {MEASURES}; {FAMILIES}")
    if exposure is not None and variance == "influence":
        raise AnalysisError("time at risk with influence", expected="HC0, HC2 or HC3", where="count model")
    outcome = np.asarray(outcome, dtype=float)
    if not ((outcome >= 0.0) & (outcome == np.floor(outcome))).all():
        raise AnalysisError("outcomes that are not counts", expected="0, 1, 2, ...", where="count model")
    shape, patients = outcome.shape[:-1], outcome.shape[-1]
    table = np.zeros((0, patients)) if covariates is None else np.asarray(covariates, dtype=float)
    columns = table.shape[-2]
    if patients <= columns + 2:
        raise AnalysisError(f"{patients} patients for {columns + 2} coefficients", expected="more", where="count model")
    y = outcome.reshape(-1, patients)
    a = batch.broadcast(np.asarray(arm), shape, (patients,))
    c = batch.broadcast(table, shape, (columns, patients))
    t = None if exposure is None else batch.broadcast(np.asarray(exposure, dtype=float), shape, (patients,))
    value, error = np.full(len(y), np.nan), np.full(len(y), np.nan)
    failed = 0
    step = max(1, batch.CHUNK // patients)
    for begin in range(0, len(y), step):
        end = min(begin + step, len(y))
        x = np.ones((end - begin, columns + 2, patients))
        x[:, 1] = a[begin:end] if len(a) > 1 else a
        x[:, 2:] = c[begin:end] if len(c) > 1 else c
        offset = (
            None if t is None else np.broadcast_to(np.log(t[begin:end] if len(t) > 1 else t), (end - begin, patients))
        )
        failed += _chunk(x, y[begin:end], offset, family, measure, variance, value[begin:end], error[begin:end])
    df = np.full(shape, float(patients - columns - 2))
    return BatchFit(value.reshape(shape), error.reshape(shape), df, failed)


def _chunk(
    x: np.ndarray, y: np.ndarray, offset: np.ndarray | None, family: str, measure: str, variance: str, value: np.ndarray,
    error: np.ndarray,
) -> int:  # fmt: skip
    patients = x.shape[-1]
    centre, spread = x[:, 2:].mean(axis=-1, keepdims=True), x[:, 2:].std(axis=-1, keepdims=True)
    bad = (spread <= 1e-12 * np.abs(centre))[..., 0].any(axis=-1)
    x[:, 2:] -= centre
    x[:, 2:] /= np.where(spread > 0.0, spread, 1.0)
    treated = x[:, 1] > 0.5
    share = x[:, 1].mean(axis=-1)
    bad |= ((treated * y).sum(axis=-1) == 0.0) | ((~treated * y).sum(axis=-1) == 0.0)
    shift = np.zeros_like(y) if offset is None else offset
    beta, theta, bad = _fitted(x, y, shift, family, bad)
    beta[bad] = 0.0
    eta = np.clip((beta[:, None, :] @ x)[:, 0], -700.0, 700.0)
    mean = np.exp(eta + shift)
    base = eta - beta[:, 1, None] * x[:, 1]
    mu = np.exp(np.stack([base, base + beta[:, 1, None]]))  # (arm, trial, patient), a unit of time
    slopes = mu
    residual = y - mean
    shares = np.stack([1.0 - share, share])
    inside = np.stack([~treated, treated])
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = inside / shares[..., None]
        if offset is None:
            off = (inside * residual).sum(axis=-1) / (patients * shares)
            mu = mu + off[..., None]
            residual = y - np.where(treated, mu[1], mu[0])
        psi = mu.mean(axis=-1)
        if measure == "difference":
            value[:], g = psi[1] - psi[0], np.stack([-np.ones_like(psi[0]), np.ones_like(psi[1])])
        else:
            value[:], g = np.log(psi[1] / psi[0]), np.stack([-1.0 / psi[0], 1.0 / psi[1]])
    bad |= ~np.isfinite(value)
    for held in (mu, g, psi, direct):
        held[:, bad] = 0.0
    residual[bad] = 0.0
    phi = ((mu - psi[..., None]) * g[..., None]).sum(axis=0)
    straight = (direct * g[..., None]).sum(axis=0) if offset is None else np.zeros_like(y)
    rest = straight * residual
    if variance == "influence":
        total = ((phi + rest) ** 2).sum(axis=-1) * patients / (patients - 1.0)
    else:
        rest = rest + _linear(x, y, mean, slopes, straight, g, theta, bad)
        if variance != "HC0":
            weight = mean / (1.0 + mean / theta[:, None])
            information = (x * weight[:, None, :]) @ x.swapaxes(-1, -2)
            information[bad] = np.eye(x.shape[1])
            left = 1.0 - weight * ((np.linalg.solve(information, x)) * x).sum(axis=-2)
            bad |= (left <= 1e-10).any(axis=-1)
            left[bad] = 1.0
            rest /= np.sqrt(left) if variance == "HC2" else left
        total = (phi**2).sum(axis=-1) * patients / (patients - 1.0) + (2.0 * phi * rest + rest**2).sum(axis=-1)
    error[:] = np.sqrt(total) / patients
    bad |= ~np.isfinite(error)
    value[bad] = error[bad] = np.nan
    return int(bad.sum())


def _linear(
    x: np.ndarray, y: np.ndarray, mean: np.ndarray, slopes: np.ndarray, straight: np.ndarray, g: np.ndarray, theta: np.ndarray,
    bad: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """``D' B^-1 x f (y - mean)``: what the coefficients' own error adds."""
    grown = slopes * g[..., None]
    gradient = (x @ grown.sum(axis=0)[..., None])[..., 0]
    gradient[:, 1] = grown[1].sum(axis=-1)  # everyone in arm 1 there, nobody in arm 0
    own = np.where(x[:, 1] > 0.5, slopes[1], slopes[0])
    gradient -= (x @ (own * straight)[..., None])[..., 0]
    damped = 1.0 + mean / theta[:, None]
    curvature = mean * (1.0 + y / theta[:, None]) / damped**2
    bread = (x * curvature[:, None, :]) @ x.swapaxes(-1, -2)
    bread[bad] = np.eye(x.shape[1])
    return (np.linalg.solve(bread, gradient[..., None]).swapaxes(-1, -2) @ x)[:, 0] * (y - mean) / damped


def _fitted(
    x: np.ndarray, y: np.ndarray, shift: np.ndarray, family: str, bad: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(coefficients, theta (inf: Poisson), which failed)."""
    trials = len(y)
    beta, theta = np.zeros(x.shape[:2]), np.full(trials, np.inf)
    with np.errstate(divide="ignore"):
        rate = y.sum(axis=-1) / np.exp(shift).sum(axis=-1)
        beta[:, 0] = np.where(rate > 0.0, np.log(np.maximum(rate, 1e-300)), 0.0)
    bad = bad.copy()
    going = np.flatnonzero(~bad)
    bad[going[~_climb(x, y, shift, beta, theta, going)]] = True
    if family == "poisson":
        return beta, theta, bad
    going = np.flatnonzero(~bad)
    mean = np.exp((beta[going, None, :] @ x[going])[:, 0] + shift[going])
    over = ((y[going] - mean) ** 2 - mean).sum(axis=-1) > 0.0
    going, mean = going[over], mean[over]
    theta[going] = y.shape[-1] / ((y[going] / mean - 1.0) ** 2).sum(axis=-1)
    for _ in range(ROUNDS):
        if not len(going):
            return beta, theta, bad
        before, was = beta[going].copy(), theta[going].copy()
        mean = np.exp((beta[going, None, :] @ x[going])[:, 0] + shift[going])
        theta[going] = _theta(y[going], mean, was)
        fine = _climb(x, y, shift, beta, theta, going)
        bad[going[~fine]] = True
        with np.errstate(invalid="ignore"):
            same = np.abs(theta[going] - was) <= 1e-11 * was
        same &= np.abs(beta[going] - before).max(axis=-1) <= 1e-11 * (1.0 + np.abs(beta[going]).max(axis=-1))
        going = going[fine & ~same & np.isfinite(theta[going])]
    bad[going] = True
    return beta, theta, bad


def _climb(
    x: np.ndarray, y: np.ndarray, shift: np.ndarray, beta: np.ndarray, theta: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Fisher scoring of the trials ``rows`` given theta, in place; which of them converged."""
    fine = np.zeros(len(rows), dtype=bool)
    active = np.arange(len(rows))
    for attempt in range(60):
        mine = rows[active]
        xs, t = x[mine], theta[mine, None]
        eta = (beta[mine, None, :] @ xs)[:, 0] + shift[mine]
        mean = np.exp(np.clip(eta, -700.0, 50.0))
        damped = 1.0 + mean / t
        information = (xs * (mean / damped)[:, None, :]) @ xs.swapaxes(-1, -2)
        score = (xs @ ((y[mine] - mean) / damped)[..., None])[..., 0]
        lost = batch_singular(information)
        information[lost] = np.eye(x.shape[1])
        step = np.linalg.solve(information, score[..., None])[..., 0]
        moved = np.abs(step).max(axis=-1)
        step *= np.minimum(1.0, 2.0 / np.maximum(moved, 1e-300))[:, None]
        step[lost] = 0.0
        beta[mine] += step
        lost |= eta.min(axis=-1) < -25.0  # a rate of zero
        # at the end steps of rounding error alone will do
        done = moved <= (1e-12 if attempt < 50 else 1e-9) * (1.0 + np.abs(beta[mine]).max(axis=-1))
        fine[active[done & ~lost]] = True
        active = active[~(done | lost)]
        if not len(active):
            break
    return fine


def batch_singular(information: np.ndarray) -> np.ndarray:
    """Which information matrices (trial, k, k) cannot be solved."""
    diagonal = np.einsum("...ii->...i", information)
    size = np.sqrt(np.maximum(diagonal, 1e-300))
    with np.errstate(invalid="ignore", divide="ignore"):
        determinant = np.linalg.det(information / (size[..., :, None] * size[..., None, :]))
    return ~(determinant > 1e-12) | (diagonal <= 1e-12).any(axis=-1)


def _theta(y: np.ndarray, mean: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Maximum likelihood given the means, by Newton on log theta; inf where counts vary no more than Poisson's."""
    out = np.full(len(y), np.inf)
    active = np.flatnonzero(((y - mean) ** 2 - mean).sum(axis=-1) > 0.0)
    log = np.log(np.where(np.isfinite(start), start, 1.0))
    for _ in range(100):
        if not len(active):
            break
        t, mu, n = np.exp(log[active])[:, None], mean[active], y[active]
        slope = (_digamma_from(n, t[:, 0], 0) - np.log1p(mu / t) + (mu - n) / (t + mu)).sum(axis=-1)
        bend = (_digamma_from(n, t[:, 0], 1) + (mu**2 / t + n) / (t + mu) ** 2).sum(axis=-1)
        theta = t[:, 0]
        curve = theta**2 * bend + theta * slope
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(curve < 0.0, -theta * slope / curve, np.copysign(0.5, slope))
        log[active] += np.clip(step, -2.0, 2.0)
        flat = log[active] > 25.0
        done = np.abs(step) <= 1e-12
        out[active[done & ~flat]] = np.exp(log[active[done & ~flat]])
        active = active[~(done | flat)]
    out[active] = np.exp(log[active])
    return out


def _digamma_from(n: np.ndarray, theta: np.ndarray, order: int) -> np.ndarray:
    """psi(theta + n) - psi(theta), or of the trigamma function: of whole n a table for each trial, looked up."""
    most = int(n.max()) + 1
    if most > 2000 or most > n.shape[-1] * 20:
        of = special.digamma if order == 0 else (lambda value: special.polygamma(1, value))
        return np.asarray(of(theta[:, None] + n) - of(theta)[:, None])
    terms = 1.0 / (theta[:, None] + np.arange(most))
    table = np.zeros((len(theta), most + 1))
    np.cumsum(terms if order == 0 else -(terms**2), axis=-1, out=table[:, 1:])
    return np.take_along_axis(table, n.astype(int), axis=-1)
