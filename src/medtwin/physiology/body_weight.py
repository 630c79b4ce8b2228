"""Body weight of an adult, day by day: energy balance, fat and lean, glycogen, water (Hall 2011).

Drawing
-------
::

    energy intake --+--> thermic effect, adaptation, rest, movement (expenditure)
                    |
                    +--> glycogen (with water)      carbohydrate, sodium --> extracellular fluid
                    |
                    +--> fat <== Forbes ==> lean            weight = fat + lean + glycogen (1 + h) + fluid

Equations
---------
Time in days; ``E`` energy intake, ``E0`` habitual intake, ``W`` weight, zero at the end of a letter: at the start::

    glycogen' = (c E - c E0 (glycogen/glycogen0)^2)/rhoG
    adaptive' = (bAT (E - E0) - adaptive)/tau
    fluid'    = (dNa - xiNa (fluid - fluid0) - xiCI (1 - E/E0))/Na
    X         = E - bTEF (E - E0) - adaptive - K - delta W - gammaL lean - gammaF fat - rhoG glycogen'
    lean'     = (C/rhoL) X/((1 + etaL/rhoL) C + (1 + etaF/rhoF) fat),   fat' = lean' fat rhoL/(rhoF C)
    E0 = PAL RMR,  delta = ((1 - bTEF) PAL - 1) RMR/W0,  K = E0 - gammaL lean0 - gammaF fat0 - delta W0
    C  = forbes rhoL/rhoF

``X`` is what is left of the energy for fat, lean and the cost of building them. It follows that the energy in the body
changes by exactly intake minus expenditure: ``rhoF fat' + rhoL lean' + rhoG glycogen' = E - expenditure``.
An intervention is two parameters, of a diet, a drug or surgery (Polidori2016, Hall2024), and energy may be lost::

    E = recorded + unrecorded - appetite_effect + appetite_feedback (W0 - W)          X has  - energy_lost

Parameters
----------
``Parameters``. What the person starts with (share of fat, of fluid, resting expenditure) has a prior that depends on
weight, height, age and sex by the published regressions; the other numbers are those of the equations.

Assumptions
-----------
Adults, from weight balance at the start; lean and fat move on Forbes' curve; the share of carbohydrate and the level of
movement stay. The widely used package ``bw`` adds glycogen' without rhoG in ``X`` (kg/d among kcal/d), which breaks
the balance; ``unscaled_glycogen`` does the same for comparison with it and for nothing else.

Outputs
-------
body_weight (kg); body_fat_fraction (%).

References
----------
Hall2011, Forbes1987, Mifflin1990, Jackson2002, Silva2007, Polidori2016, Hall2024 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.exposures import DAY, Exposure
from medtwin.physiology.model import (
    DAYS,
    Accepts,
    Clock,
    Inputs,
    Ledger,
    Model,
    Reference,
    Scenario,
    Sign,
    SmoothCase,
    parameter,
    state,
)
from medtwin.physiology.prior import Covariate, Covariates, Fixed, LogNormal, Normal

Number = Float[Array, "..."]


def _person(known: Covariates) -> tuple[float, float, float, float]:
    """Weight (kg), height (m), age (years) and femaleness (0 to 1); where unknown, of a middle-aged adult."""
    return (
        known.get("body_weight", 80.0),
        known.get("body_height", 172.0) / 100.0,
        known.get("age", 45.0),
        known.get("female", 0.5),
    )


def resting_expenditure(known: Covariates) -> float:
    """Resting metabolic rate per weight, kcal/kg/d, by Mifflin's regression."""
    weight, height, age, female = _person(known)
    return (9.99 * weight + 625.0 * height - 4.92 * age + 5.0 - 166.0 * female) / weight


def fat_share(known: Covariates) -> float:
    """Share of fat in weight, by Jackson's regression; held between 5 and 60 %."""
    weight, height, age, female = _person(known)
    log_index = math.log(weight / height**2)
    man = 0.14 * age + 37.31 * log_index - 103.94
    woman = 0.14 * age + 39.96 * log_index - 102.01
    return min(max(((1 - female) * man + female * woman) / 100.0, 0.05), 0.60)


def fluid_share(known: Covariates) -> float:
    """Share of extracellular fluid in weight, by Silva's regression; held between 10 and 40 %."""
    weight, height, age, female = _person(known)
    man = 0.025 * age + 9.57 * height + 0.191 * weight - 12.4
    woman = -4.0 + 5.98 * height + 0.167 * weight
    return min(max(((1 - female) * man + female * woman) / weight, 0.10), 0.40)


