"""A trial's treated and (few) own controls, with history behind the controls through any prior of their rate or mean.

The control's rate is its prior updated with the own controls, the treated's its Beta prior updated; they are independent, so
that difference and its standard deviation are the means' difference and the root of the summed variances. History reaches
the answer through the prior alone.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.normal_prior import NormalMixture
from medtwin.trials.external.rates import BetaMixture, Mixed, RateDistribution, exceeds


def hybrid_difference(
    treated: tuple[float, float], control: tuple[float, float], prior: RateDistribution, *,
    treated_prior: tuple[float, float] = (1.0, 1.0), name: str = "borrowing", confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """``treated`` and ``control``: (responders, patients) of the trial. ``prior``: of the control rate, before the trial.

    Estimates "difference" (posterior mean and standard deviation, its interval by the normal approximation); notes: the
    probability that treatment is better, the control's exact interval, and what the vague part of a robust prior weighs.
    """
    own = prior.updated(*control)
    other = BetaMixture.of(*treated_prior).updated(*treated)
    means = np.array([own.mean(), other.mean()])
    spreads = np.array([own.standard_deviation(), other.standard_deviation()])
    method = f"hybrid control, {name}: posterior mean and standard deviation"
    tail = (1.0 - confidence) / 2.0
    notes = [
        f"P(treated rate > control rate) = {exceeds(other, own):.4f}",
        f"control rate {means[0]:.4f}, {confidence:.0%} interval {own.quantile(tail):.4f} to {own.quantile(1.0 - tail):.4f}",
    ]
    if isinstance(own, Mixed):
        notes.append(f"weight of the informative part after the trial: {own.weight:.4f}")
    estimate = Estimate(
        name="difference", value=float(means[1] - means[0]), standard_error=float(np.hypot(*spreads)), method=method,
        confidence=confidence,
    )  # fmt: skip
    return Analysis(
        method=method, estimates=(estimate,), patients={"control": int(control[1]), "treated": int(treated[1])},
        notes=tuple(notes), means=means, covariance=np.diag(spreads**2),
    )  # fmt: skip


def hybrid_mean_difference(
    treated: tuple[float, float], control: tuple[float, float], prior: NormalMixture, *, name: str = "borrowing",
    unit: str = "1", confidence: float = 0.95, patients: dict[str, int] | None = None,
) -> Analysis:  # fmt: skip
    """``treated`` and ``control``: (estimate, standard error) of the trial: means, log rates or log hazards. ``prior``: of the
    control's, before the trial. The treated's own estimate stands as it is (a flat prior).

    Estimates "difference"; notes: the probability that it is above 0, and the control's exact interval.
    """
    own = prior.updated(*control)
    value, error = treated
    if not (np.isfinite(value) and error > 0.0 and np.isfinite(error)):
        raise AnalysisError(f"{value:g} with error {error:g}", expected="finite, error above 0", where="treated")
    method = f"hybrid control, {name}: posterior mean and standard deviation"
    tail = (1.0 - confidence) / 2.0
    above = float(own.weight @ special.ndtr((value - own.centre) / np.hypot(own.spread, error)))
    notes = (
        f"P(treated > control) = {above:.4f}",
        f"control {own.mean():.4g}, {confidence:.0%} interval {own.quantile(tail):.4g} to {own.quantile(1.0 - tail):.4g}",
    )
    spreads = np.array([own.standard_deviation(), error])
    estimate = Estimate(
        name="difference", value=float(value - own.mean()), standard_error=float(np.hypot(*spreads)), method=method,
        unit=unit, confidence=confidence,
    )  # fmt: skip
    return Analysis(
        method=method, estimates=(estimate,), patients=patients or {}, notes=notes, means=np.array([own.mean(), value]),
        covariance=np.diag(spreads**2),
    )  # fmt: skip
