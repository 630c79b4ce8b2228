"""Multiple imputation of an outcome with one row a patient: what binary, count and survival outcomes share.

Each set has a model of its own, fitted to patients drawn with replacement within their arms ("approximate Bayesian"), and
random outcomes of its own; each completed set is analysed, and the analyses pooled by Rubin's rules on the scale of their
estimates. Strategies: MAR, the patient's own arm goes on; JR, from the event on the reference arm's law holds; CR, it held
from the start (only counts, whose past says something of a patient's frailty, tell it from JR).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.missing.rubin import pool
from medtwin.trials.missing.samples import FAILED

Array = np.ndarray
Fitted = TypeVar("Fitted")


def reference_code(trial: TrialData, reference: str | None) -> int:
    """Place of the reference arm, control if nothing is said. Raises :class:`AnalysisError`."""
    if reference is not None and reference not in trial.arm_names:
        raise AnalysisError(
            f"reference arm {reference!r}", expected=f"one of {list(trial.arm_names)}", where="reference"
        )
    return 0 if reference is None else trial.arm_names.index(reference)


def chosen(strategy: str, known: Sequence[str]) -> str:
    """The strategy. Raises :class:`AnalysisError` for one that this kind of outcome does not have."""
    if strategy not in known:
        raise AnalysisError(f"strategy {strategy!r}", expected=f"one of {list(known)}", where="strategy")
    return strategy


def by_arm(trial: TrialData, delta: Mapping[str, float] | None) -> Array:
    """Delta of each patient, (n,). Raises :class:`AnalysisError`."""
    amount = np.zeros(len(trial.arm_names))
    for arm, value in (delta or {}).items():
        if arm not in trial.arm_names or not np.isfinite(value):
            raise AnalysisError(
                f"delta {value} of arm {arm!r}", expected=f"a number for one of {list(trial.arm_names)}"
            )
        amount[trial.arm_names.index(arm)] = value
    return np.asarray(amount[trial.arm])


def design(trial: TrialData, arm: Array | None = None) -> Array:
    """(n, p): a column for each arm, and covariates less their mean over all patients; as if in ``arm``, if it is given."""
    code = trial.arm if arm is None else arm
    cells = (code[:, None] == np.arange(len(trial.arm_names))).astype(float)
    return np.hstack([cells, trial.covariates - trial.covariates.mean(0)])


def several(
    trial: TrialData, gone: Array, *, fit: Callable[[Array], Fitted], draw: Callable[[Fitted, np.random.Generator], TrialData],
    analyse: Callable[[TrialData], Analysis], sets: int, seed: int, words: str, what: str,
) -> Analysis:  # fmt: skip
    """``fit`` of the patients of a sample, ``draw`` of a completed trial, ``analyse`` of it; ``gone (n,)``: imputed."""
    if sets < 2:
        raise AnalysisError(f"{sets} sets", expected="at least 2")
    counts = ", ".join(f"{int(gone[trial.arm == a].sum())} {name}" for a, name in enumerate(trial.arm_names))
    if not gone.any():
        alone = analyse(trial)
        return replace(alone, notes=(*alone.notes, f"no {what} is missing: nothing was imputed"))
    rng = np.random.default_rng(seed)
    arms = [np.flatnonzero(trial.arm == a) for a in range(len(trial.arm_names))]
    every: list[Analysis] = []
    failed = 0
    while len(every) < sets:
        rows = np.concatenate([rng.choice(arm, len(arm)) for arm in arms])
        try:
            fitted = fit(rows)
        except AnalysisError as error:
            failed += 1
            if failed > max(FAILED * sets, 1.0):
                raise AnalysisError(
                    f"{failed} bootstrap samples to which the imputation model cannot be fitted ({error.found})",
                    expected=f"no more than {FAILED:.0%}", where=error.where, remedy="fewer covariates, or more patients",
                ) from error  # fmt: skip
            continue
        every.append(analyse(draw(fitted, rng)))
    estimates = []
    for place, first in enumerate(every[0].estimates):
        each = [one.estimates[place] for one in every]
        got = pool(
            [e.value for e in each], [e.standard_error**2 for e in each], float(np.mean([e.df for e in each]))
        )  # fmt: skip
        method = f"multiple imputation of {sets} sets, {words}; {first.method}; Rubin, Barnard-Rubin df"
        estimates.append(replace(first, value=got.value, standard_error=got.standard_error, df=got.df, method=method))
    notes = [*every[0].notes, f"{what} imputed of {int(gone.sum())} patients, {counts}; {words}; seed {seed}"]
    if failed:
        notes.append(f"{failed} bootstrap samples were drawn anew: the imputation model could not be fitted to them")
    return Analysis(method=estimates[0].method, estimates=tuple(estimates), patients=trial.patients, notes=tuple(notes))
