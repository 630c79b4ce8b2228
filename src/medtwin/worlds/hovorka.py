"""A person with type 1 diabetes after Hovorka (2004), with exercise and, for others, insulin secretion.

A *world*: the truth that a twin is tested against and never sees. The twin's own glucose model (S2008) has other
compartments, another meal, another insulin action and another exercise, so agreement between the two is earned.

::

      meal D --AG--> D1 --> D2 --UG--> Q1 <--k12-- Q2         u (pump, mU/min) --> S1 --> S2 --> I --ke-->
                                   |   |  --x1-->  |                                            |
                            F01c, FR, exercise    x2                              x1, x2, x3 <--+
                                       ^
                                       +-- EGP0 (1 - x3)

Equations (time in min; G = Q1/(VG BW); HR the heart rate; m, e multipliers of sensitivity, see ``variation``)::

    Q1' = -F01c - FR - a x1 Q1 + k12 Q2 + D2/tG + EGP - beta Y Q1
    Q2' = a x1 Q1 - (k12 + a x2) Q2                                  a = 1 + alpha W
    F01c = F01 BW min(G/4.5, 1);  FR = kr (G - 9)+ VG BW;  EGP = EGP0 BW max(0, 1 - x3) + kc BW (4.2 - G)+
    S1' = u - S1/tI;  S2' = (S1 - S2)/tI;  I' = (S2/tI + R)/(VI BW) - ke I
    x1' = ka1 (SIT m I - x1);  x2' = ka2 (SID m I - x2);  x3' = ka3 (SIE e I - x3)
    D1' = AG D - D1/tG;  D2' = (D1 - D2)/tG                          tG = tmaxG times the meal's own factor
    C'  = (G - C)/tC                                                 interstitial glucose, see ``sensor``
    Y'  = ((HR - HR0)+ - Y)/5;  W' = f(Y) (HR - HR0)+ - W/600;  f = Y^4/((0.1 HR0)^4 + Y^4)
    Z'  = (Kp (G - Gb) - Z)/Tz;  R = max(0, Sb + Z + Kd max(0, G'))  secretion; all zero in type 1 diabetes

``FR`` carries the volume VG BW, which one much-read implementation leaves out. The clamp of EGP at zero is ours (the
paper's 1 - x3 goes negative at high insulin). Exercise is Breton 2008 with Deichmann's values; their integral of heart
rate never decays, so W merges it with their Z: equal during one bout and in its decay, and well posed over days.
Secretion follows Dalla Man 2007 (a delayed proportional and a derivative part), converted to mU and reduced by the
share that passes the liver (0.45, from memory). People with own insulin also have a counter-regulation kc, an
assumption that keeps them from lows which they do not have; Hovorka's person has none.

Sources. [H] Hovorka et al., Physiol Meas 2004, 25:905 (values as repeated in LoopInsighT1 and McGill's simulator).
[B] Boiroux et al. 2012/2018, spread between people, read in two open implementations of their table 2.1; there normal,
here log-normal with the same mean and sd, because with a coefficient of variation up to 1 the normal goes negative.
[D] Deichmann et al., Front Endocrinol 2021, read in LoopInsighT1. [M] Dalla Man et al., IEEE TBME 2007.
None of the papers' own tables was read. Carbohydrate leaves the gut completely: AG of what is eaten appears.
"""

# ruff: noqa: RUF009 - a law stands on its variable's own line

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GLUCOSE_MG_PER_MMOL = 180.156  # molar mass, g/mol
MG_DL = GLUCOSE_MG_PER_MMOL / 10.0  # mg/dL per mmol/L
STATES = (
    "plasma_glucose",  # Q1, mmol
    "tissue_glucose",  # Q2, mmol
    "depot_1",  # S1, mU
    "depot_2",  # S2, mU
    "insulin",  # I, mU/L
    "transport_action",  # x1, 1/min
    "disposal_action",  # x2, 1/min
    "production_action",  # x3, 1
    "gut_1",  # D1, mmol
    "gut_2",  # D2, mmol
    "interstitial",  # C, mmol/L
    "effort",  # Y, 1/min (beats)
    "exercise_memory",  # W, beats
    "secretion",  # Z, mU/min
)


def _law(kind: str, first: float, second: float, published: float | None = None) -> Array:
    """A parameter's spread between people; ``published`` is the value of the mean person."""
    return field(metadata={"law": (kind, first, second), "published": first if published is None else published})


