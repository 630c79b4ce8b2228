"""Many people's days at once: the loop in which bodies, sensors and people's decisions act on each other.

Each minute every person eats what the plan says, the pump gives its basal rate and what is due as a bolus, and the body
(``hovorka.step``) moves on. Every fifth minute the sensor reads. People dose on what they see, with their own imperfect
figures (ratio, correction factor), not on the truth::

    bolus = counted grams/ratio + (reading - target)/factor - insulin on board, the latter where |reading - target| > 30

rounded to 0.05 U. A reading below 65 mg/dL while the person can notice it is answered by 15 g of fast carbohydrate, at
most each 25 minutes; a reading above 240 three hours after the last bolus is sometimes corrected. The person with a
reading lost or a sensor in warm-up doses without correction. All people share one step, so a cohort costs about as much
as one person; each person's chances come from an own stream, so nobody's life depends on who else is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtwin.worlds import hovorka
from medtwin.worlds.life import Habits, Plan
from medtwin.worlds.sensor import LOW, READING_MINUTES, Errors

Array = NDArray[np.float64]

TARGET = 120.0  # mg/dL people aim at
IOB_MINUTES = 110.0  # decay of the pump's own estimate of insulin on board
RESCUE_GRAMS, RESCUE_BELOW, RESCUE_EVERY = 15.0, 65.0, 25
CORRECT_ABOVE, CORRECT_AFTER = 240.0, 180


@dataclass(frozen=True)
class Dosing:
    """One person's own figures, which are not quite right."""

    ratio: float  # g/U
    factor: float  # mg/dL per U
    basal: Array  # U/h of each minute


@dataclass(frozen=True)
class Setup:
    """All that acts on one person, each array one value a minute."""

    parameters: hovorka.Parameters
    start_glucose: float  # mmol/L
    plan: Plan
    habits: Habits
    heart_rate: Array
    uptake_sensitivity: Array
    production_sensitivity: Array
    errors: Errors
    dosing: Dosing
    chances: Array  # [reading, 3] uniform: corrects, notices a low, logs the rescue
    given: tuple[tuple[int, float], ...] = ()  # further boluses: minute, U


@dataclass(frozen=True)
class Outcome:
    """One person's truth (per minute) and what the sensor said (per reading, NaN where lost)."""

    glucose: Array  # plasma, mg/dL
    interstitial: Array  # mg/dL
    insulin: Array  # plasma, mU/L
    eaten: Array  # g in each minute
    bolus: Array  # U in each minute
    basal: Array  # U/h
    readings: Array  # mg/dL, unrounded and unclipped
    boluses: tuple[tuple[int, float], ...]  # minute, U
    rescues: tuple[tuple[int, float, bool], ...]  # minute, g, logged


