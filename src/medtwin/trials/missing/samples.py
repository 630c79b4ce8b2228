"""The imputation model fitted again and again: each patient left out once, or patients drawn anew within their arms.

The fits do not depend on strategy, reference arm or delta, but for which outcomes may teach the model; they are the slow
part and are made once for all analyses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.missing.impute import Assumption
from medtwin.trials.missing.model import Model, Specification, estimate
from medtwin.trials.missing.repeated import RepeatedTrial

Array = np.ndarray
#: Share of samples in which the model may fail to have a maximum before the bootstrap refuses.
FAILED = 0.05


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The fit to everybody and ``b`` others."""

    kind: str  #: jackknife | bootstrap
    full: Model
    models: tuple[Model, ...]  #: (b,)
    rows: tuple[Array, ...]  #: patients of each sample
    used: Array  #: (n, m) outcomes that taught the model
    notes: tuple[str, ...] = ()

    def check(self, trial: RepeatedTrial, assumption: Assumption) -> None:
        """Raises :class:`AnalysisError` where another set of outcomes should have taught the model."""
        if self.used.shape != trial.outcome.shape or (self.used != assumption.used(trial)).any():
            raise AnalysisError("models fitted to other outcomes", where="samples",
                                expected=f"those that follow the model under {assumption.words}",
                                remedy="make the samples with the same trial and strategy")  # fmt: skip


def jackknife(trial: RepeatedTrial, assumption: Assumption, specification: Specification | None = None) -> Samples:
    """Each patient left out once, n fits. Raises :class:`AnalysisError` where one cannot be made."""
    chosen, used = specification or Specification(), assumption.used(trial)
    full = estimate(trial, chosen, used)
    everybody = np.arange(len(trial.arm))
    rows = tuple(np.delete(everybody, i) for i in everybody)
    silent = np.logical_not(used.any(axis=1))  # who says nothing about the model leaves it as it is
    models = tuple(full if bool(silent[i]) else estimate(trial, chosen, used, rows[i]) for i in everybody)
    return Samples(kind="jackknife", full=full, models=models, rows=rows, used=used, notes=full.notes)


def bootstrap(
    trial: RepeatedTrial, assumption: Assumption, specification: Specification | None = None, *, samples: int, seed: int
) -> Samples:
    """``samples`` fits to patients drawn with replacement within each arm.

    A sample to which the model cannot be fitted is drawn anew, and counted in the notes; more than ``FAILED`` of them
    raise :class:`AnalysisError`.
    """
    if samples < 2:
        raise AnalysisError(f"{samples} samples", expected="at least 2, and hundreds for a standard error")
    chosen, used = specification or Specification(), assumption.used(trial)
    full = estimate(trial, chosen, used)
    rng = np.random.default_rng(seed)
    arms = [np.flatnonzero(trial.arm == code) for code in range(len(trial.arm_names))]
    models: list[Model] = []
    rows: list[Array] = []
    failed = 0
    while len(models) < samples:
        drawn = np.concatenate([rng.choice(arm, len(arm)) for arm in arms])
        try:
            models.append(estimate(trial, chosen, used, drawn))
        except AnalysisError as error:
            failed += 1
            if failed > max(FAILED * samples, 1.0):
                raise AnalysisError(
                    f"{failed} bootstrap samples to which the model cannot be fitted ({error.found})", where=error.where,
                    expected=f"no more than {FAILED:.0%}", remedy="a simpler covariance structure, or the jackknife",
                ) from error  # fmt: skip
            continue
        rows.append(drawn)
    notes = full.notes
    if failed:
        notes += (f"{failed} bootstrap samples were drawn anew: the model could not be fitted to them",)
    return Samples(kind="bootstrap", full=full, models=tuple(models), rows=tuple(rows), used=used, notes=notes)
