"""Glucose and insulin of a person with type 1 diabetes, minute by minute (UVA/Padova S2008).

Drawing
-------
::

    carbohydrate --> stomach solid --> stomach liquid --> gut --f--> plasma glucose <==> tissue glucose --> uptake
                                                                       ^   |    \\                          ^
                                                        production ----+   |     +--> sensor glucose        |
                                                          ^                v                                |
                                                          |           brain, urine                          |
    insulin --> depot 1 --> depot 2 --> plasma insulin ---+--- delay 1 --> delay 2 (production)             |
                   |                     ^  |  <==> liver +--- remote insulin ------------------------------+
                   +---------------------+  +--> cleared

Equations
---------
Time in minutes; ``D`` carbohydrate in mg/min, ``U`` insulin in pmol/kg/min, ``G``, ``T`` glucose in plasma and tissue
(mg/kg), ``I`` = plasma insulin / insulin_volume (pmol/L), ``S`` = stomach solid + liquid, ``M`` = meal size::

    solid'  = -kmax solid + D             liquid' = kmax solid - k(S) liquid        gut' = k(S) liquid - kabs gut
    k(S)    = kmin + (kmax - kmin)/2 (tanh(a (S - b M)) - tanh(c (S - d M)) + 2),  a = 2.5/(M (1 - b)), c = 2.5/(M d)
    G'      = max(0, kp1 - kp2 G - kp3 delay2) + f kabs gut/BW - brain - ke1 max(0, G - ke2) - k1 G + k2 T
    T'      = -(Vm0 + Vmx X) T/(Km0 + T) + k1 G - k2 T
    plasma' = -(m2 + m4) plasma + m1 liver + ka1 depot1 + ka2 depot2              liver' = -(m1 + m30) liver + m2 plasma
    X'      = p2u (I - Ib - X)            delay1' = ki (I - delay1)                 delay2' = ki (delay1 - delay2)
    depot1' = U - (ka1 + kd) depot1       depot2' = kd depot1 - ka2 depot2          sensor' = ksc (G - sensor)

``M`` is what the stomach held when the meal began plus what has been eaten of it, and stays until the next meal begins;
``k = kmax`` before any meal. Whole words stand for the published letters where a parameter is the same; the others are
derived, so that any draw has a steady state (``Gb`` fasting_glucose, ``Ib`` basal_insulin, ``Gp = Gb Vg``)::

    kabs = meal_absorption, kmax = kabs fastest_emptying, kmin = kabs slowest_emptying
    Vmx  = insulin_sensitivity, kp3 = Vmx liver_sensitivity,  kp1 = endogenous_production + kp2 Gp + kp3 Ib
    Tb   = (k1 Gp - (basal_disposal - brain))/k2,             Vm0 = (basal_disposal - brain) (Km0 + Tb)/Tb
    m2   = share clearance/(extraction Vi),  m4 = (1 - share) clearance/Vi,  m30 = m1 extraction/(1 - extraction)

A person whose production equals basal_disposal rests at fasting_glucose with basal_insulin; more production needs more
insulin. One sensitivity acts on uptake and on production, about basal_insulin: it says what an insulin above or below
that does, not where a person rests. One absorption speed acts on stomach and gut.

Parameters
----------
``Parameters``. Those that vary between people have priors from published groups. No value comes from the subjects of
the simulator that bears the equations' name: those are not free to ship. Where a source says "judgement", no published
spread was found, and the number is ours.

Assumptions
-----------
Type 1 diabetes without own insulin. No counter-regulation, no exercise, no time of day. Uptake by the brain is constant
(down to zero glucose). Without insulin the published uptake may turn negative; it is kept as published. A state that
would go below zero is held at zero (the reference implementation freezes it there). Inputs are constant over each
step, so a meal is spread over the minutes in which it is eaten, at 5 g/min.

Outputs
-------
glucose: interstitial glucose as a sensor states it, with the sensor's bias (mg/dL); blood_glucose: plasma (mg/dL);
insulin_concentration: plasma (u[iU]/mL).

References
----------
DallaMan2007, Kovatchev2008, DallaMan2014, Cappon2023, Vettoretti2019 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.exposures import HOUR, bolus, meal
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
from medtwin.physiology.prior import Covariate, Fixed, LogNormal, Normal, Uniform

PICOMOLES_PER_UNIT = 6000.0  # pmol of insulin in one international unit
MILLIGRAMS_PER_GRAM = 1000.0
MINUTES_PER_HOUR = 60.0

Number = Float[Array, "..."]


class GlucoseInsulinParameters(eqx.Module):
    """What differs between people, and the constants of the equations."""

    # fmt: off
    body_weight: Number = parameter(unit="kg", prior=Covariate("body_weight", LogNormal(75.0, 0.18)), source="adults, judgement", meaning="Body weight")
    fasting_glucose: Number = parameter(unit="mg/dL", prior=Normal(119.13, 7.11), source="Cappon2023, prior of Gb", meaning="Plasma glucose at rest when production equals basal disposal at basal insulin")
    basal_insulin: Number = parameter(unit="pmol/L", prior=LogNormal(70.0, 0.20), source="0.9 U/h at 75 kg over the clearance; spread: judgement", meaning="Plasma insulin at which uptake is basal")
    endogenous_production: Number = parameter(unit="mg/kg/min", prior=LogNormal(2.2, 0.15), source="DallaMan2007 1.9 without diabetes, raised as DallaMan2014 states for type 1; spread: judgement", meaning="Glucose production of liver and kidney at fasting glucose and basal insulin")
    basal_disposal: Number = parameter(unit="mg/kg/min", prior=LogNormal(2.2, 0.15), source="balances endogenous_production", meaning="Glucose uptake of brain and tissue at fasting glucose and basal insulin")
    insulin_sensitivity: Number = parameter(unit="mg.L/kg/min/pmol", prior=LogNormal(0.047, 0.45), source="DallaMan2007, Vmx; spread: Cappon2023, prior of SI", meaning="Rise of the greatest tissue uptake per rise of remote insulin")
    liver_sensitivity: Number = parameter(unit="1", prior=LogNormal(0.1915, 0.25), source="DallaMan2007, kp3/Vmx; spread: judgement", meaning="Fall of production per pmol/L of delayed insulin, as a share of insulin_sensitivity")
    glucose_on_production: Number = parameter(unit="/min", prior=LogNormal(0.0021, 0.30), source="DallaMan2007, kp2; spread: judgement", meaning="Fall of production per rise of plasma glucose")
    half_uptake: Number = parameter(unit="mg/kg", prior=LogNormal(225.59, 0.10), source="DallaMan2007, Km0; spread: judgement", meaning="Tissue glucose at half of the greatest uptake")
    plasma_to_tissue: Number = parameter(unit="/min", prior=LogNormal(0.065, 0.12), source="DallaMan2007, k1; spread: judgement", meaning="Rate of glucose from plasma to tissue")
    tissue_to_plasma: Number = parameter(unit="/min", prior=LogNormal(0.079, 0.12), source="DallaMan2007, k2; spread: judgement", meaning="Rate of glucose from tissue to plasma")
    remote_insulin_rate: Number = parameter(unit="/min", prior=LogNormal(0.0331, 0.20), source="DallaMan2007, p2u; spread: judgement", meaning="Rate at which insulin begins and ends to act on uptake")
    production_delay_rate: Number = parameter(unit="/min", prior=LogNormal(0.0079, 0.20), source="DallaMan2007, ki; spread: judgement", meaning="Rate of each of the two delays of insulin on production")
    brain_uptake: Number = parameter(unit="mg/kg/min", prior=Fixed(1.0), source="DallaMan2007, Fcns", meaning="Glucose uptake that needs no insulin")
    renal_rate: Number = parameter(unit="/min", prior=Fixed(0.0005), source="DallaMan2007, ke1", meaning="Glomerular rate of glucose above the threshold")
    renal_threshold: Number = parameter(unit="mg/kg", prior=Fixed(339.0), source="DallaMan2007, ke2", meaning="Plasma glucose above which glucose is lost in urine")
    glucose_volume: Number = parameter(unit="dL/kg", prior=LogNormal(1.88, 0.06), source="DallaMan2007, VG; spread: judgement", meaning="Distribution volume of glucose")
    meal_absorption: Number = parameter(unit="/min", prior=LogNormal(0.057, 0.35), source="DallaMan2007, kabs; spread: judgement, below Cappon2023's", meaning="Rate of absorption from the gut; the stomach's rates follow it")
    fastest_emptying: Number = parameter(unit="1", prior=LogNormal(0.979, 0.20), source="DallaMan2007, kmax/kabs; spread: judgement", meaning="Emptying of a full or nearly empty stomach, as a share of meal_absorption")
    slowest_emptying: Number = parameter(unit="1", prior=LogNormal(0.140, 0.20), source="DallaMan2007, kmin/kabs; spread: judgement", meaning="Slowest emptying of the stomach, as a share of meal_absorption")
    emptying_slows_at: Number = parameter(unit="1", prior=Uniform(0.69, 0.82), source="DallaMan2007 .82, DallaMan2014 .69, b", meaning="Share of the meal in the stomach at which emptying has slowed by half")
    emptying_recovers_at: Number = parameter(unit="1", prior=Uniform(0.07, 0.27), source="DallaMan2014 .17, d; spread: judgement", meaning="Share of the meal in the stomach at which emptying has recovered by half")
    absorbed_share: Number = parameter(unit="1", prior=Fixed(0.9), source="DallaMan2007, f", meaning="Share of absorbed glucose that reaches plasma")
    insulin_volume: Number = parameter(unit="L/kg", prior=LogNormal(0.05, 0.10), source="DallaMan2007, VI; spread: judgement", meaning="Distribution volume of insulin")
    insulin_clearance: Number = parameter(unit="L/kg/min", prior=LogNormal(0.01715, 0.15), source="Cappon2023, ke VI; spread: judgement", meaning="Clearance of plasma insulin by liver and periphery")
    liver_release: Number = parameter(unit="/min", prior=LogNormal(0.190, 0.15), source="DallaMan2007, m1; spread: judgement", meaning="Rate of insulin from liver to plasma")
    liver_extraction: Number = parameter(unit="1", prior=Fixed(0.6), source="DallaMan2007, HEb", meaning="Share of the insulin that enters the liver and is removed there")
    liver_share: Number = parameter(unit="1", prior=Fixed(0.6), source="DallaMan2007: m2/m4 = .484/.194 at HEb = .6", meaning="Share of the insulin clearance that the liver does")
    fast_depot_rate: Number = parameter(unit="/min", prior=LogNormal(0.0018, 0.25), source="DallaMan2014, ka1; spread: judgement", meaning="Absorption of insulin straight from the first depot")
    slow_depot_rate: Number = parameter(unit="/min", prior=LogNormal(0.0182, 0.25), source="DallaMan2014, ka2; spread: judgement, below Cappon2023's .43", meaning="Absorption of insulin from the second depot")
    depot_passage_rate: Number = parameter(unit="/min", prior=LogNormal(0.0164, 0.20), source="DallaMan2014, kd; spread: judgement, below Cappon2023's .62", meaning="Rate of insulin from the first to the second depot")
    sensor_delay_rate: Number = parameter(unit="/min", prior=LogNormal(0.10, 0.25), source="delay of 10 min; Cappon2023 uses 7; spread: judgement", meaning="Rate at which interstitial follows plasma glucose")
    sensor_bias: Number = parameter(unit="mg/dL", prior=Normal(0.0, 8.0), source="Vettoretti2019: -1 to +9 over a factory-calibrated sensor's days at 140 mg/dL", meaning="Bias of this sensor")
    # fmt: on


class GlucoseInsulinState(eqx.Module):
    """Masses, actions, and what is remembered of the meal."""

    stomach_solid: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate in the stomach, solid")
    stomach_liquid: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate in the stomach, ground")
    gut_glucose: Number = state(unit="mg", scale=1e4, meaning="Glucose in the gut")
    plasma_glucose: Number = state(unit="mg/kg", scale=224.0, meaning="Glucose in plasma and fast tissue")
    tissue_glucose: Number = state(unit="mg/kg", scale=170.0, meaning="Glucose in slow tissue")
    plasma_insulin: Number = state(unit="pmol/kg", scale=3.5, meaning="Insulin in plasma")
    remote_insulin: Number = state(unit="pmol/L", scale=50.0, meaning="Insulin above basal that acts on uptake")
    delayed_insulin_1: Number = state(unit="pmol/L", scale=70.0, meaning="First delay of insulin towards production")
    delayed_insulin_2: Number = state(unit="pmol/L", scale=70.0, meaning="Insulin that acts on production")
    liver_insulin: Number = state(unit="pmol/kg", scale=3.0, meaning="Insulin in the liver")
    insulin_depot_1: Number = state(unit="pmol/kg", scale=65.0, meaning="Insulin under the skin, as injected")
    insulin_depot_2: Number = state(unit="pmol/kg", scale=60.0, meaning="Insulin under the skin, dissolved")
    sensor_glucose: Number = state(unit="mg/kg", scale=224.0, meaning="Glucose where the sensor is")
    meal_size: Number = state(unit="mg", scale=5e4, meaning="In the stomach when this meal began, plus eaten since")
    eating: Number = state(unit="1", scale=1.0, meaning="1 while a meal is being eaten, else 0")


class GlucoseInsulin(Model):
    """Glucose and insulin of a person with type 1 diabetes; the module's docstring is its paper."""

    name: ClassVar[str] = "glucose_insulin"
    clock: Clock = eqx.field(static=True, default=MINUTES)  # type: ignore[misc]  # the reference tests refine it
    Parameters: ClassVar[type] = GlucoseInsulinParameters
    State: ClassVar[type] = GlucoseInsulinState
    accepts: ClassVar[tuple[Accepts, ...]] = (
        Accepts(quantity="carbohydrate_intake", enters="stomach_solid", per=MILLIGRAMS_PER_GRAM),
        Accepts(quantity="insulin_bolus", enters="insulin_depot_1", per=PICOMOLES_PER_UNIT, divided_by="body_weight"),
        Accepts(
            quantity="insulin_basal_rate",
            enters="insulin_depot_1",
            per=PICOMOLES_PER_UNIT / MINUTES_PER_HOUR,
            divided_by="body_weight",
        ),
    )
    observes: ClassVar[tuple[str, ...]] = ("glucose", "blood_glucose", "insulin_concentration")
    inferred: ClassVar[tuple[str, ...]] = (
        "insulin_sensitivity",
        "meal_absorption",
        "endogenous_production",
        "sensor_bias",
    )
    correlations: ClassVar[tuple[tuple[str, str, float], ...]] = (
        ("endogenous_production", "basal_disposal", 0.9),
        ("plasma_to_tissue", "tissue_to_plasma", 0.7),
        ("insulin_sensitivity", "basal_insulin", -0.6),
    )
    bookkeeping: ClassVar[tuple[str, ...]] = ("meal_size", "eating")
    speaks_for: ClassVar[Population | None] = Population(
        snomed=("46635009", "290002008", "313435000", "444073006", "739681000", "23045005", "28032008", "421750000"),
        because="The equations have no insulin secretion: they describe type 1 diabetes only.",
    )
    scenario: ClassVar[Scenario] = Scenario(
        duration=10 * HOUR,
        given=(
            *meal(1 * HOUR, carbohydrate=40.0),
            bolus(1 * HOUR, 1.5),
            *meal(5 * HOUR, carbohydrate=40.0),
            bolus(5.5 * HOUR, 1.5),
        ),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=2 * HOUR,
        steps=60,
        displaced={"stomach_solid": 0.5, "stomach_liquid": 0.5, "meal_size": 0.5, "insulin_depot_1": 1.0},
        given={"insulin_basal_rate": 0.5},
    )
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="carbohydrate in stomach and gut",
            unit="mg",
            amount=lambda s, p: s.stomach_solid + s.stomach_liquid + s.gut_glucose,
            flow=lambda s, p, u: MILLIGRAMS_PER_GRAM * u["carbohydrate_intake"] - p.meal_absorption * s.gut_glucose,
        ),
        Ledger(
            name="insulin under the skin, in plasma and liver",
            unit="pmol/kg",
            amount=lambda s, p: s.insulin_depot_1 + s.insulin_depot_2 + s.plasma_insulin + s.liver_insulin,
            flow=lambda s, p, u: _injected(p, u) - _cleared(s, p),
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="carbohydrate_intake", effect="glucose", direction=1, size=10.0),
        Sign(cause="insulin_bolus", effect="glucose", direction=-1),
        Sign(cause="insulin_basal_rate", effect="blood_glucose", direction=-1, size=0.3),
        Sign(cause="insulin_bolus", effect="insulin_concentration", direction=1),
        Sign(cause="insulin_clearance", effect="glucose", direction=1),
        Sign(cause="endogenous_production", effect="glucose", direction=1),
        Sign(cause="sensor_bias", effect="glucose", direction=1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="DallaMan2007",
            text="Dalla Man C, Rizza RA, Cobelli C. Meal simulation model of the glucose-insulin system. IEEE Trans "
            "Biomed Eng 2007;54:1740-1749.",
            doi="10.1109/TBME.2007.893506",
        ),
        Reference(
            key="Kovatchev2008",
            text="Kovatchev BP, Breton M, Dalla Man C, Cobelli C. In silico model and computer simulation environment "
            "simulating human glucose/insulin utilization. FDA Master File MAF 1521, 2008.",
        ),
        Reference(
            key="DallaMan2014",
            text="Dalla Man C, Micheletto F, Lv D, Breton M, Kovatchev B, Cobelli C. The UVA/PADOVA type 1 diabetes "
            "simulator: new features. J Diabetes Sci Technol 2014;8:26-34.",
            doi="10.1177/1932296813514502",
        ),
        Reference(
            key="Cappon2023",
            text="Cappon G, Vettoretti M, Sparacino G, Del Favero S, Facchinetti A. ReplayBG: a digital twin-based "
            "methodology to identify a personalized model from type 1 diabetes data and simulate glucose "
            "concentrations to assess alternative therapies. IEEE Trans Biomed Eng 2023;70:3227-3238.",
            doi="10.1109/TBME.2023.3286856",
        ),
        Reference(
            key="Vettoretti2019",
            text="Vettoretti M, Battocchio C, Sparacino G, Facchinetti A. Development of an error model for a "
            "factory-calibrated continuous glucose monitoring sensor with 10-day lifetime. Sensors 2019;19:5320.",
            doi="10.3390/s19235320",
        ),
    )

    def initial(self, parameters: GlucoseInsulinParameters) -> GlucoseInsulinState:
        """Fasting and steady at ``fasting_glucose``, with the insulin that holds it there."""
        p = parameters
        plasma, tissue, insulin = _rest(p)
        m2, _, m30 = _insulin_rates(p)
        plasma_insulin = insulin * p.insulin_volume
        infusion = insulin * p.insulin_clearance
        depot_1 = infusion / (p.fast_depot_rate + p.depot_passage_rate)
        zero = jnp.zeros_like(plasma)
        return GlucoseInsulinState(
            stomach_solid=zero,
            stomach_liquid=zero,
            gut_glucose=zero,
            plasma_glucose=plasma,
            tissue_glucose=tissue,
            plasma_insulin=plasma_insulin,
            remote_insulin=insulin - p.basal_insulin,
            delayed_insulin_1=insulin,
            delayed_insulin_2=insulin,
            liver_insulin=m2 * plasma_insulin / (p.liver_release + m30),
            insulin_depot_1=depot_1,
            insulin_depot_2=p.depot_passage_rate * depot_1 / p.slow_depot_rate,
            sensor_glucose=plasma,
            meal_size=zero,
            eating=zero,
        )

    def resting(self, parameters: GlucoseInsulinParameters) -> dict[str, Number]:
        """No meal, no bolus, and the basal rate (U/h) that holds :meth:`initial`."""
        p = parameters
        _, _, insulin = _rest(p)
        infusion = insulin * p.insulin_clearance  # pmol/kg/min
        zero = jnp.zeros_like(infusion)
        basal = infusion * p.body_weight * (MINUTES_PER_HOUR / PICOMOLES_PER_UNIT)
        return {"carbohydrate_intake": zero, "insulin_bolus": zero, "insulin_basal_rate": basal}

    def begin(
        self, t: Number, dt: Number, state: GlucoseInsulinState, parameters: GlucoseInsulinParameters, inputs: Inputs
    ) -> GlucoseInsulinState:
        """A meal begins when eating begins; its size grows by what is eaten within this step."""
        eaten = MILLIGRAMS_PER_GRAM * inputs["carbohydrate_intake"]
        eats = eaten > 0
        begins = eats & (state.eating < 0.5)
        before = jnp.where(begins, state.stomach_solid + state.stomach_liquid, state.meal_size)
        size = before + eaten * dt
        eating = jnp.where(eats, jnp.ones_like(size), jnp.zeros_like(size))
        return eqx.tree_at(lambda s: (s.meal_size, s.eating), state, (size, eating))

    def rates(
        self, t: Number, state: GlucoseInsulinState, parameters: GlucoseInsulinParameters, inputs: Inputs
    ) -> GlucoseInsulinState:
        """The thirteen published rates; what is remembered of the meal changes only in :meth:`begin`."""
        s, p = state, parameters
        carbohydrate = MILLIGRAMS_PER_GRAM * inputs["carbohydrate_intake"]
        injected = _injected(p, inputs)

        fastest = p.meal_absorption * p.fastest_emptying
        emptied = _emptying(s, p) * s.stomach_liquid
        ground = fastest * s.stomach_solid
        absorbed = p.meal_absorption * s.gut_glucose

        sensitivity_on_production = p.insulin_sensitivity * p.liver_sensitivity
        fasting = p.fasting_glucose * p.glucose_volume
        production = jnp.maximum(
            0.0,
            p.endogenous_production
            - p.glucose_on_production * (s.plasma_glucose - fasting)
            - sensitivity_on_production * (s.delayed_insulin_2 - p.basal_insulin),
        )
        lost = p.renal_rate * jnp.maximum(0.0, s.plasma_glucose - p.renal_threshold)
        exchanged = p.plasma_to_tissue * s.plasma_glucose - p.tissue_to_plasma * s.tissue_glucose
        capacity = _basal_capacity(p) + p.insulin_sensitivity * s.remote_insulin
        uptake = capacity * s.tissue_glucose / (p.half_uptake + s.tissue_glucose)

        m2, m4, m30 = _insulin_rates(p)
        insulin = s.plasma_insulin / p.insulin_volume
        passed = p.depot_passage_rate * s.insulin_depot_1
        from_fast = p.fast_depot_rate * s.insulin_depot_1
        from_slow = p.slow_depot_rate * s.insulin_depot_2
        to_liver = m2 * s.plasma_insulin
        from_liver = p.liver_release * s.liver_insulin
        zero = jnp.zeros_like(s.meal_size)
        return GlucoseInsulinState(
            stomach_solid=carbohydrate - ground,
            stomach_liquid=ground - emptied,
            gut_glucose=emptied - absorbed,
            plasma_glucose=production + p.absorbed_share * absorbed / p.body_weight - p.brain_uptake - lost - exchanged,
            tissue_glucose=exchanged - uptake,
            plasma_insulin=from_fast + from_slow + from_liver - to_liver - m4 * s.plasma_insulin,
            remote_insulin=p.remote_insulin_rate * (insulin - p.basal_insulin - s.remote_insulin),
            delayed_insulin_1=p.production_delay_rate * (insulin - s.delayed_insulin_1),
            delayed_insulin_2=p.production_delay_rate * (s.delayed_insulin_1 - s.delayed_insulin_2),
            liver_insulin=to_liver - from_liver - m30 * s.liver_insulin,
            insulin_depot_1=injected - passed - from_fast,
            insulin_depot_2=passed - from_slow,
            sensor_glucose=p.sensor_delay_rate * (s.plasma_glucose - s.sensor_glucose),
            meal_size=zero,
            eating=zero,
        )

    def project(self, state: GlucoseInsulinState, parameters: GlucoseInsulinParameters) -> GlucoseInsulinState:
        """A mass is never negative; ``remote_insulin``, a difference, may be."""
        held = jax.tree.map(lambda x: jnp.maximum(0.0, x), state)
        return eqx.tree_at(lambda s: s.remote_insulin, held, state.remote_insulin)

    def noise(self, state: GlucoseInsulinState, parameters: GlucoseInsulinParameters) -> GlucoseInsulinState:
        """Glucose fluxes that no equation names (exercise, stress, hormones), and how a meal or a depot differs.

        1.2 mg/dL per square root of a minute in plasma is 9 mg/dL after one hour; a share of 2 % (gut) and 1 % (depot)
        per square root of a minute stands for meals and injections that are taken up unevenly. Judgement; a filter
        runs several multiples beside each other and learns which one holds.
        """
        quiet = jax.tree.map(jnp.zeros_like, state)
        return eqx.tree_at(
            lambda s: (s.gut_glucose, s.plasma_glucose, s.insulin_depot_2),
            quiet,
            (
                0.02 * state.gut_glucose,
                1.2 * parameters.glucose_volume + jnp.zeros_like(state.plasma_glucose),
                0.01 * state.insulin_depot_2,
            ),
        )

    def observe(self, t: Number, state: GlucoseInsulinState, parameters: GlucoseInsulinParameters) -> dict[str, Number]:
        """Sensor and plasma glucose (mg/dL) and plasma insulin (u[iU]/mL)."""
        p = parameters
        return {
            "glucose": state.sensor_glucose / p.glucose_volume + p.sensor_bias,
            "blood_glucose": state.plasma_glucose / p.glucose_volume,
            "insulin_concentration": state.plasma_insulin / p.insulin_volume * (1000.0 / PICOMOLES_PER_UNIT),
        }


