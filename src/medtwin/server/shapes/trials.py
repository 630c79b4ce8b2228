"""POST /trials/plan: how many patients a trial needs, by which method, and what each assumption is worth.

What is asked is the plan itself, in the names of a plan file (``medtwin.trials.planning.inputs.PlanInput``). Powers and shares
are between 0 and 1; a saving in ``%`` says so in its unit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from medtwin.trials.planning.inputs import PlanInput


class PlannedNumber(Struct, kw_only=True):
    name: str
    value: float
    unit: str
    method: str


class PlanMethod(Struct, kw_only=True):
    method: str
    n_control: int | None
    n_treated: int | None
    power: float


class PlanSaving(Struct, kw_only=True):
    """What the score saves at equal power, in whole patients."""

    against: str
    without_control: int
    without_treated: int
    total_saved: int  #: both arms smaller, same allocation
    controls_saved: (
        int | None
    )  #: treated arm kept at ``without_treated``; None: no number of controls reaches the power
    method: str


class PlanLook(Struct, kw_only=True):
    information: float
    patients: float
    time: float | None
    efficacy: float | None
    nominal: float
    futility: float | None
    alpha_spent: float
    stops_null: float
    stops_planned: float


class PlanCurve(Struct, kw_only=True):
    name: str
    x: list[float]
    power: list[float]
    method: str


class PlanFigure(Struct, kw_only=True):
    title: str
    kind: Literal["controls", "correlation", "dropout"]
    across: str
    curves: list[PlanCurve]
    target: float
    marked: float | None


class TrialPlan(Struct, kw_only=True):
    now: datetime
    method: str
    n_control: int
    n_treated: int
    enrolled: int
    power: float
    methods: list[PlanMethod]
    numbers: list[PlannedNumber]
    savings: list[PlanSaving]
    looks: list[PlanLook]
    boundary: str
    figures: list[PlanFigure]
    notes: list[str]
    text: str
    file: str


__all__ = [
    "PlanCurve", "PlanFigure", "PlanInput", "PlanLook", "PlanMethod", "PlanSaving", "PlannedNumber", "TrialPlan",
]  # fmt: skip