class BodyWeightParameters(eqx.Module):
    """The person at the start, and the constants of the equations."""

    # fmt: off
    starting_weight: Number = parameter(unit="kg", prior=Covariate("body_weight", LogNormal(80.0, 0.18)), source="adults, judgement", meaning="Weight at the start, held by the habitual intake")
    starting_fat_share: Number = parameter(unit="1", prior=LogNormal(fat_share, 0.12), source="Jackson2002; spread: judgement", meaning="Share of fat in the starting weight")
    starting_fluid_share: Number = parameter(unit="1", prior=LogNormal(fluid_share, 0.06), source="Silva2007; spread: judgement", meaning="Share of extracellular fluid in the starting weight")
    starting_glycogen: Number = parameter(unit="kg", prior=Fixed(0.5), source="Hall2011", meaning="Glycogen at the start")
    resting_expenditure: Number = parameter(unit="kcal/kg/d", prior=LogNormal(resting_expenditure, 0.08), source="Mifflin1990; spread: its residual of about a tenth", meaning="Resting metabolic rate at the start, per weight")
    physical_activity_level: Number = parameter(unit="1", prior=LogNormal(1.6, 0.10), source="Hall2011; spread: judgement", meaning="Expenditure at the start as a multiple of the resting rate")
    unrecorded_intake: Number = parameter(unit="kcal/d", prior=Normal(0.0, 250.0), source="judgement: diaries miss a tenth to a fifth", meaning="Intake beyond what is recorded, less what was recorded and not eaten")
    appetite_effect: Number = parameter(unit="kcal/d", prior=Fixed(0.0), source="no intervention", meaning="Hook: lasting fall of intake that a diet, a drug or surgery makes")
    appetite_feedback: Number = parameter(unit="kcal/kg/d", prior=Fixed(0.0), source="none unless stated: Polidori2016 found about 100", meaning="Hook: rise of intake per weight lost")
    energy_lost: Number = parameter(unit="kcal/d", prior=Fixed(0.0), source="no drug", meaning="Hook: energy lost with glucose in urine")
    sodium_change: Number = parameter(unit="mg/d", prior=Fixed(0.0), source="no change unless stated", meaning="Change of the daily sodium since the start")
    carbohydrate_share: Number = parameter(unit="1", prior=Fixed(0.5), source="Hall2011", meaning="Share of carbohydrate in the energy eaten")
    glycogen_energy: Number = parameter(unit="kcal/kg", prior=Fixed(4206.5), source="Hall2011, rhoG", meaning="Energy density of glycogen")
    fat_energy: Number = parameter(unit="kcal/kg", prior=Fixed(9440.7), source="Hall2011, rhoF", meaning="Energy density of fat")
    lean_energy: Number = parameter(unit="kcal/kg", prior=Fixed(1816.4), source="Hall2011, rhoL", meaning="Energy density of lean tissue")
    glycogen_water: Number = parameter(unit="1", prior=Fixed(2.7), source="Hall2011", meaning="Water bound by glycogen, per mass of glycogen")
    fat_expenditure: Number = parameter(unit="kcal/kg/d", prior=Fixed(3.107), source="Hall2011, gammaF", meaning="Resting expenditure of fat")
    lean_expenditure: Number = parameter(unit="kcal/kg/d", prior=Fixed(21.989), source="Hall2011, gammaL", meaning="Resting expenditure of lean tissue")
    fat_building: Number = parameter(unit="kcal/kg", prior=Fixed(179.25), source="Hall2011, etaF", meaning="Energy cost of making fat")
    lean_building: Number = parameter(unit="kcal/kg", prior=Fixed(229.45), source="Hall2011, etaL", meaning="Energy cost of making lean tissue")
    thermic_effect: Number = parameter(unit="1", prior=Fixed(0.10), source="Hall2011, betaTEF", meaning="Share of a change of intake that is spent on its digestion")
    adaptation: Number = parameter(unit="1", prior=Fixed(0.14), source="Hall2011, betaAT", meaning="Share of a lasting change of intake that expenditure follows")
    adaptation_time: Number = parameter(unit="d", prior=Fixed(14.0), source="Hall2011, tauAT", meaning="Time in which expenditure adapts")
    forbes_mass: Number = parameter(unit="kg", prior=Fixed(10.4), source="Forbes1987", meaning="Fat mass at which equal masses of fat and lean are lost")
    fluid_sodium: Number = parameter(unit="mg/kg", prior=Fixed(3220.0), source="Hall2011, [Na]", meaning="Sodium in extracellular fluid")
    sodium_by_fluid: Number = parameter(unit="mg/kg/d", prior=Fixed(3000.0), source="Hall2011, xiNa", meaning="Sodium lost per fluid above the starting fluid")
    sodium_by_carbohydrate: Number = parameter(unit="mg/d", prior=Fixed(4000.0), source="Hall2011, xiCI", meaning="Sodium lost when no carbohydrate is eaten")
    # fmt: on


