"""The imputation model: an MMRM of every arm's mean at every visit, with covariates, on the outcomes that may teach it.

    y_ij = α_(arm of i) j + c_i' γ_j + e_ij        e_i ~ N(0, Σ), or Σ of the arm

by restricted maximum likelihood (:mod:`medtwin.trials.mmrm`). An outcome seen after an event is left out where the
strategy for the event is not MAR: it does not follow the arm's model (Wolbers et al., Pharm Stat 21 (2022): 1246,
section 2.3; Cro et al., Stat Med 39 (2020): 2815).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.missing.repeated import RepeatedTrial
from medtwin.trials.mmrm import fit

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Specification:
    """What the plan says of the model. ``by_visit``: covariates have a slope at each visit, otherwise a common one."""

    structure: str = "unstructured"
    by_visit: bool = True
    by_arm: bool = False  #: each arm has a covariance of its own
    reml: bool = True
    fallbacks: tuple[str, ...] = ()  #: structures to take, in order, where the one before has no maximum


@dataclass(frozen=True)
class Model:
    """One set of parameters, in the outcome's unit."""

    cells: Array  #: α, (arm, m)
    slopes: Array  #: γ, (q, m)
    sigma: Array  #: Σ, (arm, m, m)
    notes: tuple[str, ...] = ()

    def mean(self, arm: Array, covariates: Array) -> Array:
        """Of patients with these arms (n,) and covariates (n, q): (n, m)."""
        return np.asarray(self.cells[arm] + covariates @ self.slopes)


def design(trial: RepeatedTrial, by_visit: bool) -> tuple[Array, tuple[str, ...]]:
    """(n, m, p) and the columns' names: a cell for each arm and visit, then covariates less their mean."""
    n, m, arms = len(trial.arm), len(trial.visits), len(trial.arm_names)
    cells = np.zeros((n, m, arms, m))
    for j in range(m):
        cells[np.arange(n), j, trial.arm, j] = 1.0
    names = [f"mean of {arm} at {visit}" for arm in trial.arm_names for visit in trial.visits]
    centred = trial.covariates - trial.covariates.mean(0)
    if by_visit:
        slopes = np.einsum("iq,jk->ijqk", centred, np.eye(m))
        names += [f"{name} at {visit}" for name in trial.covariate_names for visit in trial.visits]
    else:
        slopes = np.broadcast_to(centred[:, None, :], (n, m, centred.shape[1]))
        names += list(trial.covariate_names)
    return np.concatenate([cells.reshape(n, m, -1), slopes.reshape(n, m, -1)], 2), tuple(names)


def estimate(
    trial: RepeatedTrial, specification: Specification, used: Array, rows: Sequence[int] | Array | None = None
) -> Model:
    """The model fitted to the outcomes ``used (n, m)`` of the patients ``rows`` (everybody; repeats count as others).

    Raises :class:`AnalysisError`, which says the number of patients, where the model cannot be fitted.
    """
    who = np.arange(len(trial.arm)) if rows is None else np.asarray(rows)
    arms = len(trial.arm_names)
    whole, names = design(trial, specification.by_visit)
    patient, visit = np.nonzero(used[who])
    try:
        done = fit(
            trial.outcome[who[patient], visit], whole[who[patient], visit], patient, np.asarray(trial.visits)[visit],
            visits=trial.visits, names=names, structure=specification.structure, reml=specification.reml,
            group=trial.arm[who[patient]].astype(str) if specification.by_arm else None, degrees="residual",
            fallbacks=specification.fallbacks,
        )  # fmt: skip
    except AnalysisError as error:
        raise AnalysisError(
            error.found, expected=error.expected, remedy=error.remedy,
            where="; ".join(part for part in (f"imputation model of {len(who)} patients", error.where) if part),
        ) from error  # fmt: skip
    sigma = [done.sigma[str(arm) if specification.by_arm else "all"] for arm in range(arms)]
    return unpack(trial, specification, done.coefficients, sigma, done.notes)


def unpack(
    trial: RepeatedTrial, specification: Specification, coefficients: Array, sigma: Sequence[Array],
    notes: tuple[str, ...] = (),
) -> Model:  # fmt: skip
    """Coefficients in the order of :func:`design` as a model; covariates are no longer centred."""
    m, arms, q = len(trial.visits), len(trial.arm_names), trial.covariates.shape[1]
    cells, rest = coefficients[: arms * m].reshape(arms, m), coefficients[arms * m :]
    slopes = rest.reshape(q, m) if specification.by_visit else np.repeat(rest[:, None], m, 1)
    return Model(cells - trial.covariates.mean(0) @ slopes, slopes, np.stack(sigma), notes)
