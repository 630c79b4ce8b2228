"""What every comparison with external controls asks of its two arms: arm 0 the external controls, arm 1 the trial's."""

from __future__ import annotations

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData


def two_arms(trial: TrialData, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Masks (patient,) of controls and treated. Raises :class:`AnalysisError` unless there are two arms with patients."""
    if len(trial.arm_names) != 2:
        raise AnalysisError(
            f"{len(trial.arm_names)} arms", expected="external controls and one treated arm", where=where,
            remedy="name one treated arm",
        )  # fmt: skip
    controls, treated = trial.arm == 0, trial.arm == 1
    for mask, name in ((controls, trial.arm_names[0]), (treated, trial.arm_names[1])):
        if mask.sum() < 2:
            raise AnalysisError(f"{int(mask.sum())} patients in arm {name}", expected="at least two", where=where)
    return controls, treated


def checked_weights(weights: np.ndarray | None, trial: TrialData, where: str) -> np.ndarray:
    """(patient,) weights, finite, none negative, some of each arm positive; all 1 for None."""
    held = np.ones(len(trial.arm)) if weights is None else np.asarray(weights, dtype=float)
    if held.shape != trial.arm.shape:
        raise AnalysisError(f"{held.shape} weights", expected=f"{trial.arm.shape}, one a patient", where=where)
    if not np.isfinite(held).all() or (held < 0.0).any():
        raise AnalysisError("weights that are negative or not finite", expected="finite, at least 0", where=where)
    for code, name in enumerate(trial.arm_names):
        if not held[trial.arm == code].sum() > 0.0:
            raise AnalysisError(f"arm {name} weighs nothing", expected="a positive weight in every arm", where=where)
    return held
