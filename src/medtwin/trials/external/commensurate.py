"""Commensurate prior of a response rate: the current log odds about the historical one, at a distance that is learnt.

    theta ~ Normal(theta_0, sigma^2),  sigma ~ HalfNormal(scale),  theta_0 | history ~ Beta(a + r0, b + n0 - r0) of expit

(Hobbs, Carlin, Mandrekar & Sargent 2011, Biometrics 67:1047, with a half-normal deviation in place of a gamma precision.)
Given sigma the prior is the historical posterior smoothed by a normal; over sigma the smoothing has the Fourier transform

    E exp(-sigma^2 k^2 / 2) = (1 + scale^2 k^2)^(-1/2)

so that one transform there and back gives it exactly. Log odds have no unit.
"""

from __future__ import annotations

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.external.power_prior import power_prior
from medtwin.trials.external.rates import LogitGrid, likelihood_grid


def commensurate_prior(
    responders: float, patients: float, *, scale: float = 0.5, initial: tuple[float, float] = (1.0, 1.0)
) -> LogitGrid:
    """``scale`` of the distance between current and historical log odds; 0.5: odds apart by a factor of about 1.6."""
    if not 0.0 < scale <= 1.5:
        raise AnalysisError(f"scale {scale:g}", expected="above 0, up to 1.5 log odds", where="commensurate prior")
    grid = likelihood_grid()
    history = power_prior(responders, patients, 1.0, initial=initial).points()[1]
    frequency = 2.0 * np.pi * np.fft.rfftfreq(len(grid), float(grid[1] - grid[0]))
    return LogitGrid.of(grid, np.fft.irfft(np.fft.rfft(history) / np.sqrt(1.0 + (scale * frequency) ** 2), len(grid)))
