"""Posterior draws of the imputation model, by data augmentation.

Given completed outcomes ``y (n, m)`` with the model ``y_i ~ N(X_i β, Σ)`` and Jeffreys' prior, ``|Σ|^-(m+1)/2`` with β flat:

    Σ | β, y ~ inverse Wishart(n, Σ_i (y_i - X_i β)(y_i - X_i β)')
    β | Σ, y ~ N(β^, Φ)      Φ = (Σ_i X_i' Σ^-1 X_i)^-1,  β^ = Φ Σ_i X_i' Σ^-1 y_i
    missing | β, Σ, observed: normal, as in :mod:`medtwin.trials.missing.impute` under MAR

in turn (with a Σ for each arm if the specification says so). Started at the REML fit; ``BURN`` rounds are dropped, and one
in ``thin`` kept. Only outcomes that teach the model are conditioned on. Sources: Schafer, Analysis of Incomplete
Multivariate Data (1997), section 5.4; Carpenter, Roger and Kenward 2013, section 3.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import linalg

from medtwin.errors import AnalysisError
from medtwin.trials.missing.impute import Assumption, draw
from medtwin.trials.missing.model import Model, Specification, design, estimate, unpack
from medtwin.trials.missing.repeated import RepeatedTrial

Array = np.ndarray
BURN = 200


def posterior(
    trial: RepeatedTrial, assumption: Assumption, specification: Specification | None = None, *, draws: int, seed: int,
    thin: int = 20,
) -> tuple[Model, ...]:  # fmt: skip
    """``draws`` models. Only the unstructured covariance has this posterior; another raises :class:`AnalysisError`."""
    chosen = specification or Specification()
    if chosen.structure != "unstructured":
        raise AnalysisError(f"{chosen.structure} covariance", expected="unstructured, for posterior draws",
                            remedy="use parameters='bootstrap', which takes any structure")  # fmt: skip
    used = assumption.used(trial)
    model = estimate(trial, chosen, used)
    taught = used.any(1)
    m, arms = len(trial.visits), len(trial.arm_names)
    x, _ = design(trial, chosen.by_visit)
    x, arm = x[taught], trial.arm[taught]
    learning = replace(
        trial, outcome=np.where(used, trial.outcome, np.nan)[taught], arm=arm, covariates=trial.covariates[taught],
        before=np.full(len(arm), m), reason=("",) * len(arm),
    )  # fmt: skip
    at_random = Assumption(("MAR",) * len(arm), 0, "MAR")
    groups = [np.flatnonzero(arm == a) for a in range(arms)] if chosen.by_arm else [np.arange(len(arm))]
    if short := [len(group) for group in groups if len(group) <= m]:
        raise AnalysisError(f"{short[0]} patients for a covariance of {m} visits", expected="more patients than visits")
    rng = np.random.default_rng(seed)
    kept: list[Model] = []
    for turn in range(BURN + draws * thin):
        y = draw(learning, model, at_random, rng.standard_normal((len(arm), m)))
        residual = y - model.mean(arm, learning.covariates)
        sigmas = [_wishart(residual[group], rng) for group in groups]
        information, target = np.zeros((x.shape[2],) * 2), np.zeros(x.shape[2])
        for group, sigma in zip(groups, sigmas, strict=True):
            half = linalg.solve_triangular(np.linalg.cholesky(sigma), np.eye(m), lower=True)
            flat = (half @ x[group]).reshape(-1, x.shape[2])
            information += flat.T @ flat
            target += flat.T @ (y[group] @ half.T).ravel()
        lower = np.linalg.cholesky(information)
        middle = linalg.solve_triangular(lower, target, lower=True)
        beta = linalg.solve_triangular(lower.T, middle + rng.standard_normal(len(middle)))
        model = unpack(trial, chosen, beta, [sigmas[a if chosen.by_arm else 0] for a in range(arms)])
        if turn >= BURN and (turn - BURN + 1) % thin == 0:
            kept.append(model)
    return tuple(kept)


def _wishart(residual: Array, rng: np.random.Generator) -> Array:
    """Of the inverse Wishart distribution with n degrees of freedom about the residuals' squares, (m, m)."""
    n, m = residual.shape
    root = np.linalg.cholesky(residual.T @ residual)
    bartlett = np.tril(rng.standard_normal((m, m)), -1)
    bartlett[np.diag_indices(m)] = np.sqrt(rng.chisquare(n - np.arange(m)))
    half = root @ linalg.solve_triangular(bartlett, np.eye(m), lower=True).T  # Σ = L (A A')^-1 L' = (L A'^-1)(L A'^-1)'
    return np.asarray(half @ half.T)
