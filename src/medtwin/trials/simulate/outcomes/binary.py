"""Binary: ``Y = 1`` where ``L < Phi^-1(p_a)``; external controls' threshold lies ``drift`` higher.

The score's loading rho on L has the wanted correlation r with Y itself: ``Cov(Y, m) = -rho phi(Phi^-1(p))``, in which the sign
is turned, so that a higher score goes with more events.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtri

from medtwin.trials.simulate.randomise import People, latent
from medtwin.trials.simulate.scenario import Scenario


def draw(scenario: Scenario, rng: np.random.Generator, who: People, *, external: bool) -> dict[str, Any]:
    """Outcomes (t, p) of 0 and 1."""
    assert scenario.risk_control is not None
    assert scenario.risk_treated is not None
    risks = (scenario.risk_control, scenario.risk_treated)
    loadings = tuple(
        r * math.sqrt(p * (1.0 - p)) * math.sqrt(2.0 * math.pi) * math.exp(0.5 * float(ndtri(p)) ** 2)
        for r, p in zip(scenario.correlations, risks, strict=True)
    )
    hidden = latent(scenario, rng, who, loadings)  # type: ignore[arg-type]
    floor = [-float(ndtri(p)) for p in risks]
    bound = floor[0] - scenario.external_drift if external else np.where(who.arm > 0.5, floor[1], floor[0])
    return {"outcome": (hidden > bound).astype(float)}
