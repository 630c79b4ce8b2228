"""Glucose and insulin of a person with own insulin, without diabetes or with type 2, minute by minute (Dalla Man 2007).

Drawing
-------
::

    carbohydrate --> stomach solid --> stomach liquid --> gut --f--> plasma glucose <==> tissue glucose --> uptake
                                                                      ^    |    |                            ^
                                                       production ----+    |    +--> brain, urine            |
                                                         ^                 v                                 |
         beta cell: level (late) and rise of glucose --> portal vein --> liver <==> plasma insulin --> remote insulin
                                                                           |          ^    |
                                                                        extracted     |    +--> delay 1 --> delay 2
    insulin given --> depot 1 --> depot 2 --------------------------------------------+              (production)

Equations
---------
Time in minutes; stomach, gut, glucose exchange, remote and delayed insulin and depots as in ``glucose_insulin``, with
``U`` for uptake's capacity. New, with ``S = gamma portal`` the secretion (pmol/kg/min), zero at the end of a letter:
at rest::

    production = a max(0, P0 - kp2 (G - G0) - kp3 (s delay2 - I0) - kp4 (portal - portal0))
    U       = Vm0 + Vmx (s (X + I0) - I0)                      X' = p2u (I - I0 - X)
    HE      = HE0 - m5 (S - S0)                                m3 = HE m1/(1 - HE)
    liver'  = -(m1 + m3) liver + m2 plasma + S                 plasma' = -(m2 + m4) plasma + m1 liver + from depots
    portal' = -gamma portal + S0 + late + q K max(0, g') + e   g = G/Vg (mg/dL)
    late'   = -alpha (late - max(q beta (g - g0), -S0))
    urine   = ke1 Vg max(0, g - threshold) + clearance max(0, g - drug_threshold)

Derived, so that every draw rests at fasting_glucose with basal_insulin; they give back the published table (a test)::

    m4 = (1 - share) c,  m2 = share c/HE0,  S0 = c I0 Vi/(1 - HE0),  m6 = HE0 + m5 S0
    kp1 = P0 + kp2 G0 + kp3 I0 + kp4 portal0
    T0 = (k1 G0 - uptake0)/k2,  Vm0 = uptake0 (Km0 + T0)/T0,  uptake0 = P0 - brain - urine0;  c = insulin_clearance/Vi

Hooks of drugs, each neutral by default; a drug's own model (dose, time, spread) sets them through a wire or a plan:

- ``production_factor`` (a): metformin;
- ``excretion_clearance``, ``excretion_threshold``: SGLT2 inhibitors (Polidori2013: clearance near the filtration rate above a
  lowered threshold);
- ``emptying_factor``: GLP-1 receptor agonists, on the speeds of the stomach;
- ``secretion_factor`` (q): GLP-1 and GIP, on the answer to glucose;
- ``added_secretion`` (e): sulfonylureas, whatever the glucose;
- ``sensitivity_factor`` (s): weight loss, training, glitazones, on all insulin and not on that above basal only.

Parameters
----------
``Parameters``. Medians depend on the covariate ``type_2_diabetes`` (0 no, 1 yes, 1 where unknown; in between the
geometric mean): the two columns of DallaMan2007's table, as open implementations repeat them. The paper's own table
was not read.

Assumptions
-----------
The average person of each column with a spread that is our judgement. At rest no insulin is given. No
counter-regulation, no exercise, no time of day. A drug moves a person away from where ``initial`` puts him. Hepatic
extraction is held between 0 and 0.95, and ke1 far below the filtration rate is as published.

Outputs
-------
glucose: interstitial glucose as a sensor states it, with the sensor's bias (mg/dL); blood_glucose: plasma (mg/dL);
insulin_concentration: plasma (u[iU]/mL).

References
----------
DallaMan2007, DallaMan2014, Polidori2013, Vettoretti2019 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.exposures import HOUR, MINUTE, meal
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
from medtwin.physiology.prior import Covariate, Covariates, Fixed, LogNormal, Normal

PICOMOLES_PER_UNIT = 6000.0  # pmol of insulin in one international unit
MILLIGRAMS_PER_GRAM = 1000.0
MINUTES_PER_HOUR = 60.0
MOST_EXTRACTED = 0.95  # of the insulin that enters the liver

Number = Float[Array, "..."]


def _by_diabetes(without: float, with_type_2: float) -> Callable[[Covariates], float]:
    """The median of a person without diabetes or with type 2; where nothing is known, with it."""

    def median(known: Covariates) -> float:
        share = known.get("type_2_diabetes", 1.0)
        return float(without ** (1 - share) * with_type_2**share)

    return median


class GlucoseType2Parameters(eqx.Module):
    """What differs between people, the constants of the equations, and the hooks of drugs."""

    # fmt: off
    body_weight: Number = parameter(unit="kg", prior=Covariate("body_weight", LogNormal(_by_diabetes(78.0, 91.0), 0.18)), source="DallaMan2007: 78 and 91 kg (from memory); spread: judgement", meaning="Body weight")
    fasting_glucose: Number = parameter(unit="mg/dL", prior=LogNormal(_by_diabetes(92.0, 159.4), 0.10), source="DallaMan2007: where the published constants are at rest; spread: judgement", meaning="Plasma glucose at rest")
    basal_insulin: Number = parameter(unit="pmol/L", prior=LogNormal(_by_diabetes(25.5, 59.9), 0.30), source="DallaMan2007: (m6 - HEb)/m5 over the clearance; spread: judgement", meaning="Plasma insulin at rest")
    endogenous_production: Number = parameter(unit="mg/kg/min", prior=LogNormal(_by_diabetes(1.915, 1.991), 0.12), source="DallaMan2007: kp1 to kp4 at rest; spread: judgement", meaning="Glucose production of liver and kidney at rest")
    insulin_sensitivity: Number = parameter(unit="mg.L/kg/min/pmol", prior=LogNormal(_by_diabetes(0.047, 0.034), 0.35), source="DallaMan2007, Vmx; spread: judgement", meaning="Rise of the greatest tissue uptake per rise of remote insulin")
    liver_sensitivity: Number = parameter(unit="1", prior=LogNormal(_by_diabetes(0.1915, 0.1471), 0.25), source="DallaMan2007, kp3/Vmx; spread: judgement", meaning="Fall of production per pmol/L of delayed insulin, as a share of insulin_sensitivity")
    portal_on_production: Number = parameter(unit="mg/min/pmol", prior=LogNormal(_by_diabetes(0.0618, 0.0786), 0.25), source="DallaMan2007, kp4; spread: judgement", meaning="Fall of production per rise of portal insulin")
    glucose_on_production: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.0021, 0.0007), 0.30), source="DallaMan2007, kp2; spread: judgement", meaning="Fall of production per rise of plasma glucose")
    half_uptake: Number = parameter(unit="mg/kg", prior=LogNormal(_by_diabetes(225.59, 466.21), 0.10), source="DallaMan2007, Km0; spread: judgement", meaning="Tissue glucose at half of the greatest uptake")
    plasma_to_tissue: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.065, 0.042), 0.12), source="DallaMan2007, k1; spread: judgement", meaning="Rate of glucose from plasma to tissue")
    tissue_to_plasma: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.079, 0.071), 0.12), source="DallaMan2007, k2; spread: judgement", meaning="Rate of glucose from tissue to plasma")
    remote_insulin_rate: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.0331, 0.0840), 0.20), source="DallaMan2007, p2u; spread: judgement", meaning="Rate at which insulin begins and ends to act on uptake")
    production_delay_rate: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.0079, 0.0066), 0.20), source="DallaMan2007, ki; spread: judgement", meaning="Rate of each of the two delays of insulin on production")
    brain_uptake: Number = parameter(unit="mg/kg/min", prior=Fixed(1.0), source="DallaMan2007, Fcns", meaning="Glucose uptake that needs no insulin")
    renal_rate: Number = parameter(unit="/min", prior=Fixed(_by_diabetes(0.0005, 0.0007)), source="DallaMan2007, ke1 (type 2: from memory)", meaning="Rate of loss of glucose in urine above the threshold")
    renal_threshold: Number = parameter(unit="mg/dL", prior=Fixed(180.0), source="DallaMan2007, ke2/VG: 339/1.88, and 269/1.49 (from memory)", meaning="Plasma glucose above which glucose is lost in urine")
    glucose_volume: Number = parameter(unit="dL/kg", prior=LogNormal(_by_diabetes(1.88, 1.49), 0.06), source="DallaMan2007, VG; spread: judgement", meaning="Distribution volume of glucose")
    meal_absorption: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.057, 0.023), 0.35), source="DallaMan2007, kabs; spread: judgement", meaning="Rate of absorption from the gut")
    fastest_emptying: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.0558, 0.0465), 0.20), source="DallaMan2007, kmax; spread: judgement", meaning="Emptying of a full or nearly empty stomach, and grinding")
    slowest_emptying: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.0080, 0.0076), 0.20), source="DallaMan2007, kmin; spread: judgement", meaning="Slowest emptying of the stomach")
    emptying_slows_at: Number = parameter(unit="1", prior=Fixed(_by_diabetes(0.82, 0.68)), source="DallaMan2007, b", meaning="Share of the meal in the stomach at which emptying has slowed by half")
    emptying_recovers_at: Number = parameter(unit="1", prior=Fixed(_by_diabetes(0.010, 0.09)), source="DallaMan2007, d", meaning="Share of the meal in the stomach at which emptying has recovered by half")
    absorbed_share: Number = parameter(unit="1", prior=Fixed(0.9), source="DallaMan2007, f", meaning="Share of absorbed glucose that reaches plasma")
    insulin_volume: Number = parameter(unit="L/kg", prior=LogNormal(_by_diabetes(0.05, 0.04), 0.10), source="DallaMan2007, VI; spread: judgement", meaning="Distribution volume of insulin")
    insulin_clearance: Number = parameter(unit="L/kg/min", prior=LogNormal(_by_diabetes(0.02425, 0.0269), 0.15), source="DallaMan2007: m4 VI/.4; spread: judgement", meaning="Clearance of plasma insulin by liver and periphery")
    liver_release: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.190, 0.379), 0.15), source="DallaMan2007, m1; spread: judgement", meaning="Rate of insulin from liver to plasma")
    liver_extraction: Number = parameter(unit="1", prior=Fixed(0.6), source="DallaMan2007, HEb", meaning="Share of the insulin that enters the liver and is removed there, at rest")
    extraction_fall: Number = parameter(unit="kg.min/pmol", prior=LogNormal(_by_diabetes(0.0304, 0.0526), 0.20), source="DallaMan2007, m5; spread: judgement", meaning="Fall of that share per rise of secretion")
    liver_share: Number = parameter(unit="1", prior=Fixed(0.6), source="DallaMan2007: m2/m4 at HEb = .6, both columns", meaning="Share of the insulin clearance that the liver does")
    portal_rate: Number = parameter(unit="/min", prior=Fixed(0.5), source="DallaMan2007, gamma (type 2: from memory)", meaning="Rate of insulin from the portal vein to the liver (gamma)")
    secretion_gain: Number = parameter(unit="pmol.dL/kg/min/mg", prior=LogNormal(_by_diabetes(0.11, 0.05), 0.30), source="DallaMan2007, beta; spread: judgement", meaning="Late secretion per glucose above fasting (beta)")
    secretion_rate: Number = parameter(unit="/min", prior=LogNormal(_by_diabetes(0.050, 0.013), 0.30), source="DallaMan2007, alpha; spread: judgement", meaning="Rate at which late secretion follows glucose (alpha)")
    secretion_of_rise: Number = parameter(unit="pmol.dL/kg/mg", prior=LogNormal(_by_diabetes(2.30, 0.99), 0.30), source="DallaMan2007, K; spread: judgement", meaning="Secretion per rise of glucose (K)")
    fast_depot_rate: Number = parameter(unit="/min", prior=Fixed(0.0018), source="DallaMan2014, ka1", meaning="Absorption of insulin straight from the first depot")
    slow_depot_rate: Number = parameter(unit="/min", prior=Fixed(0.0182), source="DallaMan2014, ka2", meaning="Absorption of insulin from the second depot")
    depot_passage_rate: Number = parameter(unit="/min", prior=Fixed(0.0164), source="DallaMan2014, kd", meaning="Rate of insulin from the first to the second depot")
    sensor_delay_rate: Number = parameter(unit="/min", prior=LogNormal(0.10, 0.25), source="delay of 10 min, judgement", meaning="Rate at which interstitial follows plasma glucose")
    sensor_bias: Number = parameter(unit="mg/dL", prior=Normal(0.0, 8.0), source="Vettoretti2019: -1 to +9 over a factory-calibrated sensor's days at 140 mg/dL", meaning="Bias of this sensor")
    production_factor: Number = parameter(unit="1", prior=Fixed(1.0), source="no drug", meaning="Hook: production as a multiple of untreated production")
    excretion_clearance: Number = parameter(unit="dL/kg/min", prior=Fixed(0.0), source="no drug", meaning="Hook: clearance of glucose by urine above excretion_threshold")
    excretion_threshold: Number = parameter(unit="mg/dL", prior=Fixed(90.0), source="Polidori2013: 4 to 5 mmol/L under canagliflozin (from memory)", meaning="Hook: threshold of that clearance")
    emptying_factor: Number = parameter(unit="1", prior=Fixed(1.0), source="no drug", meaning="Hook: speeds of the stomach as multiples of untreated speeds")
    secretion_factor: Number = parameter(unit="1", prior=Fixed(1.0), source="no drug", meaning="Hook: answer of secretion to glucose as a multiple of the untreated one")
    added_secretion: Number = parameter(unit="pmol/kg/min", prior=Fixed(0.0), source="no drug", meaning="Hook: secretion whatever the glucose is")
    sensitivity_factor: Number = parameter(unit="1", prior=Fixed(1.0), source="no change", meaning="Hook: action of all insulin as a multiple of the untreated one")
    # fmt: on


class GlucoseType2State(eqx.Module):
    """Masses, actions, secretion, and what is remembered of the meal."""

    stomach_solid: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate in the stomach, solid")
    stomach_liquid: Number = state(unit="mg", scale=2e4, meaning="Carbohydrate in the stomach, ground")
    gut_glucose: Number = state(unit="mg", scale=1e4, meaning="Glucose in the gut")
    plasma_glucose: Number = state(unit="mg/kg", scale=224.0, meaning="Glucose in plasma and fast tissue")
    tissue_glucose: Number = state(unit="mg/kg", scale=170.0, meaning="Glucose in slow tissue")
    portal_insulin: Number = state(unit="pmol/kg", scale=6.0, meaning="Secreted insulin on its way to the liver")
    late_secretion: Number = state(
        unit="pmol/kg/min", scale=3.0, meaning="Secretion above basal that follows glucose late"
    )
    liver_insulin: Number = state(unit="pmol/kg", scale=8.0, meaning="Insulin in the liver")
    plasma_insulin: Number = state(unit="pmol/kg", scale=3.0, meaning="Insulin in plasma")
    remote_insulin: Number = state(unit="pmol/L", scale=50.0, meaning="Insulin above basal that acts on uptake")
    delayed_insulin_1: Number = state(unit="pmol/L", scale=70.0, meaning="First delay of insulin towards production")
    delayed_insulin_2: Number = state(unit="pmol/L", scale=70.0, meaning="Insulin that acts on production")
    insulin_depot_1: Number = state(unit="pmol/kg", scale=65.0, meaning="Insulin under the skin, as injected")
    insulin_depot_2: Number = state(unit="pmol/kg", scale=60.0, meaning="Insulin under the skin, dissolved")
    sensor_glucose: Number = state(unit="mg/kg", scale=224.0, meaning="Glucose where the sensor is")
    meal_size: Number = state(unit="mg", scale=5e4, meaning="In the stomach when this meal began, plus eaten since")
    eating: Number = state(unit="1", scale=1.0, meaning="1 while a meal is being eaten, else 0")


class GlucoseType2(Model):
    """Glucose and insulin of a person with own insulin; the module's docstring is its paper."""

    name: ClassVar[str] = "glucose_type_2"
    clock: Clock = eqx.field(static=True, default=MINUTES)  # type: ignore[misc]  # the reference tests refine it
    Parameters: ClassVar[type] = GlucoseType2Parameters
    State: ClassVar[type] = GlucoseType2State
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
        "secretion_gain",
        "meal_absorption",
        "fasting_glucose",
        "sensor_bias",
    )
    correlations: ClassVar[tuple[tuple[str, str, float], ...]] = (
        ("plasma_to_tissue", "tissue_to_plasma", 0.7),
        ("insulin_sensitivity", "basal_insulin", -0.6),
    )
    bookkeeping: ClassVar[tuple[str, ...]] = ("meal_size", "eating")
    speaks_for: ClassVar[Population | None] = Population(
        snomed=("44054006", "313436004"),
        because="The equations have insulin secretion that answers glucose: type 2 diabetes (and, by a covariate, people "
        "without diabetes), not type 1.",
    )
    scenario: ClassVar[Scenario] = Scenario(
        duration=5 * HOUR,
        given=meal(1 * HOUR, carbohydrate=75.0),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=60 * MINUTE, steps=120, displaced={"plasma_glucose": 0.3}, given={"insulin_basal_rate": 0.5}
    )
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="carbohydrate in stomach and gut",
            unit="mg",
            amount=lambda s, p: s.stomach_solid + s.stomach_liquid + s.gut_glucose,
            flow=lambda s, p, u: MILLIGRAMS_PER_GRAM * u["carbohydrate_intake"] - p.meal_absorption * s.gut_glucose,
        ),
        Ledger(
            name="insulin in liver, plasma and under the skin",
            unit="pmol/kg",
            amount=lambda s, p: s.insulin_depot_1 + s.insulin_depot_2 + s.plasma_insulin + s.liver_insulin,
            flow=lambda s, p, u: _injected(p, u) + p.portal_rate * s.portal_insulin - _removed(s, p),
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="carbohydrate_intake", effect="glucose", direction=1, size=10.0),
        Sign(cause="carbohydrate_intake", effect="insulin_concentration", direction=1, size=10.0),
        Sign(cause="insulin_bolus", effect="glucose", direction=-1),
        Sign(cause="secretion_gain", effect="glucose", direction=-1),
        Sign(cause="insulin_sensitivity", effect="blood_glucose", direction=-1),
        Sign(cause="fasting_glucose", effect="glucose", direction=1),
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
            key="DallaMan2014",
            text="Dalla Man C, Micheletto F, Lv D, Breton M, Kovatchev B, Cobelli C. The UVA/PADOVA type 1 diabetes "
            "simulator: new features. J Diabetes Sci Technol 2014;8:26-34.",
            doi="10.1177/1932296813514502",
        ),
        Reference(
            key="Polidori2013",
            text="Polidori D, Sha S, Ghosh A, Plum-Morschel L, Heise T, Rothenberg P. Validation of a novel method for "
            "determining the renal threshold for glucose excretion in untreated and canagliflozin-treated subjects with "
            "type 2 diabetes mellitus. J Clin Endocrinol Metab 2013;98:E867-E871 (citation from memory).",
        ),
        Reference(
            key="Vettoretti2019",
            text="Vettoretti M, Battocchio C, Sparacino G, Facchinetti A. Development of an error model for a "
            "factory-calibrated continuous glucose monitoring sensor with 10-day lifetime. Sensors 2019;19:5320.",
            doi="10.3390/s19235320",
        ),
    )

    def initial(self, parameters: GlucoseType2Parameters) -> GlucoseType2State:
        """Fasting, untreated and steady at ``fasting_glucose`` with ``basal_insulin``."""
        p = parameters
        to_liver, _ = insulin_rates(p)
        plasma, insulin = p.fasting_glucose * p.glucose_volume, p.basal_insulin * p.insulin_volume
        _, tissue = _basal_tissue(p)
        secreted = basal_secretion(p)
        removal = p.liver_release / (1 - p.liver_extraction)
        zero = jnp.zeros_like(plasma + insulin)
        return GlucoseType2State(
            stomach_solid=zero,
            stomach_liquid=zero,
            gut_glucose=zero,
            plasma_glucose=plasma,
            tissue_glucose=tissue,
            portal_insulin=secreted / p.portal_rate,
            late_secretion=zero,
            liver_insulin=(to_liver * insulin + secreted) / removal,
            plasma_insulin=insulin,
            remote_insulin=zero,
            delayed_insulin_1=p.basal_insulin + zero,
            delayed_insulin_2=p.basal_insulin + zero,
            insulin_depot_1=zero,
            insulin_depot_2=zero,
            sensor_glucose=plasma,
            meal_size=zero,
            eating=zero,
        )

    def begin(
        self, t: Number, dt: Number, state: GlucoseType2State, parameters: GlucoseType2Parameters, inputs: Inputs
    ) -> GlucoseType2State:
        """A meal begins when eating begins; its size grows by what is eaten within this step."""
        eaten = MILLIGRAMS_PER_GRAM * inputs["carbohydrate_intake"]
        eats = eaten > 0
        begins = eats & (state.eating < 0.5)
        size = jnp.where(begins, state.stomach_solid + state.stomach_liquid, state.meal_size) + eaten * dt
        eating = jnp.where(eats, jnp.ones_like(size), jnp.zeros_like(size))
        return eqx.tree_at(lambda s: (s.meal_size, s.eating), state, (size, eating))

    def rates(
        self, t: Number, state: GlucoseType2State, parameters: GlucoseType2Parameters, inputs: Inputs
    ) -> GlucoseType2State:
        """The published rates and the depots; what is remembered of the meal changes only in :meth:`begin`."""
        s, p = state, parameters
        carbohydrate = MILLIGRAMS_PER_GRAM * inputs["carbohydrate_intake"]
        ground = p.emptying_factor * p.fastest_emptying * s.stomach_solid
        emptied = p.emptying_factor * _emptying(s, p) * s.stomach_liquid
        absorbed = p.meal_absorption * s.gut_glucose

        exchanged = p.plasma_to_tissue * s.plasma_glucose - p.tissue_to_plasma * s.tissue_glucose
        acting = p.sensitivity_factor * (s.remote_insulin + p.basal_insulin) - p.basal_insulin
        capacity = basal_capacity(p) + p.insulin_sensitivity * acting
        uptake = capacity * s.tissue_glucose / (p.half_uptake + s.tissue_glucose)
        concentration = s.plasma_glucose / p.glucose_volume
        drugged = p.excretion_clearance * jnp.maximum(0.0, concentration - p.excretion_threshold)
        appeared = p.absorbed_share * absorbed / p.body_weight
        plasma_glucose = _production(s, p) + appeared - p.brain_uptake - _urine(p, concentration) - drugged - exchanged

        secreted, basal = p.portal_rate * s.portal_insulin, basal_secretion(p)
        rising = p.secretion_of_rise * jnp.maximum(0.0, plasma_glucose / p.glucose_volume)
        wanted = p.secretion_factor * p.secretion_gain * (concentration - p.fasting_glucose)
        made = basal + s.late_secretion + p.secretion_factor * rising + p.added_secretion

        to_liver, cleared = insulin_rates(p)
        insulin = s.plasma_insulin / p.insulin_volume
        passed = p.depot_passage_rate * s.insulin_depot_1
        from_fast, from_slow = p.fast_depot_rate * s.insulin_depot_1, p.slow_depot_rate * s.insulin_depot_2
        into_liver, from_liver = to_liver * s.plasma_insulin, p.liver_release * s.liver_insulin
        zero = jnp.zeros_like(s.meal_size)
        return GlucoseType2State(
            stomach_solid=carbohydrate - ground,
            stomach_liquid=ground - emptied,
            gut_glucose=emptied - absorbed,
            plasma_glucose=plasma_glucose,
            tissue_glucose=exchanged - uptake,
            portal_insulin=made - secreted,
            late_secretion=-p.secretion_rate * (s.late_secretion - jnp.maximum(wanted, -basal)),
            liver_insulin=into_liver + secreted - from_liver - _extracted(s, p) * s.liver_insulin,
            plasma_insulin=from_fast + from_slow + from_liver - into_liver - cleared * s.plasma_insulin,
            remote_insulin=p.remote_insulin_rate * (insulin - p.basal_insulin - s.remote_insulin),
            delayed_insulin_1=p.production_delay_rate * (insulin - s.delayed_insulin_1),
            delayed_insulin_2=p.production_delay_rate * (s.delayed_insulin_1 - s.delayed_insulin_2),
            insulin_depot_1=_injected(p, inputs) - passed - from_fast,
            insulin_depot_2=passed - from_slow,
            sensor_glucose=p.sensor_delay_rate * (s.plasma_glucose - s.sensor_glucose),
            meal_size=zero,
            eating=zero,
        )

    def project(self, state: GlucoseType2State, parameters: GlucoseType2Parameters) -> GlucoseType2State:
        """A mass is never negative; what counts from basal (remote insulin, late secretion) may be."""
        held = jax.tree.map(lambda x: jnp.maximum(0.0, x), state)
        free = (state.remote_insulin, state.late_secretion)
        return eqx.tree_at(lambda s: (s.remote_insulin, s.late_secretion), held, free)

    def noise(self, state: GlucoseType2State, parameters: GlucoseType2Parameters) -> GlucoseType2State:
        """As in ``glucose_insulin``: 1.2 mg/dL per root of a minute in plasma, 2 % of what is in the gut. Judgement."""
        quiet = jax.tree.map(jnp.zeros_like, state)
        return eqx.tree_at(
            lambda s: (s.gut_glucose, s.plasma_glucose),
            quiet,
            (0.02 * state.gut_glucose, 1.2 * parameters.glucose_volume + jnp.zeros_like(state.plasma_glucose)),
        )

    def observe(self, t: Number, state: GlucoseType2State, parameters: GlucoseType2Parameters) -> dict[str, Number]:
        """Sensor and plasma glucose (mg/dL) and plasma insulin (u[iU]/mL)."""
        p = parameters
        return {
            "glucose": state.sensor_glucose / p.glucose_volume + p.sensor_bias,
            "blood_glucose": state.plasma_glucose / p.glucose_volume,
            "insulin_concentration": state.plasma_insulin / p.insulin_volume * (1000.0 / PICOMOLES_PER_UNIT),
        }


