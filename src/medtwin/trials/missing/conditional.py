"""Conditional-mean imputation: each missing outcome at its expectation, the standard error from resampling.

The estimate is ANCOVA of the outcomes completed once, with the model fitted to everybody. Deleting patient i, or drawing
patients anew, everything is done again, model and all, to an estimate ``θ_i``:

    jackknife  SE² = (n-1)/n Σ (θ_i - mean θ)²        bootstrap  SE² = Σ (θ_b - mean θ)² / (B-1)

with normal quantiles. Unlike Rubin's rules under reference-based imputation, whose standard error is larger than the
estimate's spread in repeated trials, these estimate that spread. Source: Wolbers, Noci, Delmar, Gower-Page, Yiu and
Bartlett, Pharm Stat 21 (2022): 1246.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.estimate import Estimate
from medtwin.trials.missing.contrasts import Contrasts
from medtwin.trials.missing.delta import Delta, shift
from medtwin.trials.missing.impute import Assumption, conditional_means
from medtwin.trials.missing.model import Specification
from medtwin.trials.missing.repeated import RepeatedTrial
from medtwin.trials.missing.samples import Samples, jackknife

Array = np.ndarray


def conditional_mean(
    trial: RepeatedTrial, *, strategy: str | Mapping[str, str] = "MAR", reference: str | None = None,
    specification: Specification | None = None, samples: Samples | None = None, replicates: Replicates | None = None,
    delta: Delta | None = None, adjusted: bool = True, confidence: float = 0.95, unit: str = "1",
) -> Analysis:  # fmt: skip
    """Arm less control, and each arm's mean, at every visit: ``DRUG - PLACEBO at week 24``, ``mean DRUG at week 24``.

    ``strategy``: of :data:`~medtwin.trials.missing.strategies.STRATEGIES`, one or one for each reason; ``reference``: arm,
    control if nothing is said; ``samples``: made before (none: the jackknife); ``replicates``: made before, with
    the same of all these; ``delta``: added to imputed outcomes;
    ``adjusted``: ANCOVA has the covariates. Raises :class:`AnalysisError`.
    """
    assumption = Assumption.of(trial, strategy, reference)
    held = samples or jackknife(trial, assumption, specification)
    held.check(trial, assumption)
    made = replicates or Replicates.of(trial, assumption, held, adjusted)
    completed, thetas = made.shifted(shift(trial, delta))
    contrasts = Contrasts(trial, adjusted)
    theta = (contrasts.weights() @ completed).T  # (m, e)
    spread = _spread(held.kind, thetas)
    sure = "jackknife" if held.kind == "jackknife" else f"bootstrap of {len(held.models)}"
    method = (
        f"conditional-mean imputation, {assumption.words}{'' if delta is None else f', {delta.words}'}, ANCOVA, {sure}"
    )
    estimates = [
        Estimate(
            name=name, value=float(value), standard_error=float(error), method=method, confidence=confidence, unit=unit
        )
        for name, value, error in zip(
            contrasts.named(trial.visits), theta.ravel(), np.sqrt(spread).ravel(), strict=True
        )
    ]
    return Analysis(
        method=method, estimates=tuple(estimates), patients=trial.patients,
        notes=(*trial.notes, *trial.imputed(), _referred(trial, assumption), *held.notes),
    )  # fmt: skip


@dataclass(frozen=True)
class Replicates:
    """Completed outcomes and every sample's estimates, both linear in what is added to the imputed outcomes."""

    completed: Array  #: (n, m) with the fit to everybody
    thetas: Array  #: (b, m, e)
    weights: tuple[Array, ...]  #: (b,) of (e, patients of the sample): estimates from outcomes
    rows: tuple[Array, ...]

    @classmethod
    def of(cls, trial: RepeatedTrial, assumption: Assumption, samples: Samples, adjusted: bool = True) -> Replicates:
        """The slow part: every sample's conditional means."""
        contrasts = Contrasts(trial, adjusted)
        weights = tuple(contrasts.weights(rows) for rows in samples.rows)
        thetas = [
            (each @ conditional_means(trial, model, assumption)[rows]).T
            for each, model, rows in zip(weights, samples.models, samples.rows, strict=True)
        ]
        return cls(conditional_means(trial, samples.full, assumption), np.stack(thetas), weights, samples.rows)

    def shifted(self, added: Array) -> tuple[Array, Array]:
        """Both with ``added (n, m)``, which is zero where an outcome was observed."""
        if not added.any():
            return self.completed, self.thetas
        more = [(each @ added[rows]).T for each, rows in zip(self.weights, self.rows, strict=True)]
        return self.completed + added, self.thetas + np.stack(more)


def _spread(kind: str, thetas: Array) -> Array:
    b = len(thetas)
    if b < 2:
        raise AnalysisError(f"{b} samples", expected="at least 2")
    squares = ((thetas - thetas.mean(0)) ** 2).sum(0)
    return np.asarray(squares * (b - 1) / b if kind == "jackknife" else squares / (b - 1))


def _referred(trial: RepeatedTrial, assumption: Assumption) -> str:
    said = f"after an event: {assumption.words}; reference arm {trial.arm_names[assumption.reference]}"
    first = int(
        sum(b == 0 and s in ("JR", "CR", "CIR", "LMCF") for b, s in zip(trial.before, assumption.strategy, strict=True))
    )
    return said + (
        f"; {first} patients with the event before the first visit have the reference arm's means" if first else ""
    )