class BodyWeightState(eqx.Module):
    """What the body is made of, and how far expenditure has adapted."""

    fat: Number = state(unit="kg", scale=25.0, meaning="Fat")
    lean: Number = state(unit="kg", scale=35.0, meaning="Lean tissue without glycogen and extracellular fluid")
    glycogen: Number = state(unit="kg", scale=0.5, meaning="Glycogen without its water")
    extracellular_fluid: Number = state(unit="kg", scale=18.0, meaning="Extracellular fluid")
    adaptive_thermogenesis: Number = state(unit="kcal/d", scale=50.0, meaning="Expenditure that follows intake")


class BodyWeight(Model):
    """Body weight of an adult; the module's docstring is its paper."""

    unscaled_glycogen: bool = eqx.field(static=True, default=False)  #: the slip of bw 1.0.0, to compare with it

    name: ClassVar[str] = "body_weight"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = BodyWeightParameters
    State: ClassVar[type] = BodyWeightState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="energy_intake"),)
    observes: ClassVar[tuple[str, ...]] = ("body_weight", "body_fat_fraction")
    inferred: ClassVar[tuple[str, ...]] = ("unrecorded_intake", "physical_activity_level")
    scenario: ClassVar[Scenario] = Scenario(
        duration=365 * DAY,
        given=(
            Exposure(quantity="energy_intake", time=30 * DAY, amount=-500.0 * 120, until=150 * DAY),
            Exposure(quantity="energy_intake", time=200 * DAY, amount=300.0 * 60, until=260 * DAY),
        ),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=40 * DAY, steps=80, displaced={"glycogen": 0.2}, given={"energy_intake": -600.0}
    )
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="energy in fat, lean and glycogen, and spent on building them",
            unit="kcal",
            amount=lambda s, p: (
                (p.fat_energy + p.fat_building) * s.fat
                + (p.lean_energy + p.lean_building) * s.lean
                + p.glycogen_energy * s.glycogen
            ),
            flow=lambda s, p, u: (
                eaten(s, p, u["energy_intake"]) - p.energy_lost - expenditure(s, p, eaten(s, p, u["energy_intake"]))
            ),
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="energy_intake", effect="body_weight", direction=1, size=10000.0),
        Sign(cause="energy_intake", effect="body_fat_fraction", direction=1, size=10000.0),
        Sign(cause="unrecorded_intake", effect="body_weight", direction=1),
        Sign(cause="physical_activity_level", effect="body_weight", direction=-1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Hall2011",
            text="Hall KD, Sacks G, Chandramohan D, et al. Quantification of the effect of energy imbalance on "
            "bodyweight. Lancet 2011;378:826-837.",
            doi="10.1016/S0140-6736(11)60812-X",
        ),
        Reference(
            key="Forbes1987",
            text="Forbes GB. Lean body mass-body fat interrelationships in humans. Nutr Rev 1987;45:225-231.",
            doi="10.1111/j.1753-4887.1987.tb02684.x",
        ),
        Reference(
            key="Mifflin1990",
            text="Mifflin MD, St Jeor ST, Hill LA, et al. A new predictive equation for resting energy expenditure in "
            "healthy individuals. Am J Clin Nutr 1990;51:241-247.",
            doi="10.1093/ajcn/51.2.241",
        ),
        Reference(
            key="Jackson2002",
            text="Jackson AS, Stanforth PR, Gagnon J, et al. The effect of sex, age and race on estimating percentage "
            "body fat from body mass index: the Heritage Family Study. Int J Obes 2002;26:789-796.",
            doi="10.1038/sj.ijo.0802006",
        ),
        Reference(
            key="Silva2007",
            text="Silva AM, Wang J, Pierson RN, et al. Extracellular water across the adult lifespan: reference values "
            "for adults. Physiol Meas 2007;28:489-502.",
            doi="10.1088/0967-3334/28/5/004",
        ),
        Reference(
            key="Polidori2016",
            text="Polidori D, Sanghvi A, Seeley RJ, Hall KD. How strongly does appetite counter weight loss? Quantification "
            "of the feedback control of human energy intake. Obesity 2016;24:2289-2295 (abstract read).",
            doi="10.1002/oby.21653",
        ),
        Reference(
            key="Hall2024",
            text="Hall KD. Physiology of the weight loss plateau after calorie restriction, GLP-1 receptor agonism, and "
            "bariatric surgery. Obesity 2024 (abstract of the preprint read).",
            doi="10.1101/2023.11.05.565699",
        ),
    )

    def initial(self, parameters: BodyWeightParameters) -> BodyWeightState:
        """The person at the start, in balance with the habitual intake."""
        p = parameters
        fat, fluid = p.starting_fat_share * p.starting_weight, p.starting_fluid_share * p.starting_weight
        return BodyWeightState(
            fat=fat,
            lean=_starting_lean(p),
            glycogen=p.starting_glycogen,
            extracellular_fluid=fluid,
            adaptive_thermogenesis=jnp.zeros_like(fat),
        )

    def resting(self, parameters: BodyWeightParameters) -> dict[str, Number]:
        """The recorded intake that holds the starting weight, kcal/d."""
        return {"energy_intake": _habitual_intake(parameters) - parameters.unrecorded_intake}

    def rates(
        self, t: Number, state: BodyWeightState, parameters: BodyWeightParameters, inputs: Inputs
    ) -> BodyWeightState:
        """Energy that is left over goes into fat and lean; see the module's equations."""
        s, p = state, parameters
        habitual = _habitual_intake(p)
        intake = eaten(s, p, inputs["energy_intake"])
        change = intake - habitual

        stored = p.carbohydrate_share * (intake - habitual * (s.glycogen / p.starting_glycogen) ** 2)
        glycogen = stored / p.glycogen_energy
        fluid = (
            p.sodium_change
            - p.sodium_by_fluid * (s.extracellular_fluid - p.starting_fluid_share * p.starting_weight)
            + p.sodium_by_carbohydrate * change / habitual
        ) / p.fluid_sodium

        left = intake - p.energy_lost - expenditure(s, p, intake) - (glycogen if self.unscaled_glycogen else stored)
        forbes = p.forbes_mass * p.lean_energy / p.fat_energy
        cost = (1 + p.lean_building / p.lean_energy) * forbes + (1 + p.fat_building / p.fat_energy) * s.fat
        return BodyWeightState(
            fat=left * s.fat / cost / p.fat_energy,
            lean=left * forbes / cost / p.lean_energy,
            glycogen=glycogen,
            extracellular_fluid=fluid,
            adaptive_thermogenesis=(p.adaptation * change - s.adaptive_thermogenesis) / p.adaptation_time,
        )

    def project(self, state: BodyWeightState, parameters: BodyWeightParameters) -> BodyWeightState:
        """A mass is never negative; the adaptation may be."""
        held = jax.tree.map(lambda x: jnp.maximum(0.0, x), state)
        return eqx.tree_at(lambda s: s.adaptive_thermogenesis, held, state.adaptive_thermogenesis)

    def noise(self, state: BodyWeightState, parameters: BodyWeightParameters) -> BodyWeightState:
        """Water comes and goes (0.4 kg per root of a day), fat varies with what nobody records (0.02 kg). Judgement."""
        quiet = jax.tree.map(jnp.zeros_like, state)
        like = jnp.ones_like(state.fat)
        return eqx.tree_at(lambda s: (s.extracellular_fluid, s.fat), quiet, (0.4 * like, 0.02 * like))

    def observe(self, t: Number, state: BodyWeightState, parameters: BodyWeightParameters) -> dict[str, Number]:
        """Weight (kg) and the share of fat in it (%)."""
        weight = _weight(state, parameters)
        return {"body_weight": weight, "body_fat_fraction": 100.0 * state.fat / weight}