def simulate(people: list[Setup], minutes: int) -> list[Outcome]:
    """Run all ``people`` for ``minutes``."""
    count = len(people)
    parameters = hovorka.stack([s.parameters for s in people])
    state, _ = hovorka.steady_state(parameters, np.array([s.start_glucose for s in people]))
    basal = np.stack([s.dosing.basal[:minutes] for s in people], axis=1)
    heart = np.stack([s.heart_rate[:minutes] for s in people], axis=1)
    uptake = np.stack([s.uptake_sensitivity[:minutes] for s in people], axis=1)
    production = np.stack([s.production_sensitivity[:minutes] for s in people], axis=1)
    gain = np.stack([s.errors.gain for s in people], axis=1)
    offset = np.stack([s.errors.offset for s in people], axis=1)
    lost = np.stack([s.errors.lost for s in people], axis=1)
    dips = np.stack([s.errors.fault for s in people], axis=1) < -25.0
    chances = np.stack([s.chances for s in people], axis=1)
    asleep = np.stack([s.plan.asleep(minutes) for s in people], axis=1)
    doses = np.array([s.habits.doses for s in people])
    corrects = np.array([s.habits.corrects for s in people])
    logs = np.array([s.habits.logs_rescue for s in people])
    ratio = np.array([s.dosing.ratio for s in people])
    factor = np.array([s.dosing.factor for s in people])

    eaten, gut = np.zeros((minutes, count)), np.ones((minutes, count))
    due: dict[int, list[tuple[int, float]]] = {}
    for i, s in enumerate(people):
        for meal in s.plan.meals:
            eaten[meal.minute : meal.minute + meal.minutes, i] += meal.grams / meal.minutes
            gut[meal.minute :, i] = meal.gut_factor
            if meal.bolus_minute is not None and 0 <= meal.bolus_minute < minutes:
                due.setdefault(meal.bolus_minute, []).append((i, meal.counted))

    bolus = np.zeros((minutes, count))
    for i, s in enumerate(people):
        for minute, units in s.given:
            bolus[minute, i] += units
    glucose, interstitial, insulin = (np.zeros((minutes, count)) for _ in range(3))
    readings = np.full((-(-minutes // READING_MINUTES), count), np.nan)
    shown = np.full(count, np.nan)
    on_board, last_bolus, last_rescue = np.zeros(count), np.full(count, -(10**6)), np.full(count, -(10**6))
    rescues: list[list[tuple[int, float, bool]]] = [[] for _ in people]
    per_gram, keep = 1000.0 / hovorka.GLUCOSE_MG_PER_MMOL, float(np.exp(-1.0 / IOB_MINUTES))
    volume = hovorka.MG_DL / (parameters.glucose_volume * parameters.body_weight)

    for m in range(minutes):
        glucose[m], interstitial[m], insulin[m] = state[0] * volume, state[10] * hovorka.MG_DL, state[4]
        if m % READING_MINUTES == 0:
            k = m // READING_MINUTES
            shown = np.where(lost[k], np.nan, gain[k] * interstitial[m] + offset[k])
            readings[k] = shown
            notices = chances[k, :, 1] < np.where(asleep[m], 0.5, 0.95)
            low = doses & (shown < RESCUE_BELOW) & ~dips[k] & notices & (m - last_rescue > RESCUE_EVERY)
            for i in np.flatnonzero(low).tolist():
                eaten[m : m + 3, i] += RESCUE_GRAMS / 3.0
                gut[m : m + 60, i] = 0.5
                last_rescue[i] = m
                rescues[i].append((m, RESCUE_GRAMS, bool(chances[k, i, 2] < logs[i])))
            high = doses & (shown > CORRECT_ABOVE) & ~asleep[m] & (m - last_bolus > CORRECT_AFTER)
            for i in np.flatnonzero(high & (chances[k, :, 0] < corrects * 0.3)).tolist():
                due.setdefault(m, []).append((i, 0.0))
        for i, counted in due.get(m, ()):
            seen = max(float(shown[i]), LOW)
            correction = (seen - TARGET) / factor[i] - on_board[i] if abs(seen - TARGET) > 30.0 else 0.0
            amount = counted / ratio[i] + (correction if np.isfinite(correction) else 0.0)
            amount = round(max(amount, 0.0) / 0.05) * 0.05
            if amount > 0:
                bolus[m, i] += amount
                on_board[i] += amount
                last_bolus[i] = m
        drive = hovorka.Drive(
            carbohydrate=eaten[m] * per_gram,
            insulin=basal[m] * (1000.0 / 60.0) + bolus[m] * 1000.0,
            heart_rate=heart[m],
            uptake_sensitivity=uptake[m],
            production_sensitivity=production[m],
            gut_factor=gut[m],
        )
        state = hovorka.step(state, parameters, drive)
        on_board *= keep

    return [
        Outcome(
            glucose=glucose[:, i].copy(),
            interstitial=interstitial[:, i].copy(),
            insulin=insulin[:, i].copy(),
            eaten=eaten[:, i].copy(),
            bolus=bolus[:, i].copy(),
            basal=basal[:, i].copy(),
            readings=readings[:, i].copy(),
            boluses=tuple((int(m), round(float(bolus[m, i]), 2)) for m in np.flatnonzero(bolus[:, i])),
            rescues=tuple(rescues[i]),
        )
        for i in range(count)
    ]
