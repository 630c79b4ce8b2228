"""Glucose of a person who injects insulin, by few parameters: the multi-meal minimal model, with exercise.

Small enough that a week of sensor data shows its parameters: meals by their hour, insulin sensitivity by the time of
day (after ReplayBG), exercise by heart rate (after Breton).

Drawing
-------
::

    breakfast -+
    lunch      +-> stomach 1 -> stomach 2 -> gut (each meal its own three) --f--> glucose --> sensor glucose
    dinner     |                                                                  ^   |
    snack     -+                                              back to its rest ---+   +--> insulin action X, exercise
                                                                                           ^           ^
    insulin --> depot 1 --> depot 2 --> plasma insulin -- sensitivity of the hour ---------+           |
    heart rate --> effort Y --> what exercise leaves behind Z -----------------------------------------+

Equations
---------
Time in minutes; ``D`` carbohydrate (mg/min), ``U`` insulin (mU/kg/min), ``W`` weight; ``m`` one of the four meals,
``w_m(t)`` 1 in its hours, else 0; ``I = plasma/VI`` (mU/L), zero at the end: at rest::

    stomach1_m' = w_m D - kempt stomach1_m      stomach2_m' = kempt (stomach1_m - stomach2_m)
    gut_m'      = kempt stomach2_m - kabs_m gut_m
    depot1' = U - kd depot1     depot2' = kd depot1 - ka2 depot2     plasma' = ka2 depot2 - ke plasma
    X' = -p2 (X - SI(t) (I - I0))
    G' = -SG (G - G0) - r(G) (1 + a Z) X G - b Y G + f sum(kabs_m gut_m)/(VG W)
    Y' = ((HR - HR0)+ - Y)/tY        Z' = F(Y) (1 - Z) - Z/tZ,   F = Y^n/(Y^n + (c HR0)^n)/min
    C' = (G - C)/tC
    r  = 1 + 10 r1 (ln(g)^r2 - ln(g0)^r2)^2 for g < g0, 1 above;   g = max(G, 60 mg/dL), g0 = G0, both in mg/dL

``SI(t)`` is that of breakfast from 4 to 11 h, of lunch from 11 to 17 h, else of dinner. Meals: breakfast from 4 to 11
h, lunch to 15 h, dinner from 17 to 22 h; whatever is eaten in between is a snack, absorbed as one. Those who cannot
know that a meal was a snack by its name know it by its hour; that rule is ours.

Parameters
----------
``Parameters``. Priors are those of Cappon2023's published population (Gamma and Normal laws as log-normals of the same
median and spread). Exercise has the form of Breton2008; the effect of what it leaves behind is set so that 45 min at 40
beats above rest raises insulin action as much as Deichmann2021's values do. That published form counts any effort well
above the threshold in full, however short.

Assumptions
-----------
No own insulin; production and disposal in one return to ``G0``. The published insulin delay of 8 min and the delays of
meals are left to the chains of compartments. Exercise without insulin above basal acts by ``b Y G`` alone. Insulin
below basal lets glucose rise (X negative); exercise then must not raise it further: ``a Z`` acts where X is positive.

Outputs
-------
glucose: interstitial glucose as a sensor states it (mg/dL); blood_glucose: plasma (mg/dL); insulin_concentration:
plasma (u[iU]/mL).

References
----------
Cappon2023, Breton2008, Deichmann2021, DallaMan2007 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.exposures import HOUR, activity, bolus, meal
from medtwin.physiology.model import (
    MINUTES,
    Accepts,
    Clock,
    Inputs,
    Ledger,
    Model,
    Population,
    Reference,
    Scenario,
    Sign,
    SmoothCase,
    parameter,
    state,
)
from medtwin.physiology.prior import Covariate, Fixed, LogNormal, Normal

MILLIUNITS_PER_UNIT = 1000.0
MILLIGRAMS_PER_GRAM = 1000.0
MINUTES_PER_HOUR = 60.0
MEALS = ("breakfast", "lunch", "dinner", "snack")

Number = Float[Array, "..."]


class GlucoseMealsParameters(eqx.Module):
    """What differs between people, and the constants of the equations."""

    # fmt: off
    body_weight: Number = parameter(unit="kg", prior=Covariate("body_weight", LogNormal(75.0, 0.18)), source="adults, judgement", meaning="Body weight")
    fasting_glucose: Number = parameter(unit="mg/dL", prior=Normal(119.13, 7.11), source="Cappon2023, prior of Gb", meaning="Glucose at rest under the basal rate")
    basal_rate: Number = parameter(unit="m[iU]/kg/min", prior=LogNormal(0.20, 0.25), source="0.9 U/h at 75 kg; spread: judgement", meaning="Basal insulin under which glucose rests at fasting_glucose")
    breakfast_sensitivity: Number = parameter(unit="L/m[iU]/min", prior=LogNormal(1.03e-3, 0.5), source="Cappon2023, prior of SI VG over VG; spread of the gamma law, a little narrowed", meaning="Insulin sensitivity from 4 to 11 h")
    lunch_sensitivity: Number = parameter(unit="L/m[iU]/min", prior=LogNormal(1.03e-3, 0.5), source="as at breakfast", meaning="Insulin sensitivity from 11 to 17 h")
    dinner_sensitivity: Number = parameter(unit="L/m[iU]/min", prior=LogNormal(1.03e-3, 0.5), source="as at breakfast", meaning="Insulin sensitivity from 17 to 4 h")
    glucose_effectiveness: Number = parameter(unit="/min", prior=LogNormal(0.0224, 0.4), source="Cappon2023, prior of SG, exp(-3.8); spread .5 narrowed: judgement", meaning="Rate at which glucose returns to rest by itself")
    insulin_action_rate: Number = parameter(unit="/min", prior=LogNormal(0.0121, 0.073), source="Cappon2023, prior of p2: sqrt .11 and .004", meaning="Rate at which insulin begins and ends to act")
    stomach_rate: Number = parameter(unit="/min", prior=LogNormal(0.140, 0.35), source="Cappon2023, prior of kempt, exp(-1.9646); spread .71 narrowed: judgement", meaning="Rate of each of the two stages of the stomach")
    breakfast_absorption: Number = parameter(unit="/min", prior=LogNormal(0.020, 0.5), source="judgement between Cappon2023's prior of kabs (exp(-5.46), log sd 1.44) and DallaMan2007's", meaning="Rate of absorption of a breakfast")
    lunch_absorption: Number = parameter(unit="/min", prior=LogNormal(0.020, 0.5), source="as at breakfast", meaning="Rate of absorption of a lunch")
    dinner_absorption: Number = parameter(unit="/min", prior=LogNormal(0.020, 0.5), source="as at breakfast", meaning="Rate of absorption of a dinner")
    snack_absorption: Number = parameter(unit="/min", prior=LogNormal(0.030, 0.5), source="as at breakfast, faster: judgement", meaning="Rate of absorption of a snack")
    absorbed_share: Number = parameter(unit="1", prior=Fixed(0.9), source="Cappon2023, f", meaning="Share of carbohydrate that reaches plasma")
    glucose_volume: Number = parameter(unit="dL/kg", prior=Fixed(1.45), source="Cappon2023, VG", meaning="Distribution volume of glucose")
    insulin_volume: Number = parameter(unit="L/kg", prior=Fixed(0.135), source="Cappon2023, VI", meaning="Distribution volume of insulin")
    insulin_elimination: Number = parameter(unit="/min", prior=Fixed(0.127), source="Cappon2023, ke", meaning="Rate at which plasma insulin is cleared")
    depot_passage_rate: Number = parameter(unit="/min", prior=LogNormal(0.0299, 0.3), source="Cappon2023, prior of kd, exp(-3.509); spread .62 narrowed: judgement", meaning="Rate of insulin from the first to the second depot")
    depot_absorption_rate: Number = parameter(unit="/min", prior=LogNormal(0.0137, 0.3), source="Cappon2023, prior of ka2, exp(-4.2875); spread .43 narrowed: judgement", meaning="Rate of insulin from the second depot to plasma")
    risk_gain: Number = parameter(unit="1", prior=Fixed(1.4407), source="Cappon2023, r1", meaning="Rise of insulin action towards low glucose (r1)")
    risk_power: Number = parameter(unit="1", prior=Fixed(0.8124), source="Cappon2023, r2", meaning="Power of the logarithm in it (r2)")
    risk_floor: Number = parameter(unit="mg/dL", prior=Fixed(60.0), source="Cappon2023", meaning="Glucose below which insulin action rises no more")
    glucose_unit: Number = parameter(unit="mg/dL", prior=Fixed(1.0), source="the unit of the published logarithm", meaning="What glucose is divided by before its logarithm")
    resting_heart_rate: Number = parameter(unit="/min", prior=Covariate("resting_heart_rate", LogNormal(72.0, 0.12)), source="adults; Deichmann2021 80; judgement", meaning="Heart rate at rest (HR0)")
    effort_time: Number = parameter(unit="min", prior=Fixed(5.0), source="Breton2008, tauHR", meaning="Time in which effort follows heart rate (tY)")
    exercise_uptake: Number = parameter(unit="1", prior=LogNormal(3.39e-4, 0.5), source="Deichmann2021, beta, per beat; spread: judgement", meaning="Uptake of glucose per beat of the heart above rest, as a share (b)")
    exercise_sensitivity: Number = parameter(unit="1", prior=LogNormal(0.5, 0.5), source="Deichmann2021: alpha times 45 min of 40 beats/min; spread: judgement", meaning="Rise of insulin action when exercise has acted fully (a)")
    exercise_memory: Number = parameter(unit="min", prior=Fixed(600.0), source="Breton2008, tau", meaning="Time for which insulin action stays raised after exercise (tZ)")
    exercise_onset: Number = parameter(unit="min", prior=Fixed(1.0), source="Breton2008", meaning="Time in which effort far above the threshold raises insulin action")
    effort_threshold: Number = parameter(unit="1", prior=Fixed(0.1), source="Breton2008, a", meaning="Half-effective rise of heart rate, as a share of the resting one (c)")
    effort_power: Number = parameter(unit="1", prior=Fixed(4.0), source="Breton2008, n", meaning="Steepness of that threshold (n)")
    sensor_delay: Number = parameter(unit="min", prior=Fixed(7.0), source="Cappon2023, alpha", meaning="Time in which interstitial follows plasma glucose (tC)")
    sensor_bias: Number = parameter(unit="mg/dL", prior=Normal(0.0, 8.0), source="as in glucose_insulin: judgement", meaning="Offset of the sensor now worn")
    day: Number = parameter(unit="min", prior=Fixed(1440.0), source="24 h", meaning="A day")
    breakfast_from: Number = parameter(unit="min", prior=Fixed(240.0), source="Cappon2023: 4 h", meaning="When the hours of breakfast begin")
    lunch_from: Number = parameter(unit="min", prior=Fixed(660.0), source="Cappon2023: 11 h", meaning="When the hours of lunch begin")
    lunch_until: Number = parameter(unit="min", prior=Fixed(900.0), source="judgement: 15 h", meaning="When a meal is a snack again")
    dinner_from: Number = parameter(unit="min", prior=Fixed(1020.0), source="Cappon2023: 17 h", meaning="When the hours of dinner begin")
    dinner_until: Number = parameter(unit="min", prior=Fixed(1320.0), source="judgement: 22 h", meaning="When a meal is a snack again")
    # fmt: on


class GlucoseMealsState(eqx.Module):
    """Meals on their way, insulin, glucose, and exercise."""

    breakfast_stomach_1: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate of breakfast, as eaten")
    breakfast_stomach_2: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate of breakfast, ground")
    breakfast_gut: Number = state(unit="mg", scale=2e4, meaning="Glucose of breakfast in the gut")
    lunch_stomach_1: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate of lunch, as eaten")
    lunch_stomach_2: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate of lunch, ground")
    lunch_gut: Number = state(unit="mg", scale=2e4, meaning="Glucose of lunch in the gut")
    dinner_stomach_1: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate of dinner, as eaten")
    dinner_stomach_2: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate of dinner, ground")
    dinner_gut: Number = state(unit="mg", scale=2e4, meaning="Glucose of dinner in the gut")
    snack_stomach_1: Number = state(unit="mg", scale=1e4, meaning="Carbohydrate of snacks, as eaten")
    snack_stomach_2: Number = state(unit="mg", scale=1e4, meaning="Carbohydrate of snacks, ground")
    snack_gut: Number = state(unit="mg", scale=1e4, meaning="Glucose of snacks in the gut")
    insulin_depot_1: Number = state(unit="m[iU]/kg", scale=10.0, meaning="Insulin under the skin, as injected")
    insulin_depot_2: Number = state(unit="m[iU]/kg", scale=15.0, meaning="Insulin under the skin, dissolved")
    plasma_insulin: Number = state(unit="m[iU]/kg", scale=1.5, meaning="Insulin in plasma")
    insulin_action: Number = state(unit="/min", scale=0.01, meaning="Action of insulin above basal (X)")
    plasma_glucose: Number = state(unit="mg/dL", scale=120.0, meaning="Glucose in plasma (G)")
    sensor_glucose: Number = state(unit="mg/dL", scale=120.0, meaning="Glucose where the sensor is (C)")
    effort: Number = state(unit="/min", scale=30.0, meaning="Heart rate above rest, smoothed (Y)")
    exercise_effect: Number = state(unit="1", scale=0.5, meaning="What exercise leaves behind, 0 to 1 (Z)")


class GlucoseMeals(Model):
    """The multi-meal minimal model; the module's docstring is its paper."""

    name: ClassVar[str] = "glucose_meals"
    clock: ClassVar[Clock] = MINUTES
    Parameters: ClassVar[type] = GlucoseMealsParameters
    State: ClassVar[type] = GlucoseMealsState
    accepts: ClassVar[tuple[Accepts, ...]] = (
        Accepts(
            quantity="carbohydrate_intake",
            enters=tuple(f"{meal}_stomach_1" for meal in MEALS),
            shares=lambda t, p: tuple(_meal_of_the_hour(t, p)[meal] for meal in MEALS),
            per=MILLIGRAMS_PER_GRAM,
        ),
        Accepts(quantity="insulin_bolus", enters="insulin_depot_1", per=MILLIUNITS_PER_UNIT, divided_by="body_weight"),
        Accepts(
            quantity="insulin_basal_rate",
            enters="insulin_depot_1",
            per=MILLIUNITS_PER_UNIT / MINUTES_PER_HOUR,
            divided_by="body_weight",
        ),
        Accepts(quantity="heart_rate"),  # 0, or any rate below the resting one: no exercise
    )
    observes: ClassVar[tuple[str, ...]] = ("glucose", "blood_glucose", "insulin_concentration")
    inferred: ClassVar[tuple[str, ...]] = (
        "fasting_glucose",
        "breakfast_sensitivity",
        "lunch_sensitivity",
        "dinner_sensitivity",
        "glucose_effectiveness",
        "breakfast_absorption",
        "lunch_absorption",
        "dinner_absorption",
        "snack_absorption",
        "exercise_uptake",
        "exercise_sensitivity",
        "sensor_bias",
    )
    correlations: ClassVar[tuple[tuple[str, str, float], ...]] = (
        ("breakfast_sensitivity", "lunch_sensitivity", 0.7),
        ("breakfast_sensitivity", "dinner_sensitivity", 0.7),
        ("lunch_sensitivity", "dinner_sensitivity", 0.7),
    )
    speaks_for: ClassVar[Population | None] = Population(
        snomed=("46635009", "290002008", "313435000", "444073006", "739681000", "23045005", "28032008", "421750000"),
        because="The equations have no insulin secretion: they describe type 1 diabetes only.",
    )
    scenario: ClassVar[Scenario] = Scenario(
        duration=16 * HOUR,
        given=(
            *meal(7 * HOUR, carbohydrate=40.0),
            bolus(7 * HOUR, 0.5),
            *activity(9 * HOUR, until=9.5 * HOUR, heart_rate=100.0),
            *meal(12 * HOUR, carbohydrate=40.0),
            bolus(12 * HOUR, 0.5),
        ),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=2 * HOUR,
        steps=240,
        displaced={"breakfast_stomach_1": 1.5, "snack_gut": 0.5, "insulin_depot_1": 0.5, "effort": 0.5},
    )
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="carbohydrate in stomach and gut",
            unit="mg",
            amount=lambda s, p: sum(
                (getattr(s, f"{m}_{part}") for m in MEALS for part in ("stomach_1", "stomach_2", "gut")),
                jnp.zeros_like(s.snack_gut),
            ),
            flow=lambda s, p, u: MILLIGRAMS_PER_GRAM * u["carbohydrate_intake"] - _absorbed(s, p),
        ),
        Ledger(
            name="insulin under the skin and in plasma",
            unit="m[iU]/kg",
            amount=lambda s, p: s.insulin_depot_1 + s.insulin_depot_2 + s.plasma_insulin,
            flow=lambda s, p, u: _injected(p, u) - p.insulin_elimination * s.plasma_insulin,
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="carbohydrate_intake", effect="glucose", direction=1, size=10.0),
        Sign(cause="insulin_bolus", effect="glucose", direction=-1),
        Sign(cause="insulin_basal_rate", effect="blood_glucose", direction=-1, size=0.3),
        Sign(cause="heart_rate", effect="glucose", direction=-1, size=20.0),
        Sign(cause="breakfast_sensitivity", effect="glucose", direction=-1),
        Sign(cause="fasting_glucose", effect="glucose", direction=1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Cappon2023",
            text="Cappon G, Vettoretti M, Sparacino G, Del Favero S, Facchinetti A. ReplayBG: a digital twin-based "
            "methodology to identify a personalized model from type 1 diabetes data and simulate glucose "
            "concentrations to assess alternative therapies. IEEE Trans Biomed Eng 2023;70:3227-3238.",
            doi="10.1109/TBME.2023.3286856",
        ),
        Reference(
            key="Breton2008",
            text="Breton MD. Physical activity: the major unaccounted impediment to closed loop control. J Diabetes Sci "
            "Technol 2008;2:169-174 (form as an open implementation gives it; not read).",
        ),
        Reference(
            key="Deichmann2021",
            text="Deichmann J, Bachmann S, Burckhardt MA, et al. Simulation-based evaluation of treatment adjustment to "
            "exercise in type 1 diabetes. Front Endocrinol 2021;12:723812 (values as an open implementation gives them).",
        ),
        Reference(
            key="DallaMan2007",
            text="Dalla Man C, Rizza RA, Cobelli C. Meal simulation model of the glucose-insulin system. IEEE Trans "
            "Biomed Eng 2007;54:1740-1749.",
            doi="10.1109/TBME.2007.893506",
        ),
    )

    def initial(self, parameters: GlucoseMealsParameters) -> GlucoseMealsState:
        """Nothing eaten, no exercise, at ``fasting_glucose`` under ``basal_rate``."""
        p = parameters
        zero = jnp.zeros_like(p.basal_rate + p.fasting_glucose)
        glucose = p.fasting_glucose + zero
        return GlucoseMealsState(
            **{f"{m}_{part}": zero for m in MEALS for part in ("stomach_1", "stomach_2", "gut")},
            insulin_depot_1=p.basal_rate / p.depot_passage_rate,
            insulin_depot_2=p.basal_rate / p.depot_absorption_rate,
            plasma_insulin=p.basal_rate / p.insulin_elimination,
            insulin_action=zero,
            plasma_glucose=glucose,
            sensor_glucose=glucose,
            effort=zero,
            exercise_effect=zero,
        )

    def resting(self, parameters: GlucoseMealsParameters) -> dict[str, Number]:
        """No meal, no bolus, the basal rate (U/h), the heart at rest."""
        p = parameters
        basal = p.basal_rate * p.body_weight * (MINUTES_PER_HOUR / MILLIUNITS_PER_UNIT)
        zero = jnp.zeros_like(basal)
        return {
            "carbohydrate_intake": zero,
            "insulin_bolus": zero,
            "insulin_basal_rate": basal,
            "heart_rate": p.resting_heart_rate + zero,
        }

    def rates(
        self, t: Number, state: GlucoseMealsState, parameters: GlucoseMealsParameters, inputs: Inputs
    ) -> GlucoseMealsState:
        """Four chains of meals, one of insulin, and what acts on glucose; see the module's equations."""
        s, p = state, parameters
        eaten = MILLIGRAMS_PER_GRAM * inputs["carbohydrate_intake"]
        meals = {}
        for name, share in _meal_of_the_hour(t, p).items():
            first, second = getattr(s, f"{name}_stomach_1"), getattr(s, f"{name}_stomach_2")
            absorbed = getattr(p, f"{name}_absorption") * getattr(s, f"{name}_gut")
            meals[f"{name}_stomach_1"] = share * eaten - p.stomach_rate * first
            meals[f"{name}_stomach_2"] = p.stomach_rate * (first - second)
            meals[f"{name}_gut"] = p.stomach_rate * second - absorbed

        passed = p.depot_passage_rate * s.insulin_depot_1
        reached = p.depot_absorption_rate * s.insulin_depot_2
        above = s.plasma_insulin / p.insulin_volume - p.basal_rate / (p.insulin_elimination * p.insulin_volume)
        raised = jnp.where(s.insulin_action > 0, 1 + p.exercise_sensitivity * s.exercise_effect, 1.0)
        lowering = risk(s.plasma_glucose, p) * raised * s.insulin_action + p.exercise_uptake * s.effort
        appeared = p.absorbed_share * _absorbed(s, p) / (p.glucose_volume * p.body_weight)
        returning = p.glucose_effectiveness * (s.plasma_glucose - p.fasting_glucose)

        beats = jnp.maximum(0.0, inputs["heart_rate"] - p.resting_heart_rate)
        relative = jnp.maximum(0.0, s.effort) / (p.effort_threshold * p.resting_heart_rate)
        powered = jnp.where(relative > 0, jnp.where(relative > 0, relative, 1.0) ** p.effort_power, 0.0)
        acting = powered / (1 + powered) / p.exercise_onset
        return GlucoseMealsState(
            **meals,
            insulin_depot_1=_injected(p, inputs) - passed,
            insulin_depot_2=passed - reached,
            plasma_insulin=reached - p.insulin_elimination * s.plasma_insulin,
            insulin_action=p.insulin_action_rate * (_sensitivity(t, p) * above - s.insulin_action),
            plasma_glucose=appeared - returning - lowering * s.plasma_glucose,
            sensor_glucose=(s.plasma_glucose - s.sensor_glucose) / p.sensor_delay,
            effort=(beats - s.effort) / p.effort_time,
            exercise_effect=acting * (1 - s.exercise_effect) - s.exercise_effect / p.exercise_memory,
        )

    def project(self, state: GlucoseMealsState, parameters: GlucoseMealsParameters) -> GlucoseMealsState:
        """No mass, glucose or effort is negative; the action of insulin may be."""
        held = jax.tree.map(lambda x: jnp.maximum(0.0, x), state)
        return eqx.tree_at(lambda s: s.insulin_action, held, state.insulin_action)

    def noise(self, state: GlucoseMealsState, parameters: GlucoseMealsParameters) -> GlucoseMealsState:
        """As in ``glucose_insulin``: 1.2 mg/dL per root of a minute in plasma, 2 % of what is in a gut. Judgement."""
        quiet = jax.tree.map(jnp.zeros_like, state)
        return eqx.tree_at(
            lambda s: (s.plasma_glucose, *(getattr(s, f"{m}_gut") for m in MEALS)),
            quiet,
            (
                0.01 * parameters.fasting_glucose + quiet.plasma_glucose,
                *(0.02 * getattr(state, f"{m}_gut") for m in MEALS),
            ),
        )

    def observe(self, t: Number, state: GlucoseMealsState, parameters: GlucoseMealsParameters) -> dict[str, Number]:
        """Sensor and plasma glucose (mg/dL) and plasma insulin (u[iU]/mL, the same number as mU/L)."""
        return {
            "glucose": state.sensor_glucose + parameters.sensor_bias,
            "blood_glucose": state.plasma_glucose,
            "insulin_concentration": state.plasma_insulin / parameters.insulin_volume,
        }


