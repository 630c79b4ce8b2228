"""A class of heart-failure drugs: how much, how soon, and on which parameters of the circulation.

Equations
---------
Of a dose ``d`` as a share of the target dose, ``t`` days after it began, each effect multiplies its target by::

    factor = exp(direction size d (1 + h)/(d + h) (1 - exp(-t/days)))        h = half_dose, a share of the target dose

``size`` is the natural logarithm of the factor at the target dose, a prior over people. Logarithms add: the order of a
combination does not matter, and no dose is no change. Effects that come within days are acute; those of months are the heart's
remodelling.

Targets
-------
:data:`TARGETS` says which parameters each name moves. Blood leaves the stressed volume in two ways:
into veins that widen (``venous_capacity``)
and out of the body (``blood_volume``); :func:`medtwin.physiology.drugs.heart_failure.response.moved` keeps account of both.
``ventricular_size`` scales the volume axis of the left ventricle: at each pressure it holds that share of its volume.

Where the numbers come from
---------------------------
Each effect names the ``studies`` that set it; ``medtwin.evidence.heart_failure_drugs`` tests with others only, and a test
holds it to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from medtwin.physiology.model import Reference
from medtwin.physiology.prior import Prior

MONTH = 30.4  #: days
REMODELLING = 4.5 * MONTH  #: days; time constant of the heart's size and muscle: judgement, 3 to 6 months

#: What each target moves: parameter -> power of the factor.
TARGETS: Mapping[str, Mapping[str, float]] = {
    "heart_rate": {"heart_rate": 1.0},
    "systemic_resistance": {"systemic_resistance": 1.0},
    "pulmonary_resistance": {"pulmonary_resistance": 1.0},
    "contractility": {"left_ventricular_elastance": 1.0, "right_ventricular_elastance": 1.0},
    "ventricular_size": {
        "left_ventricular_unstressed_volume": 1.0,
        "left_ventricular_stiffness": -1.0,
        "left_ventricular_elastance": -1.0,
    },
    "venous_capacity": {"stressed_blood_volume": 1.0},
    "blood_volume": {"stressed_blood_volume": 1.0},
    "reflex": {},  # the strength of the baroreflex
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One drug of a class: the dose that ``size`` belongs to, and what was studied.

    ``unit`` is mg/d or, of an infusion, ug/kg/min; ``low`` and ``high`` bound what is answered.
    """

    name: str
    target: float
    low: float
    high: float
    source: str
    unit: str = "mg/d"
    other_names: tuple[str, ...] = ()
    longest_days: float | None = None  #: of this agent, where it is shorter than its class's

    @property
    def infused(self) -> bool:
        """Whether it is given by a pump, at a rate."""
        return self.unit == "ug/kg/min"


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect at the target dose: ``target`` of :data:`TARGETS`, ``direction`` +1 or -1, ``size`` the logarithm of the factor.

    ``days``: time constant of its coming; ``studies``: keys of the references that set the size.
    """

    target: str
    direction: int
    size: Prior
    days: float
    studies: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drug:
    """A class of drugs. ``half_dose``: share of the target dose at half of the greatest effect."""

    name: str
    meaning: str
    agents: tuple[Agent, ...]
    half_dose: Prior
    half_dose_source: str
    effects: tuple[Effect, ...]
    references: tuple[Reference, ...]
    limits: str = ""
    excludes: tuple[str, ...] = ()  #: classes that cannot be taken beside it; a new one takes their place
    longest_days: float = 366.0  #: as long as its source looked; a year where that is a class's remodelling
    family: str = (
        ""  #: drugs of one family share a person's model error, so that a change between them is compared in pairs
    )

    @property
    def studies(self) -> frozenset[str]:
        """Keys of all that set an effect of the class."""
        return frozenset(key for effect in self.effects for key in effect.studies)
