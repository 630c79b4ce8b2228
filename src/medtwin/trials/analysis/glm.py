"""Generalised linear models by iteratively reweighted least squares (Nelder & Wedderburn 1972), for the marginal effects.

Families: ``gaussian`` (identity link), ``logistic`` (0/1, logit), ``poisson`` and ``negative-binomial`` (counts, log; variance
``mu + mu^2/theta``, theta by maximum likelihood in turn with the coefficients). A separated logistic model, whose maximum
lies at infinity, is told apart from one that merely has not converged, by a linear programme (Konis 2007): it is separated
when some b has ``(2y-1) x'b >= 0`` for every patient and ``> 0`` for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from medtwin.errors import AnalysisError

FAMILIES = ("gaussian", "logistic", "poisson", "negative-binomial")
MANY = 100_000  #: a count beyond which theta's likelihood is not summed step by step


class SeparationError(AnalysisError):
    """A logistic model that predicts some patients perfectly: its coefficients are infinite."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fitted model. ``score_i = x_i factor_i (y_i - mean_i)``, with slope ``-X' diag(curvature) X``."""

    family: str
    coefficients: np.ndarray  #: (coefficient,)
    covariance: np.ndarray  #: (coefficient, coefficient), model-based; gaussian: with the residual variance on n-p
    mean: np.ndarray  #: (patient,)
    weight: np.ndarray  #: (patient,) (d mean/d eta)^2 / variance
    factor: np.ndarray  #: (patient,) (d mean/d eta) / variance; 1 for a canonical link
    curvature: np.ndarray  #: (patient,) observed; its expectation is ``weight``, which it equals for a canonical link
    leverage: np.ndarray  #: (patient,)
    log_likelihood: float
    theta: float = math.inf  #: of the negative binomial


def inverse_link(family: str, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and its slope d mean/d eta."""
    if family == "gaussian":
        return eta, np.ones_like(eta)
    if family == "logistic":
        mean = special.expit(eta)
        return mean, mean * special.expit(-eta)
    mean = np.exp(np.minimum(eta, 700.0))
    return mean, mean


def fit(design: np.ndarray, outcome: np.ndarray, family: str, offset: np.ndarray | None = None) -> Fit:
    """Maximum likelihood. ``design`` (patient, coefficient) of full rank; ``offset`` (patient,) on the link's scale."""
    _fits_family(outcome, family)
    patients, coefficients = design.shape
    if patients <= coefficients:
        raise AnalysisError(
            f"{patients} patients for {coefficients} coefficients", expected="more patients", where=family
        )
    shift = np.zeros(patients) if offset is None else offset
    if family != "negative-binomial":
        return _finish(
            design, outcome, family, shift, _weighted(design, outcome, family, shift, math.inf, None), math.inf
        )
    beta = _weighted(design, outcome, "poisson", shift, math.inf, None)
    theta = _theta(outcome, np.exp(design @ beta + shift), None)
    for _ in range(200):
        if math.isinf(theta):
            break
        before = beta, theta
        beta = _weighted(design, outcome, family, shift, theta, beta)
        theta = _theta(outcome, np.exp(design @ beta + shift), theta)
        if abs(theta - before[1]) <= 1e-10 * before[1] and np.abs(beta - before[0]).max() <= 1e-10 * (
            1.0 + np.abs(beta).max()
        ):
            return _finish(design, outcome, family, shift, beta, theta)
    if math.isinf(theta):
        return _finish(design, outcome, "poisson", shift, beta, math.inf)
    raise AnalysisError(
        f"no convergence of the negative binomial after 200 rounds (theta {theta:g})", where="negative-binomial",
        expected="convergence", remedy="use poisson: its standard errors allow for overdispersion",
    )  # fmt: skip


def is_separated(design: np.ndarray, outcome: np.ndarray) -> bool:
    """Whether some combination of columns tells 0 from 1 without an error (completely or quasi-completely)."""
    signed = _scaled(design) * (2.0 * outcome - 1.0)[:, None]
    found = optimize.linprog(
        -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1.0, 1.0), method="highs"
    )
    return bool(found.status == 0 and -found.fun > 1e-7)


