"""Metformin: a lasting fall of glucose production.

Drawing
-------
::

    tablets --> acting dose --> production of glucose falls

Equations
---------
Time in days; ``d`` the dose per day that acts::

    acting' = dose - k acting          d = k acting
    production factor = 1 - fall (d/(d + half)) (2000 + half)/2000

Parameters
----------
``Parameters``: ``production_fall`` is the fall at 2000 mg a day.

Assumptions
-----------
Plasma concentrations pass in hours; what is followed is the effect, which comes and goes in days. No effect on weight,
gut or sensitivity of its own. A linear kidney.

Outputs
-------
glucose_production_factor (1).

References
----------
Stumvoll1995, Garber1997 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
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
from medtwin.physiology.prior import Fixed, LogNormal

Number = Float[Array, "..."]


class MetforminParameters(eqx.Module):
    """Onset, and the dose-response."""

    # fmt: off
    offset_rate: Number = parameter(unit="/d", prior=LogNormal(0.35, 0.3), source="judgement: fasting glucose follows in one to two weeks", meaning="Rate at which the effect comes and goes (k)")
    production_fall: Number = parameter(unit="1", prior=LogNormal(0.22, 0.35), source="Stumvoll1995: endogenous production fell by about a quarter (from memory); spread: judgement", meaning="Fall of glucose production at reference_dose, as a share")
    half_dose: Number = parameter(unit="mg/d", prior=LogNormal(1500.0, 0.4), source="judgement after Garber1997: a third of the effect at a quarter of the dose, the most at 2000 mg", meaning="Daily dose at half of the greatest effect (half)")
    reference_dose: Number = parameter(unit="mg/d", prior=Fixed(2000.0), source="definition", meaning="Daily dose that production_fall belongs to")
    # fmt: on


class MetforminState(eqx.Module):
    """The dose that acts."""

    acting: Number = state(unit="mg", scale=1000.0, meaning="Dose that has not yet ceased to act")


class Metformin(Model):
    """Metformin; the module's docstring is its paper."""

    name: ClassVar[str] = "metformin"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = MetforminParameters
    State: ClassVar[type] = MetforminState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="metformin", enters="acting"),)
    observes: ClassVar[tuple[str, ...]] = ("glucose_production_factor",)
    inferred: ClassVar[tuple[str, ...]] = ()
    scenario: ClassVar[Scenario] = Scenario(
        duration=60 * DAY, given=(Exposure(quantity="metformin", time=0.0, amount=1000.0 * 30, until=30 * DAY),)
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(duration=20 * DAY, steps=20, displaced={"acting": 1.0})
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="metformin",
            unit="mg",
            amount=lambda s, p: s.acting,
            flow=lambda s, p, u: u["metformin"] - p.offset_rate * s.acting,
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="metformin", effect="glucose_production_factor", direction=-1, size=500.0),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Stumvoll1995",
            text="Stumvoll M, Nurjhan N, Perriello G, Dailey G, Gerich JE. Metabolic effects of metformin in "
            "non-insulin-dependent diabetes mellitus. N Engl J Med 1995;333:550-554 (from memory).",
        ),
        Reference(
            key="Garber1997",
            text="Garber AJ, Duncan TG, Goodman AM, Mills DJ, Rohlf JL. Efficacy of metformin in type II diabetes: results "
            "of a double-blind, placebo-controlled, dose-response trial. Am J Med 1997;103:491-497 (abstract read).",
        ),
    )

    def initial(self, parameters: MetforminParameters) -> MetforminState:
        """Untreated."""
        return MetforminState(acting=jnp.zeros_like(parameters.offset_rate))

    def rates(
        self, t: Number, state: MetforminState, parameters: MetforminParameters, inputs: Inputs
    ) -> MetforminState:
        """A dose comes to act and ceases to act at one rate."""
        return MetforminState(acting=inputs["metformin"] - parameters.offset_rate * state.acting)

    def observe(self, t: Number, state: MetforminState, parameters: MetforminParameters) -> dict[str, Number]:
        """glucose_production_factor (1)."""
        p = parameters
        daily = p.offset_rate * state.acting
        share = daily / (daily + p.half_dose) * (p.reference_dose + p.half_dose) / p.reference_dose
        return {"glucose_production_factor": 1 - jnp.minimum(p.production_fall * share, 0.9)}
