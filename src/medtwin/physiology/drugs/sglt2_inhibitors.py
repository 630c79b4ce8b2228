"""SGLT2 inhibitors: glucose is lost with urine above a lowered threshold (dapagliflozin).

Drawing
-------
::

    tablets --> acting dose --> clearance of glucose by urine above the threshold

Equations
---------
Time in days; ``d`` the dose per day that acts::

    acting' = dose - k acting          d = k acting
    clearance = filtration efficacy d/(d + half)

Parameters
----------
``Parameters``. The threshold under the drug stands where the effect acts (``excretion_threshold``).

Assumptions
-----------
Losses are proportional to glucose above the threshold, whatever the time of day. Filtration does not change. The same
equations hold for other drugs of the class with their doses.

Outputs
-------
glucose_excretion_clearance (dL/kg/min).

References
----------
Polidori2013, List2009 (see ``references``).
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


class DapagliflozinParameters(eqx.Module):
    """Onset, and the dose-response."""

    # fmt: off
    offset_rate: Number = parameter(unit="/d", prior=LogNormal(0.9, 0.2), source="judgement: a half-life of 13 h in plasma, effect over 24 h and more (from memory)", meaning="Rate at which the effect comes and goes (k)")
    filtration: Number = parameter(unit="dL/kg/min", prior=LogNormal(0.0122, 0.2), source="judgement: 110 mL/min at 90 kg", meaning="Glomerular filtration per body weight")
    efficacy: Number = parameter(unit="1", prior=LogNormal(0.9, 0.1), source="Polidori2013: excretion is filtration times glucose above the threshold (from memory); judgement", meaning="Share of filtered glucose above the threshold that is lost at a high dose")
    half_dose: Number = parameter(unit="mg/d", prior=LogNormal(1.5, 0.3), source="judgement: 2.5 mg made 52 g/d of about 85 at 50 mg in List2009", meaning="Daily dose at half of the greatest effect (half)")
    # fmt: on


class DapagliflozinState(eqx.Module):
    """The dose that acts."""

    acting: Number = state(unit="mg", scale=10.0, meaning="Dose that has not yet ceased to act")


class Dapagliflozin(Model):
    """SGLT2 inhibitors; the module's docstring is its paper."""

    name: ClassVar[str] = "dapagliflozin"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = DapagliflozinParameters
    State: ClassVar[type] = DapagliflozinState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="dapagliflozin", enters="acting"),)
    observes: ClassVar[tuple[str, ...]] = ("glucose_excretion_clearance",)
    inferred: ClassVar[tuple[str, ...]] = ()
    scenario: ClassVar[Scenario] = Scenario(
        duration=60 * DAY, given=(Exposure(quantity="dapagliflozin", time=0.0, amount=10.0 * 30, until=30 * DAY),)
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(duration=8 * DAY, steps=16, displaced={"acting": 1.0})
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="dapagliflozin",
            unit="mg",
            amount=lambda s, p: s.acting,
            flow=lambda s, p, u: u["dapagliflozin"] - p.offset_rate * s.acting,
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="dapagliflozin", effect="glucose_excretion_clearance", direction=1, size=10.0),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Polidori2013",
            text="Polidori D, Sha S, Ghosh A, Plum-Morschel L, Heise T, Rothenberg P. Validation of a novel method for "
            "determining the renal threshold for glucose excretion in untreated and canagliflozin-treated subjects with "
            "type 2 diabetes mellitus. J Clin Endocrinol Metab 2013;98:E867-E871 (citation from memory).",
        ),
        Reference(
            key="List2009",
            text="List JF, Woo V, Morales E, Tang W, Fiedorek FT. Sodium-glucose cotransport inhibition with dapagliflozin "
            "in type 2 diabetes. Diabetes Care 2009;32:650-657 (abstract and table 2 read; the half dose came from it, its "
            "HbA1c and weight did not go in).",
        ),
    )

    def initial(self, parameters: DapagliflozinParameters) -> DapagliflozinState:
        """Untreated."""
        return DapagliflozinState(acting=jnp.zeros_like(parameters.offset_rate))

    def rates(
        self, t: Number, state: DapagliflozinState, parameters: DapagliflozinParameters, inputs: Inputs
    ) -> DapagliflozinState:
        """A dose comes to act and ceases to act at one rate."""
        return DapagliflozinState(acting=inputs["dapagliflozin"] - parameters.offset_rate * state.acting)

    def observe(self, t: Number, state: DapagliflozinState, parameters: DapagliflozinParameters) -> dict[str, Number]:
        """glucose_excretion_clearance (dL/kg/min)."""
        p = parameters
        daily = p.offset_rate * state.acting
        return {"glucose_excretion_clearance": p.filtration * p.efficacy * daily / (daily + p.half_dose)}
