"""What lies around a tree: aortic pressure, and the beds beyond its outlets, as far as they are known.

In order of what is known: outlets with hyperaemic flows or resistances; resting flow through the ostium; the myocardial mass
that
the tree feeds. Numbers, each with where it is from:

- resting flow 1.0 mL/min/g, lognormal sd 0.25: "approximately 1.0 mL/(min g)" in healthy people (review of PET, PMC3841470);
  nine volunteers had 1.26 (0.31) (Kiso et al., J Radiol Radiat Ther 2013). The spread is a judgement.
- hyperaemic over resting resistance of the whole tree and its beds, lognormal about 0.29 with sd 0.25 (90 % of it between
  0.19 and
  0.44). It holds 1/2.91, the flow reserve of 13 healthy people with adenosine (2.91, sd 0.78; Scholtens et al., J Nucl Cardiol
  2011, PMC3069313), and 0.24, which CT-derived FFR is said to use (Taylor, Fonte & Min, JACC 2013;61:2233; from memory).
  People with
  microvascular disease have more (1/1.99 with coronary disease, 1/1.39 with syndrome X in the same paper): state a factor of
  your own where it is known.
- split of flow among outlets in proportion to reference radius to the power n, n normal about 2.4 with sd 0.25: between 2.15
  and 3,
  where 2.15 and 2.38 were measured in people (Taylor DJ et al., Front Physiol 2022) and 3 is Murray's (1926).
- mean aortic pressure: as stated, sd 4 %; venous pressure 5 mmHg unless stated, sd 2 (judgement).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtwin.anatomy.vessel_tree import Tree
from medtwin.errors import AnalysisError

Array = NDArray[np.float64]
FLOW_PER_GRAM, FLOW_SPREAD = 1.0, 0.25
HYPERAEMIA, HYPERAEMIA_SPREAD = 0.29, 0.25
EXPONENT, EXPONENT_SD = 2.4, 0.25
PRESSURE_SPREAD, VENOUS, VENOUS_SD = 0.04, 5.0, 2.0
STATED_SPREAD = (
    0.10  #: relative sd of a stated flow or resistance; a Doppler or thermodilution flow is no better (judgement)
)


@dataclass(frozen=True)
class Beds:
    """Samples of what lies around the tree."""

    aortic: Array  #: (sample,), mmHg
    venous: Array  #: (sample,), mmHg
    hyperaemic: Array  #: (segment, sample), mmHg s/mL; nan where a segment has children
    resting: Array | None  #: alike; None where the tree states only what is hyperaemic
    flow: Array | None  #: (segment, sample), mL/s: hyperaemic flows that are held, where the tree states flows
    basis: str  #: what they come from, in words


def beds(tree: Tree, deviates: dict[str, Array], *, pressure: float | None = None, factor: float | None = None) -> Beds:
    """Beds for standard normal ``deviates`` (keys ``flow``, ``hyperaemia``, ``split``, ``aortic``, ``venous``; (sample,) each).

    Args:
        tree: its pressures, flows and mass are read.
        deviates: zeros give the middle.
        pressure: mean aortic pressure, mmHg, where the tree states none.
        factor: hyperaemic over resting resistance, where it is known; it is then held.

    Raises:
        AnalysisError: there is no pressure, or nothing that tells a flow.
    """
    stated = tree.aortic_pressure if pressure is None else pressure
    if stated is None:
        raise AnalysisError(
            "no aortic pressure", expected="aortic_pressure_mmhg in the tree, or --pressure", where=tree.label or "the tree",
            remedy="a cuff's diastolic plus a third of the pulse pressure will do",
        )  # fmt: skip
    venous = np.clip(
        (VENOUS if tree.venous_pressure is None else tree.venous_pressure) + VENOUS_SD * deviates["venous"], 0.0, None
    )
    aortic = stated * np.exp(PRESSURE_SPREAD * deviates["aortic"])
    leaves = list(tree.leaves)
    size, count = len(tree.segments), len(aortic)
    if tree.outlets:
        spread = np.exp(STATED_SPREAD * deviates["flow"])
        rows = np.full((size, count), np.nan)
        if tree.outlets[leaves[0]].flow is not None:
            flow = np.zeros((size, count))
            for place in leaves:
                flow[place] = (tree.outlets[place].flow or 0.0) / 60.0 * spread
            return Beds(aortic, venous, rows, None, flow, "hyperaemic flows stated for each outlet")
        for place in leaves:
            rows[place] = (tree.outlets[place].resistance or 0.0) * 60.0 / spread
        return Beds(aortic, venous, rows, None, None, "hyperaemic resistances stated for each outlet")
    if tree.resting_flow is not None:
        total, basis = tree.resting_flow * np.exp(STATED_SPREAD * deviates["flow"]), "the stated resting flow"
    elif tree.myocardial_mass is not None:
        total = tree.myocardial_mass * FLOW_PER_GRAM * np.exp(FLOW_SPREAD * deviates["flow"])
        basis = f"{tree.myocardial_mass:g} g of muscle at about {FLOW_PER_GRAM:g} mL/min/g"
    else:
        raise AnalysisError(
            "nothing that tells how much flows", expected="outlets, resting_flow_ml_per_min or myocardial_mass_g in the tree",
            where=tree.label or "the tree", remedy="or state --mass GRAMS of the muscle that this tree feeds",
        )  # fmt: skip
    radius = np.asarray([float(np.median(tree.segments[place].reference)) for place in leaves])
    weight = radius[:, None] ** (EXPONENT + EXPONENT_SD * deviates["split"])
    share = weight / weight.sum(0)
    resting = np.full((size, count), np.nan)
    resting[leaves] = (aortic - venous) / (total / 60.0 * share)
    ratio = (
        np.full(count, factor)
        if factor is not None
        else HYPERAEMIA * np.exp(HYPERAEMIA_SPREAD * deviates["hyperaemia"])
    )
    return Beds(aortic, venous, resting * np.clip(ratio, 0.05, 1.0), resting, None, basis)
