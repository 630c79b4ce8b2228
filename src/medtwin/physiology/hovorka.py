"""Glucose and insulin of a person with type 1 diabetes, minute by minute, after Hovorka (2004).

Drawing
-------
::

    carbohydrate --> gut 1 --> gut 2 --AG--> accessible glucose <--k12-- other glucose --> disposal
                                               |  |  |   -- x1 -->          |
                     production (1 - x3) ------+  |  +--> brain, urine      x2
                                                  +--> sensor glucose
    insulin --> depot 1 --> depot 2 --> plasma insulin --> cleared
                                              +--> x1 (transport), x2 (disposal), x3 (production)

Equations
---------
Time in minutes; ``D`` carbohydrate in mmol/min, ``u`` insulin in mU/min, ``W`` body weight, ``G = Q1/(VG W)``
(mmol/L)::

    Q1' = -F - R - x1 Q1 + k12 Q2 + AG gut2/tG + W EGP0 max(0, 1 - x3)         Q2' = x1 Q1 - (k12 + x2) Q2
    F   = F01 W min(G/Gs, 1)                                                   R   = kr max(0, G - Gr) VG W
    gut1' = D - gut1/tG            gut2' = (gut1 - gut2)/tG
    depot1' = u - depot1/tI        depot2' = (depot1 - depot2)/tI              I'  = depot2/(tI VI W) - ke I
    x1' = ka1 (SIT s I - x1)       x2' = ka2 (SID s I - x2)                    x3' = ka3 (SIE s I - x3)
    C'  = (G - C)/tC

``SIT``, ``SID``, ``SIE`` are the published sensitivities of transport, disposal and production; ``s``
(insulin_sensitivity, 1 in the published person) scales the three together, so that one number says how sensitive a
person is. ``EGP0 = F01 + production_reserve``: production without insulin exceeds what the brain needs in every draw,
and with it a fasting insulin exists, the positive root of a quadratic::

    (e - f) (k12 + d I) - EGP0 c I (k12 + d I) - G VG b d I^2 = 0,   b = SIT s, d = SID s, c = SIE s
    e = EGP0,  f = F01 min(G/Gs, 1) + kr max(0, G - Gr) VG

Parameters
----------
``Parameters``. Medians are those of Hovorka2004 as four open implementations repeat them (the paper's own table was not
read); spreads between people are those that two open implementations give as the ones of Boiroux2017, as log-normals.

Assumptions
-----------
Type 1 diabetes without own insulin. No counter-regulation, no exercise, no time of day, and a meal is absorbed at one
speed whatever its size. Production is held at zero where much insulin would make the published one negative. Other
compartments, another meal and another insulin action than ``glucose_insulin``: where the two disagree, the form of a
model matters and not its numbers alone.

Outputs
-------
glucose: interstitial glucose as a sensor states it, with the sensor's bias (mg/dL); blood_glucose: plasma (mg/dL);
insulin_concentration: plasma (u[iU]/mL).

References
----------
Hovorka2004, Boiroux2017, Cappon2023, Vettoretti2019 (see ``references``).
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
from medtwin.physiology.prior import Covariate, Fixed, LogNormal, Normal

MILLIUNITS_PER_UNIT = 1000.0
MILLIGRAMS_PER_GRAM = 1000.0
MINUTES_PER_HOUR = 60.0
DECILITRES_PER_LITRE = 10.0
GLUCOSE_MASS = 180.156  # mg/mmol, of the input's conversion; the parameter below is the same number with its unit

Number = Float[Array, "..."]


class HovorkaParameters(eqx.Module):
    """What differs between people, and the constants of the equations."""

    # fmt: off
    body_weight: Number = parameter(unit="kg", prior=Covariate("body_weight", LogNormal(75.0, 0.18)), source="adults, judgement", meaning="Body weight")
    fasting_glucose: Number = parameter(unit="mmol/L", prior=Normal(6.61, 0.39), source="Cappon2023, prior of Gb: 119.13 and 7.11 mg/dL", meaning="Plasma glucose at rest, held by the basal insulin")
    insulin_sensitivity: Number = parameter(unit="1", prior=LogNormal(1.0, 0.45), source="spread: Boiroux2017, what its three sensitivities share (judgement)", meaning="All three insulin actions, as multiples of the published person's")
    transport_sensitivity: Number = parameter(unit="L/min/m[iU]", prior=LogNormal(51.2e-4, 0.37), source="Hovorka2004, SIT; spread: what Boiroux2017's leaves", meaning="Transport of glucose per insulin")
    disposal_sensitivity: Number = parameter(unit="L/min/m[iU]", prior=LogNormal(8.2e-4, 0.60), source="Hovorka2004, SID; spread: what Boiroux2017's leaves", meaning="Disposal of glucose per insulin")
    production_sensitivity: Number = parameter(unit="L/m[iU]", prior=LogNormal(520e-4, 0.32), source="Hovorka2004, SIE; spread: what Boiroux2017's leaves", meaning="Fall of production per insulin, as a share of production without insulin")
    transport_rate: Number = parameter(unit="/min", prior=LogNormal(0.006, 0.5), source="Hovorka2004, ka1; spread: judgement, below Boiroux2017's", meaning="Rate at which insulin begins and ends to act on transport")
    disposal_rate: Number = parameter(unit="/min", prior=LogNormal(0.06, 0.5), source="Hovorka2004, ka2; spread: judgement, below Boiroux2017's", meaning="Rate at which insulin begins and ends to act on disposal")
    production_rate: Number = parameter(unit="/min", prior=LogNormal(0.03, 0.5), source="Hovorka2004, ka3; spread: judgement, below Boiroux2017's", meaning="Rate at which insulin begins and ends to act on production")
    brain_uptake: Number = parameter(unit="mmol/kg/min", prior=LogNormal(0.0097, 0.22), source="Hovorka2004, F01; spread: Boiroux2017", meaning="Glucose uptake that needs no insulin, where glucose is not low")
    production_reserve: Number = parameter(unit="mmol/kg/min", prior=LogNormal(0.0064, 0.40), source="Hovorka2004, EGP0 - F01; spread: with that of F01 nearly Boiroux2017's of EGP0", meaning="Production without insulin beyond brain_uptake")
    brain_half: Number = parameter(unit="mmol/L", prior=Fixed(4.5), source="Hovorka2004", meaning="Glucose below which brain uptake falls with it (Gs)")
    renal_threshold: Number = parameter(unit="mmol/L", prior=LogNormal(9.0, 0.08), source="Hovorka2004; spread: judgement, half Boiroux2017's", meaning="Plasma glucose above which glucose is lost in urine (Gr)")
    renal_rate: Number = parameter(unit="/min", prior=Fixed(0.003), source="Hovorka2004", meaning="Rate of loss of glucose above the threshold (kr)")
    return_rate: Number = parameter(unit="/min", prior=LogNormal(0.066, 0.40), source="Hovorka2004, k12; spread: Boiroux2017", meaning="Rate of glucose from the other back to the accessible compartment")
    glucose_volume: Number = parameter(unit="L/kg", prior=LogNormal(0.16, 0.15), source="Hovorka2004, VG; spread: judgement, below Boiroux2017's", meaning="Distribution volume of accessible glucose")
    absorption_time: Number = parameter(unit="min", prior=LogNormal(40.0, 0.25), source="Hovorka2004, tmaxG; spread: Boiroux2017", meaning="Time of the greatest absorption of a meal")
    absorbed_share: Number = parameter(unit="1", prior=Fixed(0.8), source="Hovorka2004, AG", meaning="Share of carbohydrate that reaches plasma")
    depot_time: Number = parameter(unit="min", prior=LogNormal(55.0, 0.25), source="Hovorka2004, tmaxI; spread: Boiroux2017", meaning="Time of the greatest absorption of injected insulin")
    insulin_volume: Number = parameter(unit="L/kg", prior=LogNormal(0.12, 0.10), source="Hovorka2004, VI; spread: Boiroux2017", meaning="Distribution volume of insulin")
    insulin_elimination: Number = parameter(unit="/min", prior=LogNormal(0.138, 0.25), source="Hovorka2004, ke; spread: Boiroux2017", meaning="Rate at which plasma insulin is cleared")
    sensor_delay: Number = parameter(unit="min", prior=LogNormal(10.0, 0.25), source="Cappon2023 uses 7; spread: judgement", meaning="Time in which interstitial follows plasma glucose")
    sensor_bias: Number = parameter(unit="mg/dL", prior=Normal(0.0, 8.0), source="Vettoretti2019: -1 to +9 over a factory-calibrated sensor's days at 140 mg/dL", meaning="Bias of this sensor")
    glucose_mass: Number = parameter(unit="mg/mmol", prior=Fixed(GLUCOSE_MASS), source="C6H12O6", meaning="Molar mass of glucose")
    # fmt: on


class HovorkaState(eqx.Module):
    """Ten published states and the sensor's."""

    accessible_glucose: Number = state(unit="mmol", scale=80.0, meaning="Glucose where it is measured (Q1)")
    other_glucose: Number = state(unit="mmol", scale=35.0, meaning="Glucose in the other compartment (Q2)")
    gut_1: Number = state(unit="mmol", scale=150.0, meaning="Carbohydrate in the gut, as eaten")
    gut_2: Number = state(unit="mmol", scale=150.0, meaning="Carbohydrate in the gut, ready")
    insulin_depot_1: Number = state(unit="m[iU]", scale=500.0, meaning="Insulin under the skin, as injected")
    insulin_depot_2: Number = state(unit="m[iU]", scale=500.0, meaning="Insulin under the skin, dissolved")
    plasma_insulin: Number = state(unit="m[iU]/L", scale=8.0, meaning="Insulin in plasma")
    transport_action: Number = state(unit="/min", scale=0.04, meaning="Action of insulin on transport (x1)")
    disposal_action: Number = state(unit="/min", scale=0.007, meaning="Action of insulin on disposal (x2)")
    production_action: Number = state(unit="1", scale=0.4, meaning="Action of insulin on production (x3)")
    sensor_glucose: Number = state(unit="mmol/L", scale=6.0, meaning="Glucose where the sensor is")


