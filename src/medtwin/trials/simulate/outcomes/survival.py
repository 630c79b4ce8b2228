"""Times to an event: ``H_a(T) = -log Phi(-L)`` with cumulative hazard H; exponential, Weibull or piecewise.

    H_a(t) = HR^a lambda integral_0^t shape u^(shape-1) factor(u) du

so that the arms' marginal hazards are proportional whatever the score explains, and a higher L (and score) lives longer.
Entry is uniform over accrual; time ends at the event, drop-out (constant hazard), or the end of follow-up. External controls'
L lies ``drift`` higher.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import log_ndtr

from medtwin.trials.simulate.randomise import People, latent
from medtwin.trials.simulate.scenario import Scenario


def time_of(scenario: Scenario, hazard: np.ndarray) -> np.ndarray:
    """The time at which the control's cumulative hazard is ``hazard``."""
    assert scenario.hazard_control is not None
    lam, shape = scenario.hazard_control, scenario.shape
    if not scenario.cuts:
        return (hazard / lam) ** (1.0 / shape) if shape != 1.0 else hazard / lam
    edges = np.array([0.0, *scenario.cuts]) ** shape
    factors = np.array([1.0, *scenario.factors])
    reached = np.concatenate([[0.0], np.cumsum(lam * np.diff(edges) * factors[:-1])])
    piece = np.searchsorted(reached, hazard, side="right") - 1
    return (edges[piece] + (hazard - reached[piece]) / (lam * factors[piece])) ** (1.0 / shape)


def survival(scenario: Scenario, time: np.ndarray, treated: bool) -> np.ndarray:
    """P(T > time) of an arm."""
    assert scenario.hazard_control is not None
    edges = np.array([0.0, *scenario.cuts, np.inf])
    factors = np.array([1.0, *scenario.factors])
    inside = np.clip(time[..., None], edges[:-1], edges[1:]) ** scenario.shape - edges[:-1] ** scenario.shape
    rate = scenario.hazard_control * (scenario.hazard_ratio if treated else 1.0)
    return np.exp(-rate * (inside * factors).sum(axis=-1))


def draw(scenario: Scenario, rng: np.random.Generator, who: People, *, external: bool) -> dict[str, Any]:
    """Time (t, p), event and entry."""
    if any(scenario.correlations) or scenario.baseline_correlation or scenario.strata_correlation or external:
        hidden = latent(scenario, rng, who, scenario.correlations)
        if external:
            hidden += scenario.external_drift
        np.negative(hidden, out=hidden)
        hazard = -log_ndtr(hidden)
    else:  # the same law, which nothing explains
        hazard = rng.standard_exponential(who.score.shape)
    if scenario.hazard_ratio != 1.0:
        hazard /= np.exp(math.log(scenario.hazard_ratio) * who.arm)
    life = time_of(scenario, hazard)
    entry = scenario.accrual * rng.random(life.shape) if scenario.accrual else np.zeros(life.shape)
    time, event = life, np.ones(life.shape, dtype=bool)
    if scenario.dropout_hazard:
        left = rng.exponential(1.0 / scenario.dropout_hazard, life.shape)
        event, time = time <= left, np.minimum(time, left)
    if scenario.followup is not None:
        end = scenario.accrual + scenario.followup - entry
        event, time = event & (time <= end), np.minimum(time, end)
    return {"outcome": time, "event": event, "entry": entry}
