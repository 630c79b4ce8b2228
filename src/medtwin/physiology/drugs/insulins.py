"""Insulin preparations: what one injection releases into the depot under the skin, as exposures that glucose models accept.

Drawing
-------
::

    injection --> hexamers, crystals, albumin (this file) --> depot under the skin (each glucose model's own) --> plasma

Equations
---------
``u`` units injected, ``F`` the share released by the time ``t`` since; a chain of ``n`` equal stages of rate ``k``::

    released(t) = u available F(t - lag)    F(t) = 1 - exp(-k t) (1 + k t + ... + (k t)^(n-1)/(n-1)!)    k = log(2)/half

A rapid analogue is what the models' own depot was made from: it is released at once (``half`` 0), after the minutes that it
takes to appear in blood at all, which that depot leaves out; faster aspart differs from aspart in them. A slower preparation
is released over hours, and each piece of it then passes that depot. :func:`injection` gives pieces whose sum is the dose.

Parameters
----------
``PREPARATIONS``: lag, half-time, stages and availability of each, with sources; what was not used to set them is in the tests
(``tests/physiology/drugs/test_insulins.py``) and in docs/evidence/insulins.md.

Assumptions
-----------
Release does not depend on the dose, the site or on what was injected before (of detemir and regular insulin it does: larger
doses last longer). A unit of each acts as a unit, but for ``available``. No variation between days: what is known of it
(coefficients of variation of a quarter for detemir to a half for NPH, Heise2004) is not drawn.

References
----------
Becker2015, Heise2012, Heise2015, Lepore2000, Plank2005, Heise2016, Heise2004 (``REFERENCES``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from medtwin.errors import ModelError
from medtwin.physiology.exposures import HOUR, MINUTE, Exposure
from medtwin.physiology.model import Reference

PIECE = 15 * MINUTE  #: one piece of a release lasts so long, and all are alike
KEPT = 1e-3  #: share of a dose that is still unreleased when the last piece ends; that piece brings it


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How one preparation is released: in a chain of ``stages``, each of which half leaves in ``half`` hours (0: at once)."""

    name: str
    half: float
    stages: int = 1
    available: float = 1.0  #: as a share of what the same dose of a rapid analogue brings
    lag: float = 0.0  #: minutes until anything is released
    source: str = ""


PREPARATIONS = {
    one.name: one
    for one in (
        Preparation(name="lispro", half=0.0, lag=11.2, source="as aspart: judgement"),
        Preparation(name="aspart", half=0.0, lag=11.2, source="Heise2015: onset of appearance after 11.2 min"),
        Preparation(name="glulisine", half=0.0, lag=11.2, source="as aspart: judgement"),
        Preparation(
            name="faster_aspart", half=0.0, lag=4.9, source="Heise2015: onset of appearance after 4.9 min"
        ),
        Preparation(
            name="regular", half=0.75, stages=1,
            source="judgement: hexamers fall apart in under an hour, so that the peak comes an hour later than a rapid one's",
        ),
        Preparation(
            name="nph", half=4.4, stages=1, source="half-life of 4.4 h in a table of UpToDate (no study named there)"
        ),
        Preparation(
            name="detemir", half=5.0, stages=2, source="label: half-life of 5 to 7 h (from memory); stages: judgement"
        ),
        Preparation(name="glargine_100", half=13.5, source="Becker2015: terminal half-life of 13.5 h (sd 6.9)"),
        Preparation(
            name="glargine_300", half=19.0, available=0.93,
            source="Becker2015: terminal half-life of 19.0 h (sd 6.4), exposure of 36 h .93 of that of U100",
        ),
        Preparation(name="degludec", half=25.4, source="Heise2012: half-life of 25.4 h (abstracts state above 25)"),
    )
}  # fmt: skip