def is_vanishing(design: np.ndarray, outcome: np.ndarray) -> bool:
    """Whether some combination of columns picks out patients without events only, so that their rate is zero (Correia 2019)."""
    scaled = _scaled(design)
    none, some = scaled[outcome == 0.0], scaled[outcome > 0.0]
    found = optimize.linprog(
        none.sum(axis=0), A_ub=none, b_ub=np.zeros(len(none)), A_eq=some, b_eq=np.zeros(len(some)), bounds=(-1.0, 1.0),
        method="highs",
    )  # fmt: skip
    return bool(found.status == 0 and found.fun < -1e-7)


def _scaled(design: np.ndarray) -> np.ndarray:
    largest = np.abs(design).max(axis=0)
    return design / np.where(largest > 0.0, largest, 1.0)


def _weighted(
    design: np.ndarray, outcome: np.ndarray, family: str, shift: np.ndarray, theta: float, start: np.ndarray | None
) -> np.ndarray:
    if family == "gaussian":
        return np.linalg.lstsq(design, outcome - shift, rcond=None)[0]
    if start is None:
        first = (outcome + 0.5) / 2.0 if family == "logistic" else np.maximum(outcome, 0.1)
        eta = special.logit(first) if family == "logistic" else np.log(first)
        start = np.linalg.lstsq(design, eta - shift, rcond=None)[0]
    beta, best = start, _log_likelihood(outcome, inverse_link(family, design @ start + shift)[0], family, theta)
    for _ in range(100):
        mean, slope = inverse_link(family, design @ beta + shift)
        root = slope / np.sqrt(_variance(mean, family, theta))
        with np.errstate(divide="ignore", invalid="ignore"):
            working = np.where(slope > 0.0, (outcome - mean) / slope, 0.0)
        step = np.linalg.lstsq(root[:, None] * design, root * working, rcond=None)[0]
        reached = _log_likelihood(outcome, inverse_link(family, design @ (beta + step) + shift)[0], family, theta)
        for _halving in range(40):
            if reached >= best - 1e-9 * (1.0 + abs(best)):
                break
            step = step / 2.0
            reached = _log_likelihood(outcome, inverse_link(family, design @ (beta + step) + shift)[0], family, theta)
        beta, best = beta + step, max(best, reached)
        if np.abs(design @ step).max() <= 1e-11 * (1.0 + np.abs(design @ beta).max()):
            break
    else:
        if family == "logistic" and is_separated(design, outcome):
            raise _separation()
        raise AnalysisError("no convergence after 100 steps", expected="convergence", where=f"{family} model",
                            remedy="adjust for fewer covariates")  # fmt: skip
    if family == "logistic" and np.abs(design @ beta).max() > 12.0 and is_separated(design, outcome):
        raise _separation()
    if (
        family in ("poisson", "negative-binomial")
        and (design @ beta + shift).min() < -15.0
        and is_vanishing(design, outcome)
    ):
        raise SeparationError(
            "a level of arm or covariate without any event, whose rate is zero", expected="events in every level",
            where=f"{family} model", remedy="leave that covariate out, or merge the level",
        )  # fmt: skip
    return beta


def _separation() -> SeparationError:
    return SeparationError(
        "arm or covariates that tell events from no events without an error", expected="overlap", where="logistic model",
        remedy="adjust for fewer covariates, or ask for the unadjusted fall-back",
    )  # fmt: skip


def _finish(
    design: np.ndarray, outcome: np.ndarray, family: str, shift: np.ndarray, beta: np.ndarray, theta: float
) -> Fit:
    mean, slope = inverse_link(family, design @ beta + shift)
    variance = _variance(mean, family, theta)
    weight = slope**2 / variance
    orthonormal, triangle = np.linalg.qr(np.sqrt(weight)[:, None] * design)
    size = np.abs(np.diag(triangle))
    if size.min() <= 1e-10 * size.max():
        raise AnalysisError("covariates that tell the arms apart, or are constant within an arm", where=f"{family} model",
                            expected="a design of full rank", remedy="leave them out")  # fmt: skip
    inverse = np.linalg.inv(triangle)
    covariance = inverse @ inverse.T
    if family == "gaussian":
        covariance = covariance * float(((outcome - mean) ** 2).sum() / (len(outcome) - len(beta)))
    curvature = weight
    if math.isfinite(theta):
        curvature = mean * (1.0 + outcome / theta) / (1.0 + mean / theta) ** 2
    return Fit(
        family, beta, covariance, mean, weight, slope / variance, curvature, (orthonormal**2).sum(axis=1),
        _log_likelihood(outcome, mean, family, theta), theta,
    )  # fmt: skip