def _injected(p: GlucoseType2Parameters, inputs: Inputs) -> Number:
    """Insulin given, pmol/kg/min."""
    units = inputs["insulin_bolus"] + inputs["insulin_basal_rate"] / MINUTES_PER_HOUR
    return units * PICOMOLES_PER_UNIT / p.body_weight


def insulin_rates(p: GlucoseType2Parameters) -> tuple[Number, Number]:
    """m2 and m4: from plasma to liver, and cleared by the periphery; per minute."""
    cleared = p.insulin_clearance / p.insulin_volume
    return p.liver_share * cleared / p.liver_extraction, (1 - p.liver_share) * cleared


def basal_secretion(p: GlucoseType2Parameters) -> Number:
    """Secretion at rest (pmol/kg/min): what is cleared, before the liver takes its share."""
    return p.insulin_clearance * p.basal_insulin / (1 - p.liver_extraction)


def _extracted(s: GlucoseType2State, p: GlucoseType2Parameters) -> Number:
    """m3: rate at which the liver removes insulin; the share falls as secretion rises."""
    share = p.liver_extraction - p.extraction_fall * (p.portal_rate * s.portal_insulin - basal_secretion(p))
    share = jnp.clip(share, 0.0, MOST_EXTRACTED)
    return share * p.liver_release / (1 - share)


