"""Fat of liver and pancreas, and the beta cells that it puts to sleep (the twin cycles of Taylor).

Drawing
-------
::

    weight above a personal threshold --> fat of the liver --> glucose production rises
                                               |
                                               +--> fat of the pancreas --> beta cells fall asleep --> secretion falls

Equations
---------
Time in days; ``W`` weight, ``T`` the weight above which fat spills over, ``s`` the width of that corner::

    spilt   = s log(1 + exp((W - T)/s))
    liver'    = (L0 + g spilt - liver)/tL
    pancreas' = (P0 + q (liver - L0) - pancreas)/tP          x = max(0, pancreas - P0)
    asleep'   = (x^n/(x^n + h^n) - asleep)/tA

    production factor = 1 + c max(0, liver - L0)             awake share = 1 - asleep

In ``beta_cell_years`` what fatty acids and glucose do together to the function of a cell keeps function low once glucose is
high, whatever weight is lost. Here that loss is taken out (``acid_factor``) and made anew by the fat of the pancreas, which goes
with weight; and cells die as slowly as they were seen to (``death_factor``): they sleep first.

Parameters
----------
``Parameters``: the threshold and ``half_fat``, how much fat of the pancreas a person's cells bear, differ between people. The
median and the spread of ``half_fat`` were fitted to one table of DiRECT (docs/evidence/road.md says which, and what was
held out); nothing else here was.

Assumptions
-----------
Fat follows weight with a lag, not the balance of energy itself: the first week of a strict diet, in which fat of the liver
falls before weight does, comes late. Fat of the pancreas stands for the fatty acids that its cells meet. Sleep is
reversible at any duration; what a long diabetes takes away is the mass of cells in the model that this one is wired to.
One threshold for life.

Outputs
-------
liver_fat_fraction (%), pancreas_fat_fraction (%), hepatic_production_factor (1), awake_beta_cells (1), acid_loss_factor (1),
cell_death_factor (1).

References
----------
Taylor2008, Lim2011, Taylor2018, AlMrabeh2019, Petersen2005, Rahier2008, Taylor2023 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

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
    Model,
    Reference,
    Scenario,
    Sign,
    SmoothCase,
    parameter,
    state,
)
from medtwin.physiology.prior import Covariate, Covariates, Fixed, LogNormal

Number = Float[Array, "..."]


def threshold(known: Covariates) -> float:
    """Median weight (kg) above which fat spills: below today's with type 2 diabetes, about today's without."""
    weight = known.get("body_weight", 80.0)
    diabetes = known.get("type_2_diabetes", 0.0)
    return weight * (1.0 - 0.15 * diabetes)


class OrganFatParameters(eqx.Module):
    """Thresholds of a person, and how fat moves."""

    # fmt: off
    starting_weight: Number = parameter(unit="kg", prior=Covariate("body_weight", LogNormal(80.0, 0.18)), source="adults, judgement", meaning="Weight at rest")
    fat_threshold: Number = parameter(unit="kg", prior=LogNormal(threshold, 0.12), source="Taylor2018: 16 % of liver fat (sd 10) at 100 kg, of .86 %/kg, is 15 kg (sd 12) above; without diabetes: judgement", meaning="Weight above which fat spills over into the liver (T)")
    half_fat: Number = parameter(unit="%", prior=LogNormal(1.2, 0.3), source="fitted to DiRECT at one year: docs/evidence/road-fit.md", meaning="Fat of the pancreas above normal at which half of the beta cells sleep (h)")
    corner: Number = parameter(unit="kg", prior=Fixed(3.0), source="judgement", meaning="Width of the corner at the threshold (s)")
    liver_normal: Number = parameter(unit="%", prior=Fixed(2.2), source="Lim2011: people without diabetes (from memory)", meaning="Liver fat below the threshold (L0)")
    liver_per_weight: Number = parameter(unit="%/kg", prior=Fixed(0.86), source="Taylor2018: 16.0 to 3.1 % with 15 kg; AlMrabeh2019 on regain .55", meaning="Liver fat per weight above the threshold (g)")
    liver_time: Number = parameter(unit="d", prior=Fixed(7.0), source="judgement after Lim2011: a third less in the first week", meaning="Time in which liver fat follows (tL)")
    pancreas_normal: Number = parameter(unit="%", prior=Fixed(6.0), source="Lim2011: people without diabetes", meaning="Pancreas fat at normal liver fat (P0)")
    pancreas_per_liver: Number = parameter(unit="1", prior=Fixed(0.18), source="Lim2011: 8.0 to 6.2 % while the liver went from 12.8 to 2.9 %", meaning="Pancreas fat per liver fat above normal (q)")
    pancreas_time: Number = parameter(unit="d", prior=Fixed(28.0), source="judgement after Lim2011: falls steadily over eight weeks", meaning="Time in which pancreas fat follows (tP)")
    sleep_power: Number = parameter(unit="1", prior=Fixed(2.0), source="judgement", meaning="Steepness of falling asleep with fat (n)")
    sleep_time: Number = parameter(unit="d", prior=Fixed(60.0), source="judgement after Lim2011 and Taylor2018: the first phase of secretion comes back in two to five months", meaning="Time in which cells fall asleep and wake (tA)")
    production_per_fat: Number = parameter(unit="1", prior=Fixed(0.026), source="Petersen2005: 193 to 153 mg/min while liver fat went from 12.2 % to a fifth", meaning="Rise of glucose production per per cent of liver fat above normal (c)")
    acid_factor: Number = parameter(unit="1", prior=Fixed(0.0), source="replaced by sleep: see the equations", meaning="What fatty acids and glucose take of a cell's function, as a multiple of the published loss")
    death_factor: Number = parameter(unit="1", prior=Fixed(0.87), source="Rahier2008: a quarter of the mass gone below five years, half beyond fifteen", meaning="Death of beta cells that work hard, as a multiple of the published one")
    # fmt: on


class OrganFatState(eqx.Module):
    """Fat, and how many cells sleep."""

    liver: Number = state(unit="%", scale=10.0, meaning="Fat of the liver, share of its signal")
    pancreas: Number = state(unit="%", scale=7.0, meaning="Fat of the pancreas, share of its signal")
    asleep: Number = state(unit="1", scale=0.5, meaning="Share of the beta cells that do not secrete and could")


class OrganFat(Model):
    """Fat of liver and pancreas; the module's docstring is its paper."""

    name: ClassVar[str] = "organ_fat"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = OrganFatParameters
    State: ClassVar[type] = OrganFatState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="body_weight", resting=80.0),)
    observes: ClassVar[tuple[str, ...]] = (
        "liver_fat_fraction",
        "pancreas_fat_fraction",
        "hepatic_production_factor",
        "awake_beta_cells",
        "acid_loss_factor",
        "cell_death_factor",
    )
    inferred: ClassVar[tuple[str, ...]] = ("fat_threshold", "half_fat")
    scenario: ClassVar[Scenario] = Scenario(
        duration=360 * DAY,
        given=(
            Exposure(quantity="body_weight", time=0.0, amount=95.0),
            Exposure(quantity="body_weight", time=120 * DAY, amount=80.0),
            Exposure(quantity="body_weight", time=240 * DAY, amount=90.0),
        ),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=40 * DAY, steps=20, displaced={"liver": 0.5, "pancreas": 0.2, "asleep": 0.5}
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="body_weight", effect="liver_fat_fraction", direction=1, size=10.0),
        Sign(cause="body_weight", effect="pancreas_fat_fraction", direction=1, size=10.0),
        Sign(cause="body_weight", effect="awake_beta_cells", direction=-1, size=10.0),
        Sign(cause="fat_threshold", effect="hepatic_production_factor", direction=-1),
        Sign(cause="half_fat", effect="awake_beta_cells", direction=1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Taylor2008",
            text="Taylor R. Pathogenesis of type 2 diabetes: tracing the reverse route from cure to cause. Diabetologia "
            "2008;51:1781-1789 (the hypothesis, as told in Taylor R, Barnes AC, Diabetologia 2018;61:273-283).",
        ),
        Reference(
            key="Lim2011",
            text="Lim EL, Hollingsworth KG, Aribisala BS, Chen MJ, Mathers JC, Taylor R. Reversal of type 2 diabetes: "
            "normalisation of beta cell function in association with decreased pancreas and liver triacylglycerol. "
            "Diabetologia 2011;54:2506-2514.",
            doi="10.1007/s00125-011-2204-7",
        ),
        Reference(
            key="Taylor2018",
            text="Taylor R, Al-Mrabeh A, Zhyzhneuskaya S, et al. Remission of human type 2 diabetes requires decrease in "
            "liver and pancreas fat content but is dependent upon capacity for beta cell recovery. Cell Metab "
            "2018;28:547-556 (abstract read).",
            doi="10.1016/j.cmet.2018.07.003",
        ),
        Reference(
            key="AlMrabeh2019",
            text="Al-Mrabeh A, et al. Long-term remission of type 2 diabetes. Diabetes 2019;68(Suppl 1):1844-P (abstract read).",
        ),
        Reference(
            key="Petersen2005",
            text="Petersen KF, Dufour S, Befroy D, Lehrke M, Hendler RE, Shulman GI. Reversal of nonalcoholic hepatic "
            "steatosis, hepatic insulin resistance, and hyperglycemia by moderate weight reduction in patients with type "
            "2 diabetes. Diabetes 2005;54:603-608 (abstract read).",
            doi="10.2337/diabetes.54.3.603",
        ),
        Reference(
            key="Rahier2008",
            text="Rahier J, Guiot Y, Goebbels RM, Sempoux C, Henquin JC. Pancreatic beta-cell mass in European subjects with "
            "type 2 diabetes. Diabetes Obes Metab 2008;10(Suppl 4):32-42 (abstract read).",
        ),
        Reference(
            key="Taylor2023",
            text="Taylor R, et al. Aetiology of type 2 diabetes in people with a 'normal' body mass index: testing the "
            "personal fat threshold hypothesis. Clin Sci 2023;137:1333-1346 (abstract read).",
        ),
    )

    def initial(self, parameters: OrganFatParameters) -> OrganFatState:
        """Settled at ``starting_weight``."""
        return settled(parameters, parameters.starting_weight)

    def resting(self, parameters: OrganFatParameters) -> dict[str, Number]:
        """``starting_weight``."""
        return {"body_weight": parameters.starting_weight}

    def rates(self, t: Number, state: OrganFatState, parameters: OrganFatParameters, inputs: Inputs) -> OrganFatState:
        """Each follows what is before it."""
        s, p = state, parameters
        return OrganFatState(
            liver=(_liver(inputs["body_weight"], p) - s.liver) / p.liver_time,
            pancreas=(_pancreas(s.liver, p) - s.pancreas) / p.pancreas_time,
            asleep=(_asleep(s.pancreas, p) - s.asleep) / p.sleep_time,
        )

    def noise(self, state: OrganFatState, parameters: OrganFatParameters) -> OrganFatState:
        """1 % of liver fat and .3 % of pancreas fat per root of a day. Judgement."""
        return OrganFatState(
            liver=0.01 * state.liver, pancreas=0.003 * state.pancreas, asleep=jnp.zeros_like(state.asleep)
        )

    def observe(self, t: Number, state: OrganFatState, parameters: OrganFatParameters) -> dict[str, Number]:
        """Fat (%), and what it does as factors (1)."""
        p = parameters
        whole = jnp.ones_like(state.liver)
        return {
            "liver_fat_fraction": state.liver,
            "pancreas_fat_fraction": state.pancreas,
            "hepatic_production_factor": 1 + p.production_per_fat * jnp.maximum(state.liver - p.liver_normal, 0.0),
            "awake_beta_cells": 1 - state.asleep,
            "acid_loss_factor": p.acid_factor * whole,
            "cell_death_factor": p.death_factor * whole,
        }


def _liver(weight: Number, p: OrganFatParameters) -> Number:
    """Where liver fat settles, %."""
    return p.liver_normal + p.liver_per_weight * p.corner * jax.nn.softplus((weight - p.fat_threshold) / p.corner)


def _pancreas(liver: Number, p: OrganFatParameters) -> Number:
    """Where pancreas fat settles, %."""
    return p.pancreas_normal + p.pancreas_per_liver * (liver - p.liver_normal)


def _asleep(pancreas: Number, p: OrganFatParameters) -> Number:
    """Where the share that sleeps settles."""
    relative = (jnp.maximum(pancreas - p.pancreas_normal, 0.0) / p.half_fat) ** p.sleep_power
    return relative / (1 + relative)


def settled(p: OrganFatParameters, weight: Number) -> OrganFatState:
    """After a year or more at that weight (kg)."""
    liver = _liver(weight, p)
    pancreas = _pancreas(liver, p)
    return OrganFatState(liver=liver, pancreas=pancreas, asleep=_asleep(pancreas, p))