@dataclass(frozen=True)
class Parameters:
    """One value per person (arrays of one axis). ``log``: log-normal by mean and sd; ``exp``: by median and log sd."""

    body_weight: Array = _law("normal", 78.0, 11.0)  # kg; assumption
    transfer: Array = _law("log", 0.0649, 0.0282, 0.066)  # k12, 1/min [B; H]
    transport_rate: Array = _law("log", 0.0055, 0.0056, 0.006)  # ka1, 1/min [B; H]
    disposal_rate: Array = _law("log", 0.0683, 0.0507, 0.06)  # ka2, 1/min [B; H]
    production_rate: Array = _law("log", 0.0304, 0.0235, 0.03)  # ka3, 1/min [B; H]
    transport_sensitivity: Array = _law("log", 51.2e-4, 32.09e-4)  # SIT, 1/min per mU/L [B; H]
    disposal_sensitivity: Array = _law("log", 8.2e-4, 7.84e-4)  # SID, 1/min per mU/L [B; H]
    production_sensitivity: Array = _law("log", 520e-4, 306.2e-4)  # SIE, 1 per mU/L [B; H]
    production: Array = _law("log", 0.0161, 0.0039)  # EGP0, mmol/kg/min [B; H]
    consumption: Array = _law("log", 0.0097, 0.0022)  # F01, mmol/kg/min [B; H]
    glucose_volume: Array = _law("exp", 0.15, 0.23, 0.16)  # VG, L/kg [B; H]
    insulin_volume: Array = _law("log", 0.12, 0.012)  # VI, L/kg [B; H]
    insulin_elimination: Array = _law("log", 0.14, 0.035, 0.138)  # ke, 1/min [B; H]
    depot_time: Array = _law("log", 1 / 0.018, 13.9, 55.0)  # tmaxI, min [B: rate 0.018 +- 0.0045; H]
    gut_time: Array = _law("exp", 40.0, 0.25)  # tmaxG, min [B: ln rate -3.689 +- 0.25; H]
    absorbed: Array = _law("uniform", 0.70, 0.95, 0.8)  # AG, 1 [H]; B draws up to 1.2, which would make glucose
    renal_threshold: Array = _law("normal", 9.0, 0.7)  # mmol/L [H]; B's sd 1.5 narrowed
    renal_clearance: Array = _law("exp", 0.010, 0.2, 0.003)  # 1/min [B; H]; spread assumed
    counterregulation: Array = _law("fixed", 0.0, 0.0)  # kc, mmol/kg/min per mmol/L below 4.2; with own insulin only
    sensor_lag: Array = _law("exp", 9.0, 0.2)  # tC, min; assumption near Facchinetti's 6-12
    heart_rate_reference: Array = _law("fixed", 80.0, 0.0)  # HR0, 1/min [D]; set to the person's own quiet day
    exercise_insulin: Array = _law("exp", 2.59e-4, 0.2)  # alpha, 1/beats [D]; spread assumed
    exercise_uptake: Array = _law("exp", 3.39e-4, 0.2)  # beta, 1/beats [D]; spread assumed
    fasting_glucose: Array = _law("fixed", 5.0, 0.0)  # Gb, mmol/L (secretion only)
    basal_secretion: Array = _law("fixed", 0.0, 0.0)  # Sb, mU/min past the liver
    secretion_gain: Array = _law("fixed", 0.0, 0.0)  # Kp, mU/min per mmol/L
    secretion_delay: Array = _law("fixed", 20.0, 0.0)  # Tz, min
    secretion_surge: Array = _law("fixed", 0.0, 0.0)  # Kd, mU per mmol/L

    @property
    def count(self) -> int:
        return len(self.body_weight)

    def where(self, people: NDArray[np.bool_] | NDArray[np.int_]) -> Parameters:
        return Parameters(**{f.name: getattr(self, f.name)[people] for f in fields(self)})

    def replace(self, **changes: Array | float) -> Parameters:
        new = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in changes.items():
            new[name] = np.broadcast_to(np.asarray(value, float), new[name].shape).copy()
        return Parameters(**new)


def published(count: int = 1) -> Parameters:
    """The mean person of the 2004 paper, ``count`` times."""
    return Parameters(**{f.name: np.full(count, float(f.metadata["published"])) for f in fields(Parameters)})


def draw(rng: np.random.Generator, count: int) -> Parameters:
    """``count`` people from the laws above, not yet checked for plausibility."""
    values: dict[str, Array] = {}
    for f in fields(Parameters):
        kind, first, second = f.metadata["law"]
        normal = rng.standard_normal(count)  # always drawn, so a changed law does not move the others
        if kind == "log":
            variance = np.log1p((second / first) ** 2)
            values[f.name] = first * np.exp(np.sqrt(variance) * normal - variance / 2)
        elif kind == "exp":
            values[f.name] = first * np.exp(second * normal)
        elif kind == "normal":
            values[f.name] = first + second * np.clip(normal, -2.5, 2.5)
        elif kind == "uniform":
            values[f.name] = first + (second - first) * rng.random(count)
        else:
            values[f.name] = np.full(count, first)
    return Parameters(**values)


