"""Glucose, insulin and glucagon of a person with type 1 diabetes: UVA/Padova S2013 on top of S2008, with the time of day.

Drawing
-------
::

    everything in ``glucose_insulin``, and

    glucagon given --> depot 1 --> depot 2 --> plasma glucagon --> delayed action --> more production
                          |                     ^       |
                          +--> lost             |       +--> cleared
    low glucose, little insulin --> secretion --+
    falling glucose ----------------------------+
    low glucose  --> risk --> insulin acts more on uptake        hour of the day --> uptake

Equations
---------
Time in minutes; what ``glucose_insulin`` states, with three changes. ``G`` plasma glucose (mg/dL), ``I`` plasma insulin
(pmol/L), ``T`` tissue glucose, ``H`` plasma glucagon (ng/L), ``D`` glucagon given (ng/kg/min), zero at a letter: at rest::

    production = max(0, kp1 - kp2 plasma - kp3 delay2 + kxi action)
    uptake     = h(t) (Vm0 + Vmx X (1 + r3 risk)) T/(Km0 + T)
    risk       = 10 (ln(g)^r1 - r2)^2 for G < G0, 0 above;  g = max(G, 60 mg/dL)
    H'         = -n H + secreted + d max(0, -G') + kh3 depot2/V          action' = kh (max(0, H - H0) - action)
    secreted'  = -rho (secreted - max(0, s (G0 - G)/(1 + max(0, I - I0)/(1 pmol/L)) + n H0))
    depot1'    = D - (kh1 + kh2) depot1                                  depot2' = kh1 depot1 - kh3 depot2

``h(t)`` is 1 by night, ``breakfast_uptake`` from 4 h, ``lunch_uptake`` from 11 h, 1 again from 17 h, with smooth steps
(quintic) of two hours about these hours. With ``glucagon_on_production`` and ``risk_gain`` at 0 and both uptakes at 1
glucose and insulin are exactly those of ``glucose_insulin`` (a test).

Parameters
----------
``Parameters``: those of ``glucose_insulin``, and those of glucagon, risk and time of day. The paper states the equations
but no values that can be shipped. The constants of glucagon are those of Peuscher2025, whose authors mark most of them
as without a reliable source in the literature. Their volume does not appear there: it is that of the product's label.

Assumptions
-----------
Production rises in proportion to glucagon without bound and liver glycogen does not run out: made for the small doses
(up to about 0.3 mg) of closed loops, too strong for 1 mg. With these constants a person whose insulin is above basal
secretes next to no glucagon when glucose falls: the lost counter-regulation of long type 1 diabetes. Adrenaline,
cortisol, growth hormone are in ``risk`` at most. The published risk raises insulin action, and so deepens a low: far more
than in a trial of glucagon after a low (Ranjan2016), which the median person meets without it (``risk_gain`` 0) only.

Outputs
-------
glucose: interstitial glucose as a sensor states it, with the sensor's bias (mg/dL); blood_glucose: plasma (mg/dL);
insulin_concentration: plasma (u[iU]/mL); glucagon_concentration: plasma (pg/mL).

References
----------
DallaMan2007, Kovatchev2008, DallaMan2014, Cappon2023, Vettoretti2019 as in ``glucose_insulin``; Visentin2018,
Kovatchev2000, Lv2013, Peuscher2025, LillyLabel, Ranjan2016 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.exposures import HOUR, Exposure, bolus, meal
from medtwin.physiology.glucose_insulin import (
    GlucoseInsulin,
    GlucoseInsulinParameters,
    GlucoseInsulinState,
)
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
from medtwin.physiology.prior import Fixed, LogNormal

NANOGRAMS_PER_MILLIGRAM = 1e6
BASE = GlucoseInsulin()

Number = Float[Array, "..."]


class GlucoseCounterRegulationParameters(GlucoseInsulinParameters):
    """Those of ``glucose_insulin``, and those of glucagon, of the risk of a low, and of the time of day."""

    # fmt: off
    basal_glucagon: Number = parameter(unit="ng/L", prior=LogNormal(60.0, 0.25), source="Peuscher2025, Hb, after DallaMan2014, figure 5; spread: judgement", meaning="Plasma glucagon at rest")
    glucagon_clearance_rate: Number = parameter(unit="/min", prior=LogNormal(0.2, 0.2), source="Peuscher2025, nH (default of its authors); spread: judgement", meaning="Rate at which plasma glucagon is cleared")
    glucagon_action_rate: Number = parameter(unit="/min", prior=LogNormal(0.1, 0.2), source="Peuscher2025, kh (default of its authors); spread: judgement", meaning="Rate at which glucagon begins and ends to act")
    glucagon_on_production: Number = parameter(unit="mg.L/kg/min/ng", prior=LogNormal(0.01, 0.3), source="Peuscher2025, kxi (default of its authors); spread: judgement", meaning="Rise of production per glucagon above rest")
    glucagon_of_low_glucose: Number = parameter(unit="ng.dL/L/min/mg", prior=LogNormal(0.2, 0.3), source="Peuscher2025, kGSRs (default of its authors); spread: judgement", meaning="Secretion of glucagon per glucose below fasting, at basal insulin")
    glucagon_of_fall: Number = parameter(unit="ng.dL/L/mg", prior=LogNormal(0.1, 0.3), source="Peuscher2025, delta (default of its authors); spread: judgement", meaning="Secretion of glucagon per fall of glucose")
    secretion_rate: Number = parameter(unit="/min", prior=Fixed(0.5), source="Peuscher2025, rho (default of its authors)", meaning="Rate at which secretion of glucagon follows glucose")
    insulin_that_halves_secretion: Number = parameter(unit="pmol/L", prior=Fixed(1.0), source="the 1 in the published denominator, DallaMan2014 as in Peuscher2025", meaning="Insulin above basal that halves the answer of glucagon to low glucose")
    glucagon_absorption_rate: Number = parameter(unit="/min", prior=LogNormal(0.02, 0.2), source="Peuscher2025, kh1 (default of its authors); spread: judgement", meaning="Rate of glucagon from the first to the second depot")
    glucagon_loss_rate: Number = parameter(unit="/min", prior=LogNormal(0.02, 0.2), source="Peuscher2025, kh2 (default of its authors); spread: judgement", meaning="Rate of loss of glucagon in the first depot")
    glucagon_entry_rate: Number = parameter(unit="/min", prior=Fixed(0.2), source="Peuscher2025, kh3", meaning="Rate of glucagon from the second depot to plasma")
    glucagon_volume: Number = parameter(unit="L/kg", prior=LogNormal(0.25, 0.2), source="LillyLabel: 0.25; spread: judgement", meaning="Distribution volume of glucagon")
    risk_gain: Number = parameter(unit="1", prior=Fixed(1.509), source="Kovatchev2000, as in Peuscher2025, r3", meaning="Rise of insulin action per unit of risk")
    risk_power: Number = parameter(unit="1", prior=Fixed(1.084), source="Kovatchev2000, as in Peuscher2025, r1", meaning="Power of the logarithm of glucose in the risk")
    risk_offset: Number = parameter(unit="1", prior=Fixed(5.381), source="Kovatchev2000, as in Peuscher2025, r2", meaning="That power at the glucose without risk, 112.5 mg/dL")
    risk_floor: Number = parameter(unit="mg/dL", prior=Fixed(60.0), source="Peuscher2025, Gth", meaning="Glucose below which the risk rises no more")
    glucose_unit: Number = parameter(unit="mg/dL", prior=Fixed(1.0), source="the unit of the published logarithm", meaning="What glucose is divided by before its logarithm")
    breakfast_uptake: Number = parameter(unit="1", prior=LogNormal(0.8, 0.1), source="Visentin2018 as in Peuscher2025, kir; spread: judgement", meaning="Uptake by tissue from breakfast_from on, as a share of that by night")
    lunch_uptake: Number = parameter(unit="1", prior=LogNormal(0.9, 0.1), source="Visentin2018 as in Peuscher2025, kir; spread: judgement", meaning="Uptake by tissue from lunch_from on, as a share of that by night")
    breakfast_from: Number = parameter(unit="min", prior=Fixed(240.0), source="Visentin2018 as in Peuscher2025: 4 h", meaning="Middle of the step to breakfast_uptake")
    lunch_from: Number = parameter(unit="min", prior=Fixed(660.0), source="Visentin2018 as in Peuscher2025: 11 h", meaning="Middle of the step to lunch_uptake")
    night_from: Number = parameter(unit="min", prior=Fixed(1020.0), source="Visentin2018 as in Peuscher2025: 17 h", meaning="Middle of the step back to 1")
    hours_change: Number = parameter(unit="min", prior=Fixed(120.0), source="Peuscher2025: 2 h", meaning="Duration of each of these steps")
    day: Number = parameter(unit="min", prior=Fixed(1440.0), source="24 h", meaning="A day")
    # fmt: on


class GlucoseCounterRegulationState(GlucoseInsulinState):
    """Those of ``glucose_insulin``, and glucagon's."""

    glucagon: Number = state(unit="ng/L", scale=60.0, meaning="Glucagon in plasma")
    glucagon_action: Number = state(unit="ng/L", scale=60.0, meaning="Glucagon above rest that acts on production")
    glucagon_secretion: Number = state(
        unit="ng/L/min", scale=12.0, meaning="Secretion of glucagon that follows the level of glucose"
    )
    glucagon_depot_1: Number = state(unit="ng/kg", scale=1000.0, meaning="Glucagon under the skin, as injected")
    glucagon_depot_2: Number = state(unit="ng/kg", scale=100.0, meaning="Glucagon under the skin, dissolved")


