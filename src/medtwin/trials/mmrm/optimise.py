"""Newton's method on the exact derivatives, from the residuals' own covariance.

Converged means that the Newton decrement, twice what another step could still gain in log likelihood, is below ``1e-16``:
every variance parameter is then within about ``1e-8`` of its standard error from the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.layout import Block, Layout
from medtwin.trials.mmrm.likelihood import Slopes, Solved, invert, slopes, solve
from medtwin.trials.mmrm.structures.curve import Array
from medtwin.trials.mmrm.structures.scaled import Structure

DECREMENT, ITERATIONS, LONGEST = 1e-16, 60, 2.0
#: Steps of the starting covariance towards its maximum; subjects in a group below which a second start is tried.
EXPECTATIONS, FEW = 3, 50
#: A correlation matrix with a smaller eigenvalue is at the edge of what is possible, and so is a variance parameter (all
#: are logarithms or without unit) with a larger standard error. ``NEAR``: where a search has not ended after ``LONG`` steps.
EDGE, NEAR, VAGUE, LONG = 1e-7, 1e-5, 50.0, 12


@dataclass(frozen=True)
class Optimum:
    """The maximum, with how it was reached."""

    solved: Solved
    slopes: Slopes
    theta_covariance: Array  #: inverse of the observed information, (h, h)
    iterations: int
    decrement: float
    notes: tuple[str, ...] = ()


def maximise(layout: Layout, structure: Structure, *, reml: bool) -> Optimum:
    """The highest maximum found. Raises :class:`AnalysisError` where there is none inside, or the search did not end.

    With few subjects and many missing outcomes there can be more than one maximum: where a group has fewer than ``FEW``
    subjects, or the first search fails, a second starts from nearly independent visits, and what differs is noted.
    """
    where = f"{structure.name} covariance, {'REML' if reml else 'ML'}"
    few = min(len(block.pattern) for block in layout.blocks) < FEW
    found: list[Optimum] = []
    failed: list[AnalysisError] = []
    for theta in (start(layout, structure), start(layout, structure, plain=True)):
        try:
            found.append(_search(layout, structure, theta, where, reml=reml))
        except AnalysisError as error:
            failed.append(error)
        if found and not few:
            break
    if not found:
        raise failed[0]
    best = max(found, key=lambda one: one.solved.log_likelihood)
    apart = best.solved.log_likelihood - min(one.solved.log_likelihood for one in found)
    if apart > 1e-6:
        return replace(
            best, notes=(f"the likelihood has more than one maximum: the next is {apart:.3g} lower in log L",)
        )
    if failed:
        return replace(best, notes=(f"a maximum was found from one of two starts (the other: {failed[0].found})",))
    return best


def _search(layout: Layout, structure: Structure, theta: Array, where: str, *, reml: bool) -> Optimum:
    at = solve(layout, structure, theta, reml=reml)
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
        longest = float(np.abs(step).max())
        if longest == 0.0:
            raise AnalysisError(
                "a flat likelihood: the data say nothing of a variance parameter", expected="data that speak of each",
                where=where, remedy="the structure says more than the data can: name simpler ones as fall-backs",
            )  # fmt: skip
        step *= min(1.0, LONGEST / longest)
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
        if iteration >= LONG:
            _inside(layout, at, where, NEAR)
        now = slopes(layout, at)
    _inside(layout, at, where, 1e-3)
    raise AnalysisError(
        f"no convergence: Newton decrement {decrement:.1e} after {ITERATIONS} iterations", expected=f"below {DECREMENT:g}",
        where=where, remedy="name simpler structures as fall-backs, in order, such as toeplitz heterogeneous",
    )  # fmt: skip


def start(layout: Layout, structure: Structure, *, plain: bool = False) -> Array:
    """Parameters near the least-squares residuals' covariance in each group; ``plain``: only their variances are used."""
    parts = []
    for block in layout.blocks:
        sigma = _empirical(block, structure, layout.visits)
        if plain:
            sd = np.sqrt(np.diag(sigma))
            sigma = np.outer(sd, sd) * (0.1 + 0.9 * np.eye(len(sd)))
        parts.append(structure.start(sigma, block.distance))
    return np.concatenate(parts)


def _empirical(block: Block, structure: Structure, visits: tuple[str, ...]) -> Array:
    """Pairwise covariance ``(m, m)``, made positive definite; a visit or pair without data takes what the others have."""
    rest = block.values[:, :, -1]
    seen = block.present[block.pattern].astype(float)
    pairs = seen.T @ seen
    if structure.shape.free and (pairs == 0).any():
        a, b = np.argwhere(pairs == 0)[0]
        raise AnalysisError(
            f"no subject was measured at both visit {visits[a]!r} and {visits[b]!r}", expected="some, for each pair of visits",
            where=f"{structure.name} covariance, group {block.label}", remedy="choose a structure with fewer parameters",
        )  # fmt: skip
    sums = rest.T @ rest
    count = np.diag(pairs)
    usual = float(np.trace(sums) / count.sum())
    variance = np.where(np.diag(sums) > 1e-6 * usual * count, np.diag(sums) / np.maximum(count, 1.0), usual)
    sd = np.sqrt(variance)
    correlation = np.where(pairs > 2, sums / np.maximum(pairs, 1.0) / np.outer(sd, sd), 0.0)
    np.fill_diagonal(correlation, 1.0)
    sigma = _held(correlation * np.outer(sd, sd), 0.05)
    for _ in range(
        EXPECTATIONS
    ):  # of missing residuals given the others: Dempster, Laird and Rubin (1977), section 4.1.3
        done = invert(block, sigma)
        if done is None:
            break
        drawn = np.matmul(done[0][block.pattern], rest[:, :, None])[:, :, 0]
        gap = drawn.T @ drawn - np.tensordot(block.counts, done[0], 1)
        sigma = _held(sigma + sigma @ gap @ sigma / len(rest), 0.01)
    return sigma


def _held(sigma: Array, least: float) -> Array:
    """The matrix with no eigenvalue of its correlations below ``least``."""
    sd = np.sqrt(np.diag(sigma))
    values, vectors = np.linalg.eigh(sigma / np.outer(sd, sd))
    if values[0] >= least:
        return sigma
    correlation = vectors * np.maximum(values, least) @ vectors.T
    scale = sd / np.sqrt(np.diag(correlation))
    return np.asarray(correlation * np.outer(scale, scale))


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


def _inside(layout: Layout, at: Solved, where: str, edge: float = EDGE) -> None:
    """Raises where the covariance has run to the edge of what is possible, where it has no standard error."""
    for block, curve in zip(layout.blocks, at.curves, strict=True):
        sigma = curve.value if curve.value.ndim == 2 else curve.value[0]
        if block.distance is not None:
            sigma = sigma[np.ix_(block.present[0], block.present[0])]
        sd = np.sqrt(np.diag(sigma))
        if not (sd > 0.0).all() or np.linalg.eigvalsh(sigma / np.outer(sd, sd))[0] < edge:
            raise AnalysisError(
                "no maximum: the covariance matrix becomes singular", expected="one that is positive definite",
                where=f"{where}, group {block.label}",
                remedy="too few subjects for this structure, or a repeated measurement: name simpler structures as fall-backs",
            )  # fmt: skip