class Hovorka(Model):
    """Glucose and insulin of a person with type 1 diabetes after Hovorka; the module's docstring is its paper."""

    name: ClassVar[str] = "hovorka"
    clock: ClassVar[Clock] = MINUTES
    Parameters: ClassVar[type] = HovorkaParameters
    State: ClassVar[type] = HovorkaState
    accepts: ClassVar[tuple[Accepts, ...]] = (
        Accepts(quantity="carbohydrate_intake", enters="gut_1", per=MILLIGRAMS_PER_GRAM / GLUCOSE_MASS),
        Accepts(quantity="insulin_bolus", enters="insulin_depot_1", per=MILLIUNITS_PER_UNIT),
        Accepts(quantity="insulin_basal_rate", enters="insulin_depot_1", per=MILLIUNITS_PER_UNIT / MINUTES_PER_HOUR),
    )
    observes: ClassVar[tuple[str, ...]] = ("glucose", "blood_glucose", "insulin_concentration")
    inferred: ClassVar[tuple[str, ...]] = (
        "insulin_sensitivity",
        "absorption_time",
        "production_reserve",
        "sensor_bias",
    )
    speaks_for: ClassVar[Population | None] = Population(
        snomed=("46635009", "290002008", "313435000", "444073006", "739681000", "23045005", "28032008", "421750000"),
        because="The equations have no insulin secretion: they describe type 1 diabetes only.",
    )
    scenario: ClassVar[Scenario] = Scenario(
        duration=10 * HOUR,
        given=(
            *meal(1 * HOUR, carbohydrate=40.0),
            bolus(1 * HOUR, 0.5),
            *meal(5 * HOUR, carbohydrate=40.0),
            bolus(5.5 * HOUR, 0.5),
        ),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=2 * HOUR,
        steps=30,
        displaced={"gut_1": 0.5, "insulin_depot_1": 0.5},
        given={"insulin_basal_rate": 0.5},
    )
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="carbohydrate in the gut",
            unit="mmol",
            amount=lambda s, p: s.gut_1 + s.gut_2,
            flow=lambda s, p, u: _eaten(p, u) - s.gut_2 / p.absorption_time,
        ),
        Ledger(
            name="insulin under the skin and in plasma",
            unit="m[iU]",
            amount=lambda s, p: (
                s.insulin_depot_1 + s.insulin_depot_2 + s.plasma_insulin * p.insulin_volume * p.body_weight
            ),
            flow=lambda s, p, u: (
                _injected(u) - p.insulin_elimination * s.plasma_insulin * p.insulin_volume * p.body_weight
            ),
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="carbohydrate_intake", effect="glucose", direction=1, size=10.0),
        Sign(cause="insulin_bolus", effect="glucose", direction=-1),
        Sign(cause="insulin_basal_rate", effect="blood_glucose", direction=-1, size=0.3),
        Sign(cause="insulin_bolus", effect="insulin_concentration", direction=1),
        Sign(cause="insulin_sensitivity", effect="glucose", direction=-1),
        Sign(cause="production_reserve", effect="glucose", direction=1),
        Sign(cause="sensor_bias", effect="glucose", direction=1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Hovorka2004",
            text="Hovorka R, Canonico V, Chassin LJ, et al. Nonlinear model predictive control of glucose concentration "
            "in subjects with type 1 diabetes. Physiol Meas 2004;25:905-920.",
            doi="10.1088/0967-3334/25/4/010",
        ),
        Reference(
            key="Boiroux2017",
            text="Boiroux D, Duun-Henriksen AK, Schmidt S, et al. Adaptive control in an artificial pancreas for people "
            "with type 1 diabetes. Control Eng Pract 2017;58:332-342 (journal from memory; spreads as open "
            "implementations of its virtual clinic give them, not read in the paper).",
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

    def initial(self, parameters: HovorkaParameters) -> HovorkaState:
        """Fasting and steady at ``fasting_glucose``, with the insulin that holds it there."""
        p = parameters
        insulin = fasting_insulin(p)
        glucose = p.fasting_glucose * p.glucose_volume * p.body_weight
        transport, disposal, production = _actions(p, insulin)
        depot = p.depot_time * _cleared(p, insulin)
        zero = jnp.zeros_like(glucose)
        return HovorkaState(
            accessible_glucose=glucose,
            other_glucose=transport * glucose / (p.return_rate + disposal),
            gut_1=zero,
            gut_2=zero,
            insulin_depot_1=depot,
            insulin_depot_2=depot,
            plasma_insulin=insulin,
            transport_action=transport,
            disposal_action=disposal,
            production_action=production,
            sensor_glucose=p.fasting_glucose + zero,
        )

    def resting(self, parameters: HovorkaParameters) -> dict[str, Number]:
        """No meal, no bolus, and the basal rate (U/h) that holds :meth:`initial`."""
        infusion = _cleared(parameters, fasting_insulin(parameters))  # mU/min
        zero = jnp.zeros_like(infusion)
        basal = infusion * (MINUTES_PER_HOUR / MILLIUNITS_PER_UNIT)
        return {"carbohydrate_intake": zero, "insulin_bolus": zero, "insulin_basal_rate": basal}

    def rates(self, t: Number, state: HovorkaState, parameters: HovorkaParameters, inputs: Inputs) -> HovorkaState:
        """The ten published rates and the sensor's."""
        s, p = state, parameters
        volume = p.glucose_volume * p.body_weight
        glucose = s.accessible_glucose / volume
        appeared = s.gut_2 / p.absorption_time
        ready = s.gut_1 / p.absorption_time
        absorbed = s.insulin_depot_2 / p.depot_time
        dissolved = s.insulin_depot_1 / p.depot_time
        transported = s.transport_action * s.accessible_glucose
        returned = p.return_rate * s.other_glucose
        produced = p.body_weight * _unsuppressed(p) * jnp.maximum(0.0, 1 - s.production_action)
        used = p.body_weight * _fixed_losses(p, glucose)
        transport, disposal, production = _actions(p, s.plasma_insulin)
        return HovorkaState(
            accessible_glucose=produced + p.absorbed_share * appeared + returned - used - transported,
            other_glucose=transported - returned - s.disposal_action * s.other_glucose,
            gut_1=_eaten(p, inputs) - ready,
            gut_2=ready - appeared,
            insulin_depot_1=_injected(inputs) - dissolved,
            insulin_depot_2=dissolved - absorbed,
            plasma_insulin=absorbed / (p.insulin_volume * p.body_weight) - p.insulin_elimination * s.plasma_insulin,
            transport_action=p.transport_rate * (transport - s.transport_action),
            disposal_action=p.disposal_rate * (disposal - s.disposal_action),
            production_action=p.production_rate * (production - s.production_action),
            sensor_glucose=(glucose - s.sensor_glucose) / p.sensor_delay,
        )

    def project(self, state: HovorkaState, parameters: HovorkaParameters) -> HovorkaState:
        """No mass and no action is negative."""
        return jax.tree.map(lambda x: jnp.maximum(0.0, x), state)

    def noise(self, state: HovorkaState, parameters: HovorkaParameters) -> HovorkaState:
        """Glucose fluxes that no equation names, and how a meal or a depot differs: as in ``glucose_insulin``.

        0.011 of fasting glucose, or 1.3 mg/dL, per square root of a minute in plasma; a share of 2 % (gut) and 1 % (depot)
        per square root of a minute. Judgement; a filter runs several multiples and learns which one holds.
        """
        p = parameters
        quiet = jax.tree.map(jnp.zeros_like, state)
        return eqx.tree_at(
            lambda s: (s.gut_2, s.accessible_glucose, s.insulin_depot_2),
            quiet,
            (
                0.02 * state.gut_2,
                0.011 * p.fasting_glucose * p.glucose_volume * p.body_weight + jnp.zeros_like(state.accessible_glucose),
                0.01 * state.insulin_depot_2,
            ),
        )

    def observe(self, t: Number, state: HovorkaState, parameters: HovorkaParameters) -> dict[str, Number]:
        """Sensor and plasma glucose (mg/dL) and plasma insulin (u[iU]/mL, the same number as mU/L)."""
        p = parameters
        stated = p.glucose_mass / DECILITRES_PER_LITRE  # mg/dL per mmol/L
        return {
            "glucose": state.sensor_glucose * stated + p.sensor_bias,
            "blood_glucose": state.accessible_glucose / (p.glucose_volume * p.body_weight) * stated,
            "insulin_concentration": state.plasma_insulin,
        }


def _eaten(p: HovorkaParameters, inputs: Inputs) -> Number:
    """Carbohydrate eaten, mmol/min."""
    return inputs["carbohydrate_intake"] * MILLIGRAMS_PER_GRAM / p.glucose_mass


def _injected(inputs: Inputs) -> Number:
    """Insulin given, mU/min."""
    return MILLIUNITS_PER_UNIT * (inputs["insulin_bolus"] + inputs["insulin_basal_rate"] / MINUTES_PER_HOUR)


def _cleared(p: HovorkaParameters, insulin: Number) -> Number:
    """Insulin that leaves plasma at this concentration (mU/L), mU/min."""
    return insulin * p.insulin_elimination * p.insulin_volume * p.body_weight


def _actions(p: HovorkaParameters, insulin: Number) -> tuple[Number, Number, Number]:
    """Settled actions on transport, disposal and production at this insulin (mU/L)."""
    acting = p.insulin_sensitivity * insulin
    return p.transport_sensitivity * acting, p.disposal_sensitivity * acting, p.production_sensitivity * acting


def _unsuppressed(p: HovorkaParameters) -> Number:
    """EGP0: production without insulin, mmol/kg/min."""
    return p.brain_uptake + p.production_reserve


def _fixed_losses(p: HovorkaParameters, glucose: Number) -> Number:
    """What brain and urine take at this glucose (mmol/L), mmol/kg/min."""
    brain = p.brain_uptake * jnp.minimum(glucose / p.brain_half, 1.0)
    return brain + p.renal_rate * jnp.maximum(0.0, glucose - p.renal_threshold) * p.glucose_volume


def fasting_insulin(p: HovorkaParameters) -> Number:
    """Plasma insulin (mU/L) at which ``fasting_glucose`` stays: the positive root of the quadratic above.

    Insulin is at least zero: where urine alone takes what is produced the state is the nearest one.
    """
    b, d, c = _actions(p, jnp.ones_like(p.insulin_sensitivity))
    left = _unsuppressed(p) - _fixed_losses(p, p.fasting_glucose)
    squared = d * (_unsuppressed(p) * c + p.fasting_glucose * p.glucose_volume * b)
    linear = left * d - _unsuppressed(p) * c * p.return_rate
    constant = jnp.maximum(left, 0.0) * p.return_rate
    return 2 * constant / (jnp.sqrt(linear * linear + 4 * squared * constant) - linear)
