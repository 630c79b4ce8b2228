"""The test that planning of binary and count outcomes counts on: adjusted means with a slope in each arm, and Welch's t.

    mean_a = ybar_a + b_a (xbar - xbar_a),   v_a = g'(mean_a)^2 s_a^2 (1/n_a + (xbar - xbar_a)^2 / S_a),   s_a^2 on n_a - 1 - q
    SE^2 = v_0 + v_1 + (g'_1 b_1 - g'_0 b_0)^2 s_x^2 / n,   df = (v_0 + v_1)^2 / (v_0^2/(n_0-1-q) + v_1^2/(n_1-1-q))

of one covariate (q = 1) or none, g the identity, log or logit: influence-function variance of linear g-computation, with the
covariate's mean a draw (``planning/marginal.py``, ``planning/binary.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.marginal import contrast
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits
from medtwin.trials.simulate.scenario import Scenario

MEASURES = ("difference", "ratio", "odds ratio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Difference, log ratio or log odds ratio of adjusted means."""

    adjust: str = "score"  #: or none
    measure: str = "difference"
    endpoints: ClassVar[tuple[str, ...]] = ("continuous", "binary", "count")

    @property
    def name(self) -> str:
        """In words."""
        return f"adjusted means, {self.measure}, Welch, {self.adjust}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """Batched."""
        if self.measure not in MEASURES or self.adjust not in ("none", "score") or batch.lost is not None:
            raise AnalysisError(f"{self.measure!r}, {self.adjust!r}", expected=f"{MEASURES}; none or score; nothing missing",
                                where="adjusted means")  # fmt: skip
        q = int(self.adjust == "score")
        arm = np.broadcast_to(batch.arm, batch.outcome.shape)
        overall = batch.score.mean(axis=-1)
        means, slopes, spreads, counts = [], [], [], []
        with np.errstate(divide="ignore", invalid="ignore"):
            for code in (0.0, 1.0):
                mine = (arm == code).astype(float)
                n = mine.sum(axis=-1)
                y_bar, x_bar = (batch.outcome * mine).sum(axis=-1) / n, (batch.score * mine).sum(axis=-1) / n
                y, x = (batch.outcome - y_bar[:, None]) * mine, (batch.score - x_bar[:, None]) * mine
                squares = (x * x).sum(axis=-1)
                slope = q * (x * y).sum(axis=-1) / squares
                residual = ((y - slope[:, None] * x) ** 2).sum(axis=-1) / (n - 1 - q)
                away = q * (overall - x_bar)
                means.append(y_bar + slope * away)
                slopes.append(slope)
                spreads.append(residual * (1.0 / n + away**2 / squares))
                counts.append(n - 1.0 - q)
            m0, m1 = means
            value, d0, d1 = _scale(self.measure, m0, m1)
            v0, v1 = d0**2 * spreads[0], d1**2 * spreads[1]
            varied = (d1 * slopes[1] - d0 * slopes[0]) ** 2 * batch.score.var(axis=-1, ddof=1) / batch.patients
            df = (v0 + v1) ** 2 / (v0**2 / counts[0] + v1**2 / counts[1])
            error = np.sqrt(v0 + v1 + varied)
        bad = ~(np.isfinite(value) & (error > 0.0) & np.isfinite(df))
        return Fits(np.where(bad, np.nan, value), np.where(bad, np.nan, error), np.where(bad, np.nan, df))

    def truth(self, scenario: Scenario) -> float | None:
        """From the arms' means."""
        if scenario.endpoint == "continuous":
            return scenario.effect if self.measure == "difference" else None
        if scenario.endpoint == "binary":
            assert scenario.risk_control is not None
            assert scenario.risk_treated is not None
            return contrast(self.measure, scenario.risk_control, scenario.risk_treated, "truth")[0]
        assert scenario.rate_control is not None
        if self.measure == "ratio":
            return math.log(scenario.rate_ratio)
        return scenario.rate_control * scenario.exposure * (scenario.rate_ratio - 1.0)


def _scale(measure: str, m0: np.ndarray, m1: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(g(m1) - g(m0), g'(m0), g'(m1))."""
    if measure == "difference":
        return m1 - m0, np.ones_like(m0), np.ones_like(m1)
    if measure == "ratio":
        return np.log(m1 / m0), 1.0 / m0, 1.0 / m1
    s0, s1 = m0 * (1.0 - m0), m1 * (1.0 - m1)
    return np.log(m1 / (1.0 - m1)) - np.log(m0 / (1.0 - m0)), 1.0 / s0, 1.0 / s1
