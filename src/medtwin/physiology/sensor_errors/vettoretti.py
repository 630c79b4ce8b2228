"""Dexcom G6, factory calibrated, ten days (Vettoretti 2019): a calibration that drifts over the life, and two noises.

Vettoretti2019: Vettoretti M, Del Favero S, Sparacino G, Facchinetti A. Modeling the error of factory-calibrated continuous
glucose monitoring sensors: application to Dexcom G6 sensor data. EMBC 2019, doi 10.1109/EMBC.2019.8856790, tables 1 and 2,
read in LoopInsighT1 (MIT). Eleven people with two sensors each. The spread between sensors is assumption: 0.05 of gain, 4
mg/dL of offset, as in ``medtwin.worlds.sensor``, such that the mean absolute relative difference is about the device's 9 %.
"""

from __future__ import annotations

from medtwin.physiology.sensor_errors.autoregression import Autoregression
from medtwin.physiology.sensor_errors.drifting import Drifting


def g6(*, gain_sd: float = 0.05, offset_sd: float = 4.0) -> Drifting:
    """The sensor; with both spreads at zero the mean one."""
    return Drifting(
        gain=(1.048, -0.033, 0.002),
        offset=(-6.398, 6.179, -0.448),
        own=Autoregression(1.220, -0.331, 3.641),
        common=Autoregression(1.34, -0.492, 5.538),
        lifetime=10.0,
        gain_sd=gain_sd,
        offset_sd=offset_sd,
    )
