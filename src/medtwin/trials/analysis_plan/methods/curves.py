"""Kaplan-Meier curves of each arm, for the report."""

from __future__ import annotations

from typing import Any

from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.kaplan import Curve, kaplan_meier


def curves(trial: TrialData) -> dict[str, Curve]:
    """By arm, control first; none where there are no events."""
    if trial.event is None:
        return {}
    return {
        name: kaplan_meier(trial.outcome[trial.arm == code], trial.event[trial.arm == code])
        for code, name in enumerate(trial.arm_names)
    }


def censored(trial: TrialData, unit: str) -> dict[str, Any]:
    """What the figure of the curves asks for beside them: times of censoring by arm, and the axis's unit."""
    if trial.event is None:
        return {}
    times = {
        name: [float(time) for time in sorted(trial.outcome[(trial.arm == code) & ~trial.event])]
        for code, name in enumerate(trial.arm_names)
    }
    return {"censored": times, "time_unit": unit}
