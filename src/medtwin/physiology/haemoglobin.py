"""Glycated haemoglobin, day by day: red cells of twelve ages, a personal rate of glycation, a personal life span.

Drawing
-------
::

    marrow --> stage 1 --> stage 2 --> ... --> stage 12 --> removed          HbA1c = mean of the stages
                 ^            ^                   ^
                 +----------- glucose ------------+   each stage is glycated at the same rate

Equations
---------
Time in days; ``a_i`` the glycated share of haemoglobin in stage ``i``, as many cells in each, ``G`` mean glucose
(mg/dL)::

    a_1' = n/R (a_0 - a_1) + k G (1 - a_1)
    a_i' = n/R (a_(i-1) - a_i) + k G (1 - a_i)         n = 12
    HbA1c (NGSP, %) = slope 100 mean(a_i) + offset     R = life_span n/(n + 1)

Cells pass the stages at one rate, so that life spans differ within a person (mean ``R``, coefficient of variation
``1/sqrt(n)``, 0.29), and the mean age of a cell is half of ``life_span``, as where every cell lives exactly that
long. At constant glucose ``1 - a_i = (1 - a_0) (r/(r + k G))^i`` with ``r = n/R``.

Parameters
----------
``Parameters``: the rate of glycation and the life span are of one person and act as their product on a settled HbA1c;
how fast HbA1c follows a change of glucose tells the life span. Fractions of haemoglobin are those of the IFCC's
reference method; the NGSP master equation turns them into the per cent that laboratories state.

Assumptions
-----------
Marrow makes as many cells every day: no bleeding, transfusion, haemolysis or change of iron. Glycation is
proportional to the day's mean glucose and not reversed. Glucose within the red cell follows that in plasma. The
regression of Nathan2008 is steeper than proportional: it is met within 0.35 points from 110 to 212 mg/dL, and stands
0.5 points above at 240.

Outputs
-------
hba1c (%, NGSP).

References
----------
Ladyzynski2014, Ladyzynski2015, Hoelzel2004, Nathan2008 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
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

STAGES = 12
PER_CENT = 100.0
#: dL/mg/d of 1 L/mmol/s: seconds in a day over mg/dL in a mmol/L
_RATE = 86400.0 / 18.0156

Number = Float[Array, "..."]


class HaemoglobinParameters(eqx.Module):
    """The person, and the equation that laboratories share."""

    # fmt: off
    habitual_glucose: Number = parameter(unit="mg/dL", prior=LogNormal(115.0, 0.20), source="adults, judgement", meaning="Mean glucose before the start, and wherever none is known")
    glycation_rate: Number = parameter(unit="dL/mg/d", prior=LogNormal(1.239e-9 * _RATE, 0.167), source="Ladyzynski2015: 1.239e-9 L/mmol/s; spread: Ladyzynski2014", meaning="Glycation of haemoglobin per glucose (k)")
    life_span: Number = parameter(unit="d", prior=LogNormal(120.0, 0.117), source="Ladyzynski2015: 120 d, sd 14 d", meaning="Twice the mean age of a red cell")
    young_share: Number = parameter(unit="1", prior=Fixed(0.0), source="judgement: none; reticulocytes carry little", meaning="Glycated share of haemoglobin in cells that leave the marrow (a_0)")
    ngsp_slope: Number = parameter(unit="1", prior=Fixed(0.9148), source="Hoelzel2004", meaning="NGSP per cent per IFCC per cent")
    ngsp_offset: Number = parameter(unit="%", prior=Fixed(2.152), source="Hoelzel2004", meaning="NGSP per cent where IFCC has none")
    # fmt: on


class HaemoglobinState(eqx.Module):
    """The glycated share of each stage, from the youngest cells to the oldest."""

    stage_1: Number = state(unit="1", scale=0.05, meaning="Glycated share in the youngest cells")
    stage_2: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 2")
    stage_3: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 3")
    stage_4: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 4")
    stage_5: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 5")
    stage_6: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 6")
    stage_7: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 7")
    stage_8: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 8")
    stage_9: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 9")
    stage_10: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 10")
    stage_11: Number = state(unit="1", scale=0.05, meaning="Glycated share in stage 11")
    stage_12: Number = state(unit="1", scale=0.05, meaning="Glycated share in the oldest cells")


class Haemoglobin(Model):
    """Glycated haemoglobin; the module's docstring is its paper."""

    name: ClassVar[str] = "haemoglobin"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = HaemoglobinParameters
    State: ClassVar[type] = HaemoglobinState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="blood_glucose", resting=115.0),)
    observes: ClassVar[tuple[str, ...]] = ("hba1c",)
    inferred: ClassVar[tuple[str, ...]] = ("glycation_rate", "life_span", "habitual_glucose")
    scenario: ClassVar[Scenario] = Scenario(
        duration=360 * DAY,
        given=(
            Exposure(quantity="blood_glucose", time=0.0, amount=115.0),
            Exposure(quantity="blood_glucose", time=60 * DAY, amount=220.0),
            Exposure(quantity="blood_glucose", time=240 * DAY, amount=130.0),
        ),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=60 * DAY, steps=15, displaced={"stage_3": 0.5}, given={"blood_glucose": 80.0}
    )
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="glycated haemoglobin, per haemoglobin of one stage",
            unit="1",
            amount=lambda s, p: _sum(s),
            flow=lambda s, p, u: (
                _passing(p) * (p.young_share - s.stage_12) + p.glycation_rate * u["blood_glucose"] * (STAGES - _sum(s))
            ),
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="blood_glucose", effect="hba1c", direction=1, size=20.0),
        Sign(cause="glycation_rate", effect="hba1c", direction=1),
        Sign(cause="life_span", effect="hba1c", direction=1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Ladyzynski2014",
            text="Ladyzynski P, Foltynski P, Bak MI, Sabalinska S, Krzymien J, Kawiak J. Validation of a hemoglobin A1c "
            "model in patients with type 1 and type 2 diabetes and its use to go beyond the averaged relationship of "
            "hemoglobin A1c and mean glucose level. J Transl Med 2014;12:328 (abstract read).",
            doi="10.1186/s12967-014-0328-5",
        ),
        Reference(
            key="Ladyzynski2015",
            text="Ladyzynski P, et al. An analysis of the hemoglobin glycation rate in the A1C-Derived Average Glucose "
            "study population applying a Monte Carlo method. 2015 (abstract read).",
        ),
        Reference(
            key="Hoelzel2004",
            text="Hoelzel W, Weykamp C, Jeppsson JO, et al. IFCC reference system for measurement of hemoglobin A1c in "
            "human blood and the national standardization schemes in the United States, Japan, and Sweden. Clin Chem "
            "2004;50:166-174 (equation from memory).",
        ),
        Reference(
            key="Nathan2008",
            text="Nathan DM, Kuenen J, Borg R, Zheng H, Schoenfeld D, Heine RJ. Translating the A1C assay into estimated "
            "average glucose values. Diabetes Care 2008;31:1473-1478.",
            doi="10.2337/dc08-0545",
        ),
    )

    def initial(self, parameters: HaemoglobinParameters) -> HaemoglobinState:
        """Settled at ``habitual_glucose``."""
        return settled(parameters, parameters.habitual_glucose)

    def resting(self, parameters: HaemoglobinParameters) -> dict[str, Number]:
        """The glucose at which :meth:`initial` is settled."""
        return {"blood_glucose": parameters.habitual_glucose}

    def rates(
        self, t: Number, state: HaemoglobinState, parameters: HaemoglobinParameters, inputs: Inputs
    ) -> HaemoglobinState:
        """Cells pass on, and each stage is glycated."""
        p = parameters
        passing, glycation = _passing(p), p.glycation_rate * inputs["blood_glucose"]
        before, rates = p.young_share, {}
        for i in range(1, STAGES + 1):
            share = getattr(state, f"stage_{i}")
            rates[f"stage_{i}"] = passing * (before - share) + glycation * (1 - share)
            before = share
        return HaemoglobinState(**rates)

    def noise(self, state: HaemoglobinState, parameters: HaemoglobinParameters) -> HaemoglobinState:
        """0.3 % of the share per root of a day: cells that bleed, and days that differ. Judgement."""
        return jax.tree.map(lambda share: 0.003 * share, state)

    def observe(self, t: Number, state: HaemoglobinState, parameters: HaemoglobinParameters) -> dict[str, Number]:
        """HbA1c as laboratories state it (NGSP, %)."""
        p = parameters
        return {"hba1c": p.ngsp_slope * PER_CENT * _sum(state) / STAGES + p.ngsp_offset}


def _sum(s: HaemoglobinState) -> Number:
    return sum((getattr(s, f"stage_{i}") for i in range(2, STAGES + 1)), s.stage_1)


def _passing(p: HaemoglobinParameters) -> Number:
    """Rate at which cells pass from stage to stage, per day."""
    return (STAGES + 1) / p.life_span


def settled(p: HaemoglobinParameters, glucose: Number) -> HaemoglobinState:
    """The state after months at that mean glucose (mg/dL)."""
    kept = _passing(p) / (_passing(p) + p.glycation_rate * glucose)
    return HaemoglobinState(**{f"stage_{i}": 1 - (1 - p.young_share) * kept**i for i in range(1, STAGES + 1)})