def stack(people: list[Parameters]) -> Parameters:
    return Parameters(**{f.name: np.concatenate([getattr(p, f.name) for p in people]) for f in fields(Parameters)})


@dataclass(frozen=True)
class Drive:
    """What acts on the people during one minute; each entry one value a person."""

    carbohydrate: Array | float = 0.0  # D, mmol/min eaten
    insulin: Array | float = 0.0  # u, mU/min into the depot
    heart_rate: Array | float = 0.0  # 1/min; 0 means at rest
    uptake_sensitivity: Array | float = 1.0  # m
    production_sensitivity: Array | float = 1.0  # e
    gut_factor: Array | float = 1.0


def rates(state: Array, p: Parameters, drive: Drive) -> Array:
    """Time derivatives per minute of ``state`` [state, person]."""
    q1, q2, s1, s2, insulin, x1, x2, x3, d1, d2, interstitial, effort, memory, late = state
    out = np.empty_like(state)
    volume = p.glucose_volume * p.body_weight
    glucose = q1 / volume
    appearance = d2 / (p.gut_time * drive.gut_factor)
    absorbed = s2 / p.depot_time
    boost = 1.0 + p.exercise_insulin * memory
    transported = boost * x1 * q1
    brain = p.consumption * p.body_weight * np.minimum(glucose / 4.5, 1.0)
    renal = p.renal_clearance * np.maximum(glucose - p.renal_threshold, 0.0) * volume
    liver = p.production * p.body_weight * np.maximum(1.0 - x3, 0.0)
    liver += p.counterregulation * p.body_weight * np.maximum(4.2 - glucose, 0.0)
    out[0] = liver + appearance + p.transfer * q2 - brain - renal - transported - p.exercise_uptake * effort * q1
    out[1] = transported - (p.transfer + boost * x2) * q2
    out[2] = drive.insulin - s1 / p.depot_time
    out[3] = s1 / p.depot_time - absorbed
    secreted = p.basal_secretion + late + p.secretion_surge * np.maximum(out[0] / volume, 0.0)
    inflow = absorbed + np.maximum(secreted, 0.0)
    out[4] = inflow / (p.insulin_volume * p.body_weight) - p.insulin_elimination * insulin
    out[5] = p.transport_rate * (p.transport_sensitivity * drive.uptake_sensitivity * insulin - x1)
    out[6] = p.disposal_rate * (p.disposal_sensitivity * drive.uptake_sensitivity * insulin - x2)
    out[7] = p.production_rate * (p.production_sensitivity * drive.production_sensitivity * insulin - x3)
    out[8] = p.absorbed * drive.carbohydrate - d1 / (p.gut_time * drive.gut_factor)
    out[9] = d1 / (p.gut_time * drive.gut_factor) - appearance
    out[10] = (glucose - interstitial) / p.sensor_lag
    excess = np.maximum(drive.heart_rate - p.heart_rate_reference, 0.0)
    fourth = effort * effort * effort * effort
    bout = fourth / ((0.1 * p.heart_rate_reference) ** 4 + fourth)
    out[11] = (excess - effort) / 5.0
    out[12] = bout * excess - memory / 600.0
    out[13] = (p.secretion_gain * (glucose - p.fasting_glucose) - late) / p.secretion_delay
    return out


def step(state: Array, p: Parameters, drive: Drive, minutes: float = 1.0) -> Array:
    """One classical Runge-Kutta step with the drive held constant; amounts stay non-negative."""
    first = rates(state, p, drive)
    second = rates(state + 0.5 * minutes * first, p, drive)
    third = rates(state + 0.5 * minutes * second, p, drive)
    fourth = rates(state + minutes * third, p, drive)
    new = state + minutes / 6.0 * (first + 2.0 * second + 2.0 * third + fourth)
    np.maximum(new[:13], 0.0, out=new[:13])
    return new


def glucose(state: Array, p: Parameters) -> Array:
    """Plasma glucose, mg/dL."""
    return MG_DL * state[0] / (p.glucose_volume * p.body_weight)