def _variance(mean: np.ndarray, family: str, theta: float) -> np.ndarray:
    if family == "gaussian":
        return np.ones_like(mean)
    if family == "logistic":
        return np.maximum(mean * (1.0 - mean), 1e-300)
    return np.maximum(mean + (mean**2 / theta if math.isfinite(theta) else 0.0), 1e-300)


def _log_likelihood(outcome: np.ndarray, mean: np.ndarray, family: str, theta: float) -> float:
    if family == "gaussian":
        return float(
            -len(outcome) / 2.0 * (math.log(2.0 * math.pi * max(((outcome - mean) ** 2).mean(), 1e-300)) + 1.0)
        )
    if family == "logistic":
        return float((special.xlogy(outcome, mean) + special.xlog1py(1.0 - outcome, -mean)).sum())
    if math.isinf(theta):
        return float((special.xlogy(outcome, mean) - mean - special.gammaln(outcome + 1.0)).sum())
    each = special.gammaln(theta + outcome) - special.gammaln(theta) - special.gammaln(outcome + 1.0)
    each = each + theta * math.log(theta) + special.xlogy(outcome, mean) - (theta + outcome) * np.log(theta + mean)
    return float(each.sum())


def _theta(outcome: np.ndarray, mean: np.ndarray, start: float | None) -> float:
    """Maximum-likelihood theta given the means, by Newton on log theta; inf where counts vary no more than Poisson's."""
    if ((outcome - mean) ** 2 - mean).sum() <= 0.0:
        return math.inf
    log = math.log(start if start else len(outcome) / float(((outcome / mean - 1.0) ** 2).sum()))
    rises = _rises(outcome)
    for _ in range(100):
        theta = math.exp(log)
        slope, bend = rises(theta)
        slope += float((-np.log1p(mean / theta) + (mean - outcome) / (theta + mean)).sum())
        bend += float(((mean**2 / theta + outcome) / (theta + mean) ** 2).sum())
        curve = theta**2 * bend + theta * slope  # second derivative by log theta
        step = -theta * slope / curve if curve < 0.0 else math.copysign(0.5, slope)
        log += max(-2.0, min(2.0, step))
        if log > 25.0:
            return math.inf
        if abs(step) <= 1e-13:
            break
    return math.exp(log)


def _rises(outcome: np.ndarray) -> Callable[[float], tuple[float, float]]:
    """Of theta: sum over patients of psi(theta + y) - psi(theta), and of its slope.

    As sums of 1 / (theta + j) over j < y, in which nothing cancels however large theta is; of counts beyond ``MANY`` by the
    functions themselves, as theta is then small against them.
    """
    if outcome.max(initial=0.0) > MANY:
        return lambda theta: (
            float((special.digamma(theta + outcome) - special.digamma(theta)).sum()),
            float((special.polygamma(1, theta + outcome) - special.polygamma(1, theta)).sum()),
        )
    whole = outcome.astype(int)
    beyond = len(whole) - np.cumsum(np.bincount(whole))[:-1]  # counts larger than j
    steps = np.arange(len(beyond))

    def found(theta: float) -> tuple[float, float]:
        each = 1.0 / (theta + steps)
        return float(beyond @ each), -float(beyond @ each**2)

    return found


def _fits_family(outcome: np.ndarray, family: str) -> None:
    if family not in FAMILIES:
        raise AnalysisError(f"family {family!r}", expected=f"one of {FAMILIES}")
    if family == "logistic" and not np.isin(outcome, (0.0, 1.0)).all():
        raise AnalysisError("outcomes other than 0 and 1", expected="0 or 1", where="logistic model")
    if family in ("poisson", "negative-binomial") and not ((outcome >= 0.0) & (outcome == np.floor(outcome))).all():
        raise AnalysisError("outcomes that are not counts", expected="0, 1, 2, ...", where=f"{family} model")
    if family != "gaussian" and not outcome.any():
        raise SeparationError("no events at all", expected="some", where=f"{family} model")
