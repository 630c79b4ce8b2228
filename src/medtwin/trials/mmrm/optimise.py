"""Newton's method on the exact derivatives, from the residuals' own covariance.

Converged means that the Newton decrement, twice what another step could still gain in log likelihood, is below ``1e-16``:
every variance parameter is then within about ``1e-8`` of its standard error from the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.layout import Block, Layout
from medtwin.trials.mmrm.likelihood import Slopes, Solved, slopes, solve
from medtwin.trials.mmrm.structures.curve import Array
from medtwin.trials.mmrm.structures.scaled import Structure

DECREMENT, ITERATIONS, LONGEST = 1e-16, 100, 2.0
#: A correlation matrix with a smaller eigenvalue is at the edge of what is possible, and so is a variance parameter (all
#: are logarithms or without unit) with a larger standard error.
EDGE, VAGUE = 1e-7, 50.0


@dataclass(frozen=True)
class Optimum:
    """The maximum, with how it was reached."""

    solved: Solved
    slopes: Slopes
    theta_covariance: Array  #: inverse of the observed information, (h, h)
    iterations: int
    decrement: float


def maximise(layout: Layout, structure: Structure, *, reml: bool) -> Optimum:
    """Raises :class:`AnalysisError` where there is no maximum inside, or none was found."""
    where = f"{structure.name} covariance, {'REML' if reml else 'ML'}"
    at = solve(layout, structure, start(layout, structure), reml=reml)
    if at is None:
        raise AnalysisError("no starting value", expected="a positive definite covariance matrix", where=where)
    now = slopes(layout, at)
    decrement = np.inf
    for iteration in range(ITERATIONS):
        step, decrement, newton = _step(now)
        if newton and decrement < DECREMENT:
            _inside(layout, at, where)
            spread = _inverse(now.hessian)
            if float(np.diag(spread).max()) > VAGUE**2:
                raise AnalysisError(
                    "no maximum: a variance parameter runs to the edge of what is possible", expected="one inside",
                    where=where, remedy="the structure says more than the data can: name simpler ones as fall-backs",
                )  # fmt: skip
            return Optimum(at, now, spread, iteration, decrement)
        step *= min(1.0, LONGEST / float(np.abs(step).max()))
        slope = float(now.gradient @ step)
        length = 1.0
        for _ in range(40):
            next_ = solve(layout, structure, at.theta + length * step, reml=reml)
            slack = 1e-12 * (abs(at.log_likelihood) + 1.0)
            if next_ is not None and next_.log_likelihood >= at.log_likelihood - 1e-4 * length * slope - slack:
                break
            length *= 0.5
        else:
            break
        at = next_
        now = slopes(layout, at)
    _inside(layout, at, where)
    raise AnalysisError(
        f"no convergence: Newton decrement {decrement:.1e} after {ITERATIONS} iterations", expected=f"below {DECREMENT:g}",
        where=where, remedy="name simpler structures as fall-backs, in order, such as toeplitz heterogeneous",
    )  # fmt: skip


def start(layout: Layout, structure: Structure) -> Array:
    """Parameters near the least-squares residuals' covariance in each group, over the pairs of visits seen together."""
    return np.concatenate([structure.start(_empirical(block, structure), block.distance) for block in layout.blocks])


def _empirical(block: Block, structure: Structure) -> Array:
    """Pairwise covariance ``(m, m)``, made positive definite; a visit or pair without data takes what the others have."""
    rest = block.values[:, :, -1]
    seen = block.present[block.pattern].astype(float)
    pairs = seen.T @ seen
    if structure.shape.free and (pairs == 0).any():
        a, b = np.argwhere(pairs == 0)[0]
        raise AnalysisError(
            f"no subject was measured at both visit {a + 1} and visit {b + 1}", expected="some, for each pair of visits",
            where=f"{structure.name} covariance, group {block.label}", remedy="choose a structure with fewer parameters",
        )  # fmt: skip
    sums = rest.T @ rest
    count = np.diag(pairs)
    usual = float(np.trace(sums) / count.sum())
    variance = np.where(np.diag(sums) > 1e-6 * usual * count, np.diag(sums) / np.maximum(count, 1.0), usual)
    sd = np.sqrt(variance)
    correlation = np.where(pairs > 2, sums / np.maximum(pairs, 1.0) / np.outer(sd, sd), 0.0)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < 0.05:
        correlation = vectors * np.maximum(values, 0.05) @ vectors.T
        scale = np.sqrt(np.diag(correlation))
        correlation = correlation / np.outer(scale, scale)
    return np.asarray(correlation * np.outer(sd, sd))


def _step(now: Slopes) -> tuple[Array, float, bool]:
    """Newton's step where the likelihood is curved as at a maximum, else the scoring step; and the decrement."""
    for matrix, newton in ((now.hessian, True), (now.information, False)):
        scale = np.sqrt(np.abs(np.diag(matrix)))
        scale = np.where(scale > 0.0, scale, 1.0)
        shaped = matrix / np.outer(scale, scale)
        if not newton:
            shaped = shaped + 1e-8 * np.eye(len(shaped))
        try:
            lower = linalg.cholesky(shaped, lower=True)
        except (linalg.LinAlgError, ValueError):
            continue
        half = linalg.solve_triangular(lower, now.gradient / scale, lower=True)
        return -linalg.solve_triangular(lower.T, half) / scale, float(half @ half), newton
    return -now.gradient / max(float(np.linalg.norm(now.gradient)), 1.0), float(now.gradient @ now.gradient), False


def _inverse(matrix: Array) -> Array:
    """Of a positive definite matrix, whose units may differ."""
    scale = np.sqrt(np.diag(matrix))
    half = linalg.solve_triangular(
        linalg.cholesky(matrix / np.outer(scale, scale), lower=True), np.diag(1.0 / scale), lower=True
    )  # fmt: skip
    return np.asarray(half.T @ half)


def _inside(layout: Layout, at: Solved, where: str) -> None:
    """Raises where the covariance has run to the edge of what is possible, where it has no standard error."""
    for block, curve in zip(layout.blocks, at.curves, strict=True):
        sigma = curve.value if curve.value.ndim == 2 else curve.value[0]
        if block.distance is not None:
            sigma = sigma[np.ix_(block.present[0], block.present[0])]
        sd = np.sqrt(np.diag(sigma))
        if not (sd > 0.0).all() or np.linalg.eigvalsh(sigma / np.outer(sd, sd))[0] < EDGE:
            raise AnalysisError(
                "no maximum: the covariance matrix becomes singular", expected="one that is positive definite",
                where=f"{where}, group {block.label}",
                remedy="too few subjects for this structure, or a repeated measurement: name simpler structures as fall-backs",
            )  # fmt: skip
