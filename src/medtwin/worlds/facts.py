"""The values of this room: a person, what is told of them, and what is true of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from medtwin.worlds.circulation import Haemodynamics
from medtwin.worlds.life import Habits, Plan
from medtwin.worlds.sensor import Errors
from medtwin.worlds.simulate import Dosing, Outcome

Array = NDArray[np.float64]

UNITS = {  # UCUM, by the names of the quantity registry
    "glucose": "mg/dL",
    "carbohydrate_intake": "g",
    "insulin_bolus": "[iU]",
    "insulin_basal_rate": "[iU]/h",
    "heart_rate": "/min",
    "step_count": "{steps}",
    "sleep_duration": "h",
    "body_weight": "kg",
    "body_height": "cm",
    "systolic_pressure": "mm[Hg]",
    "diastolic_pressure": "mm[Hg]",
    "mean_arterial_pressure": "mm[Hg]",
    "hba1c": "%",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing told: what was stated (in the unit of ``UNITS``), for when, and when it could first be known (UTC)."""

    time: datetime
    available: datetime
    quantity: str
    value: float
    source: str  # cgm | pump | diary | watch | cuff | scale | clinic
    text: str | None = None  # as a device shows it: "Low", "High"
    until: datetime | None = None
    group: str | None = None  # one cuff reading


@dataclass(frozen=True, slots=True)
class Cause:
    """Something true that makes facts and body disagree; what a disagreement hypothesis should find."""

    kind: str  # missed_meal | unlogged_meal | late_report | compression | bias | dropout | fluid_retention
    start: datetime
    end: datetime
    size: float  # g, mg/dL, min late, or kg/day


@dataclass(frozen=True)
class Truth:
    """What nobody is told. Arrays have one value for each minute from the start."""

    parameters: dict[str, float]
    haemodynamics: Haemodynamics
    plan: Plan = field(repr=False)
    heart_rate: Array = field(repr=False)
    steps: Array = field(repr=False)
    sensitivity: Array = field(repr=False)  # multiplier of insulin-driven uptake
    errors: Errors | None = field(repr=False)
    outcome: Outcome | None = field(repr=False)  # glucose, insulin, meals eaten, boluses
    carbohydrate_ratio: float | None = None  # g/U, the right one
    correction_factor: float | None = None  # mg/dL per U, the right one
    basal_need: float | None = None  # U/h at rest


@dataclass(frozen=True)
class Person:
    """One synthetic person: identity, what is told (``facts``), what is true (``truth``, ``causes``)."""

    identifier: str
    name: str
    kind: str
    seed: int
    sex: str
    birth_date: date
    height: float  # cm
    zone: str
    start: datetime
    now: datetime  # where files end and the live stream begins
    conditions: tuple[tuple[str, str], ...]
    medications: tuple[tuple[str, str], ...]
    truth: Truth = field(repr=False)
    facts: tuple[Fact, ...] = field(repr=False)  # by the moment they could be known
    causes: tuple[Cause, ...] = field(repr=False)
    dosing: Dosing | None = field(default=None, repr=False)
    habits: Habits = field(default_factory=Habits, repr=False)

    def told(self, *quantities: str) -> tuple[Fact, ...]:
        """Facts that could be known by ``now``, by the time they state."""
        chosen = [f for f in self.facts if f.available <= self.now and (not quantities or f.quantity in quantities)]
        return tuple(sorted(chosen, key=lambda f: (f.time, f.quantity)))

    def to_come(self) -> tuple[Fact, ...]:
        """Facts that become known after ``now``, in that order."""
        return tuple(f for f in self.facts if f.available > self.now)

    def minute(self, moment: datetime) -> int:
        """Index into the arrays of the truth."""
        return int((moment - self.start) // timedelta(minutes=1))