def _injected(p: GlucoseInsulinParameters, inputs: Inputs) -> Number:
    """Insulin given, pmol/kg/min."""
    units = inputs["insulin_bolus"] + inputs["insulin_basal_rate"] / MINUTES_PER_HOUR
    return units * PICOMOLES_PER_UNIT / p.body_weight


def _cleared(s: GlucoseInsulinState, p: GlucoseInsulinParameters) -> Number:
    """Insulin that leaves the body, pmol/kg/min."""
    _, m4, m30 = _insulin_rates(p)
    return m4 * s.plasma_insulin + m30 * s.liver_insulin


def _insulin_rates(p: GlucoseInsulinParameters) -> tuple[Number, Number, Number]:
    """m2, m4, m30: from plasma to liver, cleared by the periphery, cleared by the liver; per minute."""
    cleared = p.insulin_clearance / p.insulin_volume
    to_liver = p.liver_share * cleared / p.liver_extraction
    return to_liver, (1 - p.liver_share) * cleared, p.liver_release * p.liver_extraction / (1 - p.liver_extraction)


def _basal_tissue(p: GlucoseInsulinParameters) -> tuple[Number, Number]:
    """Tissue uptake (mg/kg/min) and tissue glucose (mg/kg) at fasting glucose and basal insulin."""
    uptake = p.basal_disposal - p.brain_uptake
    return uptake, (p.plasma_to_tissue * p.fasting_glucose * p.glucose_volume - uptake) / p.tissue_to_plasma


