"""Continuous: ``Y = s_a L + A (effect + heterogeneity m)``; external controls ``+ drift s_0``."""

from __future__ import annotations

from typing import Any

import numpy as np

from medtwin.trials.simulate.randomise import People, latent
from medtwin.trials.simulate.scenario import Scenario


def draw(scenario: Scenario, rng: np.random.Generator, who: People, *, external: bool) -> dict[str, Any]:
    """Outcomes (t, p)."""
    y = latent(scenario, rng, who, scenario.correlations)
    sd0, sd1 = scenario.sds
    if sd0 == sd1:
        y *= sd0
    else:
        y *= np.where(who.arm > 0.5, sd1, sd0)
    if scenario.effect:
        y += scenario.effect * who.arm
    if scenario.heterogeneity:
        y += scenario.heterogeneity * who.arm * who.score
    if external:
        y += scenario.external_drift * sd0
    return {"outcome": y}
