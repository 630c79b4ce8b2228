"""Dexcom SEVEN Plus (Facchinetti 2014) and its successor with one noise, Dexcom G5 (Vettoretti 2018).

The G4 has a paper of its own (Facchinetti2015: MARD 11.1 % against 14.2 % of the SEVEN Plus, each part of the error about
30 % less), whose table could not be read: no values for it are given here.

Facchinetti2014: Facchinetti A, Del Favero S, Sparacino G, et al. Modeling the glucose sensor error. IEEE Trans Biomed Eng
2014;61:620-629. Vettoretti2018: Vettoretti M, Facchinetti A, Sparacino G, Cobelli C. Type-1 diabetes patient decision
simulator for in silico testing safety and effectiveness of insulin treatments. IEEE Trans Biomed Eng 2018;65:1281-1290.
Facchinetti2015: Model of glucose sensor error components: identification and assessment for new Dexcom G4 generation
devices. Med Biol Eng Comput 2015;53:1259-1269. The values below: read in LoopInsighT1 (MIT), which names the tables.
The spread between sensors is in the papers but was not read: zero here, so the sensor is the mean one.
"""

from __future__ import annotations

from medtwin.physiology.sensor_errors.autoregression import Autoregression
from medtwin.physiology.sensor_errors.drifting import Drifting

HALF_A_DAY = 0.5  # between two calibrations, the domain of these fits (Vettoretti2019)


def seven_plus() -> Drifting:
    """Facchinetti2014: table 1 (calibration), equations 13 (common) and 14 (own)."""
    return Drifting(
        gain=(1.1, 2e-4, 0.0),
        offset=(-14.8, 0.04, 0.0),
        own=Autoregression(1.013, -0.2135, 14.45),
        common=Autoregression(1.23, -0.3995, 11.3),
        lifetime=HALF_A_DAY,
    )


def g5() -> Drifting:
    """Vettoretti2018: tables 1 and 2; no common part."""
    return Drifting(
        gain=(1.04, 0.02, 0.0),
        offset=(-8.75, 0.0, 0.0),
        own=Autoregression(1.27, -0.42, 7.64),
        common=Autoregression(0.0, 0.0, 0.0),
        lifetime=HALF_A_DAY,
    )