def _basal_capacity(p: GlucoseInsulinParameters) -> Number:
    """Vm0: the greatest tissue uptake at basal insulin."""
    uptake, tissue = _basal_tissue(p)
    return uptake * (p.half_uptake + tissue) / tissue


def _emptying(s: GlucoseInsulinState, p: GlucoseInsulinParameters) -> Number:
    """Rate at which the stomach empties: fast when full, slow in between, fast again when nearly empty."""
    fastest, slowest = p.meal_absorption * p.fastest_emptying, p.meal_absorption * p.slowest_emptying
    eaten = s.meal_size > 0
    meal = jnp.where(eaten, s.meal_size, jnp.ones_like(s.meal_size))
    held = (s.stomach_solid + s.stomach_liquid) / meal
    slows = jnp.tanh(2.5 / (1 - p.emptying_slows_at) * (held - p.emptying_slows_at))
    recovers = jnp.tanh(2.5 / p.emptying_recovers_at * (held - p.emptying_recovers_at))
    return jnp.where(eaten, slowest + (fastest - slowest) / 2 * (slows - recovers + 2), fastest)


def _rest(p: GlucoseInsulinParameters) -> tuple[Number, Number, Number]:
    """Plasma glucose, tissue glucose and plasma insulin of the steady state at ``fasting_glucose``.

    With x = I - Ib, production falls and uptake rises with insulin: N = n0 - kp3 x reaches the tissue, which holds
    T = (k1 G - N)/k2 and takes up (Vm0 + Vmx x) T/(Km0 + T) = N. That is the quadratic a x^2 + b x + c = 0 below.
    Insulin is at least zero: for a production so low that no insulin is needed the state is the nearest one.
    """
    plasma = p.fasting_glucose * p.glucose_volume
    lost = p.renal_rate * jnp.maximum(0.0, plasma - p.renal_threshold)
    k1g, k2, kp3, vmx = (
        p.plasma_to_tissue * plasma,
        p.tissue_to_plasma,
        p.insulin_sensitivity * p.liver_sensitivity,
        p.insulin_sensitivity,
    )
    net = p.endogenous_production - p.brain_uptake - lost
    vm0 = _basal_capacity(p)
    # (vm0 + vmx x)(k1g - net + kp3 x) = (net - kp3 x)(k2 km0 + k1g - net + kp3 x)
    rest, full = k1g - net, k2 * p.half_uptake + k1g - net
    a = vmx * kp3 + kp3 * kp3
    b = vm0 * kp3 + vmx * rest + kp3 * (full - net)
    c = vm0 * rest - net * full
    x = -2 * c / (b + jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0.0)))
    insulin = jnp.maximum(p.basal_insulin + x, 0.0)
    reached = net - kp3 * (insulin - p.basal_insulin)
    return plasma, (k1g - reached) / k2, insulin