def _balance(insulin: Array, level: Array, p: Parameters) -> Array:
    """Net glucose flow (mmol/min) into both compartments at constant insulin (mU/L) and glucose (mmol/L)."""
    q1 = level * p.glucose_volume * p.body_weight
    x1, x2 = p.transport_sensitivity * insulin, p.disposal_sensitivity * insulin
    liver = p.production * p.body_weight * np.maximum(1.0 - p.production_sensitivity * insulin, 0.0)
    brain = p.consumption * p.body_weight * np.minimum(level / 4.5, 1.0)
    renal = p.renal_clearance * np.maximum(level - p.renal_threshold, 0.0) * p.glucose_volume * p.body_weight
    return liver - brain - renal - x1 * q1 * x2 / (p.transfer + x2)


def steady_insulin(p: Parameters, level: Array | float) -> Array:
    """Plasma insulin (mU/L) that holds glucose at ``level`` (mmol/L), by bisection; NaN where none does."""
    target = np.broadcast_to(np.asarray(level, float), p.body_weight.shape)
    low, high = np.zeros(p.count), np.full(p.count, 1000.0)
    possible = (_balance(low, target, p) > 0) & (_balance(high, target, p) < 0)
    for _ in range(80):
        middle = 0.5 * (low + high)
        positive = _balance(middle, target, p) > 0
        low, high = np.where(positive, middle, low), np.where(positive, high, middle)
    return np.where(possible, 0.5 * (low + high), np.nan)


def steady_state(p: Parameters, level: Array | float) -> tuple[Array, Array]:
    """State at rest at glucose ``level`` (mmol/L), and the pump rate (U/h) that holds it (none if secretion does)."""
    target = np.broadcast_to(np.asarray(level, float), p.body_weight.shape)
    insulin = steady_insulin(p, target)
    needed = insulin * p.insulin_elimination * p.insulin_volume * p.body_weight  # mU/min
    pumped = np.maximum(needed - p.basal_secretion - p.secretion_gain * (target - p.fasting_glucose), 0.0)
    state = np.zeros((len(STATES), p.count))
    state[0] = target * p.glucose_volume * p.body_weight
    state[5] = p.transport_sensitivity * insulin
    state[6] = p.disposal_sensitivity * insulin
    state[7] = p.production_sensitivity * insulin
    state[1] = state[5] * state[0] / (p.transfer + state[6])
    state[2] = state[3] = pumped * p.depot_time
    state[4], state[10] = insulin, target
    state[13] = p.secretion_gain * (target - p.fasting_glucose)
    return state, pumped * 0.06


def dosing(p: Parameters, level: Array | float = 6.5) -> tuple[Array, Array]:
    """The person's own carbohydrate ratio (g/U) and correction factor (mg/dL per U), to first order about ``level``.

    A bolus of B units adds an area 1000 B/(ke VI BW) under insulin; the balance's slope turns it into glucose. The
    ratio is the one at which meal and bolus leave no net glucose; the correction spreads that over both compartments.
    """
    target = np.broadcast_to(np.asarray(level, float), p.body_weight.shape)
    insulin = steady_insulin(p, target)
    slope = (_balance(insulin * 1.01, target, p) - _balance(insulin * 0.99, target, p)) / (0.02 * insulin)
    removed = -slope * 1000.0 / (p.insulin_elimination * p.insulin_volume * p.body_weight)  # mmol per U
    ratio = removed * GLUCOSE_MG_PER_MMOL / 1000.0 / p.absorbed
    spread = 1.0 + p.transport_sensitivity * insulin / (p.transfer + p.disposal_sensitivity * insulin)
    return ratio, MG_DL * removed / (p.glucose_volume * p.body_weight * spread)


def secreting(p: Parameters, fasting: Array | float, *, impaired: bool) -> Parameters:
    """The same people with beta cells that hold ``fasting`` (mmol/L); ``impaired`` as in type 2 diabetes [M].

    Dalla Man's beta, alpha and K: healthy 0.11, 1/20 min, 2.30; type 2 0.05, 1/77 min, 0.99 (pmol/kg/min per mg/dL,
    pmol/kg per mg/dL), times 0.45 past the liver, 18.016 mg/dL per mmol/L and 1/6 mU per pmol.
    """
    gain, delay, surge = (0.05, 77.0, 0.99) if impaired else (0.11, 20.0, 2.30)
    scale = 0.45 * MG_DL / 6.0 * p.body_weight
    insulin = steady_insulin(p, fasting)
    return p.replace(
        fasting_glucose=fasting,
        basal_secretion=insulin * p.insulin_elimination * p.insulin_volume * p.body_weight,
        secretion_gain=gain * scale,
        secretion_delay=delay,
        secretion_surge=surge * scale,
        counterregulation=0.01,
    )