REFERENCES = (
    Reference(
        key="Becker2015",
        text="Becker RH, Dahmen R, Bergmann K, Lehmann A, Jax T, Heise T. New insulin glargine 300 units/mL provides a more even "
        "activity profile and prolonged glycemic control at steady state compared with insulin glargine 100 units/mL. Diabetes "
        "Care 2015;38:637-643 (its table 1 read).",
    ),
    Reference(
        key="Heise2012",
        text="Heise T, Hermanski L, Nosek L, Feldman A, Rasmussen S, Haahr H. Insulin degludec: four times lower "
        "pharmacodynamic variability than insulin glargine under steady-state conditions in type 1 diabetes. Diabetes Obes "
        "Metab 2012;14:859-864 (from memory; half-life as in Gough SC et al., ibid. 2013;15:301-309).",
    ),
    Reference(
        key="Heise2015",
        text="Heise T, Hovelmann U, Brondsted L, Adrian CL, Nosek L, Haahr H. Faster-acting insulin aspart: earlier onset of "
        "appearance and greater early pharmacokinetic and pharmacodynamic effects than insulin aspart. Diabetes Obes Metab "
        "2015;17:682-688 (abstract read).",
    ),
    Reference(
        key="Lepore2000",
        text="Lepore M, Pampanelli S, Fanelli C, et al. Pharmacokinetics and pharmacodynamics of subcutaneous injection of "
        "long-acting human insulin analog glargine, NPH insulin, and ultralente human insulin and continuous subcutaneous "
        "infusion of insulin lispro. Diabetes 2000;49:2142-2148 (abstract read).",
        doi="10.2337/diabetes.49.12.2142",
    ),
    Reference(
        key="Plank2005",
        text="Plank J, Bodenlenz M, Sinner F, et al. A double-blind, randomized, dose-response study investigating the "
        "pharmacodynamic and pharmacokinetic properties of the long-acting insulin analog detemir. Diabetes Care "
        "2005;28:1107-1112 (abstract read).",
    ),
    Reference(
        key="Heise2016",
        text="Heise T, Korsatko S, Nosek L, et al. Steady state is reached within 2-3 days of once-daily administration of "
        "degludec, a basal insulin with an ultralong duration of action. J Diabetes 2016;8:132-138 (abstract read).",
        doi="10.1111/1753-0407.12266",
    ),
    Reference(
        key="Heise2004",
        text="Heise T, Nosek L, Ronn BB, et al. Lower within-subject variability of insulin detemir in comparison to NPH insulin "
        "and insulin glargine in people with type 1 diabetes. Diabetes 2004;53:1614-1620 (abstract read).",
    ),
)


def preparation(name: str) -> Preparation:
    """By its name. Raises :class:`ModelError`."""
    if name not in PREPARATIONS:
        raise ModelError(f"the insulin preparation {name!r}", expected=f"one of {', '.join(PREPARATIONS)}")
    return PREPARATIONS[name]


def released(one: Preparation, hours: np.ndarray) -> np.ndarray:
    """Share of a dose that has left crystals, hexamers or albumin by so many hours after it (1 from the start where at once)."""
    since = np.maximum(np.asarray(hours, float) - one.lag * MINUTE / HOUR, 0.0)
    if one.half == 0.0:
        return np.where(np.asarray(hours, float) * HOUR >= one.lag * MINUTE, 1.0, 0.0)
    x = _rate(one) * since
    kept = sum(x**n / math.factorial(n) for n in range(one.stages)) * np.exp(-x)
    return np.asarray(1.0 - kept)


def _rate(one: Preparation) -> float:
    """Rate of each stage, per hour: the last stage's own half-life is ``half``."""
    return math.log(2.0) / one.half


def injection(name: str, time: float, units: float) -> tuple[Exposure, ...]:
    """``units`` of a preparation injected at ``time`` (s), as pieces of ``insulin_bolus``: their sum is the dose times its
    availability. Raises :class:`ModelError`."""
    one = preparation(name)
    if units < 0:
        raise ModelError(f"{units} units", expected="no less than none")
    amount, time = units * one.available, time + one.lag * MINUTE
    if one.half == 0.0:
        return (Exposure(quantity="insulin_bolus", time=time, amount=amount),)
    late, edges = one.lag * MINUTE / HOUR, [0.0]
    while 1.0 - released(one, np.asarray(late + edges[-1])) > KEPT:
        edges.append(edges[-1] + PIECE / HOUR)
    share = released(one, late + np.asarray(edges))
    share[-1] = 1.0
    return tuple(
        Exposure(
            quantity="insulin_bolus", time=time + start * HOUR, amount=float(amount * part), until=time + end * HOUR
        )
        for start, end, part in zip(edges[:-1], edges[1:], np.diff(share), strict=True)
    )
