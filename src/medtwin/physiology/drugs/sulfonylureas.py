"""Sulfonylureas: more insulin is released, less so over the years (glimepiride).

Drawing
-------
::

    tablets --> acting dose --> release of insulin rises

Equations
---------
Time in days; ``d`` the dose per day that acts::

    acting' = dose - k acting          d = k acting
    secretion factor = 1 + gain d/(d + half)        added secretion = S0 gain d/(d + half)

Parameters
----------
``Parameters``.

Assumptions
-----------
A multiple of what beta cells release at that glucose: no more than cells can, and less where few are left. The failure
over years that trials show comes from the loss of beta cells and from nothing of the drug. For the minutes of a day
(``added_secretion`` of ``glucose_type_2``), the same share of the secretion at rest is added whatever the glucose; no
dose-response in that unit was found.

Outputs
-------
sulfonylurea_secretion_factor (1), sulfonylurea_added_secretion (pmol/kg/min).

References
----------
Goldberg1996, DallaMan2007 (see ``references``).
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
from medtwin.physiology.prior import LogNormal

Number = Float[Array, "..."]


class GlimepirideParameters(eqx.Module):
    """Onset, and the dose-response."""

    # fmt: off
    offset_rate: Number = parameter(unit="/d", prior=LogNormal(1.0, 0.2), source="judgement: acts for about a day (from memory)", meaning="Rate at which the effect comes and goes (k)")
    secretion_gain: Number = parameter(unit="1", prior=LogNormal(0.6, 0.4), source="judgement: secretion rises by a third to two thirds", meaning="Greatest rise of the insulin released, as a share")
    half_dose: Number = parameter(unit="mg/d", prior=LogNormal(1.0, 0.4), source="Goldberg1996: little more at 8 than at 4 mg (from memory)", meaning="Daily dose at half of the greatest effect (half)")
    resting_secretion: Number = parameter(unit="pmol/kg/min", prior=LogNormal(4.0, 0.3), source="DallaMan2007: type 2 at rest, clearance times insulin over what the liver leaves; spread: judgement", meaning="Secretion at rest that the added one is a share of (S0)")
    # fmt: on


class GlimepirideState(eqx.Module):
    """The dose that acts."""

    acting: Number = state(unit="mg", scale=4.0, meaning="Dose that has not yet ceased to act")


class Glimepiride(Model):
    """Sulfonylureas; the module's docstring is its paper."""

    name: ClassVar[str] = "glimepiride"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = GlimepirideParameters
    State: ClassVar[type] = GlimepirideState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="glimepiride", enters="acting"),)
    observes: ClassVar[tuple[str, ...]] = ("sulfonylurea_secretion_factor", "sulfonylurea_added_secretion")
    inferred: ClassVar[tuple[str, ...]] = ()
    scenario: ClassVar[Scenario] = Scenario(
        duration=60 * DAY, given=(Exposure(quantity="glimepiride", time=0.0, amount=4.0 * 30, until=30 * DAY),)
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(duration=4 * DAY, steps=16, displaced={"acting": 1.0})
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="glimepiride",
            unit="mg",
            amount=lambda s, p: s.acting,
            flow=lambda s, p, u: u["glimepiride"] - p.offset_rate * s.acting,
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="glimepiride", effect="sulfonylurea_secretion_factor", direction=1, size=2.0),
        Sign(cause="glimepiride", effect="sulfonylurea_added_secretion", direction=1, size=2.0),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Goldberg1996",
            text="Goldberg RB, Holvey SM, Schneider J. A dose-response study of glimepiride in patients with NIDDM who have "
            "previously received sulfonylurea agents. Diabetes Care 1996;19:849-856 (from memory).",
        ),
        Reference(
            key="DallaMan2007",
            text="Dalla Man C, Rizza RA, Cobelli C. Meal simulation model of the glucose-insulin system. IEEE Trans "
            "Biomed Eng 2007;54:1740-1749.",
            doi="10.1109/TBME.2007.893506",
        ),
    )

    def initial(self, parameters: GlimepirideParameters) -> GlimepirideState:
        """Untreated."""
        return GlimepirideState(acting=jnp.zeros_like(parameters.offset_rate))

    def rates(
        self, t: Number, state: GlimepirideState, parameters: GlimepirideParameters, inputs: Inputs
    ) -> GlimepirideState:
        """A dose comes to act and ceases to act at one rate."""
        return GlimepirideState(acting=inputs["glimepiride"] - parameters.offset_rate * state.acting)

    def observe(self, t: Number, state: GlimepirideState, parameters: GlimepirideParameters) -> dict[str, Number]:
        """sulfonylurea_secretion_factor (1), sulfonylurea_added_secretion (pmol/kg/min)."""
        p = parameters
        daily = p.offset_rate * state.acting
        share = p.secretion_gain * daily / (daily + p.half_dose)
        return {
            "sulfonylurea_secretion_factor": 1 + share,
            "sulfonylurea_added_secretion": p.resting_secretion * share,
        }