def _removed(s: GlucoseType2State, p: GlucoseType2Parameters) -> Number:
    """Insulin that leaves the body, pmol/kg/min."""
    return insulin_rates(p)[1] * s.plasma_insulin + _extracted(s, p) * s.liver_insulin


def _production(s: GlucoseType2State, p: GlucoseType2Parameters) -> Number:
    """Glucose production, mg/kg/min."""
    on_production = p.insulin_sensitivity * p.liver_sensitivity
    left = (
        p.endogenous_production
        - p.glucose_on_production * (s.plasma_glucose - p.fasting_glucose * p.glucose_volume)
        - on_production * (p.sensitivity_factor * s.delayed_insulin_2 - p.basal_insulin)
        - p.portal_on_production * (s.portal_insulin - basal_secretion(p) / p.portal_rate)
    )
    return p.production_factor * jnp.maximum(0.0, left)


def _urine(p: GlucoseType2Parameters, concentration: Number) -> Number:
    """Glucose lost in urine without a drug, mg/kg/min."""
    return p.renal_rate * p.glucose_volume * jnp.maximum(0.0, concentration - p.renal_threshold)


def _basal_tissue(p: GlucoseType2Parameters) -> tuple[Number, Number]:
    """Tissue uptake (mg/kg/min) and tissue glucose (mg/kg) at rest."""
    uptake = p.endogenous_production - p.brain_uptake - _urine(p, p.fasting_glucose)
    return uptake, (p.plasma_to_tissue * p.fasting_glucose * p.glucose_volume - uptake) / p.tissue_to_plasma


def basal_capacity(p: GlucoseType2Parameters) -> Number:
    """Vm0: the greatest tissue uptake at basal insulin, mg/kg/min."""
    uptake, tissue = _basal_tissue(p)
    return uptake * (p.half_uptake + tissue) / tissue


def _emptying(s: GlucoseType2State, p: GlucoseType2Parameters) -> Number:
    """Rate at which the stomach empties: fast when full, slow in between, fast again when nearly empty."""
    fastest, slowest = p.fastest_emptying, p.slowest_emptying
    eaten = s.meal_size > 0
    meal = jnp.where(eaten, s.meal_size, jnp.ones_like(s.meal_size))
    held = (s.stomach_solid + s.stomach_liquid) / meal
    slows = jnp.tanh(2.5 / (1 - p.emptying_slows_at) * (held - p.emptying_slows_at))
    recovers = jnp.tanh(2.5 / p.emptying_recovers_at * (held - p.emptying_recovers_at))
    return jnp.where(eaten, slowest + (fastest - slowest) / 2 * (slows - recovers + 2), fastest)