class GlucoseCounterRegulation(Model):
    """Glucose, insulin and glucagon in type 1 diabetes; the module's docstring is its paper."""

    name: ClassVar[str] = "glucose_counter_regulation"
    clock: Clock = eqx.field(static=True, default=MINUTES)  # type: ignore[misc]  # the reference tests refine it
    Parameters: ClassVar[type] = GlucoseCounterRegulationParameters
    State: ClassVar[type] = GlucoseCounterRegulationState
    accepts: ClassVar[tuple[Accepts, ...]] = (
        *GlucoseInsulin.accepts,
        Accepts(
            quantity="glucagon_dose", enters="glucagon_depot_1", per=NANOGRAMS_PER_MILLIGRAM, divided_by="body_weight"
        ),
    )
    observes: ClassVar[tuple[str, ...]] = (*GlucoseInsulin.observes, "glucagon_concentration")
    inferred: ClassVar[tuple[str, ...]] = GlucoseInsulin.inferred
    correlations: ClassVar[tuple[tuple[str, str, float], ...]] = GlucoseInsulin.correlations
    bookkeeping: ClassVar[tuple[str, ...]] = GlucoseInsulin.bookkeeping
    speaks_for: ClassVar[Population | None] = GlucoseInsulin.speaks_for
    scenario: ClassVar[Scenario] = Scenario(
        duration=10 * HOUR,
        given=(
            *meal(1 * HOUR, carbohydrate=40.0),
            bolus(1 * HOUR, 1.5),
            Exposure(quantity="glucagon_dose", time=6 * HOUR, amount=0.1),
        ),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(  # glucose rises from fasting throughout: no rule switches
        duration=0.5 * HOUR,
        steps=10,
        displaced={"glucagon_depot_1": 1.0},
        given={"insulin_basal_rate": -0.3},
    )
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        *GlucoseInsulin.ledgers,
        Ledger(
            name="glucagon under the skin",
            unit="ng/kg",
            amount=lambda s, p: s.glucagon_depot_1 + s.glucagon_depot_2,
            flow=lambda s, p, u: (
                NANOGRAMS_PER_MILLIGRAM * u["glucagon_dose"] / p.body_weight
                - p.glucagon_loss_rate * s.glucagon_depot_1
                - p.glucagon_entry_rate * s.glucagon_depot_2
            ),
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        *GlucoseInsulin.signs,
        Sign(cause="glucagon_dose", effect="blood_glucose", direction=1, size=0.1),
        Sign(cause="glucagon_dose", effect="glucagon_concentration", direction=1, size=0.1),
        Sign(cause="breakfast_uptake", effect="glucose", direction=-1),
    )
    references: ClassVar[tuple[Reference, ...]] = (
        *GlucoseInsulin.references,
        Reference(
            key="Visentin2018",
            text="Visentin R, Campos-Nanez E, Schiavon M, et al. The UVA/Padova type 1 diabetes simulator goes from "
            "single meal to single day. J Diabetes Sci Technol 2018;12:273-281.",
            doi="10.1177/1932296818757747",
        ),
        Reference(
            key="Kovatchev2000",
            text="Kovatchev BP, Straume M, Cox DJ, Farhy LS. Risk analysis of blood glucose data: a quantitative approach "
            "to optimizing the control of insulin dependent diabetes. J Theor Med 2000;3:1-10.",
        ),
        Reference(
            key="Lv2013",
            text="Lv D, Breton MD, Farhy LS. Pharmacokinetics modeling of exogenous glucagon in type 1 diabetes mellitus "
            "patients. Diabetes Technol Ther 2013;15:935-941.",
        ),
        Reference(
            key="Peuscher2025",
            text="Peuscher H, et al. LoopInsighT1, an open source tool to simulate closed-loop glycemic control in type 1 "
            "diabetes (MIT licence). Models UvaPadova_T1DMS and UvaPadova_Visentin2015, commit 9a60920, 2025.",
        ),
        Reference(
            key="Ranjan2016",
            text="Ranjan A, Schmidt S, Madsbad S, Holst JJ, Norgaard K. Effects of subcutaneous, low-dose glucagon on "
            "insulin-induced mild hypoglycaemia in patients with insulin pump treated type 1 diabetes. Diabetes Obes Metab "
            "2016;18:410-418.",
            doi="10.1111/dom.12627",
        ),
        Reference(
            key="LillyLabel",
            text="Eli Lilly. Glucagon for injection (rDNA origin), information for the physician: volume of distribution "
            "0.25 L/kg, clearance 13.5 mL/min/kg, peak 7.9 ng/mL about 20 min after 1 mg.",
        ),
    )

    def initial(self, parameters: GlucoseCounterRegulationParameters) -> GlucoseCounterRegulationState:
        """Fasting and steady, by night, at ``fasting_glucose`` and ``basal_glucagon``."""
        p = parameters
        base = BASE.initial(p)
        zero = jnp.zeros_like(base.plasma_glucose)
        return _joined(
            base,
            glucagon=p.basal_glucagon + zero,
            glucagon_action=zero,
            glucagon_secretion=p.glucagon_clearance_rate * p.basal_glucagon + zero,
            glucagon_depot_1=zero,
            glucagon_depot_2=zero,
        )

    def resting(self, parameters: GlucoseCounterRegulationParameters) -> dict[str, Number]:
        """No meal, no bolus, no glucagon, and the basal rate (U/h) that holds :meth:`initial` by night."""
        held = BASE.resting(parameters)
        return held | {"glucagon_dose": jnp.zeros_like(held["insulin_bolus"])}

    def begin(
        self,
        t: Number,
        dt: Number,
        state: GlucoseCounterRegulationState,
        parameters: GlucoseCounterRegulationParameters,
        inputs: Inputs,
    ) -> GlucoseCounterRegulationState:
        """A meal begins when eating begins, as in ``glucose_insulin``."""
        return BASE.begin(t, dt, state, parameters, inputs)  # type: ignore[return-value]  # it returns what it was given

    def rates(
        self,
        t: Number,
        state: GlucoseCounterRegulationState,
        parameters: GlucoseCounterRegulationParameters,
        inputs: Inputs,
    ) -> GlucoseCounterRegulationState:
        """The rates of ``glucose_insulin``, what differs in production and uptake, and those of glucagon."""
        s, p = state, parameters
        base = BASE.rates(t, s, p, inputs)
        before, after = _production(s, p)
        plasma_rate = base.plasma_glucose + (after - before)
        tissue_rate = base.tissue_glucose - _extra_uptake(t, s, p)

        glucose = s.plasma_glucose / p.glucose_volume
        fall = jnp.maximum(0.0, -plasma_rate / p.glucose_volume)
        excess = jnp.maximum(0.0, s.plasma_insulin / p.insulin_volume - p.basal_insulin)
        answer = p.glucagon_of_low_glucose / (1 + excess / p.insulin_that_halves_secretion)
        aim = answer * (p.fasting_glucose - glucose) + p.glucagon_clearance_rate * p.basal_glucagon
        entered = p.glucagon_entry_rate * s.glucagon_depot_2
        absorbed = p.glucagon_absorption_rate * s.glucagon_depot_1
        given = NANOGRAMS_PER_MILLIGRAM * inputs["glucagon_dose"] / p.body_weight
        above = jnp.maximum(0.0, s.glucagon - p.basal_glucagon)
        changed = eqx.tree_at(lambda b: (b.plasma_glucose, b.tissue_glucose), base, (plasma_rate, tissue_rate))
        return _joined(
            changed,
            glucagon=s.glucagon_secretion
            + p.glucagon_of_fall * fall
            + entered / p.glucagon_volume
            - p.glucagon_clearance_rate * s.glucagon,
            glucagon_action=p.glucagon_action_rate * (above - s.glucagon_action),
            glucagon_secretion=p.secretion_rate * (jnp.maximum(0.0, aim) - s.glucagon_secretion),
            glucagon_depot_1=given - absorbed - p.glucagon_loss_rate * s.glucagon_depot_1,
            glucagon_depot_2=absorbed - entered,
        )

    def project(
        self, state: GlucoseCounterRegulationState, parameters: GlucoseCounterRegulationParameters
    ) -> GlucoseCounterRegulationState:
        """A mass is never negative; ``remote_insulin``, a difference, may be."""
        return BASE.project(state, parameters)  # type: ignore[return-value]

    def noise(
        self, state: GlucoseCounterRegulationState, parameters: GlucoseCounterRegulationParameters
    ) -> GlucoseCounterRegulationState:
        """As in ``glucose_insulin``; glucagon has none of its own."""
        return BASE.noise(state, parameters)  # type: ignore[return-value]

    def observe(
        self, t: Number, state: GlucoseCounterRegulationState, parameters: GlucoseCounterRegulationParameters
    ) -> dict[str, Number]:
        """Sensor and plasma glucose (mg/dL), plasma insulin (u[iU]/mL) and glucagon (pg/mL)."""
        return BASE.observe(t, state, parameters) | {"glucagon_concentration": state.glucagon}


def uptake_of_hour(t: Number, p: GlucoseCounterRegulationParameters) -> Number:
    """Uptake by tissue at minute ``t`` after a midnight, as a share of that by night."""
    hour = jnp.mod(t + p.hours_change / 2, p.day)

    def step(begin: Number) -> Number:
        x = jnp.clip((hour - begin) / p.hours_change, 0.0, 1.0)
        return x**3 * (10 - 15 * x + 6 * x**2)

    return (
        1
        + (p.breakfast_uptake - 1) * step(p.breakfast_from)
        + (p.lunch_uptake - p.breakfast_uptake) * step(p.lunch_from)
        + (1 - p.lunch_uptake) * step(p.night_from)
    )


def risk(s: GlucoseInsulinState, p: GlucoseCounterRegulationParameters) -> Number:
    """Risk of a low (1) at this plasma glucose: 0 from fasting glucose on."""
    glucose = s.plasma_glucose / p.glucose_volume
    felt = jnp.log(jnp.maximum(glucose, p.risk_floor) / p.glucose_unit) ** p.risk_power - p.risk_offset
    return jnp.where(glucose < p.fasting_glucose * (1 - 1e-5), 10 * felt**2, jnp.zeros_like(felt))


def _joined(base: GlucoseInsulinState, **glucagon: Number) -> GlucoseCounterRegulationState:
    own = {field.name: getattr(base, field.name) for field in dataclasses.fields(GlucoseInsulinState)}
    return GlucoseCounterRegulationState(**own, **glucagon)


def _production(s: GlucoseCounterRegulationState, p: GlucoseCounterRegulationParameters) -> tuple[Number, Number]:
    """Production without and with the action of glucagon, mg/kg/min."""
    free = (
        p.endogenous_production
        - p.glucose_on_production * (s.plasma_glucose - p.fasting_glucose * p.glucose_volume)
        - p.insulin_sensitivity * p.liver_sensitivity * (s.delayed_insulin_2 - p.basal_insulin)
    )
    return jnp.maximum(0.0, free), jnp.maximum(0.0, free + p.glucagon_on_production * s.glucagon_action)


def _extra_uptake(t: Number, s: GlucoseCounterRegulationState, p: GlucoseCounterRegulationParameters) -> Number:
    """Uptake by tissue beyond that of ``glucose_insulin``, mg/kg/min."""
    basal = p.basal_disposal - p.brain_uptake
    resting_tissue = (p.plasma_to_tissue * p.fasting_glucose * p.glucose_volume - basal) / p.tissue_to_plasma
    before = basal * (p.half_uptake + resting_tissue) / resting_tissue + p.insulin_sensitivity * s.remote_insulin
    after = uptake_of_hour(t, p) * (before + p.insulin_sensitivity * s.remote_insulin * p.risk_gain * risk(s, p))
    return (after - before) * s.tissue_glucose / (p.half_uptake + s.tissue_glucose)
