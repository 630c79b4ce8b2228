"""The maximum of the likelihood: EM steps, which never go down, then quasi-Newton, then Newton until nothing is left to gain.

Convergence is Newton's decrement: twice the log likelihood that a quadratic still promises, below 1e-9. Where that is not
reached, EM goes on and the round is tried again; at last an error says how far it came. A variance of zero is a maximum
like any other (:mod:`~medtwin.trials.prognostic.mixed.parameters`); it is told as a note.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.mixed.likelihood import Layout, solve
from medtwin.trials.prognostic.mixed.parameters import Packing, root

Array = np.ndarray
ENOUGH = 1e-9  #: decrement
FLAT = 1e-7  #: share of the steepest curvature below which a direction is flat: a rotation that leaves G as it is
EDGE = 1e-6  #: least eigenvalue of the residual correlations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optimum:
    """θ at the maximum, and minus the second derivatives there."""

    theta: Array
    log_likelihood: float
    curvature: Array  #: (size, size)
    decrement: float
    evaluations: int
    notes: tuple[str, ...]


def expectation_maximisation(layout: Layout, g: Array, r: Array, steps: int, *, reml: bool) -> tuple[Array, Array]:
    """``steps`` steps from G and R."""
    n, j = len(layout.starts), len(layout.y)
    for _ in range(steps):
        at = solve(layout, root(g), r, reml=reml)
        assert at.gradient is not None
        g = g + (2.0 / n) * g @ at.gradient[0] @ g
        r = r + (2.0 / j) * r @ at.gradient[1] @ r
        g, r = (g + g.T) / 2.0, (r + r.T) / 2.0
    return g, r


def maximise(
    layout: Layout, g: Array, r: Array, *, reml: bool = True, rounds: int = 6, where: str = "mixed model"
) -> Optimum:
    """From a positive definite start. Raises :class:`AnalysisError` where there is no maximum."""
    packing = Packing(len(g), len(r))
    count, decrement = 0, np.inf

    def minus(theta: Array) -> tuple[float, Array]:
        nonlocal count
        count += 1
        return packing.minus(layout, theta, reml)

    for go in range(rounds):
        try:
            g, r = expectation_maximisation(layout, g, r, 15 * 2**go, reml=reml)
        except np.linalg.LinAlgError as error:
            raise _degenerate(where) from error
        count += 15 * 2**go
        found = optimize.minimize(
            minus, packing.pack(g, r), jac=True, method="L-BFGS-B",
            options={"maxiter": 500, "maxcor": 30, "ftol": 1e-13, "gtol": 1e-6},
        )  # fmt: skip
        theta, value = np.asarray(found.x), float(found.fun)
        curvature, decrement = np.eye(packing.size), np.inf
        for _ in range(12):
            value, slope = minus(theta)
            curvature = second(packing, layout, theta, reml)
            count += 2 * packing.size
            values, vectors = np.linalg.eigh(curvature)
            along = vectors.T @ slope
            held = np.abs(values) > FLAT * values[-1]
            step = -(vectors[:, held] / np.abs(values[held])) @ along[held]
            decrement = float(np.sum(along[held] ** 2 / np.abs(values[held])) + np.sum(along[~held] ** 2) / values[-1])
            if decrement < ENOUGH and values[0] < -1e-5 * values[-1]:  # a saddle: a variance of zero that wants to grow
                step, decrement = 0.1 * vectors[:, 0] / np.sqrt(abs(values[0])), np.inf
            elif decrement < ENOUGH:
                break
            for shrink in 0.5 ** np.arange(12):
                if minus(theta + shrink * step)[0] < value:
                    theta = theta + shrink * step
                    break
            else:
                break
        lower, residual = packing.unpack(theta)
        g, r = lower @ lower.T, residual @ residual.T
        sd = np.sqrt(np.diag(r))
        if np.linalg.eigvalsh(r / np.outer(sd, sd))[0] < EDGE:
            raise _degenerate(where)
        if decrement < ENOUGH:
            return Optimum(theta=theta, log_likelihood=-value, curvature=curvature, decrement=decrement,
                           evaluations=count, notes=_edge(g))  # fmt: skip
    raise AnalysisError(
        f"no convergence after {count} evaluations, decrement {decrement:.1e}", expected=f"below {ENOUGH:g}", where=where,
        remedy="random intercepts alone, or fewer covariates",
    )  # fmt: skip


def second(packing: Packing, layout: Layout, theta: Array, reml: bool) -> Array:
    """Second derivatives of minus the log likelihood, by central differences of its exact gradient."""
    step = 1e-4
    rows = []
    for k in range(packing.size):
        e = np.zeros(packing.size)
        e[k] = step
        rows.append(
            (packing.minus(layout, theta + e, reml)[1] - packing.minus(layout, theta - e, reml)[1]) / (2.0 * step)
        )
    whole = np.array(rows)
    return np.asarray((whole + whole.T) / 2.0)


def _edge(g: Array) -> tuple[str, ...]:
    sd = np.sqrt(np.maximum(np.diag(g), 0.0))
    if (sd < 1e-4).any():
        return ("a random effect has no variance at the maximum: the data show none",)
    if np.linalg.eigvalsh(g / np.outer(sd, sd))[0] < 1e-6:
        return ("random effects are perfectly correlated at the maximum: the data cannot tell them apart",)
    return ()


def _degenerate(where: str) -> AnalysisError:
    return AnalysisError(
        "a residual covariance that becomes singular", expected="outcomes with an error of their own", where=where,
        remedy="an outcome that another one determines, or too few visits: leave an outcome out",
    )  # fmt: skip
