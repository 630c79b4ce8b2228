"""What a cuff, a scale and a pulse would say, from a two-element Windkessel and a slow balance of water.

The twin's circulation is a closed loop of four chambers with time-varying elastances; this truth is only ::

    C P' = Q(t) - P/R,   Q(t) = SV pi/(2 te) sin(pi t/te) while 0 < t < te, else 0,   period T = 60/HR

solved in closed form for the periodic beat: with k = 1/(RC), w = pi/te, q = SV pi/(2 te C) ::

    systole   P = (P0 - B) exp(-kt) + A sin(wt) + B cos(wt),   A = q k/(k^2+w^2), B = -q w/(k^2+w^2)
    diastole  P = P(te) exp(-k (t - te)),     P0 = -B (exp(-k te) + 1) exp(-k (T-te)) / (1 - exp(-k T))

so that the mean is exactly R SV/T. A faster heart lowers the resistance (exponent 0.8, the baroreflex in one number),
the stroke a little (0.2), resistance drifts from day to day (log sd 6 %, correlation 2 days) and dips by 12 % in sleep,
each beat's stroke varies by 5 %. Ejection takes 0.32 s at 60/min and shortens as sqrt(T). Weight is a base, an
Ornstein-Uhlenbeck process of body water (sd 0.4 kg, 2 days), a meal-and-drink wave of 0.4 kg over the day, and where a
heart fails a retention of so many kg a day from an onset, with resistance rising by 2 % a day.

Readings: a cuff has its own bias (sd 2 mmHg) and scatter (4 systolic, 3 diastolic; ISO 81060-2 allows a mean error of
5 and an sd of 8, from memory) and shows whole mmHg; a scale scatters by 0.1 kg and shows 0.1 kg. All figures here
are plausible assumptions, not fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Haemodynamics:
    """One person's arteries and water at rest."""

    stroke_volume: float = 75.0  # mL
    resistance: float = 1.10  # mmHg s/mL
    compliance: float = 1.30  # mL/mmHg
    heart_rate: float = 66.0  # 1/min at which the above hold
    weight: float = 78.0  # kg
    retention: float = 0.0  # kg/day from the onset on
    onset_day: float = 1e9  # days after the start


@dataclass(frozen=True)
class Beat:
    """Pressures of a periodic beat, mmHg."""

    systolic: Array
    diastolic: Array
    mean: Array


def beat(
    heart_rate: Array | float, stroke: Array | float, resistance: Array | float, compliance: Array | float
) -> Beat:
    """The periodic solution above; arguments broadcast (1/min, mL, mmHg s/mL, mL/mmHg)."""
    rate, stroke, resistance, compliance = np.broadcast_arrays(
        *(np.asarray(a, float) for a in (heart_rate, stroke, resistance, compliance))
    )
    period = 60.0 / rate
    ejection = 0.32 * np.sqrt(period)
    k, w = 1.0 / (resistance * compliance), np.pi / ejection
    q = stroke * np.pi / (2.0 * ejection * compliance)
    a, b = q * k / (k * k + w * w), -q * w / (k * k + w * w)
    start = -b * (np.exp(-k * ejection) + 1.0) * np.exp(-k * (period - ejection)) / (1.0 - np.exp(-k * period))
    t = np.linspace(0.0, 1.0, 201).reshape(-1, *([1] * rate.ndim)) * ejection
    pressure = (start - b) * np.exp(-k * t) + a * np.sin(w * t) + b * np.cos(w * t)
    return Beat(pressure.max(axis=0), pressure.min(axis=0), resistance * stroke / period)


def _daily(rng: np.random.Generator, days: Array, sd: float, correlation: float) -> Array:
    """An Ornstein-Uhlenbeck process at increasing times (days)."""
    out = np.empty(len(days))
    normal = rng.standard_normal(len(days))
    for k, now in enumerate(days):
        keep = np.exp(-(now - days[k - 1]) / correlation) if k else 0.0
        out[k] = (keep * out[k - 1] if k else 0.0) + sd * np.sqrt(1.0 - keep * keep) * normal[k]
    return out


@dataclass(frozen=True)
class Pressures:
    """True pressures and what the cuff showed (mmHg), at the asked times."""

    truth: Beat
    systolic: Array
    diastolic: Array
    mean: Array


def pressures(
    rng: np.random.Generator, person: Haemodynamics, days: Array, heart_rate: Array, asleep: Array
) -> Pressures:
    """Cuff readings ``days`` after the start (increasing) at that true heart rate (1/min)."""
    days, heart_rate = np.asarray(days, float), np.asarray(heart_rate, float)
    relative = heart_rate / person.heart_rate
    drifting, stroking, upper, lower, middle = rng.spawn(5)
    fluid = np.exp(0.02 * np.maximum(days - person.onset_day, 0.0)) if person.retention else 1.0
    resistance = person.resistance * relative**-0.8 * np.exp(_daily(drifting, days, 0.06, 2.0)) * fluid
    resistance = resistance * np.where(np.asarray(asleep, bool), 0.88, 1.0)
    stroke = person.stroke_volume * relative**-0.2 * (1.0 + 0.05 * stroking.standard_normal(len(days)))
    truth = beat(heart_rate, stroke, resistance, person.compliance)
    bias = 2.0 * rng.standard_normal()
    systolic = np.round(truth.systolic + bias + 4.0 * upper.standard_normal(len(days)))
    diastolic = np.round(truth.diastolic + bias + 3.0 * lower.standard_normal(len(days)))
    mean = np.round(truth.mean + bias + 2.5 * middle.standard_normal(len(days)))
    diastolic = np.minimum(diastolic, systolic - 5.0)
    return Pressures(truth, systolic, diastolic, np.clip(mean, diastolic + 1.0, systolic - 1.0))


def weights(rng: np.random.Generator, person: Haemodynamics, days: Array, local_hour: Array) -> tuple[Array, Array]:
    """True weight and what the scale showed (kg), ``days`` after the start (increasing)."""
    days = np.asarray(days, float)
    flowing, weighing = rng.spawn(2)
    water = _daily(flowing, days, 0.4, 2.0) + 0.4 * np.sin(np.pi * (np.asarray(local_hour, float) - 6.0) / 24.0) ** 2
    truth = person.weight + water + person.retention * np.maximum(days - person.onset_day, 0.0)
    return truth, np.round(truth + 0.1 * weighing.standard_normal(len(days)), 1)
