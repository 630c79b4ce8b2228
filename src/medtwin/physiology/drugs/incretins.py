"""Incretin drugs, once weekly: less appetite, a slower stomach at first, more insulin when glucose is high.

Drawing
-------
::

    injection --> under the skin --> plasma --> appetite_effect, appetite_feedback_factor     (body_weight)
                                        |-----> incretin_secretion_factor                     (beta cells)
                                        +--x--> gastric_emptying_factor, wanes with tolerance (stomach)

Equations
---------
Time in days; ``C`` concentration (mg/L), ``E(C) = C/(C + half)``, ``R = E(C)/E(reference)``::

    depot' = dose - ka depot           plasma' = F ka depot - ke plasma         C = plasma/V
    tolerance' = (E - tolerance)/T                                             e = diabetic of those with type 2, else 1
    appetite effect   = e fall R                          feedback factor = 1 - (1 - weak) min(R, 1)
    secretion factor  = 1 + gain E                        emptying factor = 1 - slowing max(E - tolerance, 0)

Parameters
----------
``SemaglutideParameters``, ``TirzepatideParameters``: the fall of appetite belongs to the reference concentration, that of
the reference dose when settled. People with type 2 diabetes lose less weight; ``diabetic`` is that share.

Assumptions
-----------
One compartment of the total volume. The effect on appetite is as lasting as the drug. Doses rise over weeks as labels say:
that is for the plan, not for the model. No dropping out, no nausea.

Outputs
-------
appetite_effect (kcal/d), appetite_feedback_factor (1), incretin_secretion_factor (1), gastric_emptying_factor (1).

References
----------
Overgaard2019, Hall2024, Wilding2021, Davies2021, Jastreboff2022 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

from typing import Any, ClassVar

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
from medtwin.physiology.prior import Covariates, Fixed, LogNormal

REFERENCES = (
    Reference(
        key="Overgaard2019",
        text="Overgaard RV, Delff PH, Petri KCC, Anderson TW, Flint A, Ingwersen SH. Population pharmacokinetics of "
        "semaglutide for type 2 diabetes. Diabetes Ther 2019;10:649-662 (abstract read).",
        doi="10.1007/s13300-019-0581-y",
    ),
    Reference(
        key="Hall2024",
        text="Hall KD. Physiology of the weight loss plateau after calorie restriction, GLP-1 receptor agonism, and "
        "bariatric surgery. Obesity 2024 (abstract of the preprint read; its fitted pairs from memory).",
        doi="10.1101/2023.11.05.565699",
    ),
    Reference(
        key="Wilding2021",
        text="Wilding JPH, et al. Once-weekly semaglutide in adults with overweight or obesity (STEP 1). N Engl J Med "
        "2021;384:989-1002 (results as tabulated in a review).",
    ),
    Reference(
        key="Davies2021",
        text="Davies M, et al. Semaglutide 2.4 mg once a week in adults with overweight or obesity, and type 2 diabetes "
        "(STEP 2). Lancet 2021;397:971-984 (abstract read).",
    ),
    Reference(
        key="Jastreboff2022",
        text="Jastreboff AM, et al. Tirzepatide once weekly for the treatment of obesity (SURMOUNT-1). N Engl J Med "
        "2022;387:205-216 (from memory).",
    ),
)

Number = Float[Array, "..."]


def _of_diabetes(known: Covariates) -> float:
    """The share of the effect on appetite that people with type 2 diabetes have; where unknown, they have it."""
    return float(1.0 - 0.35 * known.get("type_2_diabetes", 1.0))


class SemaglutideParameters(eqx.Module):
    """Kinetics, and the dose-response."""

    # fmt: off
    absorption_rate: Number = parameter(unit="/d", prior=LogNormal(0.7, 0.3), source="Overgaard2019: peak 1 to 3 days after a dose (from memory)", meaning="Absorption from under the skin (ka)")
    elimination_rate: Number = parameter(unit="/d", prior=LogNormal(0.1085, 0.15), source="Overgaard2019: 0.0348 L/h over 7.7 L", meaning="Elimination (ke)")
    volume: Number = parameter(unit="L", prior=LogNormal(7.7, 0.15), source="Overgaard2019", meaning="Distribution volume (V)")
    available: Number = parameter(unit="1", prior=Fixed(0.85), source="Overgaard2019, about .85 (from memory)", meaning="Share that reaches plasma (F)")
    half_concentration: Number = parameter(unit="mg/L", prior=LogNormal(0.10, 0.3), source="judgement after the step from 1.0 to 2.4 mg in STEP2: -7.0 and -9.6 % of weight", meaning="Concentration at half of the greatest effect (half)")
    reference_concentration: Number = parameter(unit="mg/L", prior=Fixed(0.35), source="derived: 2.4 mg weekly, settled", meaning="Concentration that appetite_fall belongs to (reference)")
    appetite_fall: Number = parameter(unit="kcal/d", prior=LogNormal(1300.0, 0.35), source="Hall2024, 1300 kcal/d at 2.4 mg (from memory); spread: judgement, trials' spread of weight", meaning="Lasting fall of intake at the reference concentration (fall)")
    weak_feedback: Number = parameter(unit="1", prior=LogNormal(0.59, 0.1), source="Hall2024: 49 of 83 kcal/d per kg (from memory)", meaning="Appetite's answer to weight lost, as a share of the untreated one (weak)")
    diabetic_share: Number = parameter(unit="1", prior=Fixed(_of_diabetes), source="Davies2021 against Wilding2021: -9.6 and -14.9 % of weight", meaning="Share of the fall of intake in this person (diabetic)")
    secretion_gain: Number = parameter(unit="1", prior=LogNormal(1.0, 0.4), source="judgement: secretion at high glucose about doubles", meaning="Rise of the insulin released at the greatest effect (gain)")
    emptying_slowing: Number = parameter(unit="1", prior=LogNormal(0.4, 0.2), source="judgement", meaning="Greatest slowing of the stomach before tolerance (slowing)")
    tolerance_time: Number = parameter(unit="d", prior=LogNormal(21.0, 0.3), source="judgement: weeks", meaning="Time in which the stomach gets used to the drug (T)")
    # fmt: on


class SemaglutideState(eqx.Module):
    """Where the drug is, and how used to it the stomach is."""

    depot: Number = state(unit="mg", scale=2.0, meaning="Drug under the skin")
    plasma: Number = state(unit="mg", scale=2.0, meaning="Drug in plasma and tissue")
    tolerance: Number = state(unit="1", scale=0.5, meaning="Tolerance of the stomach")


class Semaglutide(Model):
    """Semaglutide once weekly; the module's docstring is its paper."""

    name: ClassVar[str] = "semaglutide"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = SemaglutideParameters
    State: ClassVar[type] = SemaglutideState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="semaglutide", enters="depot"),)
    observes: ClassVar[tuple[str, ...]] = (
        "appetite_effect", "appetite_feedback_factor", "incretin_secretion_factor", "gastric_emptying_factor",
    )  # fmt: skip
    inferred: ClassVar[tuple[str, ...]] = ("appetite_fall",)
    scenario: ClassVar[Scenario] = Scenario(
        duration=90 * DAY,
        given=tuple(Exposure(quantity="semaglutide", time=7 * DAY * k, amount=2.4) for k in range(10)),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(duration=20 * DAY, steps=20, displaced={"depot": 1.0})
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="semaglutide that will reach plasma or is there",
            unit="mg",
            amount=lambda s, p: p.available * s.depot + s.plasma,
            flow=lambda s, p, u: p.available * u["semaglutide"] - p.elimination_rate * s.plasma,
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="semaglutide", effect="appetite_effect", direction=1, size=0.2),
        Sign(cause="semaglutide", effect="incretin_secretion_factor", direction=1, size=0.2),
        Sign(cause="elimination_rate", effect="appetite_effect", direction=-1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = REFERENCES

    def initial(self, parameters: SemaglutideParameters) -> SemaglutideState:
        """Untreated."""
        zero = jnp.zeros_like(parameters.volume)
        return SemaglutideState(depot=zero, plasma=zero, tolerance=zero)

    def rates(
        self, t: Number, state: SemaglutideState, parameters: SemaglutideParameters, inputs: Inputs
    ) -> SemaglutideState:
        """Absorption, elimination, and tolerance of the stomach."""
        p, absorbed = parameters, parameters.absorption_rate * state.depot
        return SemaglutideState(
            depot=inputs["semaglutide"] - absorbed,
            plasma=p.available * absorbed - p.elimination_rate * state.plasma,
            tolerance=(_effect(state.plasma / p.volume, p) - state.tolerance) / p.tolerance_time,
        )

    def observe(self, t: Number, state: SemaglutideState, parameters: SemaglutideParameters) -> dict[str, Number]:
        """Effects on appetite, secretion and the stomach."""
        return _effects(state, parameters)


class TirzepatideParameters(eqx.Module):
    """Kinetics, and the dose-response."""

    # fmt: off
    absorption_rate: Number = parameter(unit="/d", prior=LogNormal(1.0, 0.3), source="product information: peak after 8 to 72 h", meaning="Absorption from under the skin (ka)")
    elimination_rate: Number = parameter(unit="/d", prior=LogNormal(0.14, 0.15), source="product information: apparent .06 L/h over 10.3 L", meaning="Elimination (ke)")
    volume: Number = parameter(unit="L", prior=LogNormal(8.24, 0.15), source="product information: apparent 10.3 L times .80", meaning="Distribution volume (V)")
    available: Number = parameter(unit="1", prior=Fixed(0.80), source="product information", meaning="Share that reaches plasma (F)")
    half_concentration: Number = parameter(unit="mg/L", prior=LogNormal(0.5, 0.3), source="judgement: -15.0, -19.5 and -20.9 % of weight at 5, 10 and 15 mg in SURMOUNT-1 (from memory)", meaning="Concentration at half of the greatest effect (half)")
    reference_concentration: Number = parameter(unit="mg/L", prior=Fixed(0.99), source="derived: 10.0 mg weekly, settled", meaning="Concentration that appetite_fall belongs to (reference)")
    appetite_fall: Number = parameter(unit="kcal/d", prior=LogNormal(1560.0, 0.35), source="Hall2024, 1560 kcal/d at 10 mg (from memory); spread: judgement, trials' spread of weight", meaning="Lasting fall of intake at the reference concentration (fall)")
    weak_feedback: Number = parameter(unit="1", prior=LogNormal(0.58, 0.1), source="Hall2024: 48 of 83 kcal/d per kg (from memory)", meaning="Appetite's answer to weight lost, as a share of the untreated one (weak)")
    diabetic_share: Number = parameter(unit="1", prior=Fixed(_of_diabetes), source="Davies2021 against Wilding2021: -9.6 and -14.9 % of weight", meaning="Share of the fall of intake in this person (diabetic)")
    secretion_gain: Number = parameter(unit="1", prior=LogNormal(1.0, 0.4), source="judgement: secretion at high glucose about doubles", meaning="Rise of the insulin released at the greatest effect (gain)")
    emptying_slowing: Number = parameter(unit="1", prior=LogNormal(0.4, 0.2), source="judgement", meaning="Greatest slowing of the stomach before tolerance (slowing)")
    tolerance_time: Number = parameter(unit="d", prior=LogNormal(21.0, 0.3), source="judgement: weeks", meaning="Time in which the stomach gets used to the drug (T)")
    # fmt: on


class TirzepatideState(eqx.Module):
    """Where the drug is, and how used to it the stomach is."""

    depot: Number = state(unit="mg", scale=8.0, meaning="Drug under the skin")
    plasma: Number = state(unit="mg", scale=8.0, meaning="Drug in plasma and tissue")
    tolerance: Number = state(unit="1", scale=0.5, meaning="Tolerance of the stomach")


class Tirzepatide(Model):
    """Tirzepatide once weekly; the module's docstring is its paper."""

    name: ClassVar[str] = "tirzepatide"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = TirzepatideParameters
    State: ClassVar[type] = TirzepatideState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="tirzepatide", enters="depot"),)
    observes: ClassVar[tuple[str, ...]] = (
        "appetite_effect", "appetite_feedback_factor", "incretin_secretion_factor", "gastric_emptying_factor",
    )  # fmt: skip
    inferred: ClassVar[tuple[str, ...]] = ("appetite_fall",)
    scenario: ClassVar[Scenario] = Scenario(
        duration=90 * DAY,
        given=tuple(Exposure(quantity="tirzepatide", time=7 * DAY * k, amount=10.0) for k in range(10)),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(duration=20 * DAY, steps=20, displaced={"depot": 1.0})
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="tirzepatide that will reach plasma or is there",
            unit="mg",
            amount=lambda s, p: p.available * s.depot + s.plasma,
            flow=lambda s, p, u: p.available * u["tirzepatide"] - p.elimination_rate * s.plasma,
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="tirzepatide", effect="appetite_effect", direction=1, size=0.2),
        Sign(cause="tirzepatide", effect="incretin_secretion_factor", direction=1, size=0.2),
        Sign(cause="elimination_rate", effect="appetite_effect", direction=-1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = REFERENCES

    def initial(self, parameters: TirzepatideParameters) -> TirzepatideState:
        """Untreated."""
        zero = jnp.zeros_like(parameters.volume)
        return TirzepatideState(depot=zero, plasma=zero, tolerance=zero)

    def rates(
        self, t: Number, state: TirzepatideState, parameters: TirzepatideParameters, inputs: Inputs
    ) -> TirzepatideState:
        """Absorption, elimination, and tolerance of the stomach."""
        p, absorbed = parameters, parameters.absorption_rate * state.depot
        return TirzepatideState(
            depot=inputs["tirzepatide"] - absorbed,
            plasma=p.available * absorbed - p.elimination_rate * state.plasma,
            tolerance=(_effect(state.plasma / p.volume, p) - state.tolerance) / p.tolerance_time,
        )

    def observe(self, t: Number, state: TirzepatideState, parameters: TirzepatideParameters) -> dict[str, Number]:
        """Effects on appetite, secretion and the stomach."""
        return _effects(state, parameters)


def _effect(concentration: Number, p: Any) -> Number:
    return concentration / (concentration + p.half_concentration)


def _effects(s: Any, p: Any) -> dict[str, Number]:
    effect = _effect(s.plasma / p.volume, p)
    relative = effect / _effect(p.reference_concentration, p)
    return {
        "appetite_effect": p.diabetic_share * p.appetite_fall * relative,
        "appetite_feedback_factor": 1 - (1 - p.weak_feedback) * jnp.minimum(relative, 1.0),
        "incretin_secretion_factor": 1 + p.secretion_gain * effect,
        "gastric_emptying_factor": 1 - p.emptying_slowing * jnp.maximum(effect - s.tolerance, 0.0),
    }
