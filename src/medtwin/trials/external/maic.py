"""Matching-adjusted indirect comparison: own patients against a trial of which only a table of means is known.

The own patients are weighted until their means are the other trial's (``tilting``; Signorovitch et al. 2010; NICE DSU TSD
18, Phillippo et al. 2016). Unanchored: the weighted patients of A against the other trial's patients of B, rebuilt from its
published curve or counts; it rests on every prognostic covariate being balanced. Anchored by a common arm C (Bucher 1997):

    log HR_AB = log HR_AC (weighted) - log HR_BC (as published),   variances add

and rests only on every effect modifier being balanced. A target of a variance is given through the covariate's square about
the published mean, that of a median through an indicator of being below it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.arms import two_arms
from medtwin.trials.external.balance import effective_sample_size
from medtwin.trials.external.effect import weighted_effect, weighted_hazard_ratio
from medtwin.trials.external.tilting import Tilt, tilt


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedValue:
    """What the other trial's paper says of one covariate, in the covariate's unit; what is None is not balanced."""

    mean: float | None = None  #: of an indicator: the share, 0...1
    standard_deviation: float | None = None  #: with the mean; on n, as the moment is
    median: float | None = None


def maic_weights(covariates: Mapping[str, np.ndarray], published: Mapping[str, PublishedValue]) -> Tilt:
    """Weights (patient,) of own patients from ``covariates`` name -> (patient,) and ``published`` name -> value.

    The coefficients' order: for each published name mean, square, median, as far as given.
    """
    absent = [name for name in published if name not in covariates]
    if absent or not published:
        raise AnalysisError(
            f"no covariate {absent}" if absent else "nothing published",
            expected=f"some of {list(covariates)}",
            where="MAIC",
        )
    columns, targets, names = [], [], []
    for name, value in published.items():
        held = np.asarray(covariates[name], dtype=float)
        if value.mean is not None:
            columns.append(held)
            targets.append(value.mean)
            names.append(name)
        if value.standard_deviation is not None:
            if value.mean is None or not value.standard_deviation >= 0.0:
                raise AnalysisError(
                    f"standard deviation {value.standard_deviation} of {name}",
                    expected="with its mean, at least 0",
                    where="MAIC",
                )
            columns.append(held**2)
            targets.append(value.mean**2 + value.standard_deviation**2)
            names.append(f"{name} squared")
        if value.median is not None:
            columns.append((held > value.median).astype(float))
            targets.append(0.5)
            names.append(f"{name} above the median")
    return tilt(np.column_stack(columns), np.asarray(targets), names=names, where="MAIC")


def unanchored(
    trial: TrialData, weights: np.ndarray, *, measures: tuple[str, ...] = ("odds ratio", "difference", "ratio"),
    confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """A (arm 1, own, weighted) against B (arm 0, rebuilt, each 1): hazard ratio of a trial with events, else ``measures``.

    ``weights`` (patient,) or (own patient,), the latter in the order of the own patients.
    """
    held = _over_all(trial, weights)
    size = effective_sample_size(held[trial.arm == 1])
    notes = (
        "unanchored: unbiased only if every prognostic covariate and effect modifier is balanced",
        f"own patients: {size:.1f} effective of {int((trial.arm == 1).sum())}",
    )
    if trial.event is not None:
        return weighted_hazard_ratio(trial, held, method="MAIC, unanchored", confidence=confidence, notes=notes)
    return weighted_effect(
        trial, held, measures=measures, method="MAIC, unanchored", confidence=confidence, notes=notes
    )


def anchored(own: Estimate, published: Estimate, *, name: str = "", confidence: float = 0.95) -> Analysis:
    """Bucher's difference of ``own`` (A against C, weighted) and ``published`` (B against C), on their common scale."""
    if own.scale != published.scale:
        raise AnalysisError(
            f"scales {own.scale} and {published.scale}", expected="the same scale", where="MAIC, anchored"
        )
    method = "MAIC, anchored by the common arm (Bucher)"
    estimate = Estimate(
        name=name or own.name, value=own.value - published.value, scale=own.scale, method=method, unit=own.unit,
        standard_error=math.hypot(own.standard_error, published.standard_error), confidence=confidence,
    )  # fmt: skip
    notes = ("anchored: unbiased only if every effect modifier is balanced",)
    return Analysis(method=method, estimates=(estimate,), patients={}, notes=notes)


def _over_all(trial: TrialData, weights: np.ndarray) -> np.ndarray:
    _, treated = two_arms(trial, "MAIC, unanchored")
    held = np.asarray(weights, dtype=float)
    if held.shape == (int(treated.sum()),):
        spread = np.ones(len(trial.arm))
        spread[treated] = held
        return spread
    return held