def _habitual_intake(p: BodyWeightParameters) -> Number:
    return p.physical_activity_level * p.resting_expenditure * p.starting_weight


def _starting_lean(p: BodyWeightParameters) -> Number:
    glycogen = (1 + p.glycogen_water) * p.starting_glycogen
    return p.starting_weight * (1 - p.starting_fat_share - p.starting_fluid_share) - glycogen


def _weight(s: BodyWeightState, p: BodyWeightParameters) -> Number:
    return s.fat + s.lean + (1 + p.glycogen_water) * s.glycogen + s.extracellular_fluid


def eaten(s: BodyWeightState, p: BodyWeightParameters, recorded: Number) -> Number:
    """Energy eaten (kcal/d): what is recorded and what is not, less the intervention, and appetite's answer to weight lost."""
    lost = p.starting_weight - _weight(s, p)
    return recorded + p.unrecorded_intake - p.appetite_effect + p.appetite_feedback * lost


def expenditure(s: BodyWeightState, p: BodyWeightParameters, intake: Number) -> Number:
    """Energy spent (kcal/d) without the cost of building tissue: rest, movement, digestion, adaptation."""
    habitual = _habitual_intake(p)
    movement = ((1 - p.thermic_effect) * p.physical_activity_level - 1) * p.resting_expenditure
    tissue = p.lean_expenditure * (s.lean - _starting_lean(p))
    tissue = tissue + p.fat_expenditure * (s.fat - p.starting_fat_share * p.starting_weight)
    heavier = movement * (_weight(s, p) - p.starting_weight)
    return habitual + tissue + heavier + p.thermic_effect * (intake - habitual) + s.adaptive_thermogenesis
