"""A continuous glucose sensor: Dexcom G6 after Vettoretti (2019), with faults that can be planted.

A reading every five minutes, t days after insertion, from interstitial glucose C (mg/dL)::

    C'      = (G - C)/tau                      (integrated with the person; ``hovorka.Parameters.sensor_lag``)
    reading = (a(t) + da) C + b(t) + db + v + w + fault
    a(t)    = 1.048 - 0.033 t + 0.002 t^2      b(t) = -6.398 + 6.179 t - 0.448 t^2          (mg/dL, t in days)
    v_k     = 1.220 v_(k-1) - 0.331 v_(k-2) + e,  var e 3.641     the sensor's own
    w_k     = 1.340 w_(k-1) - 0.492 w_(k-2) + e,  var e 5.538     common to sensors on one body

Below 40 the device says "Low", above 400 "High". A sensor lives ten days; after a change it warms up for two hours.
The stationary variance of an AR(2) with coefficients p, q and innovation s^2 is (1-q) s^2 / ((1+q) ((1-q)^2 - p^2)):
25.6 and 37.8 (mg/dL)^2, together a standard deviation of 8.0 mg/dL.

Sources. Vettoretti et al., EMBC 2019, 8856790, tables 1 and 2, read in LoopInsighT1. That code steps the noise once a
minute; here it is stepped once a reading, because only then does the error stay correlated over a quarter of an hour
(about 0.6), as Breton 2008 found (0.7). The paper's own sampling was not read. ``da`` and ``db`` let sensors differ
(sd 0.05 and 4 mg/dL: assumption, such that the mean absolute relative difference comes to about 9 %).

Faults. Compression: a dip of 35-60 mg/dL for 20-35 minutes with ramps of one reading, mostly in sleep. Bias: a constant
offset. Drop-out: no readings for a while. Missing: single readings lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GAIN = (1.048, -0.033, 0.002)  # a(t), t in days
OFFSET = (-6.398, 6.179, -0.448)  # b(t), mg/dL
OWN = (1.220, -0.331, 3.641)  # AR(2) and innovation variance, (mg/dL)^2
COMMON = (1.340, -0.492, 5.538)
GAIN_SD, OFFSET_SD = 0.05, 4.0  # between sensors; assumption
WEAR_DAYS, WARM_UP_MINUTES, READING_MINUTES = 10.0, 120, 5
LOW, HIGH = 40.0, 400.0  # mg/dL
MISSING = 0.01  # share of single readings lost; assumption


@dataclass(frozen=True)
class Fault:
    """A planted fault of a sensor: what, from which minute, for how long, how large (mg/dL; 0 where meaningless)."""

    kind: str  # compression | bias | dropout
    start: int
    minutes: int
    size: float = 0.0


@dataclass(frozen=True)
class Errors:
    """What one sensor site adds to each reading: reading = gain C + offset unless lost. The parts are the truth."""

    gain: Array
    offset: Array  # calibration, noise and faults together, mg/dL
    noise: Array  # of that: the two autoregressions
    fault: Array  # of that: planted compression and bias
    lost: NDArray[np.bool_]


def stationary_variance(law: tuple[float, float, float]) -> float:
    first, second, innovation = law
    return (1 - second) * innovation / ((1 + second) * ((1 - second) ** 2 - first**2))


def autoregression(rng: np.random.Generator, count: int, law: tuple[float, float, float]) -> Array:
    """``count`` steps of a stationary AR(2), started from its stationary law."""
    first, second, innovation = law
    variance = stationary_variance(law)
    neighbour = first / (1 - second)
    normal = rng.standard_normal(count + 2)
    out = np.empty(count + 2)
    out[0] = np.sqrt(variance) * normal[0]
    out[1] = neighbour * out[0] + np.sqrt(variance * (1 - neighbour**2)) * normal[1]
    shock = np.sqrt(innovation) * normal
    for k in range(2, count + 2):
        out[k] = first * out[k - 1] + second * out[k - 2] + shock[k]
    return out[2:]


def calibration(days: Array) -> tuple[Array, Array]:
    """Gain (1) and offset (mg/dL) of the mean sensor ``days`` after insertion."""
    days = np.asarray(days, float)
    return (
        GAIN[0] + GAIN[1] * days + GAIN[2] * days**2,
        OFFSET[0] + OFFSET[1] * days + OFFSET[2] * days**2,
    )


def errors(
    rng: np.random.Generator,
    readings: int,
    faults: tuple[Fault, ...] = (),
    *,
    worn: float | None = None,
    missing: float = MISSING,
) -> Errors:
    """Errors of ``readings`` readings on one body, whose sensor had been worn ``worn`` days before (else random)."""
    wearing, gains, offsets, own, common, losing = rng.spawn(6)  # own streams: more readings do not change earlier ones
    start = float(wearing.uniform(0.2, WEAR_DAYS)) if worn is None else worn
    age = start + np.arange(readings) * READING_MINUTES / 1440.0
    wear = np.floor(age / WEAR_DAYS).astype(int)
    day = age - wear * WEAR_DAYS
    gain, offset = calibration(day)
    sensors = int(wear[-1]) + 1 if readings else 1
    gain = gain + (GAIN_SD * np.clip(gains.standard_normal(sensors), -2.5, 2.5))[wear]
    offset = offset + (OFFSET_SD * np.clip(offsets.standard_normal(sensors), -2.5, 2.5))[wear]
    noise = autoregression(own, readings, OWN) + autoregression(common, readings, COMMON)
    lost = losing.random(readings) < missing
    lost |= (wear > 0) & (day * 1440.0 < WARM_UP_MINUTES)
    extra = np.zeros(readings)
    for fault in faults:
        first, last = fault.start // READING_MINUTES, (fault.start + fault.minutes) // READING_MINUTES
        inside = np.arange(max(first, 0), min(last + 1, readings))
        if fault.kind == "compression":
            edge = np.minimum(inside - first, last - inside) + 1
            extra[inside] += fault.size * np.minimum(edge / 2.0, 1.0)
        elif fault.kind == "bias":
            extra[inside] += fault.size
        elif fault.kind == "dropout":
            lost[inside] = True
        else:
            raise ValueError(f"found fault {fault.kind!r}; expected compression, bias or dropout")
    return Errors(gain, offset + noise + extra, noise, extra, lost)


def random_faults(
    rng: np.random.Generator,
    nights: list[tuple[int, int]],
    minutes: int,
    *,
    compression: float = 0.0,
    bias: float = 0.0,
    dropout: float = 0.0,
) -> tuple[Fault, ...]:
    """Plant faults by chance: a compression per night (start, end minute), a bias or a drop-out per day."""
    out: list[Fault] = []
    rng, daily = rng.spawn(2)
    for start, end in nights:
        if rng.random() < compression and end - start > 120:
            begin = int(rng.integers(start + 40, end - 60))
            if 0 <= begin < minutes:
                out.append(Fault("compression", begin, int(rng.integers(20, 36)), -float(rng.uniform(35.0, 60.0))))
    for day in range(minutes // 1440):
        if daily.random() < bias:
            size = float(daily.choice([-1.0, 1.0]) * daily.uniform(18.0, 35.0))
            out.append(Fault("bias", day * 1440 + int(daily.integers(0, 1200)), int(daily.integers(240, 900)), size))
        if daily.random() < dropout:
            out.append(Fault("dropout", day * 1440 + int(daily.integers(0, 1300)), int(daily.integers(30, 150))))
    return tuple(out)


def display(value: float) -> tuple[float, str]:
    """What the device shows: whole mg/dL, or "Low" and "High" beyond its range (the value is then the bound)."""
    if value < LOW:
        return LOW, "Low"
    if value > HIGH:
        return HIGH, "High"
    return float(round(value)), str(round(value))