def _injected(p: GlucoseMealsParameters, inputs: Inputs) -> Number:
    """Insulin given, mU/kg/min."""
    units = inputs["insulin_bolus"] + inputs["insulin_basal_rate"] / MINUTES_PER_HOUR
    return units * MILLIUNITS_PER_UNIT / p.body_weight


def _absorbed(s: GlucoseMealsState, p: GlucoseMealsParameters) -> Number:
    """Glucose that leaves the four guts, mg/min."""
    return sum((getattr(p, f"{m}_absorption") * getattr(s, f"{m}_gut") for m in MEALS), jnp.zeros_like(s.snack_gut))


def _between(t: Number, begin: Number, end: Number, p: GlucoseMealsParameters) -> Array:
    """Whether the time of day lies in [begin, end)."""
    hour = jnp.mod(t, p.day)
    return (hour >= begin) & (hour < end)


def _meal_of_the_hour(t: Number, p: GlucoseMealsParameters) -> dict[str, Number]:
    """1 for the meal that is eaten now, 0 for the others."""
    breakfast = _between(t, p.breakfast_from, p.lunch_from, p)
    lunch = _between(t, p.lunch_from, p.lunch_until, p)
    dinner = _between(t, p.dinner_from, p.dinner_until, p)
    shares = {"breakfast": breakfast, "lunch": lunch, "dinner": dinner, "snack": ~(breakfast | lunch | dinner)}
    return {name: jnp.where(now, jnp.ones_like(p.day), jnp.zeros_like(p.day)) for name, now in shares.items()}


def _sensitivity(t: Number, p: GlucoseMealsParameters) -> Number:
    """Insulin sensitivity of the hour."""
    morning = _between(t, p.breakfast_from, p.lunch_from, p)
    noon = _between(t, p.lunch_from, p.dinner_from, p)
    return jnp.where(morning, p.breakfast_sensitivity, jnp.where(noon, p.lunch_sensitivity, p.dinner_sensitivity))


def risk(glucose: Number, p: GlucoseMealsParameters) -> Number:
    """By how much insulin acts more than at rest when glucose is low: 1 at and above rest."""
    low = jnp.clip(glucose, p.risk_floor, jnp.maximum(p.fasting_glucose, p.risk_floor))
    here = jnp.log(low / p.glucose_unit) ** p.risk_power
    rest = jnp.log(p.fasting_glucose / p.glucose_unit) ** p.risk_power
    return 1 + 10 * p.risk_gain * (here - rest) ** 2
