"""The years of ``beta_cell_years`` for a body whose weight another model or a scale tells (Yildirim 2023).

Drawing
-------
::

    weight (given) --> inflammation, fatty acids --> insulin sensitivity --> glucose <--> insulin <-- beta cells

Equations
---------
Those of ``beta_cell_years`` without ``W'``: the weight is an input. The step is that model's linearly implicit one.
Glucose lost with urine in a day is ``excreted Vg W``.

Parameters
----------
``Parameters``: those of ``beta_cell_years``; ``starting_weight`` is the weight at rest.

Assumptions
-----------
Those of ``beta_cell_years``, but for the balance of energy.

Outputs
-------
blood_glucose (mg/dL, one day's mean), insulin_concentration (u[iU]/mL), glucose_excretion (g/d, under an SGLT2 inhibitor). Beside
a model that shows the glucose of the minute, ``BetaCells(beside_minutes=True)`` shows habitual_glucose (mg/dL) instead.

References
----------
Yildirim2023, Ha2016, Topp2000, Verwer1999, DallaMan2007 (see ``references``).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.beta_cell_years import (
    BetaCellYears,
    BetaCellYearsParameters,
    BetaCellYearsState,
    excreted,
    implicit_step,
)
from medtwin.physiology.exposures import DAY, Exposure
from medtwin.physiology.model import DAYS, Accepts, Clock, Inputs, Model, Reference, Scenario, Sign, SmoothCase, state

MILLIGRAMS_PER_GRAM = 1000.0
YEARS = BetaCellYears()
NAMES = tuple(field.name for field in dataclasses.fields(BetaCellYearsState) if field.name != "weight")

Number = Float[Array, "..."]


class BetaCellsState(eqx.Module):
    """What follows within hours, within days, and over years."""

    glucose: Number = state(unit="mg/dL", scale=100.0, meaning="Mean glucose in plasma (G)")
    insulin: Number = state(unit="m[iU]/L", scale=12.0, meaning="Insulin in plasma (I)")
    fatty_acids: Number = state(unit="umol/L", scale=450.0, meaning="Free fatty acids in plasma (FFA)")
    sensitivity: Number = state(unit="L/m[iU]/d", scale=0.7, meaning="Insulin sensitivity (S)")
    function: Number = state(unit="m[iU]/mg/d", scale=500.0, meaning="Greatest secretion of a beta cell")
    inflammation: Number = state(unit="1", scale=0.1, meaning="Inflammation (infl)")
    beta_mass: Number = state(unit="mg", scale=1000.0, meaning="Mass of beta cells (B)")
    urine_glucose: Number = state(unit="g/d", scale=50.0, meaning="Glucose lost with urine, smoothed over a day")


class BetaCells(Model):
    """Years under a given weight; the module's docstring is its paper."""

    beside_minutes: bool = eqx.field(static=True, default=False)  #: another model shows glucose and insulin

    name: ClassVar[str] = "beta_cells"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = BetaCellYearsParameters
    State: ClassVar[type] = BetaCellsState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="body_weight", resting=81.0),)
    inferred: ClassVar[tuple[str, ...]] = ("target_sensitivity",)
    scenario: ClassVar[Scenario] = Scenario(
        duration=360 * DAY,
        given=(
            Exposure(quantity="body_weight", time=0.0, amount=95.0),
            Exposure(quantity="body_weight", time=200 * DAY, amount=85.0),
        ),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=0.02 * DAY, steps=20, order=2.0, displaced={"glucose": 0.3, "insulin": 0.3, "fatty_acids": 0.2}
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="body_weight", effect="blood_glucose", direction=1, size=20.0),
        Sign(cause="target_sensitivity", effect="blood_glucose", direction=-1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = BetaCellYears.references

    @property
    def observes(self) -> tuple[str, ...]:  # type: ignore[override]
        if self.beside_minutes:
            return ("habitual_glucose",)
        return ("blood_glucose", "insulin_concentration", "glucose_excretion")

    def initial(self, parameters: BetaCellYearsParameters) -> BetaCellsState:
        """The healthiest state at rest at ``starting_weight``, untreated."""
        return told(YEARS.initial(parameters), 0.0 * parameters.starting_weight)

    def resting(self, parameters: BetaCellYearsParameters) -> dict[str, Number]:
        """``starting_weight``."""
        return {"body_weight": parameters.starting_weight}

    def rates(
        self, t: Number, state: BetaCellsState, parameters: BetaCellYearsParameters, inputs: Inputs
    ) -> BetaCellsState:
        """The published rates at the given weight."""
        p, weight = parameters, inputs["body_weight"]
        whole = BetaCellYearsState(weight=weight, **{name: getattr(state, name) for name in NAMES})
        moved = YEARS.rates(t, whole, p, {"energy_intake": p.expenditure * weight})
        lost = excreted(state.glucose, p) * p.glucose_volume * weight / MILLIGRAMS_PER_GRAM
        return told(moved, (lost - state.urine_glucose) / p.adjustment)

    def step(
        self, t: Number, dt: Number, state: BetaCellsState, parameters: BetaCellYearsParameters, inputs: Inputs
    ) -> BetaCellsState:
        """Rosenbrock's ROS2, as in ``beta_cell_years``."""
        return implicit_step(lambda now: self.rates(t, now, parameters, inputs), state, dt)

    def noise(self, state: BetaCellsState, parameters: BetaCellYearsParameters) -> BetaCellsState:
        """As ``beta_cell_years``."""
        whole = BetaCellYearsState(weight=jnp.zeros_like(state.glucose), **{n: getattr(state, n) for n in NAMES})
        return told(YEARS.noise(whole, parameters), jnp.zeros_like(state.glucose))

    def observe(self, t: Number, state: BetaCellsState, parameters: BetaCellYearsParameters) -> dict[str, Number]:
        """Mean glucose (mg/dL), insulin (u[iU]/mL) and glucose lost with urine (g/d)."""
        if self.beside_minutes:
            return {"habitual_glucose": state.glucose}
        return {
            "blood_glucose": state.glucose,
            "insulin_concentration": state.insulin,
            "glucose_excretion": state.urine_glucose,
        }


def told(years: BetaCellYearsState, urine: Number) -> BetaCellsState:
    """The state without its weight, with the glucose in urine."""
    return BetaCellsState(urine_glucose=urine, **{name: getattr(years, name) for name in NAMES})
